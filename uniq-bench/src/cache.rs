//! Caches what was made and measured before: fingerprints of edited excerpts, indexes, and
//! observations.
//!
//! - `fingerprints/KEY.uniq` and `KEY.pictures` (its small pictures): named by the version of the
//!   fingerprint, the clips' bytes, the part, the filters and the encoding. The edited video itself
//!   is deleted as soon as its fingerprint is made.
//! - `indexes/KEY/`: named by the versions of fingerprint and index, and the bytes of its videos.
//! - `reports/observations-PROGRAM.jsonl`: named by the bytes of this program; one line per
//!   excerpt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use uniq::fingerprint::{FINGERPRINT_VERSION, Thumbnail};
use uniq::index::FORMAT_VERSION;
use uniq::ingest::{self, BuildOptions};
use uniq::{Fingerprint, Index};

use crate::excerpt::Excerpt;
use crate::footage::{Clip, decoding, sha256};

/// A cache folder.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// SHA-256 of this program, in hexadecimal.
    program: String,
}

impl Cache {
    /// Uses a folder, and creates it if it is missing.
    pub(crate) fn new(folder: PathBuf) -> anyhow::Result<Cache> {
        for folder in ["fingerprints", "indexes", "reports", "videos"].map(|name| folder.join(name))
        {
            fs::create_dir_all(&folder)
                .with_context(|| format!("{}: cannot be made", folder.display()))?;
        }
        let program = std::env::current_exe().context("this program's own file cannot be found")?;
        let program = hex::encode(sha256(&program)?);
        Ok(Cache { folder, program })
    }

    /// The fingerprint of an edited excerpt, and whether it was just made.
    pub(crate) fn fingerprint(
        &self,
        excerpt: &Excerpt,
        cancel: &AtomicBool,
    ) -> anyhow::Result<(Fingerprint, bool)> {
        let name = key(excerpt);
        let file = self
            .folder
            .join("fingerprints")
            .join(format!("{name}.uniq"));
        let beside = file.with_extension("pictures");
        if let (Ok(fingerprint), Some(pictures)) = (
            Fingerprint::load(&file, &decoding(), Some(cancel)),
            read_pictures(&beside),
        ) {
            return Ok((fingerprint.with_pictures(pictures), false));
        }
        let video = self.video(excerpt, &name)?;
        let made = uniq::fingerprint(&video, &decoding(), Some(cancel));
        let _ = fs::remove_file(&video);
        let fingerprint = made?;
        fs::write(&beside, picture_bytes(fingerprint.pictures()))
            .with_context(|| beside.display().to_string())?;
        fingerprint.save(&file)?;
        Ok((fingerprint, true))
    }

    /// The fingerprint with this name, without its small pictures, if it exists.
    pub(crate) fn known_fingerprint(&self, name: &str) -> uniq::Result<Fingerprint> {
        Fingerprint::load(
            &self
                .folder
                .join("fingerprints")
                .join(format!("{name}.uniq")),
            &decoding(),
            None,
        )
    }

    /// The file of this program's observations.
    pub(crate) fn observations(&self) -> PathBuf {
        self.folder
            .join("reports")
            .join(format!("observations-{}.jsonl", &self.program[..16]))
    }

    /// Makes the edited video.
    pub(crate) fn video(&self, excerpt: &Excerpt, name: &str) -> anyhow::Result<PathBuf> {
        // The same excerpt may be made twice at once.
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let target = self
            .folder
            .join("videos")
            .join(format!("{name}-{}-{number}.mkv", std::process::id()));
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]);
        let from = ["-ss".to_owned(), format!("{:.3}", excerpt.cut_s.0)];
        let length = [
            "-t".to_owned(),
            format!("{:.3}", excerpt.cut_s.1 - excerpt.cut_s.0),
        ];
        let part = if has_exact_index(&excerpt.clip.path) {
            command
                .args(&from)
                .args(&length)
                .arg("-i")
                .arg(&excerpt.clip.path);
            "null"
        } else {
            // Without an exact index FFmpeg may miss the time by seconds, so everything before it
            // is decoded.
            command.arg("-i").arg(&excerpt.clip.path);
            &format!(
                "trim={:.3}:{:.3},setpts=PTS-STARTPTS",
                excerpt.cut_s.0, excerpt.cut_s.1
            )
        };
        if let Some(other) = &excerpt.other {
            command
                .args([
                    "-stream_loop",
                    "-1",
                    "-t",
                    &format!("{}", excerpt.other_s()),
                    "-i",
                ])
                .arg(&other.path);
        }
        command.args([
            "-filter_complex",
            &excerpt
                .graph()
                .replacen("[0:v]", &format!("[0:v]{part},"), 1),
            "-an",
            "-sn",
            "-dn",
            "-threads",
            "1",
            "-vsync",
            "vfr",
        ]);
        // Otherwise Matroska writes a random id into each file, and a file's bytes determine which
        // of its frames are sampled.
        command.args(["-fflags", "+bitexact", "-flags:v", "+bitexact"]);
        command.args(excerpt.edit.encoding.split(' ')).arg(&target);
        run(command)
            .with_context(|| format!("{} of {}", excerpt.edit.name, excerpt.clip.path.display()))?;
        Ok(target)
    }

    /// Cuts out a part of a clip in good quality, and keeps it.
    pub(crate) fn part(&self, clip: &Clip, (from, to): (f64, f64)) -> anyhow::Result<PathBuf> {
        let name = digest(&["part", &clip.sha256, &format!("{from:.3} {to:.3}")]);
        let target = self.folder.join("videos").join(format!("{name}.mp4"));
        if !target.is_file() {
            let unfinished = target.with_extension("part.mp4");
            let mut command = Command::new("ffmpeg");
            command.args([
                "-nostdin",
                "-v",
                "error",
                "-y",
                "-ss",
                &format!("{from:.3}"),
            ]);
            command
                .args(["-t", &format!("{:.3}", to - from), "-i"])
                .arg(&clip.path);
            command.args([
                "-vf",
                "scale=trunc(iw/2)*2:trunc(ih/2)*2,setsar=1,format=yuv420p",
                "-an",
                "-sn",
                "-dn",
            ]);
            command
                .args([
                    "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1",
                ])
                .arg(&unfinished);
            run(command).with_context(|| clip.path.display().to_string())?;
            fs::rename(&unfinished, &target).with_context(|| target.display().to_string())?;
        }
        Ok(target)
    }

    /// An index of exactly these videos; missing ones are added.
    pub(crate) fn index(&self, videos: &[PathBuf], cancel: &AtomicBool) -> anyhow::Result<Index> {
        let mut digests = videos
            .iter()
            .map(|path| Ok(hex::encode(sha256(path)?)))
            .collect::<uniq::Result<Vec<_>>>()?;
        digests.sort_unstable();
        let versions = format!("{FINGERPRINT_VERSION} {FORMAT_VERSION}");
        let name = digest(&[&versions, &digests.concat()]);
        let folder = self.folder.join("indexes").join(name);
        if Index::exists(&folder) {
            let index = Index::open(&folder)?;
            if index.state().videos == digests.len() as u64 {
                return Ok(index);
            }
        }
        let summary = ingest::build(
            &folder,
            ingest::sources(videos)?,
            &BuildOptions::new(decoding()),
            &|_| {},
            cancel,
        )?;
        if let Some((_, error)) = summary.failed.into_iter().next() {
            bail!(
                "{:#}; take it out of the folder",
                anyhow::Error::from(error)
            );
        }
        if summary.cancelled {
            return Err(uniq::Error::Cancelled.into());
        }
        Ok(Index::open(&folder)?)
    }
}

/// The small pictures of a clip as bytes: columns and rows as u16, then for each picture its time
/// in milliseconds as u32 and its levels.
fn picture_bytes(pictures: &[Thumbnail]) -> Vec<u8> {
    let Some(first) = pictures.first() else {
        return Vec::new();
    };
    let mut bytes = vec![];
    bytes.extend((first.width as u16).to_le_bytes());
    bytes.extend((first.height as u16).to_le_bytes());
    for picture in pictures
        .iter()
        .filter(|picture| (picture.width, picture.height) == (first.width, first.height))
    {
        bytes.extend((picture.time.as_millis() as u32).to_le_bytes());
        bytes.extend(&picture.luma);
    }
    bytes
}

fn read_pictures(file: &Path) -> Option<Vec<Thumbnail>> {
    let bytes = fs::read(file).ok()?;
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return Some(Vec::new());
    };
    let [width, height] =
        [[head[0], head[1]], [head[2], head[3]]].map(|side| usize::from(u16::from_le_bytes(side)));
    let picture = |bytes: &[u8]| {
        let (time, luma) = bytes.split_first_chunk::<4>()?;
        let time = Duration::from_millis(u32::from_le_bytes(*time).into());
        (luma.len() == width * height).then(|| Thumbnail {
            time,
            width,
            height,
            luma: luma.to_vec(),
        })
    };
    rest.chunks(4 + width * height).map(picture).collect()
}

/// Names an edited excerpt by everything that its fingerprint depends on.
pub(crate) fn key(excerpt: &Excerpt) -> String {
    let part = format!("{:.3} {:.3}", excerpt.cut_s.0, excerpt.cut_s.1);
    let other = excerpt.other.as_ref().map_or(String::new(), |other| {
        format!("{} {:.3}", other.sha256, excerpt.other_s())
    });
    let version = FINGERPRINT_VERSION.to_string();
    digest(&[
        &version,
        &excerpt.clip.sha256,
        &part,
        &other,
        &excerpt.graph(),
        excerpt.edit.encoding,
    ])
}

fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hex::encode(&hasher.finalize()[..12])
}

/// Whether FFmpeg seeks exactly in a file of this kind.
fn has_exact_index(file: &Path) -> bool {
    let ending = file
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    ["mp4", "m4v", "mov", "mkv", "webm"].contains(&ending.as_str())
}

/// Fails with advice if the `ffmpeg` command cannot be run.
pub(crate) fn need_editor() -> anyhow::Result<()> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-version"]);
    run(command)
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "the command ffmpeg, which makes the edits, is not in PATH; install it (Debian: apt-get install ffmpeg)"
            )
        }
        other => other.context("ffmpeg could not be started")?,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "ffmpeg failed ({}): {}",
            output.status,
            said.lines().take(3).collect::<Vec<_>>().join("; ")
        );
    }
    Ok(())
}

/// The default folder: `uniq` in the user's cache.
pub(crate) fn default_folder() -> anyhow::Result<PathBuf> {
    use etcetera::BaseStrategy as _;
    let strategy = etcetera::choose_base_strategy().map_err(|_| {
        anyhow::anyhow!(
            "no folder for the cache: there is no home folder; name one with --cache DIR"
        )
    })?;
    Ok(strategy.cache_dir().join("uniq").join("bench"))
}
