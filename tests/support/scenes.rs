//! Makes the footage of the tests with the `ffmpeg` command: no binary assets, and the same frames
//! on each run.
//!
//! Footage is kept in cargo's folder for temporary files of tests, under a name made of everything
//! that decides its bytes. A file appears there complete or not at all, so that tests may run in
//! parallel and in several processes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest, Sha256};

pub use super::shots::Scene;
use super::shots::{HEIGHT, RATE, WIDTH};
use super::steady::{EXACT_SCALING, ffmpeg, ffmpeg_of_raw_pictures};

/// Raise this whenever the painting or the encoding changes, so that stale footage is not used.
const PAINTING: u32 = 2;

/// How a scene is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Strength of the sensor's noise as ffmpeg's `noise` filter counts it, for filmed scenes; 0 to
    /// 100.
    pub noise: u32,
    /// Arguments before the output's name, such as `-c:v libx264 -crf 20`.
    pub args: Vec<String>,
    /// The output's extension, which chooses the container.
    pub extension: String,
}

impl Default for Encoding {
    /// 640x360 H.264 in MP4, as most platforms deliver it.
    fn default() -> Encoding {
        Encoding {
            size: (640, 360),
            noise: 7,
            args: words("-c:v libx264 -preset superfast -crf 23 -g 50"),
            extension: "mp4".to_owned(),
        }
    }
}

impl Encoding {
    /// The default frame size in another codec, given encoder arguments separated by blanks and the
    /// extension.
    pub fn with(args: &str, extension: &str) -> Encoding {
        Encoding {
            args: words(args),
            extension: extension.to_owned(),
            ..Encoding::default()
        }
    }
}

/// Several shots of 3 to 6 s with a moving camera and dozens of moving things.
pub fn moving(seed: u64, seconds: u32) -> PathBuf {
    make(&Scene::Moving { seed }, seconds, &Encoding::default())
}

/// A person walking in front of a static camera; takes of one scene share room and person.
pub fn tripod(scene: u64, take: u64, seconds: u32) -> PathBuf {
    make(
        &Scene::Tripod { scene, take },
        seconds,
        &Encoding::default(),
    )
}

/// A head with shoulders, speaking in front of a static camera; takes of one scene share room and
/// person.
pub fn talking_head(scene: u64, take: u64, seconds: u32) -> PathBuf {
    make(
        &Scene::TalkingHead { scene, take },
        seconds,
        &Encoding::default(),
    )
}

/// Nothing but black.
pub fn black(seconds: u32) -> PathBuf {
    make(&Scene::Black, seconds, &Encoding::default())
}

/// One detailed picture, held.
pub fn frozen(seed: u64, seconds: u32) -> PathBuf {
    make(&Scene::Frozen { seed }, seconds, &Encoding::default())
}

/// Colour bars and text, held.
pub fn slate(seconds: u32) -> PathBuf {
    make(&Scene::Slate, seconds, &Encoding::default())
}

/// Lines drawn one after the other on a white page.
pub fn line_drawing(seed: u64, seconds: u32) -> PathBuf {
    make(&Scene::LineDrawing { seed }, seconds, &Encoding::default())
}

/// [`moving`] with black from second `from_s` to second `to_s`.
pub fn with_black_part(seed: u64, seconds: u32, from_s: u32, to_s: u32) -> PathBuf {
    let scene = Scene::PartlyBlack { seed, from_s, to_s };
    make(&scene, seconds, &Encoding::default())
}

/// Makes any scene in any encoding, or finds it already made.
pub fn make(scene: &Scene, seconds: u32, encoding: &Encoding) -> PathBuf {
    let key = format!("{PAINTING} {scene:?} {seconds} {encoding:?}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes");
    let kind = format!("{scene:?}");
    let kind = kind
        .split([' ', '{'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let name = format!(
        "{kind}-{}.{}",
        short_digest(key.as_bytes()),
        encoding.extension
    );
    kept(&folder.join(name), |target| {
        let mut filter = format!(
            "scale={}:{}:flags={EXACT_SCALING}",
            encoding.size.0, encoding.size.1
        );
        if scene.is_filmed() && encoding.noise > 0 {
            filter += &format!(",noise=c0s={}:c0f=t:all_seed=11", encoding.noise);
        }
        let size = format!("{WIDTH}x{HEIGHT}");
        let rate = RATE.to_string();
        let mut args = words("-f rawvideo -pix_fmt yuv420p -s");
        args.extend([size, "-r".to_owned(), rate, "-i".to_owned(), "-".to_owned()]);
        args.extend(["-vf".to_owned(), filter]);
        args.extend(words("-pix_fmt yuv420p"));
        args.extend(encoding.args.iter().cloned());
        args.push(target.to_str().expect("a plain path").to_owned());
        let by_x264 = encoding.args.iter().any(|argument| argument == "libx264");
        let mut command = if by_x264 {
            ffmpeg_of_raw_pictures(&args)
        } else {
            ffmpeg(&args)
        };
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .expect("the ffmpeg command is installed");
        let mut pipe = BufWriter::new(child.stdin.take().expect("stdin is piped"));
        let mut film = scene.film();
        'frames: for number in 0..seconds * RATE {
            for plane in film.frame(number).planes() {
                // A broken pipe means that ffmpeg stopped; its exit code below says why.
                if pipe.write_all(plane).is_err() {
                    break 'frames;
                }
            }
        }
        drop(pipe);
        let status = child.wait().expect("ffmpeg can be waited for");
        assert!(
            status.success(),
            "ffmpeg failed to encode {scene:?} with {args:?}"
        );
    })
}

/// Applies a chain of video filters to a video and encodes it again; `args` follow the filters.
///
/// An empty chain leaves the frames unchanged. Without encoder arguments the result is H.264 at crf
/// 23.
pub fn edit(input: &Path, filters: &str, args: &[&str], extension: &str) -> PathBuf {
    let mut command: Vec<OsString> = vec!["-i".into(), input.into()];
    if !filters.is_empty() {
        command.extend(["-vf".into(), filters.into()]);
    }
    command.extend(args.iter().map(OsString::from));
    if !args.contains(&"-c:v") && !args.contains(&"-c") {
        command.extend(
            words("-c:v libx264 -preset ultrafast -crf 23 -pix_fmt yuv420p")
                .iter()
                .map(OsString::from),
        );
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits");
    edited(&folder, &[input], &command, extension)
}

/// Cuts `length_s` seconds out of a video, beginning at `start_s`. It is encoded again so that the
/// cut is exact.
pub fn excerpt(input: &Path, start_s: f64, length_s: f64) -> PathBuf {
    let (start, length) = (format!("{start_s:.3}"), format!("{length_s:.3}"));
    edit(input, "", &["-ss", &start, "-t", &length, "-an"], "mp4")
}

/// Runs ffmpeg with `args` (all except the output), or finds in `folder` the earlier result for the
/// same inputs.
///
/// The result is named after the inputs' bytes and the arguments, wherever the inputs are.
pub fn edited(folder: &Path, inputs: &[&Path], args: &[OsString], extension: &str) -> PathBuf {
    let mut key = Sha256::new_with_prefix(PAINTING.to_string());
    for argument in args {
        match inputs.iter().find(|input| input.as_os_str() == argument) {
            Some(input) => key.update(digest(input)),
            None => key.update(argument.as_encoded_bytes()),
        }
        key.update([0]);
    }
    let name = format!("{}.{extension}", hex(&key.finalize()[..12]));
    kept(&folder.join(name), |target| {
        let tail = ["-map_metadata".into(), "-1".into(), target.into()];
        let output = ffmpeg(args.iter().chain(&tail))
            .stdin(Stdio::null())
            .output()
            .expect("the ffmpeg command is installed");
        assert!(
            output.status.success(),
            "ffmpeg {args:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    })
}

/// The SHA-256 of a file as lower-case hexadecimal, read once per process.
pub fn digest(path: &Path) -> String {
    static KNOWN: OnceLock<Mutex<HashMap<PathBuf, String>>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let locked = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(digest) = locked().get(path) {
        return digest.clone();
    }
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digest = hex(&Sha256::digest(&bytes));
    locked().insert(path.to_owned(), digest.clone());
    digest
}

/// The words of a command line without quotes.
pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Returns `target`, which `make` writes first if it does not exist.
fn kept(target: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    static MAKING: OnceLock<Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>> = OnceLock::new();
    static ATTEMPT: AtomicU32 = AtomicU32::new(0);
    // If two threads want the same file, the second waits. Two processes both make it, and the last
    // rename wins.
    let making = MAKING
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(target.to_owned())
        .or_default()
        .clone();
    let _alone = making.lock().unwrap_or_else(PoisonError::into_inner);
    if target.exists() {
        return target.to_owned();
    }
    let folder = target.parent().expect("a made file lies in a folder");
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let attempt = ATTEMPT.fetch_add(1, Ordering::Relaxed);
    // The extension stays last, because ffmpeg chooses the container by it.
    let partial = folder.join(format!(".part-{}-{attempt}-{name}", std::process::id()));
    make(&partial);
    fs::rename(&partial, target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
    target.to_owned()
}

fn short_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
