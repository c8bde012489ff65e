//! A writer is killed at random moments. The next process must find a state that it had committed
//! or was committing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uniq::Error;
use uniq::index::{Index, Writer};

use crate::model::{BUILD_STEPS, Model, Random, Work};
use crate::role::{CONFIG, Role, write};
use crate::snapshot::{Content, Truth, answers, answers_by_cell, must_be_whole};

const TEST: &str = "kills::a_killed_writer_leaves_what_was_committed_or_was_being_committed";

#[test]
fn a_killed_writer_leaves_what_was_committed_or_was_being_committed() {
    if let Some(role) = Role::own() {
        return write(&role.dir, role.seed, role.number, &|| false);
    }
    let (wanted, _) = crate::kills();
    let begun = Instant::now();
    let mut count = Count::default();
    let mut random = Random(1);
    let mut life = Life::new(0, BTreeMap::new());
    while count.kills < wanted || count.least() <= wanted / 16 || !count.has_hit_commits() {
        assert!(
            count.kills < 100 + 4 * wanted,
            "some work is never hit: {count:?}"
        );
        if life.kills == KILLS_A_LIFE {
            life.end(&mut count);
            life = Life::new(life.seed + 1, life.length);
        }
        life.kill(&mut random, &mut count);
    }
    life.end(&mut count);
    eprintln!(
        "{} in {:.0} s",
        count.describe(),
        begun.elapsed().as_secs_f64()
    );
}

/// Statistics of the kills.
#[derive(Default, Debug)]
struct Count {
    kills: u64,
    /// Kills within a step.
    hits: BTreeMap<Work, u64>,
    /// Kills while the index was being opened or between two steps.
    opening: u64,
    between: u64,
    /// Kills after which the current step was committed although it was not reported as done.
    in_flight: u64,
    /// Kills that left a half-written file or one that no manifest names.
    half_written: u64,
    unnamed: u64,
    /// Finished steps.
    steps: u64,
    /// States that were sorted by cells.
    sorted: u64,
    /// Neighbours found by half of the cells, and by comparing every key.
    found: (u64, u64),
}

impl Count {
    fn least(&self) -> u64 {
        Work::ALL
            .iter()
            .map(|work| self.hits.get(work).copied().unwrap_or(0))
            .min()
            .unwrap_or(0)
    }

    /// Whether kills came before, during and after writing the files of a commit.
    fn has_hit_commits(&self) -> bool {
        self.in_flight > 0 && self.half_written > 0 && self.unnamed > 0
    }

    fn describe(&self) -> String {
        let hits: Vec<String> = self
            .hits
            .iter()
            .map(|(work, hits)| format!("{hits} in {}", work.name()))
            .collect();
        format!(
            "{} kills of a writer: {}, {} while opening, {} between steps; {} left a finished step untold, {} a file \
             half written, {} a file that nothing names; {} steps told, of {} states half of the cells had {} of {} answers",
            self.kills,
            hits.join(", "),
            self.opening,
            self.between,
            self.in_flight,
            self.half_written,
            self.unnamed,
            self.steps,
            self.sorted,
            self.found.0,
            self.found.1,
        )
    }
}

/// One index and a number of kills of its writer.
struct Life {
    dir: TempDir,
    seed: u64,
    truth: Truth,
    kills: u64,
    /// Steps that the index contains.
    done: u64,
    /// The newest commit that was reported.
    told: Option<(u64, String)>,
    /// Duration of each kind of step at its last run. It grows until a kill comes after the step's
    /// end.
    length: BTreeMap<Work, Duration>,
}

impl Life {
    fn new(seed: u64, length: BTreeMap<Work, Duration>) -> Life {
        let dir = TempDir::new().unwrap();
        Life {
            dir,
            seed,
            truth: Truth::new(seed),
            kills: 0,
            done: 0,
            told: None,
            length,
        }
    }

    fn index(&self) -> std::path::PathBuf {
        self.dir.path().join("index")
    }

    /// Lets a writer work, kills it, and checks what it left.
    fn kill(&mut self, random: &mut Random, count: &mut Count) {
        let role = Role {
            name: "writer".to_owned(),
            dir: self.index(),
            seed: self.seed,
            number: self.done,
        };
        let mut other = role.start(TEST);
        // Waits for a step of a kind that has been hit seldom, or for any step, and then for a part
        // of its duration.
        let others = [Work::Add, Work::Remove, Work::Merge];
        let target = match random.below(6) {
            0 => None,
            1 | 2 if self.done < BUILD_STEPS => Some(Work::Build),
            1 | 2 => Some(others[random.below(3) as usize]),
            _ => others
                .into_iter()
                .min_by_key(|work| count.hits.get(work).copied().unwrap_or(0)),
        };
        let mut lines = Vec::new();
        let mut skip = if target.is_some() {
            random.below(3)
        } else {
            random.below(2)
        };
        loop {
            let line = other
                .lines
                .recv_timeout(PATIENCE)
                .expect("the writer goes on until it is killed");
            let begins =
                target.is_none_or(|work| line.starts_with("begin") && line.ends_with(work.name()));
            lines.push(line);
            // Skips some steps, so that files of earlier steps exist.
            if begins && (skip == 0 || target == Some(Work::Build)) {
                break;
            }
            skip = skip.saturating_sub(u64::from(begins));
        }
        let opening = lines.len() == 1;
        let length = target.and_then(|work| self.length.get(&work).copied());
        let length = length.unwrap_or(if opening { OPENING_GUESS } else { FIRST_GUESS });
        let waited = Instant::now();
        std::thread::sleep(length.mul_f64(random.below(1200) as f64 / 1000.0));
        assert!(other.kill(), "the writer ended by itself after {lines:?}");
        let waited = waited.elapsed();
        lines.extend(other.lines.iter());
        if let Some(work) = target {
            // Adapts the duration: shorter if the step had ended, longer if not.
            let over = lines.iter().rposition(|line| line.starts_with("done"))
                > lines
                    .iter()
                    .rposition(|line| line.starts_with("begin") && line.ends_with(work.name()));
            let factor = if over { 0.9 } else { 1.15 };
            let next = if over { waited.min(length) } else { length }.mul_f64(factor);
            self.length.insert(
                work,
                next.clamp(Duration::from_micros(200), Duration::from_secs(2)),
            );
        }
        self.kills += 1;
        count.kills += 1;
        self.judge(&lines, count);
    }

    /// Compares the state on disk with the killed writer's reports.
    fn judge(&mut self, lines: &[String], count: &mut Count) {
        let mut in_flight = None;
        let before = self.done;
        let mut told = before;
        for line in lines {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields[..] {
                ["open"] => {}
                ["begin", step, work] => {
                    in_flight = Some((step.parse::<u64>().unwrap(), Work::named(work)))
                }
                ["done", step, generation, root] => {
                    told = step.parse().unwrap();
                    self.told = Some((generation.parse().unwrap(), root.to_owned()));
                    in_flight = None;
                }
                _ => panic!("{line}"),
            }
        }
        count.steps += told - before;
        match in_flight {
            Some((step, work)) => {
                assert_eq!(step, told + 1);
                *count.hits.entry(work).or_default() += 1;
            }
            None if told == before => count.opening += 1,
            None => count.between += 1,
        }
        count.look_around(&self.index());

        let context = format!("index {} after {told} steps and {in_flight:?}", self.seed);
        let index = match Index::open(&self.index()) {
            Ok(index) => Some(index),
            Err(Error::NoIndex { .. }) if self.told.is_none() => None,
            Err(error) => panic!("{context}: {error}"),
        };
        self.done = match index {
            None => told,
            Some(index) => {
                must_be_whole(&self.index(), &context);
                let there = self.identify(&index, told, in_flight.is_some(), &context);
                let (generation, root) = (index.state().generation, &index.state().root);
                if let Some((least, expected)) = &self.told {
                    assert!(
                        generation >= *least,
                        "{context}: commit {least} was told, {generation} is there"
                    );
                    assert!(
                        generation != *least || root == expected,
                        "{context}: another commit {least}"
                    );
                }
                count.in_flight += u64::from(there > told);
                count.compare_cells(&index, &self.truth.queries);
                there
            }
        };
        // The lock is free.
        drop(
            Writer::open_or_create(&self.index(), CONFIG)
                .unwrap_or_else(|error| panic!("{context}: {error}")),
        );
    }

    /// The number of steps that leads to this state: those reported, or one more.
    fn identify(&self, index: &Index, told: u64, in_flight: bool, context: &str) -> u64 {
        let found = Content::of(index, &self.truth.queries).unwrap();
        let last = self.truth.content(&Model::after(self.seed, told));
        if found == last {
            return told;
        }
        let next = self.truth.content(&Model::after(self.seed, told + 1));
        assert!(
            in_flight,
            "{context}: not what was told\nfound {found:?}\nexpected {last:?}"
        );
        assert!(
            found == next,
            "{context}: neither\nfound {found:?}\nbefore {last:?}\nafter {next:?}"
        );
        told + 1
    }

    /// Ends without a kill: leftovers of crashes are cleared away, and only the content counts.
    fn end(&self, count: &mut Count) {
        let dir = self.index();
        let mut writer = Writer::open_or_create(&dir, CONFIG).unwrap();
        writer.compact(&|| false).unwrap();
        writer.sort_by_cells(8, &|| false).unwrap();
        drop(writer);
        let index = Index::open(&dir).unwrap();
        assert_eq!(
            must_be_whole(&dir, "at the end"),
            0,
            "files are left that nothing names: {:?}",
            files(&dir)
        );
        self.identify(&index, self.done, false, "at the end");
        let sizes = files(&dir).into_iter().map(|(_, size)| size).sum::<u64>();
        assert_eq!(sizes, index.state().bytes, "{:?}", files(&dir));
        assert_eq!((index.state().segments, index.state().tombstones), (1, 0));
        assert_eq!(index.state().cells, 8);
        count.compare_cells(&index, &self.truth.queries);
        assert!(count.found.0 * 10 >= count.found.1 * 9, "{count:?}");
    }
}

impl Count {
    /// Counts what a kill left behind.
    fn look_around(&mut self, dir: &Path) {
        let files = files(dir);
        self.half_written += u64::from(files.iter().any(|(name, _)| name.contains("writing")));
        let Ok(index) = Index::open(dir) else { return };
        let whole = files
            .iter()
            .filter(|(name, _)| !name.contains("writing"))
            .map(|(_, size)| size)
            .sum::<u64>();
        self.unnamed += u64::from(whole > index.state().bytes);
    }

    /// Probing all cells must find everything; probing some must find nothing false. What they miss
    /// is counted.
    fn compare_cells(&mut self, index: &Index, queries: &[uniq::fingerprint::Key]) {
        let cells = index.state().cells as usize;
        let exact = answers(index, queries).unwrap();
        // Segments may still be sorted by more cells than new ones.
        assert_eq!(answers_by_cell(index, queries, 1000).unwrap(), exact);
        if cells > 1 {
            let half = answers_by_cell(index, queries, cells.div_ceil(2)).unwrap();
            assert!(
                half.iter()
                    .all(|answer| exact.binary_search(answer).is_ok())
            );
            self.sorted += 1;
            self.found.0 += half.len() as u64;
            self.found.1 += exact.len() as u64;
        }
    }
}

/// Names and sizes of the files of an index, except the lock.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for folder in [dir.to_owned(), dir.join("segments")] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_file() && name != "lock" {
                files.push((name, entry.metadata().unwrap().len()));
            }
        }
    }
    files.sort();
    files
}

/// Number of kills before a new index is begun.
const KILLS_A_LIFE: u64 = 8;
/// Duration of a kind of step before it is known.
const FIRST_GUESS: Duration = Duration::from_millis(8);
/// Duration of opening an index before it is known.
const OPENING_GUESS: Duration = Duration::from_millis(2);
/// Time without output after which a writer counts as stuck, long enough for slow machines.
const PATIENCE: Duration = Duration::from_secs(60);
