//! Makes a treated clip from a trick's recipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::media::Film;
use crate::support::random::Random;

/// A way to make a published film look like something else.
#[derive(Clone, Copy, Debug)]
pub struct Trick {
    /// Lower case, with hyphens.
    pub name: &'static str,
    /// Filter graph; see the table.
    pub graph: &'static str,
    /// Options of FFmpeg that come after the usual ones.
    pub encoding: &'static str,
    /// When a viewer sees the film.
    pub shown: Shown,
}

/// When a treated clip shows published content.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// From its first to its last frame.
    Always,
    /// In the second half of each period.
    SecondHalves {
        /// Length of a period in seconds.
        period_s: f64,
    },
}

impl Shown {
    /// The intervals of a clip of `duration_s` that show it, in seconds.
    pub fn intervals(self, duration_s: f64) -> Vec<(f64, f64)> {
        match self {
            Shown::Always => vec![(0.0, duration_s)],
            Shown::SecondHalves { period_s } => {
                let start = |number: u32| (f64::from(number) + 0.5) * period_s;
                let starts = (0..).map(start).take_while(|&start| start < duration_s);
                starts
                    .map(|start| (start, (start + period_s / 2.0).min(duration_s)))
                    .collect()
            }
        }
    }
}

/// The material of a trick.
#[derive(Clone, Debug)]
pub struct Material {
    /// The published excerpt.
    pub film: Film,
    /// Moving footage that is not in the index.
    pub own: PathBuf,
    /// A frame of it.
    pub photo: PathBuf,
    /// Another published excerpt.
    pub other: PathBuf,
}

impl Trick {
    /// Makes the treated clip in `folder` unless it exists, and returns its path, or FFmpeg's
    /// error.
    pub fn make(&self, material: &Material, folder: &Path) -> Result<PathBuf, String> {
        let film = &material.film;
        let (mut inputs, mut graph) = (vec![("-i", film.path.as_path())], String::new());
        graph += &format!("[0:v]{SAME_CLOCK}[film]");
        let (w, h, fps, length) = (film.width, film.height, &film.fps, film.duration_s());
        for (label, options, path) in [
            ("[own]", "-stream_loop -1 -i", &material.own),
            ("[photo]", "-loop 1 -i", &material.photo),
            ("[other]", "-stream_loop -1 -i", &material.other),
        ] {
            if self.graph.contains(label) {
                // Covers the film's frame, with the same length.
                graph += &format!(
                    ";[{}:v]fps={fps},scale={w}:{h}:force_original_aspect_ratio=increase,crop={w}:{h},setsar=1,\
                     format=yuv420p,trim=end={length:.3},{SAME_CLOCK}{label}",
                    inputs.len()
                );
                inputs.push((options, path));
            }
        }
        let recipe = expanded(self.graph, film);
        let start = if recipe.contains("[film]") {
            ""
        } else {
            "[film]"
        };
        graph += &format!(";{start}{recipe},{EVEN}[out]");

        let mut hash = Sha256::new();
        for text in [&graph, self.encoding, USUAL] {
            hash.update(text.as_bytes());
        }
        for (_, path) in &inputs {
            hash.update(path.as_os_str().as_encoded_bytes());
        }
        let digest: String = hash
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let made = folder.join(format!("{}--{}--{digest}.mkv", self.name, film.name));
        if made.is_file() {
            return Ok(made);
        }

        // Renamed once it is complete, so that a stopped run leaves nothing that a later run would
        // take for complete.
        let part = made.with_extension("part.mkv");
        let mut command = Command::new("ffmpeg");
        command.args([
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-filter_complex_threads",
            "1",
        ]);
        for (options, path) in inputs {
            command.args(options.split(' ')).arg(path);
        }
        command
            .args(["-filter_complex", &graph, "-map", "[out]"])
            .args(USUAL.split(' '));
        command.args(self.encoding.split_whitespace()).arg(&part);
        let output = command
            .output()
            .map_err(|error| format!("ffmpeg: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "{}: {}",
                self.name,
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        fs::rename(&part, &made).map_err(|error| format!("{}: {error}", made.display()))?;
        Ok(made)
    }
}

/// Replaces the words in braces of a recipe by the film's figures.
fn expanded(graph: &str, film: &Film) -> String {
    let (mut text, mut rest) = (String::new(), graph);
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').expect("a recipe closes its braces");
        text += before;
        text += &value(word, film);
        rest = after;
    }
    text + rest
}

fn value(word: &str, film: &Film) -> String {
    let number = |name: &str| {
        word.strip_prefix(name)
            .and_then(|number| number.parse::<f64>().ok())
    };
    match word {
        "w" => film.width.to_string(),
        "h" => film.height.to_string(),
        "fps" => film.fps.clone(),
        _ => {
            if let Some(rows) = number("px") {
                // Some filters accept only whole numbers.
                let scaled = rows * f64::from(film.height) / 360.0;
                if scaled >= 2.0 {
                    format!("{scaled:.0}")
                } else {
                    format!("{scaled:.2}")
                }
            } else if let Some(seconds) = number("shuffle") {
                let mut pieces = pieces(film, seconds);
                let mut random = Random::new(SHUFFLE_SEED);
                (1..pieces.len())
                    .rev()
                    .for_each(|last| pieces.swap(last, random.below(last + 1)));
                order(&pieces)
            } else if let Some(seconds) = number("halves") {
                let pieces = pieces(film, seconds);
                let (first, second) = pieces.split_at(pieces.len().div_ceil(2));
                let taken = (0..first.len())
                    .flat_map(|n| [first.get(n), second.get(n)])
                    .flatten();
                order(&taken.cloned().collect::<Vec<_>>())
            } else {
                panic!("no recipe knows {{{word}}}")
            }
        }
    }
}

/// The film's frames in pieces of `seconds` seconds; the last one may be shorter.
fn pieces(film: &Film, seconds: f64) -> Vec<std::ops::Range<usize>> {
    let length = ((seconds * film.frames_a_second()).round() as usize).max(1);
    (0..film.frames)
        .step_by(length)
        .map(|start| start..(start + length).min(film.frames))
        .collect()
}

/// A filter that puts the frames in this order.
fn order(pieces: &[std::ops::Range<usize>]) -> String {
    let frames: Vec<String> = pieces
        .iter()
        .cloned()
        .flatten()
        .map(|frame| frame.to_string())
        .collect();
    format!("shuffleframes={}", frames.join("|"))
}

/// Makes the time start at 0.
const SAME_CLOCK: &str = "setpts=PTS-STARTPTS";
/// Even sides, which every encoder accepts, and square pixels.
const EVEN: &str = "scale=trunc(iw/2)*2:trunc(ih/2)*2,setsar=1,format=yuv420p";
/// Encoding of treated clips: as by a phone app, and fast.
const USUAL: &str = "-an -c:v libx264 -threads 1 -preset veryfast -crf 23";
const SHUFFLE_SEED: u64 = 11;
