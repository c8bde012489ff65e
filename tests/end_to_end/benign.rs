//! Benign material through the program: an intro that films share, a station's logo, and the
//! answers about clips with them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{program, scenes};
use serde_json::Value;
use tempfile::TempDir;

/// Tolerance of reported seconds: a keyframe at either end, and what a cut between them hides.
const EXACTNESS_S: f64 = 0.6;

const INTRO_S: f64 = 4.0;

/// Four seconds of a stock intro.
fn intro() -> PathBuf {
    scenes::excerpt(&scenes::moving(70, 6), 0.0, INTRO_S)
}

/// The intro followed by this footage.
fn with_intro(footage: &Path, seconds: f64) -> PathBuf {
    let (intro, length) = (intro(), seconds.to_string());
    let filter = "[0:v][1:v]concat=n=2:v=1:a=0".into();
    let args: [OsString; 7] = [
        "-i".into(),
        intro.clone().into(),
        "-t".into(),
        length.into(),
        "-i".into(),
        footage.into(),
        "-an".into(),
    ];
    let args = [&args[..], &["-filter_complex".into(), filter], &encoder()].concat();
    scenes::edited(&folder(), &[&intro, footage], &args, "mp4")
}

/// A detailed picture at its place in the frame, on grey. On black its edges would differ from
/// those over footage.
fn logo() -> PathBuf {
    scenes::edit(
        &scenes::frozen(90, 3),
        "scale=192:108,pad=640:360:430:16:gray",
        &[],
        "mp4",
    )
}

/// The same picture in the same corner over footage.
fn under_logo(footage: &Path) -> PathBuf {
    let logo = scenes::frozen(90, 3);
    let filter = "[1:v]scale=192:108[l];[0:v][l]overlay=430:16".into();
    let args: [OsString; 4] = [
        "-i".into(),
        footage.into(),
        "-i".into(),
        logo.clone().into(),
    ];
    let args = [&args[..], &["-filter_complex".into(), filter], &encoder()].concat();
    scenes::edited(&folder(), &[footage, &logo], &args, "mp4")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits")
}

fn encoder() -> Vec<OsString> {
    scenes::words("-c:v libx264 -preset ultrafast -crf 24 -pix_fmt yuv420p")
        .iter()
        .map(OsString::from)
        .collect()
}

/// As a platform delivers it: smaller and strongly compressed.
fn delivered(clip: &Path) -> PathBuf {
    scenes::edit(
        clip,
        "scale=426:240",
        &[
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "33", "-pix_fmt", "yuv420p",
        ],
        "mp4",
    )
}

fn published_film() -> PathBuf {
    with_intro(&scenes::moving(71, 10), 8.0)
}

/// A folder with an index of published videos.
struct Place(TempDir);

impl Place {
    fn with(films: &[&Path]) -> Place {
        let place = Place(TempDir::new().unwrap());
        program::must_succeed(&program::build(binary(), &place.index(), films));
        place
    }

    fn index(&self) -> PathBuf {
        self.0.path().join("index")
    }

    fn uniq(&self, words: &[&str], files: &[&Path]) -> Output {
        let index = self.index();
        let mut args: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        args.extend([OsStr::new("--index"), index.as_os_str()]);
        args.extend(files.iter().map(|file| file.as_os_str()));
        program::run(binary(), &args)
    }

    fn mark(&self, files: &[&Path]) {
        program::must_succeed(&self.uniq(&["index", "benign", "add"], files));
    }

    /// The whole report.
    fn check(&self, clip: &Path) -> Value {
        let output = self.uniq(&["check", "--json", "--no-quality"], &[clip]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", words(&output)))
    }

    /// The report without the searched commit and the time.
    fn answer(&self, clip: &Path) -> Value {
        let mut report = self.check(clip);
        let index = report["index"].as_object_mut().unwrap();
        for field in ["root", "generation", "version", "committed_at"] {
            assert!(index.remove(field).is_some(), "{field}");
        }
        assert!(
            report
                .as_object_mut()
                .unwrap()
                .remove("checked_at")
                .is_some()
        );
        report
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_uniq"))
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn seconds(report: &Value) -> [f64; 4] {
    ["published", "unpublished", "unsearchable", "benign"]
        .map(|state| report["seconds"][state].as_f64().unwrap())
}

fn assert_seconds(report: &Value, truth: [f64; 4]) {
    for (found, truth) in seconds(report).into_iter().zip(truth) {
        assert!(
            (found - truth).abs() <= EXACTNESS_S,
            "{found} s instead of {truth} s: {report:#}"
        );
    }
}

#[test]
fn an_intro_that_films_share_counts_for_nothing_once_it_is_benign() {
    let (film, own) = (published_film(), scenes::moving(72, 10));
    let clip = delivered(&with_intro(&own, 8.0));
    let place = Place::with(&[&film]);
    let before = place.check(&clip);
    assert_eq!(before["verdict"], "partly_published");
    assert_seconds(&before, [4.0, 8.0, 0.0, 0.0]);
    assert_eq!(before["clip"]["benign_keys"], 0);
    let without = place.answer(&clip);

    let other = with_intro(&scenes::moving(73, 8), 3.0);
    place.mark(&[&intro()]);
    let report = place.check(&clip);
    assert_eq!(report["verdict"], "unpublished", "{report:#}");
    assert_seconds(&report, [0.0, 8.0, 4.0, 4.0]);
    assert!(
        report["matches"].as_array().unwrap().is_empty(),
        "{report:#}"
    );
    assert!(
        report["nearest_non_match"]["source"]["path"] != intro().to_str().unwrap(),
        "{report:#}"
    );
    let reasons = report["reasons"].as_array().unwrap();
    assert!(
        reasons.iter().any(|reason| reason["code"] == "benign"),
        "{reasons:?}"
    );
    let spans = report["spans"].as_array().unwrap();
    let benign = spans
        .iter()
        .find(|span| span["reason"]["code"] == "benign")
        .unwrap_or_else(|| panic!("{report:#}"));
    assert!(
        benign["start_s"] == 0.0
            && (benign["end_s"].as_f64().unwrap() - INTRO_S).abs() <= EXACTNESS_S,
        "{benign}"
    );
    // Some forty keyframes with about forty keys each; at least half of those in the intro's
    // sixteen.
    assert!(
        report["clip"]["benign_keys"].as_u64().unwrap() > 320,
        "{report:#}"
    );
    let index = &report["index"];
    assert_eq!(
        (&index["videos"], &index["benign_videos"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        (&index["keys"], &index["hours"]),
        (&before["index"]["keys"], &before["index"]["hours"])
    );
    assert_ne!(
        index["root"], before["index"]["root"],
        "the root has to cover the benign material"
    );

    // The copy of a film with the intro is still found, but the intro's seconds do not count.
    let copy = place.check(&delivered(&film));
    assert_eq!(copy["verdict"], "published", "{copy:#}");
    assert_seconds(&copy, [8.0, 0.0, 4.0, 4.0]);
    let found = &copy["matches"][0];
    assert_eq!(
        (&found["kind"], &found["source"]["sha256"]),
        (&"copy".into(), &scenes::digest(&film).into())
    );
    // Also mirrored.
    let mirrored = place.check(&scenes::edit(&film, "hflip", &[], "mp4"));
    assert_eq!(mirrored["verdict"], "published", "{mirrored:#}");
    assert_seconds(&mirrored, [8.0, 0.0, 4.0, 4.0]);
    // The intro alone gives no answer, even as the very file.
    for clip in [intro(), delivered(&intro())] {
        let report = place.check(&clip);
        assert_eq!(report["verdict"], "inconclusive", "{report:#}");
        assert_seconds(&report, [0.0, 0.0, 4.0, 4.0]);
    }

    // Merging keeps it, together with what was added and removed meanwhile.
    let marked = place.answer(&clip);
    program::must_succeed(&place.uniq(&["index", "benign", "add"], &[&other]));
    program::must_succeed(
        &place.uniq(&["index", "benign", "remove", &scenes::digest(&other)], &[]),
    );
    program::must_succeed(&place.uniq(&["index", "merge"], &[]));
    program::must_succeed(&place.uniq(&["index", "verify"], &[]));
    assert_eq!(place.answer(&clip), marked);

    // Without it, everything is as before.
    program::must_succeed(&place.uniq(
        &["index", "benign", "remove", &scenes::digest(&intro())[..16]],
        &[],
    ));
    assert_eq!(place.answer(&clip), without);
}

#[test]
fn a_copy_under_a_benign_logo_is_found_and_the_logo_itself_proves_nothing() {
    let (film, carrier) = (scenes::moving(74, 12), under_logo(&scenes::moving(75, 8)));
    let place = Place::with(&[&film, &carrier]);
    let copy = delivered(&under_logo(&scenes::excerpt(&film, 2.0, 8.0)));
    let own = delivered(&under_logo(&scenes::moving(76, 8)));
    // Enough of the logo is visible to call the two videos under it related.
    let related = |report: &Value| -> f64 {
        let matches = report["matches"].as_array().unwrap().iter();
        let by_logo =
            matches.filter(|found| found["source"]["sha256"] == *scenes::digest(&carrier));
        by_logo
            .map(|found| found["evidence_bits"].as_f64().unwrap())
            .fold(0.0, f64::max)
    };
    let before = related(&place.check(&own));
    assert!(before >= 30.0, "{before} bits");
    place.mark(&[&logo()]);

    let report = place.check(&copy);
    assert_eq!(report["verdict"], "published", "{report:#}");
    assert_seconds(&report, [8.0, 0.0, 0.0, 0.0]);
    assert!(
        report["clip"]["benign_keys"].as_u64().unwrap() > 0,
        "{report:#}"
    );
    assert_eq!(
        report["matches"][0]["source"]["sha256"],
        *scenes::digest(&film)
    );
    let report = place.check(&own);
    assert_eq!(report["verdict"], "unpublished", "{report:#}");
    // Only regions with the logo and what is behind it are left.
    assert!(
        related(&report) < 0.75 * before,
        "{} of {before} bits: {report:#}",
        related(&report)
    );
    assert_seconds(&report, [0.0, 8.0, 0.0, 0.0]);
    assert!(
        report["clip"]["benign_keys"].as_u64().unwrap() > 0,
        "{report:#}"
    );

    // The human-readable output says so too.
    let told = place.uniq(&["check"], &[&own]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("set aside"), "{told}");
}

#[test]
fn what_is_a_source_is_not_made_benign_and_the_other_way_round() {
    let (film, intro) = (scenes::moving(74, 12), intro());
    let place = Place::with(&[&film]);
    let refused = place.uniq(&["index", "benign", "add"], &[&film, &intro]);
    assert_eq!(refused.status.code(), Some(4));
    let id = &scenes::digest(&film)[..16];
    assert!(
        words(&refused).contains(&format!("uniq index remove {id}")),
        "{}",
        words(&refused)
    );
    assert!(
        words(&refused).contains("added 1 benign video (4 s), 0 already there, 1 failed"),
        "{}",
        words(&refused)
    );

    // Material without keys could never be recognised.
    let plain = place.uniq(&["index", "benign", "add"], &[&scenes::black(4)]);
    assert_eq!(plain.status.code(), Some(4));
    assert!(
        words(&plain).contains("shows nothing that could be recognised"),
        "{}",
        words(&plain)
    );

    // Adding it twice is reported and changes nothing.
    let root = |place: &Place| place.check(&intro)["index"]["root"].clone();
    let before = root(&place);
    let again = place.uniq(&["index", "benign", "add"], &[&intro]);
    program::must_succeed(&again);
    assert!(
        words(&again).contains("added 0 benign videos (0 s), 1 already there"),
        "{}",
        words(&again)
    );
    // It cannot become a source either.
    let added = place.uniq(&["index", "add"], &[&intro]);
    program::must_succeed(&added);
    assert!(
        words(&added).contains("1 left out as benign material"),
        "{}",
        words(&added)
    );
    assert_eq!(root(&place), before);

    let listed = |words: &[&str]| String::from_utf8(place.uniq(words, &[]).stdout).unwrap();
    let all = listed(&["index", "list"]);
    assert_eq!(
        (
            all.lines().count(),
            all.lines().nth(1).unwrap().ends_with("  (benign)")
        ),
        (2, true),
        "{all}"
    );
    let json = listed(&["index", "benign", "list", "--json"]);
    let video: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&video["role"], &video["sha256"]),
        (&"benign".into(), &scenes::digest(&intro).into())
    );
    let stats: Value = serde_json::from_str(&listed(&["index", "stats", "--json"])).unwrap();
    assert_eq!(
        (&stats["videos"], &stats["benign_videos"]),
        (&1.into(), &1.into())
    );
    assert!(
        listed(&["index", "stats"]).contains("benign    1 video (4 s), "),
        "{}",
        listed(&["index", "stats"])
    );

    // Each is removed only in its own role.
    for (command, other) in [
        (&["index", "remove"][..], &intro),
        (&["index", "benign", "remove"], &film),
    ] {
        let refused = place.uniq(command, &[other]);
        assert_eq!(refused.status.code(), Some(2));
        let remedy = if other == &intro {
            "remove it with: uniq index benign remove"
        } else {
            "remove it with: uniq index remove"
        };
        assert!(words(&refused).contains(remedy), "{}", words(&refused));
    }
    assert_eq!(root(&place), before);
    program::must_succeed(&place.uniq(&["index", "benign", "remove"], &[&intro]));
    program::must_succeed(&place.uniq(&["index", "add"], &[&intro]));
    assert_eq!(place.check(&intro)["verdict"], "published");
}
