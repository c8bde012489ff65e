//! Submissions, keys and tenants.

use crate::footage::scenes::{edit, excerpt, moving, tripod};
use crate::support::{Service, ok, problem};

#[test]
fn a_clip_is_received_checked_and_answered() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let sent = service.submit(&key, "lovelace", &moving(701, 8));
    assert_eq!(
        (&sent["state"], &sent["creator"]),
        (&"queued".into(), &"lovelace".into())
    );
    let id = sent["id"].as_str().unwrap();
    let answer = service.answer(&key, id);
    assert_eq!(
        (&answer["state"], &answer["verdict"]),
        (&"checked".into(), &"unpublished".into()),
        "{answer}"
    );
    assert!(answer["payable_s"].as_f64().unwrap() > 4.0, "{answer}");
    let report = service.get(&key, &format!("/v1/submissions/{id}/report"));
    assert_eq!(
        (&report["clip"]["path"], &report["submission"]["by"]),
        (&id.into(), &"lovelace".into())
    );
    assert!(
        !report
            .to_string()
            .contains(&*service.data().to_string_lossy()),
        "a path of the server"
    );
    // The same bytes again are the same submission.
    let again = service
        .with_key(&key, "POST", "/v1/submissions?creator=lovelace")
        .body(std::fs::read(moving(701, 8)).unwrap());
    let again = again.send().unwrap();
    assert_eq!(again.status(), 200);
    assert_eq!(ok(again)["id"], id);
}

#[test]
fn another_tenant_learns_nothing_but_that_somebody_was_first() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let (acme, other) = (
        service.key("acme", "submit,read"),
        service.key("umbrella", "submit,read,review"),
    );
    let first = service.submit(&acme, "lovelace", &moving(702, 8));
    let id = first["id"].as_str().unwrap();
    service.answer(&acme, id);
    let copy = edit(&excerpt(&moving(702, 8), 1.0, 6.0), "hflip", &[], "mp4");
    let second = service.submit(&other, "bob", &copy);
    let copy_id = second["id"].as_str().unwrap();
    let answer = service.answer(&other, copy_id);
    assert_eq!(answer["payable_s"], 0.0, "{answer}");
    let report = service.get(&other, &format!("/v1/submissions/{copy_id}/report"));
    let deduction = &report["submission"]["deductions"][0];
    assert_eq!(
        (&deduction["reason"], &deduction["number"]),
        (&"disputed".into(), &serde_json::Value::Null),
        "{report}"
    );
    for secret in ["lovelace", "acme", id] {
        assert!(!report.to_string().contains(secret), "{secret}: {report}");
    }
    for path in ["", "/report", "/certificate"] {
        problem(
            404,
            service
                .with_key(&other, "GET", &format!("/v1/submissions/{id}{path}"))
                .send()
                .unwrap(),
        );
    }
    problem(
        404,
        service
            .with_key(&other, "DELETE", &format!("/v1/submissions/{id}"))
            .send()
            .unwrap(),
    );
    assert_eq!(
        service.get(&other, "/v1/submissions")["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let ids: Vec<String> = (0..3)
        .map(|seed| {
            service.submit(&key, "lovelace", &moving(710 + seed, 8))["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    service.kill();
    service.run();
    for id in &ids {
        assert_eq!(service.answer(&key, id)["state"], "checked");
    }
    assert!(service.stop(), "{}", service.log());
}

#[test]
fn a_key_does_what_its_scopes_say_until_it_is_revoked() {
    let service = Service::start_empty("");
    let admin = service.key("acme", "admin");
    problem(
        401,
        service.request("GET", "/v1/submissions").send().unwrap(),
    );
    problem(
        401,
        service
            .with_key("uniq_wrong", "GET", "/v1/submissions")
            .send()
            .unwrap(),
    );
    problem(
        403,
        service
            .with_key(&admin, "GET", "/v1/submissions")
            .send()
            .unwrap(),
    );
    let wanted = serde_json::json!({ "name": "intake", "scopes": ["read"] });
    let made = ok(service
        .with_key(&admin, "POST", "/v1/keys")
        .json(&wanted)
        .send()
        .unwrap());
    let reader = made["secret"].as_str().unwrap();
    assert!(
        service.get(reader, "/v1/submissions")["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    problem(
        403,
        service
            .with_key(reader, "POST", "/v1/submissions?creator=a")
            .body("x")
            .send()
            .unwrap(),
    );
    problem(
        403,
        service.with_key(reader, "GET", "/v1/keys").send().unwrap(),
    );
    let elsewhere =
        serde_json::json!({ "name": "intake", "scopes": ["read"], "tenant": "umbrella" });
    problem(
        403,
        service
            .with_key(&admin, "POST", "/v1/keys")
            .json(&elsewhere)
            .send()
            .unwrap(),
    );
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let stranger = service.key("umbrella", "admin");
    problem(
        404,
        service.with_key(&stranger, "DELETE", &path).send().unwrap(),
    );
    assert_eq!(
        service
            .with_key(&admin, "DELETE", &path)
            .send()
            .unwrap()
            .status(),
        204
    );
    problem(
        401,
        service
            .with_key(reader, "GET", "/v1/submissions")
            .send()
            .unwrap(),
    );
    let database = std::fs::read(service.data().join("ledger.db")).unwrap();
    assert!(
        !database
            .windows(reader.len())
            .any(|part| part == reader.as_bytes()),
        "the key itself is kept"
    );
}

#[test]
fn a_fingerprint_is_confirmed_by_its_clip_and_by_no_other() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let (clip, other) = (moving(750, 8), moving(751, 8));
    let file = service.folder().join("clip.uniq");
    uniq::fingerprint(&clip, &uniq::Decoding::in_process(), None)
        .unwrap()
        .save(&file)
        .unwrap();
    let body = || std::fs::read(&file).unwrap();
    let sent = service
        .with_key(
            &key,
            "POST",
            "/v1/submissions?creator=lovelace&kind=fingerprint",
        )
        .body(body());
    let sent = ok(sent.send().unwrap());
    let id = sent["id"].as_str().unwrap();
    let answer = service.answer(&key, id);
    assert_eq!(
        (&answer["provisional"], &answer["kind"]),
        (&true.into(), &"fingerprint".into()),
        "{answer}"
    );
    // A fingerprint is accepted only where one is expected, and so is the clip.
    problem(
        422,
        service
            .with_key(&key, "POST", "/v1/submissions?creator=bob")
            .body(body())
            .send()
            .unwrap(),
    );
    let direct = service
        .with_key(&key, "POST", "/v1/submissions?creator=lovelace")
        .body(std::fs::read(&clip).unwrap());
    problem(409, direct.send().unwrap());
    let confirm = |file: &std::path::Path| -> serde_json::Value {
        let path = format!("/v1/submissions/{id}/clip");
        let job = ok(service
            .with_key(&key, "POST", &path)
            .body(std::fs::read(file).unwrap())
            .send()
            .unwrap());
        let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
        loop {
            let job = service.get(&key, &path);
            if !matches!(job["state"].as_str(), Some("queued" | "running")) {
                return job;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    let refused = confirm(&other);
    assert_eq!(refused["state"], "failed", "{refused}");
    assert!(
        !refused
            .to_string()
            .contains(&*service.data().to_string_lossy()),
        "{refused}"
    );
    assert_eq!(
        service.get(&key, &format!("/v1/submissions/{id}"))["provisional"],
        true
    );
    let done = confirm(&clip);
    assert_eq!(done["state"], "done", "{done}");
    let now = service.get(&key, &format!("/v1/submissions/{id}"));
    assert_eq!(now["provisional"], false, "{now}");
    assert!(now["payable_s"].as_f64().unwrap() > 4.0, "{now}");
    problem(
        409,
        service
            .with_key(&key, "POST", &format!("/v1/submissions/{id}/clip"))
            .body("x")
            .send()
            .unwrap(),
    );
}
