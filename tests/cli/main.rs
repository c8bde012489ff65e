//! The command line through the real binary: handover to coreutils, help, completions, locations of
//! the index, exit codes.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod daily;
mod index;
mod joining;
mod refusals;
mod schema;
#[path = "../support/steady.rs"]
mod steady;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Control sequences that a file name may hold: a title, a bell, a colour.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[31m";
/// Every command, as its words.
const COMMANDS: [&[&str]; 53] = [
    &[],
    &["index"],
    &["index", "build"],
    &["index", "add"],
    &["index", "update"],
    &["index", "refresh"],
    &["index", "remove"],
    &["index", "benign"],
    &["index", "benign", "add"],
    &["index", "benign", "list"],
    &["index", "benign", "remove"],
    &["index", "merge"],
    &["index", "upgrade"],
    &["index", "canaries"],
    &["index", "verify"],
    &["index", "log"],
    &["index", "snapshot"],
    &["index", "prove"],
    &["index", "checkpoint"],
    &["index", "push"],
    &["index", "pull"],
    &["index", "open"],
    &["index", "list"],
    &["index", "stats"],
    &["check"],
    &["dedup"],
    &["fingerprint"],
    &["key"],
    &["key", "new"],
    &["key", "show"],
    &["certify"],
    &["certificate"],
    &["certificate", "show"],
    &["certificate", "verify"],
    &["certificate", "reproduce"],
    &["certificate", "recheck"],
    &["certificate", "match"],
    &["intake"],
    &["intake", "add"],
    &["intake", "list"],
    &["intake", "show"],
    &["intake", "decide"],
    &["intake", "withdraw"],
    &["intake", "sold"],
    &["intake", "export"],
    &["intake", "verify"],
    &["intake", "mend"],
    &["intake", "recheck"],
    &["intake", "review"],
    &["serve"],
    &["doctor"],
    &["completions"],
    &["man"],
];

/// The commands, without the service if its program is not built: tests of this crate alone do not
/// build it.
fn built() -> impl Iterator<Item = &'static [&'static str]> {
    let has_service = Path::new(UNIQ).with_file_name("uniq-serve").exists();
    assert!(has_service || std::env::var_os("CI").is_none());
    COMMANDS
        .into_iter()
        .filter(move |words| has_service || *words != ["serve"])
}

/// A folder that serves as current folder and home, so that no index of the user who runs the tests
/// is seen.
struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox {
            dir: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", self.path("home"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env_remove("UNIQ_INDEX")
            .env_remove("UNIQ_HANDED_OVER_BY")
            .stdin(Stdio::null());
        command
    }

    fn uniq<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(UNIQ, args).output().unwrap()
    }

    /// A folder with our binary under the name `uniq`.
    fn ours(&self, folder: &str) -> PathBuf {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).unwrap();
        symlink(UNIQ, folder.join("uniq")).unwrap();
        folder
    }

    /// A folder with another program called `uniq`.
    ///
    /// `cp` makes the copy. If this process wrote it, a process that another thread starts at that
    /// moment would inherit the open file, and the copy could not be run ("text file busy").
    fn other(&self, folder: &str, original: &Path) -> PathBuf {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).unwrap();
        let status = Command::new("cp")
            .arg(original)
            .arg(folder.join("uniq"))
            .status()
            .unwrap();
        assert!(status.success());
        folder
    }

    /// A folder with a shell script called `uniq`.
    fn script(&self, folder: &str, body: &str) -> PathBuf {
        let original = self.path(&format!("{folder}.sh"));
        fs::write(&original, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&original, fs::Permissions::from_mode(0o755)).unwrap();
        self.other(folder, &original)
    }

    /// A video of two seconds with motion.
    fn video(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let flight = "mandelbrot=s=320x180:r=10:end_scale=0.05:end_pts=60";
        let args = [
            "-f",
            "lavfi",
            "-i",
            flight,
            "-t",
            "2",
            "-c:v",
            "mpeg4",
            "-q:v",
            "3",
            path.to_str().unwrap(),
        ];
        let made = steady::ffmpeg(args).output().unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
        path
    }
}

fn path_of(folders: &[&Path]) -> std::ffi::OsString {
    std::env::join_paths(folders).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by a signal")
}

fn with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

// Handover

#[test]
fn a_call_that_is_not_ours_goes_to_the_next_uniq_after_us_with_its_arguments_and_exit_code() {
    let sandbox = Sandbox::new();
    let before = sandbox.script("before", "echo before");
    let ours = sandbox.ours("ours");
    let after = sandbox.script("after", "echo \"after $*\"; exit 7");
    fs::write(sandbox.path("a b"), "a text\n").unwrap();
    let path = path_of(&[&before, &ours, &after]);
    let output = sandbox
        .command("ours/uniq", &["-c", "a b"])
        .env("PATH", &path)
        .output()
        .unwrap();
    assert_eq!(
        (stdout(&output).as_str(), code(&output)),
        ("after -c a b\n", 7)
    );
    // Not in PATH at all: the first `uniq` is used.
    let path = path_of(&[&before, &after]);
    let output = sandbox
        .command(UNIQ, &["-c"])
        .env("PATH", &path)
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "before\n");
}

#[test]
fn the_output_is_that_of_coreutils_to_the_byte() {
    let sandbox = Sandbox::new();
    let ours = sandbox.ours("ours");
    let path = path_of(&[&ours, Path::new("/usr/bin"), Path::new("/bin")]);
    let lines = b"a\na\nb\nc\nc\nc\n\xff\xfe\n\xff\xfe\nlast without newline";
    fs::write(sandbox.path("in"), lines).unwrap();
    let calls: [&[&str]; 9] = [
        &[],
        &["-c"],
        &["-d"],
        &["-u"],
        &["-"],
        &["in"],
        &["-c", "in"],
        &["-d", "in"],
        &["-u", "-f", "1", "in"],
    ];
    for args in calls {
        let mut through = sandbox.command("ours/uniq", args);
        through.env("PATH", &path);
        let mut direct = sandbox.command("uniq", args);
        direct.env("PATH", SYSTEM_PATH);
        let (through, direct) = (
            with_input_or_none(through, args, lines),
            with_input_or_none(direct, args, lines),
        );
        assert_eq!(through.stdout, direct.stdout, "{args:?}");
        assert_eq!(stderr(&through), stderr(&direct), "{args:?}");
        assert_eq!(through.status, direct.status, "{args:?}");
    }
    let output = sandbox
        .command("ours/uniq", &["in", "out"])
        .env("PATH", &path)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(
        fs::read(sandbox.path("out")).unwrap(),
        b"a\nb\nc\n\xff\xfe\nlast without newline\n"
    );
}

/// Writes to standard input only for a call without a file. Any other call may end before it is
/// written.
fn with_input_or_none(mut command: Command, args: &[&str], input: &[u8]) -> Output {
    if args.iter().all(|arg| ["-c", "-d", "-u", "-"].contains(arg)) {
        with_input(command, input)
    } else {
        command.output().unwrap()
    }
}

#[test]
fn no_call_without_a_command_ends_with_the_code_of_a_verdict_or_overwrites_a_video() {
    let sandbox = Sandbox::new();
    let video = sandbox.video("a.webm.mkv");
    fs::rename(&video, sandbox.path("a.webm")).unwrap();
    fs::copy(sandbox.path("a.webm"), sandbox.path("bare")).unwrap();
    fs::write(sandbox.path("b.webm"), "a\na\n").unwrap();
    let ours = sandbox.ours("ours");
    let path = path_of(&[&ours, Path::new("/usr/bin"), Path::new("/bin")]);
    let calls: [(&[&str], &str); 9] = [
        (&["a.webm"], "uniq check a.webm"),
        (&["bare"], "uniq check bare"),
        (&["gone.mp4"], "uniq check gone.mp4"),
        (&["a.webm", "b.webm"], "uniq check a.webm b.webm"),
        (&["-c", "a.webm"], "uniq check a.webm"),
        (&["chekc", "a.webm"], "uniq check"),
        (&["stats"], "uniq index stats"),
        (&["--jsn", "a.webm"], "uniq --help"),
        (&["gone"], "uniq --help"),
    ];
    for (args, right) in calls {
        let output = sandbox
            .command("ours/uniq", args)
            .env("PATH", &path)
            .output()
            .unwrap();
        assert_eq!(
            (code(&output), stdout(&output).as_str()),
            (2, ""),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(right),
            "{args:?}: {}",
            stderr(&output)
        );
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(fs::read(sandbox.path("b.webm")).unwrap(), b"a\na\n");
    for (args, right) in [
        (&["chekc", "--json", "a.webm"][..], "uniq check"),
        (&["--json", "a.webm"], "--json"),
    ] {
        let output = sandbox
            .command("ours/uniq", args)
            .env("PATH", &path)
            .output()
            .unwrap();
        let error: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            (code(&output), &error["code"], error["schema"].is_u64()),
            (2, &"usage".into(), true),
            "{error}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(right),
            "{error}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn handing_over_needs_nothing_of_ffmpeg() {
    let needed = fs::read(UNIQ).unwrap();
    let names = |name: &[u8]| needed.windows(name.len()).any(|part| part == name);
    assert!(names(b"libc.so") && !names(b"libav"));
}

#[test]
fn one_of_the_programs_alone_says_what_is_missing() {
    let sandbox = Sandbox::new();
    let alone = sandbox.other("alone", Path::new(UNIQ));
    let output = sandbox
        .command(alone.join("uniq").to_str().unwrap(), &["check", "x.mp4"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("uniq-media: missing"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("install them in one folder"),
        "{}",
        stderr(&output)
    );
    let output = sandbox
        .command(alone.join("uniq").to_str().unwrap(), &["--quiet", "serve"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("uniq-serve: missing"),
        "{}",
        stderr(&output)
    );
    let args = ["check", "--json", "a \"b\".mp4"];
    let output = sandbox
        .command(alone.join("uniq").to_str().unwrap(), &args)
        .output()
        .unwrap();
    let error: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (code(&output), &error["code"]),
        (2, &"not_installed".into()),
        "{error}"
    );
}

#[test]
fn the_other_uniq_dies_quietly_when_its_reader_goes_away() {
    let sandbox = Sandbox::new();
    let ours = sandbox.ours("ours");
    let path = path_of(&[&ours, Path::new("/usr/bin"), Path::new("/bin")]);
    let output = sandbox
        .command("/bin/sh", &["-c", "seq 1000000 | uniq | head -n 1"])
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(
        (stdout(&output).as_str(), stderr(&output).as_str()),
        ("1\n", "")
    );
}

#[test]
fn copies_of_us_and_wrappers_that_call_us_do_not_loop() {
    let sandbox = Sandbox::new();
    let ours = sandbox.ours("ours");
    let copy = sandbox.other("copy", Path::new(UNIQ));
    let wrapper = sandbox.script("wrapper", "exec uniq \"$@\"");
    let last = sandbox.script("last", "echo last");
    let bin = Path::new("/bin");
    for folders in [
        &[&*ours, &copy, &last][..],
        &[&copy, &ours, &last],
        &[&ours, &copy, &ours, &wrapper, &copy, &last],
        &[&ours, &wrapper, &last, bin],
    ] {
        let output = sandbox
            .command("ours/uniq", &["-c"])
            .env("PATH", path_of(folders))
            .output()
            .unwrap();
        assert_eq!(
            stdout(&output),
            "last\n",
            "{folders:?}: {}",
            stderr(&output)
        );
    }
    let output = sandbox
        .command("ours/uniq", &["-c"])
        .env("PATH", path_of(&[&ours, &copy]))
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("coreutils"));
}

#[test]
fn without_another_uniq_the_error_explains() {
    let sandbox = Sandbox::new();
    let ours = sandbox.ours("ours");
    for path in [path_of(&[&ours]), "".into()] {
        let output = sandbox
            .command(UNIQ, &["-c"])
            .env("PATH", path)
            .output()
            .unwrap();
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("coreutils"), "{}", stderr(&output));
        assert!(stderr(&output).contains("uniq --help"));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn alone_on_a_terminal_it_shows_its_own_help() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .command(
            "script",
            &["--quiet", "--return", "--command", UNIQ, "/dev/null"],
        )
        .output()
        .unwrap();
    assert!(
        stdout(&output).contains("Usage:"),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
}

// Help, completions, manual

#[test]
fn every_command_teaches_with_an_example_of_itself() {
    let sandbox = Sandbox::new();
    for words in built() {
        let output = sandbox.uniq(&[words, &["--help"]].concat());
        let help = stdout(&output);
        assert_eq!(code(&output), 0, "{words:?}");
        let example = help
            .split_once("Example:\n")
            .unwrap_or_else(|| panic!("{words:?} has no example"))
            .1;
        let call = ["  uniq", &words.join(" ")].join(" ");
        assert!(
            example
                .lines()
                .any(|line| line.starts_with(call.trim_end())),
            "{words:?}:\n{example}"
        );
        let about = help.lines().next().unwrap();
        assert!(
            about.starts_with(char::is_uppercase) && !about.ends_with('.'),
            "{about}"
        );
    }
}

#[test]
fn the_short_help_of_each_command_fits_on_a_screen_and_names_no_limit() {
    let sandbox = Sandbox::new();
    let mut too_long = Vec::new();
    for words in built() {
        let output = sandbox.uniq(&[words, &["-h"]].concat());
        let help = stdout(&output);
        assert_eq!(code(&output), 0, "{words:?}");
        assert!(help.contains("Usage:"), "{words:?}: {help}");
        assert!(!help.contains("--max-"), "{words:?}: {help}");
        if let Some((_, example)) = help.split_once("\nExample: ") {
            let call = [&["uniq"], words].concat().join(" ");
            assert!(example.contains(&call), "{words:?}: {example}");
        }
        if help.lines().count() >= 25 {
            too_long.push(format!("{words:?}: {} lines", help.lines().count()));
        }
    }
    assert!(too_long.is_empty(), "{too_long:#?}");
    let long = stdout(&sandbox.uniq(&["check", "--help"]));
    for said in ["--max-pixels", "rotated by 90, 180 and 270 degrees"] {
        assert!(long.contains(said), "{long}");
    }
}

#[test]
fn the_version_names_what_decodes() {
    let version = stdout(&Sandbox::new().uniq(&["--version"]));
    let expected = format!("uniq {}", env!("CARGO_PKG_VERSION"));
    assert!(
        version.starts_with(&expected)
            && version.contains(", FFmpeg ")
            && version.contains("libavcodec "),
        "{version}"
    );
}

#[test]
fn the_list_of_commands_is_complete() {
    let sandbox = Sandbox::new();
    for group in [
        &[][..],
        &["index"],
        &["index", "benign"],
        &["key"],
        &["certificate"],
        &["intake"],
    ] {
        let help = stdout(&sandbox.uniq(&[group, &["--help"]].concat()));
        let commands = help
            .split_once("Commands:\n")
            .unwrap()
            .1
            .split_once("\n\n")
            .unwrap()
            .0;
        // The description of a command may continue on a second line.
        for line in commands.lines().filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            let words = [group, &[name]].concat();
            assert!(
                name == "help" || COMMANDS.contains(&&*words),
                "{words:?} is not tested"
            );
        }
    }
}

#[test]
fn completion_scripts_parse() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = sandbox.uniq(&["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("fingerprint"), "{shell}");
        let parser = Command::new(shell)
            .arg("-n")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        match parser {
            Ok(mut child) => {
                child
                    .stdin
                    .take()
                    .unwrap()
                    .write_all(&output.stdout)
                    .unwrap();
                let parsed = child.wait_with_output().unwrap();
                assert!(parsed.status.success(), "{shell}: {}", stderr(&parsed));
            }
            Err(error) => assert!(shell != "bash", "bash is needed for this test: {error}"),
        }
    }
}

#[test]
fn manual_pages_are_roff_one_a_command() {
    let sandbox = Sandbox::new();
    let page = stdout(&sandbox.uniq(&["man"]));
    assert!(
        page.starts_with(['.', '\'']) && page.contains("\n.TH uniq 1"),
        "{page}"
    );
    let output = sandbox.uniq(&["man", "--dir", "pages/man1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for words in COMMANDS {
        let name = [&["uniq"], words].concat().join("-");
        let page = fs::read_to_string(sandbox.path(&format!("pages/man1/{name}.1"))).unwrap();
        assert!(page.contains(&format!("\n.TH {name} 1")), "{name}");
    }
}

// Exit codes and streams

#[test]
fn a_wrong_command_line_is_an_error_on_standard_error() {
    let sandbox = Sandbox::new();
    let wrong: [&[&str]; 8] = [
        &["check"],
        &["index"],
        &["index", "unknown"],
        &["check", "--search", "some", "clip"],
        &["index", "build", "--interval", "0.05", "x"],
        &["index", "build", "-j", "0", "x"],
        &["fingerprint", "clip"],
        &["completions", "no-shell"],
    ];
    for args in wrong {
        let output = sandbox.uniq(args);
        assert_eq!(
            (code(&output), stdout(&output).as_str()),
            (2, ""),
            "{args:?}"
        );
        assert!(
            stderr(&output).contains("Usage:") || stderr(&output).contains("--help"),
            "{args:?}"
        );
    }
    let version = sandbox.uniq(&["-V"]);
    assert_eq!(
        stdout(&version),
        format!("uniq {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let sandbox = Sandbox::new();
    for args in [&["completions", "bash"][..], &["man"], &["--help"]] {
        let mut child = sandbox
            .command(UNIQ, args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (code(&output), stderr(&output).as_str()),
            (0, ""),
            "{args:?}"
        );
    }
}

#[test]
fn control_characters_of_a_name_do_not_reach_the_terminal() {
    let sandbox = Sandbox::new();
    let name = format!("{EVIL}.mp4");
    fs::write(sandbox.path(&name), "no video").unwrap();
    let calls: [&[&str]; 6] = [
        &["fingerprint", &name, "-o", "out"],
        &["fingerprint", "missing", "-o", &name, &name],
        &["check", "clip", "--index", &name],
        &["index", "build", &name, "--index", "made"],
        &["index", &name],
        &["-c", &name],
    ];
    for args in calls {
        // Without a PATH the last call ends with our own message about the missing program.
        let output = sandbox
            .command(UNIQ, args)
            .env("PATH", "")
            .output()
            .unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        assert!([2, 4].contains(&code(&output)), "{args:?}");
        assert!(!said.is_empty());
        assert!(
            !said.iter().any(|&byte| byte == 0x1b || byte == 7),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    let raw = OsStr::from_bytes(b"\xff\x1b[2J.mp4");
    let output = sandbox.uniq(&[
        OsStr::new("fingerprint"),
        raw,
        OsStr::new("-o"),
        OsStr::new("out"),
    ]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("\\u{1b}[2J.mp4"),
        "{}",
        stderr(&output)
    );
}

// Places of the index

#[test]
fn without_an_index_the_places_looked_at_and_the_remedy_are_named_in_order() {
    let sandbox = Sandbox::new();
    let calls: [&[&str]; 7] = [
        &["check", "clip.mp4"],
        &["index", "list"],
        &["index", "stats"],
        &["index", "merge"],
        &["index", "verify"],
        &["index", "remove", "x"],
        &["index", "add", "x.mp4"],
    ];
    for args in calls {
        let output = sandbox.uniq(args);
        let said = stderr(&output);
        assert_eq!(
            (code(&output), stdout(&output).as_str()),
            (2, ""),
            "{args:?}"
        );
        let data = sandbox.path("data/uniq/index").display().to_string();
        let order = [
            "$UNIQ_INDEX",
            "index-data",
            data.as_str(),
            "uniq index build",
        ]
        .map(|place| {
            said.find(place)
                .unwrap_or_else(|| panic!("{args:?} does not name {place}: {said}"))
        });
        assert!(order.is_sorted(), "{said}");
    }
    let output = sandbox.uniq(&["check", "clip.mp4", "--index", "mine"]);
    assert!(
        stderr(&output).contains("mine (--index)"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("uniq index build FOLDER --index mine"));
    let output = sandbox
        .command(UNIQ, &["check", "clip.mp4"])
        .env("UNIQ_INDEX", "theirs")
        .output()
        .unwrap();
    assert!(
        stderr(&output).contains("theirs ($UNIQ_INDEX)"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_option_goes_before_the_variable_before_the_current_folder_before_the_users_data() {
    let sandbox = Sandbox::new();
    let names = ["a.mp4", "b.mp4", "c.mp4", "d.mp4"];
    let first = sandbox.video(names[0]);
    for name in &names[1..] {
        // Other bytes, so that the indexes differ.
        let mut bytes = fs::read(&first).unwrap();
        bytes.extend_from_slice(b"\0\0\0\x0cfree");
        bytes.extend_from_slice(&name.as_bytes()[..4]);
        fs::write(sandbox.path(name), bytes).unwrap();
    }
    let build = |index: Option<&str>, video: &str| {
        let mut args = vec!["index", "build", video];
        args.extend(index.iter().flat_map(|dir| ["--index", *dir]));
        let output = sandbox.uniq(&args);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        output
    };
    let said = stderr(&build(None, "d.mp4"));
    assert!(sandbox.path("data/uniq/index").is_dir(), "{said}");
    assert!(
        said.contains(&sandbox.path("data/uniq/index").display().to_string()),
        "{said}"
    );
    build(Some("index-data"), "c.mp4");
    build(Some("variable"), "b.mp4");
    build(Some("option"), "a.mp4");

    let list = |option: Option<&str>, variable: Option<&str>| {
        let mut args = vec!["index", "list", "--json"];
        args.extend(option.iter().flat_map(|dir| ["--index", *dir]));
        let mut command = sandbox.command(UNIQ, &args);
        command.envs(variable.map(|dir| ("UNIQ_INDEX", dir)));
        let output = command.output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let lines = stdout(&output);
        let videos: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(videos.len(), 1);
        Path::new(videos[0]["path"].as_str().unwrap())
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(list(Some("option"), Some("variable")), "a.mp4");
    assert_eq!(list(None, Some("variable")), "b.mp4");
    assert_eq!(list(None, None), "c.mp4");
    assert_eq!(list(None, Some("")), "c.mp4");
    fs::remove_dir_all(sandbox.path("index-data")).unwrap();
    assert_eq!(list(None, None), "d.mp4");
}

// With an index

#[test]
fn list_stats_and_remove_work_on_one_index() {
    let sandbox = Sandbox::new();
    let name = format!("videos/{EVIL}.mp4");
    sandbox.video(&name);
    fs::write(sandbox.path("videos/broken.mp4"), "no video").unwrap();
    let built = sandbox.uniq(&["index", "build", "videos", "--index", "i"]);
    // One source failed, the other was added.
    assert_eq!(
        (code(&built), stdout(&built).as_str()),
        (4, ""),
        "{}",
        stderr(&built)
    );
    assert!(
        stderr(&built).contains("broken.mp4: not a media file"),
        "{}",
        stderr(&built)
    );
    assert!(
        stderr(&built).contains("added 1 video"),
        "{}",
        stderr(&built)
    );

    let table = sandbox.uniq(&["index", "list", "--index", "i"]);
    assert_eq!(stdout(&table).lines().count(), 1);
    assert!(
        stdout(&table).contains("\\u{1b}]0;owned\\u{7}"),
        "{}",
        stdout(&table)
    );
    assert!(!stdout(&table).contains(['\u{1b}', '\u{7}']));

    let json = stdout(&sandbox.uniq(&["index", "list", "--json", "--index", "i"]));
    let video: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(video["path"].as_str().unwrap().ends_with(&name));
    assert_eq!(video["sha256"].as_str().unwrap().len(), 64);

    let stats = stdout(&sandbox.uniq(&["index", "stats", "--json", "--index", "i"]));
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["videos"], 1);

    // `list | head -0`: the reader is gone before the first line.
    let mut child = sandbox
        .command(UNIQ, &["index", "list", "--index", "i"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let closed = child.wait_with_output().unwrap();
    assert_eq!((code(&closed), stderr(&closed).as_str()), (0, ""));

    let unknown = sandbox.uniq(&["index", "remove", "unknown", "--index", "i"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("unknown: no such video"));
    let removed = sandbox.uniq(&[
        "index",
        "remove",
        video["id"].as_str().unwrap(),
        "--index",
        "i",
    ]);
    assert_eq!(code(&removed), 0, "{}", stderr(&removed));
    assert_eq!(
        stdout(&sandbox.uniq(&["index", "list", "--index", "i"])),
        ""
    );
}

#[test]
fn one_bad_clip_leaves_the_others_their_answers_in_order() {
    let sandbox = Sandbox::new();
    sandbox.video("videos/a.mp4");
    let built = sandbox.uniq(&["index", "build", "videos", "--index", "i"]);
    assert_eq!(code(&built), 0, "{}", stderr(&built));
    fs::write(sandbox.path("bad.mp4"), "no video").unwrap();
    let args = [
        "check",
        "--json",
        "--index",
        "i",
        "bad.mp4",
        "videos/a.mp4",
        "missing.mp4",
    ];
    let output = sandbox.uniq(&args);
    assert_eq!(code(&output), 2);
    let lines: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let paths: Vec<_> = lines
        .iter()
        .map(|line| line["clip"]["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["bad.mp4", "videos/a.mp4", "missing.mp4"]);
    assert!(
        lines[0]["message"]
            .as_str()
            .unwrap()
            .contains("not a media file"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1]["verdict"].is_string() && lines[1]["message"].is_null(),
        "{}",
        lines[1]
    );
    assert!(
        lines[2]["message"]
            .as_str()
            .unwrap()
            .starts_with("missing.mp4: "),
        "{}",
        lines[2]
    );
    // For a person the same errors go to standard error.
    let human = sandbox.uniq(&["check", "--index", "i", "bad.mp4", "videos/a.mp4"]);
    assert_eq!(code(&human), 2);
    assert!(stderr(&human).contains("bad.mp4: not a media file"));
    assert!(
        stdout(&human).starts_with("videos/a.mp4: "),
        "{}",
        stdout(&human)
    );
}

#[test]
fn an_interrupted_build_keeps_an_index_and_the_same_command_completes_it() {
    let sandbox = Sandbox::new();
    let short = sandbox.video("videos/a.mp4");
    let joined = sandbox.path("list.txt");
    fs::write(&joined, format!("file '{}'\n", short.display()).repeat(200)).unwrap();
    let made = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "concat",
            "-safe",
            "0",
            "-i",
        ])
        .args([
            joined.as_os_str(),
            OsStr::new("-c"),
            OsStr::new("copy"),
            sandbox.path("videos/b.mp4").as_os_str(),
        ])
        .status()
        .unwrap();
    assert!(made.success());
    let args = ["index", "build", "videos", "--index", "i"];
    let mut child = sandbox
        .command(UNIQ, &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // The first line appears once the signal handler is installed.
    talk.read_line(&mut said).unwrap();
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    talk.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{said}");
    assert!(
        said.contains("keeping finished videos") && said.contains("the same command again"),
        "{said}"
    );
    let before = sandbox.uniq(&["index", "list", "--index", "i"]);
    assert_eq!(code(&before), 0, "{}", stderr(&before));
    assert!(stdout(&before).lines().count() < 2, "{}", stdout(&before));
    let again = sandbox.uniq(&args);
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert_eq!(
        stdout(&sandbox.uniq(&["index", "list", "--index", "i"]))
            .lines()
            .count(),
        2
    );
}
