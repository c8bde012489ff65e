//! Decides which clips of the folders are published, which of them are treated, and which are a
//! cheat's own footage.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};
use uniq::ingest::{self, BuildOptions};
use uniq::{Decoding, Index};

use super::media::{Film, Probe, probe_of};
use super::recipe::Material;
use crate::support::random::Random;

/// A clip of a folder.
#[derive(Clone, Debug)]
pub struct Clip {
    pub path: PathBuf,
    /// Clips of one group show the same content. A clip without a group has unique content.
    pub group: String,
    pub probe: Probe,
}

/// The clips by use.
#[derive(Debug)]
pub struct Corpus {
    /// All indexed clips.
    pub published: Vec<Clip>,
    /// Treated clips, with their own group and that of the other film.
    pub treated: Vec<(Material, [String; 2])>,
    /// Clips that are not indexed.
    pub own: Vec<Clip>,
}

impl Corpus {
    /// Divides the clips of `folders`; the same seed gives the same division.
    pub fn new(folders: &[PathBuf], count: usize, seed: u64, cache: &Path) -> Corpus {
        let mut clips: Vec<Clip> = folders.iter().flat_map(|folder| read(folder)).collect();
        clips.sort_by(|a, b| a.path.cmp(&b.path));
        clips.dedup_by(|a, b| a.path == b.path);
        let mut sizes: HashMap<String, usize> = HashMap::new();
        clips
            .iter()
            .for_each(|clip| *sizes.entry(clip.group.clone()).or_default() += 1);

        let mut random = Random::new(seed);
        let mut shuffled = clips.clone();
        (1..shuffled.len())
            .rev()
            .for_each(|last| shuffled.swap(last, random.below(last + 1)));
        // Own footage has no indexed clip in its group.
        let suits = |clip: &&Clip| {
            sizes[&clip.group] == 1 && clip.probe.duration_s >= OWN_S && clip.probe.width >= WIDE
        };
        let own: Vec<Clip> = shuffled
            .iter()
            .filter(suits)
            .take(OWN_CLIPS)
            .cloned()
            .collect();
        assert!(
            !own.is_empty(),
            "no clip of {OWN_S} s and {WIDE} columns is the only one of its group: none can be own footage"
        );
        let is_own = |clip: &Clip| own.iter().any(|own| own.path == clip.path);

        let mut films: Vec<&Clip> = Vec::new();
        for clip in &shuffled {
            let fits =
                clip.probe.duration_s >= LEAST_S && (WIDE..=WIDEST).contains(&clip.probe.width);
            if films.len() < count
                && fits
                && !is_own(clip)
                && films.iter().all(|film| film.group != clip.group)
            {
                films.push(clip);
            }
        }
        assert!(
            films.len() > 1,
            "fewer than two clips of {LEAST_S} s and {WIDE} to {WIDEST} columns"
        );
        let mut cut = |clip: &Clip, seconds: f64| {
            let start = (random.unit() * (clip.probe.duration_s - seconds).max(0.0)).floor();
            Film::cut(&clip.path, &clip.probe, start, seconds, cache)
        };
        let owns: Vec<Film> = own.iter().map(|clip| cut(clip, EXCERPT_S)).collect();
        let excerpts: Vec<Film> = films.iter().map(|clip| cut(clip, EXCERPT_S)).collect();
        let treated = (0..films.len()).map(|number| {
            let (other, own) = ((number + 1) % films.len(), &owns[number % owns.len()]);
            let material = Material {
                film: excerpts[number].clone(),
                own: own.path.clone(),
                photo: own.photo(cache),
                other: excerpts[other].path.clone(),
            };
            (
                material,
                [films[number].group.clone(), films[other].group.clone()],
            )
        });
        let treated = treated.collect();
        clips.retain(|clip| !is_own(clip));
        Corpus {
            published: clips,
            treated,
            own,
        }
    }

    /// Builds the index of the published clips, or opens the one from an earlier run with the same
    /// code and clips.
    pub fn index(&self, cache: &Path, tag: &str) -> Index {
        let mut hash = Sha256::new();
        hash.update(tag);
        for clip in &self.published {
            hash.update(clip.path.as_os_str().as_encoded_bytes());
            hash.update([0]);
        }
        let digest: String = hash
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let dir = cache.join(format!("index-{digest}"));
        if !Index::exists(&dir) {
            let sources = self
                .published
                .iter()
                .map(|clip| clip.path.clone())
                .collect::<Vec<_>>();
            let sources = ingest::sources(&sources).expect("the clips are files");
            // Built under another name until it is complete.
            let part = cache.join(format!("index-{digest}.part"));
            _ = fs::remove_dir_all(&part);
            let options = BuildOptions::new(Decoding::in_process());
            let summary = ingest::build(&part, sources, &options, &|_| {}, &AtomicBool::new(false))
                .expect("the index is ours alone");
            for (path, error) in &summary.failed {
                eprintln!("{}: not indexed: {error}", path.display());
            }
            fs::rename(&part, &dir).expect("the cache's folder is ours alone");
        }
        Index::open(&dir).expect("the index was just written")
    }

    /// The group of an indexed file.
    pub fn group(&self, path: &str) -> Option<&str> {
        self.published
            .iter()
            .find(|clip| clip.path == Path::new(path))
            .map(|clip| clip.group.as_str())
    }
}

/// Reads the clips of a folder, with the groups of its `manifest.csv` if there is one.
fn read(folder: &Path) -> Vec<Clip> {
    let groups = groups(&folder.join("manifest.csv"));
    let files =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let clip = |path: PathBuf| {
        let file = path.file_name()?.to_string_lossy().into_owned();
        let group = groups
            .get(&file)
            .cloned()
            .unwrap_or_else(|| path.to_string_lossy().into_owned());
        // To ffprobe, pictures and text are "video" too, but without a length.
        let probe = probe_of(&path).filter(|probe| probe.duration_s > 0.5)?;
        Some(Clip { path, group, probe })
    };
    files
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(clip)
        .collect()
}

/// The columns `file` and `group` of a list; empty without a list.
fn groups(manifest: &Path) -> HashMap<String, String> {
    let Ok(mut reader) = csv::ReaderBuilder::new().flexible(true).from_path(manifest) else {
        return HashMap::new();
    };
    let records = reader.deserialize::<HashMap<String, String>>().flatten();
    let named =
        records.filter_map(|mut record| Some((record.remove("file")?, record.remove("group")?)));
    named.filter(|(_, group)| !group.is_empty()).collect()
}

/// Length of an excerpt, in seconds; shorter clips are used whole.
const EXCERPT_S: f64 = 8.0;
/// Minimum length of a treated clip, in seconds.
const LEAST_S: f64 = 4.0;
/// Width of treated clips, in pixels.
const WIDE: u32 = 426;
const WIDEST: u32 = 1280;
/// Minimum length of own footage, in seconds, and the number of such clips.
const OWN_S: f64 = 6.0;
const OWN_CLIPS: usize = 3;
