//! `Idempotency-Key`: a repeated request gets the same answer and is not executed twice.
//!
//! A request is identified by method, address, body, and the headers that describe an upload. Its
//! answer is final if its body arrived whole and the answer does not mean "not now". A request that
//! a crash interrupted can be repeated.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use hyper::body::{Frame, SizeHint};
use sha2::{Digest as _, Sha256};

use crate::app::{App, LEASE};
use crate::auth::{Caller, hex};
use crate::body;
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::idempotency::{self, Answer, Claim, KEPT_MS, Name};

/// Answers with secrets, which are kept only in memory.
#[derive(Debug, Default)]
pub struct Secrets(Mutex<HashMap<Name, (u64, String)>>);

impl Secrets {
    fn keep(&self, of: &Name, answer: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now_ms();
        all.retain(|_, (at, _)| *at + KEPT_MS > now);
        all.insert(of.clone(), (now, answer));
    }

    fn find(&self, of: &Name) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(of).map(|(_, answer)| answer.clone())
    }
}

/// Repeats the earlier answer to a repeated request.
pub(crate) async fn answered_once(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let is_meant = request.method() == Method::POST && request.uri().path().starts_with("/v1/");
    if !is_meant || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let found = async {
        let name = name_of(&parts.headers)?;
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        Ok(Name {
            api_key: caller.key,
            name,
        })
    };
    let name = match found.await {
        Ok(name) => name,
        Err(problem) => return refused(problem),
    };
    // It finishes even if the client disconnects, because its effect must be recorded.
    let answering = tokio::spawn(async move { answer(&app, name, parts, body, next).await });
    match answering.await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => refused(problem),
        Err(_) => refused(Problem::internal()),
    }
}

fn refused(problem: Problem) -> Response {
    problem.into_response()
}

fn name_of(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = || {
        Problem::invalid(format!(
            "Idempotency-Key: send it once, with 1 to {NAME_MAX} ASCII characters"
        ))
    };
    let mut values = headers.get_all(HEADER).iter();
    let text = values
        .next()
        .and_then(|value| value.to_str().ok())
        .filter(|_| values.next().is_none());
    let text = text
        .map(str::trim)
        .filter(|text| (1..=NAME_MAX).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(wrong)
}

async fn answer(
    app: &App,
    name: Name,
    parts: Parts,
    body: Body,
    next: Next,
) -> Result<Response, Problem> {
    let (request, holder) = (
        digest_of(&parts),
        format!("{} {}", app.instance, crate::store::new_id()),
    );
    let path = parts.uri.path();
    let is_secret = SECRET.contains(&path) || path.ends_with(ROTATED);
    let claimed = {
        let (name, holder) = (name.clone(), holder.clone());
        let lease = LEASE.as_millis() as u64;
        app.database
            .write(move |tables| {
                idempotency::claim(tables, &name, &request, &holder, lease, now_ms())
            })
            .await?
    };
    match claimed {
        Claim::Taken => {}
        Claim::InProgress => {
            return Err(Problem::conflict(
                "the same request is still being answered; try again when it has ended",
            )
            .after(1));
        }
        Claim::Other => return Err(other()),
        Claim::Answered(known) => return replayed(app, &name, body, known).await,
    }
    let mut held = Held {
        app: app.clone(),
        name: Some((name.clone(), holder.clone())),
    };
    let digest = Arc::new(Mutex::new(Seen::default()));
    let request = Request::from_parts(parts, hashed(body, &digest).await?);
    let (head, body) = next.run(request).await.into_parts();
    let seen = {
        let mut seen = digest.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_whole
            .then(|| hex(&std::mem::take(&mut seen.sha256).finalize()))
    };
    let is_small = body
        .size_hint()
        .upper()
        .is_some_and(|upper| upper <= ANSWER_MAX);
    let Some(body_sha256) = seen.filter(|_| is_small && is_for_good(head.status)) else {
        held.release().await;
        return Ok(Response::from_parts(head, body));
    };
    let bytes = axum::body::to_bytes(body, ANSWER_MAX as usize)
        .await
        .map_err(|_| Problem::internal())?;
    let text = STANDARD.encode(&bytes);
    let is_hidden = is_secret && head.status.is_success();
    if is_hidden {
        app.answers.keep(&name, text.clone());
    }
    let kept = Answer {
        body_sha256,
        status: head.status.as_u16().into(),
        headers: headers_text(&head.headers),
        answer: Some(text).filter(|_| !is_hidden),
    };
    let done = app
        .database
        .write(move |tables| idempotency::keep(tables, &name, &holder, &kept))
        .await;
    match done {
        Ok(()) => held.name = None,
        // It is done, and the client must learn that.
        Err(problem) => {
            tracing::error!(detail = problem.detail, "an answer cannot be kept");
            held.release().await;
        }
    }
    Ok(Response::from_parts(head, Body::from(bytes)))
}

/// Digest of what identifies a request besides its body.
fn digest_of(parts: &Parts) -> String {
    let mut hasher = Sha256::new();
    let mut add = |text: &[u8]| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    add(parts.method.as_str().as_bytes());
    add(parts.uri.path().as_bytes());
    add(parts.uri.query().unwrap_or_default().as_bytes());
    for name in DESCRIBING {
        add(parts
            .headers
            .get(*name)
            .map_or(&[][..], HeaderValue::as_bytes));
    }
    hex(&hasher.finalize())
}

/// Whether the same request would get this answer later too.
fn is_for_good(status: StatusCode) -> bool {
    let is_passing = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::LOCKED,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    !status.is_server_error() && !is_passing.contains(&status)
}

/// The earlier answer, if the body is the same.
async fn replayed(app: &App, name: &Name, body: Body, known: Answer) -> Result<Response, Problem> {
    let mut hasher = Sha256::new();
    let (mut bytes, most) = (0, app.config.uploads.max_bytes);
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            if body::is_idle(&error) {
                body::idle()
            } else {
                body::broken()
            }
        })?;
        bytes += chunk.len() as u64;
        if bytes > most {
            return Err(crate::uploads::protocol::too_large(most));
        }
        hasher.update(&chunk);
    }
    if hex(&hasher.finalize()) != known.body_sha256 {
        return Err(other());
    }
    let text = known.answer.or_else(|| app.answers.find(name)).ok_or_else(|| {
        Problem::conflict(
            "the request was done, but its secret is not kept; list the existing ones, revoke this one and make another",
        )
    })?;
    let bytes = STANDARD.decode(text).map_err(|_| Problem::internal())?;
    let status = u16::try_from(known.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status.ok_or_else(Problem::internal)?;
    let pairs: Vec<(String, String)> =
        serde_json::from_str(&known.headers).map_err(|_| Problem::internal())?;
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn headers_text(headers: &HeaderMap) -> String {
    let pairs: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    serde_json::to_string(&pairs).unwrap_or_else(|_| "[]".to_owned())
}

fn other() -> Problem {
    let title = "The key is of another request";
    let detail = "this Idempotency-Key was used for another request; use a new one";
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "key_reused",
        title,
        detail,
    )
}

/// A request that this process is answering. When dropped, it may be repeated.
struct Held {
    app: App,
    name: Option<(Name, String)>,
}

impl Held {
    async fn release(&mut self) {
        let Some((name, holder)) = self.name.take() else {
            return;
        };
        let released = self
            .app
            .database
            .write(move |tables| idempotency::release(tables, &name, &holder))
            .await;
        if let Err(problem) = released {
            tracing::warn!(
                detail = problem.detail,
                "an unanswered request blocks its key for a while"
            );
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let mut held = Held {
            app: self.app.clone(),
            name: Some(name),
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { held.release().await });
        } else {
            held.name = None;
        }
    }
}

/// State of a body while it is read.
#[derive(Debug, Default)]
struct Seen {
    sha256: Sha256,
    is_whole: bool,
}

/// The body, and its digest once it was read. A short body is read at once, because not every
/// handler reads it.
async fn hashed(body: Body, seen: &Arc<Mutex<Seen>>) -> Result<Body, Problem> {
    if body.size_hint().upper().is_some_and(|upper| upper <= SHORT) {
        let bytes = axum::body::to_bytes(body, SHORT as usize).await;
        let bytes = bytes.map_err(|error| {
            if body::is_idle(&error) {
                body::idle()
            } else {
                body::broken()
            }
        })?;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sha256.update(&bytes);
        seen.is_whole = true;
        return Ok(Body::from(bytes));
    }
    Ok(Body::new(Hashed {
        body,
        seen: seen.clone(),
    }))
}

struct Hashed {
    body: Body,
    seen: Arc<Mutex<Seen>>,
}

impl HttpBody for Hashed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let next = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &next {
            Some(Ok(frame)) => seen
                .sha256
                .update(frame.data_ref().map_or(&[][..], |data| data)),
            Some(Err(_)) => {}
            None => seen.is_whole = true,
        }
        drop(seen);
        Poll::Ready(next)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Adds the effect of this header to the description of each `POST`.
pub(crate) fn describe(openapi: &mut utoipa::openapi::OpenApi) {
    use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
    use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, Required, ResponseBuilder, Type};
    for (path, item) in &mut openapi.paths.paths {
        let Some(post) = item.post.as_mut().filter(|_| path.starts_with("/v1/")) else {
            continue;
        };
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(NAME_MAX));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The same request with the same key is done once; repeats get its first answer for 24 h",
            ))
            .schema(Some(text))
            .build();
        post.parameters
            .get_or_insert_default()
            .push(parameter.into());
        for (status, description) in ANSWERS {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build();
            let response = ResponseBuilder::new()
                .description(*description)
                .content("application/problem+json", content)
                .build();
            post.responses
                .responses
                .entry((*status).to_owned())
                .or_insert_with(|| response.into());
        }
    }
}

/// Further answers of a `POST`, because of its key or its body.
const ANSWERS: &[(&str, &str)] = &[
    ("400", "The request is not valid"),
    ("408", "The body stalled"),
    ("409", "The same request is being answered"),
    ("413", "The body is too long"),
    ("422", "The Idempotency-Key was used for another request"),
    ("503", "Try again later"),
];

const HEADER: &str = "idempotency-key";

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Headers that belong to the identity of a request.
const DESCRIBING: &[&str] = &[
    "content-type",
    "upload-length",
    "upload-metadata",
    "upload-checksum",
    "upload-offset",
    "x-http-method-override",
];

/// Addresses whose answers contain secrets that must not be stored.
const SECRET: &[&str] = &["/v1/keys", "/v1/webhooks"];

/// End of such an address.
const ROTATED: &str = "/rotate";

/// Maximum length of a key in characters.
const NAME_MAX: usize = 255;

/// Maximum length, in bytes, of a body that is read before it is answered.
const SHORT: u64 = 1 << 20;

/// Maximum length of a stored answer, in bytes; this interface's answers are far shorter.
const ANSWER_MAX: u64 = 1 << 20;
