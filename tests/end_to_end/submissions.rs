//! A clip that was decoded once is indexed as a submission, and a later offer of the same footage
//! is found.

use std::time::Duration;

use crate::support::scenes::{edit, excerpt, moving};
use uniq::fingerprint::FINGERPRINT_VERSION;
use uniq::index::{IndexConfig, Role, Writer};
use uniq::{CheckOptions, Decoding, Error, Index, Verdict, ingest};

const CONFIG: IndexConfig = IndexConfig {
    fingerprint_version: FINGERPRINT_VERSION,
    interval: Duration::from_millis(500),
};

#[test]
fn a_mirrored_and_cropped_excerpt_of_a_submission_is_found_with_its_times_and_never_called_published()
 {
    let folder = tempfile::tempdir().unwrap();
    let decoding = Decoding::in_process();
    let first = moving(61, 14);
    let clip = uniq::fingerprint(&first, &decoding, None).unwrap();
    let mut writer = Writer::open_or_create(folder.path(), CONFIG).unwrap();
    assert!(ingest::add_clip(&mut writer, Role::Submission, "first", &clip).unwrap());
    assert!(!ingest::add_clip(&mut writer, Role::Submission, "again", &clip).unwrap());
    writer.commit().unwrap();
    drop(writer);
    let index = Index::open(folder.path()).unwrap();
    let second = edit(
        &excerpt(&first, 4.0, 7.0),
        "hflip,crop=iw*0.85:ih*0.85,scale=426:240",
        &[],
        "mp4",
    );

    let options = CheckOptions {
        among: Role::Submission,
        ..CheckOptions::new(&decoding)
    };
    let report = uniq::check(&index, &second, &options).unwrap();
    assert_eq!(report.verdict, Verdict::Published, "{report:?}");
    let alignment = &report.matches[0].alignment;
    assert_eq!(alignment.source.path, "first");
    assert!(
        alignment.mirrored && alignment.pictures.is_some(),
        "{alignment:?}"
    );
    assert!(
        (alignment.reference.start_s - 4.0).abs() < 0.5,
        "{alignment:?}"
    );

    let error = uniq::check(&index, &second, &CheckOptions::new(&decoding)).unwrap_err();
    assert!(matches!(error, Error::OtherRole { .. }), "{error}");
}

#[test]
fn another_clip_is_not_found_among_submissions() {
    let folder = tempfile::tempdir().unwrap();
    let decoding = Decoding::in_process();
    let mut writer = Writer::open_or_create(folder.path(), CONFIG).unwrap();
    let clip = uniq::fingerprint(&moving(62, 10), &decoding, None).unwrap();
    ingest::add_clip(&mut writer, Role::Submission, "first", &clip).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let index = Index::open(folder.path()).unwrap();
    let options = CheckOptions {
        among: Role::Submission,
        ..CheckOptions::new(&decoding)
    };
    let report = uniq::check(&index, &moving(63, 10), &options).unwrap();
    assert_eq!(report.verdict, Verdict::Unpublished);
}
