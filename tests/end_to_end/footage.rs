//! The tests' own footage does not depend on the machine that makes it.

use std::path::Path;

use crate::support::steady;

/// A turning picture with changing colours, so that scaler, filters and encoder all have to round.
const PICTURE: &str = "testsrc2=size=192x144:rate=25,rotate=0.3*t,hue=h=40*t,scale=160:90:flags=bicubic,noise=alls=7:allf=t:all_seed=11";

/// The SHA-256 of a file's decoded frames.
fn shown(path: &Path) -> String {
    let path = path.to_str().unwrap();
    let output = steady::ffmpeg(["-i", path, "-map", "0:v", "-f", "hash", "-"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Makes footage with an encoder, in an environment that hides processor instructions from it.
fn made(folder: &Path, encoder: &str, environment: &[(&str, &str)]) -> String {
    let path = folder.join("made.mkv");
    let fixed = [
        "-f", "lavfi", "-i", PICTURE, "-t", "2", "-pix_fmt", "yuv420p",
    ];
    let args = fixed
        .into_iter()
        .chain(encoder.split(' '))
        .chain(path.to_str());
    let output = steady::ffmpeg(args)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{encoder}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    shown(&path)
}

#[test]
fn footage_does_not_depend_on_the_instructions_that_an_encoder_may_use() {
    let folder = tempfile::tempdir().unwrap();
    // Each list is limited to the instructions of this processor.
    let sse = "MMX2,SSE2Fast";
    let avx2 = "MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2";
    for encoder in [
        "libx264 -preset superfast -crf 23 -x264-params",
        "libx264 -preset medium -crf 33 -x264-params",
    ] {
        let encoder = format!("-c:v {encoder}");
        let [every, none, some, more] = [
            "asm=1".to_owned(),
            "asm=0".to_owned(),
            format!("asm={sse}"),
            format!("asm={avx2}"),
        ]
        .map(|asm| made(folder.path(), &format!("{encoder} {asm}"), &[]));
        assert_eq!([&none, &some, &more], [&every; 3], "{encoder}");
    }
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    assert_eq!(
        made(folder.path(), x265, &[]),
        made(folder.path(), &format!("{x265}:asm=0"), &[])
    );
    // Above 0, VP8 takes the speed as a minimum and adapts to the load of the machine.
    for encoder in [
        "libvpx -deadline realtime -cpu-used -8",
        "libvpx-vp9 -deadline realtime -cpu-used 8",
    ] {
        let encoder = format!("-c:v {encoder}");
        let hidden = [("VPX_SIMD_CAPS", "0")];
        assert_eq!(
            made(folder.path(), &encoder, &[]),
            made(folder.path(), &encoder, &hidden),
            "{encoder}"
        );
    }
}

#[test]
fn scenes_do_not_depend_on_the_instructions_that_scaler_and_noise_may_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (raw, made) = (path("raw.yuv"), path("made.mp4"));
    let input = [
        "-f", "lavfi", "-i", PICTURE, "-t", "2", "-pix_fmt", "yuv420p", "-f", "rawvideo", &raw,
    ];
    assert!(steady::ffmpeg(input).status().unwrap().success());
    for size in ["640:360", "480:270", "96:54"] {
        let filter = format!(
            "scale={size}:flags={},noise=c0s=7:c0f=t:all_seed=11",
            steady::EXACT_SCALING
        );
        let input = [
            "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "160x90", "-r", "25", "-i", &raw,
        ];
        let output = [
            "-vf",
            &filter,
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "superfast",
            &made,
        ];
        let args = [&input[..], &output].concat();
        let [without, with] =
            [steady::ffmpeg(&args), steady::ffmpeg_of_raw_pictures(&args)].map(|mut command| {
                assert!(command.status().unwrap().success(), "{command:?}");
                shown(Path::new(&made))
            });
        assert_eq!(without, with, "{size}");
    }
}

#[test]
fn the_maker_leaves_no_choice_to_the_processor_or_the_number_of_cores() {
    let command = steady::ffmpeg(["-i", "a", "-x264-params", "keyint=9", "b"]);
    let args: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_str().unwrap())
        .collect();
    let value = |option: &str| {
        args.iter()
            .rposition(|argument| *argument == option)
            .map(|at| args[at + 1])
    };
    assert_eq!(value("-cpuflags"), Some("0"));
    assert_eq!(value("-threads"), Some("1"));
    assert_eq!(value("-x264-params"), Some("keyint=9:cpu-independent=1"));
    assert_eq!(args.last(), Some(&"b"));
}
