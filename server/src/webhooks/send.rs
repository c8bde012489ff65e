//! Sends one message: looks up the name, checks its addresses, and connects to a checked address.
//! No redirects, no proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::targets::{self, Target};
use crate::config::WebhooksConfig;
use crate::tls;

/// A signed message.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) url: String,
    pub(super) id: String,
    pub(super) timestamp_s: u64,
    pub(super) signature: String,
    pub(super) body: String,
}

/// Outcome of an attempt.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Answered {
    pub(super) status: Option<u16>,
    /// The error in words for the tenant; `None` if the message was accepted.
    pub(super) reason: Option<String>,
    /// Time after which the endpoint wants the next attempt.
    pub(super) retry_after: Option<Duration>,
}

/// Sends a message once.
pub(super) async fn send(message: &Outgoing, rules: &WebhooksConfig) -> Answered {
    send_with(message, rules, tls::trusted()).await
}

async fn send_with(
    message: &Outgoing,
    rules: &WebhooksConfig,
    tls: Option<Arc<ClientConfig>>,
) -> Answered {
    let time_out = Duration::from_secs(rules.time_out_seconds);
    let failed = |reason: String| Answered {
        reason: Some(reason),
        ..Answered::default()
    };
    match tokio::time::timeout(time_out, attempt(message, rules, tls)).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(reason)) => failed(reason),
        Err(_) => failed(format!("no answer within {} s", time_out.as_secs())),
    }
}

async fn attempt(
    message: &Outgoing,
    rules: &WebhooksConfig,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Answered, String> {
    // The rules may have changed since the endpoint was created.
    let target = Target::parse(&message.url, rules)?;
    let addresses = resolved(&target, rules).await?;
    let stream = connected(&addresses).await?;
    if target.is_secure {
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| "no TLS certificate can name this host")?;
        let tls = tls.ok_or("the service has no certificate authorities")?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        exchange(
            stream.map_err(|_| "no secure connection; check the endpoint's certificate")?,
            &target,
            message,
        )
        .await
    } else {
        exchange(stream, &target, message).await
    }
}

/// The addresses of a target. Fails unless all of them are permitted.
///
/// # Errors
/// The reason in words.
pub async fn resolved(target: &Target, rules: &WebhooksConfig) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|_| UNKNOWN)?.collect();
    if addresses.is_empty() {
        return Err(UNKNOWN.to_owned());
    }
    targets::check(addresses.iter(), rules)?;
    Ok(addresses)
}

async fn connected(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    for address in addresses.iter().take(ADDRESSES_MAX) {
        if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err("no connection".to_owned())
}

async fn exchange<S>(stream: S, target: &Target, message: &Outgoing) -> Result<Answered, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |_| "the connection broke".to_owned();
    let made = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = made.await.map_err(broken)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(HOST, &target.authority)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("uniq/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", message.timestamp_s)
        .header("webhook-signature", &message.signature)
        .body(Full::new(Bytes::from(message.body.clone())))
        .map_err(|_| "the request cannot be made".to_owned())?;
    // Ends with this attempt, whatever the other side does.
    let connection = tokio::spawn(connection);
    let _ended = Ended(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    let (parts, mut body) = response.into_parts();
    // The content does not matter; reading it lets the endpoint finish its answer.
    let mut left = ANSWER_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
    let seconds = parts
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let reason = match parts.status {
        status if status.is_success() => None,
        StatusCode::GONE => Some("the endpoint answered that it is gone".to_owned()),
        status if status.is_redirection() => Some(format!(
            "answered {}: redirects are not followed",
            status.as_u16()
        )),
        status => Some(format!("answered {}", status.as_u16())),
    };
    Ok(Answered {
        status: Some(parts.status.as_u16()),
        reason,
        retry_after: seconds.map(|seconds: u64| Duration::from_secs(seconds).min(RETRY_AFTER_MAX)),
    })
}

struct Ended(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const UNKNOWN: &str = "its host name cannot be resolved";

/// Time limit to connect to one address.
const CONNECT: Duration = Duration::from_secs(5);

/// Maximum number of addresses of a name that are tried.
const ADDRESSES_MAX: usize = 3;

/// Maximum number of headers of an answer.
const HEADERS_MAX: usize = 100;

/// Maximum length of an answer's head, in bytes; the parser needs at least 8192.
const BUFFER_MAX: usize = 16 << 10;

/// Maximum number of bytes read of an answer's body.
const ANSWER_MAX: usize = 64 << 10;

/// Maximum time by which an endpoint can delay the next attempt.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(12 * 3600);

#[cfg(test)]
mod tests;
