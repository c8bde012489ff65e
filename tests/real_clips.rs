//! Real footage, when `UNIQ_CLIPS` names a folder of clips with a `manifest.csv`: half is indexed, excerpts of it must
//! be found, and the other half must not be called published.
//!
//! The judging itself is tested first, on reports made by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::clips::{self, Clip};
use support::edits::{self, Edit, Excerpt};
use support::program::{self, Report, Score};

/// How many clips of the indexed half, and of the other, are tried.
const TRIED: [usize; 2] = [20, 8];
/// The share of excerpts that must be found.
const RECALL: f64 = 0.9;

#[test]
fn excerpts_of_real_clips_are_found_and_other_clips_are_not() {
    let Some(folder) = clips::folder(None) else {
        eprintln!("UNIQ_CLIPS is not set; nothing was checked");
        return;
    };
    let program = Path::new(env!("CARGO_BIN_EXE_uniq"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("detect");
    let clips = clips::read(&folder);
    let split = clips::split(&clips, 0);
    let index = tempfile::tempdir().unwrap();
    let sources: Vec<&Path> = split.published.iter().map(|clip| clip.path.as_path()).collect();
    program::must_succeed(&program::build(program, index.path(), &sources));

    let edits = [Edit::Cut, Edit::Reencode, Edit::CornerCrop, Edit::Mirror];
    let tried = |half: &[clips::Clip], most: usize| -> Vec<Excerpt> {
        let long_enough = half.iter().filter(|clip| clip.duration_s >= edits::SHORTEST_S);
        long_enough
            .take(most)
            .flat_map(|clip| edits.iter().filter_map(|edit| Excerpt::plan(clip, *edit, &[], 0)))
            .collect()
    };
    let mut excerpts = tried(&split.published, TRIED[0]);
    let positives = excerpts.len();
    assert!(positives >= 8 * edits.len(), "too few clips in {}", folder.display());
    excerpts.extend(tried(&split.held_back, TRIED[1]));
    let excerpts = edits::make_all(excerpts, &cache, &|_| {});
    let paths: Vec<&Path> = excerpts.iter().map(|excerpt| excerpt.path.as_path()).collect();
    let reports = program::check(program, index.path(), &paths, &[], &|_| {});

    let groups = clips::groups(&clips);
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    for (number, (excerpt, report)) in excerpts.iter().zip(&reports).enumerate() {
        let told = format!("{} {}: {}", excerpt.edit.name(), excerpt.clip.name(), report.verdict);
        assert!(!report.verdict.is_empty(), "{told}could not be checked");
        if number >= positives {
            alarms.extend(report.is_published().then_some(told));
        } else {
            // Of a picture with too little structure, it is enough that it is not called unpublished.
            let admitted = excerpt.clip.hard && report.verdict == "inconclusive";
            let found = admitted || Score::new(report, excerpt, &groups).found;
            missed.extend((!found).then_some(told));
        }
    }
    let recall = 1.0 - missed.len() as f64 / positives as f64;
    eprintln!(
        "{positives} excerpts, recall {recall:.3}; {} of {} others called published",
        alarms.len(),
        excerpts.len() - positives
    );
    assert!(alarms.is_empty(), "called published though not indexed: {alarms:#?}");
    assert!(recall >= RECALL, "recall {recall:.3}; not found: {missed:#?}");
}

#[test]
fn only_a_copy_of_the_right_content_in_the_right_place_counts_as_found() {
    let clip = |name: &str| Clip {
        path: PathBuf::from(name),
        sha256: format!("{name:0>16}"),
        group: name.to_owned(),
        duration_s: 30.0,
        size: (640, 360),
        square: true,
        hard: false,
    };
    let groups = clips::groups(&[clip("a"), clip("b")]);
    let excerpt = Excerpt::plan(&clip("a"), Edit::Inside, &[clip("b")], 0).unwrap();
    let ((start, end), reference) = (excerpt.within_s, excerpt.reference_s.0);
    let found = |source: &str, kind: &str, shift: f64, bits: f64| {
        serde_json::json!({
            "source": { "sha256": format!("{source:0>16}") }, "kind": kind, "evidence_bits": bits,
            "clip": { "start_s": start + shift, "end_s": end + shift },
            "reference": { "start_s": reference + 0.25, "end_s": reference + 3.25 },
        })
    };
    let score = |matches: &[serde_json::Value]| {
        let report: Report = serde_json::from_value(serde_json::json!({ "matches": matches })).unwrap();
        Score::new(&report, &excerpt, &groups)
    };
    let told = |score: &Score| (score.found, score.wrong);
    assert_eq!(told(&score(&[])), (false, 0));
    assert_eq!(told(&score(&[found("a", "same_scene", 0.0, 90.0)])), (false, 0));
    assert_eq!(told(&score(&[found("b", "copy", 0.0, 90.0)])), (false, 1));
    assert_eq!(told(&score(&[found("a", "copy", 2.0, 90.0)])), (false, 1));
    let both = score(&[found("a", "copy", 0.0, 60.0), found("a", "copy", -0.5, 90.0)]);
    assert_eq!(told(&both), (true, 0));
    assert_eq!(both.evidence_bits, 90.0);
    assert_eq!(both.errors_s, Some([0.5, 0.5, 0.25]));
}

#[test]
fn halves_never_share_a_group_and_complement_each_other() {
    let clip = |number: usize| Clip {
        path: PathBuf::from(number.to_string()),
        sha256: format!("{number:016x}"),
        group: (number / 3).to_string(),
        duration_s: 10.0,
        size: (640, 360),
        square: true,
        hard: false,
    };
    let clips: Vec<Clip> = (0..30).map(clip).collect();
    for seed in 0..6 {
        let (half, other) = (clips::split(&clips, 2 * seed), clips::split(&clips, 2 * seed + 1));
        let names = |clips: &[Clip]| clips.iter().map(Clip::name).collect::<Vec<_>>();
        assert_eq!(half.published.len(), 15);
        assert_eq!(names(&half.published), names(&other.held_back));
        assert_eq!(names(&half.held_back), names(&other.published));
        let groups = |clips: &[Clip]| clips.iter().map(|clip| clip.group.clone()).collect::<BTreeSet<_>>();
        assert!(groups(&half.published).is_disjoint(&groups(&half.held_back)));
    }
}
