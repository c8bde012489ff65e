//! The state of the corpus.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Query;
use super::jobs::{Job, result};
use super::page::{Page, PageQuery};
use super::sources::made;
use crate::app::{App, blocking};
use crate::auth::{Caller, Scope};
use crate::database::moment;
use crate::problem::Problem;
use crate::store::jobs::{self, Kind};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(state))
        .routes(routes!(accept))
        .routes(routes!(snapshot, snapshots))
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
        super::Refusals,
    ))]
async fn state(State(app): State<App>, caller: Caller) -> Result<Json<IndexState>, Problem> {
    caller.needs(Scope::Read)?;
    blocking(move || Ok(Json(app.corpus.current()?.state().into()))).await
}

/// Takes the index that is there now, though it does not follow the one that was there: an older
/// state or another index that was put in its place on purpose. For administrators of the operator.
///
/// Until then the service gives no answers by it.
#[utoipa::path(post, path = "/v1/index/accept", tag = "sources",
    responses(
        (status = 200, body = IndexState),
        super::Refusals,
    ))]
async fn accept(State(app): State<App>, caller: Caller) -> Result<Json<IndexState>, Problem> {
    caller.needs_operator(&app)?;
    blocking(move || Ok(Json(app.corpus.accept()?.state().into()))).await
}

/// A snapshot of the index.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// The id of the job that made it.
    pub id: String,
    /// The generation of the index, which is the name of its folder below `snapshots` too.
    pub generation: u64,
    /// The root of the index.
    pub root: String,
    /// When it was asked for, in RFC 3339.
    pub made_at: String,
    /// Whether its folder is still there.
    pub is_kept: bool,
}

/// Makes a snapshot of the index, which lasts whatever becomes of it: certificates can be held
/// against it later. For administrators of the operator.
#[utoipa::path(post, path = "/v1/index/snapshots", tag = "sources",
    responses(
        (status = 202, description = "A job makes it; the header `Location` names the job", body = Job),
        super::Refusals,
    ))]
async fn snapshot(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.needs_operator(&app)?;
    made(
        &app,
        caller,
        Kind::Snapshot,
        "index".to_owned(),
        "{}".to_owned(),
    )
    .await
}

/// Lists the snapshots that were made, in the order in which they were asked for. For
/// administrators of the operator.
#[utoipa::path(get, path = "/v1/index/snapshots", tag = "sources", params(PageQuery),
    responses(
        (status = 200, body = Page<Snapshot>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn snapshots(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Snapshot>>, Problem> {
    caller.needs_operator(&app)?;
    let (after, limit) = query.checked()?;
    let folder = app.config.snapshots();
    let found = app.database.read(move |tables| {
        jobs::done_of_kind(tables, &caller.tenant, Kind::Snapshot, &after, limit + 1)
    });
    let page = Page::of(
        found.await?,
        limit,
        |of| of.id.clone(),
        |of| {
            let result = result(&of.body).unwrap_or_default();
            let generation = result["generation"].as_u64().unwrap_or_default();
            Snapshot {
                is_kept: uniq::index::Index::exists(&folder.join(generation.to_string())),
                id: of.id,
                generation,
                root: result["root"].as_str().unwrap_or_default().to_owned(),
                made_at: moment(of.made_ms),
            }
        },
    );
    Ok(Json(page))
}

impl From<&uniq::index::IndexState> for IndexState {
    fn from(of: &uniq::index::IndexState) -> IndexState {
        IndexState {
            root: of.root.clone(),
            generation: of.generation,
            videos: of.videos,
            hours: of.hours,
            keys: of.keys,
        }
    }
}
