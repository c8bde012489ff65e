//! Sessions of browsers, the language, and the proof that a form needs.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use uniq::evidence_page::Lang;
use uniq::ledger::Mode;

use super::decide::Actor;
use super::pages;
use crate::app::App;
use crate::auth::digest_of;
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::sessions::{self, Session};

/// What a request says before its session is known: language, cookies, and the address of the
/// service.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) lang: Lang,
    /// Whether the language was just chosen and should be stored.
    pub(super) is_chosen: bool,
    /// Whether cookies are restricted to encrypted connections.
    pub(super) is_secure: bool,
    /// Address of the service without a final slash; `None` if it is not certain.
    pub(super) base: Option<String>,
    /// The address without its language.
    pub(super) address: String,
    headers: HeaderMap,
    public_url: Option<String>,
}

impl Visit {
    pub(super) fn of(parts: &Parts, app: &App) -> Visit {
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let public_url = app
            .config
            .public_url
            .as_deref()
            .map(|url| url.trim_end_matches('/').to_owned());
        let is_loopback = is_loopback(host);
        let is_secure = public_url
            .as_deref()
            .map_or(!is_loopback, |url| url.starts_with("https://"));
        let base = public_url
            .clone()
            .or_else(|| is_loopback.then(|| format!("http://{host}")));
        let pairs = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        let chosen = pairs
            .clone()
            .filter_map(|pair| pair.strip_prefix("lang="))
            .find_map(lang_of);
        let rest: Vec<&str> = pairs.filter(|pair| !pair.starts_with("lang=")).collect();
        let address = match rest.is_empty() {
            true => parts.uri.path().to_owned(),
            false => format!("{}?{}", parts.uri.path(), rest.join("&")),
        };
        let mut visit = Visit {
            lang: Lang::En,
            is_chosen: chosen.is_some(),
            is_secure,
            base,
            address,
            headers: parts.headers.clone(),
            public_url,
        };
        visit.lang = chosen
            .or_else(|| lang_of(visit.cookie("lang")?))
            .unwrap_or_else(|| wanted(&parts.headers));
        visit
    }

    /// The language as in addresses.
    pub(super) fn lang_name(&self) -> &'static str {
        lang_name(self.lang)
    }

    /// The value of one of our cookies.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let name = self.cookie_name(name);
        let values = self
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let cookies = values
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        cookies
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next()
    }

    /// A header that sets one of our cookies for `seconds` seconds; 0 removes it.
    pub(super) fn set_cookie(&self, name: &str, value: &str, seconds: u64) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let name = self.cookie_name(name);
        let text =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// With the prefix `__Host-`, a cookie can only come from this host over an encrypted
    /// connection. Browsers also accept it only there.
    fn cookie_name(&self, name: &str) -> String {
        let prefix = if self.is_secure { "__Host-" } else { "" };
        match name {
            "session" => format!("{prefix}uniq"),
            name => format!("{prefix}uniq-{name}"),
        }
    }

    /// Fails unless the browser says that one of our pages sent a form.
    pub(super) fn check_origin(&self) -> Result<(), Problem> {
        let get = |name: &str| {
            self.headers
                .get(name)
                .map(|value| value.to_str().unwrap_or_default())
        };
        let (site, origin) = (get("sec-fetch-site"), get("origin"));
        let host = get("host").unwrap_or_default();
        let is_own = |origin: &str| {
            self.public_url.as_deref() == Some(origin)
                || origin
                    .strip_prefix("http://")
                    .or_else(|| origin.strip_prefix("https://"))
                    == Some(host)
        };
        let is_fine = site.is_none_or(|site| site == "same-origin") && origin.is_none_or(is_own);
        if is_fine && (site.is_some() || origin.is_some()) {
            return Ok(());
        }
        Err(forged())
    }
}

/// A form without the required origin or token.
pub(super) fn forged() -> Problem {
    let detail =
        "the form does not come from a page of this service, or is too old; load the page again";
    Problem::new(
        StatusCode::FORBIDDEN,
        "forged",
        "The form cannot be accepted",
        detail,
    )
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

pub(super) fn lang_of(name: &str) -> Option<Lang> {
    match name {
        "en" => Some(Lang::En),
        "ar" => Some(Lang::Ar),
        _ => None,
    }
}

pub(super) fn lang_name(lang: Lang) -> &'static str {
    if lang == Lang::Ar { "ar" } else { "en" }
}

/// The browser's first language that we support.
fn wanted(headers: &HeaderMap) -> Lang {
    let wanted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    wanted
        .split(',')
        .filter_map(|one| lang_of(one.trim().get(..2)?))
        .next()
        .unwrap_or_default()
}

impl FromRequestParts<App> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Visit, Self::Rejection> {
        Ok(Visit::of(parts, app))
    }
}

/// A reviewer who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Reviewer {
    pub(super) visit: Visit,
    pub(super) tenant: String,
    pub(super) actor: Actor,
    /// The token that a form must contain.
    pub(super) csrf: String,
    /// SHA-256 of the session's secret.
    pub(super) digest: String,
}

impl FromRequestParts<App> for Reviewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Reviewer, Response> {
        let visit = Visit::of(parts, app);
        let Some(secret) = visit
            .cookie("session")
            .filter(|secret| is_secret(secret))
            .map(str::to_owned)
        else {
            return Err(Redirect::to("/review/login").into_response());
        };
        let fault = |problem: Problem| pages::fault(&visit, None, &problem);
        let digest = digest_of(&secret);
        app.limits.check(&digest).map_err(fault)?;
        let (oldest, idle_since) = limits(app, now_ms());
        let looked = digest.clone();
        let found = app.database.run(move |ledger| {
            let found = ledger.transaction(Mode::Read, |tables| {
                sessions::valid(tables, &looked, oldest, idle_since)
            })?;
            let now = now_ms();
            if found
                .as_ref()
                .is_some_and(|session| session.seen_ms + SEEN_MS < now)
            {
                ledger.transaction(Mode::Write, |tables| sessions::see(tables, &looked, now))?;
            }
            Ok(found)
        });
        let Some(session) = found.await.map_err(fault)? else {
            return Err(Redirect::to("/review/login").into_response());
        };
        let actor = Actor::new(session.actor, &session.name);
        Ok(Reviewer {
            tenant: session.tenant,
            actor,
            csrf: csrf_of(&secret),
            digest,
            visit,
        })
    }
}

/// A form that a reviewer sent from a page of the same session.
pub(super) struct Posted<T>(pub(super) Reviewer, pub(super) T);

/// A form with its token.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Proved<T> {
    #[serde(default)]
    pub(super) csrf: String,
    #[serde(flatten)]
    pub(super) form: T,
}

impl<T: DeserializeOwned> FromRequest<App> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Posted<T>, Response> {
        let (mut parts, body) = request.into_parts();
        let reviewer = Reviewer::from_request_parts(&mut parts, app).await?;
        let fault = |problem: Problem| pages::fault(&reviewer.visit, Some(&reviewer), &problem);
        reviewer.visit.check_origin().map_err(fault)?;
        let request = Request::from_parts(parts, body);
        let Form(proved) = Form::<Proved<T>>::from_request(request, app)
            .await
            .map_err(|error| fault(unread(&error)))?;
        if !is_same(&proved.csrf, &reviewer.csrf) {
            return Err(fault(forged()));
        }
        Ok(Posted(reviewer, proved.form))
    }
}

pub(super) fn unread(error: &FormRejection) -> Problem {
    Problem::new(
        error.status(),
        "invalid",
        "The form cannot be read",
        error.body_text(),
    )
}

/// Whether two texts are equal, in constant time.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    digest_of(a) == digest_of(b)
}

/// The form token of the session with this secret.
pub(super) fn csrf_of(secret: &str) -> String {
    digest_of(&format!("form {secret}"))
}

/// 32 random bytes as a text.
pub(super) fn new_secret() -> Result<String, Problem> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Problem::internal())?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Whether a text has the form of such a secret.
pub(super) fn is_secret(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Begins a session with a new secret, and returns the header that sets its cookie. Ends the
/// browser's earlier session.
pub(super) async fn begin(
    app: &App,
    visit: &Visit,
    tenant: &str,
    actor: &Actor,
) -> Result<HeaderValue, Problem> {
    let secret = new_secret()?;
    let now = now_ms();
    let session = Session {
        digest: digest_of(&secret),
        tenant: tenant.to_owned(),
        actor: actor.id.clone(),
        name: actor.name.clone(),
        made_ms: now,
        seen_ms: now,
    };
    let (oldest, _) = limits(app, now);
    let before = visit.cookie("session").map(digest_of);
    app.database
        .write(move |tables| {
            if let Some(before) = &before {
                sessions::end(tables, before)?;
            }
            sessions::add(tables, &session, oldest)
        })
        .await?;
    Ok(visit.set_cookie("session", &secret, app.config.review.session_hours * 3_600))
}

/// The earliest times at which a valid session may have begun and been last used.
fn limits(app: &App, now_ms: u64) -> (u64, u64) {
    let of = &app.config.review;
    (
        now_ms.saturating_sub(of.session_hours * 3_600_000),
        now_ms.saturating_sub(of.idle_minutes * 60_000),
    )
}

/// Precision of a session's last use, in milliseconds.
const SEEN_MS: u64 = 30_000;
