//! The pages and the actions of their forms.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use uniq::evidence_page::Text;
use uniq::ledger::Mode;

use super::decide::{self, Wish};
use super::html::foreign;
use super::log::Verb;
use super::session::{Posted, Reviewer, Visit, lang_name};
use super::view::{self, Shell};
use super::{evidence, weigh};
use crate::api::page::is_id;
use crate::app::{App, blocking};
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::queue::{self as store, Part};
use crate::store::reviews::{self, Opening};
use crate::store::submissions::{self, Listed};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/review", get(queue))
        .route("/review/submissions/{id}", get(submission))
        .route("/review/submissions/{id}/page", get(evidence_page))
        .route("/review/submissions/{id}/decisions", post(decided))
        .route("/review/submissions/{id}/opening", post(opening))
}

#[derive(Debug, Default, Deserialize)]
struct QueueQuery {
    state: Option<String>,
    verdict: Option<String>,
    page: Option<u64>,
}

async fn queue(
    State(app): State<App>,
    reviewer: Reviewer,
    Query(query): Query<QueueQuery>,
) -> Response {
    let known =
        |name: Option<String>, all: &[&str]| name.filter(|name| all.contains(&name.as_str()));
    let stand = known(query.state, &view::STANDS).unwrap_or_else(|| "open".to_owned());
    let verdict = known(query.verdict, &view::VERDICTS).unwrap_or_default();
    let page = query.page.unwrap_or(1).clamp(1, 1_000_000);
    let (asking, tenant, chosen) = (
        app.clone(),
        reviewer.tenant.clone(),
        (stand.clone(), verdict.clone()),
    );
    let found = app.database.run(move |ledger| {
        let is_weighing = weigh::refresh(&asking, ledger, &tenant)?;
        let stand = if chosen.0 == "all" { "" } else { &chosen.0 };
        let part = Part {
            tenant: &tenant,
            stand,
            verdict: &chosen.1,
        };
        let (count, items) = ledger.transaction(Mode::Read, |tables| {
            let count = store::count(tables, part)?;
            Ok((
                count,
                store::page(tables, part, (page - 1) * PAGE, PAGE, now_ms())?,
            ))
        })?;
        Ok((is_weighing, count, items))
    });
    match found.await {
        Ok((is_weighing, count, items)) => {
            let currency = app.card.as_ref().map(|card| card.currency.clone());
            let shown = view::Shown {
                stand: &stand,
                verdict: &verdict,
                page,
                pages: count.div_ceil(PAGE).max(1),
            };
            rendered(
                &reviewer.visit,
                StatusCode::OK,
                &view::queue(
                    &reviewer,
                    &shown,
                    count,
                    &items,
                    currency.as_deref(),
                    is_weighing,
                ),
            )
        }
        Err(problem) => fault(&reviewer.visit, Some(&reviewer), &problem),
    }
}

#[derive(Debug, Default, Deserialize)]
struct DoneQuery {
    done: Option<String>,
}

async fn submission(
    State(app): State<App>,
    reviewer: Reviewer,
    Path(id): Path<String>,
    Query(query): Query<DoneQuery>,
) -> Response {
    let shown = async {
        let listed = found(&app, &reviewer, &id).await?;
        let now = now_ms();
        let by = opening_of(&app, &reviewer, now);
        let (asking, of) = (app.clone(), listed);
        app.database
            .run(move |ledger| {
                let opened = ledger.transaction(Mode::Write, |tables| {
                    reviews::open(tables, &of.id, &by, now, false)?;
                    reviews::opened(tables, &of.id, now)
                })?;
                Ok(view::Subject::read(&asking, ledger, of, opened)?)
            })
            .await
    };
    match shown.await {
        Ok(subject) => {
            let page = view::submission(&app, &reviewer, &subject, query.done.as_deref());
            rendered(&reviewer.visit, StatusCode::OK, &page)
        }
        Err(problem) => fault(&reviewer.visit, Some(&reviewer), &problem),
    }
}

async fn evidence_page(
    State(app): State<App>,
    reviewer: Reviewer,
    Path(id): Path<String>,
) -> Response {
    let page = async {
        let listed = found(&app, &reviewer, &id).await?;
        evidence::page(&app, &listed, reviewer.visit.lang).await
    };
    page.await
        .unwrap_or_else(|problem| fault(&reviewer.visit, Some(&reviewer), &problem))
}

#[derive(Debug, Deserialize)]
struct Decided {
    #[serde(default)]
    decision: String,
    #[serde(default)]
    reason: String,
    source: Option<String>,
    start_ms: Option<String>,
    end_ms: Option<String>,
    other: Option<String>,
    about: Option<String>,
}

async fn decided(
    State(app): State<App>,
    Path(id): Path<String>,
    Posted(reviewer, form): Posted<Decided>,
) -> Response {
    let done = async {
        let listed = found(&app, &reviewer, &id).await?;
        let verb =
            Verb::of(&form.decision).ok_or_else(|| Problem::invalid("decision: choose one"))?;
        let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let other = match form.other.as_deref().filter(|_| verb.is_of_pair()) {
            Some(other) => Some(found(&app, &reviewer, other).await?.number),
            None => None,
        };
        let here = number(&form.start_ms).zip(number(&form.end_ms));
        let wish = Wish {
            verb,
            of_match: form.source.clone().zip(here).filter(|_| verb.is_of_match()),
            other,
            about: form.about.clone().filter(|_| verb.is_of_row()),
            why: form.reason.trim().to_owned(),
        };
        let (deciding, actor, by) = (
            app.clone(),
            reviewer.actor.clone(),
            opening_of(&app, &reviewer, now_ms()),
        );
        blocking(move || {
            let opened = deciding.database.with(|ledger| {
                ledger.transaction(Mode::Write, |tables| {
                    reviews::open(tables, &listed.id, &by, now_ms(), false)?;
                    reviews::opened(tables, &listed.id, now_ms())
                })
            })?;
            if opened.is_some_and(|opened| opened.actor != actor.id) {
                return Err(Problem::conflict(
                    "somebody else has this submission open; take it over before you decide",
                ));
            }
            decide::decide(&deciding, &actor, &listed, &wish)
        })
        .await
    };
    match done.await {
        Ok(row) => Redirect::to(&format!(
            "/review/submissions/{}?done={}",
            row.submission, row.id
        ))
        .into_response(),
        Err(problem) => fault_on(&reviewer.visit, Some(&reviewer), &problem, Some(&id)),
    }
}

#[derive(Debug, Deserialize)]
struct Opened {
    #[serde(default)]
    take: String,
}

/// Opens a submission for the reviewer, or releases it.
async fn opening(
    State(app): State<App>,
    Path(id): Path<String>,
    Posted(reviewer, form): Posted<Opened>,
) -> Response {
    let takes = form.take == "true";
    let done = async {
        let listed = found(&app, &reviewer, &id).await?;
        let now = now_ms();
        let by = opening_of(&app, &reviewer, now);
        app.database
            .write(move |tables| match takes {
                true => reviews::open(tables, &listed.id, &by, now, true),
                false => reviews::close(tables, &listed.id, &by.actor),
            })
            .await
    };
    match done.await {
        Ok(()) if takes => Redirect::to(&format!("/review/submissions/{id}")).into_response(),
        Ok(()) => Redirect::to("/review").into_response(),
        Err(problem) => fault(&reviewer.visit, Some(&reviewer), &problem),
    }
}

fn opening_of(app: &App, reviewer: &Reviewer, now_ms: u64) -> Opening {
    Opening {
        actor: reviewer.actor.id.clone(),
        name: reviewer.actor.name.clone(),
        until_ms: now_ms + app.config.review.open_minutes * 60_000,
    }
}

/// The submission with this id, if it belongs to the reviewer's tenant.
async fn found(app: &App, reviewer: &Reviewer, id: &str) -> Result<Listed, Problem> {
    if !is_id(id) {
        return Err(Problem::not_found("submission"));
    }
    let (tenant, id) = (reviewer.tenant.clone(), id.to_owned());
    let found = app
        .database
        .read(move |tables| submissions::find(tables, &tenant, &id))
        .await?;
    found.ok_or_else(|| Problem::not_found("submission"))
}

/// The log-in page.
pub(super) fn login(visit: &Visit, csrf: &str, has_provider: bool, is_refused: bool) -> Response {
    let words = super::words::of(visit.lang);
    let page = Login {
        shell: Shell::new(visit, None, &Text::ours(words.log_in)),
        csrf,
        has_provider,
        is_refused,
    };
    rendered(
        visit,
        if is_refused {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::OK
        },
        &page,
    )
}

/// A problem as a page.
pub(super) fn fault(visit: &Visit, reviewer: Option<&Reviewer>, problem: &Problem) -> Response {
    fault_on(visit, reviewer, problem, None)
}

fn fault_on(
    visit: &Visit,
    reviewer: Option<&Reviewer>,
    problem: &Problem,
    id: Option<&str>,
) -> Response {
    let words = super::words::of(visit.lang);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let says = match (status, problem.kind.rsplit(':').next()) {
        (_, Some("forged")) => Text::ours(words.fault_forged),
        (StatusCode::NOT_FOUND, _) => Text::ours(words.fault_not_found),
        (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, Some("busy")) => {
            Text::ours(words.fault_busy)
        }
        _ => foreign(&problem.detail),
    };
    let back = id.filter(|id| is_id(id) && status != StatusCode::NOT_FOUND);
    let back = back.map(|id| format!("/review/submissions/{id}"));
    let page = Fault {
        shell: Shell::new(visit, reviewer, &Text::ours(words.fault_title)),
        says,
        back,
    };
    rendered(visit, status, &page)
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    shell: Shell,
    csrf: &'a str,
    has_provider: bool,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "fault.html")]
struct Fault {
    shell: Shell,
    says: Text,
    back: Option<String>,
}

fn rendered(visit: &Visit, status: StatusCode, page: &impl Template) -> Response {
    let Ok(html) = page.render() else {
        return Problem::internal().into_response();
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(lang_name(visit.lang)),
    );
    if visit.is_chosen {
        headers.append(
            header::SET_COOKIE,
            visit.set_cookie("lang", visit.lang_name(), LANG_S),
        );
    }
    response
}

/// Number of submissions on a page of the queue.
const PAGE: u64 = 25;

/// How long the language is kept, in seconds: a year.
const LANG_S: u64 = 365 * 86_400;
