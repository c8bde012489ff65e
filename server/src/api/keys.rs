//! API keys.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Query;
use super::page::{Page, PageQuery, is_id};
use crate::app::App;
use crate::auth::{self, Caller, Scope};
use crate::database::{moment, now_ms};
use crate::problem::Problem;
use crate::store::keys;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(make, list))
        .routes(routes!(revoke))
}

/// A key that is wanted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it may be used for.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Whose it is; the caller's own tenant unless told otherwise, which only the operator may.
    #[schema(pattern = "^[a-z0-9-]{1,40}$")]
    pub tenant: Option<String>,
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What people call it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made, in RFC 3339.
    pub made_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// A key that was made, with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MadeKey {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// The secret: it is shown this once.
    pub secret: String,
}

impl From<keys::Key> for Key {
    fn from(of: keys::Key) -> Key {
        Key {
            id: of.id,
            tenant: of.tenant,
            name: of.name,
            scopes: of.scopes.split(' ').filter_map(Scope::of).collect(),
            made_at: moment(of.made_ms),
            revoked_at: of.revoked_ms.map(moment),
        }
    }
}

/// Makes a key.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewKey,
    responses(
        (status = 201, description = "The key, with its secret", body = MadeKey),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn make(
    State(app): State<App>,
    caller: Caller,
    super::body::Json(wanted): super::body::Json<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    caller.needs(Scope::Admin)?;
    let tenant = wanted.tenant.unwrap_or_else(|| caller.tenant.clone());
    if tenant != caller.tenant {
        caller.needs_operator(&app)?;
    }
    let (key, secret) = auth::new_key(&tenant, &wanted.name, &wanted.scopes, now_ms())?;
    let kept = key.clone();
    app.database
        .write(move |tables| keys::add(tables, &kept))
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(MadeKey {
            key: key.into(),
            secret,
        }),
    ))
}

/// Lists the keys of the tenant.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(PageQuery),
    responses(
        (status = 200, body = Page<Key>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Key>>, Problem> {
    caller.needs(Scope::Admin)?;
    let (after, limit) = query.checked()?;
    let found = app
        .database
        .read(move |tables| keys::of_tenant(tables, &caller.tenant, &after, limit + 1))
        .await?;
    Ok(Json(Page::of(
        found,
        limit,
        |key| key.id.clone(),
        Key::from,
    )))
}

/// Revokes a key of the tenant, at once; the operator revokes those of any tenant.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::Admin)?;
    if !is_id(&id) {
        return Err(Problem::not_found("key"));
    }
    let of = (caller.tenant != app.config.operator).then_some(caller.tenant);
    let revoked = app
        .database
        .write(move |tables| keys::revoke(tables, of.as_deref(), &id, now_ms()))
        .await?;
    if revoked {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("key"))
    }
}
