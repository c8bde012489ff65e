//! Ten readers search while a writer adds, removes and merges. Each answer must be that of a
//! committed state.
//!
//! A reader reports the number of the commit and a digest of all its answers. Afterwards the
//! writer's list of steps gives the right answers of each commit: within a step, only the first
//! commit changes the content, the others only how it is stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uniq::Error;
use uniq::fingerprint::Key;
use uniq::index::{Index, Writer};

use crate::model::{Model, Random, queries};
use crate::role::{CONFIG, Role, say, write};
use crate::snapshot::{Content, Truth};

const TEST: &str = "crowd::ten_readers_and_a_writer_see_only_committed_states";

#[test]
fn ten_readers_and_a_writer_see_only_committed_states() {
    if let Some(role) = Role::own() {
        let stop = || role.dir.with_extension("stop").exists();
        return match role.name.as_str() {
            "writer" => write(&role.dir, role.seed, 0, &stop),
            _ => say(&read(&role.dir, role.seed, role.number, &stop)),
        };
    }
    let length = Duration::from_secs(crate::setting("UNIQ_READ_SECONDS", 60));
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("index");
    let stop_file = dir.with_extension("stop");
    let role = |name: &str, number| Role {
        name: name.to_owned(),
        dir: dir.clone(),
        seed: SEED,
        number,
    };

    let mut writer = role("writer", 0).start(TEST);
    let mut steps = Vec::new();
    while steps.is_empty() {
        let line = writer
            .lines
            .recv_timeout(PATIENCE)
            .expect("the writer begins");
        steps.extend(line.strip_prefix("done ").map(str::to_owned));
    }
    let mut others: Vec<_> = (0..PROCESSES)
        .map(|number| role("reader", number).start(TEST))
        .collect();
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = (PROCESSES..READERS)
            .map(|number| {
                scope.spawn({
                    let (dir, stop) = (&dir, &stop_file);
                    move || read(dir, SEED, number, &|| stop.exists())
                })
            })
            .collect();
        let end = Instant::now() + length;
        let mut locked_out = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            // Collects the writer's lines.
            while let Ok(line) = writer.lines.try_recv() {
                steps.extend(line.strip_prefix("done ").map(str::to_owned));
            }
            match Writer::open_or_create(&dir, CONFIG) {
                Err(Error::Locked { owner, .. }) if owner == Some(writer.child.id()) => {
                    locked_out += 1
                }
                other => panic!("a second writer is let in, or told something else: {other:?}"),
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        std::fs::write(&stop_file, "").unwrap();
        assert!(locked_out > 0);
        let mut seen: Vec<Seen> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        for other in &mut others {
            let line = other
                .lines
                .recv_timeout(PATIENCE)
                .expect("a reader tells what it has seen");
            seen.push(Seen::parse(&line));
            assert!(other.child.wait().unwrap().success());
        }
        seen
    });
    assert!(writer.child.wait().unwrap().success(), "the writer failed");
    steps.extend(
        writer
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("done ").map(str::to_owned)),
    );

    let commits = compare(&seen, &steps);
    let opened: u64 = seen.iter().map(|seen| seen.opened).sum();
    let old: u64 = seen.iter().map(|seen| seen.old).sum();
    let distinct: BTreeSet<u64> = seen
        .iter()
        .flat_map(|seen| seen.digests.keys().copied())
        .collect();
    let fewest = seen.iter().map(|seen| seen.digests.len()).min().unwrap();
    eprintln!(
        "{READERS} readers in {} s: opened {opened} snapshots, searched {old} times in older ones; {} of {commits} \
         commits seen, {fewest} by the reader that saw fewest; the writer did {} steps",
        length.as_secs(),
        distinct.len(),
        steps.len(),
    );
    // Requires progress even on a busy machine.
    let least = length.as_secs().max(1);
    assert!(
        fewest as u64 >= least.min(20),
        "a reader saw {fewest} states"
    );
    assert!(distinct.len() as u64 >= 2 * least.min(50) && old >= 10 * least.min(50));
}

/// Compares the digests with the content that follows from the steps, and counts the commits.
fn compare(seen: &[Seen], steps: &[String]) -> u64 {
    let mut expected = BTreeMap::new();
    let mut model = Model::after(SEED, 0);
    let mut generation = 0;
    let truth = Truth::new(SEED);
    for line in steps {
        let fields: Vec<&str> = line.split(' ').collect();
        let (number, last): (u64, u64) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        model.advance();
        assert_eq!(
            model.done, number,
            "the writer's steps come one after the other"
        );
        let digest = truth.content(&model).digest();
        expected.extend((generation + 1..=last).map(|commit| (commit, digest)));
        generation = last;
    }
    for (reader, seen) in seen.iter().enumerate() {
        for (commit, digests) in &seen.digests {
            let expected = expected
                .get(commit)
                .unwrap_or_else(|| panic!("reader {reader} saw a commit {commit}"));
            assert_eq!(
                digests,
                &BTreeSet::from([*expected]),
                "reader {reader}, commit {commit}"
            );
        }
    }
    generation
}

/// What a reader has seen.
#[derive(Default)]
struct Seen {
    opened: u64,
    /// Searches in a snapshot that was not the newest.
    old: u64,
    /// Digests of the answers by commit.
    digests: BTreeMap<u64, BTreeSet<u64>>,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.opened, self.old)?;
        for (commit, digests) in &self.digests {
            for digest in digests {
                write!(out, " {commit}:{digest}")?;
            }
        }
        Ok(())
    }
}

impl Seen {
    fn parse(line: &str) -> Seen {
        let mut fields = line.split(' ');
        let mut number = || fields.next().unwrap().parse().unwrap();
        let (opened, old) = (number(), number());
        let mut seen = Seen {
            opened,
            old,
            digests: BTreeMap::new(),
        };
        for (commit, digest) in fields.filter_map(|field| field.split_once(':')) {
            seen.digests
                .entry(commit.parse().unwrap())
                .or_default()
                .insert(digest.parse().unwrap());
        }
        seen
    }
}

/// Opens the index repeatedly, keeps some snapshots, and searches new and old ones.
fn read(dir: &Path, seed: u64, number: u64, stop: &dyn Fn() -> bool) -> Seen {
    let mut random = Random(number);
    let queries: Vec<Key> = queries(seed);
    let mut seen = Seen::default();
    let mut kept: VecDeque<Index> = VecDeque::new();
    let mut newest = 0;
    while !stop() {
        if kept.is_empty() || random.below(2) == 0 {
            let index = Index::open(dir).unwrap_or_else(|error| panic!("reader {number}: {error}"));
            let generation = index.state().generation;
            assert!(
                generation >= newest,
                "reader {number} saw commit {generation} after {newest}"
            );
            newest = generation;
            seen.opened += 1;
            kept.push_back(index);
        }
        let at = random.below(kept.len() as u64) as usize;
        let index = &kept[at];
        let content =
            Content::of(index, &queries).unwrap_or_else(|error| panic!("reader {number}: {error}"));
        seen.old += u64::from(at + 1 < kept.len());
        seen.digests
            .entry(index.state().generation)
            .or_default()
            .insert(content.digest());
        if kept.len() > KEPT {
            // Drops a random one, so that some snapshots get very old.
            kept.remove(random.below(kept.len() as u64 - 1) as usize);
        }
        // Leaves time for other tests on few cores.
        std::thread::sleep(Duration::from_millis(random.below(8)));
    }
    seen
}

const SEED: u64 = 77;
const READERS: u64 = 10;
/// Readers in separate processes; the others are threads of one process.
const PROCESSES: u64 = 4;
/// Number of snapshots that a reader keeps open beside the newest.
const KEPT: usize = 6;
/// Time without output after which a process counts as stuck, long enough for slow machines.
const PATIENCE: Duration = Duration::from_secs(120);
