#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::certificate::{KeyKind, PrivateKey};

fn keys() -> [PrivateKey; 2] {
    [KeyKind::Ed25519, KeyKind::P256].map(|kind| PrivateKey::generate(kind).unwrap())
}

fn signed(key: &PrivateKey) -> Envelope {
    Envelope::sign(br#"{"_type":"x","b":[1,2]}"#.to_vec(), key).unwrap()
}

/// Reads and verifies an envelope.
fn accepts(bytes: &[u8], key: &PublicKey) -> Result<(), String> {
    Envelope::parse(bytes)?.check_signature(key)
}

/// The worked example of the specification, protocol.md: a payload and the bytes that are signed.
#[test]
fn what_is_signed_is_what_the_specification_says() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    // Lengths are bytes, not characters.
    assert_eq!(pae("ä", "ö".as_bytes()), "DSSEv1 2 ä 2 ö".as_bytes());
}

#[test]
fn every_flipped_byte_and_every_truncation_of_an_envelope_or_bundle_is_refused() {
    for key in keys() {
        let envelope = signed(&key);
        for bytes in [envelope.to_json(), envelope.to_bundle()] {
            assert_eq!(accepts(&bytes, key.public_key()), Ok(()));
            for at in 0..bytes.len() {
                assert!(
                    accepts(&bytes[..at], key.public_key()).is_err(),
                    "cut to {at}"
                );
                for bit in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
                    let mut changed = bytes.clone();
                    changed[at] ^= bit;
                    let text = String::from_utf8_lossy(&changed).into_owned();
                    assert!(
                        accepts(&changed, key.public_key()).is_err(),
                        "flipped {bit:#x} at {at}: {text}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_payload_and_signature_is_refused() {
    for key in keys() {
        let envelope = signed(&key);
        for at in 0..envelope.payload.len() * 8 {
            let mut changed = envelope.clone();
            changed.payload[at / 8] ^= 1 << (at % 8);
            assert!(changed.check_signature(key.public_key()).is_err());
        }
        for at in 0..envelope.signature.len() * 8 {
            let mut changed = envelope.clone();
            changed.signature[at / 8] ^= 1 << (at % 8);
            assert!(changed.check_signature(key.public_key()).is_err());
        }
    }
}

#[test]
fn a_hostile_envelope_is_refused_with_the_reason() {
    let [key, other] = keys();
    let good = String::from_utf8(signed(&key).to_json()).unwrap();
    let value: Value = serde_json::from_str(&good).unwrap();
    let (payload, id) = (
        value["payload"].as_str().unwrap(),
        key.public_key().key_id(),
    );
    let sig = value["signatures"][0]["sig"].as_str().unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = value.clone();
        change(&mut value);
        value.to_string()
    };
    let rewritten = STANDARD.encode(
        serde_json::to_vec_pretty(&serde_json::json!({"_type": "x", "b": [1, 2]})).unwrap(),
    );
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "two signatures",
            with(&|v| {
                let one = v["signatures"][0].clone();
                v["signatures"].as_array_mut().unwrap().push(one);
            }),
            "2 signatures",
        ),
        (
            "no signature",
            with(&|v| v["signatures"] = serde_json::json!([])),
            "0 signatures",
        ),
        (
            "a payload twice",
            good.replacen('{', &format!("{{\"payload\":\"{payload}\","), 1),
            "twice",
        ),
        (
            "a payload twice, hidden",
            good.replacen('{', "{\"pay\\u006coad\":\"\",", 1),
            "twice",
        ),
        (
            "a signature's sig twice",
            good.replacen("\"sig\":", &format!("\"sig\":\"{sig}\",\"sig\":"), 1),
            "twice",
        ),
        (
            "another type",
            with(&|v| v["payloadType"] = "text/plain".into()),
            "has the type",
        ),
        (
            "a payload that was parsed and written again",
            with(&|v| v["payload"] = rewritten.clone().into()),
            "does not match this key",
        ),
        (
            "base64 without padding",
            with(&|v| v["payload"] = payload.trim_end_matches('=').into()),
            "base64",
        ),
        (
            "base64 with a line break",
            with(&|v| v["payload"] = format!("{payload}\n").into()),
            "base64",
        ),
        (
            "base64 for addresses",
            with(&|v| v["signatures"][0]["sig"] = "-_8=".into()),
            "base64",
        ),
        (
            "a short signature",
            with(&|v| v["signatures"][0]["sig"] = "AAAA".into()),
            "64",
        ),
        (
            "no signature bytes",
            with(&|v| v["signatures"][0]["sig"] = "".into()),
            "64",
        ),
        (
            "another key's name",
            with(&|v| v["signatures"][0]["keyid"] = other.public_key().key_id().into()),
            "it was signed with the key",
        ),
        (
            "no name",
            with(&|v| drop(v["signatures"][0].as_object_mut().unwrap().remove("keyid"))),
            "keyid",
        ),
        (
            "signatures that are no list",
            with(&|v| v["signatures"] = serde_json::json!({"keyid": id, "sig": sig})),
            "sequence",
        ),
        ("a list", "[]".into(), "not a JSON object"),
        ("nothing", String::new(), "JSON"),
        ("text", "certificate".into(), "JSON"),
        (
            "another bundle",
            r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.9+json"}"#.into(),
            "bundle",
        ),
        ("something behind it", format!("{good}{good}"), "JSON"),
    ];
    for (why, text, reason) in cases {
        let error = accepts(text.as_bytes(), key.public_key()).unwrap_err();
        assert!(error.contains(reason), "{why}: {error}");
    }
    // White space between fields has no meaning, and future DSSE fields are ignored.
    let spaced =
        serde_json::to_string_pretty(&with(&|v| v["later"] = 1.into()).parse::<Value>().unwrap())
            .unwrap();
    assert_eq!(accepts(spaced.as_bytes(), key.public_key()), Ok(()));
}

#[test]
fn a_bundle_with_anything_besides_is_refused() {
    let [key, _] = keys();
    let bundle: Value = serde_json::from_slice(&signed(&key).to_bundle()).unwrap();
    for (pointer, value) in [
        ("/verificationMaterial/tlogEntries", serde_json::json!([{}])),
        (
            "/verificationMaterial/publicKey/hint",
            "0".repeat(64).into(),
        ),
        ("/verificationMaterial/certificate", serde_json::json!({})),
        ("/messageSignature", serde_json::json!({})),
    ] {
        let mut changed = bundle.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[name] = value;
        assert!(
            accepts(changed.to_string().as_bytes(), key.public_key()).is_err(),
            "{pointer}"
        );
    }
}

#[test]
fn a_file_of_a_gigabyte_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let error = Envelope::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("huge") && error.contains("more than 16777216 bytes"),
        "{error}"
    );
}
