//! Webhooks: the endpoints to which events are sent.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, Query};
use super::page::{Page, PageQuery, is_id};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::database::now_ms;
use crate::events;
use crate::problem::Problem;
use crate::store::webhooks;
use crate::webhooks::targets::{NOT_PUBLIC, Target};
use crate::webhooks::{resolved, signature};

mod shapes;

pub use shapes::{
    Delivery, DeliveryState, EventName, NewWebhook, SecretWebhook, Webhook, WebhookChange,
    WebhookState,
};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(make, list))
        .routes(routes!(show, change, remove))
        .routes(routes!(rotate))
        .routes(routes!(test))
        .routes(routes!(deliveries))
        .routes(routes!(again))
}

/// Makes an endpoint, to which events of the tenant's submissions are sent.
///
/// Messages are sent by `POST`, signed as Standard Webhooks 1.0.0 says, again and again for three
/// days until the answer is 2xx. Redirects are not followed; 410 disables the endpoint.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses(
        (status = 201, description = "The endpoint, with its secret", body = SecretWebhook),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The maximum number of endpoints is reached", body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn make(
    State(app): State<App>,
    caller: Caller,
    body::Json(wanted): body::Json<NewWebhook>,
) -> Result<(StatusCode, Json<SecretWebhook>), Problem> {
    caller.needs(Scope::Admin)?;
    check_url(&app, &wanted.url).await?;
    check_name(wanted.name.as_deref())?;
    let webhook = webhooks::Webhook {
        id: crate::store::new_id(),
        tenant: caller.tenant,
        url: wanted.url,
        name: wanted.name,
        events: names(&wanted.events.unwrap_or_else(|| EventName::ALL.to_vec()))?,
        secret: signature::new_secret().ok_or_else(Problem::internal)?,
        old_secret: None,
        old_until_ms: 0,
        state: "enabled".to_owned(),
        reason: None,
        made_ms: now_ms(),
    };
    let (kept, most) = (webhook.clone(), app.config.webhooks.max_endpoints);
    if !app
        .database
        .write(move |tables| webhooks::add(tables, &kept, most))
        .await?
    {
        return Err(Problem::conflict(format!(
            "there are {most} endpoints, the maximum; delete one"
        )));
    }
    let secret = webhook.secret.clone();
    Ok((
        StatusCode::CREATED,
        Json(SecretWebhook {
            webhook: webhook.into(),
            secret,
        }),
    ))
}

/// Lists the endpoints of the tenant.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", params(PageQuery),
    responses(
        (status = 200, body = Page<Webhook>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Webhook>>, Problem> {
    caller.needs(Scope::Admin)?;
    let (after, limit) = query.checked()?;
    let found = app
        .database
        .read(move |tables| webhooks::of_tenant(tables, &caller.tenant, &after, limit + 1))
        .await?;
    Ok(Json(Page::of(
        found,
        limit,
        |of| of.id.clone(),
        Webhook::from,
    )))
}

/// Shows an endpoint, without its secret.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, body = Webhook),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Webhook>, Problem> {
    Ok(Json(found(&app, &caller, &id).await?.into()))
}

/// Changes an endpoint: what is not named stays.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookChange,
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, body = Webhook),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(wanted): body::Json<WebhookChange>,
) -> Result<Json<Webhook>, Problem> {
    found(&app, &caller, &id).await?;
    if let Some(url) = &wanted.url {
        check_url(&app, url).await?;
    }
    check_name(wanted.name.as_deref())?;
    let events = wanted.events.as_deref().map(names).transpose()?;
    altered(&app, caller, id, move |tables, of| {
        of.url = wanted.url.unwrap_or_else(|| of.url.clone());
        of.events = events.unwrap_or_else(|| of.events.clone());
        of.name = wanted.name.or_else(|| of.name.clone());
        match wanted.state {
            Some(WebhookState::Enabled) => {
                "enabled".clone_into(&mut of.state);
                of.reason = None;
            }
            Some(WebhookState::Disabled) if of.state == "enabled" => {
                "disabled".clone_into(&mut of.state);
                of.reason = Some("disabled by its tenant".to_owned());
                webhooks::disable(tables, &of.id, "the endpoint was disabled", now_ms())?;
            }
            Some(WebhookState::Disabled) | None => {}
        }
        Ok(())
    })
    .await
    .map(|of| Json(of.into()))
}

/// Deletes an endpoint; what waits for it is not sent.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let webhook = found(&app, &caller, &id).await?;
    let removed = app
        .database
        .write(move |tables| webhooks::remove(tables, &caller.tenant, &webhook.id))
        .await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("webhook"))
    }
}

/// Gives an endpoint another secret; for a day messages are signed with the one before it too.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 200, description = "The endpoint, with its secret", body = SecretWebhook),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SecretWebhook>, Problem> {
    found(&app, &caller, &id).await?;
    let secret = signature::new_secret().ok_or_else(Problem::internal)?;
    let new = secret.clone();
    let changed = altered(&app, caller, id, move |_, of| {
        of.old_secret = Some(std::mem::replace(&mut of.secret, new));
        of.old_until_ms = now_ms() + OLD_SECRET_MS;
        Ok(())
    });
    Ok(Json(SecretWebhook {
        webhook: changed.await?.into(),
        secret,
    }))
}

/// Sends a message of the type `webhook.test` to an endpoint.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint")),
    responses(
        (status = 202, description = "It is sent; its delivery shows the result", body = Delivery),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is disabled", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn test(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    let webhook = found(&app, &caller, &id).await?;
    let sent = app.database.write(move |tables| {
        let now = now_ms();
        let body = events::message(events::TEST, now, &json!({ "id": webhook.id }));
        match webhooks::send(
            tables,
            &webhook.tenant,
            events::TEST,
            &body,
            Some(&webhook.id),
            now,
        )? {
            Some(delivery) => webhooks::delivery(tables, &webhook.id, &delivery),
            None => Ok(None),
        }
    });
    let delivery = sent
        .await?
        .ok_or_else(|| Problem::conflict("the endpoint is disabled; enable it first"))?;
    let _ = app.changed.send(());
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// Lists the messages to an endpoint, in the order in which they were made; they are kept for 30
/// days.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint"), PageQuery),
    responses(
        (status = 200, body = Page<Delivery>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let webhook = found(&app, &caller, &id).await?;
    let (after, limit) = query.checked()?;
    let listed = app
        .database
        .read(move |tables| webhooks::deliveries(tables, &webhook.id, &after, limit + 1))
        .await?;
    Ok(Json(Page::of(
        listed,
        limit,
        |of| of.id.clone(),
        Delivery::from,
    )))
}

/// Sends a message to an endpoint again, with the id that it had.
#[utoipa::path(post, path = "/v1/webhooks/{id}/deliveries/{delivery}/again", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint"),
        ("delivery" = String, Path, description = "The message to it"),
    ),
    responses(
        (status = 202, description = "It is sent", body = Delivery),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The endpoint is disabled", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn again(
    State(app): State<App>,
    caller: Caller,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    let webhook = found(&app, &caller, &id).await?;
    if !is_id(&delivery) {
        return Err(Problem::not_found("delivery"));
    }
    if webhook.state != "enabled" {
        return Err(Problem::conflict(
            "the endpoint is disabled; enable it first",
        ));
    }
    let sent = app.database.write(move |tables| {
        if webhooks::delivery(tables, &webhook.id, &delivery)?.is_some() {
            webhooks::again(tables, &delivery, now_ms())?;
        }
        webhooks::delivery(tables, &webhook.id, &delivery)
    });
    let delivery = sent.await?.ok_or_else(|| Problem::not_found("delivery"))?;
    let _ = app.changed.send(());
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// The endpoint with this id, if the caller may change it.
async fn found(app: &App, caller: &Caller, id: &str) -> Result<webhooks::Webhook, Problem> {
    caller.needs(Scope::Admin)?;
    if !is_id(id) {
        return Err(Problem::not_found("webhook"));
    }
    let (tenant, id) = (caller.tenant.clone(), id.to_owned());
    let found = app
        .database
        .read(move |tables| webhooks::find(tables, &tenant, &id))
        .await?;
    found.ok_or_else(|| Problem::not_found("webhook"))
}

/// Changes an endpoint in one transaction.
async fn altered(
    app: &App,
    caller: Caller,
    id: String,
    change: impl FnOnce(&mut dyn uniq::ledger::Tables, &mut webhooks::Webhook) -> uniq::Result<()>
    + Send
    + 'static,
) -> Result<webhooks::Webhook, Problem> {
    let changed = app.database.write(move |tables| {
        let Some(mut of) = webhooks::find(tables, &caller.tenant, &id)? else {
            return Ok(None);
        };
        change(tables, &mut of)?;
        webhooks::change(tables, &of)?;
        Ok(Some(of))
    });
    changed.await?.ok_or_else(|| Problem::not_found("webhook"))
}

/// Fails for an address that must not be sent to. A name that cannot be resolved now is accepted,
/// since it may be later.
async fn check_url(app: &App, url: &str) -> Result<(), Problem> {
    let rules = &app.config.webhooks;
    let refused = |reason: String| Problem::invalid(format!("url: {reason}"));
    let target = Target::parse(url, rules).map_err(refused)?;
    // A look-up occupies a thread until it ends, even if the caller stops waiting. An address that
    // is not checked now is checked when something is sent.
    let Ok(turn) = LOOK_UPS.try_acquire() else {
        return Ok(());
    };
    let rules = rules.clone();
    let looking = tokio::spawn(async move {
        let found = resolved(&target, &rules).await;
        drop(turn);
        found
    });
    match tokio::time::timeout(LOOK_UP, looking).await {
        Ok(Ok(Err(reason))) if reason == NOT_PUBLIC => Err(refused(reason)),
        _ => Ok(()),
    }
}

fn check_name(name: Option<&str>) -> Result<(), Problem> {
    let is_fit = |name: &str| {
        !name.trim().is_empty()
            && name.chars().count() <= 100
            && !name.chars().any(char::is_control)
    };
    if name.is_some_and(|name| !is_fit(name)) {
        return Err(Problem::invalid("name: give 1 to 100 visible characters"));
    }
    Ok(())
}

fn names(events: &[EventName]) -> Result<String, Problem> {
    if events.is_empty() {
        return Err(Problem::invalid(
            "events: name at least one, or leave the list out for all",
        ));
    }
    let names = EventName::ALL
        .into_iter()
        .filter(|event| events.contains(event))
        .map(EventName::name);
    Ok(names.collect::<Vec<_>>().join(" "))
}

/// How long messages are signed with the previous secret too, in milliseconds.
const OLD_SECRET_MS: u64 = 24 * 3_600_000;

/// Maximum number of simultaneous look-ups of new addresses.
static LOOK_UPS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(8);

/// Time limit to look up the name of a new address.
const LOOK_UP: std::time::Duration = std::time::Duration::from_secs(3);
