//! Certificates through the real binary: signed, refused, shown, reproduced and rechecked with new
//! sources.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod delivered;
mod foreign;
mod hostile;
mod past;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use support::scenes;
use tempfile::TempDir;

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");

/// An index of three videos, a clip that is in none of them, keys of both kinds, and a certificate
/// by each key; made once.
struct World {
    dir: TempDir,
    clip: PathBuf,
}

static WORLD: OnceLock<World> = OnceLock::new();

/// Length of the clip, in seconds.
const SECONDS: u32 = 8;

fn world() -> &'static World {
    WORLD.get_or_init(|| {
        let world = World {
            dir: TempDir::new().unwrap(),
            clip: scenes::moving(601, SECONDS),
        };
        let sources: Vec<PathBuf> = (611..614)
            .map(|seed| scenes::moving(seed, SECONDS))
            .collect();
        let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
        support::program::must_succeed(&support::program::build(
            Path::new(UNIQ),
            &world.path("index"),
            &sources,
        ));
        for kind in ["ed25519", "p256"] {
            good(&world.uniq(&["key", "new", "--type", kind, kind]));
            let output = world.uniq(&[
                "certify",
                world.clip.to_str().unwrap(),
                "--key",
                kind,
                "-o",
                &format!("of-{kind}"),
                "--index",
                "index",
                "--sigstore-bundle",
                "--name",
                "test sources",
            ]);
            good(&output);
        }
        world
    })
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The certificate by the key of this kind.
    fn certificate(&self, kind: &str) -> PathBuf {
        let name = self.clip.file_name().unwrap().to_str().unwrap();
        self.path(&format!("of-{kind}/{name}.certificate.json"))
    }

    fn fingerprint(&self) -> PathBuf {
        let name = self.clip.file_name().unwrap().to_str().unwrap();
        self.path(&format!("of-ed25519/{name}.uniq"))
    }

    fn uniq<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        uniq_in(self.dir.path(), args)
    }

    /// A separate folder with a copy of the index and the keys.
    fn copy(&self) -> TempDir {
        let dir = TempDir::new().unwrap();
        for name in ["index", "ed25519", "ed25519.pub"] {
            let copied = Command::new("cp")
                .arg("-a")
                .arg(self.path(name))
                .arg(dir.path())
                .status()
                .unwrap();
            assert!(copied.success());
        }
        dir
    }
}

fn uniq_in<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Output {
    let mut command = Command::new(UNIQ);
    command
        .args(args)
        .current_dir(dir)
        .env("HOME", dir)
        .env("XDG_STATE_HOME", dir.join("state"));
    command
        .env_remove("UNIQ_INDEX")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

fn good(output: &Output) {
    assert_eq!(code(output), 0, "{}{}", stdout(output), stderr(output));
}

/// Fails unless the program refused with exit code 2 and these words.
fn refused(output: &Output, words: &str) {
    let text = stderr(output);
    assert!(
        code(output) == 2 && text.contains(words) && !text.contains("panicked"),
        "{} {}{text}",
        code(output),
        stdout(output)
    );
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by a signal")
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The payload of a certificate.
fn payload(certificate: &Path) -> Value {
    use base64::Engine as _;
    let envelope: Value = serde_json::from_slice(&fs::read(certificate).unwrap()).unwrap();
    let payload = envelope["payload"].as_str().unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::STANDARD
            .decode(payload)
            .unwrap(),
    )
    .unwrap()
}

#[test]
fn a_certificate_is_verified_shown_and_bound_to_its_clip() {
    let world = world();
    for kind in ["ed25519", "p256"] {
        let (certificate, public) = (world.certificate(kind), format!("{kind}.pub"));
        let bundle = text(&certificate).replace(".certificate.json", ".sigstore.json");
        for file in [text(&certificate), &bundle] {
            let clip = text(&world.clip);
            let verified = world.uniq(&[
                "certificate",
                "verify",
                file,
                "--key",
                &public,
                "--clip",
                clip,
            ]);
            good(&verified);
            for words in [
                "VERIFIED, level 1 of 3",
                "UNPUBLISHED",
                "test sources",
                "no near copy",
                "byte for byte",
                "3 sources",
            ] {
                assert!(
                    stdout(&verified).contains(words),
                    "{words}: {}",
                    stdout(&verified)
                );
            }
        }
        let shown = world.uniq(&["certificate", "show", text(&certificate)]);
        good(&shown);
        assert!(
            stdout(&shown).contains("nothing here has verified"),
            "{}",
            stdout(&shown)
        );
        let object = object(&world.uniq(&[
            "certificate",
            "verify",
            text(&certificate),
            "--key",
            &public,
            "--json",
        ]));
        assert_eq!(
            (&object["level"], &object["clip"]),
            (&"verified".into(), &Value::Null),
            "{object}"
        );
        assert_eq!(object["statement"], payload(&certificate));
        let predicate = &object["statement"]["predicate"];
        assert_eq!(
            (&predicate["verdict"], &predicate["search"]["grade"]),
            (&"unpublished".into(), &"exact".into())
        );
        assert!(
            predicate["payableMs"].as_u64().unwrap() > 4000,
            "{predicate}"
        );
        // The certificate reveals neither the clip's path nor the machine.
        assert!(
            !object
                .to_string()
                .contains(text(world.clip.parent().unwrap())),
            "{object}"
        );
    }
    let wrong = world.uniq(&[
        "certificate",
        "verify",
        text(&world.certificate("ed25519")),
        "--key",
        "ed25519.pub",
        "--clip",
        text(&world.fingerprint()),
    ]);
    refused(&wrong, "it certifies the file with SHA-256");
}

#[test]
fn a_search_is_reproduced_and_another_result_is_told_apart() {
    let world = world();
    let (certificate, fingerprint) = (world.certificate("p256"), world.fingerprint());
    let reproduce = |dir: &Path, index: &str| {
        uniq_in(
            dir,
            &[
                "certificate",
                "reproduce",
                text(&certificate),
                "--fingerprint",
                text(&fingerprint),
                "--index",
                index,
                "--json",
            ],
        )
    };
    let same = reproduce(world.dir.path(), "index");
    good(&same);
    let found = object(&same);
    assert_eq!(
        (&found["equal"], &found["grown"]),
        (&true.into(), &false.into()),
        "{found}"
    );
    assert_eq!(
        found["result_digest"],
        payload(&certificate)["predicate"]["resultDigest"]
    );
    // A fingerprint without pictures has another digest.
    let bare = world.path("bare.uniq");
    good(&world.uniq(&["fingerprint", text(&world.clip), "-o", text(&bare)]));
    let other = world.uniq(&[
        "certificate",
        "reproduce",
        text(&certificate),
        "--fingerprint",
        text(&bare),
        "--index",
        "index",
    ]);
    refused(&other, "the certificate names");
    // An index with another history.
    let elsewhere = TempDir::new().unwrap();
    let source = scenes::moving(611, SECONDS);
    good(&uniq_in(
        elsewhere.path(),
        &["index", "build", text(&source), "--index", "index"],
    ));
    refused(&reproduce(elsewhere.path(), "index"), "another index");
}

#[test]
fn a_check_signs_what_it_tells() {
    let world = world();
    let file = world.path("by-check.json");
    let checked = world.uniq(&[
        "check",
        text(&world.clip),
        "--index",
        "index",
        "--json",
        "--certificate",
        text(&file),
        "--key",
        "ed25519",
    ]);
    good(&checked);
    let (report, predicate) = (object(&checked), payload(&file)["predicate"].clone());
    assert_eq!(report["verdict"], predicate["verdict"]);
    assert_eq!(
        (report["seconds"]["unpublished"].as_f64().unwrap() * 1e3).round() as u64,
        predicate["payableMs"].as_u64().unwrap()
    );
    assert!(world.path("by-check.uniq").is_file());
    good(&world.uniq(&["certificate", "verify", text(&file), "--key", "ed25519.pub"]));
    // Existing certificates are not overwritten, and no key is ignored silently.
    let again = world.uniq(&[
        "check",
        text(&world.clip),
        "--index",
        "index",
        "--certificate",
        text(&file),
        "--key",
        "ed25519",
    ]);
    refused(&again, "signed files are never overwritten");
    refused(
        &world.uniq(&[
            "check",
            text(&world.clip),
            "--index",
            "index",
            "--key",
            "ed25519",
        ]),
        "nothing to sign",
    );
    refused(
        &world.uniq(&[
            "check",
            text(&world.clip),
            "--index",
            "index",
            "--certificate",
            "x.json",
        ]),
        "no key to sign with",
    );
}

#[test]
fn the_same_clip_at_the_same_time_gets_the_same_bytes() {
    use std::time::{Duration, UNIX_EPOCH};
    use uniq::certificate::{Envelope, PrivateKey, Terms, certify};
    let world = world();
    let index = uniq::Index::open(&world.path("index")).unwrap();
    let decoding = uniq::Decoding::in_process();
    for kind in ["ed25519", "p256"] {
        let key = PrivateKey::load(&world.path(kind)).unwrap();
        let made = |seconds: u64| {
            let now = UNIX_EPOCH + Duration::from_secs(4_000_000_000 + seconds);
            let options = uniq::CheckOptions {
                now: Some(now),
                ..uniq::CheckOptions::new(&decoding)
            };
            let certified = certify(
                &index,
                &world.clip,
                &options,
                &Terms {
                    name: "test",
                    policy_uri: None,
                },
            )
            .unwrap();
            Envelope::sign(certified.statement.to_bytes(), &key)
                .unwrap()
                .to_json()
        };
        assert_eq!(made(0), made(0));
        assert_ne!(made(0), made(1));
    }
}

#[test]
fn certificates_of_released_versions_stay_what_they_were() {
    use uniq::certificate::{Envelope, Keyring, PublicKey, verify};
    use uniq::report::Verdict;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificate/golden");
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
    for (file, key, verdict, matches) in [
        ("published.json", "p256.pub", Verdict::Published, 1),
        ("published.sigstore.json", "p256.pub", Verdict::Published, 1),
        ("unpublished.json", "ed25519.pub", Verdict::Unpublished, 0),
    ] {
        let keyring = Keyring::of(PublicKey::load(&golden.join(key)).unwrap());
        let verified = verify(&Envelope::load(&golden.join(file)).unwrap(), &keyring, now).unwrap();
        let predicate = &verified.statement.predicate;
        assert_eq!(
            (predicate.verdict, predicate.matches.len()),
            (verdict, matches),
            "{file}"
        );
        assert_eq!(
            verified.statement.to_bytes(),
            Envelope::load(&golden.join(file)).unwrap().payload,
            "{file}"
        );
    }
}
