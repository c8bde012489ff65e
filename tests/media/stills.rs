//! Colour stills show the frame that a check counts at that time, in colour and upright, in
//! whichever process they are decoded.

use std::path::Path;
use std::time::Duration;

use crate::media_files::{all_frames, ffmpeg, footage};
use uniq::media::{Moments, Still};
use uniq::{Decoding, Error};

/// Frames with eight columns, bright or dark, that encode the bits of the frame number.
const NUMBERED: &str = "-f lavfi -i color=gray:s=256x64:r=25,geq=lum='16+219*mod(floor(N/pow(2,floor(X/32))),2)':cb=128:cr=128";

fn numbered(dir: &Path, name: &str, seconds: u32, options: &str) -> std::path::PathBuf {
    footage(dir, name, &format!("{NUMBERED} -t {seconds} {options}"))
}

fn number(still: &Still) -> u32 {
    let bright = |bit: usize| {
        let x = bit * still.width / 8 + still.width / 16;
        still.rgb[3 * (still.height / 2 * still.width + x)] > 128
    };
    (0..8).map(|bit| u32::from(bright(bit)) << bit).sum()
}

fn stills(decoding: &Decoding, path: &Path, moments: &Moments) -> Vec<Still> {
    let source = decoding.open(path).unwrap();
    let sha256 = source.sha256(&|| false).unwrap();
    decoding
        .stills(&source, &sha256, None, moments, &|| false)
        .unwrap()
}

#[test]
fn a_still_is_the_frame_that_a_check_sees_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let h264 = "-c:v libx264 -preset veryfast -crf 12 -bf 3 -g 25 -pix_fmt yuv420p";
    let whole = numbered(dir, "whole.mp4", 8, h264);
    let mut files = vec![
        whole.clone(),
        numbered(dir, "plain.mkv", 8, h264),
        numbered(
            dir,
            "open.mp4",
            8,
            &format!("{h264} -x264-params open-gop=1"),
        ),
        numbered(dir, "intra.mkv", 8, "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p"),
        numbered(
            dir,
            "offset.ts",
            8,
            &format!("{h264} -output_ts_offset 100"),
        ),
    ];
    for name in ["late.mp4", "late.mkv"] {
        // Starts within a group: by an edit list in one container, by frames before time zero in
        // the other.
        let path = dir.join(name);
        ffmpeg(&format!(
            "-ss 2.5 -i {} -c copy -avoid_negative_ts disabled {}",
            whole.display(),
            path.display()
        ));
        files.push(path);
    }
    let decoding = Decoding::in_process();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let frames = all_frames(&path);
        let first = number(
            &stills(
                &decoding,
                &path,
                &Moments::new(vec![frames[0].time], 64).unwrap(),
            )[0],
        );
        let asked: Vec<usize> = [3, 30, 31, 59, frames.len() - 2, frames.len() - 1].into();
        let moments: Vec<Duration> = asked
            .iter()
            .map(|&at| frames[at].time + Duration::from_millis(20))
            .collect();
        for moments in [
            Moments::new(moments.clone(), 64).unwrap(),
            Moments::new(moments, 64).unwrap().thrifty(),
        ] {
            let found = stills(&decoding, &path, &moments);
            assert_eq!(found.len(), asked.len(), "{name}");
            for (still, &at) in found.iter().zip(&asked) {
                assert_eq!(
                    (still.time, number(still)),
                    (frames[at].time, first + at as u32),
                    "{name}: frame {at}"
                );
                let next = frames
                    .get(at + 1)
                    .map_or(frames[at].time + Duration::from_millis(40), |next| {
                        next.time
                    });
                assert!(
                    still.until.abs_diff(next) < Duration::from_millis(2),
                    "{name}: {:?}",
                    still.until
                );
            }
        }
    }
}

#[test]
fn a_moment_without_a_frame_has_no_still_and_moments_of_one_frame_share_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let path = numbered(
        dir.path(),
        "a.mp4",
        2,
        "-c:v libx264 -preset veryfast -pix_fmt yuv420p",
    );
    let millis = |times: &[u64]| {
        Moments::new(
            times.iter().copied().map(Duration::from_millis).collect(),
            64,
        )
        .unwrap()
    };
    let decoding = Decoding::in_process();
    assert_eq!(
        stills(&decoding, &path, &millis(&[1001, 1010, 1039])).len(),
        1
    );
    assert!(stills(&decoding, &path, &millis(&[60_000])).is_empty());
    assert!(stills(&decoding, &path, &millis(&[])).is_empty());
    let source = decoding.open(&path).unwrap();
    let stopped = decoding.stills(&source, &[0; 32], None, &millis(&[1000]), &|| true);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn colours_rotation_and_pixel_shape_are_those_of_a_player_and_of_the_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Red above blue, in pixels twice as wide as high, in the range and with the matrix that its
    // size suggests.
    let two = "-f lavfi -i color=red:s=320x180:r=25 -f lavfi -i color=blue:s=320x180:r=25 -filter_complex \
        [0][1]vstack,scale=320:360:out_color_matrix=bt601:out_range=tv,setsar=2 -t 1 -c:v libx264 -pix_fmt yuv420p";
    let upright = footage(dir, "upright.mp4", two);
    let turned = dir.join("turned.mp4");
    ffmpeg(&format!(
        "-i {} -c copy -metadata:s:v rotate=90 {}",
        upright.display(),
        turned.display()
    ));
    let moments = Moments::new(vec![Duration::from_millis(500)], 180).unwrap();
    let worker = Decoding::worker(env!("CARGO_BIN_EXE_uniq-media"));
    for (path, size, turned) in [(&upright, (320, 180), false), (&turned, (180, 320), true)] {
        let found = stills(&Decoding::in_process(), path, &moments);
        assert_eq!(found, stills(&worker, path, &moments));
        let still = &found[0];
        assert_eq!((still.width, still.height), size);
        let at = |x: usize, y: usize| &still.rgb[3 * (y * still.width + x)..][..3];
        let (one, other) = if turned {
            (at(10, 160), at(170, 160))
        } else {
            (at(160, 10), at(160, 170))
        };
        let near = |found: &[u8], wanted: [u8; 3]| {
            found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12)
        };
        assert!(
            near(one, [255, 0, 0]) && near(other, [0, 0, 255]),
            "{one:?} {other:?}"
        );
    }
}
