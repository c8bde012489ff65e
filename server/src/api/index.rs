//! The state of the corpus.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::Problem;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(state))
}

/// The state of the corpus that is searched.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndexState {
    /// Its root, by which it can be named later.
    pub root: String,
    /// It grows with each commit.
    pub generation: u64,
    /// Public videos.
    pub videos: u64,
    /// Their length together in hours.
    pub hours: f64,
    /// Their keys.
    pub keys: u64,
}

/// Tells the state of the corpus.
#[utoipa::path(get, path = "/v1/index", tag = "sources",
    responses(
        (status = 200, body = IndexState),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
async fn state(State(app): State<App>, caller: Caller) -> Result<Json<IndexState>, Problem> {
    caller.needs(Scope::Read)?;
    let opening = app.clone();
    let index = tokio::task::spawn_blocking(move || opening.corpus.current()).await;
    let index = index.unwrap_or(Err(uniq::Error::Cancelled))?;
    let state = index.state();
    Ok(Json(IndexState {
        root: state.root.clone(),
        generation: state.generation,
        videos: state.videos,
        hours: state.hours,
        keys: state.keys,
    }))
}
