//! Resumable uploads: tus 1.0.0.

use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::is_id;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::Problem;
use crate::store::uploads::Upload;
use crate::uploads::protocol::{self, Checksum};
use crate::uploads::storage::{self, Found, Opened};
use crate::uploads::{caps, receive};

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(offer, create))
        .routes(routes!(offer_one, show, append, terminate, overridden))
        .layer(middleware::from_fn(spoken))
}

/// Adds the version of the protocol to each response.
async fn spoken(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let is_refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(RESUMABLE, HeaderValue::from_static(protocol::VERSION));
    if is_refused {
        headers.insert(VERSIONS, HeaderValue::from_static(protocol::VERSION));
    }
    response
}

/// Tells what is offered: version, extensions, maximum length and algorithms of checksums.
#[utoipa::path(options, path = "/v1/uploads", tag = "uploads", security(()),
    responses((status = 204, description = "See the headers `Tus-Version`, `Tus-Extension`, `Tus-Max-Size` and `Tus-Checksum-Algorithm`")))]
async fn offer(State(app): State<App>) -> Response {
    offered(&app)
}

/// Tells what is offered, as `/v1/uploads` does.
#[utoipa::path(options, path = "/v1/uploads/{id}", tag = "uploads", security(()),
    params(("id" = String, Path, description = "The upload")),
    responses((status = 204, description = "See the headers `Tus-Version`, `Tus-Extension`, `Tus-Max-Size` and `Tus-Checksum-Algorithm`")))]
async fn offer_one(State(app): State<App>) -> Response {
    offered(&app)
}

fn offered(app: &App) -> Response {
    let fixed = [
        (VERSIONS, HeaderValue::from_static(protocol::VERSION)),
        (
            HeaderName::from_static("tus-extension"),
            HeaderValue::from_static(protocol::EXTENSIONS),
        ),
        (
            HeaderName::from_static("tus-max-size"),
            app.config.uploads.max_bytes.into(),
        ),
        (
            HeaderName::from_static("tus-checksum-algorithm"),
            HeaderValue::from_static(protocol::ALGORITHMS),
        ),
    ];
    (StatusCode::NO_CONTENT, fixed).into_response()
}

/// Makes an upload, and takes its first bytes if the body has some.
///
/// `Upload-Metadata` names the `creator`, and may name a `reference` and the `kind`: `clip` or
/// `fingerprint`. The upload's id is the id of the submission that it becomes with its last byte.
#[utoipa::path(post, path = "/v1/uploads", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = u64, Header, description = "Length of the file in bytes"),
        ("Upload-Metadata" = String, Header, description = "Pairs of a key and a value in base64, with commas between them"),
        ("Upload-Checksum" = Option<String>, Header, description = "Algorithm and checksum of the body, if it has bytes"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream", description = "None, or the first bytes"),
    responses(
        (status = 201, description = "Made; `Location` names it, `Upload-Offset` gives the number of bytes received, and `Submission` names its submission if that is all"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "The request names another version of tus", body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be accepted", body = Problem, content_type = "application/problem+json"),
        (status = 460, description = "The checksum does not match", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, description = "There is no room", body = Problem, content_type = "application/problem+json"),
    ))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    protocol::check_version(&headers)?;
    let wanted = protocol::creation(&headers, app.config.uploads.max_bytes)?;
    let has_body = !body.is_end_stream();
    if has_body && !protocol::is_bytes(&headers) {
        return Err(protocol::wrong_type());
    }
    let checksum = protocol::checksum(&headers)?.filter(|_| has_body);
    let making = app.clone();
    let opened = app
        .uploads
        .blocking(move || storage::create(&making, &caller.tenant, wanted))
        .await?;
    let location = format!("/v1/uploads/{}", opened.upload.id);
    let made = if has_body {
        filled(&app, opened, body, checksum).await
    } else {
        Ok(opened.upload)
    };
    // The client can resume the new upload after an error.
    let mut response = match made {
        Ok(upload) => (StatusCode::CREATED, state(&app, &upload)).into_response(),
        Err(problem) => problem.into_response(),
    };
    let location = HeaderValue::from_str(&location).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Tells how many bytes of an upload are there.
#[utoipa::path(head, path = "/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    responses(
        (status = 200, description = "See the headers `Upload-Offset`, `Upload-Length`, `Upload-Metadata`, `Upload-Expires` and `Submission`"),
        (status = 400, description = "A header is not valid"),
        (status = 401, description = "A valid API key is needed"),
        (status = 403, description = "The key does not allow this"),
        (status = 404, description = "There is no such upload"),
        (status = 409, description = "It was complete, but the ledger refused it"),
        (status = 410, description = "It is gone"),
        (status = 412, description = "The request names another version of tus"),
        (status = 422, description = "It was complete, but could not be accepted"),
        (status = 423, description = "It is being written; try again"),
        (status = 429, description = "This key makes too many requests"),
        (status = 503, description = "Try again later"),
        (status = 507, description = "There is no room"),
    ))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    protocol::check_version(&headers)?;
    let opening = app.clone();
    let upload = app
        .uploads
        .blocking(move || match opened(&opening, &caller, &id)? {
            Found::Submitted(upload) => Ok(upload),
            // A crash may have come between its last byte and its number.
            Found::Open(opened) => {
                let offset = opened.offset;
                Ok(Upload {
                    received: offset,
                    ..opened.complete(&opening)?
                })
            }
        });
    let upload = upload.await?;
    let mut response = (StatusCode::OK, state(&app, &upload)).into_response();
    let answer = response.headers_mut();
    answer.insert(
        HeaderName::from_static("upload-length"),
        upload.length.into(),
    );
    if let Some(value) = HeaderValue::from_str(&upload.metadata)
        .ok()
        .filter(|value| !value.is_empty())
    {
        answer.insert(HeaderName::from_static("upload-metadata"), value);
    }
    Ok(response)
}

/// Appends bytes to an upload.
///
/// What came before a connection broke is kept, unless the request has a checksum. The answer to
/// the last byte names the submission in the header `Submission`.
#[utoipa::path(patch, path = "/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Bytes that are there"),
        ("Upload-Checksum" = Option<String>, Header, description = "Algorithm and checksum of the body"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream", description = "The next bytes"),
    responses(
        (status = 204, description = "See the headers `Upload-Offset`, `Upload-Expires` and `Submission`"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body stalled; received bytes are kept", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`Upload-Offset` is not the number of bytes received", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It is gone", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "The request names another version of tus", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "There are more bytes than announced", body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be accepted", body = Problem, content_type = "application/problem+json"),
        (status = 423, description = "Another request writes it", body = Problem, content_type = "application/problem+json"),
        (status = 460, description = "The checksum does not match", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, description = "There is no room; received bytes are kept", body = Problem, content_type = "application/problem+json"),
    ))]
async fn append(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    appended(&app, caller, id, &headers, body).await
}

async fn appended(
    app: &App,
    caller: Caller,
    id: String,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    protocol::check_version(headers)?;
    let wanted = protocol::append(headers)?;
    let opening = app.clone();
    let found = app
        .uploads
        .blocking(move || opened(&opening, &caller, &id))
        .await?;
    let there = match &found {
        Found::Open(opened) => opened.offset,
        Found::Submitted(upload) => upload.length,
    };
    if wanted.offset != there {
        let detail = format!("the upload has {there} bytes; continue with Upload-Offset: {there}");
        return Err(Problem::conflict(detail));
    }
    let upload = match found {
        Found::Submitted(_) if !body.is_end_stream() => return Err(too_long(there)),
        Found::Submitted(upload) => upload,
        Found::Open(opened) if body.size_hint().lower() > opened.upload.length - there => {
            return Err(too_long(opened.upload.length));
        }
        Found::Open(opened) => filled(app, opened, body, wanted.checksum).await?,
    };
    Ok((StatusCode::NO_CONTENT, state(app, &upload)).into_response())
}

/// Ends an upload, and removes its bytes.
#[utoipa::path(delete, path = "/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    responses(
        (status = 204, description = "It is removed"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has become a submission", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It is gone", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "The request names another version of tus", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It was complete, but could not be accepted", body = Problem, content_type = "application/problem+json"),
        (status = 423, description = "A request writes it", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, body = Problem, content_type = "application/problem+json"),
    ))]
async fn terminate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    terminated(&app, caller, id, &headers).await
}

async fn terminated(
    app: &App,
    caller: Caller,
    id: String,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    protocol::check_version(headers)?;
    let ending = app.clone();
    let ended = app
        .uploads
        .blocking(move || match opened(&ending, &caller, &id)? {
            Found::Submitted(_) => Err(Problem::conflict(
                "the upload has become a submission; take that back with: DELETE /v1/submissions/ID",
            )),
            Found::Open(opened) => opened.terminate(&ending),
        });
    ended.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Does what `X-HTTP-Method-Override` names, for clients that can send nothing but `POST`.
#[utoipa::path(post, path = "/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH` or `DELETE`; see there for the other headers"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream", description = "The next bytes"),
    responses(
        (status = 204, description = "Done"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 405, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 410, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 423, body = Problem, content_type = "application/problem+json"),
        (status = 460, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, body = Problem, content_type = "application/problem+json"),
    ))]
async fn overridden(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs(Scope::Submit)?;
    match headers
        .get("x-http-method-override")
        .map(HeaderValue::as_bytes)
    {
        Some(b"PATCH") => appended(&app, caller, id, &headers, body).await,
        Some(b"DELETE") => terminated(&app, caller, id, &headers).await,
        _ => {
            let detail = "X-HTTP-Method-Override: send PATCH or DELETE";
            let title = "The method is not allowed here";
            Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                title,
                detail,
            ))
        }
    }
}

fn opened(app: &App, caller: &Caller, id: &str) -> Result<Found, Problem> {
    if !is_id(id) {
        return Err(Problem::not_found("upload"));
    }
    storage::open(app, &caller.tenant, &id.to_ascii_lowercase())
}

/// Writes a body to an upload. It finishes even if the client disconnects, and keeps what arrived.
async fn filled(
    app: &App,
    opened: Opened,
    body: Body,
    checksum: Option<Checksum>,
) -> Result<Upload, Problem> {
    let app = app.clone();
    let writing = tokio::spawn(async move {
        let left = opened.upload.length.saturating_sub(opened.offset);
        let preparing = app.clone();
        let (writing, sink) = app
            .uploads
            .blocking(move || opened.sink(&preparing, checksum))
            .await?;
        let (sink, end) = receive::pour(&app, body, left, sink).await?;
        let ending = app.clone();
        app.uploads
            .blocking(move || writing.end(&ending, sink, end))
            .await
    });
    writing.await.unwrap_or_else(|_| Err(Problem::internal()))
}

/// The headers that describe the progress of an upload.
fn state(app: &App, upload: &Upload) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let offset = if upload.submission.is_some() {
        upload.length
    } else {
        upload.received
    };
    headers.insert(HeaderName::from_static("upload-offset"), offset.into());
    let (name, text) = match &upload.submission {
        Some(id) => ("submission", format!("/v1/submissions/{id}")),
        None => (
            "upload-expires",
            http_date(upload.changed_ms.saturating_add(caps::expire_ms(app))),
        ),
    };
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(HeaderName::from_static(name), value);
    }
    headers
}

/// A time in milliseconds since 1970 in HTTP's format.
fn http_date(ms: u64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms.min(i64::MAX as u64) as i64)
        .unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn too_long(length: u64) -> Problem {
    let detail = format!("the body goes beyond the upload's {length} bytes; send only the rest");
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        "The body is too long",
        detail,
    )
}

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");

const VERSIONS: HeaderName = HeaderName::from_static("tus-version");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_clients_read_them() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(http_date(u64::MAX).ends_with("GMT"));
    }
}
