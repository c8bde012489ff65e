//! Log-in at a provider: a small one, in a separate thread.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::blocking::Response;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Browser, location};
use crate::support::Service;

struct Signer {
    name: String,
    key: EcdsaKeyPair,
}

impl Signer {
    fn new(name: &str) -> Signer {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                .unwrap();
        Signer {
            name: name.to_owned(),
            key,
        }
    }

    fn public(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.name, "x": part(1..33), "y": part(33..65)})
    }

    fn token(&self, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!(
            "{}.{}",
            part(&json!({"alg": "ES256", "kid": self.name})),
            part(claims)
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The provider's state: its keys, and for each code the challenge and the token.
#[derive(Default)]
struct Known {
    keys: Vec<Value>,
    codes: HashMap<String, (String, String)>,
    discovered: usize,
}

struct Provider {
    address: String,
    known: Arc<Mutex<Known>>,
}

impl Provider {
    fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let known = Arc::new(Mutex::new(Known::default()));
        let (issuer, answering) = (address.clone(), known.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(&issuer, &answering, stream);
            }
        });
        Provider { address, known }
    }

    fn settings(&self) -> String {
        format!(
            "[oidc]\nissuer = \"{}\"\nclient_id = \"uniq\"\nclient_secret = \"s3cret&more\"\ntenant_claim = \"org\"\n\
             role_claim = \"roles\"\n",
            self.address
        )
    }

    /// The claims of a person who may review, for this log-in.
    fn claims(&self, nonce: &str) -> Value {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({
            "iss": self.address, "aud": "uniq", "sub": "u-17", "name": "Rita \u{202e}R", "nonce": nonce, "iat": now,
            "exp": now + 300, "org": "acme", "roles": ["viewer", "reviewer"],
        })
    }
}

fn answer(issuer: &str, known: &Mutex<Known>, mut stream: TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut headers, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let form: HashMap<String, String> = serde_urlencoded::from_bytes(&body).unwrap();
    let mut known = known.lock().unwrap();
    let said = match first.split(' ').nth(1).unwrap() {
        "/.well-known/openid-configuration" => {
            known.discovered += 1;
            Some(json!({
                "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
            }))
        }
        "/keys" => Some(json!({ "keys": known.keys })),
        "/token" => {
            let basic = base64::engine::general_purpose::STANDARD.encode("uniq:s3cret%26more");
            let is_us = headers
                .to_lowercase()
                .contains(&format!("authorization: basic {basic}").to_lowercase());
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
            // A code works once.
            let issued = known.codes.remove(&form["code"]);
            issued
                .filter(|(of, _)| is_us && *of == challenge)
                .map(|(_, token)| json!({ "id_token": token }))
        }
        _ => None,
    };
    let (status, text) = said.map_or(("400 Bad Request", "{}".to_owned()), |said| {
        ("200 OK", said.to_string())
    });
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
}

/// Sends a browser to the provider, which issues a code for the token that `made` makes from the
/// nonce. Returns the address to which the browser comes back.
fn begun(
    browser: &Browser<'_>,
    provider: &Provider,
    code: &str,
    made: impl FnOnce(&str) -> String,
) -> String {
    let away = browser.get("/review/oidc");
    assert_eq!(away.status(), 303, "{}", away.text().unwrap());
    let away = location(&away);
    let query = away
        .strip_prefix(&format!("{}/authorize?", provider.address))
        .unwrap();
    let asked: HashMap<String, String> = serde_urlencoded::from_str(query).unwrap();
    assert_eq!(
        (&*asked["response_type"], &*asked["code_challenge_method"]),
        ("code", "S256")
    );
    assert_eq!(
        asked["redirect_uri"],
        format!("{}/review/oidc/callback", browser.service.address)
    );
    let token = made(&asked["nonce"]);
    provider
        .known
        .lock()
        .unwrap()
        .codes
        .insert(code.to_owned(), (asked["code_challenge"].clone(), token));
    format!("/review/oidc/callback?code={code}&state={}", asked["state"])
}

fn is_in(answer: &Response) -> bool {
    answer.status() == 303 && location(answer) == "/review"
}

#[test]
fn a_person_of_the_provider_is_let_in_by_a_token_that_is_right_in_all_and_by_no_other() {
    let (provider, signer, forger) = (Provider::start(), Signer::new("one"), Signer::new("one"));
    provider.known.lock().unwrap().keys = vec![signer.public()];
    let service = Service::start_empty(&provider.settings());
    let browser = Browser::new(&service);
    assert!(
        browser
            .page("/review/login")
            .contains("href=\"/review/oidc\"")
    );

    let with = |name: &'static str, value: Value| {
        let (provider, signer) = (&provider, &signer);
        move |nonce: &str| {
            let mut claims = provider.claims(nonce);
            claims[name] = value;
            signer.token(&claims)
        }
    };
    let refuse = |what: &str, made: &dyn Fn(&str) -> String| {
        let browser = Browser::new(&service);
        let back = browser.get(&begun(&browser, &provider, what, made));
        assert_eq!(back.status(), 403, "{what}");
        assert_eq!(location(&browser.get("/review")), "/review/login", "{what}");
    };
    refuse("forged", &|nonce| forger.token(&provider.claims(nonce)));
    refuse("nonce", &|_| signer.token(&provider.claims("another")));
    for (name, value) in [
        ("aud", json!("another")),
        ("iss", json!("http://127.0.0.1:1")),
        ("exp", json!(1_700_000_000)),
        ("org", json!("Not A Tenant")),
        ("org", json!("")),
        ("roles", json!(["viewer"])),
        ("roles", json!("viewer reviewer")),
    ] {
        refuse(name, &|nonce| with(name, value.clone())(nonce));
    }
    refuse("unsigned", &|nonce| {
        let claims = URL_SAFE_NO_PAD.encode(provider.claims(nonce).to_string());
        format!("{}.{claims}.", URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"))
    });

    // The state of another browser's log-in does not work, nor does a used one.
    let (victim, thief) = (Browser::new(&service), Browser::new(&service));
    let back = begun(&thief, &provider, "thief", |nonce| {
        signer.token(&provider.claims(nonce))
    });
    assert_eq!(
        victim.get(&back).status(),
        403,
        "a browser that began nothing"
    );
    begun(&victim, &provider, "victim", |nonce| {
        signer.token(&provider.claims(nonce))
    });
    assert_eq!(
        victim.get(&back).status(),
        403,
        "a log-in that another browser began"
    );
    assert!(is_in(&thief.get(&back)));
    thief.cookies.borrow_mut().remove("uniq");
    assert_eq!(thief.get(&back).status(), 403, "it can be used once");
    assert_eq!(
        thief
            .get("/review/oidc/callback?error=access_denied")
            .status(),
        403
    );

    let back = begun(&browser, &provider, "fine", |nonce| {
        signer.token(&provider.claims(nonce))
    });
    assert!(is_in(&browser.get(&back)));
    let page = browser.page("/review");
    assert!(
        page.contains("<bdi>Rita  R</bdi>") && page.contains("acme"),
        "{page}"
    );
}

#[test]
fn a_provider_that_changes_its_keys_is_asked_anew() {
    let (provider, old, new) = (Provider::start(), Signer::new("old"), Signer::new("new"));
    provider.known.lock().unwrap().keys = vec![old.public()];
    let service = Service::start_empty(&provider.settings());
    for (at, signer) in [&old, &new].into_iter().enumerate() {
        provider.known.lock().unwrap().keys = vec![signer.public()];
        let browser = Browser::new(&service);
        let back = begun(&browser, &provider, &format!("code-{at}"), |nonce| {
            signer.token(&provider.claims(nonce))
        });
        // Its keys are not requested again for each token with an unknown key.
        std::thread::sleep(Duration::from_millis(1_100));
        let answer = browser.get(&back);
        assert!(is_in(&answer), "{at}: {}", answer.text().unwrap());
    }
    assert_eq!(provider.known.lock().unwrap().discovered, 2);
    // A withdrawn key no longer counts.
    let browser = Browser::new(&service);
    let back = begun(&browser, &provider, "late", |nonce| {
        old.token(&provider.claims(nonce))
    });
    assert_eq!(browser.get(&back).status(), 403);
}

#[test]
fn a_provider_that_is_away_or_another_stops_nobody_with_a_key() {
    let service = Service::start_empty(
        "[oidc]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"uniq\"\ntenant = \"acme\"\n",
    );
    let browser = Browser::new(&service);
    assert_eq!(browser.get("/review/oidc").status(), 503);
    let browser = Browser::of(&service, &service.key("acme", "review"));
    browser.page("/review");
    let without = Service::start_empty("");
    let browser = Browser::new(&without);
    assert_eq!(browser.get("/review/oidc").status(), 404);
    assert!(!browser.page("/review/login").contains("/review/oidc"));
}
