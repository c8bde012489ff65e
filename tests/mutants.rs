//! Good files, changed at random with fixed seeds. None harms the caller, and none is called
//! unpublished if parts of it were not decoded.
//!
//! `UNIQ_MUTANTS` sets the number of files (default 200), and `UNIQ_MUTANTS_SEED` changes their
//! seed. They run through decoding processes of the real program, on two threads. This is a program
//! of its own, so that its file descriptors and processes can be counted. A file that fails is kept
//! in the folder that the message names.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/media_files.rs"]
mod media_files;
#[allow(dead_code, unreachable_pub)]
#[path = "../benches/support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use media_files::scene;
use random::Random;
use uniq::ingest::{self, BuildOptions};
use uniq::media::Limits;
use uniq::{CheckOptions, Decoding, Error, Fingerprint, Index, Report, Verdict};

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");
const SECONDS: f64 = 4.0;
/// Tolerance in seconds: a decoder's last frames, and half a second between keyframes.
const SLACK_S: f64 = 0.25;

/// Default seed of the mutations, combined with each file's number.
const SEED: u64 = 0x6d75_7461_6e74;
/// Mutants that are tried before file descriptors and processes are counted.
const FIRST: u64 = 8;

/// A good file and its name.
struct Seed {
    name: &'static str,
    bytes: Vec<u8>,
}

#[test]
fn mutated_files_do_no_harm_and_are_not_flattered() {
    let wanted: u64 = std::env::var("UNIQ_MUTANTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200);
    let salt: u64 = std::env::var("UNIQ_MUTANTS_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SEED);
    let mut folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let seeds = seeds(folder.path());
    let index = index(folder.path());
    let (next, tally) = (
        AtomicU64::new(0),
        Mutex::new(BTreeMap::<String, u64>::new()),
    );
    let slowest = Mutex::new((Duration::ZERO, 0));
    let wrong = Mutex::new(Vec::new());
    let try_up_to = |end: u64| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(number) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < end)
                    {
                        let begun = Instant::now();
                        let seed = &seeds[number as usize % seeds.len()];
                        let path = folder.path().join(format!("{number}-{}", seed.name));
                        fs::write(&path, mutated(&seed.bytes, &mut Random::new(salt ^ number)))
                            .unwrap();
                        let outcome = try_out(&path, &index).unwrap_or_else(|what| {
                            wrong
                                .lock()
                                .unwrap()
                                .push(format!("{}: {what}", path.display()));
                            "wrong".to_owned()
                        });
                        if outcome != "wrong" {
                            fs::remove_file(&path).unwrap();
                        }
                        *tally.lock().unwrap().entry(outcome).or_default() += 1;
                        let mut slowest = slowest.lock().unwrap();
                        *slowest = (*slowest).max((begun.elapsed(), number));
                    }
                });
            }
        });
        next.store(end, Ordering::Relaxed);
    };
    // What the process opens once and keeps is no leak: it exists after the first files.
    try_up_to(FIRST.min(wanted));
    let before = (descriptors(), children());
    try_up_to(wanted);
    // A thread that has just ended may take a moment to release its resources.
    let settling = Instant::now();
    while (descriptors(), children()) != before && settling.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        (descriptors(), children()),
        before,
        "descriptors or processes are left over"
    );
    let (tally, wrong) = (tally.into_inner().unwrap(), wrong.into_inner().unwrap());
    folder.disable_cleanup(!wrong.is_empty());
    eprintln!(
        "{wanted} mutants: {tally:?}; the slowest took {:?}",
        slowest.into_inner().unwrap()
    );
    assert!(
        wrong.is_empty(),
        "{} of {wanted}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(tally.values().sum::<u64>(), wanted);
    // The mutation must be neither so weak that nothing happens nor so strong that nothing is left.
    let of = |what: &str| tally.get(what).copied().unwrap_or(0);
    assert!(
        of("refused") > 0 && of("inconclusive") > wanted / 10,
        "{tally:?}"
    );
}

/// Checks a changed file. Returns a name of the outcome, or the fault.
fn try_out(path: &Path, index: &Index) -> Result<String, String> {
    let mut decoding = Decoding::worker(UNIQ);
    decoding.limits = Limits {
        time_floor: Duration::from_secs(20),
        stall: Duration::from_secs(15),
        ..Limits::default()
    };
    let begun = Instant::now();
    let outcome = match uniq::fingerprint(path, &decoding, None) {
        Ok(fingerprint) => {
            let report =
                uniq::check_fingerprint(index, &fingerprint, &CheckOptions::new(&decoding));
            judged(&fingerprint, &report.map_err(|error| error.to_string())?)?
        }
        Err(Error::WorkerDied { how, .. }) => format!("worker {how}"),
        Err(Error::LimitExceeded { limit, .. }) => format!("limit: {limit}"),
        Err(
            Error::NotMedia { .. }
            | Error::NoVideo { .. }
            | Error::NoDecoder { .. }
            | Error::NotAccepted { .. },
        ) => "refused".to_owned(),
        // A fingerprint holds one video stream; a mutation may make a second one.
        Err(Error::SeveralPictures { .. }) => "several pictures".to_owned(),
        Err(Error::Undecodable { .. } | Error::Empty { .. }) => "undecodable".to_owned(),
        Err(error) => return Err(format!("{error}: {error:?}")),
    };
    match begun.elapsed() {
        elapsed if elapsed < Duration::from_secs(40) => Ok(outcome),
        elapsed => Err(format!("took {elapsed:?}")),
    }
}

/// The verdict on a changed file, or a fault if it claims more than was decoded.
fn judged(fingerprint: &Fingerprint, report: &Report) -> Result<String, String> {
    if report.verdict == Verdict::Unpublished {
        let missing: Duration = fingerprint
            .undecoded()
            .iter()
            .map(|part| part.end - part.start)
            .sum();
        let (decoded, duration) = (
            fingerprint.frames() as f64 / 25.0,
            fingerprint.duration().as_secs_f64(),
        );
        let counted = report.seconds.unpublished;
        // A corrupted clock may show the same frames for longer. If it is right, a frame lasts
        // 40 ms.
        let whole = counted >= SECONDS - SLACK_S;
        let most = if whole { SECONDS.min(counted) } else { counted };
        if (whole || duration <= SECONDS + SLACK_S) && most > decoded + SLACK_S {
            let seconds = &report.seconds;
            return Err(format!(
                "{decoded} s decoded, {missing:?} called missing, of {duration} s {seconds:?}"
            ));
        }
        let most = fingerprint.duration().saturating_sub(missing).as_secs_f64() + 0.3;
        if counted > most {
            return Err(format!("{counted} s unpublished of {most} s decoded"));
        }
    }
    Ok(format!("{:?}", report.verdict).to_lowercase())
}

/// Corrupts a file in one of several ways.
fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len();
    // Prefers the ends, where the structure is.
    let place = |random: &mut Random, room: usize| match random.below(3) {
        0 => random.below(room.min(2048)),
        1 => room - 1 - random.below(room.min(4096)),
        _ => random.below(room),
    };
    for _ in 0..1 + random.below(3) {
        match random.below(5) {
            0 => {
                for _ in 0..1 + random.below(64) {
                    let at = place(random, length);
                    bytes[at] ^= 1 << random.below(8);
                }
            }
            1 => {
                let size = 16 + random.below(4096.min(length / 4));
                let (one, other) = (random.below(length - size), random.below(length - size));
                let (a, b) = (
                    bytes[one..one + size].to_vec(),
                    bytes[other..other + size].to_vec(),
                );
                bytes[other..other + size].copy_from_slice(&a);
                bytes[one..one + size].copy_from_slice(&b);
            }
            2 => {
                let at = place(random, length - 4);
                let value = [
                    0,
                    1,
                    7,
                    0x7fff_ffff,
                    0x8000_0000,
                    u32::MAX,
                    length as u32,
                    random.bits() as u32,
                ];
                bytes[at..at + 4].copy_from_slice(&value[random.below(value.len())].to_be_bytes());
            }
            3 => length_field(&mut bytes, random),
            _ => {
                let size = 1 + random.below(2048.min(length / 4));
                let at = random.below(length - size);
                bytes[at..at + size]
                    .iter_mut()
                    .for_each(|byte| *byte = random.bits() as u8);
            }
        }
    }
    if random.below(8) == 0 {
        bytes.truncate(1 + random.below(length));
    }
    bytes
}

/// Corrupts the four bytes before or after a name that containers use: lengths, counts and times.
fn length_field(bytes: &mut [u8], random: &mut Random) {
    const NAMES: [&[u8]; 14] = [
        b"moov",
        b"trak",
        b"mdhd",
        b"stsz",
        b"stco",
        b"stsc",
        b"stts",
        b"stss",
        b"mdat",
        b"LIST",
        b"idx1",
        b"strh",
        b"OggS",
        b"\x1f\x43\xb6\x75",
    ];
    let places: Vec<usize> = (4..bytes.len().saturating_sub(24))
        .filter(|at| NAMES.iter().any(|name| bytes[*at..].starts_with(name)))
        .collect();
    if places.is_empty() {
        let at = random.below(bytes.len());
        bytes[at] ^= 0xff;
        return;
    }
    let at = places[random.below(places.len())];
    let field = [at - 4, at + 4, at + 8, at + 12, at + 16][random.below(5)];
    let value = [0, 1, 8, 0x7fff_ffff, u32::MAX, random.bits() as u32][random.below(6)];
    bytes[field..field + 4].copy_from_slice(&value.to_be_bytes());
}

/// Containers and codecs that people submit.
fn seeds(folder: &Path) -> Vec<Seed> {
    let x264 = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";
    let list = [
        ("h264.mp4", format!("{x264} -bf 2 -movflags +faststart")),
        ("h264.mkv", x264.to_owned()),
        (
            "vp8.webm",
            "-c:v libvpx -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "mpeg4.avi",
            "-c:v mpeg4 -q:v 4 -g 25 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "mpeg2.ts",
            "-c:v mpeg2video -q:v 4 -g 25 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "theora.ogv",
            "-c:v libtheora -q:v 6 -g 25 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "hevc.mp4",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -pix_fmt yuv420p"
                .to_owned(),
        ),
        (
            "vp9.webm",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "av1.mkv",
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -crf 40 -g 25 -pix_fmt yuv420p".to_owned(),
        ),
        ("h264.ts", x264.to_owned()),
        (
            "mjpeg.avi",
            "-c:v mjpeg -q:v 6 -pix_fmt yuvj420p".to_owned(),
        ),
        (
            "fragmented.mp4",
            format!("{x264} -movflags frag_keyframe+empty_moov"),
        ),
    ];
    let made = list.into_iter().map(|(name, options)| {
        let path = scene(folder, name, SECONDS, &options);
        Seed {
            name,
            bytes: fs::read(path).unwrap(),
        }
    });
    made.collect()
}

/// An index of another video, which shares nothing with the files.
fn index(folder: &Path) -> Index {
    let dir: PathBuf = folder.join("index");
    let other = folder.join("other.mp4");
    media_files::ffmpeg(&format!(
        "-f lavfi -i mandelbrot=s=320x240:r=25 -t 4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p {}",
        other.display()
    ));
    let sources = ingest::sources(&[other]).unwrap();
    let options = BuildOptions::new(Decoding::in_process());
    ingest::build(&dir, sources, &options, &|_| {}, &false.into()).unwrap();
    Index::open(&dir).unwrap()
}

fn descriptors() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.unwrap().path()).ok())
        .collect();
    open.sort();
    open
}

/// Processes that were started here and not waited for, running or dead.
fn children() -> usize {
    let own = std::process::id().to_string();
    let is_ours = |stat: &str| {
        stat.rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1))
            == Some(&own)
    };
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    processes.filter(|stat| is_ours(stat)).count()
}
