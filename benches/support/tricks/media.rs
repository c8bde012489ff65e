//! Reads file facts with FFmpeg's commands, and cuts excerpts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// A video as ffprobe describes it.
#[derive(Clone, Debug)]
pub struct Probe {
    pub width: u32,
    pub height: u32,
    /// Frames a second, as a fraction.
    pub rate: (u32, u32),
    pub duration_s: f64,
    /// Number of frames by the container; 0 if it does not say.
    pub frames: usize,
}

/// An excerpt, cut and converted to a common form once.
#[derive(Clone, Debug)]
pub struct Film {
    pub path: PathBuf,
    /// Name of its clip.
    pub name: String,
    pub width: u32,
    pub height: u32,
    /// The frame rate as FFmpeg writes it.
    pub fps: String,
    pub frames: usize,
}

impl Film {
    /// Frames a second.
    pub fn frames_a_second(&self) -> f64 {
        let (number, divisor) = self.fps.split_once('/').expect("a rate is a fraction");
        let parse = |text: &str| text.parse::<f64>().expect("of two numbers");
        parse(number) / parse(divisor)
    }

    pub fn duration_s(&self) -> f64 {
        self.frames as f64 / self.frames_a_second()
    }

    /// Cuts `seconds` of a video from `start_s`, with at most 640 columns and 30 frames a second.
    /// Each excerpt is made once.
    pub fn cut(video: &Path, probe: &Probe, start_s: f64, seconds: f64, folder: &Path) -> Film {
        let rate = f64::from(probe.rate.0) / f64::from(probe.rate.1);
        let fps = if rate > 30.5 {
            "30/1".to_owned()
        } else {
            format!("{}/{}", probe.rate.0, probe.rate.1)
        };
        let name = video
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let filter = format!(
            "scale='trunc(min({WIDTH},iw*sar)/2)*2':'trunc(ow/dar/2)*2',setsar=1,fps={fps}"
        );
        let path = folder.join(format!(
            "{name}--{}.mp4",
            digest(video, &format!("{start_s} {seconds} {filter}"))
        ));
        if !path.is_file() {
            let part = path.with_extension("part.mp4");
            let mut command = Command::new("ffmpeg");
            command
                .args([
                    "-nostdin",
                    "-loglevel",
                    "error",
                    "-y",
                    "-ss",
                    &start_s.to_string(),
                    "-i",
                ])
                .arg(video);
            command.args(["-map", "0:v:0", "-t", &seconds.to_string(), "-vf", &filter]);
            command.args([
                "-an",
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-crf",
                "6",
                "-pix_fmt",
                "yuv420p",
            ]);
            run(command.arg(&part));
            fs::rename(&part, &path).expect("the cache's folder is ours alone");
        }
        let cut = probe_of(&path).expect("the excerpt was just made");
        Film {
            path,
            name,
            width: cut.width,
            height: cut.height,
            fps,
            frames: cut.frames,
        }
    }

    /// A frame from its middle.
    pub fn photo(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!(
            "{}--{}.png",
            self.name,
            digest(&self.path, "photo")
        ));
        if !path.is_file() {
            let middle = (self.duration_s() / 2.0).to_string();
            let mut command = Command::new("ffmpeg");
            command
                .args(["-nostdin", "-loglevel", "error", "-y", "-ss", &middle, "-i"])
                .arg(&self.path);
            run(command.args(["-frames:v", "1"]).arg(&path));
        }
        path
    }
}

/// Facts about a file; `None` if it is no video.
pub fn probe_of(path: &Path) -> Option<Probe> {
    let entries = "stream=width,height,avg_frame_rate,nb_frames:format=duration";
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-of",
            "default=nw=1",
            "-show_entries",
            entries,
        ])
        .arg(path)
        .output()
        .expect("the ffprobe command is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    let (number, divisor) = field("avg_frame_rate")?.split_once('/')?;
    let rate = (
        number.parse().ok().filter(|&n| n > 0)?,
        divisor.parse().ok().filter(|&n| n > 0)?,
    );
    Some(Probe {
        width: field("width")?.parse().ok()?,
        height: field("height")?.parse().ok()?,
        rate,
        duration_s: field("duration")?.parse().ok()?,
        frames: field("nb_frames")
            .and_then(|frames| frames.parse().ok())
            .unwrap_or(0),
    })
}

/// Twelve digits that depend on a file's path, its length, and its use.
pub fn digest(path: &Path, usage: &str) -> String {
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update(format!("\n{length}\n{usage}"));
    hash.finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn run(command: &mut Command) {
    let status = command.status().expect("the ffmpeg command is installed");
    assert!(status.success(), "{command:?}: {status}");
}

/// Maximum width of an excerpt, in pixels.
const WIDTH: u32 = 640;
