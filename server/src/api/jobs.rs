//! Long-running work.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::is_id;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::database::moment;
use crate::problem::Problem;
use crate::store::jobs;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits.
    Queued,
    /// Somebody works on it.
    Running,
    /// It is done.
    Done,
    /// It cannot be done; the message says why.
    Failed,
    /// It failed again and again, and is not tried any more.
    Quarantined,
}

/// A job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// `check`, `recheck`, `add_source`, `remove_source`, `snapshot`, `certify` or `confirm`.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// What it said last.
    pub message: Option<String>,
    /// What came of it, by its kind.
    pub result: Option<serde_json::Value>,
    /// When it was made, in RFC 3339.
    pub made_at: String,
}

impl From<jobs::Job> for Job {
    fn from(of: jobs::Job) -> Job {
        let state = match &*of.state {
            "queued" => JobState::Queued,
            "running" => JobState::Running,
            "done" => JobState::Done,
            "failed" => JobState::Failed,
            _ => JobState::Quarantined,
        };
        Job {
            id: of.id,
            kind: of.kind.name().to_owned(),
            state,
            message: of.message,
            result: result(&of.body),
            made_at: moment(of.made_ms),
        }
    }
}

/// The result that a job has recorded.
pub(crate) fn result(body: &str) -> Option<serde_json::Value> {
    serde_json::from_str::<serde_json::Value>(body)
        .ok()?
        .get_mut("result")
        .map(serde_json::Value::take)
}

/// The response for a new job.
pub(crate) fn accepted(job: Job) -> Response {
    let location = format!("/v1/jobs/{}", job.id);
    (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(job),
    )
        .into_response()
}

/// Tells where a job of the tenant stands.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job")),
    responses(
        (status = 200, body = Job),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Job>, Problem> {
    // Callers that may create jobs may see them.
    caller
        .needs(Scope::Admin)
        .or_else(|_| caller.needs(Scope::Read))?;
    if !is_id(&id) {
        return Err(Problem::not_found("job"));
    }
    let found = app
        .database
        .read(move |tables| jobs::find(tables, &caller.tenant, &id))
        .await?;
    Ok(Json(found.ok_or_else(|| Problem::not_found("job"))?.into()))
}
