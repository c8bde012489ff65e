//! Manifests of every declaration, and damaged ones of every kind.

use serde_json::json;

use super::written::{boxed, store, superbox};
use super::*;

const MODEL: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

fn created(source: &str) -> serde_json::Value {
    json!({ "actions": [{ "action": "c2pa.created", "digitalSourceType": source }] })
}

fn mining(name: &str, allowed: &str) -> serde_json::Value {
    json!({ "entries": { name: { "use": allowed } } })
}

#[test]
fn a_declared_model_is_seen_in_every_version_and_instance_of_the_assertion() {
    for label in [
        "c2pa.actions",
        "c2pa.actions.v2",
        "c2pa.actions__1",
        "c2pa.actions.v2__3",
    ] {
        assert_eq!(
            claims(&store(&[(label, created(MODEL))])),
            Some((Some(Generated::Wholly), None)),
            "{label}"
        );
    }
    let camera = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture";
    assert_eq!(
        claims(&store(&[("c2pa.actions", created(camera))])),
        Some((None, None))
    );
    let both =
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
    assert_eq!(
        claims(&store(&[("c2pa.actions", created(both))])),
        Some((Some(Generated::Partly), None))
    );
    // An assertion of another kind declares nothing, even if its content names a model.
    assert_eq!(
        claims(&store(&[("stds.metadata", created(MODEL))])),
        Some((None, None))
    );
}

#[test]
fn the_strictest_permission_counts() {
    let of = |entries: &[(&str, serde_json::Value)]| claims(&store(entries)).unwrap().1;
    assert_eq!(
        of(&[(
            "c2pa.training-mining",
            mining("c2pa.ai_generative_training", "notAllowed")
        )]),
        Some(Training::NotAllowed)
    );
    assert_eq!(
        of(&[(
            "cawg.training-mining",
            mining("cawg.data_mining", "constrained")
        )]),
        Some(Training::Constrained)
    );
    assert_eq!(
        of(&[(
            "cawg.training-mining",
            mining("cawg.ai_training", "allowed")
        )]),
        Some(Training::Allowed)
    );
    assert_eq!(
        of(&[(
            "cawg.training-mining",
            mining("cawg.ai_inference", "notAllowed")
        )]),
        None
    );
    let two = [
        (
            "c2pa.training-mining",
            mining("c2pa.ai_training", "notAllowed"),
        ),
        (
            "cawg.training-mining",
            mining("cawg.ai_training", "allowed"),
        ),
    ];
    assert_eq!(of(&two), Some(Training::NotAllowed));
}

#[test]
fn json_is_read_as_well() {
    let text = serde_json::to_vec(&mining("c2pa.ai_training", "notAllowed")).unwrap();
    let assertion = superbox("c2pa.training-mining", &[boxed(b"json", &text)]);
    let whole = superbox(
        "c2pa",
        &[superbox(
            "urn:c2pa:1",
            &[superbox("c2pa.assertions", &[assertion])],
        )],
    );
    assert_eq!(claims(&whole), Some((None, Some(Training::NotAllowed))));
}

#[test]
fn every_cut_store_is_unreadable_and_no_byte_panics() {
    let whole = store(&[(
        "c2pa.training-mining",
        mining("c2pa.ai_training", "notAllowed"),
    )]);
    for length in 0..whole.len() {
        assert_eq!(claims(&whole[..length]), None, "{length}");
    }
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut flipped = whole.clone();
            flipped[at] ^= bit;
            let _ = claims(&flipped);
        }
    }
}

#[test]
fn nesting_and_numbers_without_end_are_refused() {
    let mut deep = superbox("x", &[]);
    for _ in 0..100 {
        deep = superbox("x", &[deep]);
    }
    assert_eq!(claims(&deep), None);
    let many: Vec<Vec<u8>> = vec![boxed(b"free", &[]); 20_000];
    assert_eq!(claims(&superbox("c2pa", &many)), None);
    // Nested lists, one byte each, and a list that claims 2^60 items.
    let lists = [vec![0x81; 5_000], vec![0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0]];
    for content in lists {
        let assertion = superbox("c2pa.actions", &[boxed(b"cbor", &content)]);
        assert_eq!(claims(&superbox("c2pa", &[assertion])), None);
    }
}
