//! The small pictures in a source's fingerprint, from files of several shapes.

use std::path::Path;
use std::time::Duration;

use crate::media_files::{corpus, ffmpeg, frames_of, scene};
use uniq::Decoding;
use uniq::fingerprint::{self, SourceFingerprint, Thumbnail};
use uniq::sample::CORPUS_INTERVAL;

fn of_source(path: &Path) -> SourceFingerprint {
    let decoding = Decoding::in_process();
    let source = decoding.open(path).unwrap();
    let sha256 = source.sha256(&|| false).unwrap();
    fingerprint::of_source(
        &source,
        &sha256,
        &decoding,
        CORPUS_INTERVAL,
        &mut |_| (),
        None,
    )
    .unwrap()
}

#[test]
fn a_source_keeps_a_picture_of_each_keyframe_and_benign_material_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = scene(folder.path(), "scene.mp4", 20.0, "");
    let made = of_source(&path);
    let (pictures, motion) = (&made.pictures, &made.motion);
    assert_eq!(
        (pictures.len(), pictures.size()),
        (made.keyframes as usize, (55, 42))
    );
    assert!((0..pictures.len()).all(|i| pictures.time(i) == motion.time(i)));
    assert_eq!(of_source(&path).pictures.to_bytes(), pictures.to_bytes());

    let (frames, _) = frames_of(&path, &mut corpus(CORPUS_INTERVAL.as_secs_f64()));
    let originals: Vec<Thumbnail> = frames.iter().map(Thumbnail::of).collect();
    let far = |(kept, original): (Thumbnail, &Thumbnail)| {
        let sum: u64 = kept
            .luma
            .iter()
            .zip(&original.luma)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        sum as f64 / kept.luma.len() as f64
    };
    let worst = pictures
        .pictures(0..pictures.len())
        .zip(&originals)
        .map(far)
        .fold(0.0, f64::max);
    assert!(worst < 8.0, "{worst} grey levels from the frames");

    let decoding = Decoding::in_process();
    let source = decoding.open(&path).unwrap();
    let sha256 = source.sha256(&|| false).unwrap();
    let benign = fingerprint::of_benign(&source, &sha256, &decoding, &mut |_| (), None).unwrap();
    assert!(benign.pictures.is_empty() && benign.keyframes > made.keyframes);
}

#[test]
fn pictures_have_the_displayed_shape() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options, size) in [
        ("vertical.mp4", "-vf crop=ih*9/16:ih", (36, 64)),
        ("anamorphic.mp4", "-vf scale=180:240,setsar=64/27", (64, 36)),
        ("square.mp4", "-vf crop=ih:ih", (48, 48)),
    ] {
        let path = scene(folder.path(), name, 3.0, options);
        let (columns, rows) = of_source(&path).pictures.size();
        assert!(
            columns.abs_diff(size.0) <= 1 && rows.abs_diff(size.1) <= 1,
            "{name}: {columns}x{rows}"
        );
    }
}

#[test]
fn the_pictures_of_a_second_stream_follow_those_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (
        folder.path().join("first.mp4"),
        folder.path().join("second.mp4"),
    );
    let both = folder.path().join("both.mkv");
    ffmpeg(&format!(
        "-f lavfi -i mandelbrot=s=320x180:r=12 -t 4 {}",
        first.display()
    ));
    ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=180x320:r=12 -t 4 {}",
        second.display()
    ));
    ffmpeg(&format!(
        "-i {} -i {} -map 0:v -map 1:v -c copy {}",
        first.display(),
        second.display(),
        both.display()
    ));
    let (alone, made) = (of_source(&first).pictures, of_source(&both));
    let pictures = made.pictures;
    assert_eq!(pictures.len(), made.keyframes as usize);
    assert!(
        pictures.len() > alone.len() + 4,
        "{} pictures, {} of the first stream",
        pictures.len(),
        alone.len()
    );
    let second: Vec<Thumbnail> = pictures.pictures(alone.len()..pictures.len()).collect();
    assert!(
        second
            .iter()
            .all(|picture| (picture.width, picture.height) == (36, 64))
    );
    assert!(
        second[0].time >= Duration::from_millis(3900),
        "{:?}",
        second[0].time
    );
}
