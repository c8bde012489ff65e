//! Footage to measure with: a folder of videos and its manifest.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use uniq::Decoding;
use uniq::media::{self, Limits, Links};

/// A video with its known facts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clip {
    /// The file.
    pub(crate) path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: String,
    /// Videos of one group show the same content, perhaps shifted in time. One without a group has
    /// unique content.
    pub(crate) group: String,
    /// Length in seconds.
    pub(crate) duration_s: f64,
    /// Width and height as displayed, in pixels.
    pub(crate) size: (u32, u32),
}

impl Clip {
    /// The file's name.
    pub(crate) fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// Reads a folder: the files of its `manifest.csv` (columns `file` and `group`, and `duration_s`
/// for files without a length), or without one all videos in it, each a group of its own.
/// Unreadable files are skipped and returned second, with the reason. Files with the same bytes are
/// reported and skipped.
pub(crate) fn read(folder: &Path) -> anyhow::Result<(Vec<Clip>, Vec<String>)> {
    let manifest = folder.join("manifest.csv");
    let (listed, mut left_out) = if manifest.is_file() {
        (listed(&manifest)?, Vec::new())
    } else {
        found(folder)?
    };
    let mut clips = Vec::new();
    let mut seen = HashMap::new();
    for (path, group, duration_s) in listed {
        let info = match media::probe(&path) {
            Ok(info) => info,
            Err(error) => {
                left_out.push(format!("{:#}", anyhow::Error::from(error)));
                continue;
            }
        };
        let Some(duration_s) = info.declared.map(|time| time.as_secs_f64()).or(duration_s) else {
            let why = "its length is not known; give it in a manifest.csv with the columns file and duration_s";
            left_out.push(format!("{}: {why}", path.display()));
            continue;
        };
        let sha256 = hex::encode(sha256(&path)?);
        if let Some(same) = seen.insert(sha256.clone(), path.clone()) {
            eprintln!(
                "{}: left out: the same bytes as {}",
                path.display(),
                same.display()
            );
            continue;
        }
        let group = group.unwrap_or_else(|| path.to_string_lossy().into_owned());
        clips.push(Clip {
            sha256,
            group,
            duration_s,
            size: (info.width, info.height),
            path,
        });
    }
    let groups: BTreeMap<&str, ()> = clips.iter().map(|clip| (clip.group.as_str(), ())).collect();
    if groups.len() < 2 {
        left_out.iter().for_each(|why| eprintln!("left out: {why}"));
        bail!(
            "{}: {} usable videos of different content; at least 2 are needed",
            folder.display(),
            groups.len()
        );
    }
    Ok((clips, left_out))
}

type Listed = Vec<(PathBuf, Option<String>, Option<f64>)>;

fn listed(manifest: &Path) -> anyhow::Result<Listed> {
    let name = || manifest.display().to_string();
    let mut reader = csv::Reader::from_path(manifest).with_context(name)?;
    let mut files = Vec::new();
    for record in reader.deserialize::<HashMap<String, String>>() {
        let record = record.with_context(name)?;
        let field = |column: &str| record.get(column).filter(|text| !text.is_empty()).cloned();
        let Some(file) = field("file") else {
            bail!(
                "{}: a line without a file; the column `file` names videos relative to its folder",
                name()
            );
        };
        let path = manifest.with_file_name(file);
        files.push((
            path,
            field("group"),
            field("duration_s").and_then(|text| text.parse().ok()),
        ));
    }
    Ok(files)
}

fn found(folder: &Path) -> anyhow::Result<(Listed, Vec<String>)> {
    let sources = uniq::ingest::sources(&[folder.to_owned()])?;
    let problems = sources
        .problems
        .into_iter()
        .map(|(_, problem)| format!("{:#}", anyhow::Error::from(problem)))
        .collect();
    Ok((
        sources
            .sources
            .into_iter()
            .map(|source| (source.path, None, None))
            .collect(),
        problems,
    ))
}

/// Decodes in this process without a time limit: the footage is the user's own, and a busy machine
/// is no reason to give up.
pub(crate) fn decoding() -> Decoding {
    let limits = Limits {
        time_floor: Limits::default().time_ceiling,
        ..Limits::default()
    };
    Decoding {
        links: Links::Follow,
        limits,
        ..Decoding::in_process()
    }
}

/// SHA-256 of a file.
pub(crate) fn sha256(path: &Path) -> uniq::Result<[u8; 32]> {
    decoding().open(path)?.sha256(&|| false)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;

    /// A made-up clip of 30 s.
    pub(crate) fn clip(name: &str, group: &str) -> Clip {
        Clip {
            path: PathBuf::from(name),
            sha256: format!("{name:0>16}"),
            group: group.to_owned(),
            duration_s: 30.0,
            size: (640, 360),
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_is_left_out_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere.mp4", folder.path().join("link.mp4")).unwrap();
        let problems = found(folder.path()).unwrap().1;
        assert!(
            matches!(&problems[..], [only] if only.contains("link.mp4")),
            "{problems:?}"
        );
    }

    #[test]
    fn a_manifest_without_files_and_a_folder_without_videos_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            read(folder.path())
                .unwrap_err()
                .to_string()
                .contains("0 usable videos")
        );
        fs::write(folder.path().join("manifest.csv"), "name,group\na.mp4,x\n").unwrap();
        assert!(
            read(folder.path())
                .unwrap_err()
                .to_string()
                .contains("column `file`")
        );
    }
}
