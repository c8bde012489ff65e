//! Pages on which people review submissions, and the decisions that pages and API share.
//!
//! Everything works without JavaScript, by links and forms. A form is accepted only with the token
//! of its own session, sent from one of our pages. A reviewer sees only the submissions of one
//! tenant.

pub mod decide;
pub(crate) mod evidence;
mod html;
pub mod log;
mod login;
mod pages;
pub mod queue;
mod session;
mod view;
mod weigh;
mod words;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;

/// The routes.
pub fn router() -> Router<App> {
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move {
            (
                [
                    (header::CONTENT_TYPE, kind),
                    (header::CACHE_CONTROL, "max-age=3600"),
                ],
                text,
            )
        })
    };
    Router::new()
        .merge(pages::router())
        .merge(login::router())
        .route(
            "/review/style.css",
            file(
                "text/css; charset=utf-8",
                include_str!("../../templates/style.css"),
            ),
        )
        .route(
            "/review/keys.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("../../templates/keys.js"),
            ),
        )
        .route(
            "/review/icon.svg",
            file("image/svg+xml", include_str!("../../templates/icon.svg")),
        )
        .layer(fixed(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
        // Forms must say where they come from, but other sites must not learn the address.
        .layer(fixed(header::REFERRER_POLICY, "same-origin"))
        .layer(fixed(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(fixed(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
}

/// What a page may load: files and frames of this service, and only its own script file.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
