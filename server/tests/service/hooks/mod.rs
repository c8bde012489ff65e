//! Webhooks, server-sent events, and the corpus.

mod corpus;
mod receiver;
mod stream;
mod webhooks;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uniq::certificate::{KeyKind, PrivateKey};

use crate::support::{Service, ok};
use receiver::Receiver;

/// Settings that permit these receivers and retry after a second.
fn settings(receivers: &[&Receiver]) -> String {
    let ports: Vec<String> = receivers
        .iter()
        .map(|receiver| receiver.port.to_string())
        .collect();
    format!(
        "[webhooks]\nallow_http = true\nallow_private = true\nports = [{}]\nfirst_retry_seconds = 1\ntime_out_seconds = 2\n",
        ports.join(", ")
    )
}

/// Settings of certificates signed with a key in this folder.
fn signing(folder: &Path) -> String {
    let file = folder.join("key.pem");
    PrivateKey::generate(KeyKind::Ed25519)
        .unwrap()
        .save(&file)
        .unwrap();
    format!("[certificate]\nkey = {file:?}\nname = \"the public corpus of these tests\"\n")
}

fn make(service: &Service, key: &str, url: &str) -> Value {
    ok(service
        .with_key(key, "POST", "/v1/webhooks")
        .json(&json!({ "url": url }))
        .send()
        .unwrap())
}

fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// Repeats a request until the answer is as wanted.
fn until(service: &Service, key: &str, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let now = service.get(key, path);
        if is_wanted(&now) {
            return now;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{path}: {now}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits for the end of the job that an answer names.
fn done(service: &Service, key: &str, job: &Value) -> Value {
    let path = format!("/v1/jobs/{}", id_of(job));
    until(service, key, &path, |now| {
        !matches!(now["state"].as_str(), Some("queued" | "running"))
    })
}
