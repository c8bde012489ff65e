//! A clip with many copies in the index: some are reported in full, the others are counted, and
//! nothing else is lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::support::scenes;
use tempfile::TempDir;
use uniq::fingerprint::{FINGERPRINT_VERSION, Key, Run};
use uniq::index::{Index, IndexConfig, Role, SearchMode, Video, Writer};
use uniq::ingest::{self, BuildOptions};
use uniq::report::{Match, MatchKind};
use uniq::{CheckOptions, Decoding, Fingerprint, Report, Verdict};

/// Number of copies of the frequent film.
pub(crate) const COPIES: u32 = 60;

/// The copy that was published first.
const FIRST: u32 = 41;

/// When the other film begins in the clip, in seconds.
const OTHER_FROM_S: f64 = 10.0;

#[test]
fn of_sixty_copies_the_first_published_is_told_and_the_rest_are_counted() {
    let report = crowded();
    assert_eq!(report.verdict, Verdict::Published, "{:?}", report.reasons);
    let told = sources(report);
    assert!(told.contains(&path(FIRST)), "{told:?}");
    let of_film = told.iter().filter(|path| path.starts_with("copy")).count() as u64;
    assert_eq!(of_film + report.more_sources, u64::from(COPIES), "{told:?}");
}

#[test]
fn sixty_copies_take_at_most_twice_the_alignments_of_one() {
    let aligned = |copies| {
        let decoding = Decoding::in_process();
        let index = everywhere(copies, false);
        let aligned = uniq::alignments(&index.index, clip(), &exactly(&decoding)).unwrap();
        aligned
            .iter()
            .map(|alignment| alignment.video)
            .collect::<BTreeSet<_>>()
            .len()
    };
    // The other film is aligned in both cases.
    let (one, many) = (aligned(1) - 1, aligned(COPIES) - 1);
    assert_eq!(one, 1);
    assert!(many <= 2 * one, "{many}");
}

#[test]
fn what_is_shown_once_in_other_seconds_is_told_as_fully_as_without_the_crowd() {
    let of_other = |report: &Report| -> Vec<(f64, f64)> {
        let copies = report
            .matches
            .iter()
            .filter(|found| found.kind == MatchKind::Copy);
        let other = copies.filter(|found| found.alignment.source.path == "other.mp4");
        other
            .map(|found| (found.alignment.clip.start_s, found.alignment.clip.end_s))
            .collect()
    };
    let (alone, crowded) = (of_other(&asked(&everywhere(1, false))), of_other(crowded()));
    assert!(
        !alone.is_empty() && alone.iter().all(|(start, _)| *start > OTHER_FROM_S - 0.5),
        "{alone:?}"
    );
    assert_eq!(alone, crowded);
}

#[test]
fn the_order_of_the_index_makes_no_difference() {
    let told = |report: &Report| {
        let of_match = |found: &Match| {
            let alignment = &found.alignment;
            (
                alignment.source.path.clone(),
                alignment.clip,
                alignment.reference,
                alignment.evidence_bits.to_bits(),
            )
        };
        let matches: Vec<_> = report.matches.iter().map(of_match).collect();
        (
            report.verdict,
            report.spans.clone(),
            report.more_sources,
            matches,
        )
    };
    assert_eq!(told(crowded()), told(&asked(&everywhere(COPIES, true))));
}

#[test]
fn other_takes_however_many_hide_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    let film = scenes::tripod(3, 0, 12);
    let faint = scenes::edit(
        &film,
        "scale=320:180,boxblur=2,eq=brightness=0.05",
        &["-an", "-crf", "34"],
        "mp4",
    );
    let takes = (1..6).map(|take| scenes::tripod(3, take, 12));
    let videos: Vec<PathBuf> = takes.chain([faint.clone()]).collect();
    build(&dir, &videos);
    let index = Index::open(&dir).unwrap();
    let clip = uniq::fingerprint(
        &scenes::excerpt(&film, 2.0, 8.0),
        &Decoding::in_process(),
        None,
    )
    .unwrap();
    let decoding = Decoding::in_process();
    let report = uniq::check_fingerprint(&index, &clip, &exactly(&decoding)).unwrap();
    let faint = faint.to_string_lossy();
    assert!(
        sources(&report).iter().any(|path| *path == faint),
        "{:?}",
        sources(&report)
    );
}

/// An index and its folder.
pub(crate) struct Made {
    pub(crate) index: Index,
    _folder: TempDir,
}

/// An index of `copies` copies of one film and one copy of another. It is written in one commit, or
/// in several in reverse order.
pub(crate) fn everywhere(copies: u32, backwards: bool) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let films = films();
    let config = IndexConfig {
        fingerprint_version: FINGERPRINT_VERSION,
        interval: Duration::from_secs(1),
    };
    let mut writer = Writer::open_or_create(folder.path(), config).unwrap();
    let mut numbers: Vec<Option<u32>> = (0..copies).map(Some).chain([None]).collect();
    if backwards {
        numbers.reverse();
    }
    for (place, number) in numbers.into_iter().enumerate() {
        let film = &films[usize::from(number.is_none())];
        let mut random = 1 + u64::from(number.unwrap_or_default());
        let runs = film
            .runs
            .iter()
            .map(|run| Run {
                key: flipped(run.key, &mut random),
                ..*run
            })
            .collect();
        let mut sha256 = [0xab; 32];
        sha256[..4].copy_from_slice(&number.unwrap_or(u32::MAX).to_be_bytes());
        let mut video = Video {
            sha256,
            path: number.map_or("other.mp4".to_owned(), path),
            ..film.video.clone()
        };
        video.publication.published_at = match number {
            Some(FIRST) => Some("2011-05-01T06:00:00+02:00".to_owned()),
            Some(number) if number % 3 == 0 => None,
            number => Some(format!(
                "2012-{:02}-01",
                1 + number.unwrap_or_default() % 12
            )),
        };
        writer
            .add_with_pictures(
                Role::Source,
                video,
                runs,
                &film.motion,
                film.pictures.clone(),
            )
            .unwrap();
        if backwards && place % 20 == 0 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    Made {
        index: Index::open(folder.path()).unwrap(),
        _folder: folder,
    }
}

/// What an index stores of a film.
struct Film {
    video: Video,
    runs: Vec<Run>,
    motion: uniq::fingerprint::Motion,
    pictures: Vec<u8>,
}

fn films() -> &'static [Film; 2] {
    static FILMS: OnceLock<[Film; 2]> = OnceLock::new();
    FILMS.get_or_init(|| {
        [1, 2].map(|seed| {
            let folder = tempfile::tempdir().unwrap();
            build(folder.path(), &[scenes::moving(seed, 16)]);
            let index = Index::open(folder.path()).unwrap();
            let (number, video) = index.videos().next().unwrap();
            let track = index.track(number).unwrap();
            let pictures = index.pictures(number).unwrap().to_bytes();
            Film {
                video: video.clone(),
                runs: track.runs,
                motion: track.motion,
                pictures,
            }
        })
    })
}

/// Ten seconds of one film, followed by six of the other.
pub(crate) fn clip() -> &'static Fingerprint {
    static CLIP: OnceLock<Fingerprint> = OnceLock::new();
    CLIP.get_or_init(|| {
    let [one, other] = [1, 2].map(|seed| scenes::moving(seed, 16));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("everywhere");
    let joined = format!(
        "[0:v]trim=2:{},setpts=PTS-STARTPTS[a];[1:v]trim=4:10,setpts=PTS-STARTPTS[b];[a][b]concat=n=2:v=1,scale=480:270",
        2.0 + OTHER_FROM_S
    );
    let mut args: Vec<std::ffi::OsString> = vec!["-i".into(), one.clone().into(), "-i".into(), other.clone().into()];
    args.extend(["-filter_complex".into(), joined.into()]);
    args.extend(["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p"].map(Into::into));
    let clip = scenes::edited(&folder, &[&one, &other], &args, "mp4");
    uniq::fingerprint(&clip, &Decoding::in_process(), None).unwrap()
    })
}

/// The report on the clip with all copies in the index, made once.
fn crowded() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| asked(&everywhere(COPIES, false)))
}

fn build(dir: &Path, videos: &[PathBuf]) {
    let options = BuildOptions::new(Decoding::in_process());
    let sources = ingest::sources(videos).unwrap();
    let summary = ingest::build(dir, sources, &options, &|_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(summary.added, videos.len());
}

fn asked(made: &Made) -> Report {
    let decoding = Decoding::in_process();
    uniq::check_fingerprint(&made.index, clip(), &exactly(&decoding)).unwrap()
}

fn exactly(decoding: &Decoding) -> CheckOptions<'_> {
    CheckOptions {
        search: SearchMode::Exact,
        ..CheckOptions::new(decoding)
    }
}

/// The sources of the reported copies, each once.
fn sources(report: &Report) -> BTreeSet<String> {
    let copies = report
        .matches
        .iter()
        .filter(|found| found.kind == MatchKind::Copy);
    copies
        .map(|found| found.alignment.source.path.clone())
        .collect()
}

fn path(copy: u32) -> String {
    format!("copy-{copy}.mp4")
}

/// The key with some bits flipped, as by another encoder.
fn flipped(mut key: Key, random: &mut u64) -> Key {
    for _ in 0..8 {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bit = (*random >> 56) as usize;
        key.0[bit / 64] ^= 1 << (bit % 64);
    }
    key
}
