//! The corpus through HTTP, and the effects of its changes on submissions.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use uniq::Decoding;
use uniq::ingest::{self, BuildOptions};

use super::receiver::{Came, Receiver};
use super::{done, id_of, make, settings, signing, until};
use crate::footage::scenes::{edit, excerpt, moving, tripod};
use crate::support::{Service, ok, problem};

fn sha256(file: &Path) -> String {
    use sha2::Digest as _;
    uniq_server::auth::hex(&sha2::Sha256::digest(std::fs::read(file).unwrap()))
}

fn upload(service: &Service, key: &str, file: &Path, query: &str) -> Value {
    let body = std::fs::read(file).unwrap();
    let sent = service
        .with_key(key, "POST", &format!("/v1/sources/upload{query}"))
        .body(body)
        .send()
        .unwrap();
    assert_eq!(sent.status(), 202);
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let job = ok(sent);
    assert_eq!(location, format!("/v1/jobs/{}", id_of(&job)));
    done(service, key, &job)
}

#[test]
fn what_becomes_public_through_the_interface_is_taken_off_what_was_offered() {
    let receiver = Receiver::start(Vec::new());
    let place = tempfile::tempdir().unwrap();
    let settings =
        settings(&[&receiver]) + &signing(place.path()) + "[recheck]\nevery_hours = 0.0\n";
    let service = Service::start(&settings, &[tripod(79, 1, 6)]);
    let (operator, key) = (
        service.key("operator", "admin"),
        service.key("acme", "submit,read"),
    );
    make(&service, &service.key("acme", "admin"), &receiver.url("/"));
    let (clip, other) = (moving(761, 12), moving(762, 6));
    let id = id_of(&service.submit(&key, "ada", &clip));
    let untouched = id_of(&service.submit(&key, "ada", &other));
    let before = service.answer(&key, &id);
    let first = before["payable_s"].as_f64().unwrap();
    let earlier = service.answer(&key, &untouched);
    let certificate = service.get(&key, &format!("/v1/submissions/{id}/certificate"));
    let added = upload(
        &service,
        &operator,
        &excerpt(&clip, 3.0, 6.0),
        "?url=https://example.com/v&title=Found",
    );
    assert_eq!(
        (&added["state"], &added["result"]["added"]),
        (&"done".into(), &1.into()),
        "{added}"
    );
    let now = until(&service, &key, &format!("/v1/submissions/{id}"), |now| {
        now["payable_s"] != before["payable_s"]
    });
    assert!(
        now["payable_s"].as_f64().unwrap() < first - 3.0,
        "{first}: {now}"
    );
    assert_eq!(now["verdict"], "partly_published");
    let superseded = receiver
        .wait(1, |came| came.json()["type"] == "certificate.superseded")
        .remove(0)
        .json();
    assert_eq!(superseded["data"]["id"], *id);
    let newer = service.get(&key, &format!("/v1/submissions/{id}/certificate"));
    assert_ne!(newer, certificate);
    let file = service.data().join("certificates");
    let file = file.join(format!(
        "{}.json",
        superseded["data"]["superseded_by_sha256"].as_str().unwrap()
    ));
    assert_eq!(
        serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap(),
        newer
    );
    // The other one is unchanged, and nobody was notified twice.
    assert_eq!(
        service.get(&key, &format!("/v1/submissions/{untouched}")),
        earlier
    );
    let of_other = |came: &&Came| came.json()["data"]["id"] == *untouched;
    assert_eq!(
        receiver.came().iter().filter(of_other).count(),
        2,
        "{:?}",
        receiver.came()
    );
}

#[test]
fn sources_are_added_listed_and_removed_by_the_operator_alone() {
    let place = tempfile::tempdir().unwrap();
    let open = place.path().canonicalize().unwrap().join("open");
    std::fs::create_dir_all(open.join("many")).unwrap();
    let closed = place.path().join("closed.mp4");
    std::fs::copy(moving(765, 6), &closed).unwrap();
    for (seed, name) in [
        (766, "one.mp4"),
        (767, "many/two.mp4"),
        (768, "many/three.mp4"),
    ] {
        std::fs::copy(moving(seed, 6), open.join(name)).unwrap();
    }
    std::fs::write(
        open.join("many/broken.mp4"),
        b"\0\0\0\x18ftypmp42 and no more",
    )
    .unwrap();
    std::fs::write(open.join("list.csv"), "path\n../closed.mp4\n").unwrap();
    symlink(&closed, open.join("link.mp4")).unwrap();
    let service = Service::start_empty(&format!("[corpus]\nfolders = [{open:?}]\n"));
    let operator = service.key("operator", "admin");
    // Without a source there is no index.
    problem(
        503,
        service
            .with_key(&operator, "GET", "/v1/sources")
            .send()
            .unwrap(),
    );
    let add = |path: &Path, more: Value| {
        let body = json!({ "path": path, "published": more });
        service
            .with_key(&operator, "POST", "/v1/sources")
            .json(&body)
            .send()
            .unwrap()
    };
    let published = json!({ "url": "https://example.com/1", "published_at": "2024-02-03" });
    let one = done(
        &service,
        &operator,
        &ok(add(&open.join("one.mp4"), published)),
    );
    assert_eq!(one["result"]["sha256"], sha256(&moving(766, 6)), "{one}");
    let many = done(&service, &operator, &ok(add(&open.join("many"), json!({}))));
    assert_eq!(
        (&many["result"]["added"], &many["result"]["failed"]),
        (&2.into(), &1.into()),
        "{many}"
    );
    assert!(!many.to_string().contains(open.to_str().unwrap()), "{many}");
    for (path, more) in [
        (closed.clone(), json!({})),
        (open.join("link.mp4"), json!({})),
        (open.join("../closed.mp4"), json!({})),
        (open.join("many/../../closed.mp4"), json!({})),
        (open.join("list.csv"), json!({})),
        (open.join("missing.mp4"), json!({})),
        ("/etc/passwd".into(), json!({})),
        (open.join("many"), json!({ "url": "https://example.com/" })),
        (open.join("one.mp4"), json!({ "published_at": "yesterday" })),
    ] {
        problem(400, add(&path, more));
    }
    let broken = upload(&service, &operator, &open.join("many/broken.mp4"), "");
    assert_eq!(broken["state"], "failed", "{broken}");
    assert_eq!(
        std::fs::read_dir(service.data().join("sources"))
            .unwrap()
            .count(),
        0
    );
    let uploaded = upload(&service, &operator, &moving(769, 6), "");
    assert_eq!(uploaded["result"]["added"], 1, "{uploaded}");
    // Page by page, in order, each item once.
    let (mut found, mut path) = (Vec::new(), "/v1/sources?limit=1".to_owned());
    loop {
        let page = service.get(&operator, &path);
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/sources?limit=1&after={next}");
    }
    let mut expected: Vec<String> = (766..770).map(|seed| sha256(&moving(seed, 6))).collect();
    expected.sort();
    assert_eq!(
        found
            .iter()
            .map(|of| of["sha256"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>(),
        expected
    );
    let of_one = service.get(
        &operator,
        &format!("/v1/sources/{}", sha256(&moving(766, 6))),
    );
    assert_eq!(of_one["published"]["url"], "https://example.com/1");
    // Snapshots are not affected by later changes.
    let generation = service.get(&service.key("acme", "read"), "/v1/index")["generation"].clone();
    let snapshot = ok(service
        .with_key(&operator, "POST", "/v1/index/snapshots")
        .send()
        .unwrap());
    assert_eq!(
        done(&service, &operator, &snapshot)["result"]["generation"],
        generation
    );
    let gone = sha256(&moving(769, 6));
    let removing = ok(service
        .with_key(&operator, "DELETE", &format!("/v1/sources/{gone}"))
        .send()
        .unwrap());
    assert_eq!(done(&service, &operator, &removing)["result"]["removed"], 1);
    let path = format!("/v1/sources/{gone}");
    let began = std::time::Instant::now();
    while service
        .with_key(&operator, "GET", &path)
        .send()
        .unwrap()
        .status()
        != 404
    {
        assert!(began.elapsed().as_secs() < 10);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    problem(
        404,
        service.with_key(&operator, "DELETE", &path).send().unwrap(),
    );
    assert_eq!(
        std::fs::read_dir(service.data().join("sources"))
            .unwrap()
            .count(),
        0
    );
    let listed = service.get(&operator, "/v1/index/snapshots");
    assert_eq!(
        (
            &listed["items"][0]["generation"],
            &listed["items"][0]["is_kept"]
        ),
        (&generation, &true.into())
    );
    let kept =
        uniq::index::Index::open(&service.data().join(format!("snapshots/{generation}"))).unwrap();
    assert_eq!(kept.videos().count(), 4);
    // Other tenants have no access, and nobody sees another's jobs.
    let one = sha256(&moving(766, 6));
    let other = service.key("umbrella", "submit,read,review,admin");
    let reader = service.key("operator", "submit,read,review");
    for key in [&other, &reader] {
        for (method, path) in [
            ("GET", "/v1/sources"),
            ("GET", &*format!("/v1/sources/{one}")),
            ("DELETE", &format!("/v1/sources/{one}")),
            ("POST", "/v1/sources/upload"),
            ("POST", "/v1/index/snapshots"),
            ("GET", "/v1/index/snapshots"),
            ("POST", "/v1/index/accept"),
        ] {
            problem(
                403,
                service
                    .with_key(key, method, path)
                    .body("x")
                    .send()
                    .unwrap(),
            );
        }
        let body = json!({ "path": open.join("one.mp4") });
        problem(
            403,
            service
                .with_key(key, "POST", "/v1/sources")
                .json(&body)
                .send()
                .unwrap(),
        );
    }
    problem(
        404,
        service
            .with_key(&other, "GET", &format!("/v1/jobs/{}", id_of(&snapshot)))
            .send()
            .unwrap(),
    );
    problem(
        404,
        service
            .with_key(&other, "GET", "/v1/jobs/none")
            .send()
            .unwrap(),
    );
}

#[test]
fn without_an_index_submissions_wait_and_with_one_they_are_answered() {
    let service = Service::start_empty("");
    let (operator, key) = (
        service.key("operator", "admin"),
        service.key("acme", "submit,read"),
    );
    problem(
        503,
        service.with_key(&key, "GET", "/v1/index").send().unwrap(),
    );
    assert_eq!(
        service.request("GET", "/readyz").send().unwrap().status(),
        503
    );
    let id = id_of(&service.submit(&key, "ada", &moving(771, 6)));
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(
        service.get(&key, &format!("/v1/submissions/{id}"))["state"],
        "queued"
    );
    upload(&service, &operator, &tripod(79, 1, 6), "");
    assert_eq!(service.answer(&key, &id)["verdict"], "unpublished");
    assert_eq!(
        service.request("GET", "/readyz").send().unwrap().status(),
        200
    );
}

#[test]
fn another_index_in_the_place_of_the_one_that_was_there_answers_nothing_until_it_is_accepted() {
    let service = Service::start("", &[tripod(79, 1, 6), moving(772, 6)]);
    let (operator, key) = (
        service.key("operator", "admin"),
        service.key("acme", "submit,read"),
    );
    assert_eq!(service.get(&key, "/v1/index")["videos"], 2);
    // An index without the public videos, which would then seem unpublished.
    let other = service.folder().join("other");
    let sources = ingest::sources(&[moving(773, 6)]).unwrap();
    let options = BuildOptions::new(Decoding::in_process());
    ingest::build(&other, sources, &options, &|_| {}, &AtomicBool::new(false)).unwrap();
    let index = service.data().join("index");
    std::fs::rename(&index, service.folder().join("first")).unwrap();
    std::fs::rename(&other, &index).unwrap();
    let copy = edit(&moving(772, 6), "hflip", &[], "mp4");
    let id = id_of(&service.submit(&key, "ada", &copy));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(
        service.get(&key, &format!("/v1/submissions/{id}"))["state"],
        "queued"
    );
    let said = problem(
        503,
        service.with_key(&key, "GET", "/v1/index").send().unwrap(),
    );
    assert_eq!(said["type"], "urn:uniq:problem:no_index");
    assert!(
        !said
            .to_string()
            .contains(&*service.data().to_string_lossy()),
        "{said}"
    );
    assert_eq!(
        service.request("GET", "/readyz").send().unwrap().status(),
        503
    );
    // After it is put back, answers are given again.
    std::fs::rename(&index, &other).unwrap();
    std::fs::rename(service.folder().join("first"), &index).unwrap();
    assert_eq!(service.answer(&key, &id)["verdict"], "published");
    // A person may accept the other index.
    std::fs::rename(&index, service.folder().join("first")).unwrap();
    std::fs::rename(&other, &index).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    problem(
        503,
        service.with_key(&key, "GET", "/v1/index").send().unwrap(),
    );
    let accepted = ok(service
        .with_key(&operator, "POST", "/v1/index/accept")
        .send()
        .unwrap());
    assert_eq!(
        (&accepted["videos"], &service.get(&key, "/v1/index")),
        (&1.into(), &accepted)
    );
}
