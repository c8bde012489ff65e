//! Footage for the recipes, made by FFmpeg's own generators.

use std::path::Path;

use super::steady::ffmpeg;

/// Without given colours, FFmpeg draws others on each run, whatever the seed.
const COLOURS: &str = "c0=0x3355aa:c1=0xcc7733:c2=0x447744:c3=0xaa3366:c4=0xddcc88";

/// Makes a slow game of life in moving colours; different seeds share no shapes.
pub(crate) fn life(path: &Path, seed: u32, seconds: u32) {
    let graph = format!(
        "life=s=40x24:r=1:mold=20:ratio=0.4:seed={seed}:life_color=white:death_color=0x404040:\
         mold_color=0x101010,trim=start=4,setpts=PTS-STARTPTS,framerate=fps=12,\
         scale=426:240:flags=bicubic,gblur=4[cells];\
         gradients=s=426x240:r=12:n=5:{COLOURS}:speed=0.02:seed={seed}[colours];\
         [cells][colours]blend=all_mode=softlight,format=yuv420p[v]"
    );
    let length = seconds.to_string();
    run(
        &["-filter_complex", &graph, "-map", "[v]", "-t", &length],
        path,
    );
}

/// Makes a mirrored and smaller copy of `from`, starting at second `start`.
pub(crate) fn mirrored(from: &Path, start: u32, seconds: u32, path: &Path) {
    let (start, length) = (start.to_string(), seconds.to_string());
    let from = from.to_str().unwrap();
    run(
        &[
            "-ss",
            &start,
            "-t",
            &length,
            "-i",
            from,
            "-vf",
            "hflip,scale=320:180",
        ],
        path,
    );
}

fn run(args: &[&str], path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let encoding = [
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-an",
    ];
    let mut command = ffmpeg(
        args.iter()
            .chain(&encoding)
            .copied()
            .chain([path.to_str().unwrap()]),
    );
    assert!(
        command
            .status()
            .expect("the ffmpeg command is installed")
            .success()
    );
}
