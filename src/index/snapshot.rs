//! An opened index: one commit, unchanged for as long as it is held.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::IndexState;
use super::cells::{CELLS_MAGIC, Cells};
use super::files::BlockFile;
use super::format::{self, SEGMENT_MAGIC, hex};
use super::history::{History, Leaf};
use super::manifest::{self, CellsEntry, FileEntry, Manifest, SegmentEntry, Stored};
use super::merkle::{self, Hash};
use super::newest;
use super::screening::Screening;
use super::segment::Segment;
use super::video::{IndexConfig, Role, Video, VideoRef};
use crate::error::{Error, Result};
use crate::fingerprint::{FINGERPRINT_VERSION, Motion, PictureTrack, Run};

/// An opened index; immutable, and shared freely between threads.
///
/// Neither later commits nor deleting its files changes it. Open again to see what is new.
#[derive(Debug)]
pub struct Index {
    dir: PathBuf,
    pub(crate) stored: Stored,
    state: IndexState,
    pub(crate) segments: Vec<LiveSegment>,
    /// The centroids that segments are sorted by; the last ones sort new segments.
    pub(super) cells: Vec<OpenCells>,
    /// Made on first use, since a search does not need them.
    names: OnceLock<Names>,
}

/// The live videos in order of their names.
#[derive(Debug)]
struct Names {
    /// Sources, or submissions, by path, then by SHA-256.
    sources: Vec<VideoRef>,
    /// Benign material in the same order.
    benign: Vec<VideoRef>,
    by_sha256: HashMap<[u8; 32], VideoRef>,
}

/// A segment and what the manifest says of it.
#[derive(Debug)]
pub(crate) struct LiveSegment {
    pub(crate) number: u64,
    pub(crate) segment: Arc<Segment>,
    /// Role of all its videos.
    pub(crate) role: Role,
    /// Whether each video has been removed.
    pub(crate) dead: Vec<bool>,
    /// Position of its centroids in `Index::cells`.
    pub(super) cells: usize,
}

/// Centroids and the number of their file; 0 for the single cell.
#[derive(Clone, Debug)]
pub(super) struct OpenCells {
    number: u64,
    pub(super) cells: Arc<Cells>,
}

impl Index {
    /// Opens an index for searching; nothing is written.
    ///
    /// This checks that all files exist, belong together and have the right lengths, and reads the
    /// tables of videos. The rest is verified piece by piece when a search first touches it, so
    /// that opening a large index is quick. [`verify`](super::verify()) verifies everything.
    ///
    /// # Errors
    /// [`Error::NoIndex`] if the folder holds none, [`Error::IncompatibleIndex`] if another version
    /// made it, [`Error::CorruptIndex`] if a file is damaged, missing or from elsewhere, or if the
    /// manifest is older than the newest commit noted, and [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Index> {
        Index::open_with(dir, &|_| Ok(None))
    }

    /// As [`Index::open`], but reuses what an earlier snapshot has open. `earlier` chooses that
    /// snapshot for the manifest found, or refuses the manifest by an error.
    pub(super) fn open_with<'a>(
        dir: &Path,
        earlier: &dyn Fn(&Stored) -> Result<Option<&'a Index>>,
    ) -> Result<Index> {
        let no_index = || Error::NoIndex {
            path: dir.to_owned(),
        };
        let mut stored = newest::load(dir)?.ok_or_else(no_index)?;
        let mut attempts = 0;
        loop {
            manifest::check_fingerprint(dir, &stored.manifest.config, FINGERPRINT_VERSION)?;
            let root = stored.root;
            let opened = earlier(&stored).and_then(|earlier| Index::load(dir, stored, earlier));
            match opened {
                Ok(index) => return Ok(index),
                Err(error) if attempts == OPEN_ATTEMPTS => return Err(error),
                Err(error) => {
                    // A merge may have deleted files after the manifest was read.
                    stored = newest::load(dir)?.ok_or_else(no_index)?;
                    if stored.root == root {
                        return Err(error);
                    }
                }
            }
            attempts += 1;
        }
    }

    /// Whether a folder holds an index, of any version and even if damaged.
    pub fn exists(dir: &Path) -> bool {
        // If the manifest is lost or something else is in its place, this is an index to refuse,
        // not a place to build one.
        manifest::manifest_path(dir).exists() || newest::exists(dir)
    }

    /// Time of this snapshot's commit, in RFC 3339, in UTC; `None` if unknown (see
    /// [`Writer::with_clock`](super::Writer::with_clock)).
    pub fn committed_at(&self) -> Option<String> {
        moment_of(self.stored.manifest.committed_at)
    }

    /// All known commits up to this snapshot's, oldest first. Reads and verifies the whole history.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if the history is not the one that this snapshot commits to, and
    /// [`Error::Io`].
    pub fn history(&self) -> Result<Vec<Commit>> {
        let (history, _) = History::load_committed(&self.dir, &self.stored.manifest.history)?;
        let leaves = history.leaves().iter().copied().chain([self.stored.leaf()]);
        Ok(leaves.map(Commit::from).collect())
    }

    /// The commit that added a video, and its time if known.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn added(&self, video: VideoRef) -> (u64, Option<String>) {
        let added = self.segments[video.segment as usize].segment.added[video.video as usize];
        (added.generation, moment_of(added.at))
    }

    /// The settings that fix the meaning of its keys.
    pub fn config(&self) -> IndexConfig {
        self.stored.manifest.config
    }

    /// The folder from which it was opened.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Size and condition.
    pub fn state(&self) -> &IndexState {
        &self.state
    }

    /// The role of the videos that are searched for copies: sources or submissions.
    pub fn searched_role(&self) -> Role {
        if self
            .segments
            .iter()
            .any(|live| live.role == Role::Submission)
        {
            Role::Submission
        } else {
            Role::Source
        }
    }

    /// The sources, or submissions, that have not been removed, sorted by path.
    pub fn videos(&self) -> impl Iterator<Item = (VideoRef, &Video)> {
        self.in_role(self.searched_role())
    }

    /// The videos of one role that have not been removed, sorted by path.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = (VideoRef, &Video)> {
        let names = self.names();
        let videos = match role {
            Role::Benign => &names.benign[..],
            searched if searched == self.searched_role() => &names.sources,
            _ => &[],
        };
        videos.iter().map(|&video| (video, self.video(video)))
    }

    /// A video of this snapshot.
    ///
    /// # Panics
    /// If the reference is of another index or snapshot and this one has no such video.
    pub fn video(&self, video: VideoRef) -> &Video {
        &self.segments[video.segment as usize].segment.videos[video.video as usize]
    }

    /// Finds sources by SHA-256 (whole, or at least its first 8 hexadecimal digits), exact path, or
    /// URL.
    ///
    /// Sorted by path; empty if nothing matches.
    pub fn find(&self, selector: &str) -> Vec<VideoRef> {
        self.find_in_role(selector, self.searched_role())
    }

    /// As [`Index::find`], for videos of one role.
    pub fn find_in_role(&self, selector: &str, role: Role) -> Vec<VideoRef> {
        self.in_role(role)
            .filter(|(_, video)| matches(video, selector))
            .map(|(video, _)| video)
            .collect()
    }

    /// Whether the index holds a source with this SHA-256 that has not been removed.
    pub fn contains(&self, sha256: &[u8; 32]) -> bool {
        self.role(sha256).is_some_and(Role::is_searched)
    }

    /// Role of the file with this SHA-256; `None` if it is not in the index or has been removed.
    pub fn role(&self, sha256: &[u8; 32]) -> Option<Role> {
        self.by_sha256(sha256)
            .map(|video| self.segments[video.segment as usize].role)
    }

    pub(crate) fn by_sha256(&self, sha256: &[u8; 32]) -> Option<VideoRef> {
        self.names().by_sha256.get(sha256).copied()
    }

    /// A run of a video, by the number in a search result.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if its bytes are damaged.
    ///
    /// # Panics
    /// If there is no such segment, which cannot happen with numbers from this snapshot.
    pub fn run(&self, video: VideoRef, run: u32) -> Result<Run> {
        let segment = &self.segments[video.segment as usize].segment;
        segment.run(segment.runs_of(video.video).start.saturating_add(run))
    }

    /// All keys of a video in order of time, its motion, and its small pictures.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if any of these is damaged.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn track(&self, video: VideoRef) -> Result<Track> {
        Ok(Track {
            runs: self.runs(video)?,
            motion: self.motion(video)?,
            pictures: self.pictures(video)?,
        })
    }

    /// All keys of a video, in order of time.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if any of these is damaged.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn runs(&self, video: VideoRef) -> Result<Vec<Run>> {
        self.segments[video.segment as usize]
            .segment
            .runs(video.video)
    }

    /// The motion of a video, picture by picture; empty for benign material.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if it is damaged.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn motion(&self, video: VideoRef) -> Result<Motion> {
        self.segments[video.segment as usize]
            .segment
            .motion(video.video)
    }

    /// The small pictures of a video's keyframes; empty if none are stored, see
    /// [`Index::has_pictures`].
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if they are damaged.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn pictures(&self, video: VideoRef) -> Result<PictureTrack> {
        self.segments[video.segment as usize]
            .segment
            .picture_track(video.video)
    }

    /// How well screening by cells works; `None` before it was measured.
    pub fn screening(&self) -> Option<&Screening> {
        self.stored.manifest.screening.as_ref()
    }

    /// The cells that new segments are sorted by.
    pub(crate) fn cells_now(&self) -> &Arc<Cells> {
        &self.cells[self.cells.len() - 1].cells
    }

    /// The cells that a segment is sorted by.
    pub(crate) fn cells_of(&self, segment: &LiveSegment) -> &Arc<Cells> {
        &self.cells[segment.cells].cells
    }

    /// Whether small pictures of a video are stored.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn has_pictures(&self, video: VideoRef) -> bool {
        self.segments[video.segment as usize]
            .segment
            .has_pictures(video.video as usize)
    }

    /// Opens what a manifest names, reusing what an earlier snapshot has open.
    pub(crate) fn load(dir: &Path, stored: Stored, earlier: Option<&Index>) -> Result<Index> {
        Index::load_part(dir, stored, earlier, &|_| true)
    }

    /// As [`Index::load`], without unwanted segments; the result is a part of an index.
    pub(super) fn load_part(
        dir: &Path,
        stored: Stored,
        earlier: Option<&Index>,
        wanted: &(dyn Fn(&SegmentEntry) -> bool + Sync),
    ) -> Result<Index> {
        let cells = open_cells(dir, &stored.manifest, earlier)?;
        let entries = &stored.manifest.segments;
        let segments = entries
            .par_iter()
            .filter(|entry| wanted(entry))
            .map(|entry| LiveSegment::load(dir, entry, &cells, earlier))
            .collect::<Result<Vec<LiveSegment>>>()?;
        let state = describe(&stored, &segments, &cells[cells.len() - 1].cells);
        Ok(Index {
            dir: dir.to_owned(),
            stored,
            state,
            segments,
            cells,
            names: OnceLock::new(),
        })
    }

    /// Replaces the description of its size and condition, for a past state.
    pub(super) fn set_state(&mut self, state: IndexState) {
        self.state = state;
    }

    /// Fails if a SHA-256 occurs twice among the videos.
    pub(crate) fn check_names(&self) -> Result<()> {
        let Names {
            sources,
            benign,
            by_sha256,
        } = self.names();
        let videos = sources.len() + benign.len();
        if videos == by_sha256.len() {
            return Ok(());
        }
        let path = manifest::manifest_path(&self.dir);
        Err(format::corrupt(
            &path,
            "number of different videos",
            by_sha256.len(),
            videos,
        ))
    }

    /// Merkle root over the SHA-256s of the live videos of a role.
    pub(crate) fn root_of(&self, role: Role) -> Hash {
        let of_role = self.segments.iter().filter(|live| live.role == role);
        merkle::root_of(of_role.flat_map(|live| {
            let videos = live.segment.videos.iter().zip(&live.dead);
            videos
                .filter(|(_, dead)| !**dead)
                .map(|(video, _)| video.sha256)
        }))
    }

    /// Fails if the manifest's roots differ from those of the videos.
    pub(crate) fn check_roots(&self) -> Result<()> {
        let Manifest {
            sources_root,
            allowlist_root,
            ..
        } = &self.stored.manifest;
        let said = [
            ("root of the sources", sources_root, self.searched_role()),
            ("root of the allowlist", allowlist_root, Role::Benign),
        ];
        for (what, said, role) in said {
            let found = self.root_of(role);
            if found != *said {
                let path = manifest::manifest_path(&self.dir);
                return Err(format::corrupt(
                    &path,
                    what,
                    hex(&found),
                    format!("{}, as the manifest says", hex(said)),
                ));
            }
        }
        Ok(())
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let (mut sources, mut benign, mut by_sha256) = (Vec::new(), Vec::new(), HashMap::new());
            for (number, live) in self.segments.iter().enumerate() {
                for (video, _) in live.dead.iter().enumerate().filter(|(_, dead)| !**dead) {
                    let reference = VideoRef {
                        segment: number as u32,
                        video: video as u32,
                    };
                    by_sha256.insert(live.segment.videos[video].sha256, reference);
                    match live.role {
                        Role::Source | Role::Submission => sources.push(reference),
                        Role::Benign => benign.push(reference),
                    }
                }
            }
            for videos in [&mut sources, &mut benign] {
                videos.sort_by(|&a, &b| {
                    let (a, b) = (self.video(a), self.video(b));
                    (&a.path, &a.sha256).cmp(&(&b.path, &b.sha256))
                });
            }
            Names {
                sources,
                benign,
                by_sha256,
            }
        })
    }
}

/// A time in milliseconds since 1970 as RFC 3339, to the second; `None` for 0.
pub(super) fn moment_of(millis: u64) -> Option<String> {
    (millis > 0)
        .then(|| {
            SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_millis(millis))
                .and_then(moment)
        })
        .flatten()
}

/// A time as RFC 3339, in UTC, to the second.
pub(crate) fn moment(time: SystemTime) -> Option<String> {
    let seconds = jiff::Timestamp::try_from(time).ok()?.as_second();
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}

/// All stored data of a video, in order of time.
#[derive(Clone, PartialEq, Debug)]
pub struct Track {
    /// Its keys.
    pub runs: Vec<Run>,
    /// Its motion; empty for benign material.
    pub motion: Motion,
    /// Small pictures of its keyframes; empty for benign material, or where only keys are known.
    pub pictures: PictureTrack,
}

/// A commit in the history of an index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Commit {
    /// Number of the commit; see [`IndexState::generation`].
    pub generation: u64,
    /// See [`IndexState::root`].
    pub root: String,
    /// See [`IndexState::sources_root`].
    pub sources_root: String,
    /// See [`IndexState::allowlist_root`].
    pub allowlist_root: String,
    /// Time of the commit in RFC 3339, in UTC; `None` if unknown.
    pub committed_at: Option<String>,
}

impl From<Leaf> for Commit {
    fn from(leaf: Leaf) -> Commit {
        Commit {
            generation: leaf.generation,
            root: hex(&leaf.root),
            sources_root: hex(&leaf.sources_root),
            allowlist_root: hex(&leaf.allowlist_root),
            committed_at: moment_of(leaf.committed_at),
        }
    }
}

impl LiveSegment {
    fn load(
        dir: &Path,
        entry: &SegmentEntry,
        cells: &[OpenCells],
        earlier: Option<&Index>,
    ) -> Result<LiveSegment> {
        let earlier = earlier.and_then(|index| {
            index
                .segments
                .iter()
                .find(|live| live.number == entry.number)
        });
        let segment = match earlier {
            Some(live) => Arc::clone(&live.segment),
            None => Arc::new(open_segment(dir, entry)?),
        };
        let of_segment = |known: &OpenCells| {
            known.cells.checksum() == segment.cells_checksum && known.cells.len() == segment.cells()
        };
        let Some(cells) = cells.iter().position(of_segment) else {
            let found = format!(
                "{} of file {:016x}",
                segment.cells(),
                segment.cells_checksum
            );
            let path = manifest::segment_path(dir, entry.number);
            return Err(format::corrupt(
                &path,
                "centroids of the cells",
                found,
                "those that the manifest names",
            ));
        };
        let mut dead = vec![false; segment.videos.len()];
        for removed in &entry.tombstones {
            // In range: the manifest was checked against its own count of videos, and that count
            // against the segment's.
            dead[removed.video as usize] = true;
        }
        Ok(LiveSegment {
            number: entry.number,
            segment,
            role: entry.role,
            dead,
            cells,
        })
    }

    /// Keys of the videos that have not been removed.
    pub(crate) fn live_keys(&self) -> u64 {
        let live = (0..).zip(&self.dead).filter(|(_, dead)| !**dead);
        live.map(|(video, _)| self.segment.runs_of(video).len() as u64)
            .sum()
    }

    /// Videos that have not been removed and have no stored pictures.
    fn without_pictures(&self) -> u64 {
        let live = self.dead.iter().enumerate().filter(|(_, dead)| !**dead);
        live.filter(|(video, _)| !self.segment.has_pictures(*video))
            .count() as u64
    }

    /// Length of the videos that have not been removed, in seconds.
    fn live_seconds(&self) -> f64 {
        let videos = self.segment.videos.iter().zip(&self.dead);
        videos
            .filter(|(_, dead)| !**dead)
            .map(|(video, _)| video.duration.as_secs_f64())
            .sum()
    }
}

/// Opens the segment that an entry of the manifest means.
pub(crate) fn open_segment(dir: &Path, entry: &SegmentEntry) -> Result<Segment> {
    let path = manifest::segment_path(dir, entry.number);
    let segment = Segment::open(open_file(&path, SEGMENT_MAGIC, &entry.file)?)?;
    if segment.len() as u64 != u64::from(entry.keys)
        || segment.videos.len() as u64 != u64::from(entry.videos)
    {
        return Err(format::corrupt(
            &path,
            "number of keys and videos",
            format!("{} and {}", segment.len(), segment.videos.len()),
            format!("{} and {}, as the manifest says", entry.keys, entry.videos),
        ));
    }
    Ok(segment)
}

/// Opens the centroids that a manifest names, reusing what an earlier snapshot has open. The single
/// cell comes first.
fn open_cells(dir: &Path, manifest: &Manifest, earlier: Option<&Index>) -> Result<Vec<OpenCells>> {
    let mut all = vec![OpenCells {
        number: 0,
        cells: Arc::new(Cells::single()),
    }];
    for entry in &manifest.cells {
        let known = earlier.and_then(|index| {
            index
                .cells
                .iter()
                .find(|known| known.number == entry.number)
        });
        all.push(match known {
            Some(known) => known.clone(),
            None => OpenCells {
                number: entry.number,
                cells: Arc::new(open_centroids(dir, entry)?),
            },
        });
    }
    Ok(all)
}

/// Opens the centroids that an entry of the manifest means.
pub(crate) fn open_centroids(dir: &Path, entry: &CellsEntry) -> Result<Cells> {
    let path = manifest::cells_path(dir, entry.number);
    let cells = Cells::open(&open_file(&path, CELLS_MAGIC, &entry.file)?)?;
    if cells.len() as u64 != u64::from(entry.cells) {
        let expected = format!("{}, as the manifest says", entry.cells);
        return Err(format::corrupt(
            &path,
            "number of cells",
            cells.len(),
            expected,
        ));
    }
    Ok(cells)
}

/// Whether a selector means this video, as [`Index::find`] describes.
pub(crate) fn matches(video: &Video, selector: &str) -> bool {
    let digits = SELECTOR_MIN_DIGITS..=2 * video.sha256.len();
    let by_sha256 = digits.contains(&selector.len())
        && selector.bytes().all(|digit| digit.is_ascii_hexdigit())
        && hex(&video.sha256).starts_with(&selector.to_ascii_lowercase());
    by_sha256 || video.path == selector || video.publication.url.as_deref() == Some(selector)
}

fn open_file(path: &Path, magic: [u8; 8], entry: &FileEntry) -> Result<BlockFile> {
    BlockFile::open(path, magic, Some(entry))?.ok_or_else(|| {
        format::corrupt(
            path,
            "file",
            "missing",
            format!("{} bytes, as the manifest says", entry.length),
        )
    })
}

pub(super) fn describe(stored: &Stored, segments: &[LiveSegment], cells: &Cells) -> IndexState {
    let held: Vec<Held> = segments.iter().map(Held::of).collect();
    describe_held(stored, &held, cells.len() as u64, cells.recall())
}

/// As [`describe`], from the totals of each segment, in the order of the manifest.
pub(super) fn describe_held(
    stored: &Stored,
    segments: &[Held],
    cells: u64,
    cells_recall: f64,
) -> IndexState {
    let manifest = &stored.manifest;
    let tombstones: u64 = manifest
        .segments
        .iter()
        .map(|entry| entry.tombstones.len() as u64)
        .sum();
    let bytes = stored.length.saturating_add(manifest.bytes());
    let sources = Holdings::of(segments, Role::is_searched);
    let benign = Holdings::of(segments, |role| role == Role::Benign);
    IndexState {
        root: hex(&stored.root),
        sources_root: hex(&manifest.sources_root),
        allowlist_root: hex(&manifest.allowlist_root),
        history_root: hex(&manifest.history.root),
        history_commits: manifest.history.leaves,
        generation: manifest.generation,
        videos: sources.videos,
        hours: sources.hours,
        keys: sources.keys,
        without_pictures: sources.without_pictures,
        benign_videos: benign.videos,
        benign_hours: benign.hours,
        benign_keys: benign.keys,
        segments: segments.len() as u32,
        tombstones,
        bytes,
        bytes_per_key: (sources.keys > 0).then(|| bytes as f64 / sources.keys as f64),
        bytes_per_hour: (sources.hours > 0.0).then(|| bytes as f64 / sources.hours),
        interval_s: manifest.config.interval.as_secs_f64(),
        fingerprint_version: manifest.config.fingerprint_version,
        format_version: stored.version,
        written_by: manifest.written_by.clone(),
        cells,
        cells_recall,
        screening_recall: manifest.screening.as_ref().and_then(Screening::recall),
    }
}

/// Totals of a segment's videos that have not been removed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) role: Role,
    videos: u64,
    seconds: f64,
    keys: u64,
    without_pictures: u64,
}

impl Held {
    pub(super) fn of(live: &LiveSegment) -> Held {
        Held {
            role: live.role,
            videos: live.dead.iter().filter(|dead| !**dead).count() as u64,
            seconds: live.live_seconds(),
            keys: live.live_keys(),
            without_pictures: live.without_pictures(),
        }
    }
}

/// Totals of the videos of some roles.
struct Holdings {
    videos: u64,
    hours: f64,
    keys: u64,
    without_pictures: u64,
}

impl Holdings {
    fn of(segments: &[Held], is_of: fn(Role) -> bool) -> Holdings {
        let of_role = || segments.iter().filter(move |held| is_of(held.role));
        Holdings {
            videos: of_role().map(|held| held.videos).sum(),
            // An empty sum is -0.0.
            hours: of_role()
                .map(|held| held.seconds)
                .fold(0.0, |sum, seconds| sum + seconds)
                / 3600.0,
            keys: of_role().map(|held| held.keys).sum(),
            without_pictures: of_role().map(|held| held.without_pictures).sum(),
        }
    }
}

/// Maximum number of manifests to try. Each retry means that a writer committed while the last one
/// was being opened.
const OPEN_ATTEMPTS: usize = 16;
/// Minimum number of digits of a SHA-256 in a selector: shorter words match by accident.
const SELECTOR_MIN_DIGITS: usize = 8;
