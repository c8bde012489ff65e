#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

fn openssl(folder: &Path, line: &str) {
    let done = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    assert!(done.unwrap().success(), "openssl {line}");
}

/// Starts a server with a certificate for `name` by a new authority. Returns the authority's
/// certificate and the port.
async fn server(folder: &Path, name: &str) -> (CertificateDer<'static>, u16) {
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        folder,
        &format!("req -x509 {new} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"),
    );
    openssl(
        folder,
        &format!("req {new} -keyout key.pem -out request.pem -subj /CN=server"),
    );
    std::fs::write(folder.join("names"), format!("subjectAltName=DNS:{name}\n")).unwrap();
    openssl(
        folder,
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names",
    );
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(
        builder.with_single_cert(vec![certificate], key).unwrap(),
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = vec![0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 204 Taken\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (
        CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap(),
        port,
    )
}

fn message(url: String) -> Outgoing {
    Outgoing {
        url,
        id: "1".to_owned(),
        timestamp_s: 1,
        signature: "v1,".to_owned(),
        body: "{}".to_owned(),
    }
}

#[tokio::test]
async fn a_secure_endpoint_is_believed_only_with_a_certificate_of_its_name() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, port) = server(folder.path(), "localhost").await;
    let (other_authority, other_port) = server(other.path(), "example.com").await;
    let rules = WebhooksConfig {
        allow_private: true,
        ports: vec![port, other_port],
        ..WebhooksConfig::default()
    };
    let trusting = |authorities: &[&CertificateDer<'static>]| {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add((*authority).clone()).unwrap();
        }
        tls::by(roots)
    };
    let both = || trusting(&[&authority, &other_authority]);
    let to = |port| message(format!("https://localhost:{port}/in"));
    let taken = send_with(&to(port), &rules, both()).await;
    assert_eq!(
        taken,
        Answered {
            status: Some(204),
            ..Answered::default()
        }
    );
    for (port, tls) in [
        (other_port, both()),
        (port, trusting(&[&other_authority])),
        (port, None),
    ] {
        let refused = send_with(&to(port), &rules, tls).await;
        assert!(
            refused.status.is_none() && refused.reason.is_some(),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let _ = stream.read(&mut head).await;
            if head.starts_with(b"POST /body") {
                let _ = stream.write_all(b"HTTP/1.1 200 Taken\r\n\r\n").await;
            } else {
                let _ = stream.write_all(b"HTTP/1.1 200 Taken\r\n").await;
            }
            // Endless headers or an endless body.
            while stream
                .write_all(&b"a: bcdefghijklmnopqrstuvwxyz\r\n".repeat(100))
                .await
                .is_ok()
            {}
        }
    });
    let rules = WebhooksConfig {
        allow_http: true,
        allow_private: true,
        ports: vec![port],
        ..WebhooksConfig::default()
    };
    let began = std::time::Instant::now();
    let taken = send(&message(format!("http://127.0.0.1:{port}/body")), &rules).await;
    assert_eq!((taken.status, taken.reason), (Some(200), None));
    let refused = send(&message(format!("http://127.0.0.1:{port}/head")), &rules).await;
    assert!(refused.reason.is_some(), "{refused:?}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
