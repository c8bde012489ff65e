//! Measured facts of a clip, and its price by a rate card, through the whole check.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::support::scenes;
use uniq::facts::{Manifest, Training};
use uniq::ingest::{self, BuildOptions};
use uniq::rates::{self, RateCard};
use uniq::report::ReasonCode;
use uniq::{CheckOptions, Decoding, Index, Report, Verdict};

const CARD: &str = "currency = 'USD'\n[[class]]\nname = 'all'\nper_minute = 6\n";

fn index_of(film: &Path, folder: &Path) -> Index {
    let sources = ingest::sources(&[film.to_owned()]).unwrap();
    let options = BuildOptions::new(Decoding::in_process());
    ingest::build(folder, sources, &options, &|_| {}, &AtomicBool::new(false)).unwrap();
    Index::open(folder).unwrap()
}

fn checked(index: &Index, clip: &Path, decoding: &Decoding, quality: bool) -> Report {
    uniq::check(
        index,
        clip,
        &CheckOptions {
            quality,
            ..CheckOptions::new(decoding)
        },
    )
    .unwrap()
}

#[test]
fn measuring_changes_no_verdict_and_is_the_same_in_a_process_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let film = scenes::moving(1, 24);
    let index = index_of(&film, folder.path());
    let worker = Decoding::worker(env!("CARGO_BIN_EXE_uniq-media"));
    for clip in [
        scenes::excerpt(&film, 6.0, 6.0),
        scenes::excerpt(&scenes::moving(2, 16), 3.0, 6.0),
    ] {
        let without = checked(&index, &clip, &Decoding::in_process(), false);
        let here = checked(&index, &clip, &Decoding::in_process(), true);
        let there = checked(&index, &clip, &worker, true);
        assert!(without.quality.is_none() && here.quality.is_some());
        assert_eq!(here, there);
        assert_eq!(
            Report {
                quality: None,
                ..here
            },
            without
        );
    }
}

#[test]
fn a_manifest_that_forbids_training_is_told_and_withholds_the_amount_alone() {
    let folder = tempfile::tempdir().unwrap();
    let index = index_of(&scenes::moving(1, 24), &folder.path().join("index"));
    let original = scenes::excerpt(&scenes::moving(2, 16), 3.0, 6.0);
    let clip = folder.path().join("declared.mp4");
    let mut bytes = std::fs::read(&original).unwrap();
    bytes.extend(forbidding());
    std::fs::write(&clip, bytes).unwrap();
    let decoding = Decoding::in_process();
    let card = RateCard::parse(CARD).unwrap();

    let plain = checked(&index, &original, &decoding, true);
    let quality = plain.quality.as_ref().unwrap();
    assert_eq!(
        (quality.declared.manifest, quality.declared.training),
        (Manifest::NoDeclaration, None)
    );
    let amount = rates::amount(&card, &plain);
    let cents = (plain.payable_minutes * 600.0) as u64;
    assert!(
        amount.payable && amount.payable_cents.abs_diff(cents) <= 1 && cents > 0,
        "{amount:?}"
    );

    let declared = checked(&index, &clip, &decoding, true);
    assert_eq!(declared.verdict, Verdict::Unpublished);
    assert!(
        declared.payable_minutes > 0.0
            && declared
                .reasons
                .iter()
                .any(|why| why.code == ReasonCode::NotAllowed)
    );
    assert_eq!(
        declared.quality.as_ref().unwrap().declared.training,
        Some(Training::NotAllowed)
    );
    let amount = rates::amount(&card, &declared);
    assert!(
        !amount.payable && amount.payable_cents == 0 && amount.withheld_cents > 0,
        "{amount:?}"
    );
}

/// An MP4 box with a manifest whose only assertion forbids training.
fn forbidding() -> Vec<u8> {
    let content = [
        b"\xa1\x67entries\xa1\x70c2pa.ai_training".as_slice(),
        b"\xa1\x63use\x6anotAllowed".as_slice(),
    ]
    .concat();
    let assertion = superbox(b"c2pa.training-mining", &boxed(b"cbor", &content));
    let manifest = superbox(b"urn:c2pa:1", &superbox(b"c2pa.assertions", &assertion));
    let user = b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81\0\0\0\0manifest\0\0\0\0\0\0\0\0\0";
    boxed(
        b"uuid",
        &[user.as_slice(), &superbox(b"c2pa", &manifest)].concat(),
    )
}

fn superbox(label: &[u8], parts: &[u8]) -> Vec<u8> {
    let description = [&[0; 16], b"\x03".as_slice(), label, b"\0"].concat();
    boxed(
        b"jumb",
        &[boxed(b"jumd", &description), parts.to_vec()].concat(),
    )
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [
        &(body.len() as u32 + 8).to_be_bytes(),
        kind.as_slice(),
        body,
    ]
    .concat()
}
