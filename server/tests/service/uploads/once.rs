//! `Idempotency-Key`: nothing happens twice.

use std::time::Duration;

use serde_json::json;

use super::{
    Client, PATIENCE, begin, by, files, header, heard, start, submissions, wait_for_uploads,
};
use crate::support::{Service, ok, problem};

#[test]
fn the_same_request_again_has_the_same_answer_and_does_nothing() {
    let service = start("");
    let key = service.key("acme", "submit,read,admin");
    let submit = |path: &str, name: &str, body: &str| {
        service
            .with_key(&key, "POST", path)
            .header("Idempotency-Key", name)
            .body(body.to_owned())
            .send()
            .unwrap()
    };
    let first = submit("/v1/submissions?creator=ada", "one", "bytes");
    assert_eq!(first.status(), 202);
    let location = header(&first, "location");
    let first = ok(first);
    let again = submit("/v1/submissions?creator=ada", "one", "bytes");
    assert_eq!(
        (again.status().as_u16(), header(&again, "location")),
        (202, location)
    );
    assert_eq!(
        header(&again, "content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(ok(again), first, "as it was then, not as it is now");
    problem(422, submit("/v1/submissions?creator=ada", "one", "others"));
    problem(422, submit("/v1/submissions?creator=bob", "one", "bytes"));
    // Another key has its own names.
    let other = service.key("acme", "submit,read");
    let theirs = service
        .with_key(&other, "POST", "/v1/submissions?creator=bob")
        .header("Idempotency-Key", "one");
    assert_eq!(theirs.body("theirs").send().unwrap().status(), 202);
    assert_eq!(submissions(&service, &key).len(), 2);

    // A tus upload, which its headers describe.
    let client = Client {
        service: &service,
        key: &key,
    };
    let make = |creator: &str| {
        let asked = client
            .request("POST", "/v1/uploads")
            .header("Idempotency-Key", "two");
        asked
            .header("Upload-Length", 10)
            .header("Upload-Metadata", by(creator))
            .send()
            .unwrap()
    };
    let (made, again) = (make("ada"), make("ada"));
    assert_eq!(
        (made.status().as_u16(), again.status().as_u16()),
        (201, 201)
    );
    assert_eq!(header(&made, "location"), header(&again, "location"));
    problem(422, make("bob"));
    assert_eq!(files(&service, "uploads").len(), 1);

    // A key is created once, and shown again to its creator; the database never stores it.
    let make = || {
        let wanted = json!({ "name": "x", "scopes": ["read"] });
        ok(service
            .with_key(&key, "POST", "/v1/keys")
            .header("Idempotency-Key", "3")
            .json(&wanted)
            .send()
            .unwrap())
    };
    let (made, again) = (make(), make());
    assert_eq!(made, again);
    for name in ["ledger.db", "ledger.db-wal"] {
        let Ok(kept) = std::fs::read(service.data().join(name)) else {
            continue;
        };
        let secret = made["secret"].as_str().unwrap().as_bytes();
        assert!(
            !kept.windows(secret.len()).any(|part| part == secret),
            "{name}"
        );
    }
    for wrong in ["", &"x".repeat(256)] {
        problem(400, submit("/v1/submissions?creator=ada", wrong, "bytes"));
    }
}

#[test]
fn what_was_refused_for_now_or_broke_can_be_asked_for_again() {
    let mut service = start("[uploads]\nmax_open = 1\n");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let path = client.make(10);
    let submit = |service: &Service| {
        let asked = service
            .with_key(&key, "POST", "/v1/submissions?creator=ada")
            .header("Idempotency-Key", "one");
        asked.body("0123456789").send().unwrap()
    };
    problem(429, submit(&service));
    assert_eq!(
        client.request("DELETE", &path).send().unwrap().status(),
        204
    );
    // In progress, but no longer once its connection breaks.
    let headers = "Content-Length: 10\r\nIdempotency-Key: one\r\n";
    let sending = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        headers,
        b"01234",
    );
    std::thread::sleep(Duration::from_millis(400));
    // A short body is read before the work, a long one during it.
    let long = "Content-Length: 2000000\r\nIdempotency-Key: two\r\n";
    let streaming = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        long,
        &[b'x'; 100_000],
    );
    wait_for_uploads(&service, 1);
    let busy = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        &format!("{long}Connection: close\r\n"),
        b"",
    );
    let said = heard(busy);
    assert!(
        said.starts_with("HTTP/1.1 409") && said.to_lowercase().contains("retry-after: 1"),
        "{said}"
    );
    drop((sending, streaming));
    service.wait_until("the names are free", PATIENCE, || {
        submit(&service).status() == 202
    });
    // Nor does a crash block the name.
    let headers = "Content-Length: 2000000\r\nIdempotency-Key: three\r\n";
    let sending = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        headers,
        &[b'y'; 100_000],
    );
    wait_for_uploads(&service, 1);
    service.kill();
    drop(sending);
    service.run();
    let asked = service
        .with_key(&key, "POST", "/v1/submissions?creator=ada")
        .header("Idempotency-Key", "three");
    assert_eq!(asked.body("0123456789abc").send().unwrap().status(), 202);
    // The answer from before the crash is still there.
    assert_eq!(submit(&service).status(), 202);
    assert_eq!(submissions(&service, &key).len(), 2);
}
