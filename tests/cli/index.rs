//! Merging, verifying and counting an index with the program, and its messages if disk or folder
//! are unfit.

use super::*;

use serde_json::Value;
use std::collections::BTreeMap;

/// A folder with the index `i` of some videos, each added by a separate command.
fn sandbox_with_index(videos: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let first = sandbox.video("first.mp4");
    for (number, name) in videos.iter().enumerate() {
        other_bytes(&sandbox, &first, name);
        let command = if number == 0 { "build" } else { "add" };
        must_succeed(&sandbox.uniq(&["index", command, name, "--index", "i"]));
    }
    sandbox
}

/// Copies a video with other bytes, so that it counts as another one.
fn other_bytes(sandbox: &Sandbox, video: &Path, name: &str) {
    let mut bytes = fs::read(video).unwrap();
    bytes.extend_from_slice(b"\0\0\0\x10free");
    let mut padding = name.as_bytes().to_vec();
    padding.resize(8, b' ');
    bytes.extend_from_slice(&padding);
    fs::write(sandbox.path(name), bytes).unwrap();
}

fn must_succeed(output: &Output) {
    assert_eq!(code(output), 0, "{}", stderr(output));
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

fn stats(sandbox: &Sandbox) -> Value {
    json(&sandbox.uniq(&["index", "stats", "--json", "--index", "i"]))
}

fn listed(sandbox: &Sandbox, index: &str) -> String {
    let output = sandbox.uniq(&["index", "list", "--json", "--index", index]);
    must_succeed(&output);
    stdout(&output)
}

/// The files of an index with their bytes, except the lock.
fn files(index: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in [index.to_owned(), index.join("segments")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("lock") {
                let bytes = fs::read(&path).unwrap();
                files.insert(path, bytes);
            }
        }
    }
    files
}

// Merge

#[test]
fn merging_clears_out_what_was_removed_and_what_a_crash_left_and_nothing_else() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4", "c.mp4"]);
    must_succeed(&sandbox.uniq(&["index", "remove", "b.mp4", "--index", "i"]));
    for name in [
        "i/segments/.writing-00000009.seg",
        "i/segments/00000077.seg",
        "i/segments/notes.txt",
    ] {
        fs::write(sandbox.path(name), "left over").unwrap();
    }
    let (before, list) = (stats(&sandbox), listed(&sandbox, "i"));
    assert_eq!(
        (
            &before["segments"],
            &before["tombstones"],
            &before["videos"]
        ),
        (&3.into(), &1.into(), &2.into())
    );

    let merged = sandbox.uniq(&["index", "merge", "--index", "i"]);
    must_succeed(&merged);
    assert_eq!(stdout(&merged), "");
    assert!(
        stderr(&merged).contains("1 segment instead of 3"),
        "{}",
        stderr(&merged)
    );
    assert!(
        stderr(&merged).contains("1 removed video cleared out"),
        "{}",
        stderr(&merged)
    );
    let after = stats(&sandbox);
    assert_eq!(
        (&after["segments"], &after["tombstones"], &after["cells"]),
        (&1.into(), &0.into(), &1.into())
    );
    assert_eq!(
        (&after["videos"], &after["keys"]),
        (&before["videos"], &before["keys"])
    );
    assert_eq!(listed(&sandbox, "i"), list);
    let files = files(&sandbox.path("i"));
    let bytes: usize = files
        .iter()
        .filter(|(path, _)| !path.ends_with("notes.txt"))
        .map(|(_, file)| file.len())
        .sum();
    assert_eq!(after["bytes"], bytes as u64, "{:?}", files.keys());
    assert!(
        files.contains_key(&sandbox.path("i/segments/notes.txt")),
        "it is not the index's"
    );

    // A second call has nothing to do, and prints nothing with `--quiet`.
    let again = sandbox.uniq(&["--quiet", "index", "merge", "--index", "i"]);
    assert_eq!(
        (
            code(&again),
            stdout(&again).as_str(),
            stderr(&again).as_str()
        ),
        (0, "", "")
    );
    assert_eq!(stats(&sandbox)["root"], after["root"]);
}

// Verify

#[test]
fn a_whole_index_is_whole_whatever_lies_beside_its_files() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    let whole = sandbox.uniq(&["index", "verify", "--index", "i"]);
    assert_eq!((code(&whole), stderr(&whole).as_str()), (0, ""));
    let root = stats(&sandbox)["root"].as_str().unwrap().to_owned();
    assert!(
        stdout(&whole).starts_with("whole: 4 files, "),
        "{}",
        stdout(&whole)
    );
    assert!(stdout(&whole).contains(&root[..12]), "{}", stdout(&whole));

    let stray = [
        "i/segments/.writing-00000003.seg",
        "i/segments/00000003.seg",
    ];
    for name in stray.iter().chain(&["i/segments/notes.txt", "i/notes.txt"]) {
        fs::write(sandbox.path(name), "left over").unwrap();
    }
    let output = sandbox.uniq(&["index", "verify", "--json", "--index", "i"]);
    must_succeed(&output);
    assert!(
        stderr(&output).contains("2 files left over")
            && stderr(&output).contains("uniq index merge")
    );
    let found = json(&output);
    assert_eq!(
        (&found["whole"], &found["damage"]),
        (&true.into(), &Value::Array(Vec::new()))
    );
    assert_eq!(
        (&found["files"], found["root"].as_str()),
        (&4.into(), Some(&*root))
    );
    assert_eq!(found["bytes"], stats(&sandbox)["bytes"]);
    assert_eq!(found["unnamed"], Value::from(stray.to_vec()));
}

#[test]
fn every_damaged_or_missing_file_is_named_with_what_to_do() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    let verify = || {
        let output = sandbox.uniq(&["index", "verify", "--index", "i"]);
        let said = stdout(&output) + &stderr(&output);
        (code(&output), said)
    };
    for (path, original) in files(&sandbox.path("i")) {
        let name = path
            .strip_prefix(sandbox.path(""))
            .unwrap()
            .display()
            .to_string();
        let places = [
            0,
            9,
            20,
            original.len() / 2,
            original.len() - 9,
            original.len() - 1,
        ];
        let flipped = places.map(|at| {
            let mut bytes = original.clone();
            bytes[at] ^= 0x10;
            bytes
        });
        let cut = [0, 1, original.len() / 2, original.len() - 1]
            .map(|length| original[..length].to_vec());
        for bytes in flipped.iter().chain(&cut) {
            fs::write(&path, bytes).unwrap();
            let (code, said) = verify();
            assert_eq!(code, 2, "{name}: {said}");
            // Only an index of another version may be sound; everything else is damage.
            let remedies = [
                "uniq index build",
                "uniq index merge",
                "install a newer uniq",
            ];
            assert!(said.contains(&format!("{name}: ")), "{name}: {said}");
            assert!(
                remedies.iter().any(|remedy| said.contains(remedy)),
                "{name}: {said}"
            );
        }
        let told = json(&sandbox.uniq(&["index", "verify", "--json", "--index", "i"]));
        assert_eq!(
            (&told["whole"], told["root"].is_null()),
            (&false.into(), name == "i/manifest"),
            "{told}"
        );
        assert!(
            told["damage"][0]
                .as_str()
                .is_some_and(|damage| damage.contains(&name)),
            "{told}"
        );
        fs::remove_file(&path).unwrap();
        let (code, said) = verify();
        assert_eq!(code, 2, "{name}: {said}");
        let is_manifest = name == "i/manifest";
        assert!(
            is_manifest || (said.contains(&name) && said.contains("missing")),
            "{name}: {said}"
        );
        assert!(said.contains("uniq index"), "{name}: {said}");
        fs::write(&path, original).unwrap();
    }
    assert_eq!(verify().0, 0);
}

#[test]
fn all_that_is_damaged_is_told_at_once_and_other_segments_are_not_taken_for_ours() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    let segments = ["i/segments/00000001.seg", "i/segments/00000002.seg"];
    let bytes = segments.map(|name| fs::read(sandbox.path(name)).unwrap());
    assert_ne!(bytes[0], bytes[1]);
    // Each file is sound, but not the one that the manifest names.
    fs::write(sandbox.path(segments[0]), &bytes[1]).unwrap();
    fs::write(sandbox.path(segments[1]), &bytes[0]).unwrap();
    let output = sandbox.uniq(&["index", "verify", "--json", "--index", "i"]);
    assert_eq!(code(&output), 2);
    let found = json(&output);
    assert_eq!(found["whole"], false);
    let damage: Vec<&str> = found["damage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    for name in segments {
        assert!(
            damage.iter().any(|text| text.starts_with(name)),
            "{damage:?}"
        );
    }
    // Other commands refuse them too.
    for args in [
        &["index", "list", "--index", "i"][..],
        &["check", "first.mp4", "--index", "i"],
    ] {
        let output = sandbox.uniq(args);
        assert_eq!(
            (code(&output), stdout(&output).as_str()),
            (2, ""),
            "{args:?}"
        );
        // Segments are opened in parallel, so either may be named first.
        assert!(
            segments.iter().any(|name| stderr(&output).contains(name)),
            "{}",
            stderr(&output)
        );
    }
}

// Stats

#[test]
fn stats_count_what_is_there() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    let number = |state: &Value, name: &str| {
        state[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {state}"))
    };
    let state = stats(&sandbox);
    let bytes: usize = files(&sandbox.path("i")).values().map(Vec::len).sum();
    assert_eq!(number(&state, "bytes"), bytes as f64);
    assert!(
        (number(&state, "hours") - 4.0 / 3600.0).abs() < 0.1 / 3600.0,
        "{state}"
    );
    let keys = number(&state, "keys");
    assert!(keys > 0.0, "{state}");
    assert!(
        (number(&state, "bytes_per_key") * keys - bytes as f64).abs() < 0.01,
        "{state}"
    );
    assert!(
        (number(&state, "bytes_per_hour") * number(&state, "hours") - bytes as f64).abs() < 0.01,
        "{state}"
    );
    for (name, expected) in [
        ("videos", 2),
        ("segments", 2),
        ("cells", 1),
        ("tombstones", 0),
    ] {
        assert_eq!(state[name], expected, "{name}: {state}");
    }
    assert!(
        state["screening_recall"].is_null(),
        "nothing is screened: {state}"
    );
    assert_eq!(state["written_by"], env!("CARGO_PKG_VERSION"));
    assert_eq!(state["format_version"], uniq::index::FORMAT_VERSION);
    assert_eq!(
        state["fingerprint_version"],
        uniq::fingerprint::FINGERPRINT_VERSION
    );
    assert_eq!(
        (
            number(&state, "interval_s"),
            state["root"].as_str().unwrap().len()
        ),
        (0.5, 64)
    );

    let table = stdout(&sandbox.uniq(&["index", "stats", "--index", "i"]));
    for shown in [
        "bytes a key",
        "an hour",
        "cells",
        "format",
        "fingerprint",
        "written by uniq",
    ] {
        assert!(table.contains(shown), "{shown}: {table}");
    }
    // Without keys and hours there is no average.
    must_succeed(&sandbox.uniq(&["index", "remove", "a.mp4", "b.mp4", "--index", "i"]));
    let state = stats(&sandbox);
    assert_eq!(
        (&state["videos"], &state["tombstones"], &state["keys"]),
        (&0.into(), &2.into(), &0.into())
    );
    assert!(
        state["bytes_per_key"].is_null() && state["bytes_per_hour"].is_null(),
        "{state}"
    );
}

// Folders and disks

/// Commands that write to the index, and commands that only read it.
const WRITING: [&[&str]; 4] = [
    &["index", "add", "new.mp4", "--index", "i"],
    &["index", "build", "new.mp4", "--index", "i"],
    &["index", "remove", "a.mp4", "--index", "i"],
    &["index", "merge", "--index", "i"],
];
const READING: [&[&str]; 3] = [
    &["index", "list", "--index", "i"],
    &["index", "stats", "--index", "i"],
    &["index", "verify", "--index", "i"],
];

/// Runs the program under conditions in which the index must stay the same to the byte.
fn unchanged(sandbox: &Sandbox, mut command: Command) -> Output {
    let before = files(&sandbox.path("i"));
    let output = command.output().unwrap();
    assert!(
        before == files(&sandbox.path("i")),
        "{command:?} changed the index: {}",
        stderr(&output)
    );
    output
}

/// A shell command that prepares something and then executes the program.
fn after(sandbox: &Sandbox, preparation: &str, program: &Path, args: &[&str]) -> Command {
    let script = format!("{preparation} \"$0\" \"$@\"");
    let mut command = sandbox.command("sh", &["-c", &script]);
    command.arg(program).args(args);
    command
}

#[cfg(target_os = "linux")]
#[test]
fn in_a_read_only_folder_one_can_read_and_writing_says_what_is_missing() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    fs::copy(sandbox.path("first.mp4"), sandbox.path("new.mp4")).unwrap();
    // Root may write everywhere, so this runs as another user, who must be able to reach the
    // program.
    let program = sandbox.other("bin", Path::new(UNIQ)).join("uniq");
    let (work, beside) = (
        env!("CARGO_BIN_EXE_uniq-media"),
        program.with_file_name("uniq-media"),
    );
    assert!(
        Command::new("cp")
            .args([Path::new(work), &beside])
            .status()
            .unwrap()
            .success()
    );
    let root = fs::metadata("/proc/self")
        .map(|own| std::os::unix::fs::MetadataExt::uid(&own))
        .unwrap()
        == 0;
    let preparation = if root {
        "exec setpriv --reuid 65534 --regid 65534 --clear-groups"
    } else {
        "exec"
    };
    let set_mode = |folder: &str, mode| {
        fs::set_permissions(sandbox.path(folder), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode("", 0o755);
    for folder in ["i/segments", "i"] {
        set_mode(folder, 0o555);
    }
    set_mode("i/lock", 0o444);
    for args in READING {
        let output = unchanged(&sandbox, after(&sandbox, preparation, &program, args));
        must_succeed(&output);
        assert!(!stdout(&output).is_empty(), "{args:?}");
    }
    let checked = unchanged(
        &sandbox,
        after(
            &sandbox,
            preparation,
            &program,
            &["check", "first.mp4", "--index", "i"],
        ),
    );
    assert!(
        stdout(&checked).starts_with("first.mp4: "),
        "{}",
        stderr(&checked)
    );
    for args in WRITING {
        let output = unchanged(&sandbox, after(&sandbox, preparation, &program, args));
        let said = stderr(&output);
        assert_eq!(
            (code(&output), stdout(&output).as_str()),
            (2, ""),
            "{args:?}: {said}"
        );
        assert!(
            said.contains("i/lock: ") && said.contains("permission"),
            "{args:?}: {said}"
        );
        assert!(
            said.contains("another folder") && said.contains("ermission denied"),
            "{args:?}: {said}"
        );
    }
    for folder in ["i", "i/segments"] {
        set_mode(folder, 0o755);
    }
}

/// A limit on file size simulates a disk that becomes full at that byte.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_written_to_its_end_leaves_the_index_as_it_was() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    fs::copy(sandbox.path("first.mp4"), sandbox.path("new.mp4")).unwrap();
    let list = listed(&sandbox, "i");
    let longest = files(&sandbox.path("i"))
        .values()
        .map(Vec::len)
        .max()
        .unwrap();
    for args in WRITING {
        let mut failures = 0;
        // From just above the process number in the lock to the longest file, so that each file is
        // hit in its middle by some limit.
        for limit in [
            0,
            16,
            150,
            200,
            300,
            longest / 4,
            longest / 2,
            longest * 3 / 4,
        ] {
            // Without a handler the signal would kill the process; another test covers that crash.
            let preparation = format!("trap '' XFSZ; exec prlimit --fsize={limit}");
            let copy = sandbox.path("copy");
            let _ = fs::remove_dir_all(&copy);
            assert!(
                Command::new("cp")
                    .arg("-r")
                    .arg(sandbox.path("i"))
                    .arg(&copy)
                    .status()
                    .unwrap()
                    .success()
            );
            let before = files(&copy);
            let args: Vec<&str> = args
                .iter()
                .map(|&arg| if arg == "i" { "copy" } else { arg })
                .collect();
            let output = after(&sandbox, &preparation, Path::new(UNIQ), &args)
                .output()
                .unwrap();
            let said = stderr(&output);
            if code(&output) == 0 {
                continue;
            }
            failures += 1;
            assert_eq!(
                (code(&output), stdout(&output).as_str()),
                (2, ""),
                "{args:?} {limit}: {said}"
            );
            assert!(
                said.contains("uniq: copy/") && said.contains("write failed; "),
                "{args:?} {limit}: {said}"
            );
            assert!(
                said.contains("File too large") && said.contains("space"),
                "{args:?} {limit}: {said}"
            );
            must_succeed(&sandbox.uniq(&["index", "verify", "--index", "copy"]));
            let left = listed(&sandbox, "copy");
            assert!(
                !files(&copy)
                    .keys()
                    .any(|path| path.to_string_lossy().contains(".writing-")),
                "{args:?} {limit}"
            );
            // With enough room the same command succeeds. The failed one may have committed its
            // change before a merge failed, and the history may already hold the commit before the
            // failed one.
            let but_history = |mut all: BTreeMap<PathBuf, Vec<u8>>| {
                all.retain(|path, _| !path.ends_with("history"));
                all
            };
            let unchanged = but_history(before) == but_history(files(&copy));
            must_succeed(&sandbox.uniq(&args));
            let whole = listed(&sandbox, "copy");
            assert!(
                left == if unchanged { &*list } else { &*whole },
                "{args:?} {limit}: {left}"
            );
        }
        assert!(failures >= 2, "{args:?} failed only {failures} times");
    }
}

/// Uses a small disk of our own, in a namespace in which we are root, where that is possible.
#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_the_index_stays_and_the_message_asks_for_space() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    fs::copy(sandbox.path("first.mp4"), sandbox.path("new.mp4")).unwrap();
    fs::create_dir(sandbox.path("disk")).unwrap();
    let namespace =
        "exec unshare --map-root-user --mount sh -c 'mount -t tmpfs -o size=64k none disk";
    let possible = sandbox
        .command("sh", &["-c", &format!("{namespace}'")])
        .output()
        .unwrap();
    if !possible.status.success() {
        eprintln!(
            "not tried, no disk of our own can be mounted here: {}",
            stderr(&possible)
        );
        return;
    }
    let list = listed(&sandbox, "i");
    for args in WRITING {
        let args: Vec<&str> = args
            .iter()
            .map(|&arg| if arg == "i" { "disk/i" } else { arg })
            .collect();
        // Leaves a few pages free, so that it fails at different places.
        for free in [0, 1, 2] {
            let steps = format!(
                "{namespace} && cp -r i disk/i && head -c {} /dev/zero > disk/room; cat /dev/zero 2>/dev/null > disk/fill; \
                 rm -f disk/room; \"$0\" \"$@\"; echo \"code $?\"; rm disk/fill; \"$0\" index verify --index disk/i && \
                 \"$0\" index list --json --index disk/i' \"$0\" \"$@\"",
                free * 4096
            );
            let output = sandbox
                .command("sh", &["-c", &steps, UNIQ])
                .args(&args)
                .output()
                .unwrap();
            let (out, said) = (stdout(&output), stderr(&output));
            let (done, rest) = out.split_once('\n').unwrap_or_default();
            assert!(
                rest.starts_with("whole: "),
                "{args:?}, {free} pages free: {out}{said}"
            );
            assert!(
                free > 0 || done == "code 2",
                "{args:?} on a full disk: {done} {said}"
            );
            if done != "code 0" {
                assert!(
                    said.contains("uniq: disk/i/") && said.contains("free some space"),
                    "{args:?}: {said}"
                );
                assert!(said.contains("No space left on device"), "{args:?}: {said}");
                assert!(rest.ends_with(&list), "{args:?}, {free} pages free: {rest}");
            }
        }
    }
}

#[test]
fn an_index_put_back_to_an_older_state_gives_no_verdict_and_takes_no_video() {
    let sandbox = sandbox_with_index(&["a.mp4", "b.mp4"]);
    let manifest = sandbox.path("i/manifest");
    let (older, state) = (fs::read(&manifest).unwrap(), stats(&sandbox));
    other_bytes(&sandbox, &sandbox.path("first.mp4"), "c.mp4");
    must_succeed(&sandbox.uniq(&["index", "add", "c.mp4", "--index", "i"]));
    let before = files(&sandbox.path("i"));
    fs::write(&manifest, &older).unwrap();
    for args in [
        &["check", "a.mp4", "--json"][..],
        &["index", "add", "c.mp4"],
        &["index", "merge"],
        &["index", "stats"],
    ] {
        let output = sandbox.uniq(&[args, &["--index", "i"]].concat());
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{args:?}: {said}");
        assert!(
            said.contains("generation is") && said.contains("put the newest manifest back"),
            "{args:?}: {said}"
        );
        assert!(!stdout(&output).contains("verdict"), "{args:?}");
    }
    let output = sandbox.uniq(&["index", "verify", "--index", "i"]);
    assert_eq!(code(&output), 2);
    let newest = before
        .keys()
        .filter(|path| path.extension().is_some_and(|kind| kind == "seg"))
        .max()
        .unwrap();
    let name = newest.file_name().unwrap().to_str().unwrap();
    assert!(
        stdout(&output).contains(name) && stdout(&output).contains("i/manifest: "),
        "{}",
        stdout(&output)
    );
    // If everything is put back, only a caller with an expectation notices.
    fs::remove_file(sandbox.path("i/notes/newest")).unwrap();
    fs::remove_file(newest).unwrap();
    let (root, generation) = (
        state["root"].as_str().unwrap(),
        state["generation"].as_u64().unwrap(),
    );
    let (generation, later) = (generation.to_string(), (generation + 1).to_string());
    for command in [
        &["check", "a.mp4"][..],
        &["index", "verify"],
        &["index", "stats"],
    ] {
        let ask = |option: [&str; 2]| {
            sandbox.uniq(&[command, &option, &["--json", "--index", "i"]].concat())
        };
        for right in [["--expect-root", root], ["--min-generation", &generation]] {
            let output = ask(right);
            assert!(code(&output) < 2, "{command:?}: {}", stderr(&output));
        }
        for (wrong, what) in [
            (["--expect-root", &"0".repeat(64)], "root"),
            (["--min-generation", &later], "generation"),
        ] {
            let output = ask(wrong);
            let said = format!("{}{}", stdout(&output), stderr(&output));
            assert_eq!(code(&output), 2, "{command:?}: {said}");
            assert!(
                said.contains(&format!("i/manifest: {what} is ")) && !said.contains("verdict"),
                "{said}"
            );
        }
        assert_eq!(code(&ask(["--expect-root", "00"])), 2);
    }
    let output = sandbox.uniq(&[
        "check",
        "a.mp4",
        "--json",
        "--index",
        "i",
        "--min-generation",
        &later,
    ]);
    assert!(
        stdout(&output).contains("\"unexpected_index\""),
        "{}",
        stdout(&output)
    );
}
