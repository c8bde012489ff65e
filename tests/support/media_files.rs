//! Makes footage with the `ffmpeg` command and decodes it with the library.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uniq::media::{Decoded, Frame, Selector, decode};
use uniq::sample::Grid;

#[path = "steady.rs"]
mod steady;

/// A moving scene with fine and coarse detail, 192x144 at 25 frames a second.
pub(crate) const SCENE: &str = "testsrc2=size=192x144:rate=25";

/// Runs `ffmpeg` with arguments separated by blanks, and fails the test with its message on
/// failure.
pub(crate) fn ffmpeg(arguments: &str) {
    run(arguments.split_whitespace().map(str::to_owned));
}

fn run(arguments: impl Iterator<Item = String>) {
    let output = steady::ffmpeg(arguments)
        .output()
        .expect("the ffmpeg command is a prerequisite of the tests");
    assert!(
        output.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Encodes `seconds` of [`SCENE`] into `dir/name` with the given output options.
pub(crate) fn scene(dir: &Path, name: &str, seconds: f64, options: &str) -> PathBuf {
    footage(
        dir,
        name,
        &format!("-f lavfi -i {SCENE} -t {seconds} {options}"),
    )
}

/// Runs `ffmpeg` with the given inputs and options and `dir/name` as the output.
pub(crate) fn footage(dir: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = dir.join(name);
    run(arguments
        .split_whitespace()
        .map(str::to_owned)
        .chain([path.to_str().expect("a plain path").to_owned()]));
    path
}

/// Takes every frame.
pub(crate) struct Every;

impl Selector for Every {
    fn max_gap(&self) -> Option<Duration> {
        None
    }

    fn wants(&mut self, _: Duration, _: Option<Duration>) -> bool {
        true
    }
}

/// A grid for sources, which skips decoding what it does not need.
pub(crate) fn corpus(seconds: f64) -> Grid {
    Grid::corpus(Duration::from_secs_f64(seconds)).unwrap()
}

/// Decodes `path` and collects the frames that `selector` wants.
pub(crate) fn frames_of(path: &Path, selector: &mut dyn Selector) -> (Vec<Frame>, Decoded) {
    let mut frames = Vec::new();
    let decoded = decode(path, selector, &mut |frame| {
        assert_eq!(frame.luma.len(), frame.width * frame.height);
        frames.push(frame);
        ControlFlow::Continue(())
    })
    .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    (frames, decoded)
}

/// Every frame of `path`, which must be free of damage.
pub(crate) fn all_frames(path: &Path) -> Vec<Frame> {
    let (frames, decoded) = frames_of(path, &mut Every);
    assert_eq!(decoded.undecoded, [], "{}", path.display());
    assert_eq!(decoded.frames, frames.len() as u64);
    frames
}

/// The mean absolute difference of two frames of the same size, in grey levels.
pub(crate) fn difference(a: &Frame, b: &Frame) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: u64 = a
        .luma
        .iter()
        .zip(&b.luma)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.luma.len() as f64
}

/// Asserts that frames agree in number and time, and in luma to `bound` grey levels on average.
pub(crate) fn assert_close(name: &str, frames: &[Frame], reference: &[Frame], bound: f64) {
    assert_eq!(frames.len(), reference.len(), "{name}: frames");
    for (frame, expected) in frames.iter().zip(reference) {
        let late = frame.time.abs_diff(expected.time);
        assert!(
            late <= Duration::from_millis(2),
            "{name}: {:?} instead of {:?}",
            frame.time,
            expected.time
        );
        let difference = difference(frame, expected);
        assert!(
            difference <= bound,
            "{name}: {difference:.2} grey levels off at {:?}",
            frame.time
        );
    }
}
