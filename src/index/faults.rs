//! A file system that fails. Whichever write, sync or rename fails, the index must be as before or
//! as after.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::storage::{Disk, Output, Storage};
use super::video::{IndexConfig, Publication, Video};
use super::{Index, Screen, Writer, verify};
use crate::error::{Error, Result};
use crate::fingerprint::{FINGERPRINT_VERSION, Key, KeyKind, Place, Run};

/// What happens at the chosen operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// It fails; later operations succeed.
    Fails,
    /// The disk is full: half of the write is done, and every later write fails too.
    DiskFull,
    /// The process ends after half of the write; nothing happens later.
    Cut,
    /// The power fails: unsynced data is lost, and unsynced renames are undone.
    PowerLossOldNames,
    /// The power fails: unsynced data is lost, but renames have happened.
    PowerLossNewNames,
}

pub(super) const FAULTS: [Fault; 5] = [
    Fault::Fails,
    Fault::DiskFull,
    Fault::Cut,
    Fault::PowerLossOldNames,
    Fault::PowerLossNewNames,
];

/// The disk, with a fault at a chosen operation. Nothing is really synced, since the machine keeps
/// running.
#[derive(Debug)]
pub(super) struct Faulty(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    fault: Fault,
    /// Operations before the fault; `None` for no fault.
    left: Option<u64>,
    done: u64,
    struck: bool,
    /// Files with unsynced bytes, and how many bytes of each are synced.
    unsynced: BTreeMap<PathBuf, usize>,
    /// Renames in folders that were not synced since, with the previous content of the new name.
    renamed: Vec<(PathBuf, PathBuf, Option<Vec<u8>>)>,
}

/// What an operation has to do.
#[derive(PartialEq)]
enum Turn {
    Go,
    Half(io::ErrorKind),
    Fail(io::ErrorKind),
}

impl State {
    fn turn(&mut self, writes: bool) -> Turn {
        self.done += 1;
        if self.struck {
            return match self.fault {
                Fault::Fails => Turn::Go,
                Fault::DiskFull if !writes => Turn::Go,
                Fault::DiskFull => Turn::Fail(io::ErrorKind::StorageFull),
                _ => Turn::Fail(io::ErrorKind::Other),
            };
        }
        match &mut self.left {
            Some(0) => {
                self.struck = true;
                match (self.fault, writes) {
                    (Fault::Fails, _) => Turn::Fail(io::ErrorKind::Other),
                    (Fault::DiskFull, _) => Turn::Half(io::ErrorKind::StorageFull),
                    (_, true) => Turn::Half(io::ErrorKind::Other),
                    (_, false) => Turn::Fail(io::ErrorKind::Other),
                }
            }
            Some(left) => {
                *left -= 1;
                Turn::Go
            }
            None => Turn::Go,
        }
    }
}

impl Faulty {
    pub(super) fn new(fault: Fault, at: Option<u64>) -> Faulty {
        Faulty(Arc::new(Mutex::new(State {
            fault,
            left: at,
            done: 0,
            struck: false,
            unsynced: BTreeMap::new(),
            renamed: Vec::new(),
        })))
    }

    /// Operations so far.
    pub(super) fn done(&self) -> u64 {
        self.0.lock().unwrap().done
    }

    /// Renames that a power failure would undo.
    pub(super) fn unsynced_names(&self) -> usize {
        self.0.lock().unwrap().renamed.len()
    }

    fn step(&self) -> io::Result<()> {
        match self.0.lock().unwrap().turn(false) {
            Turn::Go => Ok(()),
            Turn::Half(kind) | Turn::Fail(kind) => Err(kind.into()),
        }
    }

    /// Leaves on disk what a machine finds after its power comes back.
    pub(super) fn lose_power(&self) {
        let state = self.0.lock().unwrap();
        for (path, &synced) in &state.unsynced {
            // Half of the data is a harder case than none.
            if let Ok(bytes) = fs::read(path) {
                replace(path, &bytes[..synced + (bytes.len() - synced) / 2]);
            }
        }
        if state.fault == Fault::PowerLossOldNames {
            for (from, to, before) in state.renamed.iter().rev() {
                fs::rename(to, from).unwrap();
                if let Some(before) = before {
                    fs::write(to, before).unwrap();
                }
            }
        }
    }
}

/// Writes a new file, so that whoever has the old one open keeps it.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Storage for Faulty {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        Disk.create_folder(folder)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn Output>> {
        self.step()?;
        self.0.lock().unwrap().unsynced.insert(file.to_owned(), 0);
        Ok(Box::new(FaultyOutput {
            state: Arc::clone(&self.0),
            path: file.to_owned(),
            file: fs::File::create(file)?,
        }))
    }

    fn append(&self, file: &Path, length: u64) -> io::Result<Box<dyn Output>> {
        self.step()?;
        self.0
            .lock()
            .unwrap()
            .unsynced
            .insert(file.to_owned(), length as usize);
        fs::OpenOptions::new()
            .write(true)
            .open(file)?
            .set_len(length)?;
        let opened = fs::OpenOptions::new().append(true).open(file)?;
        Ok(Box::new(FaultyOutput {
            state: Arc::clone(&self.0),
            path: file.to_owned(),
            file: opened,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let before = fs::read(to).ok();
        fs::rename(from, to)?;
        let mut state = self.0.lock().unwrap();
        if let Some(synced) = state.unsynced.remove(from) {
            state.unsynced.insert(to.to_owned(), synced);
        }
        state.renamed.push((from.to_owned(), to.to_owned(), before));
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        self.0
            .lock()
            .unwrap()
            .renamed
            .retain(|(_, to, _)| to.parent() != Some(folder));
        Ok(())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.lock().unwrap();
        state.unsynced.remove(file);
        state.renamed.retain(|(_, to, _)| to != file);
        fs::remove_file(file)
    }
}

struct FaultyOutput {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    file: fs::File,
}

impl Write for FaultyOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.state.lock().unwrap().turn(true) {
            Turn::Go => self.file.write(bytes),
            Turn::Half(kind) => {
                self.file.write_all(&bytes[..bytes.len() / 2])?;
                Err(kind.into())
            }
            Turn::Fail(kind) => Err(kind.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for FaultyOutput {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        match state.turn(true) {
            Turn::Go => {
                state.unsynced.remove(&self.path);
                Ok(())
            }
            Turn::Half(kind) | Turn::Fail(kind) => Err(kind.into()),
        }
    }
}

pub(super) const CONFIG: IndexConfig = IndexConfig {
    fingerprint_version: FINGERPRINT_VERSION,
    interval: Duration::from_secs(1),
};

pub(super) fn video(seed: u8) -> Video {
    Video {
        id: String::new(),
        path: format!("{seed}.mp4"),
        sha256: [seed; 32],
        duration: Duration::from_secs(9),
        width: 640,
        height: 360,
        publication: Publication::default(),
        keyframes: 9,
        undecoded: Duration::ZERO,
    }
}

pub(super) fn runs(seed: u8) -> Vec<Run> {
    (0..5u8)
        .map(|run| Run {
            key: Key([
                u64::from(seed) << 40,
                u64::from(run) << 20,
                xxhash_rust::xxh3::xxh3_64(&[seed, run]),
                9,
            ]),
            kind: KeyKind::Region,
            place: Place::default(),
            first: Duration::from_secs(u64::from(run)),
            last: Duration::from_secs(u64::from(run)),
            recurs: false,
        })
        .collect()
}

/// A step of the story, and the videos that the index holds after it.
type Step = (fn(&mut Writer) -> Result<()>, &'static [u8]);

/// Adds, removes, merges, trains and sorts by cells at least once each.
const STORY: [Step; 8] = [
    (|writer| add(writer, &[1, 2]), &[1, 2]),
    (|writer| add(writer, &[3]), &[1, 2, 3]),
    (|writer| remove(writer, "1.mp4"), &[2, 3]),
    (|writer| writer.maintain(&|| false), &[2, 3]),
    (|writer| writer.sort_by_cells(4, &|| false), &[2, 3]),
    (|writer| add(writer, &[1, 4]), &[1, 2, 3, 4]),
    // New centroids replace the first ones, which nothing names any more.
    (|writer| writer.sort_by_cells(3, &|| false), &[1, 2, 3, 4]),
    (|writer| writer.compact(&|| false), &[1, 2, 3, 4]),
];

fn add(writer: &mut Writer, seeds: &[u8]) -> Result<()> {
    for &seed in seeds {
        writer.add(video(seed), runs(seed))?;
    }
    writer.commit().map(drop)
}

fn remove(writer: &mut Writer, path: &str) -> Result<()> {
    writer.remove(path)?;
    writer.commit().map(drop)
}

/// Runs the story until a step fails. Returns the number of finished steps and the error.
fn tell(storage: Arc<Faulty>, dir: &Path) -> (usize, Option<Error>, Option<Writer>) {
    let mut writer = match Writer::on(storage, dir, Some(CONFIG)) {
        Ok(writer) => writer,
        Err(error) => return (0, Some(error), None),
    };
    for (done, (step, _)) in STORY.iter().enumerate() {
        if let Err(error) = step(&mut writer) {
            return (done, Some(error), Some(writer));
        }
    }
    (STORY.len(), None, Some(writer))
}

/// The videos that an index finds by all their keys; empty if there is no index.
fn held(dir: &Path) -> Vec<u8> {
    let index = match Index::open(dir) {
        Ok(index) => index,
        Err(Error::NoIndex { .. }) => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let verified = verify(dir, &|_, _| (), &|| false).unwrap();
    assert!(verified.damage.is_empty(), "{:?}", verified.damage);
    let listed: Vec<u8> = index.videos().map(|(_, video)| video.sha256[0]).collect();
    for seed in 1..=4 {
        let queries: Vec<Key> = runs(seed).iter().map(|run| run.key).collect();
        let by_cell = index
            .near_by_cell(
                &queries,
                &Screen {
                    probes: 2,
                    radius: 0,
                    sketch_radius: 0,
                },
            )
            .unwrap();
        for near in [index.near(&queries, 0).unwrap(), by_cell] {
            assert_eq!(
                near.len(),
                if listed.contains(&seed) { 5 } else { 0 },
                "video {seed}"
            );
        }
    }
    listed
}

/// What the index holds after `steps` steps.
fn after(steps: usize) -> &'static [u8] {
    steps.checked_sub(1).map_or(&[], |last| STORY[last].1)
}

#[test]
fn whichever_operation_fails_the_index_is_as_before_or_as_after() {
    let whole = Arc::new(Faulty::new(Fault::Fails, None));
    let dir = tempfile::tempdir().unwrap();
    let (done, error, writer) = tell(Arc::clone(&whole), dir.path());
    assert!(error.is_none(), "{error:?}");
    drop(writer);
    assert_eq!(held(dir.path()), after(done));
    assert_eq!(Index::open(dir.path()).unwrap().state().cells, 3);
    let operations = whole.done();
    assert!(operations > 60, "{operations}");

    let mut cases = 0;
    for fault in FAULTS {
        for at in 0..operations {
            let storage = Arc::new(Faulty::new(fault, Some(at)));
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("index");
            let (done, error, writer) = tell(Arc::clone(&storage), &folder);
            let case = format!("{fault:?} at operation {at}, after step {done}: {error:?}");
            cases += 1;
            match &error {
                // Deleting files that are no longer named may fail without harm.
                None => assert_eq!(done, STORY.len(), "{case}"),
                Some(Error::Io { path, .. }) => assert!(path.starts_with(dir.path()), "{case}"),
                Some(_) => panic!("{case}"),
            }
            let writer = writer.filter(|_| fault == Fault::Fails && error.is_some());
            if let Some(mut writer) = writer {
                // The same writer continues after the failure.
                for (step, _) in &STORY[done..] {
                    step(&mut writer).unwrap_or_else(|error| panic!("{case}; then {error:?}"));
                }
                drop(writer);
                assert_eq!(held(&folder), after(STORY.len()), "{case}");
                continue;
            }
            if matches!(fault, Fault::PowerLossOldNames | Fault::PowerLossNewNames) {
                storage.lose_power();
            }
            let found = held(&folder);
            let next = (done + 1).min(STORY.len());
            assert!(
                found == after(done) || found == after(next),
                "{case}: {found:?}"
            );
            // The index can be written to again.
            let mut writer = Writer::open_or_create(&folder, CONFIG).unwrap();
            writer.add(video(9), runs(9)).unwrap();
            writer.compact(&|| false).unwrap();
            drop(writer);
            assert_eq!(held(&folder), [&found[..], &[9]].concat(), "{case}");
            assert!(
                verify(&folder, &|_, _| (), &|| false)
                    .unwrap()
                    .unnamed
                    .is_empty(),
                "{case}"
            );
        }
    }
    eprintln!("{operations} operations, {cases} cases");
}

/// After a merge whose last sync failed, the disk has its manifest but the writer the previous one.
#[test]
fn a_merge_that_was_not_synced_costs_no_file_that_a_later_commit_needs() {
    let count = |stop_at: Option<u64>| {
        let storage = Arc::new(Faulty::new(Fault::Fails, stop_at));
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::on(
            Arc::clone(&storage) as Arc<dyn Storage>,
            dir.path(),
            Some(CONFIG),
        )
        .unwrap();
        for seed in 1..=3 {
            add(&mut writer, &[seed]).unwrap();
        }
        let before = storage.done();
        let failed = writer.compact(&|| false).is_err();
        let after = storage.done();
        if failed {
            writer.maintain(&|| false).unwrap();
        }
        remove(&mut writer, "2.mp4").unwrap();
        drop(writer);
        assert_eq!(held(dir.path()), [1, 3], "{stop_at:?}");
        (before, after, failed)
    };
    let (first, last, _) = count(None);
    let failures = (first..last).filter(|&at| count(Some(at)).2).count();
    assert!(failures > 3, "{failures}");
}

#[test]
fn a_full_disk_is_named_with_what_to_do() {
    let storage = Arc::new(Faulty::new(Fault::DiskFull, Some(12)));
    let dir = tempfile::tempdir().unwrap();
    let (_, error, _) = tell(storage, &dir.path().join("index"));
    let text = error.unwrap().to_string();
    assert!(text.contains("free some space"), "{text}");
    assert!(text.contains(&*dir.path().to_string_lossy()), "{text}");
}
