//! Submissions: what creators offer.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uniq::ledger::{Kind, Mode};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Query;
use super::jobs::Job;
use super::page::{Page, PageQuery, is_id};
use crate::accept::{self, Submitted};
use crate::answer;
use crate::app::{App, blocking};
use crate::auth::{Caller, Scope};
use crate::database::{moment, now_ms};
use crate::problem::{Problem, without_path};
use crate::store::jobs;
use crate::store::submissions::{self, Listed};
use crate::uploads::receive;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(show, withdraw))
        .routes(routes!(report))
        .routes(routes!(certificate))
        .routes(routes!(confirm))
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
        Submission {
            id: of.id,
            number: of.number,
            creator: of.creator,
            reference: of.reference,
            kind: of.kind,
            state,
            // The error names the file, which clients only know by the id.
            reason: of.reason.map(|reason| without_path(&reason).to_owned()),
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
/// are one submission: the answer to the second is the first. Large files are better sent by tus,
/// see `/v1/uploads`.
#[utoipa::path(post, path = "/v1/submissions", tag = "submissions", params(SubmitQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 202, description = "Received; the header `Location` names the submission", body = Submission),
        (status = 200, description = "These bytes were received before", body = Submission),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body stalled", body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is a form", body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
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
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if kind.starts_with("multipart/") {
        let detail = "the body is a form; send the bytes of the file as the body: curl -T FILE";
        let title = "The body is a form";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "form",
            title,
            detail,
        ));
    }
    accept::check_names(&query.creator, query.reference.as_deref())?;
    let (file, ticket) = receive::whole(&app, &caller.tenant, &headers, body).await?;
    let submitted = Submitted {
        id: crate::store::new_id(),
        tenant: caller.tenant.clone(),
        creator: query.creator,
        reference: query.reference,
        kind: query.kind.unwrap_or_default().into(),
    };
    let accepting = app.clone();
    let accepted = app.uploads.blocking(move || {
        let accepted = accept::accept(&accepting, &submitted, &file);
        drop(ticket);
        accepted
    });
    let accepted = accepted.await?;
    let (tenant, id) = (caller.tenant, accepted.id.clone());
    let listed = app
        .database
        .read(move |tables| submissions::find(tables, &tenant, &id))
        .await?;
    let submission: Submission = listed.ok_or_else(Problem::internal)?.into();
    let status = if accepted.is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let location = format!("/v1/submissions/{}", submission.id);
    Ok((status, [(header::LOCATION, location)], Json(submission)).into_response())
}

/// Sends the clip whose fingerprint was submitted; what was provisional becomes payable, as far as
/// both the fingerprint and the clip allow.
#[utoipa::path(post, path = "/v1/submissions/{id}/clip", tag = "submissions",
    params(("id" = String, Path, description = "The submission")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The clip"),
    responses(
        (status = 202, description = "A job compares the two; the header `Location` names it", body = Job),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body stalled", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It does not wait for a clip", body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, body = Problem, content_type = "application/problem+json"),
    ))]
async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    let listed = found(&app, &caller, &id).await?;
    if !listed.provisional || listed.standing != "decided" {
        return Err(Problem::conflict(
            "this submission does not wait for a clip; POST /v1/submissions takes a new one",
        ));
    }
    let (file, ticket) = receive::whole(&app, &caller.tenant, &headers, body).await?;
    let working = app.clone();
    let job = blocking(move || {
        let failed = |source| uniq::Error::Io {
            path: "a clip".into(),
            doing: "keep",
            source,
        };
        let target = working.confirming(&listed.id);
        std::fs::File::open(&file)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        let job = working.database.with(|ledger| {
            ledger.transaction(Mode::Write, |tables| {
                if jobs::is_open(tables, jobs::Kind::Confirm, &listed.id)? {
                    let reason =
                        "a clip of this submission is already being compared; wait for that answer"
                            .to_owned();
                    return Err(uniq::Error::LedgerRefused { reason });
                }
                std::fs::rename(&file, &target).map_err(failed)?;
                std::fs::File::open(working.config.clips())
                    .and_then(|folder| folder.sync_all())
                    .map_err(failed)?;
                let kind = jobs::Kind::Confirm;
                let id = jobs::add(
                    tables,
                    kind,
                    &caller.tenant,
                    &listed.id,
                    "{}",
                    listed.number,
                    now_ms(),
                )?;
                jobs::find(tables, &caller.tenant, &id)
            })
        })?;
        drop(ticket);
        job.ok_or_else(Problem::internal)
    })
    .await?;
    let job = Job::from(job);
    let location = format!("/v1/jobs/{}", job.id);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(job),
    )
        .into_response())
}

/// Lists the submissions of the tenant, in the order in which they came.
#[utoipa::path(get, path = "/v1/submissions", tag = "submissions", params(PageQuery),
    responses(
        (status = 200, body = Page<Submission>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Submission>>, Problem> {
    caller.needs(Scope::Read)?;
    let (after, limit) = query.checked()?;
    let found = app
        .database
        .read(move |tables| submissions::of_tenant(tables, &caller.tenant, &after, limit + 1));
    Ok(Json(Page::of(
        found.await?,
        limit,
        |of| of.id.clone(),
        Submission::from,
    )))
}

/// Tells where a submission stands.
#[utoipa::path(get, path = "/v1/submissions/{id}", tag = "submissions",
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 200, body = Submission),
        (status = 304, description = "Unchanged since the `ETag` in `If-None-Match`"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
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
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Some of it is sold, or it is not valid any more", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<WithdrawQuery>,
) -> Result<Json<Submission>, Problem> {
    caller.needs(Scope::Submit)?;
    let listed = found(&app, &caller, &id).await?;
    let (database, forgetting) = (app.database.clone(), app.clone());
    let why = query
        .reason
        .unwrap_or_else(|| "taken back by its creator".to_owned());
    let by = caller.name.clone();
    app.database
        .run(move |ledger| {
            uniq::ledger::withdraw(
                ledger,
                &database.books(),
                listed.number,
                Some(&by),
                Some(&why),
            )?;
            crate::review::evidence::forget(&forgetting, &listed.id);
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
        (status = 304, description = "Unchanged since the `ETag` in `If-None-Match`"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no answer yet, or no longer one", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
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
    let report = app.database.run(move |ledger| {
        Ok(answer::report(
            &asking,
            ledger,
            &caller.tenant,
            &listed.id,
            listed.number,
        )?)
    });
    let mut report = report
        .await?
        .ok_or_else(|| Problem::conflict("the submission has no answer; see its state"))?;
    // Only the operator may see where sources are.
    let sources = report
        .matches
        .iter_mut()
        .map(|found| &mut found.alignment.source);
    for source in sources.chain(
        report
            .nearest_non_match
            .as_mut()
            .map(|found| &mut found.source),
    ) {
        source.path = source
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
    }
    Ok(tagged(&headers, &report))
}

/// The newest certificate of a submission: a signed in-toto statement in a DSSE envelope.
#[utoipa::path(get, path = "/v1/submissions/{id}/certificate", tag = "submissions",
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 200, description = "The certificate", content_type = "application/json", body = Object),
        (status = 404, description = "There is no such submission, or no certificate of it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The submission was taken back, so its certificates are no longer valid", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn certificate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Read)?;
    let listed = found(&app, &caller, &id).await?;
    if listed.standing == "withdrawn" {
        return Err(Problem::conflict(
            "the submission was taken back, so its certificates are no longer valid",
        ));
    }
    let newest = app
        .database
        .read(move |tables| submissions::certificate(tables, &listed.id))
        .await?;
    let (_, sha256) = newest.ok_or_else(|| Problem::not_found("certificate"))?;
    let file = app.config.certificates().join(format!("{sha256}.json"));
    let bytes = tokio::fs::read(&file).await.map_err(|error| {
        tracing::error!(%error, sha256, "a certificate cannot be read");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// The submission with this id, if it belongs to the caller's tenant.
pub(crate) async fn found(app: &App, caller: &Caller, id: &str) -> Result<Listed, Problem> {
    if !is_id(id) {
        return Err(Problem::not_found("submission"));
    }
    let (tenant, id) = (caller.tenant.clone(), id.to_owned());
    let found = app
        .database
        .read(move |tables| submissions::find(tables, &tenant, &id))
        .await?;
    found.ok_or_else(|| Problem::not_found("submission"))
}

/// A response with its `ETag`, or 304 if the client already has it.
fn tagged(headers: &HeaderMap, value: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_vec(value) else {
        return Problem::internal().into_response();
    };
    let tag = format!(
        "\"{}\"",
        &crate::auth::hex(&<sha2::Sha256 as sha2::Digest>::digest(&body))[..32]
    );
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| {
            known
                .split(',')
                .map(|one| one.trim().trim_start_matches("W/"))
                .any(|one| one == tag || one == "*")
        });
    let Ok(tag) = HeaderValue::from_str(&tag) else {
        return Problem::internal().into_response();
    };
    if is_known {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let json = HeaderValue::from_static("application/json");
    ([(header::ETAG, tag), (header::CONTENT_TYPE, json)], body).into_response()
}
