//! The requirements of tus 1.0.0.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use uniq::ledger::{Ledger, Mode, Place};

use super::{
    Client, and, begin, by, files, header, heard, id_of, read, start, submissions, wait_for_bytes,
};
use crate::footage::scenes::moving;
use crate::support::problem;

#[test]
fn an_upload_in_parts_becomes_a_submission_with_its_last_byte() {
    let service = start("");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let clip = read(&moving(731, 8));
    let (third, length) = (clip.len() / 3, clip.len() as u64);
    let metadata = and(
        &and(&by("ada"), "filename", "../../etc/passwd"),
        "reference",
        "order 17",
    );
    let made = client.ask(length, &metadata);
    assert_eq!(
        (made.status().as_u16(), header(&made, "upload-offset")),
        (201, Some("0".to_owned()))
    );
    assert!(header(&made, "upload-expires").unwrap().ends_with(" GMT"));
    let path = header(&made, "location").unwrap();
    let first = client.patch(&path, 0, &clip[..third]);
    assert_eq!(
        (first.status().as_u16(), header(&first, "upload-offset")),
        (204, Some(third.to_string()))
    );
    assert_eq!(header(&first, "submission"), None);
    // No offset is guessed, and nothing is overwritten.
    for wrong in [0, third as u64 - 1, third as u64 + 1, length] {
        problem(409, client.patch(&path, wrong, &clip[third..]));
    }
    let head = client.head(&path);
    assert_eq!(
        header(&head, "upload-metadata").as_deref(),
        Some(&*metadata)
    );
    assert_eq!(header(&head, "upload-length"), Some(length.to_string()));
    assert_eq!(header(&head, "tus-resumable").as_deref(), Some("1.0.0"));
    let mut more = clip[third..].to_vec();
    more.push(0);
    problem(413, client.patch(&path, third as u64, &more));
    assert_eq!(
        client.offset(&path),
        third as u64,
        "what is too long is not kept"
    );
    let last = client.patch(&path, third as u64, &clip[third..]);
    let submission = header(&last, "submission").unwrap();
    assert_eq!(
        (last.status().as_u16(), submission.as_str()),
        (204, &*format!("/v1/submissions/{}", id_of(&path)))
    );
    let answer = service.answer(&key, id_of(&path));
    assert_eq!(
        (&answer["state"], &answer["verdict"]),
        (&"checked".into(), &"unpublished".into()),
        "{answer}"
    );
    assert_eq!(answer["reference"], "order 17");
    // A client that missed the last answer asks again, and gets it.
    let head = client.head(&path);
    assert_eq!(
        (header(&head, "upload-offset"), header(&head, "submission")),
        (Some(length.to_string()), Some(submission.clone()))
    );
    assert_eq!(
        header(&client.patch(&path, length, b""), "submission"),
        Some(submission.clone())
    );
    problem(413, client.patch(&path, length, b"x"));
    problem(409, client.request("DELETE", &path).send().unwrap());
    // The same bytes by the same creator are the same submission.
    assert_eq!(
        header(&client.upload(&by("ada"), &clip), "submission"),
        Some(submission)
    );
    assert_eq!(submissions(&service, &key).len(), 1);
    assert_eq!(
        (
            files(&service, "clips").len(),
            files(&service, "uploads").len()
        ),
        (1, 0)
    );
}

#[test]
fn what_is_offered_is_told_and_nothing_else_is_taken() {
    let service = start("[uploads]\nmax_bytes = 1000\n");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    for path in [
        "/v1/uploads",
        "/v1/uploads/01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        let offered = service.request("OPTIONS", path).send().unwrap();
        assert_eq!(offered.status(), 204);
        for (name, value) in [
            ("tus-resumable", "1.0.0"),
            ("tus-version", "1.0.0"),
            ("tus-max-size", "1000"),
            (
                "tus-extension",
                "creation,creation-with-upload,expiration,termination,checksum",
            ),
            ("tus-checksum-algorithm", "sha1,sha256"),
        ] {
            assert_eq!(header(&offered, name).as_deref(), Some(value), "{name}");
        }
    }
    let path = client.make(10);
    for version in [None, Some("0.2.2")] {
        for (method, path) in [
            ("POST", "/v1/uploads"),
            ("HEAD", &*path),
            ("PATCH", &*path),
            ("DELETE", &*path),
        ] {
            let asked = service.with_key(&key, method, path);
            let asked = version.map_or(asked.try_clone().unwrap(), |version| {
                asked.header("Tus-Resumable", version)
            });
            let refused = asked.send().unwrap();
            assert_eq!(
                (
                    refused.status().as_u16(),
                    header(&refused, "tus-version").as_deref()
                ),
                (412, Some("1.0.0"))
            );
        }
    }
    let plain = client
        .request("PATCH", &path)
        .header("Upload-Offset", 0)
        .body("0123456789");
    problem(415, plain.try_clone().unwrap().send().unwrap());
    problem(
        415,
        plain
            .header("Content-Type", "application/octet-stream")
            .send()
            .unwrap(),
    );
    let typed = client
        .request("PATCH", &path)
        .header("Content-Type", "application/offset+octet-stream");
    problem(
        400,
        typed
            .try_clone()
            .unwrap()
            .body("0123456789")
            .send()
            .unwrap(),
    );
    problem(
        400,
        typed
            .header("Upload-Offset", "-0")
            .body("0123456789")
            .send()
            .unwrap(),
    );
    problem(
        415,
        client
            .request("POST", "/v1/uploads")
            .header("Upload-Length", 3)
            .header("Upload-Metadata", by("a"))
            .body("abc")
            .send()
            .unwrap(),
    );
    for (name, value) in [("Upload-Concat", "partial"), ("Upload-Defer-Length", "1")] {
        let asked = client
            .request("POST", "/v1/uploads")
            .header(name, value)
            .header("Upload-Metadata", by("ada"));
        problem(400, asked.header("Upload-Length", 3).send().unwrap());
    }
    problem(422, client.ask(0, &by("ada")));
    problem(400, client.ask(3, "filename Lg=="));
    for id in [
        "x",
        "..%2f..%2fledger.db",
        "%2e%2e",
        "01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        let found = client.head(&format!("/v1/uploads/{id}"));
        assert_eq!(found.status(), 404, "{id}");
    }
    // For clients that can only POST, the header names the method.
    let over = |method: &str| {
        client
            .request("POST", &path)
            .header("X-HTTP-Method-Override", method)
    };
    let patched = over("PATCH")
        .header("Upload-Offset", 0)
        .header("Content-Type", "application/offset+octet-stream");
    assert_eq!(patched.body("01234").send().unwrap().status(), 204);
    assert_eq!(client.offset(&path), 5);
    problem(405, over("PUT").send().unwrap());
    assert_eq!(over("DELETE").send().unwrap().status(), 204);
    assert_eq!(client.head(&path).status(), 404);
    assert!(files(&service, "uploads").is_empty());
}

#[test]
fn bytes_whose_checksum_is_not_theirs_are_never_kept() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let (path, bytes) = (client.make(1 << 20), vec![7_u8; 1 << 19]);
    let sha256 = format!("sha256 {}", STANDARD.encode(Sha256::digest(&bytes)));
    let patched = client
        .patching(&path, 0, &bytes)
        .header("Upload-Checksum", &sha256)
        .send()
        .unwrap();
    assert_eq!(patched.status(), 204);
    let half = bytes.len() as u64;
    let mut wrong = bytes.clone();
    wrong[77] ^= 1;
    problem(
        460,
        client
            .patching(&path, half, &wrong)
            .header("Upload-Checksum", &sha256)
            .send()
            .unwrap(),
    );
    for unknown in ["md5 AAAA", "sha256 AAAA", "sha256"] {
        problem(
            400,
            client
                .patching(&path, half, &bytes)
                .header("Upload-Checksum", unknown)
                .send()
                .unwrap(),
        );
    }
    assert_eq!(client.offset(&path), half);
    // The bytes of a broken request cannot be verified.
    let headers = format!(
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: {half}\r\nUpload-Checksum: {sha256}\r\nContent-Length: {half}\r\n\
         Content-Type: application/offset+octet-stream\r\n"
    );
    let patch = format!("PATCH {path}");
    let broken = begin(&service, &patch, &key, &headers, &wrong[..300_000]);
    wait_for_bytes(&service, &path, half + 1);
    drop(broken);
    assert_eq!(client.offset(&path), half);
    // Nor those from before a crash.
    let broken = begin(&service, &patch, &key, &headers, &wrong[..300_000]);
    wait_for_bytes(&service, &path, half + 1);
    service.kill();
    drop(broken);
    service.run();
    let client = Client {
        service: &service,
        key: &key,
    };
    assert_eq!(client.offset(&path), half);
    // The first bytes may come with the creation.
    let made = client
        .request("POST", "/v1/uploads")
        .header("Upload-Metadata", by("bob"))
        .header("Upload-Length", 1 << 20);
    let made = made
        .header("Upload-Checksum", &sha256)
        .header("Content-Type", "application/offset+octet-stream");
    let refused = made.try_clone().unwrap().body(wrong).send().unwrap();
    let there = header(&refused, "location").unwrap();
    problem(460, refused);
    assert_eq!(client.offset(&there), 0);
    let made = made.body(bytes).send().unwrap();
    assert_eq!(
        (made.status().as_u16(), header(&made, "upload-offset")),
        (201, Some(half.to_string()))
    );
}

#[test]
fn two_never_write_one_upload_at_once() {
    let service = start("");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let path = client.make(1_000_000);
    let first = client.begin_patch(&path, 0, 1_000_000, &[1; 400_000]);
    wait_for_bytes(&service, &path, 1);
    let second = client.patch(&path, 0, &[2; 10]);
    assert_eq!(header(&second, "retry-after").as_deref(), Some("1"));
    problem(423, second);
    assert_eq!(client.head(&path).status(), 423);
    problem(423, client.request("DELETE", &path).send().unwrap());
    drop(first);
    assert_eq!(client.offset(&path), 400_000);
    assert_eq!(
        read(&service.data().join("uploads").join(id_of(&path))),
        vec![1; 400_000]
    );
    assert_eq!(
        client.request("DELETE", &path).send().unwrap().status(),
        204
    );
    assert_eq!(client.head(&path).status(), 404);
}

#[test]
fn an_upload_of_another_tenant_is_not_there() {
    let service = start("");
    let (acme, other) = (
        service.key("acme", "submit,read"),
        service.key("umbrella", "submit,read"),
    );
    let (client, stranger) = (
        Client {
            service: &service,
            key: &acme,
        },
        Client {
            service: &service,
            key: &other,
        },
    );
    let path = client.make(10);
    assert_eq!(stranger.head(&path).status(), 404);
    problem(404, stranger.patch(&path, 0, b"0123456789"));
    problem(404, stranger.request("DELETE", &path).send().unwrap());
    // Other tenants do not even learn that somebody writes it.
    let writing = client.begin_patch(&path, 0, 10, b"01234");
    // Only the service sees when it is locked, and a HEAD that is earlier locks out the PATCH.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(
        (
            client.head(&path).status().as_u16(),
            stranger.head(&path).status().as_u16()
        ),
        (423, 404)
    );
    drop(writing);
    assert_eq!(client.offset(&path), 5);
    let reader = service.key("acme", "read");
    problem(
        403,
        Client {
            service: &service,
            key: &reader,
        }
        .ask(3, &by("ada")),
    );
}

#[test]
fn an_upload_that_nobody_goes_on_with_expires_and_frees_its_room() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    let (old, young) = {
        let client = Client {
            service: &service,
            key: &key,
        };
        let (old, young) = (client.make(10), client.make(10));
        assert_eq!(client.patch(&old, 0, b"01234").status(), 204);
        (old, young)
    };
    let ledger = service.data().join("ledger.db");
    let age = |id: &str| {
        let clock = std::time::SystemTime::now;
        let mut ledger = Ledger::open(
            &Place::File(ledger.clone()),
            Duration::from_secs(10),
            clock,
            false,
        )
        .unwrap();
        let statement =
            "UPDATE service_uploads SET changed_ms = changed_ms - 90000000 WHERE id = $1";
        assert_eq!(
            ledger
                .transaction(Mode::Write, |tables| tables
                    .execute(statement, &[id.into()]))
                .unwrap(),
            1
        );
    };
    age(id_of(&old));
    let client = Client {
        service: &service,
        key: &key,
    };
    problem(410, client.patch(&old, 5, b"56789"));
    service.kill();
    service.run();
    let client = Client {
        service: &service,
        key: &key,
    };
    let begun = Instant::now();
    while client.head(&old).status() != 404 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            service.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(files(&service, "uploads"), [id_of(&young)]);
    assert_eq!(client.offset(&young), 0);
}

#[test]
fn an_unwanted_body_does_not_take_the_answer_with_it() {
    let service = start("[uploads]\nmax_bytes = 1000\n");
    let key = service.key("acme", "submit,read");
    let headers = format!("Content-Length: {}\r\nConnection: close\r\n", 4 << 20);
    let refused = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        &headers,
        &vec![0; 4 << 20],
    );
    assert!(heard(refused).starts_with("HTTP/1.1 413"));
    // A client that asks first need not send the body.
    let headers = "Content-Length: 5000\r\nExpect: 100-continue\r\nConnection: close\r\n";
    let refused = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        headers,
        b"",
    );
    assert!(heard(refused).starts_with("HTTP/1.1 413"));
}
