//! A broker's folder: an index of public videos, a ledger, and the program.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{build, must_succeed};
use crate::support::scenes::{edited, tripod, words};

/// Most of a made clip of 8 s, in seconds; the rest may be unsearchable.
pub(crate) const MOST_S: f64 = 4.5;

pub(crate) struct Shop {
    folder: TempDir,
    ledger: String,
}

impl Shop {
    /// A folder with one public video and no ledger yet.
    pub(crate) fn new() -> Shop {
        let folder = TempDir::new().unwrap();
        let ledger = folder.path().join("ledger.db").to_str().unwrap().to_owned();
        let shop = Shop { folder, ledger };
        let copied = Command::new("cp")
            .arg("-r")
            .arg(published())
            .arg(shop.path("index"))
            .status()
            .unwrap();
        assert!(copied.success());
        shop
    }

    /// The same with a ledger elsewhere.
    pub(crate) fn with_ledger(ledger: String) -> Shop {
        Shop {
            ledger,
            ..Shop::new()
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uniq"));
        self.prepare(&mut command, args);
        command
    }

    fn prepare(&self, command: &mut Command, args: &[&str]) {
        command
            .args(args)
            .env("UNIQ_INDEX", self.path("index"))
            .env("XDG_STATE_HOME", self.folder.path());
        if args[0] == "intake" && !args.contains(&"--ledger") {
            command.env("UNIQ_LEDGER", &self.ledger);
            if !args.contains(&"--submissions") {
                command
                    .arg("--submissions")
                    .arg(self.path("ledger.db.index"));
            }
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the program, which must succeed, and returns its output.
    pub(crate) fn must(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs the program with files of at most `kilobytes` KiB.
    pub(crate) fn limited(&self, kilobytes: u32, args: &[&str]) -> Output {
        let mut command = Command::new("sh");
        // `ulimit` counts units of 512 bytes. The signal is ignored, since it would end the program
        // before its message.
        command.args([
            "-c",
            &format!(
                "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
                2 * kilobytes
            ),
        ]);
        command.arg(env!("CARGO_BIN_EXE_uniq"));
        self.prepare(&mut command, args);
        command.output().unwrap()
    }

    pub(crate) fn json(&self, args: &[&str], files: &[&Path]) -> (Output, Value) {
        let all: Vec<&str> = args
            .iter()
            .copied()
            .chain(files.iter().map(|file| file.to_str().unwrap()))
            .collect();
        let output = self.run(&all);
        let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "{all:?}: {error}: {} {}",
                text(&output.stdout),
                text(&output.stderr)
            )
        });
        (output, said)
    }

    /// Adds a file and returns the report.
    pub(crate) fn add(&self, file: &Path, by: &str, more: &[&str]) -> Value {
        let args: Vec<&str> = ["intake", "add", "--json", "--by", by]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let (output, said) = self.json(&args, &[file]);
        assert!(
            said["submission"].is_object(),
            "{said} {}",
            text(&output.stderr)
        );
        said
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until a process has reported the number of its clip.
    pub(crate) fn wait_for_number(&self, child: &mut Child) {
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        assert!(
            lines.any(|line| line.contains(": submission ")),
            "it ended before it had a number"
        );
    }

    /// One video followed by the other.
    pub(crate) fn joined(&self, one: &Path, other: &Path) -> PathBuf {
        let mut args: Vec<std::ffi::OsString> =
            vec!["-i".into(), one.into(), "-i".into(), other.into()];
        let line = "-filter_complex [0:v][1:v]concat=n=2 -c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p";
        args.extend(words(line).into_iter().map(Into::into));
        edited(
            &Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits"),
            &[one, other],
            &args,
            "mp4",
        )
    }
}

/// An index of one public video, built once per process, which every shop copies.
fn published() -> &'static Path {
    static INDEX: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, index) = INDEX.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let index = folder.path().join("index");
        must_succeed(&build(
            Path::new(env!("CARGO_BIN_EXE_uniq")),
            &index,
            &[&tripod(79, 1, 6)],
        ));
        (folder, index)
    });
    index
}

/// The payable seconds of a report.
pub(crate) fn seconds(report: &Value) -> f64 {
    report["payable_minutes"]
        .as_f64()
        .unwrap_or_else(|| panic!("{report}"))
        * 60.0
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
