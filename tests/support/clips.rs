//! Footage for measurements: a folder with a `manifest.csv`, or made scenes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::scenes;

/// The given folder, or else that of `UNIQ_CLIPS`.
pub fn folder(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(|| std::env::var_os("UNIQ_CLIPS").map(PathBuf::from))
}

/// A video of known content.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// Videos of one group show the same content. A video without a group has unique content.
    pub group: String,
}

/// Reads the columns `file` and `group` of the folder's `manifest.csv`. Panics with the reason if
/// it is not usable.
pub fn read(folder: &Path) -> Vec<Clip> {
    let manifest = folder.join("manifest.csv");
    let mut reader = csv::Reader::from_path(&manifest)
        .unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let records = reader.deserialize::<HashMap<String, String>>();
    let clip = |record: csv::Result<HashMap<String, String>>| {
        let record = record.unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
        let file = record
            .get("file")
            .expect("manifest.csv has a column `file`");
        let group = record
            .get("group")
            .filter(|group| !group.is_empty())
            .unwrap_or(file);
        Clip {
            path: folder.join(file),
            group: group.clone(),
        }
    };
    records.map(clip).collect()
}

/// Makes footage where no real clips are available: moving scenes, and takes of the same scene.
pub fn made() -> Vec<Clip> {
    const SECONDS: u32 = 14;
    let mut paths: Vec<PathBuf> = (0..12)
        .map(|seed| scenes::moving(100 + seed, SECONDS))
        .collect();
    for scene in 0..3 {
        paths.extend([1, 2].map(|take| scenes::tripod(200 + scene, take, SECONDS)));
    }
    for scene in 0..2 {
        paths.extend([1, 2].map(|take| scenes::talking_head(300 + scene, take, SECONDS)));
    }
    let group = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    paths
        .into_iter()
        .map(|path| Clip {
            group: group(&path),
            path,
        })
        .collect()
}

/// The length of a video in seconds, as ffprobe reports it.
pub fn duration_s(path: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-of",
            "csv=p=0",
            "-show_entries",
            "format=duration",
        ])
        .arg(path)
        .output()
        .expect("the ffprobe command is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{}: ffprobe says {text:?}", path.display()))
}
