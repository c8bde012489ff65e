//! Server-sent events about a tenant's submissions, as they happen.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::json;
use tokio::sync::broadcast;
use uniq::ledger::Tables;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::database::moment;
use crate::problem::Problem;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Number of streams of each key.
#[derive(Debug, Default)]
pub struct Streams(Mutex<HashMap<String, usize>>);

/// A place for one stream, freed when dropped.
struct Place(App, String);

impl Place {
    fn take(app: &App, key: &str) -> Option<Place> {
        let mut streams = app.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = streams.entry(key.to_owned()).or_default();
        if *of_key >= STREAMS_MAX {
            return None;
        }
        *of_key += 1;
        drop(streams);
        Some(Place(app.clone(), key.to_owned()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self
            .0
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.1) {
            *count -= 1;
        }
        streams.retain(|_, count| *count > 0);
    }
}

/// A row of the chain as the tenant sees it.
struct Told {
    seq: u64,
    name: &'static str,
    data: String,
}

/// Follows what happens to the submissions of the tenant, as server-sent events.
///
/// Each event has the number of its row in the ledger as its id; with the header `Last-Event-ID`,
/// what came after that row is sent first, with 0 everything. Without it the stream begins now.
/// Names of events: `submission.received`, `submission.checked`, `submission.failed`,
/// `submission.lapsed`, `submission.withdrawn`, `submission.sold`, `submission.claims_changed`,
/// `submission.rechecked`, `submission.reviewed` and `submission.judged`. The data is JSON: `id` of
/// the submission, `type` and `at`. Comments are sent while nothing happens. The stream ends when
/// the key is revoked and when the service stops.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen")),
    responses(
        (status = 200, description = "Events", content_type = "text/event-stream", body = String),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn follow(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.needs(Scope::Read)?;
    let wanted = match headers.get("last-event-id") {
        None => None,
        Some(value) => {
            let number = value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse::<u64>().ok());
            let number = number.filter(|number| *number <= i64::MAX as u64);
            Some(number.ok_or_else(|| Problem::invalid("Last-Event-ID: give the id of an event"))?)
        }
    };
    let place = Place::take(&app, &caller.key).ok_or_else(|| {
        Problem::too_many(
            format!("this key has {STREAMS_MAX} open streams, the maximum; close one"),
            30,
        )
    })?;
    let changed = app.changed.subscribe();
    let after = match wanted {
        Some(after) => after,
        None => app.database.read(last).await?,
    };
    let follower = Follower {
        app,
        tenant: caller.tenant,
        key: caller.key,
        after,
        changed,
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let told = follower.next().await?;
        Some((
            stream::iter(told.into_iter().map(|told| {
                Ok(Event::default()
                    .id(told.seq.to_string())
                    .event(told.name)
                    .data(told.data))
            })),
            follower,
        ))
    });
    Ok(Sse::new(events.flatten()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Follower {
    app: App,
    tenant: String,
    key: String,
    /// The last row that was sent.
    after: u64,
    changed: broadcast::Receiver<()>,
    _place: Place,
}

impl Follower {
    /// Waits for the next events; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Vec<Told>> {
        loop {
            if self.app.stopping.load(Ordering::Relaxed) {
                return None;
            }
            let (tenant, key, after) = (self.tenant.clone(), self.key.clone(), self.after);
            let looked = self.app.database.read(move |tables| {
                let valid = "SELECT 1 FROM service_keys WHERE id = $1 AND revoked_ms IS NULL";
                if tables.query(valid, &[(&*key).into()])?.is_empty() {
                    return Ok(None);
                }
                // This transaction sees everything up to here.
                let last = last(tables)?;
                if last <= after {
                    return Ok(Some((Vec::new(), after)));
                }
                let told = told(tables, &tenant, after)?;
                let is_all = (told.len() as u64) < ROWS_MAX;
                let until = if is_all {
                    last
                } else {
                    told.last().map_or(last, |told| told.seq)
                };
                Ok(Some((told, until)))
            });
            match looked.await {
                Ok(None) => return None,
                Ok(Some((told, until))) => {
                    self.after = until;
                    let told: Vec<Told> = told
                        .into_iter()
                        .filter(|told| !told.name.is_empty())
                        .collect();
                    if !told.is_empty() {
                        return Some(told);
                    }
                }
                // The client reconnects with the last id that it has seen.
                Err(_) => return None,
            }
            tokio::select! {
                _ = self.changed.recv() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

fn last(tables: &mut dyn Tables) -> uniq::Result<u64> {
    let rows = tables.query("SELECT seq FROM events ORDER BY seq DESC LIMIT 1", &[])?;
    Ok(rows.first().map_or(0, |row| row.number(0)))
}

fn told(tables: &mut dyn Tables, tenant: &str, after: u64) -> uniq::Result<Vec<Told>> {
    let statement = "SELECT e.seq, e.at_ms, e.kind, s.id FROM events e \
                     JOIN service_submissions s ON s.number = e.submission AND s.same_as IS NULL \
                     WHERE e.seq > $1 AND s.tenant = $2 ORDER BY e.seq LIMIT $3";
    let rows = tables.query(statement, &[after.into(), tenant.into(), ROWS_MAX.into()])?;
    let told = rows.iter().map(|row| {
        let name = name_of(row.text(2));
        let data =
            json!({ "id": row.text(3), "type": name, "at": moment(row.number(1)) }).to_string();
        Told {
            seq: row.number(0),
            name,
            data,
        }
    });
    Ok(told.collect())
}

/// Event name for a kind of row; empty for rows that are not sent.
fn name_of(kind: &str) -> &'static str {
    match kind {
        "received" => "submission.received",
        "decided" | "confirmed" => "submission.checked",
        "failed" => "submission.failed",
        "lapsed" => "submission.lapsed",
        "withdrawn" => "submission.withdrawn",
        "sold" => "submission.sold",
        "claimed" => "submission.claims_changed",
        "rechecked" => "submission.rechecked",
        "reviewed" => "submission.reviewed",
        "same" | "distinct" => "submission.judged",
        _ => "",
    }
}

/// Maximum number of streams of one key at a time.
const STREAMS_MAX: usize = 8;

/// Number of rows that are read at a time.
const ROWS_MAX: u64 = 200;

/// Time between two comments while nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Time between two looks, which also notice changes by other services and revoked keys.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Events within this time are looked up together.
const GATHER: Duration = Duration::from_millis(50);
