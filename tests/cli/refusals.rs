//! The program's errors for files that are no videos, for lists, and for missing places: each once,
//! with a remedy.

use super::*;

use serde_json::Value;

fn lines(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn build(sandbox: &Sandbox, input: &str) -> Output {
    sandbox.uniq(&["index", "build", input, "--index", "i"])
}

#[test]
fn a_damaged_index_is_told_in_one_object() {
    let sandbox = Sandbox::new();
    sandbox.video("videos/a.mp4");
    assert_eq!(code(&build(&sandbox, "videos")), 0);
    for name in ["manifest", "segments"] {
        let path = match name {
            "manifest" => sandbox.path("i/manifest"),
            _ => fs::read_dir(sandbox.path("i/segments"))
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path(),
        };
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let output = sandbox.uniq(&["check", "--json", "--index", "i", "videos/a.mp4", "b.mp4"]);
        assert_eq!(code(&output), 2, "{name}");
        let found = lines(&output);
        let file = path.file_name().unwrap().to_str().unwrap();
        let [error] = &found[..] else {
            panic!("{name}: {found:?}")
        };
        assert_eq!(
            (&error["code"], error["schema"].is_u64()),
            (&"corrupt_index".into(), true),
            "{name}: {error}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(file) && error["clip"].is_null(),
            "{name}: {error}"
        );
        assert!(
            stderr(&output).contains(file),
            "{name}: {}",
            stderr(&output)
        );
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_name_that_is_no_text_can_be_removed() {
    let sandbox = Sandbox::new();
    let video = sandbox.video("plain.mp4");
    let name = OsStr::from_bytes(b"\xff\xfe.mp4");
    fs::rename(video, sandbox.dir.path().join(name)).unwrap();
    let args = ["index", "build", "--index", "i"].map(OsStr::new);
    assert_eq!(code(&sandbox.uniq(&[&args[..], &[name]].concat())), 0);
    let args = ["index", "remove", "--index", "i"].map(OsStr::new);
    let output = sandbox.uniq(&[&args[..], &[name]].concat());
    assert!(
        code(&output) == 0 && stderr(&output).contains("removed 1 video"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_is_no_file_in_a_folder_is_named_and_counted() {
    let sandbox = Sandbox::new();
    sandbox.video("videos/a.mp4");
    assert!(
        Command::new("mkfifo")
            .arg(sandbox.path("videos/pipe.mp4"))
            .status()
            .unwrap()
            .success()
    );
    let _socket =
        std::os::unix::net::UnixListener::bind(sandbox.path("videos/socket.mkv")).unwrap();
    fs::create_dir(sandbox.path("videos/folder.mp4")).unwrap();
    let output = build(&sandbox, "videos");
    let words = stderr(&output);
    assert_eq!(code(&output), 4, "{words}");
    assert!(
        words.contains("pipe.mp4") && words.contains("socket.mkv") && !words.contains("folder.mp4"),
        "{words}"
    );
    assert!(
        words.contains("added 1 video") && words.contains("2 failed"),
        "{words}"
    );
}

#[test]
fn lists_say_where_and_what_they_lack() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("5"), "no video").unwrap();
    fs::write(
        sandbox.path("a.jsonl"),
        "{\"path\":5}\n{\"path\":[1,2]}\n{\"path\":\"\"}\n",
    )
    .unwrap();
    let words = stderr(&build(&sandbox, "a.jsonl"));
    for expected in [
        "a.jsonl:1: path is 5; it must be a string",
        "a.jsonl:2: path is [1,2]",
        "a.jsonl:3: no path or file",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    assert!(words.contains("3 failed"), "{words}");
    fs::write(sandbox.path("empty.csv"), "").unwrap();
    let words = stderr(&build(&sandbox, "empty.csv"));
    assert!(
        words.contains("(found: nothing); begin the list with"),
        "{words}"
    );
}

#[test]
fn a_source_that_cannot_be_had_is_counted_once() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4");
    let long = "x".repeat(300);
    fs::write(
        sandbox.path("list.csv"),
        format!("path\na.mp4\n{long}.mp4\na.mp4/b.mp4\n"),
    )
    .unwrap();
    let words = stderr(&build(&sandbox, "list.csv"));
    assert!(
        words.contains("added 1 video") && words.contains("2 failed"),
        "{words}"
    );
    assert!(!words.contains("info.json"), "{words}");
}

#[test]
fn a_place_that_does_not_exist_is_named_with_a_remedy_before_the_work() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4");
    let other = fs::read(sandbox.video("b.mp4")).unwrap();
    fs::create_dir(sandbox.path("folder.mp4")).unwrap();
    for (args, expected) in [
        (
            &["fingerprint", "a.mp4", "-o", "b.mp4"][..],
            "b.mp4: the file exists and is not a fingerprint",
        ),
        (
            &["fingerprint", "a.mp4", "-o", "nodir/x"],
            "nodir/x: its folder nodir does not exist; make it first",
        ),
        (
            &["fingerprint", "a.mp4", "-o", "folder.mp4"],
            "folder.mp4: a folder; name a file in it",
        ),
        (
            &["fingerprint", "-", "-o", "x"],
            "-: open failed; this command does not read standard input: name a file",
        ),
        (
            &["fingerprint", "folder.mp4", "-o", "x"],
            "folder.mp4: open failed; a folder is there: name a file",
        ),
    ] {
        let output = sandbox.uniq(args);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains(expected) && !stderr(&output).contains(".tmp"),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(fs::read(sandbox.path("b.mp4")).unwrap(), other);
    // Fingerprint files of another version, damaged ones and empty files may be overwritten.
    assert_eq!(
        code(&sandbox.uniq(&["fingerprint", "a.mp4", "-o", "a.uniq"])),
        0
    );
    let made = fs::read(sandbox.path("a.uniq")).unwrap();
    let mut other = made.clone();
    other[8] ^= 1;
    for there in [&made, &other, &made[..100], &made[..8], &[]] {
        fs::write(sandbox.path("a.uniq"), there).unwrap();
        assert_eq!(
            code(&sandbox.uniq(&["fingerprint", "a.mp4", "-o", "a.uniq"])),
            0,
            "{} bytes",
            there.len()
        );
        assert_eq!(fs::read(sandbox.path("a.uniq")).unwrap(), made);
    }
    let words = stderr(&sandbox.uniq(&["fingerprint", "a.mp4", "-o", "/dev/null"]));
    assert!(
        words.contains("/dev/null: write failed: it is a folder, device"),
        "{words}"
    );
    // A system file has no length, but is not empty.
    #[cfg(target_os = "linux")]
    for file in ["/proc/self/mem", "/proc/self/status"] {
        let words = stderr(&sandbox.uniq(&["fingerprint", file, "-o", "x"]));
        assert!(
            !words.contains("empty") && words.contains("not a media file"),
            "{words}"
        );
    }
}

#[test]
fn what_of_a_damaged_source_is_not_in_the_index_is_told() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mkv");
    assert!(!stderr(&build(&sandbox, "a.mkv")).contains("damaged"));
    // Matroska stores its length at the start.
    let mut bytes = fs::read(sandbox.path("a.mkv")).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    fs::write(sandbox.path("b.mkv"), bytes).unwrap();
    let words = stderr(&build(&sandbox, "b.mkv"));
    assert!(
        words.contains("b.mkv: damaged, ")
            && words.contains("could not be decoded and are not in the index"),
        "{words}"
    );
}

#[test]
fn a_merge_of_one_segment_says_that_there_is_nothing_to_do() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4");
    assert_eq!(code(&build(&sandbox, "a.mp4")), 0);
    let words = stderr(&sandbox.uniq(&["index", "merge", "--index", "i"]));
    assert!(words.contains("nothing to merge: 1 segment, "), "{words}");
}

#[test]
fn an_index_and_a_root_of_lists_are_folders() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4");
    fs::write(sandbox.path("list.csv"), "path\na.mp4\n").unwrap();
    for args in [
        &["index", "build", "a.mp4", "--index", "a.mp4"][..],
        &["index", "list", "--index", "a.mp4"],
        &["check", "a.mp4", "--index", "/dev/zero"],
        &["doctor", "--index", "a.mp4"],
    ] {
        let output = sandbox.uniq(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(
            stderr(&output).contains(
                ": not a folder; name the folder of an index, or a new one, with --index"
            ),
            "{}",
            stderr(&output)
        );
    }
    for (root, expected) in [
        ("nowhere", "nowhere: open failed"),
        ("a.mp4", "a.mp4: open failed; a file is there"),
    ] {
        let output = sandbox.uniq(&[
            "index",
            "build",
            "list.csv",
            "--list-root",
            root,
            "--index",
            "i",
        ]);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains(expected) && !stderr(&output).contains("list.csv:"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn lists_and_side_files_without_an_end_or_a_sense_are_told_and_the_videos_are_taken() {
    let sandbox = Sandbox::new();
    let first = sandbox.video("v/a.mp4");
    for name in ["b", "c", "d"] {
        let bytes = [fs::read(&first).unwrap(), name.as_bytes().to_vec()].concat();
        fs::write(sandbox.path(&format!("v/{name}.mp4")), bytes).unwrap();
    }
    assert!(
        Command::new("mkfifo")
            .arg(sandbox.path("v/a.info.json"))
            .status()
            .unwrap()
            .success()
    );
    fs::write(sandbox.path("v/b.info.json"), "{\"a\":".repeat(100_000)).unwrap();
    fs::File::create(sandbox.path("v/c.info.json"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    symlink("/dev/zero", sandbox.path("v/d.info.json")).unwrap();
    let words = stderr(&build(&sandbox, "v"));
    for expected in [
        "a.info.json:1: a pipe",
        "recursion limit",
        "c.info.json:1: the file has 1099511627776 bytes",
        "d.info.json: a symbolic",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(words.contains("added 4 videos"), "{words}");
    for list in ["zero.csv", "zero.jsonl"] {
        symlink("/dev/zero", sandbox.path(list)).unwrap();
        let words = stderr(&build(&sandbox, list));
        assert!(
            words.contains(&format!("{list}:1: a pipe, socket or device")),
            "{words}"
        );
    }
}
