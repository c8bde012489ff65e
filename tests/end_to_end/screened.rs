//! A screened check of an index gives the same answer as a check that compares all keys.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::support::scenes;
use uniq::index::{SearchMode, Writer};
use uniq::ingest::{self, BuildOptions};
use uniq::report::MatchKind;
use uniq::{CheckOptions, Decoding, Fingerprint, Index, Report, Verdict};

/// Maximum difference between the two, in seconds. The other hits decide at which keyframe an
/// alignment ends.
const EXACTNESS_S: f64 = 0.5;

/// The published films: eight, two of them takes of scenes.
fn films() -> Vec<PathBuf> {
    let mut films: Vec<PathBuf> = (0..6).map(|seed| scenes::moving(70 + seed, 16)).collect();
    films.extend([scenes::tripod(7, 1, 16), scenes::talking_head(7, 1, 16)]);
    films
}

/// Builds an index of the films and sorts it by `cells` cells, although it is small.
fn index_by_cells(dir: &Path, cells: usize) -> Index {
    let sources = ingest::sources(&films()).unwrap();
    let go_on = AtomicBool::new(false);
    ingest::build(
        dir,
        sources,
        &BuildOptions::new(Decoding::in_process()),
        &|_| {},
        &go_on,
    )
    .unwrap();
    let mut writer = Writer::open(dir).unwrap();
    writer.sort_by_cells(cells, &|| false).unwrap();
    drop(writer);
    let index = Index::open(dir).unwrap();
    assert_eq!(index.state().cells, cells as u64);
    index
}

fn ask(index: &Index, clip: &Fingerprint, search: SearchMode) -> Report {
    let decoding = Decoding::in_process();
    uniq::check_fingerprint(
        index,
        clip,
        &CheckOptions {
            search,
            quality: false,
            ..CheckOptions::new(&decoding)
        },
    )
    .unwrap()
}

/// The copies: the source, and start and end in clip and source, in seconds.
fn copies(report: &Report) -> Vec<(&str, [f64; 4])> {
    let copies = report
        .matches
        .iter()
        .filter(|found| found.kind == MatchKind::Copy);
    let mut copies: Vec<_> = copies
        .map(|found| {
            let (clip, reference) = (found.alignment.clip, found.alignment.reference);
            let times = [clip.start_s, clip.end_s, reference.start_s, reference.end_s];
            (found.alignment.source.sha256.as_str(), times)
        })
        .collect();
    copies.sort_by(|a, b| a.1[0].total_cmp(&b.1[0]).then(a.0.cmp(b.0)));
    copies
}

#[test]
fn what_is_screened_gets_the_verdict_that_comparing_all_keys_gives() {
    let folder = tempfile::tempdir().unwrap();
    // A search probes 16 of them.
    let index = index_by_cells(&folder.path().join("index"), 64);
    let film = scenes::moving(71, 16);
    let cut = |filters: &str| scenes::edit(&film, filters, &["-ss", "3", "-t", "8", "-an"], "mp4");
    let mixture = {
        let other = scenes::moving(90, 16);
        let inputs = [
            "-i".into(),
            film.clone().into(),
            "-i".into(),
            other.clone().into(),
            "-filter_complex".into(),
        ];
        let graph = "[0:v]trim=4:10,setpts=PTS-STARTPTS[a];[1:v]trim=2:8,setpts=PTS-STARTPTS[b];[a][b]concat=n=2";
        let args: Vec<_> = inputs
            .into_iter()
            .chain([
                graph.into(),
                "-c:v".into(),
                "libx264".into(),
                "-preset".into(),
                "ultrafast".into(),
            ])
            .collect();
        scenes::edited(&folder.path().join("edits"), &[&film, &other], &args, "mp4")
    };
    let clips = [
        ("an excerpt", cut("scale=320:180"), Verdict::Published),
        ("mirrored", cut("hflip"), Verdict::Published),
        ("upside down", cut("vflip,hflip"), Verdict::Published),
        ("cropped", cut("crop=480:270"), Verdict::Published),
        (
            "faster",
            scenes::edit(
                &film,
                "trim=3:13,setpts=(PTS-STARTPTS)/1.25",
                &["-an"],
                "mp4",
            ),
            Verdict::Published,
        ),
        ("the whole file", film.clone(), Verdict::Published),
        ("half of it published", mixture, Verdict::PartlyPublished),
        ("of nobody", scenes::moving(91, 8), Verdict::Unpublished),
        (
            "another take",
            scenes::tripod(7, 2, 8),
            Verdict::Unpublished,
        ),
        ("black", scenes::black(4), Verdict::Inconclusive),
    ];
    for (what, clip, verdict) in clips {
        let clip = uniq::fingerprint(&clip, &Decoding::in_process(), None).unwrap();
        let (exact, screened) = (
            ask(&index, &clip, SearchMode::Exact),
            ask(&index, &clip, SearchMode::Screened),
        );
        assert_eq!(
            (exact.verdict, screened.verdict),
            (verdict, verdict),
            "{what}: {screened:?}"
        );
        let told = |report: &Report| {
            (
                report.search.mode.clone(),
                report.search.exact,
                report.search.recall,
            )
        };
        assert_eq!(
            told(&exact),
            ("exact".to_owned(), true, Some(1.0)),
            "{what}"
        );
        // No recall is claimed before it was measured.
        assert_eq!(
            told(&screened),
            ("screened".to_owned(), false, None),
            "{what}"
        );
        let seconds = |report: &Report| [report.seconds.published, report.seconds.unpublished];
        let close =
            |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= EXACTNESS_S);
        assert!(
            close(&seconds(&exact), &seconds(&screened)),
            "{what}: {:?} {:?}",
            exact.seconds,
            screened.seconds
        );
        let (all, found) = (copies(&exact), copies(&screened));
        let same = all
            .iter()
            .zip(&found)
            .all(|(a, b)| a.0 == b.0 && close(&a.1, &b.1));
        assert!(
            same && all.len() == found.len(),
            "{what}: {all:?} {found:?}"
        );
    }
    // The default search compares all keys of such a small index. A file gives the same answer as
    // its fingerprint.
    let decoding = Decoding::in_process();
    let usual = uniq::check(&index, &film, &CheckOptions::new(&decoding)).unwrap();
    assert!(usual.search.exact && usual.verdict == Verdict::Published);
    let options = CheckOptions {
        search: SearchMode::Screened,
        ..CheckOptions::new(&decoding)
    };
    let screened = uniq::check(&index, &cut("hflip"), &options).unwrap();
    assert_eq!(
        (screened.search.mode.as_str(), screened.search.exact),
        ("screened", false)
    );
    assert_eq!(
        (screened.verdict, screened.payable_minutes),
        (Verdict::Published, 0.0)
    );
}
