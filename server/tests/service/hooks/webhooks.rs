//! Messages arrive, signed, after any number of attempts, and only at their endpoint.

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::receiver::{Came, Receiver, Says};
use super::{id_of, make, settings, signing, until};
use crate::footage::scenes::{moving, tripod};
use crate::support::{Service, ok, problem};

fn status(status: u16) -> Says {
    Says::Status(status, String::new())
}

fn is(kind: &'static str) -> impl Fn(&Came) -> bool {
    move |came| came.json()["type"] == kind
}

#[test]
fn a_message_comes_until_it_is_taken_with_the_same_id_and_no_names() {
    let receiver = Receiver::start(vec![
        status(500),
        Says::Nothing(Duration::from_secs(6)),
        status(503),
    ]);
    let place = tempfile::tempdir().unwrap();
    let settings = settings(&[&receiver]) + &signing(place.path());
    let service = Service::start(&settings, &[tripod(79, 1, 6)]);
    let (admin, key) = (
        service.key("acme", "admin"),
        service.key("acme", "submit,read"),
    );
    let webhook = make(&service, &admin, &receiver.url("/in?from=uniq"));
    let sent = service.submit(&key, "ada lovelace", &moving(731, 8));
    let id = id_of(&sent);
    service.answer(&key, &id);
    let tries = receiver.wait(4, |_| true);
    let ids: HashSet<&str> = tries.iter().map(Came::id).collect();
    assert!(ids.len() <= 2, "{tries:?}");
    let path = format!("/v1/webhooks/{}/deliveries", id_of(&webhook));
    let listed = until(&service, &admin, &path, |now| {
        let items = now["items"].as_array().unwrap();
        items.len() == 2 && items.iter().all(|of| of["state"] == "delivered")
    });
    let items = listed["items"].as_array().unwrap();
    assert_eq!(
        (&items[0]["type"], &items[1]["type"]),
        (&"submission.checked".into(), &"certificate.issued".into())
    );
    let attempts: u64 = items
        .iter()
        .map(|of| of["attempts"].as_u64().unwrap())
        .sum();
    assert_eq!(attempts, 5, "{listed}");
    let came = receiver.came();
    let checked = came
        .iter()
        .rfind(|came| came.json()["type"] == "submission.checked")
        .unwrap();
    assert_eq!(checked.path, "/in?from=uniq");
    assert_eq!(checked.id(), items[0]["message"].as_str().unwrap());
    let data = &checked.json()["data"];
    assert_eq!(
        (&data["id"], &data["state"], &data["verdict"]),
        (&sent["id"], &"checked".into(), &"unpublished".into())
    );
    for came in &came {
        for secret in [
            "lovelace",
            "acme",
            ".mp4",
            &*service.data().to_string_lossy(),
        ] {
            assert!(!came.body.contains(secret), "{secret}: {}", came.body);
        }
    }
    let certificate = came
        .iter()
        .rfind(|came| came.json()["type"] == "certificate.issued")
        .unwrap()
        .json();
    let sha256 = certificate["data"]["certificate_sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        service
            .data()
            .join("certificates")
            .join(format!("{sha256}.json"))
            .is_file()
    );
}

#[test]
fn the_library_of_the_specification_verifies_what_is_sent_also_by_either_secret() {
    let receiver = Receiver::start(Vec::new());
    let service = Service::start_empty(&settings(&[&receiver]));
    let admin = service.key("acme", "admin");
    let webhook = make(&service, &admin, &receiver.url("/"));
    let path = format!("/v1/webhooks/{}", id_of(&webhook));
    let test = || {
        ok(service
            .with_key(&admin, "POST", &format!("{path}/test"))
            .send()
            .unwrap())
    };
    test();
    let first = receiver.wait(1, |_| true).remove(0);
    let rotated = ok(service
        .with_key(&admin, "POST", &format!("{path}/rotate"))
        .send()
        .unwrap());
    assert!(rotated["old_secret_until"].is_string(), "{rotated}");
    test();
    let second = receiver.wait(2, |_| true).remove(1);
    assert_ne!(first.id(), second.id());
    let secrets =
        [&webhook["secret"], &rotated["secret"]].map(|secret| secret.as_str().unwrap().to_owned());
    assert!(secrets.iter().all(|secret| secret.starts_with("whsec_")) && secrets[0] != secrets[1]);
    let shown = service.get(&admin, &path).to_string();
    assert!(!shown.contains("whsec_"), "{shown}");
    assert_eq!(verified(&first, &secrets), Some([true, false]));
    assert_eq!(verified(&second, &secrets), Some([true, true]));
    let mut forged = second.clone();
    forged.body = forged.body.replace("webhook.test", "webhook.TEST");
    assert_eq!(verified(&forged, &secrets), Some([false, false]));
    forged.body.clone_from(&second.body);
    forged
        .headers
        .insert("webhook-id".to_owned(), first.id().to_owned());
    assert_eq!(verified(&forged, &secrets), Some([false, false]));
}

/// Whether npm's `standardwebhooks` accepts a message by each secret. If it is not installed, this
/// is skipped, but not with CI set.
fn verified(came: &Came, secrets: &[String; 2]) -> Option<[bool; 2]> {
    let folder = std::env::var_os("UNIQ_FOREIGN").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foreign"),
        std::path::PathBuf::from,
    );
    let folder = folder.join("webhooks");
    if !folder.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "the folder webhooks of UNIQ_FOREIGN is missing"
        );
        eprintln!("not there: the folder webhooks of UNIQ_FOREIGN");
        // Then our own verification must do.
        return Some(secrets.each_ref().map(|secret| {
            let timestamp = came.headers["webhook-timestamp"].parse().unwrap();
            let signed = uniq_server::webhooks::signature::sign(
                [&**secret].into_iter(),
                came.id(),
                timestamp,
                &came.body,
            );
            came.headers["webhook-signature"]
                .split(' ')
                .any(|one| one == signed)
        }));
    }
    let script = "const { Webhook } = require('standardwebhooks');
        const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        const verified = given.secrets.map(secret => {
            try { new Webhook(secret).verify(given.body, given.headers); return true; } catch { return false; }
        });
        console.log(JSON.stringify(verified));";
    let given = json!({ "secrets": secrets, "body": came.body, "headers": came.headers });
    let mut child = Command::new("node")
        .args(["-e", script])
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(
        &mut child.stdin.take().unwrap(),
        given.to_string().as_bytes(),
    )
    .unwrap();
    let output = child.wait_with_output().unwrap();
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    Some([verified[0] == true, verified[1] == true])
}

#[test]
fn redirects_are_not_followed_and_gone_disables_the_endpoint() {
    let other = Receiver::start(Vec::new());
    let receiver = Receiver::start(vec![
        Says::Status(
            302,
            format!(
                "location: {}\r\ncontent-length: 0\r\n\r\n",
                other.url("/stolen")
            ),
        ),
        Says::Status(
            308,
            format!(
                "location: {}\r\ncontent-length: 0\r\n\r\n",
                other.url("/stolen")
            ),
        ),
        status(410),
    ]);
    let service = Service::start_empty(&settings(&[&receiver, &other]));
    let admin = service.key("acme", "admin");
    let path = format!(
        "/v1/webhooks/{}",
        id_of(&make(&service, &admin, &receiver.url("/")))
    );
    let sent = ok(service
        .with_key(&admin, "POST", &format!("{path}/test"))
        .send()
        .unwrap());
    let disabled = until(&service, &admin, &path, |now| now["state"] == "disabled");
    assert!(
        disabled["reason"].as_str().unwrap().contains("gone"),
        "{disabled}"
    );
    assert_eq!((receiver.came().len(), other.came().len()), (3, 0));
    let listed = service.get(&admin, &format!("{path}/deliveries"));
    assert_eq!(
        (&listed["items"][0]["state"], &listed["items"][0]["status"]),
        (&"failed".into(), &410.into())
    );
    // A disabled endpoint gets nothing.
    problem(
        409,
        service
            .with_key(&admin, "POST", &format!("{path}/test"))
            .send()
            .unwrap(),
    );
    let again = format!("{path}/deliveries/{}/again", id_of(&sent));
    problem(
        409,
        service.with_key(&admin, "POST", &again).send().unwrap(),
    );
    // Once enabled again, it gets the failed message under the same id.
    ok(service
        .with_key(&admin, "PATCH", &path)
        .json(&json!({ "state": "enabled" }))
        .send()
        .unwrap());
    ok(service.with_key(&admin, "POST", &again).send().unwrap());
    let came = receiver.wait(4, |_| true);
    assert_eq!(came[3].id(), came[0].id());
}

#[test]
fn nothing_within_the_network_can_be_reached() {
    let receiver = Receiver::start(Vec::new());
    // Permits everything except private addresses.
    let settings = format!(
        "[webhooks]\nallow_http = true\nports = [80, 443, {}]\n",
        receiver.port
    );
    let service = Service::start_empty(&settings);
    let admin = service.key("acme", "admin");
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.localdomain",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
    ] {
        let url = json!({ "url": format!("http://{host}:{}/", receiver.port) });
        let said = service
            .with_key(&admin, "POST", "/v1/webhooks")
            .json(&url)
            .send()
            .unwrap();
        // An unknown name may be known later, so it is checked again when sending.
        if said.status() == 201 && host.contains("domain") {
            continue;
        }
        let said = problem(400, said);
        assert!(
            said["detail"].as_str().unwrap().starts_with("url: "),
            "{host}: {said}"
        );
    }
    for url in [
        "ftp://example.com/",
        "http://example.com:22/",
        "https://a:b@example.com/",
        "example.com",
        "",
    ] {
        let url = json!({ "url": url });
        problem(
            400,
            service
                .with_key(&admin, "POST", "/v1/webhooks")
                .json(&url)
                .send()
                .unwrap(),
        );
    }
    assert!(receiver.came().is_empty());
}

#[test]
fn a_name_that_leads_inside_later_is_not_followed() {
    let receiver = Receiver::start(Vec::new());
    let mut service = Service::start_empty(&settings(&[&receiver]));
    let admin = service.key("acme", "admin");
    let url = format!("http://localhost:{}/", receiver.port);
    let path = format!("/v1/webhooks/{}", id_of(&make(&service, &admin, &url)));
    service.kill();
    let file = service.folder().join("serve.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("allow_private = true", "allow_private = false"),
    )
    .unwrap();
    service.run();
    ok(service
        .with_key(&admin, "POST", &format!("{path}/test"))
        .send()
        .unwrap());
    let listed = until(&service, &admin, &format!("{path}/deliveries"), |now| {
        now["items"][0]["attempts"].as_u64() >= Some(1)
    });
    assert_eq!(listed["items"][0]["reason"], "its address is not public");
    assert!(receiver.came().is_empty());
}

#[test]
fn a_slow_endpoint_does_not_hold_up_another() {
    let slow = Receiver::start(vec![Says::Nothing(Duration::from_secs(3)); 100]);
    let quick = Receiver::start(Vec::new());
    let service = Service::start_empty(&settings(&[&slow, &quick]));
    let admin = service.key("acme", "admin");
    let paths = [&slow, &quick].map(|to| {
        format!(
            "/v1/webhooks/{}",
            id_of(&make(&service, &admin, &to.url("/")))
        )
    });
    for _ in 0..20 {
        ok(service
            .with_key(&admin, "POST", &format!("{}/test", paths[0]))
            .send()
            .unwrap());
    }
    slow.wait(2, |_| true);
    let began = Instant::now();
    for _ in 0..5 {
        ok(service
            .with_key(&admin, "POST", &format!("{}/test", paths[1]))
            .send()
            .unwrap());
    }
    quick.wait(5, |_| true);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_killed_service_sends_what_its_ledger_says_and_each_message_once_as_one() {
    let receiver = Receiver::start(vec![status(500); 3]);
    let mut service = Service::start(&settings(&[&receiver]), &[tripod(79, 1, 6)]);
    let (admin, key) = (
        service.key("acme", "admin"),
        service.key("acme", "submit,read"),
    );
    let webhook = make(&service, &admin, &receiver.url("/"));
    let ids: Vec<String> = (0..3)
        .map(|seed| id_of(&service.submit(&key, "ada", &moving(735 + seed, 6))))
        .collect();
    // At whatever moment: every row of the ledger has its message.
    receiver.wait(1, |_| true);
    service.kill();
    receiver.say(Vec::new());
    service.run();
    for id in &ids {
        assert_eq!(service.answer(&key, id)["state"], "checked");
    }
    let path = format!("/v1/webhooks/{}/deliveries", id_of(&webhook));
    let listed = until(&service, &admin, &path, |now| {
        let items = now["items"].as_array().unwrap();
        items.len() >= 3 && items.iter().all(|of| of["state"] == "delivered")
    });
    let came = receiver.wait(3, is("submission.checked"));
    for id in &ids {
        let of_it: HashSet<&str> = came
            .iter()
            .filter(|came| came.json()["data"]["id"] == **id)
            .map(Came::id)
            .collect();
        assert_eq!(of_it.len(), 1, "{id}: {came:?}");
    }
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed}");
}

#[test]
fn an_endpoint_is_its_tenants_alone() {
    let receiver = Receiver::start(Vec::new());
    let service = Service::start(&settings(&[&receiver]), &[tripod(79, 1, 6)]);
    let (admin, other) = (
        service.key("acme", "admin"),
        service.key("umbrella", "admin,read,submit"),
    );
    let reader = service.key("acme", "read,submit,review");
    let webhook = make(&service, &admin, &receiver.url("/"));
    let path = format!("/v1/webhooks/{}", id_of(&webhook));
    let sent = ok(service
        .with_key(&admin, "POST", &format!("{path}/test"))
        .send()
        .unwrap());
    let again = format!("{path}/deliveries/{}/again", id_of(&sent));
    let rotate = format!("{path}/rotate");
    let (test, listed) = (format!("{path}/test"), format!("{path}/deliveries"));
    let routes = [
        ("GET", &path),
        ("DELETE", &path),
        ("POST", &rotate),
        ("POST", &test),
        ("GET", &listed),
        ("POST", &again),
    ];
    for (method, path) in routes {
        problem(404, service.with_key(&other, method, path).send().unwrap());
        problem(403, service.with_key(&reader, method, path).send().unwrap());
        problem(401, service.request(method, path).send().unwrap());
    }
    let change = json!({ "name": "mine" });
    problem(
        404,
        service
            .with_key(&other, "PATCH", &path)
            .json(&change)
            .send()
            .unwrap(),
    );
    assert!(
        service.get(&other, "/v1/webhooks")["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    // Nor is a delivery found through another endpoint.
    let own = id_of(&make(&service, &other, &receiver.url("/other")));
    let through = format!("/v1/webhooks/{own}/deliveries/{}/again", id_of(&sent));
    problem(
        404,
        service.with_key(&other, "POST", &through).send().unwrap(),
    );
    // One tenant's events are not sent to another.
    let id = id_of(&service.submit(&other, "bob", &moving(739, 6)));
    service.answer(&other, &id);
    let came = receiver.wait(1, is("submission.checked"));
    assert!(came.iter().all(|came| came.path == "/other"), "{came:?}");
    assert_eq!(
        service
            .with_key(&admin, "DELETE", &path)
            .send()
            .unwrap()
            .status(),
        204
    );
    problem(404, service.with_key(&admin, "GET", &path).send().unwrap());
}
