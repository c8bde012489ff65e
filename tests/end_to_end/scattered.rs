//! A check of segments that are open in separate places gives the same report as a check of the
//! whole index. A missing part is an error.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use tempfile::TempDir;

use crate::everywhere;
use crate::support::{folders, scenes};
use uniq::certificate::{Terms, certify_pictures, certify_searched};
use uniq::index::{Part, Role, SearchMode, Shard, State, Writer, parts};
use uniq::ingest::{self, BuildOptions};
use uniq::scatter::{
    self, Candidates, Merged, Needs, Question, Request, Searched, Shards, merge, search,
};
use uniq::{CheckOptions, Decoding, Error, Index, Query, Report, Verdict};

/// Number of published films, and how many each commit adds.
const FILMS: u64 = 6;
const IN_COMMIT: usize = 2;

/// Puts an index of several segments into a folder, one of them benign.
fn index(dir: &Path) {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = TempDir::new().unwrap();
        build(&made.path().join("index"));
        made
    });
    folders::copy(&made.path().join("index"), dir);
}

fn build(dir: &Path) {
    let go_on = AtomicBool::new(false);
    let films: Vec<PathBuf> = (0..FILMS)
        .map(|seed| scenes::moving(70 + seed, 16))
        .collect();
    let add = |videos: &[PathBuf], role| {
        let options = BuildOptions {
            role,
            ..BuildOptions::new(Decoding::in_process())
        };
        ingest::build(
            dir,
            ingest::sources(videos).unwrap(),
            &options,
            &|_| {},
            &go_on,
        )
        .unwrap();
    };
    films
        .chunks(IN_COMMIT)
        .for_each(|films| add(films, Role::Source));
    add(
        &[scenes::excerpt(&scenes::moving(80, 6), 0.0, 4.0)],
        Role::Benign,
    );
}

fn searched(dir: &Path) -> Vec<Part> {
    parts(dir)
        .unwrap()
        .into_iter()
        .filter(|part| part.role.is_searched())
        .collect()
}

/// Each segment opened as a separate shard.
fn shards(dir: &Path) -> Vec<Shard> {
    searched(dir)
        .iter()
        .map(|part| Shard::open(dir, &[part.number]).unwrap())
        .collect()
}

fn state(dir: &Path, shards: &[Shard]) -> State {
    let holdings: Vec<_> = shards.iter().map(Shard::holdings).collect();
    State::of_shards(dir, &holdings).unwrap()
}

/// Segments that are open in separate places. All data goes through the bytes that would be sent.
struct Apart {
    shards: Vec<Shard>,
    rounds: AtomicUsize,
}

impl Apart {
    fn open(dir: &Path) -> Apart {
        Apart {
            shards: shards(dir),
            rounds: AtomicUsize::new(0),
        }
    }
}

impl Shards for Apart {
    fn search(
        &self,
        question: &Question,
        state: &State,
        needs: &Needs,
        options: &CheckOptions<'_>,
    ) -> uniq::Result<Vec<Candidates>> {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        let question = Question::from_bytes(&question.to_bytes()?)?;
        let state = State::from_bytes(&state.to_bytes()?)?;
        let needs = Needs::from_bytes(&needs.to_bytes()?)?;
        let options = CheckOptions::new(options.decoding);
        let found = self.shards.iter().rev().map(|shard| {
            let found = search(shard, &question, &state, &needs, &options)?;
            Candidates::from_bytes(&found.to_bytes()?)
        });
        found.collect()
    }
}

/// Searches all shards until nothing is missing; returns the number of rounds too.
fn ask(dir: &Path, request: &Request, options: &CheckOptions<'_>) -> (Report, usize) {
    let apart = Apart::open(dir);
    let state = state(dir, &apart.shards);
    let report = scatter::ask(&apart, request, &state, options).unwrap();
    (report, apart.rounds.into_inner())
}

fn json(report: &Report) -> String {
    serde_json::to_string(report).unwrap()
}

#[test]
fn the_report_is_that_of_the_whole_index_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    index(&dir);
    assert_eq!(searched(&dir).len(), FILMS as usize / IN_COMMIT);
    let film = scenes::moving(72, 16);
    let intro = scenes::excerpt(&scenes::moving(80, 6), 0.0, 4.0);
    let saved = folder.path().join("clip.uniq");
    let copy = scenes::edit(
        &scenes::excerpt(&film, 3.0, 8.0),
        "hflip,scale=320:180",
        &["-an"],
        "mp4",
    );
    uniq::fingerprint(&copy, &Decoding::in_process(), None)
        .unwrap()
        .save(&saved)
        .unwrap();
    let clips = [
        (Query::Clip(&copy), Verdict::Published),
        (Query::Clip(&film), Verdict::Published),
        (Query::Clip(&scenes::moving(99, 8)), Verdict::Unpublished),
        (Query::Clip(&intro), Verdict::Inconclusive),
        (Query::Fingerprint(&saved), Verdict::Published),
    ]
    .map(|(query, verdict)| match query {
        Query::Clip(clip) => (clip.to_owned(), false, verdict),
        Query::Fingerprint(file) => (file.to_owned(), true, verdict),
    });
    let decoding = Decoding::in_process();
    let compare = |search: SearchMode, excluded: &[[u8; 32]]| {
        let whole = Index::open(&dir).unwrap();
        for (path, is_fingerprint, verdict) in &clips {
            let query = if *is_fingerprint {
                Query::Fingerprint(path)
            } else {
                Query::Clip(path)
            };
            let options = CheckOptions {
                search,
                exclude: excluded,
                quality: matches!(search, SearchMode::Exact),
                ..CheckOptions::new(&decoding)
            };
            let expected = uniq::check(&whole, query, &options).unwrap();
            if excluded.is_empty() {
                assert_eq!(
                    expected.verdict,
                    *verdict,
                    "{}: {:?}",
                    path.display(),
                    expected.reasons
                );
            }
            let (found, _) = ask(&dir, &Request::new(query, &options).unwrap(), &options);
            assert_eq!(
                json(&found),
                json(&expected),
                "{search:?} {}",
                path.display()
            );
        }
    };
    compare(SearchMode::Exact, &[]);
    // Also by cells, without one of the sources.
    let mut writer = Writer::open(&dir).unwrap();
    writer.sort_by_cells(64, &|| false).unwrap();
    drop(writer);
    let whole = Index::open(&dir).unwrap();
    let sha256 = whole
        .videos()
        .find(|(_, video)| video.path == film.to_string_lossy())
        .unwrap()
        .1
        .sha256;
    compare(SearchMode::Screened, &[sha256]);
}

#[test]
fn a_certificate_is_the_same_wherever_the_index_is_searched() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    index(&dir);
    let (whole, apart) = (Index::open(&dir).unwrap(), Apart::open(&dir));
    let searched = Searched {
        index: &whole,
        shards: Some(&apart),
    };
    let decoding = Decoding::in_process();
    let options = CheckOptions {
        now: Some(SystemTime::UNIX_EPOCH),
        ..CheckOptions::new(&decoding)
    };
    let clip = scenes::excerpt(&scenes::moving(72, 16), 3.0, 8.0);
    let looked = uniq::fingerprint::measured_pictures_of_clip(&clip, &decoding, None).unwrap();
    let terms = Terms::default();
    let here = certify_pictures(&whole, &looked, &clip, &options, &terms).unwrap();
    let there = certify_searched(&searched, &looked, &clip, &options, &terms).unwrap();
    assert_eq!(apart.rounds.load(Ordering::Relaxed), 1);
    assert_eq!(here.report.verdict, Verdict::Published);
    assert_eq!(json(&there.report), json(&here.report));
    assert_eq!(
        there.statement.payload().unwrap(),
        here.statement.payload().unwrap()
    );
    assert_eq!(there.fingerprint.digest(), here.fingerprint.digest());
    // Also a check of that fingerprint.
    let fingerprint = &here.fingerprint;
    let there = searched.check_fingerprint(fingerprint, &options).unwrap();
    let here = uniq::check_fingerprint(&whole, fingerprint, &options).unwrap();
    assert_eq!(apart.rounds.load(Ordering::Relaxed), 2);
    assert_eq!(json(&there), json(&here));
}

#[test]
fn of_a_crowd_of_copies_more_is_read_until_the_report_is_the_same() {
    for backwards in [false, true] {
        let made = everywhere::everywhere(everywhere::COPIES, backwards);
        let decoding = Decoding::in_process();
        for search in [SearchMode::Exact, SearchMode::Screened] {
            let options = CheckOptions {
                search,
                ..CheckOptions::new(&decoding)
            };
            let expected =
                uniq::check_fingerprint(&made.index, everywhere::clip(), &options).unwrap();
            let path = PathBuf::from(&expected.clip.path);
            let request =
                Request::of_fingerprint(everywhere::clip().clone(), &path, &options).unwrap();
            let (found, rounds) = ask(made.index.dir(), &request, &options);
            assert_eq!(json(&found), json(&expected), "{search:?}");
            // The first published copy is not among the most likely ones of its segment.
            assert!(backwards || rounds > 1, "{rounds} rounds");
        }
    }
}

#[test]
fn an_answer_that_lacks_a_part_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    index(&dir);
    let decoding = Decoding::in_process();
    let options = CheckOptions::new(&decoding);
    let request = Request::new(&scenes::moving(99, 8), &options).unwrap();
    let shards = shards(&dir);
    let state = state(&dir, &shards);
    let ask = |shard: &Shard| search(shard, request.question(), &state, &Needs::first(), &options);
    let all: Vec<Candidates> = shards.iter().map(|shard| ask(shard).unwrap()).collect();
    let merged = |candidates: &[Candidates]| merge(&request, &state, candidates, &options);
    assert!(
        matches!(merged(&all), Ok(Merged::Report(report)) if report.verdict == Verdict::Unpublished)
    );

    let reason = |result: uniq::Result<Merged>| match result {
        Err(Error::IncompleteAnswer { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason(merged(&all[1..])).contains("was not searched"));
    assert!(reason(merged(&[])).contains("was not searched"));
    assert!(reason(merged(&[&all[..], &all[..1]].concat())).contains("2 times"));
    let other = Request::new(&scenes::moving(98, 8), &options).unwrap();
    assert!(reason(merge(&other, &state, &all, &options)).contains("from another check"));
    // Damage in transit.
    let mut bytes = all[0].to_bytes().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(matches!(
        Candidates::from_bytes(&bytes),
        Err(Error::IncompleteAnswer { .. })
    ));

    // A segment is missing or gone.
    let holdings: Vec<_> = shards[1..].iter().map(Shard::holdings).collect();
    assert!(matches!(
        State::of_shards(&dir, &holdings),
        Err(Error::IncompleteAnswer { .. })
    ));
    assert!(matches!(
        Shard::open(&dir, &[4711]),
        Err(Error::IncompleteAnswer { .. })
    ));

    // The index continues; what is open of the old commit answers only for that commit.
    let go_on = AtomicBool::new(false);
    let more = ingest::sources(&[scenes::moving(99, 8)]).unwrap();
    ingest::build(
        &dir,
        more,
        &BuildOptions::new(Decoding::in_process()),
        &|_| {},
        &go_on,
    )
    .unwrap();
    let all_holdings: Vec<_> = shards.iter().map(Shard::holdings).collect();
    assert!(matches!(
        State::of_shards(&dir, &all_holdings),
        Err(Error::IncompleteAnswer { .. })
    ));
    let new = Shard::open(&dir, &[searched(&dir)[0].number]).unwrap();
    assert!(matches!(ask(&new), Err(Error::IncompleteAnswer { .. })));

    // A file is missing.
    let number = searched(&dir)[1].number;
    std::fs::remove_file(dir.join(format!("segments/{number:08}.seg"))).unwrap();
    assert!(matches!(
        Shard::open(&dir, &[number]),
        Err(Error::CorruptIndex { .. })
    ));
}
