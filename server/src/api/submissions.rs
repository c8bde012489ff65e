//! Submissions: what creators offer.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use uniq::ledger::Kind;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Query;
use super::page::{Page, PageQuery, is_id};
use crate::accept::{self, Submitted};
use crate::answer;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::database::moment;
use crate::problem::Problem;
use crate::store::submissions::{self, Listed};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(show, withdraw))
        .routes(routes!(report))
        .routes(routes!(certificate))
}

/// Where a submission stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionState {
    /// It waits for a worker.
    Queued,
    /// It is being checked.
    Checking,
    /// It has its answer.
    Checked,
    /// The file cannot be checked; the reason says why.
    Failed,
    /// Checking it failed again and again.
    Quarantined,
    /// Its file was lost before it was checked.
    Lapsed,
    /// It was taken back.
    Withdrawn,
}

/// A submission.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Submission {
    /// Its id.
    pub id: String,
    /// Its number in the ledger: who has the smaller one was first.
    pub number: u64,
    /// Who submitted it.
    pub creator: String,
    /// What the creator calls it.
    pub reference: Option<String>,
    /// `clip` or `fingerprint`.
    pub kind: String,
    /// Where it stands.
    pub state: SubmissionState,
    /// Why it has no answer, or was withdrawn.
    pub reason: Option<String>,
    /// When it got its number, in RFC 3339.
    pub received_at: String,
    /// SHA-256 of the clip.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Length of the clip in seconds.
    pub duration_s: Option<f64>,
    /// `unpublished`, `partly_published`, `published` or `inconclusive`.
    pub verdict: Option<String>,
    /// Payable seconds after all deductions.
    pub payable_s: Option<f64>,
    /// Whether they stay provisional until the clip itself comes.
    pub provisional: bool,
    /// The part of the payable seconds that was sold.
    pub sold_s: f64,
    /// Whether there is a certificate.
    pub certified: bool,
}

impl From<Listed> for Submission {
    fn from(of: Listed) -> Submission {
        let is_checked = of.standing == "decided";
        let awaits_certificate = is_checked && of.job.as_deref() == Some("running");
        let state = match (of.standing.as_str(), of.job.as_deref()) {
            ("decided", _) if awaits_certificate => SubmissionState::Checking,
            ("decided", _) => SubmissionState::Checked,
            ("failed", Some("quarantined")) => SubmissionState::Quarantined,
            ("failed", _) => SubmissionState::Failed,
            ("lapsed", _) => SubmissionState::Lapsed,
            ("withdrawn", _) => SubmissionState::Withdrawn,
            (_, Some("running")) => SubmissionState::Checking,
            _ => SubmissionState::Queued,
        };
        // What failed says which file; clients know that by its id.
        let bare = |text: String| match text.split_once(": ") {
            Some((before, rest)) if before.contains('/') => rest.to_owned(),
            _ => text,
        };
        Submission {
            id: of.id,
            number: of.number,
            creator: of.creator,
            reference: of.reference,
            kind: of.kind,
            state,
            reason: of.reason.map(bare),
            received_at: moment(of.received_ms),
            sha256: of.sha256,
            bytes: of.bytes,
            duration_s: is_checked.then_some(of.duration_ms as f64 / 1e3),
            verdict: of.verdict,
            payable_s: is_checked.then_some((of.offered_ms + of.sold_ms) as f64 / 1e3),
            provisional: of.provisional,
            sold_s: of.sold_ms as f64 / 1e3,
            certified: of.certificates > 0,
        }
    }
}

/// What is said of a clip that is submitted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SubmitQuery {
    /// Who submits it.
    #[param(min_length = 1, max_length = 400)]
    pub creator: String,
    /// What the creator calls it.
    #[param(min_length = 1, max_length = 400)]
    pub reference: Option<String>,
    /// Whether the body is the clip or its fingerprint (`.uniq`): `clip` unless told otherwise.
    pub kind: Option<KindName>,
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KindName {
    /// The clip itself.
    #[default]
    Clip,
    /// The fingerprint of a clip.
    Fingerprint,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Kind {
        match name {
            KindName::Clip => Kind::Clip,
            KindName::Fingerprint => Kind::Fingerprint,
        }
    }
}

/// Submits a clip, or its fingerprint, whose bytes are the body.
///
/// The answer comes once the clip has its number and is on disk. The same bytes of the same creator
/// are one submission: the answer to the second is the first. Large files are better sent by tus, see
/// `/v1/uploads`.
#[utoipa::path(post, path = "/v1/submissions", tag = "submissions", params(SubmitQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 202, description = "Received; the header `Location` names the submission", body = Submission),
        (status = 200, description = "These bytes were received before", body = Submission),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
        (status = 507, body = Problem, content_type = "application/problem+json"),
    ))]
async fn submit(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SubmitQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    accept::check_names(&query.creator, query.reference.as_deref())?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let file = received(&app, length, body).await?;
    let submitted = Submitted {
        id: crate::store::new_id(),
        tenant: caller.tenant.clone(),
        creator: query.creator,
        reference: query.reference,
        kind: query.kind.unwrap_or_default().into(),
    };
    let accepting = app.clone();
    let accepted = tokio::task::spawn_blocking(move || accept::accept(&accepting, &submitted, &file)).await;
    let accepted = accepted.unwrap_or_else(|_| Err(Problem::internal()))?;
    let (tenant, id) = (caller.tenant, accepted.id.clone());
    let listed = app.database.read(move |tables| submissions::find(tables, &tenant, &id)).await?;
    let submission: Submission = listed.ok_or_else(Problem::internal)?.into();
    let status = if accepted.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    let location = format!("/v1/submissions/{}", submission.id);
    Ok((status, [(header::LOCATION, location)], Json(submission)).into_response())
}

/// Writes a body to a file of its own, which is removed when dropped.
async fn received(app: &App, length: Option<u64>, body: Body) -> Result<tempfile::TempPath, Problem> {
    let most = app.config.uploads.max_bytes;
    let too_large = || {
        let detail = format!("the file is longer than {most} bytes, which is the most");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The file is too long", detail)
    };
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let failed =
        |source: std::io::Error| Problem::from(uniq::Error::Io { path: "an upload".into(), doing: "write", source });
    let made = tempfile::NamedTempFile::new_in(app.config.data.join("uploads")).map_err(failed)?;
    let (file, path) = made.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut stream = body.into_data_stream();
    let idle = std::time::Duration::from_secs(app.config.limits.idle_seconds);
    let mut bytes = 0;
    loop {
        let Ok(next) = tokio::time::timeout(idle, stream.next()).await else {
            let detail = "no byte came for too long; send the file again";
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The upload stood still", detail));
        };
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|_| Problem::invalid("the body ended early; send the file again"))?;
        bytes += chunk.len() as u64;
        if bytes > most {
            return Err(too_large());
        }
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(path)
}

/// Lists the submissions of the tenant, in the order in which they came.
#[utoipa::path(get, path = "/v1/submissions", tag = "submissions", params(PageQuery),
    responses(
        (status = 200, body = Page<Submission>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Submission>>, Problem> {
    caller.needs(Scope::Read)?;
    let (after, limit) = query.checked()?;
    let found = app.database.read(move |tables| submissions::of_tenant(tables, &caller.tenant, &after, limit + 1));
    Ok(Json(Page::of(found.await?, limit, |of| of.id.clone(), Submission::from)))
}

/// Tells where a submission stands.
#[utoipa::path(get, path = "/v1/submissions/{id}", tag = "submissions",
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 200, body = Submission),
        (status = 304, description = "It is as the `ETag` in `If-None-Match` says"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.needs(Scope::Read)?;
    let submission: Submission = found(&app, &caller, &id).await?.into();
    Ok(tagged(&headers, &submission))
}

/// Takes a submission back: its claims end, and its clip, keys and pages are removed.
#[utoipa::path(delete, path = "/v1/submissions/{id}", tag = "submissions",
    params(("id" = String, Path, description = "The submission"), WithdrawQuery),
    responses(
        (status = 200, body = Submission),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Some of it is sold, or it does not stand", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<WithdrawQuery>,
) -> Result<Json<Submission>, Problem> {
    caller.needs(Scope::Submit)?;
    let listed = found(&app, &caller, &id).await?;
    let (database, clip) = (app.database.clone(), app.clip(&listed.id));
    let why = query.reason.unwrap_or_else(|| "taken back by its creator".to_owned());
    let by = caller.name.clone();
    app.database
        .run(move |ledger| {
            uniq::ledger::withdraw(ledger, &database.books(), listed.number, Some(&by), Some(&why))?;
            match std::fs::remove_file(&clip) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(%error, "the clip of a withdrawn submission cannot be removed");
                }
                _ => {}
            }
            Ok(())
        })
        .await?;
    let _ = app.changed.send(());
    Ok(Json(found(&app, &caller, &id).await?.into()))
}

/// Why a submission is taken back.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WithdrawQuery {
    /// The reason, for the ledger.
    #[param(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

/// The report on a submission: verdict, spans, matches, and what the ledger deducts.
///
/// Its format is that of `uniq check --json`.
#[utoipa::path(get, path = "/v1/submissions/{id}/report", tag = "submissions",
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 200, description = "The report", content_type = "application/json", body = Object),
        (status = 304, description = "It is as the `ETag` in `If-None-Match` says"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no answer yet, or none any more", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.needs(Scope::Read)?;
    let listed = found(&app, &caller, &id).await?;
    let asking = app.clone();
    let report =
        app.database.run(move |ledger| Ok(answer::report(&asking, ledger, &caller.tenant, &listed.id, listed.number)?));
    let report = report.await?.ok_or_else(|| Problem::conflict("there is no answer; see the submission's state"))?;
    Ok(tagged(&headers, &report))
}

/// The newest certificate of a submission: a signed in-toto statement in a DSSE envelope.
#[utoipa::path(get, path = "/v1/submissions/{id}/certificate", tag = "submissions",
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 200, description = "The certificate", content_type = "application/json", body = Object),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such submission, or no certificate of it", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn certificate(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    caller.needs(Scope::Read)?;
    let listed = found(&app, &caller, &id).await?;
    let newest = app.database.read(move |tables| submissions::certificate(tables, &listed.id)).await?;
    let (_, sha256) = newest.ok_or_else(|| Problem::not_found("certificate"))?;
    let file = app.config.certificates().join(format!("{sha256}.json"));
    let bytes = tokio::fs::read(&file).await.map_err(|error| {
        tracing::error!(%error, sha256, "a certificate cannot be read");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// The submission of an id, if it is of the caller's tenant.
pub(crate) async fn found(app: &App, caller: &Caller, id: &str) -> Result<Listed, Problem> {
    if !is_id(id) {
        return Err(Problem::not_found("submission"));
    }
    let (tenant, id) = (caller.tenant.clone(), id.to_owned());
    let found = app.database.read(move |tables| submissions::find(tables, &tenant, &id)).await?;
    found.ok_or_else(|| Problem::not_found("submission"))
}

/// An answer with its `ETag`, or that it is as the client has it.
fn tagged(headers: &HeaderMap, value: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_vec(value) else { return Problem::internal().into_response() };
    let tag = format!("\"{}\"", &crate::auth::hex(&<sha2::Sha256 as sha2::Digest>::digest(&body))[..32]);
    let is_known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| {
        known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
    });
    let Ok(tag) = HeaderValue::from_str(&tag) else { return Problem::internal().into_response() };
    if is_known {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let json = HeaderValue::from_static("application/json");
    ([(header::ETAG, tag), (header::CONTENT_TYPE, json)], body).into_response()
}
