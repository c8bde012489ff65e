//! A demonstration service: made footage, a small corpus and a few submissions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use uniq::certificate::{KeyKind, PrivateKey};
use uniq::ingest::{self, BuildOptions};
use uniq::ledger::{Kind, Mode};

use crate::accept::{self, Submitted};
use crate::app::App;
use crate::auth::{self, Scope};
use crate::config::CertificateConfig;
use crate::database::now_ms;
use crate::store::keys;

/// The tenant of the demonstration.
pub const TENANT: &str = "demo";

/// Creates a corpus of one film, and submissions as their footage gets ready: a new clip, one from
/// the film, one with a part of it, and a copy of the first by somebody else. Blocks.
///
/// # Errors
/// If the `ffmpeg` command is missing or fails, and those of the service.
pub fn fill(app: &App) -> anyhow::Result<()> {
    let folder = app.config.data.join("footage");
    std::fs::create_dir_all(&folder)?;
    let film = made(&folder, "film", &["-f", "lavfi", "-i", FILM, "-t", "12"])?;
    let options = BuildOptions::new(app.decoding.clone());
    let sources = ingest::sources(std::slice::from_ref(&film))?;
    ingest::build(
        &app.config.index(),
        sources,
        &options,
        &|_| {},
        &app.stopping,
    )?;
    let excerpt = made(
        &folder,
        "excerpt",
        &[
            "-ss",
            "3",
            "-t",
            "7",
            "-i",
            text(&film)?,
            "-vf",
            "hflip,scale=640:360",
        ],
    )?;
    submit(app, "bob", "from the film, mirrored", &excerpt)?;
    let own = made(
        &folder,
        "own",
        &["-filter_complex", &life(4711), "-t", "12"],
    )?;
    submit(app, "ada", "all my own", &own)?;
    let other = made(&folder, "other", &["-filter_complex", &life(99), "-t", "8"])?;
    let mixed = "[0:v]fps=25,setsar=1[a];[1:v]trim=4:9,setpts=PTS-STARTPTS,fps=25,setsar=1[b];[a][b]concat=n=2:v=1";
    let part = made(
        &folder,
        "part",
        &[
            "-i",
            text(&other)?,
            "-i",
            text(&film)?,
            "-filter_complex",
            mixed,
        ],
    )?;
    submit(app, "eve", "my own, and a part of the film", &part)?;
    let stolen = [
        "-ss",
        "2",
        "-i",
        text(&own)?,
        "-vf",
        "crop=iw*0.9:ih*0.9,scale=640:360,eq=gamma=1.1",
    ];
    submit(
        app,
        "mallory",
        "what ada has offered, cropped",
        &made(&folder, "stolen", &stolen)?,
    )
}

fn submit(app: &App, creator: &str, reference: &str, file: &Path) -> anyhow::Result<()> {
    let upload = app.config.data.join("uploads").join(crate::store::new_id());
    std::fs::copy(file, &upload)?;
    let submitted = Submitted {
        id: crate::store::new_id(),
        tenant: TENANT.to_owned(),
        creator: creator.to_owned(),
        reference: Some(reference.to_owned()),
        kind: Kind::Clip,
    };
    accept::accept(app, &submitted, &upload).map_err(|problem| anyhow::anyhow!(problem.detail))?;
    Ok(())
}

/// Creates a key to sign the demonstration's certificates.
///
/// # Errors
/// If there are no random numbers or the key cannot be written.
pub fn signing(folder: &Path) -> anyhow::Result<CertificateConfig> {
    let key = folder.join("demonstration.key");
    PrivateKey::generate(KeyKind::Ed25519)?.save(&key)?;
    Ok(CertificateConfig {
        key: Some(key),
        name: "demonstration".to_owned(),
        policy_uri: None,
    })
}

/// Creates an API key with all scopes.
///
/// # Errors
/// Those of the database.
pub fn key(app: &App) -> anyhow::Result<String> {
    let made = auth::new_key(TENANT, "demonstration", &Scope::ALL, now_ms());
    let (key, secret) = made.map_err(|problem| anyhow::anyhow!(problem.detail))?;
    app.database
        .with(|ledger| ledger.transaction(Mode::Write, |tables| keys::add(tables, &key)))?;
    Ok(secret)
}

/// Colours of the game of life. Without them, FFmpeg draws others on each run, whatever the seed.
const COLOURS: &str = "c0=0x3355aa:c1=0xcc7733:c2=0x447744:c3=0xaa3366:c4=0xddcc88";

/// FFmpeg source of a slow game of life in moving colours; different seeds share no shapes.
fn life(seed: u32) -> String {
    format!(
        "life=s=40x24:r=1:mold=20:ratio=0.4:seed={seed}:life_color=white:death_color=0x404040:mold_color=0x101010,\
         trim=start=4,setpts=PTS-STARTPTS,framerate=fps=25,scale=640:360:flags=bicubic,gblur=6[cells];\
         gradients=s=640x360:r=25:n=5:{COLOURS}:speed=0.02:seed={seed}[colours];\
         [cells][colours]blend=all_mode=softlight"
    )
}

fn made(folder: &Path, name: &str, args: &[&str]) -> anyhow::Result<PathBuf> {
    let file = folder.join(format!("{name}.mp4"));
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-loglevel", "error", "-y"])
        .args(args)
        .args(["-pix_fmt", "yuv420p"])
        .arg(&file);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.context("ffmpeg cannot be run; install it for the demonstration")?;
    ensure!(
        status.success(),
        "ffmpeg could not make the footage of the demonstration"
    );
    Ok(file)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the data folder's name is not UTF-8")
}

/// FFmpeg source of a rotating flight into the Mandelbrot set: detailed, and never repeating.
const FILM: &str = "mandelbrot=s=720x720:r=25:start_scale=0.04:end_scale=0.0008:end_pts=700:start_x=-0.16070135:\
                    start_y=1.0375665,rotate=0.15*t,crop=640:360,hue=h=140";
