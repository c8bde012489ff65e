//! Decisions through pages and API.

use std::ffi::OsString;

use serde_json::{Value, json};

use super::{Browser, between, csrf, location};
use crate::footage::scenes::{edit, edited, excerpt, moving};
use crate::support::{Service, ok, problem};

/// A clip whose seconds 0 to 6 are in the public film.
pub(crate) fn partly_public() -> (std::path::PathBuf, std::path::PathBuf) {
    let film = moving(881, 10);
    let parts = [excerpt(&film, 2.0, 6.0), moving(882, 8)];
    let joined = "[0:v]setsar=1,fps=25[a];[1:v]setsar=1,fps=25[b];[a][b]concat=n=2:v=1:a=0";
    let mut args: Vec<OsString> = parts
        .iter()
        .flat_map(|part| ["-i".into(), part.into()])
        .collect();
    args.extend(
        [
            "-filter_complex",
            joined,
            "-c:v",
            "libx264",
            "-crf",
            "20",
            "-pix_fmt",
            "yuv420p",
        ]
        .map(OsString::from),
    );
    let clip = edited(
        film.parent().unwrap(),
        &[&parts[0], &parts[1]],
        &args,
        "mp4",
    );
    (film, clip)
}

fn payable(service: &Service, key: &str, id: &str) -> f64 {
    service.get(key, &format!("/v1/submissions/{id}"))["payable_s"]
        .as_f64()
        .unwrap()
}

fn first_match(service: &Service, key: &str, id: &str) -> Value {
    let report = service.get(key, &format!("/v1/submissions/{id}/report"));
    let found = &report["matches"][0];
    json!({
        "source_sha256": found["source"]["sha256"], "start_s": found["clip"]["start_s"], "end_s": found["clip"]["end_s"],
    })
}

fn decide(service: &Service, key: &str, id: &str, wanted: &Value) -> reqwest::blocking::Response {
    service
        .with_key(key, "POST", &format!("/v1/submissions/{id}/decisions"))
        .json(wanted)
        .send()
        .unwrap()
}

#[test]
fn a_decision_changes_the_ledger_and_can_be_undone_and_the_log_keeps_all() {
    let (film, clip) = partly_public();
    let service = Service::start("", &[film]);
    let (key, other) = (
        service.key("acme", "submit,read,review"),
        service.key("umbrella", "submit,read,review"),
    );
    let sent = service.submit(&key, "ada", &clip);
    let id = sent["id"].as_str().unwrap();
    let answer = service.answer(&key, id);
    assert_eq!(answer["verdict"], "partly_published", "{answer}");
    let (before, found) = (payable(&service, &key, id), first_match(&service, &key, id));

    // Impossible decisions.
    for wrong in [
        json!({"decision": "allowed", "reason": "licensed"}),
        json!({"decision": "dispute", "match": found, "reason": "x"}),
        json!({"decision": "dispute", "reason": ""}),
        json!({"decision": "dispute", "reason": "a\u{202e}b"}),
    ] {
        problem(400, decide(&service, &key, id, &wrong));
    }
    let mut elsewhere = found.clone();
    elsewhere["end_s"] = json!(found["end_s"].as_f64().unwrap() + 0.5);
    problem(
        409,
        decide(
            &service,
            &key,
            id,
            &json!({"decision": "allowed", "match": elsewhere, "reason": "x"}),
        ),
    );
    problem(
        409,
        decide(
            &service,
            &key,
            id,
            &json!({"decision": "undo", "about": id, "reason": "x"}),
        ),
    );

    let wanted =
        json!({"decision": "allowed", "match": found, "reason": "the creator's own channel"});
    let allowed = decide(&service, &key, id, &wanted);
    assert_eq!(allowed.status(), 201);
    let allowed = ok(allowed);
    assert!(
        payable(&service, &key, id) > before + 3.0,
        "{} after {before}",
        payable(&service, &key, id)
    );
    let undo =
        json!({"decision": "undo", "about": allowed["id"], "reason": "not theirs after all"});
    ok(decide(&service, &key, id, &undo));
    assert_eq!(payable(&service, &key, id), before);
    problem(409, decide(&service, &key, id, &undo));

    // A dispute prevents the sale.
    let sale = || {
        service
            .with_key(&key, "POST", &format!("/v1/submissions/{id}/sale"))
            .json(&json!({"reference": "order 7"}))
    };
    ok(decide(
        &service,
        &key,
        id,
        &json!({"decision": "dispute", "reason": "looks staged"}),
    ));
    problem(409, sale().send().unwrap());
    ok(decide(
        &service,
        &key,
        id,
        &json!({"decision": "accept", "reason": "asked the creator"}),
    ));
    assert_eq!(sale().send().unwrap().status(), 201);
    problem(409, sale().send().unwrap());
    problem(
        409,
        decide(
            &service,
            &key,
            id,
            &json!({"decision": "withdraw", "reason": "x"}),
        ),
    );
    assert_eq!(
        service.get(&key, &format!("/v1/submissions/{id}"))["sold_s"],
        json!(before)
    );

    let log = service.get(&key, &format!("/v1/submissions/{id}/decisions"));
    let said: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["decision"], &row["state"]))
        .collect();
    let wanted = [
        ("allowed", "no_more"),
        ("undo", "holds"),
        ("dispute", "holds"),
        ("accept", "holds"),
        ("sold", "holds"),
    ];
    assert_eq!(
        format!("{said:?}"),
        format!(
            "{:?}",
            wanted
                .map(|(a, b)| (json!(a), json!(b)))
                .each_ref()
                .map(|(a, b)| (a, b))
        )
    );

    // Other tenants see and change nothing.
    problem(
        404,
        decide(
            &service,
            &other,
            id,
            &json!({"decision": "dispute", "reason": "x"}),
        ),
    );
    for path in ["decisions", "page", "report"] {
        problem(
            404,
            service
                .with_key(&other, "GET", &format!("/v1/submissions/{id}/{path}"))
                .send()
                .unwrap(),
        );
    }
    let sale = service.with_key(&other, "POST", &format!("/v1/submissions/{id}/sale"));
    problem(404, sale.json(&json!({"reference": "x"})).send().unwrap());
    let stranger = Browser::of(&service, &other);
    let proof = stranger.csrf();
    let path = format!("/review/submissions/{id}");
    let none = stranger
        .get("/review/submissions/00000000-0000-7000-8000-000000000000")
        .text()
        .unwrap();
    let hidden = |answer: reqwest::blocking::Response| {
        assert_eq!(answer.status(), 404);
        let text = answer.text().unwrap();
        let plain = text.replace(id, "00000000-0000-7000-8000-000000000000");
        assert_eq!(plain, none, "it says no more than of what never was");
    };
    hidden(stranger.get(&path));
    assert_eq!(stranger.get(&format!("{path}/page")).status(), 404);
    for (form, fields) in [
        ("decisions", [("decision", "dispute"), ("reason", "x")]),
        ("opening", [("take", "true"), ("x", "")]),
    ] {
        let fields: Vec<_> = fields
            .into_iter()
            .chain([("csrf", proof.as_str())])
            .collect();
        assert_eq!(
            stranger.post(&format!("{path}/{form}"), &fields).status(),
            404,
            "{form}"
        );
    }
    assert!(
        stranger
            .page("/review?state=all")
            .contains("Nothing here waits"),
        "their queue is empty"
    );
}

#[test]
fn a_form_without_the_proof_of_its_own_session_changes_nothing() {
    let (film, clip) = partly_public();
    let service = Service::start("", &[film]);
    let key = service.key("acme", "submit,read,review");
    let sent = service.submit(&key, "<b>ada</b>\u{e9}", &clip);
    let id = sent["id"].as_str().unwrap();
    service.answer(&key, id);
    let (browser, other) = (Browser::of(&service, &key), Browser::of(&service, &key));
    let (proof, foreign) = (browser.csrf(), other.csrf());
    let path = format!("/review/submissions/{id}");
    let page = browser.page(&path);
    assert!(page.contains("&lt;b&gt;ada&lt;/b&gt;") && !page.contains("<b>ada"));
    let forms = [
        ("/decisions", vec![("decision", "dispute"), ("reason", "x")]),
        ("/opening", vec![("take", "true")]),
    ];
    for (form, fields) in &forms {
        let to = format!("{path}{form}");
        let with = |proof| {
            fields
                .iter()
                .copied()
                .chain([("csrf", proof)])
                .collect::<Vec<_>>()
        };
        assert_eq!(
            browser.post(&to, fields).status(),
            403,
            "{form} without a proof"
        );
        for wrong in ["", "x", foreign.as_str()] {
            assert_eq!(
                browser.post(&to, &with(wrong)).status(),
                403,
                "{form}: {wrong}"
            );
        }
        for headers in [
            vec![],
            vec![("origin", "http://elsewhere.example")],
            vec![("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(
                browser.post_from(&to, &with(&proof), &headers).status(),
                403,
                "{form}: {headers:?}"
            );
        }
    }
    assert_eq!(
        browser
            .post("/review/logout", &[("csrf", &foreign)])
            .status(),
        403
    );
    let log = service.get(&key, &format!("/v1/submissions/{id}/decisions"));
    assert_eq!(log["items"], json!([]), "nothing was decided");
    // A form of the session is accepted, needs a reason, and redirects to the page.
    assert_eq!(
        browser
            .decide(id, &[("decision", "dispute"), ("reason", " ")])
            .status(),
        400
    );
    assert_eq!(
        browser
            .decide(id, &[("decision", "nothing"), ("reason", "x")])
            .status(),
        400
    );
    let done = browser.decide(id, &[("decision", "dispute"), ("reason", "looks staged")]);
    assert_eq!(done.status(), 303);
    let page = browser.page(&location(&done));
    assert!(
        page.contains("role=\"status\"")
            && page.contains("looks staged")
            && page.contains("Disputed")
    );
    assert!(browser.page("/review?state=disputed").contains(id));
    assert!(!browser.page("/review?state=open").contains(id));
    let row = between(&page, "name=\"about\" value=\"", "\"");
    let undone = browser.decide(
        id,
        &[
            ("decision", "undo"),
            ("about", &row),
            ("reason", "an error"),
        ],
    );
    assert_eq!(undone.status(), 303);
    assert!(browser.page("/review?state=open").contains(id));

    // The evidence page has its own policy, and is made once.
    let evidence = browser.get(&format!("{path}/page"));
    let policy = evidence.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("sandbox") && policy.contains("'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(evidence.headers()["x-frame-options"], "SAMEORIGIN");
    let html = evidence.text().unwrap();
    assert!(
        html.matches("data:image/jpeg").count() > 5
            && !html.contains(&*service.data().to_string_lossy())
    );
    let kept = service.data().join(format!("pages/{id}.en.html"));
    let made = std::fs::metadata(&kept).unwrap().modified().unwrap();
    let over_api = service
        .with_key(&key, "GET", &format!("/v1/submissions/{id}/page"))
        .send()
        .unwrap();
    assert_eq!(over_api.text().unwrap(), html);
    assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), made);
    problem(
        400,
        service
            .with_key(&key, "GET", &format!("/v1/submissions/{id}/page?lang=xx"))
            .send()
            .unwrap(),
    );
    let arabic = service
        .with_key(&key, "GET", &format!("/v1/submissions/{id}/page?lang=ar"))
        .send()
        .unwrap();
    assert!(arabic.text().unwrap().contains("dir=\"rtl\""));
}

#[test]
fn what_makes_seconds_payable_waits_for_another_person() {
    let (film, clip) = partly_public();
    let service = Service::start("[review]\nsecond = \"payable\"\n", &[film]);
    let (ann, ben) = (
        service.key("acme", "submit,read,review"),
        service.key("acme", "submit,read,review"),
    );
    let sent = service.submit(&ann, "ada", &clip);
    let id = sent["id"].as_str().unwrap();
    service.answer(&ann, id);
    let (before, found) = (payable(&service, &ann, id), first_match(&service, &ann, id));
    let wanted = json!({"decision": "same_scene", "match": found, "reason": "another take"});
    let waits = decide(&service, &ann, id, &wanted);
    assert_eq!(waits.status(), 202);
    let waits = ok(waits);
    assert_eq!(
        (payable(&service, &ann, id), &waits["state"]),
        (before, &json!("waits"))
    );
    let confirm = json!({"decision": "confirm", "about": waits["id"], "reason": "seen it too"});
    problem(409, decide(&service, &ann, id, &confirm));
    // Nor on a page: the decider gets no such form, and sending one has no effect.
    let browser = Browser::of(&service, &ann);
    let page = browser.page(&format!("/review/submissions/{id}"));
    assert!(page.contains("another person must confirm it") && !page.contains("value=\"confirm\""));
    let about = waits["id"].as_str().unwrap();
    let own = browser.decide(
        id,
        &[("decision", "confirm"), ("about", about), ("reason", "x")],
    );
    assert_eq!(own.status(), 409);
    assert_eq!(payable(&service, &ann, id), before);
    // The other person takes it over, since somebody has it open.
    let other = Browser::of(&service, &ben);
    let path = format!("/review/submissions/{id}");
    let page = other.page(&path);
    assert!(page.contains("has this submission open") && !page.contains("value=\"confirm\""));
    let proof = csrf(&page);
    let early = [
        ("csrf", proof.as_str()),
        ("decision", "confirm"),
        ("about", about),
        ("reason", "x"),
    ];
    assert_eq!(
        other.post(&format!("{path}/decisions"), &early).status(),
        409
    );
    other.post(
        &format!("{path}/opening"),
        &[("csrf", &proof), ("take", "true")],
    );
    assert!(other.page(&path).contains("value=\"confirm\""));
    let done = other.decide(
        id,
        &[
            ("decision", "confirm"),
            ("about", about),
            ("reason", "seen it too"),
        ],
    );
    assert_eq!(done.status(), 303, "{}", done.text().unwrap());
    assert!(payable(&service, &ann, id) > before + 3.0);
    problem(409, decide(&service, &ben, id, &confirm));
    // A decision that withholds seconds takes effect at once; an undo that releases them does not.
    let copy = ok(decide(
        &service,
        &ann,
        id,
        &json!({"decision": "copy", "match": found, "reason": "it is"}),
    ));
    assert_eq!(
        (payable(&service, &ann, id), &copy["state"]),
        (before, &json!("holds"))
    );
    let undo = json!({"decision": "undo", "about": copy["id"], "reason": "it is not"});
    let waits = decide(&service, &ann, id, &undo);
    assert_eq!(waits.status(), 202);
    let refuse = json!({"decision": "refuse", "about": ok(waits)["id"], "reason": "it is"});
    assert_eq!(decide(&service, &ben, id, &refuse).status(), 201);
    assert_eq!(payable(&service, &ann, id), before);
}

#[test]
fn a_pair_of_the_same_tenant_is_decided_and_one_with_another_tenant_is_only_a_sentence() {
    let service = Service::start("", &[moving(881, 10)]);
    let (key, other) = (
        service.key("acme", "submit,read,review"),
        service.key("umbrella", "submit,read,review"),
    );
    let own = moving(883, 8);
    let id_of = |value: Value| value["id"].as_str().unwrap().to_owned();
    let first = id_of(service.submit(&key, "ada", &own));
    let copy = edit(&excerpt(&own, 1.0, 6.0), "hflip", &[], "mp4");
    let second = id_of(service.submit(&key, "bob", &copy));
    let third = id_of(service.submit(&other, "eve", &copy));
    for (key, id) in [(&key, &first), (&key, &second), (&other, &third)] {
        service.answer(key, id);
    }
    assert_eq!(payable(&service, &key, &second), 0.0);
    let browser = Browser::of(&service, &key);
    let page = browser.page(&format!("/review/submissions/{second}"));
    assert!(
        page.contains(&format!("name=\"other\" value=\"{first}\"")),
        "{page}"
    );
    let distinct = [
        ("decision", "distinct"),
        ("other", first.as_str()),
        ("reason", "two cameras"),
    ];
    assert_eq!(browser.decide(&second, &distinct).status(), 303);
    assert!(payable(&service, &key, &second) > 3.0);
    let log = service.get(&key, &format!("/v1/submissions/{second}/decisions"));
    let undo = json!({"decision": "undo", "about": log["items"][0]["id"], "reason": "x"});
    problem(409, decide(&service, &key, &second, &undo));
    let same = json!({"decision": "same", "other": first, "reason": "the same after all"});
    let same = ok(decide(&service, &key, &second, &same));
    assert_eq!(payable(&service, &key, &second), 0.0);
    ok(decide(
        &service,
        &key,
        &second,
        &json!({"decision": "undo", "about": same["id"], "reason": "x"}),
    ));
    assert!(
        payable(&service, &key, &second) > 3.0,
        "what was said before holds again"
    );

    let stranger = Browser::of(&service, &other);
    let page = stranger.page(&format!("/review/submissions/{third}"));
    assert!(page.contains("another creator offered it before"));
    for secret in [
        first.as_str(),
        second.as_str(),
        "ada",
        "bob",
        "acme",
        "name=\"other\"",
    ] {
        assert!(!page.contains(secret), "{secret}");
    }
    let pair = json!({"decision": "distinct", "other": first, "reason": "x"});
    problem(404, decide(&service, &other, &third, &pair));
}
