//! The real program is killed while it builds, adds, removes and merges. The index must be as
//! before or as after.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uniq::Error;
use uniq::fingerprint::{Key, Run};
use uniq::index::{Index, Video, Writer};

use crate::model::{Random, Work};
use crate::role::CONFIG;
use crate::snapshot::{Answer, answers};
use crate::steady;

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");

#[test]
fn the_program_killed_at_work_leaves_the_index_as_before_or_as_after() {
    let (_, wanted) = crate::kills();
    let begun = Instant::now();
    let dir = TempDir::new().unwrap();
    let truth = Truth::make(dir.path());
    let mut count = Count::default();
    let mut round = Round {
        truth: &truth,
        dir: dir.path().join("index"),
        there: None,
        length: BTreeMap::new(),
    };
    let mut random = Random(2);
    let mut commands = 0;
    while count.kills < wanted || count.least() <= wanted / 16 {
        commands += 1;
        assert!(
            commands < 100 + 20 * wanted,
            "some command is never hit: {count:?}"
        );
        round.command(&mut random, &mut count);
    }
    eprintln!(
        "{} kills of the program: {}; {} had committed; {} commands ended before their kill; in {:.0} s",
        count.kills,
        count
            .hits
            .iter()
            .map(|(work, hits)| format!("{hits} in {}", work.name()))
            .collect::<Vec<_>>()
            .join(", "),
        count.committed,
        count.finished,
        begun.elapsed().as_secs_f64(),
    );
}

/// Statistics of the kills.
#[derive(Default, Debug)]
struct Count {
    kills: u64,
    hits: BTreeMap<Work, u64>,
    /// Killed commands whose change was committed nevertheless.
    committed: u64,
    /// Commands that ended before they could be killed.
    finished: u64,
}

impl Count {
    fn least(&self) -> u64 {
        Work::ALL
            .iter()
            .map(|work| self.hits.get(work).copied().unwrap_or(0))
            .min()
            .unwrap_or(0)
    }
}

/// Some tiny videos, and what an undisturbed index holds of them.
struct Truth {
    videos: Vec<PathBuf>,
    known: BTreeMap<PathBuf, (Video, Vec<Run>)>,
    queries: Vec<Key>,
    answers: Vec<Answer>,
}

impl Truth {
    fn make(dir: &Path) -> Truth {
        let videos: Vec<PathBuf> = (0..VIDEOS).map(|number| tiny_video(dir, number)).collect();
        let index = dir.join("undisturbed");
        let mut build = program(&["index", "build", "--quiet", "--index"], &index);
        assert!(build.args(&videos).status().unwrap().success());
        let index = Index::open(&index).unwrap();
        let known: BTreeMap<PathBuf, (Video, Vec<Run>)> = index
            .videos()
            .map(|(reference, video)| {
                (
                    PathBuf::from(&video.path),
                    (video.clone(), sorted(index.runs(reference).unwrap())),
                )
            })
            .collect();
        assert_eq!(known.len(), VIDEOS as usize);
        assert!(
            known.values().all(|(_, runs)| runs.len() >= 2),
            "the videos have too few keys to tell them apart"
        );
        let queries: Vec<Key> = known
            .values()
            .flat_map(|(_, runs)| runs)
            .step_by(3)
            .map(|run| run.key)
            .collect();
        let answers = answers(&index, &queries).unwrap();
        Truth {
            videos,
            known,
            queries,
            answers,
        }
    }

    /// Panics unless an index holds exactly these videos, each with its own keys, and finds them.
    fn compare(&self, index: &Index, there: &BTreeSet<PathBuf>) {
        for (reference, video) in index.videos() {
            let (expected, runs) = &self.known[Path::new(&video.path)];
            assert_eq!(video, expected);
            assert_eq!(
                &sorted(index.runs(reference).unwrap()),
                runs,
                "{}",
                video.path
            );
        }
        let found = answers(index, &self.queries).unwrap();
        let expected: Vec<&Answer> = self
            .answers
            .iter()
            .filter(|answer| there.contains(Path::new(&answer.2)))
            .collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }
}

/// An index on which commands are tried one after another.
struct Round<'a> {
    truth: &'a Truth,
    dir: PathBuf,
    /// The videos in the index; `None` if there is no index.
    there: Option<BTreeSet<PathBuf>>,
    /// Duration of each command.
    length: BTreeMap<Work, Duration>,
}

impl Round<'_> {
    /// Runs a command that fits the state, kills it in most cases, and compares the result.
    fn command(&mut self, random: &mut Random, count: &mut Count) {
        // Chooses the kind that was hit least, or any one, so that they come in every order.
        let mut work = match random.below(2) {
            0 => Work::ALL[random.below(4) as usize],
            _ => Work::ALL
                .into_iter()
                .min_by_key(|work| count.hits.get(work).copied().unwrap_or(0))
                .unwrap(),
        };
        let wanted = work;
        let mut there = self.there.clone().unwrap_or_default();
        if self.there.is_none() || (work == Work::Remove && there.len() < 2) {
            work = Work::Build;
        } else if work == Work::Add && there.len() as u64 == VIDEOS {
            work = Work::Remove;
        }
        if work == Work::Build && self.there.take().is_some() {
            std::fs::remove_dir_all(&self.dir).unwrap();
            there.clear();
        }
        let before = self.there.clone();
        let mut after = there.clone();
        let mut command = program(&["index", work.name(), "--index"], &self.dir);
        match work {
            Work::Build | Work::Add => {
                let missing = self
                    .truth
                    .videos
                    .iter()
                    .filter(|video| !there.contains(*video));
                let some: Vec<&PathBuf> = missing
                    .take(if work == Work::Build { 3 } else { 2 })
                    .collect();
                after.extend(some.iter().map(|video| video.to_path_buf()));
                command.args(some);
            }
            Work::Remove => {
                for victim in there.iter().take(1 + random.below(2) as usize) {
                    after.remove(victim);
                    command.arg(&self.truth.known[victim].0.id);
                }
            }
            Work::Merge => {}
        }
        // One in eight is not killed, so that durations become known; nor is a build that another
        // command needs.
        let disturbed = random.below(8) != 0 && (work != Work::Build || wanted == Work::Build);
        let known = self.length.get(&work).copied().filter(|_| disturbed);
        let kill = known.map(|length| match random.below(3) {
            0 => Kill::After(length.mul_f64(random.below(1100) as f64 / 1000.0)),
            // The important part comes at the end and begins with a new file.
            _ => Kill::AfterChange(Duration::from_micros(
                random.below(if work == Work::Merge { 40_000 } else { 4_000 }),
            )),
        });
        let begun = Instant::now();
        let status = run(&mut command, kill.as_ref(), &self.dir);
        let done = match status {
            Some(status) => {
                assert!(status.success(), "{work:?}: {status}");
                count.finished += u64::from(kill.is_some());
                self.length.insert(work, begun.elapsed());
                true
            }
            None => {
                count.kills += 1;
                *count.hits.entry(work).or_default() += 1;
                false
            }
        };
        self.there = match Index::open(&self.dir) {
            Ok(index) => {
                let found: BTreeSet<PathBuf> = index
                    .videos()
                    .map(|(_, video)| PathBuf::from(&video.path))
                    .collect();
                assert!(
                    found == after || (!done && found == there),
                    "{work:?} of {there:?} left {found:?}"
                );
                self.truth.compare(&index, &found);
                count.committed += u64::from(!done && found == after && after != there);
                Some(found)
            }
            Err(Error::NoIndex { .. }) if before.is_none() && !done => None,
            Err(error) => panic!("{work:?}: {error}"),
        };
        if self.there.is_some() {
            // The lock is free, and the program finds no damage.
            drop(Writer::open_or_create(&self.dir, CONFIG).unwrap());
            let verified = program(&["index", "stats", "--index"], &self.dir)
                .output()
                .unwrap();
            assert!(
                verified.status.success(),
                "{work:?}: {}",
                String::from_utf8_lossy(&verified.stderr)
            );
        }
    }
}

/// When a command is killed.
enum Kill {
    /// This long after its start.
    After(Duration),
    /// This long after the first new name in the index's folders.
    AfterChange(Duration),
}

/// Waits for a command to end or kills it; `None` if it was killed.
fn run(command: &mut Command, kill: Option<&Kill>, dir: &Path) -> Option<ExitStatus> {
    use std::os::unix::process::ExitStatusExt;
    let changed = || {
        [dir.to_owned(), dir.join("segments")]
            .map(|dir| Some(dir.metadata().ok()?.modified().unwrap()))
    };
    let before = changed();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    if let Some(kill) = kill {
        match kill {
            Kill::After(delay) => std::thread::sleep(*delay),
            Kill::AfterChange(delay) => {
                while child.try_wait().unwrap().is_none() && changed() == before {
                    std::thread::sleep(Duration::from_micros(300));
                }
                std::thread::sleep(*delay);
            }
        }
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    (status.signal() != Some(9)).then_some(status)
}

fn program(words: &[&str], index: &Path) -> Command {
    let mut command = Command::new(UNIQ);
    command
        .args(words)
        .arg(index)
        .env_remove("UNIQ_INDEX")
        .stdin(Stdio::null());
    command
}

fn sorted(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by(|a, b| {
        (a.first, a.last, a.key)
            .cmp(&(b.first, b.last, b.key))
            .then(a.place.x.total_cmp(&b.place.x))
    });
    runs
}

/// A second of a picture that is unique to this number.
fn tiny_video(dir: &Path, number: u64) -> PathBuf {
    let path = dir.join(format!("{number}.mp4"));
    let picture = format!(
        "life=s=40x30:r=2:ratio=0.4:seed={number}:mold=20,scale=160:120:flags=bicubic,fps=10,gblur=3"
    );
    let output = path.to_str().expect("a plain path");
    let args = [
        "-f", "lavfi", "-i", &picture, "-t", "1", "-c:v", "mpeg4", "-q:v", "4", "-pix_fmt",
        "yuv420p", output,
    ];
    let made = steady::ffmpeg(args)
        .output()
        .expect("the ffmpeg command is a prerequisite of the tests");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    path
}

const VIDEOS: u64 = 6;
