//! Footage with known content: a folder with a `manifest.csv`, or made scenes, and its seeded split into halves.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::paint::Random;
use super::scenes;

/// A video and what is known of it.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, computed and not taken from the manifest.
    pub sha256: String,
    /// Videos of one group show the same content, maybe shifted in time; a video without a group has its own.
    pub group: String,
    /// Length of the video stream in seconds.
    pub duration_s: f64,
    /// Width and height as displayed, in pixels.
    pub size: (u32, u32),
    /// Whether its pixels are square; if not, edits stretch it first, as a player would.
    pub square: bool,
    /// Whether the manifest's note calls it a hard negative: too little structure to be recognised.
    pub hard: bool,
}

impl Clip {
    /// The file's name, for messages.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Reads the folder's `manifest.csv`: the column `file`, and if present `group`, `duration_s`, `width` and `height`;
/// ffprobe is asked for what is missing. Panics with the reason when the folder is not usable.
pub fn read(folder: &Path) -> Vec<Clip> {
    let manifest = folder.join("manifest.csv");
    let mut reader =
        csv::Reader::from_path(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let mut clips = Vec::new();
    for record in reader.deserialize::<HashMap<String, String>>() {
        let record = record.unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
        let file = record.get("file").expect("manifest.csv has a column `file`");
        let number = |column: &str| record.get(column).and_then(|text| text.parse::<f64>().ok());
        let path = folder.join(file);
        let group = record.get("group").filter(|group| !group.is_empty()).unwrap_or(file);
        let known = number("duration_s").zip(number("width")).zip(number("height"));
        let ((duration_s, width), height) = known.unwrap_or_else(|| probe(&path));
        let aspect = pixel_aspect(&path);
        clips.push(Clip {
            sha256: scenes::digest(&path),
            group: group.clone(),
            duration_s,
            size: ((width * aspect).round() as u32, height as u32),
            square: aspect == 1.0,
            hard: record.get("note").is_some_and(|note| note.starts_with("hard negative")),
            path,
        });
    }
    clips
}

/// The folder that was named, else that of `UNIQ_CLIPS`.
pub fn folder(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(|| std::env::var_os("UNIQ_CLIPS").map(PathBuf::from))
}

/// Makes footage where no real clips are at hand: moving scenes, and takes of the same scene as groups of their own.
pub fn made() -> Vec<Clip> {
    const SECONDS: u32 = 14;
    let mut paths: Vec<PathBuf> = (0..12).map(|seed| scenes::moving(100 + seed, SECONDS)).collect();
    for scene in 0..3 {
        paths.extend([1, 2].map(|take| scenes::tripod(200 + scene, take, SECONDS)));
    }
    for scene in 0..2 {
        paths.extend([1, 2].map(|take| scenes::talking_head(300 + scene, take, SECONDS)));
    }
    let clip = |path: PathBuf| Clip {
        sha256: scenes::digest(&path),
        group: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        duration_s: f64::from(SECONDS),
        size: (640, 360),
        square: true,
        hard: false,
        path,
    };
    paths.into_iter().map(clip).collect()
}

/// Which clips are published in one experiment.
#[derive(Clone, Debug)]
pub struct Split {
    /// The clips to be indexed: half of the groups.
    pub published: Vec<Clip>,
    /// The clips of all other groups.
    pub held_back: Vec<Clip>,
}

/// Splits by group. Seeds 2n and 2n+1 are each other's complement, so that each clip is searched for once and is
/// unpublished once.
pub fn split(clips: &[Clip], seed: u64) -> Split {
    let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
    let mut random = Random::new(900 + seed / 2);
    for clip in clips {
        groups.entry(&clip.group).or_default();
    }
    for rank in groups.values_mut() {
        *rank = random.bits();
    }
    let mut ranks: Vec<u64> = groups.values().copied().collect();
    ranks.sort_unstable();
    let middle = ranks.get(ranks.len() / 2).copied().unwrap_or_default();
    let (published, held_back) =
        clips.iter().cloned().partition(|clip| (groups[clip.group.as_str()] < middle) == seed.is_multiple_of(2));
    Split { published, held_back }
}

/// The group of each clip by its SHA-256.
pub fn groups(clips: &[Clip]) -> HashMap<String, String> {
    let pair = |clip: &Clip| (clip.sha256.clone(), clip.group.clone());
    clips.iter().map(pair).collect()
}

/// Width of a pixel over its height; 1 when the file does not say.
fn pixel_aspect(path: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-of",
            "csv=p=0",
            "-show_entries",
            "stream=sample_aspect_ratio",
        ])
        .arg(path)
        .output()
        .expect("the ffprobe command is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let ratio = text.trim().split_once(':').and_then(|(width, height)| {
        Some(width.parse::<f64>().ok()? / height.trim_end_matches(',').parse::<f64>().ok()?)
    });
    ratio.filter(|ratio| ratio.is_finite() && *ratio > 0.0).unwrap_or(1.0)
}

/// Duration, width and height as ffprobe reports them.
pub fn probe(path: &Path) -> ((f64, f64), f64) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=width,height:format=duration"])
        .arg(path)
        .output()
        .expect("the ffprobe command is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split([',', '\n']).filter_map(|word| word.trim().parse::<f64>().ok());
    let mut next = || numbers.next().unwrap_or_else(|| panic!("{}: ffprobe says {text:?}", path.display()));
    let (width, height, duration) = (next(), next(), next());
    ((duration, width), height)
}
