//! Errors for clients: RFC 9457, `application/problem+json`.
//!
//! A detail says what is wrong and what to do. It names no path of the server and nothing of
//! another tenant.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: `urn:uniq:problem:` and a name that does not change.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// Seconds after which it is worth trying again; the header `Retry-After` says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: StatusCode, name: &str, title: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:uniq:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The request is invalid.
    pub fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            "The request is not valid",
            detail,
        )
    }

    /// The key is missing or not valid.
    pub fn unauthorized() -> Problem {
        let detail = "send a valid API key: Authorization: Bearer KEY";
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A valid API key is needed",
            detail,
        )
    }

    /// The key lacks a scope.
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "The key does not allow this",
            detail,
        )
    }

    /// It does not exist, or belongs to another tenant.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no such thing",
            format!("there is no such {what}"),
        )
    }

    /// Its state does not allow this.
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "Its state does not allow this",
            detail,
        )
    }

    /// Too many requests or too much at once.
    pub fn too_many(detail: impl Into<String>, retry_after: u64) -> Problem {
        let title = "Too many requests";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", title, detail).after(retry_after)
    }

    /// The service is temporarily unable to do this.
    pub fn unavailable(detail: impl Into<String>, retry_after: u64) -> Problem {
        let title = "The service cannot do this now";
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            title,
            detail,
        )
        .after(retry_after)
    }

    /// There is no reliable index.
    pub fn no_index() -> Problem {
        let detail = "the index of public videos is missing or not the expected one; submissions wait until the operator has fixed it";
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_index",
            "The service cannot answer now",
            detail,
        )
        .after(30)
    }

    /// An unexpected error; the log has the details.
    pub fn internal() -> Problem {
        let detail = "the service failed; try again, and tell its operator if it fails again";
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The service failed",
            detail,
        )
    }

    /// The same problem, with seconds until the next try.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<uniq::Error> for Problem {
    fn from(error: uniq::Error) -> Problem {
        use uniq::Error;
        match &error {
            Error::LedgerBusy { .. } | Error::Locked { .. } => {
                Problem::unavailable("the database is busy; try again", 5)
            }
            Error::NoIndex { .. }
            | Error::UnexpectedIndex { .. }
            | Error::CorruptIndex { .. }
            | Error::IncompatibleIndex { .. } => {
                tracing::error!(code = error.code(), error = %chain(&error), "there is no index to answer by");
                Problem::no_index()
            }
            Error::IncompleteAnswer { .. } => {
                tracing::error!(code = error.code(), error = %chain(&error), "the index cannot be searched completely");
                Problem::unavailable(
                    "the index cannot be searched completely now; try again later",
                    30,
                )
            }
            Error::LedgerRefused { .. } => Problem::conflict(bare(&error)),
            Error::Cancelled => {
                Problem::unavailable("the service is stopping; try again when it is back", 5)
            }
            Error::InvalidSetting { name, expected, .. } => {
                Problem::invalid(format!("{name}: give {expected}"))
            }
            Error::NotMedia { .. }
            | Error::NoVideo { .. }
            | Error::Empty { .. }
            | Error::IsFingerprint { .. }
            | Error::InvalidFingerprint { .. } => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                &error.code(),
                "The file cannot be accepted",
                bare(&error),
            ),
            Error::Io { source, .. } if is_full(source) => {
                let title = "The service has no room";
                let detail = "the disk is full; try again later";
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", title, detail).after(60)
            }
            Error::Ledger { source, .. } if source.to_string().contains("full") => {
                let title = "The service has no room";
                let detail = "the disk is full; try again later";
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", title, detail).after(60)
            }
            _ => {
                tracing::error!(code = error.code(), error = %chain(&error), "a request failed");
                Problem::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                HeaderName::from_static("www-authenticate"),
                HeaderValue::from_static("Bearer"),
            );
        }
        response
    }
}

/// The message of an error without its leading path.
pub fn bare(error: &uniq::Error) -> String {
    without_path(&error.to_string()).to_owned()
}

/// A message without its leading path.
pub fn without_path(message: &str) -> &str {
    match message.split_once(": ") {
        Some((before, rest)) if before.contains('/') => rest,
        _ => message,
    }
}

/// An error with its causes, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    text
}

/// Whether an error means that the disk is full.
pub fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    ) || error.kind() == std::io::ErrorKind::FileTooLarge
}
