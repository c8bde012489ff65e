//! Measures how often the facts that determine a price are right, on excerpts that are changed in
//! known ways.
//!
//! An excerpt of each large enough video is reduced, so that it is native at that size. It is then
//! upscaled with several filters, some of them with sharpening; its frame rate is raised by
//! repetition and by blending; bars, a logo or a caption are added. All of these are encoded again,
//! and measured as in a check.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use uniq::facts::{self, Finding, OverlayKind, Quality, RateState, ResolutionState};

use crate::footage::{self, Clip};

/// What `uniq-bench facts` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Folders of videos, with or without a manifest.csv
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Measure only what is made of videos whose name has this in it
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print each answer, not only the counts
    #[arg(long)]
    each: bool,
}

/// Measures all videos and prints a table. Returns what could not be measured.
pub(crate) fn facts(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut clips = Vec::new();
    let mut failed = Vec::new();
    for folder in &args.folders {
        let (found, left_out) = footage::read(folder)?;
        clips.extend(found);
        failed.extend(left_out);
    }
    clips.retain(|clip| {
        args.only
            .as_ref()
            .is_none_or(|text| clip.name().contains(text.as_str()))
    });
    if clips.is_empty() {
        bail!("no video is left to be measured");
    }
    let folder = tempfile::tempdir()?;
    let mut table: Vec<(&'static str, Count)> = Vec::new();
    for clip in &clips {
        for variant in variants(clip) {
            let file = folder.path().join("variant.mp4");
            let answer = variant
                .encode(clip, &file)
                .and_then(|()| Ok(facts::of_clip(&file, &footage::decoding())?));
            let quality = match answer {
                Ok(quality) => quality,
                Err(error) => {
                    failed.push(format!("{}, {}: {error:#}", clip.name(), variant.name));
                    continue;
                }
            };
            let outcome = (variant.judge)(&quality);
            if args.each {
                eprintln!(
                    "{}\t{}\t{outcome:?}\t{}",
                    clip.name(),
                    variant.name,
                    serde_json::to_string(&quality)?
                );
            }
            let at = table
                .iter()
                .position(|(kind, _)| *kind == variant.kind)
                .unwrap_or(table.len());
            if at == table.len() {
                table.push((variant.kind, Count::default()));
            }
            table[at].1.add(outcome);
        }
    }
    let mut out = io::stdout();
    writeln!(
        out,
        "{:<34}{:>8}{:>9}{:>11}{:>8}",
        "excerpts", "number", "right", "undecided", "wrong"
    )?;
    for (kind, count) in &table {
        let Count {
            right,
            undecided,
            wrong,
        } = count;
        writeln!(
            out,
            "{kind:<34}{:>8}{right:>9}{undecided:>11}{wrong:>8}",
            right + undecided + wrong
        )?;
    }
    Ok(failed)
}

/// Whether an answer is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Right,
    Undecided,
    Wrong,
}

#[derive(Debug, Default)]
struct Count {
    right: u32,
    undecided: u32,
    wrong: u32,
}

impl Count {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Right => self.right += 1,
            Outcome::Undecided => self.undecided += 1,
            Outcome::Wrong => self.wrong += 1,
        }
    }
}

/// A change of an excerpt, and how its facts are judged.
struct Variant {
    kind: &'static str,
    name: String,
    filter: String,
    rate_factor: u32,
    seconds: f64,
    judge: Box<dyn Fn(&Quality) -> Outcome>,
}

impl Variant {
    fn new(
        kind: &'static str,
        filter: String,
        seconds: f64,
        judge: impl Fn(&Quality) -> Outcome + 'static,
    ) -> Variant {
        Variant {
            kind,
            name: filter.clone(),
            filter,
            rate_factor: RATE_FACTOR,
            seconds,
            judge: Box::new(judge),
        }
    }

    fn encode(&self, clip: &Clip, file: &Path) -> anyhow::Result<()> {
        let start = ((clip.duration_s - self.seconds) / 2.0).max(0.0);
        let mut command = Command::new("ffmpeg");
        command.args([
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-ss",
            &format!("{start:.2}"),
            "-t",
            &format!("{}", self.seconds),
        ]);
        command.arg("-i").arg(&clip.path).args([
            "-an",
            "-sn",
            "-vf",
            &self.filter,
            "-pix_fmt",
            "yuv420p",
        ]);
        command
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-crf",
                &self.rate_factor.to_string(),
            ])
            .arg(file);
        let made = command.output().context("the command ffmpeg")?;
        if !made.status.success() {
            bail!("ffmpeg: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        Ok(())
    }
}

/// All variants of a clip.
fn variants(clip: &Clip) -> Vec<Variant> {
    let mut all = sizes(clip);
    if clip.duration_s >= 3.0 {
        all.extend(rates());
    }
    if clip.duration_s >= 4.0 {
        all.extend(overlays(clip));
    }
    all
}

/// Variants that are native at a smaller size, and upscaled from there.
fn sizes(clip: &Clip) -> Vec<Variant> {
    let (width, height) = clip.size;
    let short = width.min(height);
    if short < SHORT_MIN {
        return Vec::new();
    }
    // An even size of two thirds, at which the video is native or nearly so, whatever it was made
    // from.
    let even = |side: u32, share: f64| (f64::from(side) * share / 2.0).round() as u32 * 2;
    let share = if short >= 700 { 0.6 } else { 0.5 };
    let (across, down) = (even(width, share), even(height, share));
    let lines = across.min(down);
    let native = move |quality: &Quality| match quality.resolution.state {
        ResolutionState::Native => Outcome::Right,
        ResolutionState::Undecided => Outcome::Undecided,
        ResolutionState::Upscaled => Outcome::Wrong,
    };
    let mut all = Vec::new();
    for (rate_factor, kernel) in [(18, "lanczos"), (23, "area"), (26, "bicubic")] {
        let filter = format!("scale={across}:{down}:flags={kernel}");
        all.push(Variant {
            rate_factor,
            ..Variant::new("native", filter, 3.0, native)
        });
    }
    for (kind, factor, kernel, sharpen, rate_factor) in UPSCALED {
        let (small_across, small_down) = (even(across, 1.0 / factor), even(down, 1.0 / factor));
        let sharper = if sharpen { ",unsharp=5:5:1.0" } else { "" };
        let filter = format!(
            "scale={small_across}:{small_down}:flags=lanczos,scale={across}:{down}:flags={kernel}{sharper}"
        );
        let upscaled = move |quality: &Quality| match quality.resolution.state {
            ResolutionState::Upscaled
                if quality
                    .resolution
                    .native_lines
                    .is_some_and(|native| native < lines) =>
            {
                Outcome::Right
            }
            ResolutionState::Undecided => Outcome::Undecided,
            _ => Outcome::Wrong,
        };
        all.push(Variant {
            rate_factor,
            ..Variant::new(kind, filter, 3.0, upscaled)
        });
    }
    all
}

/// Variants with original and raised frame rates.
fn rates() -> Vec<Variant> {
    let judged = |expected: RateState, most: f64| {
        move |quality: &Quality| match quality.frame_rate.state {
            RateState::Undecided => Outcome::Undecided,
            state
                if state == expected
                    && quality.frame_rate.distinct.is_some_and(|rate| rate <= most) =>
            {
                Outcome::Right
            }
            _ => Outcome::Wrong,
        }
    };
    vec![
        Variant::new(
            "frame rate of 24 kept",
            "fps=24".to_owned(),
            3.0,
            judged(RateState::Full, 25.0),
        ),
        Variant::new(
            "24 to 60 by repetition",
            "fps=24,fps=60".to_owned(),
            3.0,
            judged(RateState::Repeated, 30.0),
        ),
        Variant::new(
            "24 to 60 by blending",
            "fps=24,framerate=fps=60".to_owned(),
            3.0,
            judged(RateState::Blended, 40.0),
        ),
        Variant::new(
            "24 to 60 by interpolated blending",
            "fps=24,minterpolate=fps=60:mi_mode=blend".to_owned(),
            3.0,
            judged(RateState::Blended, 40.0),
        ),
        Variant::new(
            "25 to 50 by blending",
            "fps=25,framerate=fps=50".to_owned(),
            3.0,
            judged(RateState::Blended, 40.0),
        ),
    ]
}

/// Variants that are clean, or have bars, a logo and captions.
fn overlays(clip: &Clip) -> Vec<Variant> {
    let found = |kind: OverlayKind| {
        move |quality: &Quality| {
            let right = quality
                .overlays
                .found
                .iter()
                .any(|overlay| overlay.kind == kind);
            match quality.overlays.state {
                Finding::Undecided => Outcome::Undecided,
                _ if right => Outcome::Right,
                _ => Outcome::Wrong,
            }
        }
    };
    let none = |quality: &Quality| match quality.overlays.state {
        Finding::None => Outcome::Right,
        Finding::Undecided => Outcome::Undecided,
        Finding::Found => Outcome::Wrong,
    };
    let bars = |wanted: bool| {
        move |quality: &Quality| match quality.bars.state {
            Finding::Undecided => Outcome::Undecided,
            state if (state == Finding::Found) == wanted => Outcome::Right,
            _ => Outcome::Wrong,
        }
    };
    let seconds = clip.duration_s.min(8.0);
    let plain = "scale=trunc(iw/2)*2:trunc(ih/2)*2".to_owned();
    let letterbox =
        format!("{plain},crop=iw:trunc(ih*0.38)*2,pad=iw:trunc(ih*1.31579/2)*2:0:(oh-ih)/2");
    let pillarbox =
        format!("{plain},crop=trunc(iw*0.35)*2:ih,pad=trunc(iw*1.42857/2)*2:ih:(ow-iw)/2:0");
    let text = |text: &str, between: &str| {
        format!(
            "drawtext=text='{text}':font=Sans:fontsize=h/14:fontcolor=white:borderw=2:bordercolor=black:\
             x=(w-text_w)/2:y=h*0.86:enable='{between}'"
        )
    };
    let captions = [
        text("We went down to the river", "lt(t,2.0)"),
        text("and nobody said a word", "between(t,2.2,4.0)"),
        text("until the boats came in", "between(t,4.2,6.0)"),
        text("with all their lights on", "gt(t,6.2)"),
    ];
    let logo = format!(
        "{plain},drawtext=text='NEWS 24':font=Sans:fontsize=h/13:fontcolor=white@0.85:x=w*0.96-text_w:y=h*0.05"
    );
    vec![
        Variant::new("clean: no overlay", plain.clone(), seconds, none),
        Variant::new("clean: no bars", plain.clone(), seconds, bars(false)),
        Variant::new("letterbox", letterbox, seconds, bars(true)),
        Variant::new("pillarbox", pillarbox, seconds, bars(true)),
        Variant::new("fixed logo", logo, seconds, found(OverlayKind::Logo)),
        Variant::new(
            "captions",
            format!("{plain},{}", captions.join(",")),
            seconds,
            found(OverlayKind::Caption),
        ),
    ]
}

/// Kind, factor, filter, whether it is sharpened, and x264's rate factor.
const UPSCALED: [(&str, f64, &str, bool, u32); 8] = [
    ("upscaled", 2.0, "bicubic", false, 18),
    ("upscaled", 2.0, "lanczos", false, 23),
    ("upscaled", 1.5, "bicubic", false, 18),
    ("upscaled", 1.5, "lanczos", false, 23),
    ("upscaled and sharpened", 2.0, "lanczos", true, 18),
    ("upscaled and sharpened", 2.0, "bicubic", true, 23),
    ("upscaled and sharpened", 1.5, "lanczos", true, 18),
    ("upscaled and sharpened", 1.5, "bicubic", true, 23),
];
/// Minimum short side of a video from which sizes are made, in pixels.
const SHORT_MIN: u32 = 480;
/// Rate factor of x264 in variants that do not measure it.
const RATE_FACTOR: u32 = 23;
