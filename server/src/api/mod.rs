//! The HTTP interface, `/v1`, and its description in OpenAPI.

pub mod body;
pub mod decisions;
pub mod docs;
pub mod index;
pub mod jobs;
pub mod keys;
pub mod page;
pub mod sources;
pub mod stream;
pub mod submissions;
pub mod uploads;
pub mod webhooks;

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Problem;

/// The routes with their documentation.
pub fn router() -> OpenApiRouter<App> {
    let mut router = OpenApiRouter::with_openapi(Description::openapi())
        .merge(submissions::router())
        .merge(uploads::router())
        .merge(decisions::router())
        .merge(keys::router())
        .merge(index::router())
        .merge(crate::health::router())
        .merge(sources::router())
        .merge(jobs::router())
        .merge(webhooks::router())
        .merge(stream::router())
        .routes(routes!(openapi));
    crate::idempotency::describe(router.get_openapi_mut());
    name_answers(router.get_openapi_mut());
    router
}

/// The OpenAPI document, as it is committed.
///
/// # Errors
/// If it cannot be serialised.
pub fn document() -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(router().get_openapi())?;
    text.push('\n');
    Ok(text)
}

/// Describes this interface in OpenAPI.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "service", security(()),
    responses((status = 200, description = "The description", content_type = "application/json")))]
async fn openapi() -> impl IntoResponse {
    Json(router().get_openapi().clone())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "uniq",
        description = "Takes video clips, finds which of their seconds were never published and that nobody offered before, and certifies this.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    modifiers(&Keys),
    security(("key" = [])),
    components(schemas(Problem, submissions::KindName, decisions::LangName)),
    tags(
        (name = "submissions", description = "Clips that creators offer"),
        (name = "uploads", description = "Uploads that can be resumed: tus 1.0.0"),
        (name = "review", description = "What people decide, and the pages by which they do"),
        (name = "sources", description = "The corpus of public video"),
        (name = "keys", description = "API keys"),
        (name = "webhooks", description = "Where events are sent to"),
        (name = "events", description = "What happens, as it happens"),
        (name = "jobs", description = "Work that takes long"),
        (name = "service", description = "The service itself"),
    ),
)]
struct Description;

struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(
            "key",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    }
}

/// Errors of every operation that needs a key.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = || {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            Response::builder()
                .content("application/problem+json", problem)
                .build()
                .into()
        };
        [401, 403, 429, 503]
            .map(|status: u16| (status.to_string(), refusal()))
            .into()
    }
}

/// Describes each response that has no description by the meaning of its status, since OpenAPI
/// requires one.
fn name_answers(document: &mut utoipa::openapi::OpenApi) {
    let operations = document.paths.paths.values_mut().flat_map(|item| {
        let methods = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.head,
            &mut item.patch,
        ];
        methods.into_iter().flatten()
    });
    for (status, answer) in operations.flat_map(|operation| &mut operation.responses.responses) {
        if let RefOr::T(answer) = answer
            && answer.description.is_empty()
        {
            meaning(status).clone_into(&mut answer.description);
        }
    }
}

/// The meaning of a status here.
fn meaning(status: &str) -> &'static str {
    match status {
        "400" => "The request is not valid",
        "401" => "A valid API key is needed",
        "403" => "The key does not allow this",
        "404" => "There is no such thing",
        "409" => "The state of the thing does not allow it",
        "413" => "The body is too long",
        "422" => "The content is not valid",
        "429" => "This key makes too many requests",
        // Defined by tus.
        "460" => "The checksum does not match",
        "503" => "The service cannot do this now",
        "507" => "There is no room",
        _ => status
            .parse()
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok()?.canonical_reason())
            .unwrap_or(""),
    }
}
