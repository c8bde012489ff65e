//! The scripts of docs/recipes.md and of the README run on made footage and do what they promise.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{UNIQ, footage, markdown};

const RECIPES: [&str; 4] = [
    "A thousand uploads a day",
    "A creator at home",
    "A corpus that grows daily",
    "Auditing what a video model gives out",
];

/// Replaces yt-dlp: "downloads" the next file of `stock` that the archive does not name.
const YT_DLP: &str = r#"#!/bin/bash
set -eu
while [ $# -gt 0 ]; do
    case $1 in
        --paths) case $2 in home:*) home=${2#home:} ;; temp:*) ;; *) exit 2 ;; esac; shift ;;
        --download-archive) archive=$2; shift ;;
        --batch-file) test -s "$2"; shift ;;
        --format) shift ;;
        --write-info-json) info=yes ;;
        --no-write-playlist-metafiles | --ignore-errors) ;;
        *) echo "yt-dlp: no such option: $1" >&2; exit 2 ;;
    esac
    shift
done
mkdir -p "$home"
for file in stock/*.mp4; do
    id=$(basename "$file" .mp4)
    if ! grep -qsx "example $id" "$archive"; then
        cp "$file" "$home/A day [$id].mp4"
        [ -z "${info-}" ] || printf '{"webpage_url": "https://example.com/%s", "title": "A day", "uploader": "ada", "extractor_key": "Example", "upload_date": "20260131"}' "$id" > "$home/A day [$id].info.json"
        echo "example $id" >> "$archive"
        exit
    fi
done
"#;

/// A folder in which the blocks of one section of a page run in order.
struct Kitchen {
    dir: TempDir,
    blocks: Vec<String>,
    /// Lines of earlier blocks that set variables.
    exports: String,
}

impl Kitchen {
    /// `None` if a program that the scripts need beside `uniq` is missing.
    fn new(page: &str, heading: &str) -> Option<Kitchen> {
        let there = Command::new("jq").arg("--version").output().is_ok();
        assert!(
            there || std::env::var_os("CI").is_none(),
            "jq is not installed; scripts/test installs it"
        );
        if !there {
            return None;
        }
        let blocks: Vec<String> = markdown::blocks(&markdown::read(Path::new(page)))
            .into_iter()
            .filter(|block| block.heading == heading && block.language == "sh")
            .map(|block| block.text)
            .collect();
        assert!(!blocks.is_empty(), "{page} has no script below {heading}");
        Some(Kitchen {
            dir: TempDir::new().unwrap(),
            blocks,
            exports: String::new(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a program to where the scripts find it.
    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a block, which must succeed, and returns its output.
    fn run(&mut self, block: usize) -> String {
        let text = &self.blocks[block];
        let script = format!("{}{text}", self.exports);
        for line in text.lines().filter(|line| line.starts_with("export ")) {
            self.exports += &format!("{line}\n");
        }
        let programs = Path::new(UNIQ).parent().unwrap();
        let path = format!(
            "{}:{}:{}",
            self.path("bin").display(),
            programs.display(),
            std::env::var("PATH").unwrap()
        );
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("UNIQ_INDEX")
            .env_remove("UNIQ_LEDGER")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}\n{script}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON objects in a file, one per line.
    fn objects(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn every_recipe_is_tested() {
    let page = markdown::read(Path::new("docs/recipes.md"));
    let scripts: BTreeSet<String> = markdown::blocks(&page)
        .into_iter()
        .filter(|block| block.language == "sh")
        .map(|block| block.heading)
        .collect();
    assert_eq!(scripts, RECIPES.map(str::to_owned).into());
}

#[test]
fn a_thousand_uploads_a_day() {
    let Some(mut kitchen) = Kitchen::new("docs/recipes.md", RECIPES[0]) else {
        return;
    };
    let own = kitchen.path("uploads/alice/own.mp4");
    footage::life(&kitchen.path("public/film.mp4"), 7, 8);
    footage::life(&own, 4711, 8);
    footage::mirrored(&own, 1, 5, &kitchen.path("uploads/bob/same.mp4"));
    let film = kitchen.path("public/film.mp4");
    footage::mirrored(&film, 2, 5, &kitchen.path("uploads/carol/copied.mp4"));
    fs::create_dir_all(kitchen.path("uploads/dave")).unwrap();
    fs::write(kitchen.path("uploads/dave/broken.mp4"), "no video").unwrap();

    kitchen.run(0);
    kitchen.run(1);
    let answers = kitchen.objects("answers.jsonl");
    assert_eq!(answers.len(), 4);
    assert!(answers[0]["payable_minutes"].as_f64().unwrap() > 0.1);
    assert_eq!(
        answers[1]["submission"]["deductions"][0]["reason"],
        "disputed"
    );
    assert_eq!(answers[2]["verdict"], "published");
    assert_eq!(answers[3]["code"], "not_media");
    let failed: Vec<_> = fs::read_dir(kitchen.path("failed")).unwrap().collect();
    let failed = failed[0].as_ref().unwrap().path();
    assert!(failed.join("broken.mp4").exists());
    assert!(!own.exists());

    // At night, a clip that alice offered became public.
    fs::copy(
        kitchen.path("archive/1/own.mp4"),
        kitchen.path("public/news.mp4"),
    )
    .unwrap();
    let said = kitchen.run(2);
    assert!(
        said.contains("submission 1: 8.0 s more are public"),
        "{said}"
    );
    let backups: Vec<_> = fs::read_dir(kitchen.path("backup")).unwrap().collect();
    let backup = backups[0].as_ref().unwrap().path();
    assert!(backup.join("ledger.db").exists() && backup.join("submissions/manifest").exists());
    // A second worker finds nothing to do.
    kitchen.run(1);
    assert_eq!(kitchen.objects("answers.jsonl").len(), 4);
}

#[test]
fn a_creator_at_home() {
    let Some(mut kitchen) = Kitchen::new("docs/recipes.md", RECIPES[1]) else {
        return;
    };
    footage::life(&kitchen.path("public/film.mp4"), 7, 8);
    footage::life(&kitchen.path("clip.mp4"), 4711, 8);
    let made = Command::new(UNIQ)
        .args(["index", "build", "public", "--index", "corpus"])
        .current_dir(kitchen.dir.path())
        .output()
        .unwrap();
    assert!(made.status.success());

    kitchen.run(0);
    // The clip stays at home until it is bought.
    fs::rename(kitchen.path("clip.mp4"), kitchen.path("at-home.mp4")).unwrap();
    let said = kitchen.run(1);
    let offer = &kitchen.objects("offer.json")[0];
    assert_eq!(offer["payable_minutes"], 0.0);
    let promised = offer["provisional_minutes"].as_f64().unwrap();
    assert!(
        promised > 0.1 && said.contains(&promised.to_string()),
        "{said}"
    );
    fs::rename(kitchen.path("at-home.mp4"), kitchen.path("clip.mp4")).unwrap();
    kitchen.run(2);
    let answer = &kitchen.objects("answer.json")[0];
    assert_eq!(
        answer["submission"]["number"],
        offer["submission"]["number"]
    );
    assert_eq!(answer["payable_minutes"].as_f64(), Some(promised));
}

#[test]
fn a_corpus_that_grows_daily() {
    let Some(mut kitchen) = Kitchen::new("docs/recipes.md", RECIPES[2]) else {
        return;
    };
    kitchen.program("yt-dlp", YT_DLP);
    footage::life(&kitchen.path("stock/dawn.mp4"), 4711, 6);
    footage::life(&kitchen.path("stock/dusk.mp4"), 7, 6);
    fs::write(kitchen.path("channels.txt"), "https://example.com/ada\n").unwrap();

    let addresses = |said: String| -> Vec<String> {
        let lines = said.lines().filter(|line| line.starts_with("https://"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(addresses(kitchen.run(0)), ["https://example.com/dawn"]);
    assert_eq!(
        addresses(kitchen.run(0)),
        ["https://example.com/dawn", "https://example.com/dusk"]
    );
    // A day without anything new.
    assert_eq!(addresses(kitchen.run(0)).len(), 2);
}

#[test]
fn auditing_what_a_video_model_gives_out() {
    let Some(mut kitchen) = Kitchen::new("docs/recipes.md", RECIPES[3]) else {
        return;
    };
    let film = kitchen.path("licensed/film.mp4");
    footage::life(&film, 7, 10);
    footage::mirrored(&film, 2, 6, &kitchen.path("outputs/copied.mp4"));
    footage::life(&kitchen.path("outputs/new.mp4"), 4711, 8);
    fs::write(kitchen.path("outputs/broken.mp4"), "no video").unwrap();

    let said = kitchen.run(0);
    let copies = fs::read_to_string(kitchen.path("copies.csv")).unwrap();
    let lines: Vec<&str> = copies.lines().collect();
    assert_eq!(lines.len(), 1, "{copies}");
    let fields: Vec<&str> = lines[0].split(',').collect();
    assert_eq!(
        fields[..4],
        ["\"outputs/copied.mp4\"", "0", "6", "\"licensed/film.mp4\""]
    );
    let start: f64 = fields[4].parse().unwrap();
    assert!((start - 2.0).abs() < 0.1, "{copies}");
    let sums: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(sums["outputs"], 2);
    assert_eq!(sums["copied_s"], 6.0);
    let unread = fs::read_to_string(kitchen.path("unread.txt")).unwrap();
    assert!(unread.contains("outputs/broken.mp4"), "{unread}");
    let pages: Vec<_> = fs::read_dir(kitchen.path("pages")).unwrap().collect();
    assert_eq!(pages.len(), 2);
}

#[test]
fn the_commands_of_the_readme_run() {
    let Some(mut kitchen) = Kitchen::new("README.md", "Five commands") else {
        return;
    };
    let film = kitchen.path("videos/film.mp4");
    footage::life(&film, 7, 8);
    footage::mirrored(&film, 2, 5, &kitchen.path("clip.mp4"));
    footage::life(&kitchen.path("clips/own.mp4"), 4711, 6);
    fs::copy(
        kitchen.path("clips/own.mp4"),
        kitchen.path("clips/again.mp4"),
    )
    .unwrap();
    // This block is only for reading: its commands exit with the verdict.
    let block = &mut kitchen.blocks[0];
    *block = format!("set +e\ntrap '[ $? -eq 1 ] || exit 2' ERR\n{block}true\n");
    kitchen.run(0);
    assert!(kitchen.path("clip.html").exists());
    let certificate = kitchen.path("certs/clip.mp4.certificate.json");
    let shown = Command::new(UNIQ)
        .args(["certificate", "show", "--json"])
        .arg(certificate)
        .output()
        .unwrap();
    let statement: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(statement["predicate"]["verdict"], "published");
}
