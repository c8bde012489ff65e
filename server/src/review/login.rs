//! Log-in with a key or at a provider, and log-out.

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::decide::Actor;
use super::pages::{self, fault};
use super::session::{self, Posted, Proved, Reviewer, Visit};
use crate::app::App;
use crate::auth::{Scope, digest_of};
use crate::database::now_ms;
use crate::oidc::Answer;
use crate::problem::Problem;
use crate::store::sessions::Login;
use crate::store::{keys, sessions};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/review/login", get(form).post(with_key))
        .route("/review/logout", post(logout))
        .route("/review/oidc", get(at_provider))
        .route("/review/oidc/callback", get(back))
}

/// The form.
async fn form(
    State(app): State<App>,
    visit: Visit,
    reviewer: Result<Reviewer, Response>,
) -> Response {
    if reviewer.is_ok() {
        return Redirect::to("/review").into_response();
    }
    shown(&app, &visit, false)
}

fn shown(app: &App, visit: &Visit, is_refused: bool) -> Response {
    let known = visit
        .cookie("login")
        .filter(|secret| session::is_secret(secret))
        .map(str::to_owned);
    let secret = match known.map_or_else(session::new_secret, Ok) {
        Ok(secret) => secret,
        Err(problem) => return fault(visit, None, &problem),
    };
    let mut response = pages::login(
        visit,
        &session::csrf_of(&secret),
        app.oidc.is_some(),
        is_refused,
    );
    response.headers_mut().append(
        header::SET_COOKIE,
        visit.set_cookie("login", &secret, LOGIN_S),
    );
    response
}

#[derive(Debug, Deserialize)]
struct KeyForm {
    #[serde(default)]
    key: String,
}

async fn with_key(
    State(app): State<App>,
    visit: Visit,
    form: Result<Form<Proved<KeyForm>>, axum::extract::rejection::FormRejection>,
) -> Response {
    let taken = async {
        let Form(Proved { csrf, form }) = form.map_err(|error| session::unread(&error))?;
        visit.check_origin()?;
        let secret = visit
            .cookie("login")
            .filter(|secret| session::is_secret(secret))
            .unwrap_or_default();
        if secret.is_empty() || !session::is_same(&csrf, &session::csrf_of(secret)) {
            return Err(session::forged());
        }
        app.limits.check("log-ins of reviewers")?;
        let digest = digest_of(form.key.trim());
        let key = app
            .database
            .read(move |tables| keys::valid(tables, &digest))
            .await?;
        let may = |key: &keys::Key| {
            key.scopes
                .split(' ')
                .any(|scope| scope == Scope::Review.name())
        };
        let Some(key) = key.filter(may) else {
            return Ok(None);
        };
        let actor = Actor::new(format!("key:{}", key.id), &key.name);
        session::begin(&app, &visit, &key.tenant, &actor)
            .await
            .map(Some)
    };
    match taken.await {
        Ok(Some(cookie)) => {
            let gone = visit.set_cookie("login", "", 0);
            let mut response = Redirect::to("/review").into_response();
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response.headers_mut().append(header::SET_COOKIE, gone);
            response
        }
        Ok(None) => shown(&app, &visit, true),
        Err(problem) => fault(&visit, None, &problem),
    }
}

#[derive(Debug, Deserialize)]
struct Nothing {}

async fn logout(State(app): State<App>, Posted(reviewer, Nothing {}): Posted<Nothing>) -> Response {
    let digest = reviewer.digest.clone();
    if let Err(problem) = app
        .database
        .write(move |tables| sessions::end(tables, &digest))
        .await
    {
        return fault(&reviewer.visit, Some(&reviewer), &problem);
    }
    let mut response = Redirect::to("/review/login").into_response();
    response.headers_mut().append(
        header::SET_COOKIE,
        reviewer.visit.set_cookie("session", "", 0),
    );
    response
}

/// Redirects the browser to the provider.
async fn at_provider(State(app): State<App>, visit: Visit) -> Response {
    let begun = async {
        let oidc = app
            .oidc
            .clone()
            .ok_or_else(|| Problem::not_found("address"))?;
        app.limits.check("log-ins of reviewers")?;
        let base = visit.base.clone().ok_or_else(no_address)?;
        let secret = session::new_secret()?;
        let (state, nonce, verifier) = (
            session::new_secret()?,
            session::new_secret()?,
            session::new_secret()?,
        );
        let login = Login {
            state: digest_of(&state),
            browser: digest_of(&secret),
            nonce: nonce.clone(),
            verifier: verifier.clone(),
            made_ms: now_ms(),
        };
        let oldest = now_ms().saturating_sub(LOGIN_S * 1_000);
        app.database
            .write(move |tables| sessions::begin(tables, &login, oldest))
            .await?;
        let redirect = format!("{base}{CALLBACK}");
        let address = oidc.address(&redirect, &state, &nonce, &verifier).await?;
        Ok((address, secret))
    };
    match begun.await {
        Ok((address, secret)) => {
            let mut response = Redirect::to(&address).into_response();
            response.headers_mut().append(
                header::SET_COOKIE,
                visit.set_cookie("oidc", &secret, LOGIN_S),
            );
            response
        }
        Err(problem) => fault(&visit, None, &problem),
    }
}

/// Handles the browser's return from the provider.
async fn back(State(app): State<App>, visit: Visit, Query(answer): Query<Answer>) -> Response {
    let known = async {
        let oidc = app
            .oidc
            .clone()
            .ok_or_else(|| Problem::not_found("address"))?;
        let secret = visit
            .cookie("oidc")
            .filter(|secret| session::is_secret(secret))
            .ok_or_else(session::forged)?;
        let (state, browser) = (
            digest_of(answer.state.as_deref().unwrap_or_default()),
            digest_of(secret),
        );
        let oldest = now_ms().saturating_sub(LOGIN_S * 1_000);
        let login = app
            .database
            .write(move |tables| sessions::take(tables, &state, &browser, oldest))
            .await?;
        let login = login.ok_or_else(session::forged)?;
        let redirect = format!("{}{CALLBACK}", visit.base.clone().ok_or_else(no_address)?);
        let person = oidc
            .person(&answer, &redirect, &login.nonce, &login.verifier, now_ms())
            .await?;
        let actor = Actor::new(format!("oidc:{}", person.subject), &person.name);
        session::begin(&app, &visit, &person.tenant, &actor).await
    };
    match known.await {
        Ok(cookie) => {
            let mut response = Redirect::to("/review").into_response();
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
                .headers_mut()
                .append(header::SET_COOKIE, visit.set_cookie("oidc", "", 0));
            response
        }
        Err(problem) => fault(&visit, None, &problem),
    }
}

fn no_address() -> Problem {
    Problem::unavailable(
        "the service does not know its address; the operator must set public_url",
        3_600,
    )
}

/// Path to which the provider redirects browsers.
const CALLBACK: &str = "/review/oidc/callback";

/// Time limit of a log-in, in seconds.
const LOGIN_S: u64 = 600;
