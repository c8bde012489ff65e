//! Requests to the provider: few, small, and without redirects.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::tls;

/// Client for HTTPS, and for HTTP to this host.
#[derive(Clone)]
pub(super) struct Http {
    tls: Option<TlsConnector>,
}

/// Whether a URL may be requested: by HTTPS, or on this host.
pub fn may_call(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let ip = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        _ => false,
    }
}

impl Http {
    pub(super) fn new() -> Http {
        Http {
            tls: tls::trusted().map(TlsConnector::from),
        }
    }

    pub(super) async fn get(&self, address: &str) -> anyhow::Result<Vec<u8>> {
        self.send(address, Request::get(address), Body::empty())
            .await
    }

    pub(super) async fn post(
        &self,
        address: &str,
        form: String,
        basic: Option<String>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut request = Request::post(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(basic) = basic {
            request = request.header(header::AUTHORIZATION, basic);
        }
        self.send(address, request, Body::from(form)).await
    }

    async fn send(
        &self,
        address: &str,
        request: axum::http::request::Builder,
        body: Body,
    ) -> anyhow::Result<Vec<u8>> {
        let asked = tokio::time::timeout(PATIENCE, self.asked(address, request, body)).await;
        asked
            .context("it took too long")?
            .with_context(|| address.to_owned())
    }

    async fn asked(
        &self,
        address: &str,
        request: axum::http::request::Builder,
        body: Body,
    ) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(may_call(address), "not encrypted");
        let uri: Uri = address.parse()?;
        let host = uri.host().unwrap_or_default();
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let is_encrypted = uri.scheme_str() == Some("https");
        let port = uri
            .port_u16()
            .unwrap_or(if is_encrypted { 443 } else { 80 });
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = request
            .uri(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .body(body)?;
        let stream = TcpStream::connect((name.as_str(), port)).await?;
        let response = if is_encrypted {
            let tls = self
                .tls
                .as_ref()
                .context("the service has no certificate authorities")?;
            let stream = tls.connect(ServerName::try_from(name)?, stream).await?;
            exchanged(TokioIo::new(stream), request).await?
        } else {
            exchanged(TokioIo::new(stream), request).await?
        };
        anyhow::ensure!(response.0.is_success(), "it answers {}", response.0);
        Ok(response.1)
    }
}

async fn exchanged<S>(
    stream: S,
    request: Request<Body>,
) -> anyhow::Result<(axum::http::StatusCode, Vec<u8>)>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let running = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_MAX)
        .collect()
        .await;
    running.abort();
    let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok((status, body.to_bytes().to_vec()))
}

/// Time limit of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Maximum length of an answer in bytes.
const ANSWER_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::may_call;

    #[test]
    fn what_is_not_encrypted_is_only_called_on_this_host() {
        for address in [
            "https://id.example/realm",
            "http://127.0.0.1:9/x",
            "http://localhost/",
            "http://[::1]:80/",
        ] {
            assert!(may_call(address), "{address}");
        }
        for address in [
            "http://id.example",
            "http://localhost.example",
            "ftp://127.0.0.1",
            "id.example",
            "http://0x7f.1",
        ] {
            assert!(!may_call(address), "{address}");
        }
    }
}
