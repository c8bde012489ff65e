//! Real footage, when `UNIQ_CLIPS` names a folder of clips with a `manifest.csv`: half is indexed, excerpts of it must
//! be found, and the other half must not be called published.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use support::clips;
use support::edits::{self, Edit, Excerpt};
use support::program::{self, Score};

/// How many clips of each half are tried.
const TRIED: usize = 12;
/// The share of excerpts that must be found.
const RECALL: f64 = 0.9;

#[test]
fn excerpts_of_real_clips_are_found_and_other_clips_are_not() {
    let Some(folder) = std::env::var_os("UNIQ_CLIPS").map(PathBuf::from) else {
        eprintln!("UNIQ_CLIPS is not set; nothing was checked");
        return;
    };
    let program = Path::new(env!("CARGO_BIN_EXE_uniq"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("detect");
    let clips = clips::read(&folder);
    let split = clips::split(&clips, 0);
    let index = tempfile::tempdir().unwrap();
    let sources: Vec<&Path> = split
        .published
        .iter()
        .map(|clip| clip.path.as_path())
        .collect();
    program::must_succeed(&program::build(program, index.path(), &sources));

    let edits = [Edit::Cut, Edit::Reencode, Edit::CornerCrop, Edit::Mirror];
    let tried = |half: &[clips::Clip]| -> Vec<Excerpt> {
        let long_enough = half
            .iter()
            .filter(|clip| clip.duration_s >= edits::SHORTEST_S);
        long_enough
            .take(TRIED)
            .flat_map(|clip| {
                edits
                    .iter()
                    .filter_map(|edit| Excerpt::plan(clip, *edit, &[], 0))
            })
            .collect()
    };
    let mut excerpts = tried(&split.published);
    let positives = excerpts.len();
    assert!(
        positives >= 8 * edits.len(),
        "too few clips in {}",
        folder.display()
    );
    excerpts.extend(tried(&split.held_back));
    let excerpts = edits::make_all(excerpts, &cache, &|_| {});
    let paths: Vec<&Path> = excerpts
        .iter()
        .map(|excerpt| excerpt.path.as_path())
        .collect();
    let reports = program::check(program, index.path(), &paths, &[], &|_| {});

    let groups: HashMap<&str, &str> = clips
        .iter()
        .map(|clip| (clip.sha256.as_str(), clip.group.as_str()))
        .collect();
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    for (number, (excerpt, report)) in excerpts.iter().zip(&reports).enumerate() {
        let told = format!(
            "{} {}: {}",
            excerpt.edit.name(),
            excerpt.clip.name(),
            report.verdict
        );
        assert!(!report.verdict.is_empty(), "{told}could not be checked");
        if number >= positives {
            alarms.extend(report.is_published().then_some(told));
        } else {
            let score = Score::new(report, excerpt, |sha256| groups.get(sha256).copied());
            missed.extend((!score.found).then_some(told));
        }
    }
    let recall = 1.0 - missed.len() as f64 / positives as f64;
    eprintln!(
        "{positives} excerpts, recall {recall:.3}; {} of {} others called published",
        alarms.len(),
        excerpts.len() - positives
    );
    assert!(
        alarms.is_empty(),
        "called published though not indexed: {alarms:#?}"
    );
    assert!(
        recall >= RECALL,
        "recall {recall:.3}; not found: {missed:#?}"
    );
}
