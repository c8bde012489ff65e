//! What a stranger may present in place of a certificate, key, proof or checkpoint.

use super::*;

fn verify(world: &World, file: &str, key: &str) -> Output {
    world.uniq(&["certificate", "verify", file, "--key", key])
}

#[test]
fn a_wrong_key_or_none_is_refused_with_the_reason() {
    let world = world();
    let certificate = world.certificate("ed25519");
    let file = text(&certificate);
    refused(
        &verify(world, file, "p256.pub"),
        "it was signed with the key",
    );
    refused(&verify(world, file, "ed25519"), "private key");
    refused(&verify(world, file, "gone.pub"), "gone.pub");
    refused(&verify(world, file, file), "public key in PEM");
    refused(
        &world.uniq(&["certificate", "verify", file]),
        "no key to trust",
    );
    refused(
        &world.uniq(&["certificate", "verify", file, "--keyring", file]),
        "not a usable key",
    );
    refused(
        &world.uniq(&[
            "certificate",
            "verify",
            file,
            "--keyring",
            "k",
            "--key",
            "ed25519.pub",
        ]),
        "cannot be used with",
    );
    refused(&verify(world, "ed25519.pub", "ed25519.pub"), "JSON");
    refused(&verify(world, "index", "ed25519.pub"), "index");
    refused(&verify(world, "/dev/zero", "ed25519.pub"), "/dev/zero");
}

#[test]
fn a_keyring_is_held_to_its_times() {
    let world = world();
    let keyring = |from: &str, until: &str| {
        let pem = fs::read_to_string(world.path("p256.pub")).unwrap();
        let ring = serde_json::json!({"keys": [{"name": "checks", "publicKey": pem, "validFrom": from, "validUntil": until}]});
        let path = world.path(&format!("ring-{from}-{until}.json"));
        fs::write(&path, ring.to_string()).unwrap();
        world.uniq(&[
            "certificate",
            "verify",
            text(&world.certificate("p256")),
            "--keyring",
            text(&path),
        ])
    };
    let within = keyring("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
    good(&within);
    assert!(
        stdout(&within).contains("(checks)") && stdout(&within).contains("valid from 2020-01-01"),
        "{}",
        stdout(&within)
    );
    refused(
        &keyring("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
        "outside the validity of its key",
    );
    refused(
        &keyring("2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
        "outside the validity of its key",
    );
}

/// The certificate with a changed statement, signed again with the same key, as by a dishonest or
/// careless signer.
fn resigned(world: &World, name: &str, change: &dyn Fn(&mut Value)) -> PathBuf {
    use uniq::certificate::{Envelope, PrivateKey};
    let mut statement = payload(&world.certificate("ed25519"));
    change(&mut statement);
    let key = PrivateKey::load(&world.path("ed25519")).unwrap();
    let envelope = Envelope::sign(serde_json::to_vec(&statement).unwrap(), &key).unwrap();
    let path = world.path(&format!("resigned-{name}.json"));
    fs::write(&path, envelope.to_json()).unwrap();
    path
}

#[test]
fn a_statement_that_contradicts_itself_is_refused_though_it_is_signed() {
    let world = world();
    let change = |pointer: &'static str, value: Value| {
        move |statement: &mut Value| {
            *statement
                .pointer_mut(pointer)
                .unwrap_or_else(|| panic!("{pointer}")) = value.clone()
        }
    };
    let remove = |parent: &'static str, name: &'static str| {
        move |statement: &mut Value| {
            drop(
                statement
                    .pointer_mut(parent)
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .remove(name)
                    .unwrap(),
            )
        }
    };
    type Change<'a> = Box<dyn Fn(&mut Value) + 'a>;
    let cases: Vec<(&str, Change<'_>, &str)> = vec![
        (
            "version",
            Box::new(change(
                "/predicateType",
                "https://uniq.dev/attestation/published-search/v2".into(),
            )),
            "predicateType",
        ),
        (
            "kind",
            Box::new(change("/_type", "https://in-toto.io/Statement/v0.1".into())),
            "_type",
        ),
        (
            "subjects",
            Box::new(|s: &mut Value| {
                let one = s["subject"][0].clone();
                s["subject"].as_array_mut().unwrap().push(one);
            }),
            "2 files",
        ),
        (
            "no-subject",
            Box::new(change("/subject", serde_json::json!([]))),
            "0 files",
        ),
        (
            "weak-digest",
            Box::new(|s: &mut Value| s["subject"][0]["digest"]["md5"] = "0".into()),
            "md5",
        ),
        (
            "upper-case",
            Box::new(|s: &mut Value| {
                let sha256 = s["subject"][0]["digest"]["sha256"]
                    .as_str()
                    .unwrap()
                    .to_uppercase();
                s["subject"][0]["digest"]["sha256"] = sha256.into();
            }),
            "lower-case",
        ),
        (
            "verdict",
            Box::new(change("/predicate/verdict", "published".into())),
            "resultDigest",
        ),
        (
            "inconclusive",
            Box::new(change("/predicate/verdict", "inconclusive".into())),
            "payable",
        ),
        (
            "payable",
            Box::new(change("/predicate/payableMs", 99_999_999.into())),
            "payable",
        ),
        (
            "negative",
            Box::new(change("/predicate/payableMs", (-1).into())),
            "payload",
        ),
        (
            "fraction",
            Box::new(change("/predicate/payableMs", 0.5.into())),
            "payload",
        ),
        (
            "spans",
            Box::new(change("/predicate/spans", serde_json::json!([]))),
            "spans",
        ),
        (
            "root",
            Box::new(change("/predicate/corpus/root", "0".repeat(64).into())),
            "resultDigest",
        ),
        (
            "grade",
            Box::new(change("/predicate/search/keysCompared", 0.into())),
            "every key",
        ),
        (
            "recall",
            Box::new(change("/predicate/search/measuredRecallPpm", Value::Null)),
            "every key",
        ),
        (
            "future",
            Box::new(change(
                "/predicate/checkedAt",
                "2999-01-01T00:00:00Z".into(),
            )),
            "future",
        ),
        (
            "past",
            Box::new(change(
                "/predicate/checkedAt",
                "1999-01-01T00:00:00Z".into(),
            )),
            "before the index state",
        ),
        (
            "no-zone",
            Box::new(change("/predicate/checkedAt", "2026-01-01T00:00:00".into())),
            "not a time such as",
        ),
        (
            "since",
            Box::new(change("/predicate/search/sinceGeneration", 0.into())),
            "no earlier certificate",
        ),
        (
            "digest",
            Box::new(change("/predicate/resultDigest", "0".repeat(64).into())),
            "resultDigest",
        ),
        (
            "no-since",
            Box::new(remove("/predicate/search", "sinceGeneration")),
            "sinceGeneration",
        ),
        (
            "no-recall",
            Box::new(remove("/predicate/search", "measuredRecallPpm")),
            "measuredRecallPpm",
        ),
        (
            "no-previous",
            Box::new(remove("/predicate", "previous")),
            "previous",
        ),
        (
            "no-time",
            Box::new(remove("/predicate", "checkedAt")),
            "checkedAt",
        ),
        (
            "no-limits",
            Box::new(remove("/predicate", "limits")),
            "limits",
        ),
    ];
    for (name, change, words) in cases {
        let path = resigned(world, name, &*change);
        let output = verify(world, text(&path), "ed25519.pub");
        assert!(
            code(&output) == 2 && stderr(&output).contains(words),
            "{name}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        // It shows a person nothing but its path.
        assert!(stdout(&output).is_empty(), "{name}");
    }
    // Unknown fields of a later version are accepted, whatever they contain.
    let later = resigned(world, "later", &|statement| {
        statement["predicate"]["later"] = "x".into()
    });
    good(&verify(world, text(&later), "ed25519.pub"));
}

#[test]
fn a_payload_that_two_readers_could_read_differently_is_refused_though_it_is_signed() {
    use uniq::certificate::{Envelope, PrivateKey};
    let world = world();
    let key = PrivateKey::load(&world.path("ed25519")).unwrap();
    let good = payload(&world.certificate("ed25519")).to_string();
    for (name, bytes, words) in [
        (
            "twice",
            good.replacen("\"verdict\":", "\"verdict\":\"published\",\"verdict\":", 1),
            "occurs twice",
        ),
        (
            "escaped",
            good.replacen("\"payableMs\":", "\"payable\\u004ds\":0,\"payableMs\":", 1),
            "occurs twice",
        ),
        ("behind", format!("{good} {{}}"), "trailing"),
        ("list", format!("[{good}]"), "_type"),
        ("nothing", String::new(), "payload"),
    ] {
        let path = world.path(&format!("payload-{name}.json"));
        fs::write(
            &path,
            Envelope::sign(bytes.into_bytes(), &key).unwrap().to_json(),
        )
        .unwrap();
        refused(&verify(world, text(&path), "ed25519.pub"), words);
        refused(&world.uniq(&["certificate", "show", text(&path)]), words);
    }
}

#[test]
fn what_takes_over_a_terminal_is_made_harmless() {
    let world = world();
    let evil = "\u{1b}]0;owned\u{7}\u{202e}";
    let path = resigned(world, "evil", &|statement| {
        statement["predicate"]["corpus"]["name"] = evil.into();
        statement["predicate"]["limits"] = serde_json::json!([evil]);
        statement["predicate"]["reasons"] =
            serde_json::json!([{"code": "no_match", "ms": null, "text": evil}]);
        statement["predicate"]["policyUri"] = evil.into();
        statement["predicate"]["clip"]["codec"] = evil.into();
    });
    for args in [
        &["show"][..],
        &["show", "--json"],
        &["verify", "--key", "ed25519.pub"],
        &["verify", "--json", "--key", "ed25519.pub"],
    ] {
        let output = world.uniq(&[&["certificate", args[0], text(&path)], &args[1..]].concat());
        good(&output);
        assert!(
            !stdout(&output).contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{}",
            stdout(&output)
        );
    }
}

#[test]
fn every_command_refuses_a_changed_or_huge_certificate() {
    let world = world();
    let good_bytes = fs::read(world.certificate("ed25519")).unwrap();
    let fingerprint = world.fingerprint();
    let huge = world.path("huge.json");
    fs::File::create(&huge).unwrap().set_len(1 << 30).unwrap();
    let changed = world.path("changed.json");
    let mut bytes = good_bytes.clone();
    // A byte in the middle of the payload.
    let at = bytes.len() / 2;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    fs::write(&changed, bytes).unwrap();
    let commands: [&[&str]; 4] = [
        &["verify", "FILE", "--key", "ed25519.pub"],
        &[
            "reproduce",
            "FILE",
            "--key",
            "ed25519.pub",
            "--index",
            "index",
            "--fingerprint",
            text(&fingerprint),
        ],
        &[
            "match",
            "FILE",
            text(&world.clip),
            "--key",
            "ed25519.pub",
            "--fingerprint",
            text(&fingerprint),
        ],
        &[
            "recheck", "FILE", "--key", "ed25519", "--index", "index", "-o", "refused",
        ],
    ];
    for command in commands {
        for (file, words) in [
            (&huge, "more than 16777216 bytes"),
            (&changed, "changed.json: refused"),
        ] {
            let args: Vec<&str> = command
                .iter()
                .map(|word| if *word == "FILE" { text(file) } else { word })
                .collect();
            refused(&world.uniq(&[&["certificate"], &args[..]].concat()), words);
        }
    }
    refused(
        &world.uniq(&["certificate", "show", text(&huge)]),
        "more than 16777216 bytes",
    );
}

#[test]
fn keys_are_never_overwritten_and_those_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world();
    refused(&world.uniq(&["key", "new", "ed25519"]), "never overwritten");
    refused(&world.uniq(&["key", "new", "no/folder/key"]), "folder");
    let shown = object(&world.uniq(&["key", "show", "p256", "--json"]));
    assert_eq!(
        (&shown["type"], shown["key_id"].as_str().unwrap().len()),
        (&"p256".into(), 64)
    );
    assert!(!shown.to_string().contains("PRIVATE"), "{shown}");
    let open = world.path("open.key");
    fs::copy(world.path("ed25519"), &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let certify = world.uniq(&[
        "certify",
        text(&world.clip),
        "--key",
        "open.key",
        "--index",
        "index",
        "-o",
        "never",
    ]);
    refused(&certify, "chmod 600");
    refused(
        &world.uniq(&[
            "certify",
            text(&world.clip),
            "--index",
            "index",
            "-o",
            "never",
        ]),
        "no key to sign with",
    );
    assert!(!world.path("never").exists());
    let lying = world.uniq(&[
        "certify",
        text(&world.clip),
        "--index",
        "index",
        "-o",
        "lying",
        "--signer-command",
        "head -c 64 /dev/zero",
        "--public-key",
        "ed25519.pub",
    ]);
    refused(&lying, "no signature");
    let failing = world.uniq(&[
        "certify",
        text(&world.clip),
        "--index",
        "index",
        "-o",
        "failing",
        "--signer-command",
        "exit 3",
        "--public-key",
        "ed25519.pub",
    ]);
    refused(&failing, "exit status: 3");
}
