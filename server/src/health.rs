//! Liveness and readiness of the service, and its metrics for Prometheus.
//!
//! Metrics contain no ids, file names or names of people.

use std::sync::OnceLock;
use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::store::{health, jobs};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(figures))
}

/// Tells that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()),
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the service can do its work.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it can.
    pub ready: bool,
    /// What is amiss, if anything is: `database`, `index`, `ray`, `disk` or `stopping`.
    pub lacking: Vec<String>,
}

/// Tells whether the service can take and check submissions now.
#[utoipa::path(get, path = "/readyz", tag = "service", security(()),
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "Something is wrong", body = Readiness),
    ))]
async fn readyz(State(app): State<App>) -> Response {
    let mut lacking = Vec::new();
    if app.stopping.load(std::sync::atomic::Ordering::Relaxed) {
        lacking.push("stopping".to_owned());
    }
    if app
        .database
        .read(|tables| tables.query("SELECT 1", &[]).map(drop))
        .await
        .is_err()
    {
        lacking.push("database".to_owned());
    }
    let opening = app.clone();
    let index = tokio::task::spawn_blocking(move || opening.corpus.is_there()).await;
    if !matches!(index, Ok(true)) {
        lacking.push("index".to_owned());
    }
    if app.ray.as_deref().is_some_and(|ray| !ray.is_up()) {
        lacking.push("ray".to_owned());
    }
    if free_bytes(&app).is_none_or(|free| free < app.config.uploads.min_free_bytes) {
        lacking.push("disk".to_owned());
    }
    let status = if lacking.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready: lacking.is_empty(),
            lacking,
        }),
    )
        .into_response()
}

/// Gives figures for Prometheus.
///
/// Where the service listens on a loopback address and has no public one, everybody on the host may
/// ask; elsewhere it takes the key of an administrator of the operator.
#[utoipa::path(get, path = "/metrics", tag = "service", security((), ("key" = [])),
    responses(
        (status = 200, description = "The figures", body = String, content_type = "text/plain"),
        crate::api::Refusals,
    ))]
async fn figures(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
) -> Result<String, Problem> {
    let is_private = app.config.listen.ip().is_loopback() && app.config.public_url.is_none();
    if !is_private {
        caller?.needs_operator(&app)?;
    }
    let (open, states) = app
        .database
        .read(|tables| Ok((jobs::open_by_kind(tables)?, health::states(tables)?)))
        .await?;
    for (kind, number) in open {
        gauge!("uniq_jobs_open", "kind" => kind).set(number as f64);
    }
    for (state, number) in states {
        gauge!("uniq_submissions", "state" => state).set(number as f64);
    }
    if let Some(free) = free_bytes(&app) {
        gauge!("uniq_disk_free_bytes").set(free as f64);
    }
    let opening = app.clone();
    if let Ok(Ok(index)) = tokio::task::spawn_blocking(move || opening.corpus.current()).await {
        gauge!("uniq_index_videos").set(index.state().videos as f64);
        gauge!("uniq_index_hours").set(index.state().hours);
        gauge!("uniq_index_generation").set(index.state().generation as f64);
    }
    if let Some(bytes) = resident_bytes() {
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    Ok(recorder().render())
}

/// Counts and times each request by its route.
pub async fn measured(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().as_str().to_owned();
    // Uses the route, since addresses with ids would be unlimited in number.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    counter!("uniq_http_requests_total", "method" => method, "route" => route.clone(), "status" => status).increment(1);
    histogram!("uniq_http_request_seconds", "route" => route).record(begun.elapsed().as_secs_f64());
    response
}

/// Counts and times an answer.
pub fn answered(verdict: &str, seconds: f64) {
    counter!("uniq_answers_total", "verdict" => verdict.to_owned()).increment(1);
    histogram!("uniq_check_seconds").record(seconds);
}

/// Creates the recorder of this process.
pub fn prepare() {
    recorder();
}

fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let buckets = PrometheusBuilder::new()
            .set_buckets(&BUCKETS_S)
            .unwrap_or_default();
        let recorder = buckets.build_recorder();
        let handle = recorder.handle();
        // If this process already has a recorder, that one keeps the metrics.
        let _ = metrics::set_global_recorder(recorder);
        describe_counter!(
            "uniq_http_requests_total",
            "HTTP requests by method, route and status"
        );
        describe_histogram!("uniq_http_request_seconds", "Time to answer a request");
        describe_counter!("uniq_answers_total", "Answers to submissions by verdict");
        describe_histogram!(
            "uniq_check_seconds",
            "Time from the claim of a submission to its answer"
        );
        describe_counter!(
            "uniq_webhook_attempts_total",
            "Messages that were sent, by what came of it"
        );
        describe_gauge!("uniq_jobs_open", "Jobs that wait or are done, by kind");
        describe_gauge!("uniq_submissions", "Submissions by the state in the ledger");
        describe_gauge!("uniq_disk_free_bytes", "Free space of the data folder");
        describe_gauge!("uniq_index_videos", "Public videos that are searched");
        describe_gauge!("uniq_index_hours", "Their length");
        describe_gauge!("uniq_index_generation", "Generation of the index");
        describe_gauge!("process_resident_memory_bytes", "Resident memory");
        handle
    })
}

/// Free space of the data folder.
pub fn free_bytes(app: &App) -> Option<u64> {
    let stat = rustix::fs::statvfs(&app.config.data).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Resident memory of this process.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Upper bounds of the time buckets, in seconds.
const BUCKETS_S: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0,
];
