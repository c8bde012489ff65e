//! A stand-in for the helper: this test program, started by a script in place of Python.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use uniq::index::{Index, Shard, State, parts};
use uniq::scatter::{Needs, Question, search};
use uniq::{CheckOptions, Decoding};

/// What a service starts in place of Python.
pub(super) struct StandIn {
    folder: TempDir,
}

impl StandIn {
    /// A stand-in with this behaviour.
    pub(super) fn new(mode: &str) -> StandIn {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = TempDir::new().unwrap();
        let stand_in = StandIn { folder };
        stand_in.set(mode);
        // The test runner's output must not reach the service.
        let script = format!(
            "#!/bin/sh\nexec 3>&1 1>/dev/null\nUNIQ_STAND_IN={:?} UNIQ_STAND_IN_ARGS=\"$*\" exec {:?} --exact \
             ray::stand_in::what_a_service_starts_in_the_place_of_python --nocapture\n",
            stand_in.folder(),
            std::env::current_exe().unwrap()
        );
        std::fs::write(stand_in.program(), script).unwrap();
        std::fs::set_permissions(stand_in.program(), std::fs::Permissions::from_mode(0o700))
            .unwrap();
        stand_in
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn program(&self) -> PathBuf {
        self.folder().join("python3")
    }

    /// The settings of a service that starts it.
    pub(super) fn settings(&self) -> String {
        format!(
            "[ray]\naddress = \"here:6379\"\npython = {:?}\n",
            self.program()
        )
    }

    /// Changes the behaviour.
    pub(super) fn set(&self, mode: &str) {
        std::fs::write(self.folder().join("mode.new"), mode).unwrap();
        std::fs::rename(self.folder().join("mode.new"), self.folder().join("mode")).unwrap();
    }

    /// Number of questions received.
    pub(super) fn asked(&self) -> usize {
        let asked = std::fs::read(self.folder().join("asked")).unwrap_or_default();
        asked.len()
    }

    /// The address in its last start.
    pub(super) fn address(&self) -> Option<String> {
        let args = std::fs::read_to_string(self.folder().join("args")).ok()?;
        let address = args
            .split(' ')
            .find_map(|arg| arg.strip_prefix("--address="));
        address.map(str::to_owned)
    }

    /// Whether the last process still runs.
    pub(super) fn runs(&self) -> bool {
        let pid = std::fs::read_to_string(self.folder().join("pid")).unwrap();
        Path::new(&format!("/proc/{pid}/stat")).exists()
    }
}

/// The stand-in itself. In a normal run of the tests it has nothing to do.
#[test]
fn what_a_service_starts_in_the_place_of_python() {
    let Some(folder) = std::env::var_os("UNIQ_STAND_IN") else {
        return;
    };
    let args = std::env::var("UNIQ_STAND_IN_ARGS").unwrap();
    serve(Path::new(&folder), &args);
    // The test runner must print nothing more.
    std::process::exit(0);
}

fn serve(folder: &Path, args: &str) {
    std::fs::write(folder.join("args"), args).unwrap();
    std::fs::write(folder.join("pid"), std::process::id().to_string()).unwrap();
    let args: Vec<&str> = args.split(' ').collect();
    assert_eq!(args[..2], ["-m", "uniq.questions"]);
    let index = args[args.iter().position(|arg| *arg == "--index").unwrap() + 1];
    let mode = || std::fs::read_to_string(folder.join("mode")).unwrap();
    let (mut input, mut output) = (
        std::io::stdin().lock(),
        std::fs::File::options()
            .write(true)
            .open("/dev/fd/3")
            .unwrap(),
    );
    let error = |text: &str| json!({ "code": "incomplete_answer", "message": text });
    match &*mode() {
        "lacks the package" => {
            eprintln!("python3: No module named uniq");
            return;
        }
        "finds no cluster" => {
            let said = error("no Ray cluster can be reached; start one with: ray start --head");
            return frame(&mut output, json!({ "error": said }), &[]);
        }
        "is of another version" => {
            return frame(&mut output, json!({ "speaks": 1, "version": "0.0.0" }), &[]);
        }
        _ => {}
    }
    let hello = json!({ "speaks": 1, "version": env!("CARGO_PKG_VERSION") });
    frame(&mut output, hello, &[]);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap() == 0 {
            return;
        }
        let asked: Value = serde_json::from_str(&line).unwrap();
        let sizes = asked["sizes"].as_array().unwrap().iter();
        let sent: Vec<Vec<u8>> = sizes
            .map(|size| {
                let mut part = vec![0; size.as_u64().unwrap() as usize];
                input.read_exact(&mut part).unwrap();
                part
            })
            .collect();
        let (id, mode) = (&asked["id"], mode());
        if mode == "hangs" {
            std::thread::sleep(Duration::from_secs(600));
        }
        if asked["ask"] == "ready" {
            let head = match &*mode {
                "has no cluster" => json!({ "id": id, "error": error("no actor answers") }),
                _ => json!({ "id": id }),
            };
            frame(&mut output, head, &[]);
            continue;
        }
        let all = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("asked"));
        all.unwrap().write_all(b".").unwrap();
        let wrong = |output: &mut std::fs::File, code: &str| {
            let wrong = json!({ "code": code, "message": "the stand-in refuses" });
            frame(output, json!({ "id": id, "error": wrong }), &[]);
        };
        match &*mode {
            "is silent" => continue,
            "dies" => return,
            "makes noise" => output.write_all(b"INFO worker.py: connected\n").unwrap(),
            "refuses" => wrong(&mut output, "incomplete_answer"),
            "takes too long" => wrong(&mut output, "limit_exceeded"),
            "cuts" => {
                let mut whole = Vec::new();
                frame(&mut whole, json!({ "id": id }), &[vec![7; 100]]);
                output.write_all(&whole[..whole.len() - 7]).unwrap();
                return;
            }
            _ => {
                let found = answers(Path::new(index), folder, &sent, &mode);
                frame(&mut output, json!({ "id": id }), &found);
            }
        }
    }
}

/// The answer, in behaviours that answer.
fn answers(index: &Path, folder: &Path, sent: &[Vec<u8>], mode: &str) -> Vec<Vec<u8>> {
    if mode == "is old" {
        return candidates(&folder.join("old"), sent, true);
    }
    let mut found = candidates(index, sent, false);
    let last = found.len() - 1;
    match mode {
        "drops" => drop(found.remove(last)),
        "doubles" => found.push(found[last].clone()),
        "damages" => {
            let middle = found[last].len() / 2;
            found[last][middle] ^= 1;
        }
        _ => {}
    }
    found
}

/// The candidates of all segments for a question; of another commit if `is_other`.
fn candidates(dir: &Path, sent: &[Vec<u8>], is_other: bool) -> Vec<Vec<u8>> {
    let question = Question::from_bytes(&sent[0]).unwrap();
    let state = match is_other {
        true => State::of(&Index::open(dir).unwrap()),
        false => State::from_bytes(&sent[1]).unwrap(),
    };
    let needs = Needs::from_bytes(&sent[2]).unwrap();
    let decoding = Decoding::in_process();
    let options = CheckOptions::new(&decoding);
    parts(dir)
        .unwrap()
        .iter()
        .filter(|part| part.role.is_searched())
        .map(|part| {
            let shard = Shard::open(dir, &[part.number]).unwrap();
            let found = search(&shard, &question, &state, &needs, &options);
            found.unwrap().to_bytes().unwrap()
        })
        .collect()
}

fn frame(output: &mut impl std::io::Write, mut head: Value, parts: &[Vec<u8>]) {
    head["sizes"] = parts.iter().map(Vec::len).collect();
    output.write_all(format!("{head}\n").as_bytes()).unwrap();
    parts
        .iter()
        .for_each(|part| output.write_all(part).unwrap());
}
