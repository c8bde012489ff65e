//! Sessions of browsers, and the proof that a form needs.

use super::{Browser, csrf, location};
use crate::support::{Service, ok};

#[test]
fn a_session_begins_with_a_review_key_and_ends_on_the_server() {
    let service = Service::start_empty("");
    let (reviewer, reader) = (
        service.key("acme", "review"),
        service.key("acme", "read,submit"),
    );
    let browser = Browser::new(&service);
    assert_eq!(location(&browser.get("/review")), "/review/login");
    let page = browser.page("/review/login");
    let proof = csrf(&page);
    assert!(!page.contains("<script"), "nobody is logged in");
    for wrong in [reader.as_str(), "uniq_wrong", ""] {
        let refused = browser.post("/review/login", &[("csrf", &proof), ("key", wrong)]);
        assert_eq!(refused.status(), 401, "{wrong}");
        assert!(!refused.text().unwrap().contains(&reader));
    }
    // A session id that somebody chose for this browser is not used.
    let chosen = "A".repeat(43);
    browser
        .cookies
        .borrow_mut()
        .insert("uniq".to_owned(), chosen.clone());
    let begun = browser.post("/review/login", &[("csrf", &proof), ("key", &reviewer)]);
    assert_eq!(
        (begun.status().as_u16(), location(&begun)),
        (303, "/review".to_owned())
    );
    let cookies: Vec<_> = begun
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|set| set.to_str().unwrap())
        .collect();
    let set = cookies.iter().find(|set| set.starts_with("uniq=")).unwrap();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"),
        "{set}"
    );
    let secret = browser.cookies.borrow()["uniq"].clone();
    assert_ne!(secret, chosen);
    let database = std::fs::read(service.data().join("ledger.db")).unwrap();
    let log = std::fs::read(service.data().join("ledger.db-wal")).unwrap_or_default();
    for bytes in [database, log] {
        assert!(
            !bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes()),
            "only its digest is kept"
        );
    }
    browser.page("/review");
    // After log-out it does not work, even for somebody who has copied it.
    let copied = browser.cookies.borrow().clone();
    let proof = browser.csrf();
    assert_eq!(
        location(&browser.post("/review/logout", &[("csrf", &proof)])),
        "/review/login"
    );
    browser.cookies.replace(copied);
    assert_eq!(location(&browser.get("/review")), "/review/login");
}

#[test]
fn a_revoked_key_ends_the_sessions_that_began_with_it() {
    let service = Service::start_empty("");
    let admin = service.key("acme", "admin");
    let wanted = serde_json::json!({ "name": "rita", "scopes": ["review"] });
    let made = ok(service
        .with_key(&admin, "POST", "/v1/keys")
        .json(&wanted)
        .send()
        .unwrap());
    let browser = Browser::of(&service, made["secret"].as_str().unwrap());
    assert!(browser.page("/review").contains("<bdi>rita</bdi>"));
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    ok(service.with_key(&admin, "DELETE", &path).send().unwrap());
    assert_eq!(location(&browser.get("/review")), "/review/login");
}

#[test]
fn a_session_that_is_not_used_or_is_old_ends() {
    for setting in ["idle_minutes = 0", "session_hours = 0"] {
        let service = Service::start_empty(&format!("[review]\n{setting}\n"));
        let key = service.key("acme", "review");
        let browser = Browser::of(&service, &key);
        std::thread::sleep(std::time::Duration::from_millis(20));
        // A browser would drop a cookie without an age; this one is sent anyway.
        assert_eq!(
            location(&browser.get("/review")),
            "/review/login",
            "{setting}"
        );
    }
}

#[test]
fn over_https_cookies_are_for_this_host_and_encrypted_connections_alone() {
    let service = Service::start_empty("public_url = \"https://intake.example\"");
    let key = service.key("acme", "review");
    let browser = Browser::new(&service);
    let proof = csrf(&browser.page("/review/login"));
    let headers = [("origin", "https://intake.example")];
    let begun = browser.post_from(
        "/review/login",
        &[("csrf", &proof), ("key", &key)],
        &headers,
    );
    assert_eq!(begun.status(), 303);
    for set in begun.headers().get_all("set-cookie") {
        let set = set.to_str().unwrap();
        assert!(
            set.starts_with("__Host-uniq") && set.contains("; Secure") && !set.contains("Domain"),
            "{set}"
        );
    }
    browser.page("/review");
}

#[test]
fn a_log_in_form_of_another_browser_or_site_is_refused() {
    let service = Service::start_empty("");
    let key = service.key("acme", "review");
    let (browser, other) = (Browser::new(&service), Browser::new(&service));
    let (proof, foreign) = (
        csrf(&browser.page("/review/login")),
        csrf(&other.page("/review/login")),
    );
    for wrong in ["", "x", foreign.as_str()] {
        assert_eq!(
            browser
                .post("/review/login", &[("csrf", wrong), ("key", &key)])
                .status(),
            403,
            "{wrong}"
        );
    }
    let fields = [("csrf", proof.as_str()), ("key", key.as_str())];
    for headers in [
        vec![],
        vec![("origin", "null")],
        vec![("origin", "https://elsewhere.example")],
        vec![
            ("origin", service.address.as_str()),
            ("sec-fetch-site", "cross-site"),
        ],
        vec![
            ("origin", service.address.as_str()),
            ("sec-fetch-site", "same-site"),
        ],
    ] {
        assert_eq!(
            browser
                .post_from("/review/login", &fields, &headers)
                .status(),
            403,
            "{headers:?}"
        );
    }
    assert_eq!(location(&browser.get("/review")), "/review/login");
    assert_eq!(browser.post("/review/login", &fields).status(), 303);
}

#[test]
fn pages_run_no_code_but_their_own_file_and_are_framed_by_nobody() {
    let service = Service::start_empty("");
    let browser = Browser::of(&service, &service.key("acme", "review"));
    for path in [
        "/review",
        "/review/login",
        "/review/submissions/none",
        "/review/style.css",
    ] {
        let answer = browser.get(path);
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let policy = header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"),
            "{path}: {policy}"
        );
        assert_eq!(
            header("x-content-type-options").as_deref(),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            header("referrer-policy").as_deref(),
            Some("same-origin"),
            "{path}"
        );
    }
    let page = browser.page("/review?lang=ar");
    assert!(
        page.contains("<html lang=\"ar\" dir=\"rtl\">")
            && !page.contains("style=\"")
            && !page.contains(" onclick")
    );
    assert!(
        browser.page("/review").contains("dir=\"rtl\""),
        "the language is kept"
    );
    assert!(browser.page("/review?lang=en").contains("dir=\"ltr\""));
}
