//! The program: a check through the store gives the same answer as a check of the folder, and its
//! messages help.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::made::{Place, add, places};
use crate::{seaweed, steady};

/// A rotating flight into the Mandelbrot set: detailed, and never repeating.
const FLIGHT: &str = "mandelbrot=s=480x480:r=12:start_scale=0.04:end_scale=0.0008:end_pts=336\
    :start_x=-0.16070135:start_y=1.0375665,rotate=0.15*t,crop=426:240,hue=h=140";

struct Shop<'a> {
    dir: TempDir,
    place: &'a Place,
}

impl Shop<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn uniq(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uniq"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("UNIQ_INDEX");
        command
            .env("UNIQ_CACHE", self.path("cache"))
            .envs(self.place.variables())
            .output()
            .unwrap()
    }

    /// The output of a command that must succeed, and may find copies.
    fn said(&self, args: &[&str]) -> String {
        let output = self.uniq(args);
        assert_ne!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The message of a command that must fail.
    fn complaint(&self, args: &[&str]) -> String {
        let output = self.uniq(args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stderr).unwrap()
    }
}

fn shop(place: &Place) -> Shop<'_> {
    Shop {
        dir: TempDir::new().unwrap(),
        place,
    }
}

fn ffmpeg(args: &[&str], output: &Path) {
    let args = args.iter().copied().chain([output.to_str().unwrap()]);
    assert!(
        steady::ffmpeg(args).status().unwrap().success(),
        "{}",
        output.display()
    );
}

/// A film, and a clip that shows a part of it mirrored.
fn footage() -> &'static TempDir {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let film = dir.path().join("film.mp4");
        ffmpeg(
            &[
                "-f", "lavfi", "-i", FLIGHT, "-t", "8", "-pix_fmt", "yuv420p",
            ],
            &film,
        );
        let cut = [
            "-ss",
            "2",
            "-t",
            "4",
            "-i",
            film.to_str().unwrap(),
            "-vf",
            "hflip,scale=320:180",
        ];
        ffmpeg(
            &[&cut[..], &["-pix_fmt", "yuv420p"]].concat(),
            &dir.path().join("clip.mp4"),
        );
        dir
    })
}

#[test]
fn a_check_by_way_of_the_store_gives_the_report_of_the_folder() {
    for place in places() {
        let shop = shop(&place);
        for name in ["film.mp4", "clip.mp4"] {
            std::fs::copy(footage().path().join(name), shop.path(name)).unwrap();
        }
        let address = place.address();
        shop.said(&["-q", "index", "build", "film.mp4", "--index", "mine"]);
        let pushed: Value = serde_json::from_str(
            &shop.said(&["index", "push", &address, "--index", "mine", "--json"]),
        )
        .unwrap();
        assert_eq!(
            (&pushed["committed"], &pushed["generation"]),
            (&true.into(), &1.into())
        );
        // The time of the check is the last field.
        let report = |index: &str| {
            let said = shop.said(&[
                "-q",
                "check",
                "--json",
                "--no-quality",
                "clip.mp4",
                "--index",
                index,
            ]);
            format!("{}}}", said.split_once(",\"checked_at\":").unwrap().0)
        };
        let (local, remote) = (report("mine"), report(&address));
        let parsed: Value = serde_json::from_str(&local).unwrap();
        assert_eq!(parsed["verdict"], "published");
        assert_eq!(remote, local);
        // The printed folder is that index.
        let printed = shop.said(&["-q", "index", "open", &address]);
        assert_eq!(report(printed.trim_end()), local);
        let stats = |index: &str| shop.said(&["index", "stats", "--json", "--index", index]);
        assert_eq!(stats(&address), stats("mine"));
        for command in [
            &["index", "list"][..],
            &["index", "log"],
            &["index", "verify"],
        ] {
            let at = |index: &str| shop.said(&[command, &["--index", index]].concat());
            assert_eq!(at(&address), at("mine"), "{command:?}");
        }
        let root = pushed["root"].as_str().unwrap();
        let expected = [
            "check",
            "--no-quality",
            "clip.mp4",
            "--index",
            &address,
            "--expect-root",
        ];
        shop.said(&[&expected[..], &[root]].concat());
        assert!(
            shop.complaint(&[&expected[..], &[&"0".repeat(64)]].concat())
                .contains("root is")
        );
        let pulled: Value = serde_json::from_str(
            &shop.said(&["index", "pull", &address, "--index", "theirs", "--json"]),
        )
        .unwrap();
        assert_eq!(
            (&pulled["changed"], &pulled["files"]),
            (&true.into(), &1.into())
        );
        assert_eq!(stats("theirs"), stats("mine"));
    }
}

#[test]
fn commands_that_write_ask_for_a_folder() {
    for place in places() {
        let shop = shop(&place);
        let address = place.address();
        for command in [
            &["index", "build", "."][..],
            &["index", "add", "."],
            &["index", "remove", "x"],
            &["index", "merge"],
            &["index", "canaries"],
            &["index", "push", &address],
            &["index", "pull", &address],
        ] {
            let complaint = shop.complaint(&[command, &["--index", &address]].concat());
            assert!(
                complaint.contains("needs a folder") && complaint.contains("uniq index pull"),
                "{complaint}"
            );
        }
        assert_eq!(place.objects(), [""; 0]);
        assert!(
            shop.complaint(&["index", "stats", "--index", &address])
                .contains("uniq index push")
        );
    }
}

#[test]
fn the_loser_is_told_what_to_do_and_it_works() {
    for place in places() {
        let shop = shop(&place);
        let address = place.address();
        for (name, seeds) in [("mine", 1..2), ("theirs", 2..4)] {
            add(&shop.path(name), seeds, 50);
        }
        shop.said(&["index", "push", &address, "--index", "theirs"]);
        let complaint = shop.complaint(&["index", "push", &address, "--index", "mine"]);
        let commands: Vec<&str> = complaint.split("uniq index ").skip(1).collect();
        assert_eq!(commands.len(), 3, "{complaint}");
        for command in commands {
            let command = command.split([',', '\n']).next().unwrap();
            let words = command
                .split_whitespace()
                .take_while(|word| *word != "and")
                .map(|word| word.replace("NEW", "new"));
            let args: Vec<String> = ["index".to_owned()].into_iter().chain(words).collect();
            shop.said(&args.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let stats: Value =
            serde_json::from_str(&shop.said(&["index", "stats", "--json", "--index", &address]))
                .unwrap();
        assert_eq!(stats["videos"], 3);
    }
}

#[test]
fn credentials_are_asked_for_and_never_shown() {
    let Some(bucket) = seaweed::bucket() else {
        return;
    };
    let name = bucket.name.clone();
    let place = Place::Bucket(bucket);
    let shop = shop(&place);
    add(&shop.path("mine"), 0..1, 50);
    let address = place.address();
    let push = ["index", "push", &address, "--index", "mine"];
    let with = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uniq"));
        command
            .args(push)
            .current_dir(shop.dir.path())
            .envs(place.variables())
            .env(name, value);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let wrong = with("AWS_SECRET_ACCESS_KEY", "another-hidden-word");
    assert!(
        wrong.contains("the store refused the credentials"),
        "{wrong}"
    );
    let plain = with("AWS_ALLOW_HTTP", "false");
    assert!(plain.contains("AWS_ALLOW_HTTP=true"), "{plain}");
    for text in [wrong, plain] {
        assert!(
            !text.contains("hidden")
                && !text.contains(seaweed::SECRET)
                && text.lines().count() == 1,
            "{text}"
        );
    }
    let user = shop.complaint(&[
        "index",
        "push",
        &format!("s3://me:hidden-word@{name}/x"),
        "--index",
        "mine",
    ]);
    assert!(
        user.contains("no user") && !user.contains("hidden"),
        "{user}"
    );
    shop.said(&push);
}
