//! An operator's daily work: builds after earlier failures, corrected facts, lists of clips, JSON.

use super::*;

use serde_json::Value;

fn lines(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The single JSON object that a call prints.
pub(super) fn object(output: &Output) -> Value {
    let found = lines(output);
    let [one] = &found[..] else {
        panic!("{found:?}: {}", stderr(output))
    };
    one.clone()
}

fn listed(sandbox: &Sandbox) -> Vec<Value> {
    lines(&sandbox.uniq(&["index", "list", "--json", "--index", "i"]))
}

#[test]
fn a_failure_from_before_is_one_line_and_no_error_until_its_file_changes() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    for name in ["b.mp4", "c.mkv"] {
        fs::write(sandbox.path("v").join(name), format!("no video {name}")).unwrap();
    }
    fs::write(sandbox.path("v/notes.txt"), "text").unwrap();
    let build = |more: &[&str]| {
        sandbox.uniq(&[&["index", "build", "v", "--json", "--index", "i"], more].concat())
    };
    let first = build(&[]);
    let found = object(&first);
    assert_eq!(
        (code(&first), found["failed"].as_array().unwrap().len()),
        (4, 2),
        "{found}"
    );
    assert_eq!(found["failed"][0]["code"], "not_media");
    assert_eq!(
        (
            &found["no_videos"]["files"],
            &found["no_videos"]["endings"]["txt"]
        ),
        (&1.into(), &1.into()),
        "{found}"
    );
    assert!(
        stderr(&first).contains("1 file skipped") && stderr(&first).contains("notes.txt"),
        "{}",
        stderr(&first)
    );
    let again = build(&[]);
    assert_eq!(
        (
            code(&again),
            object(&again)["failed_before"].as_array().unwrap().len()
        ),
        (0, 2),
        "{}",
        stderr(&again)
    );
    assert!(
        stderr(&again).contains("2 known failures; see them with --failures"),
        "{}",
        stderr(&again)
    );
    assert!(!stderr(&again).contains("b.mp4"), "{}", stderr(&again));
    assert!(stderr(&build(&["--failures"])).contains("b.mp4: not a media file"));
    fs::write(sandbox.path("v/b.mp4"), "still no video").unwrap();
    assert_eq!((code(&build(&[])), code(&build(&[]))), (4, 0));
}

#[test]
fn what_is_wrong_with_hundreds_of_files_is_one_line_and_each_is_named_on_request() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    let lines: String = (0..550)
        .map(|number| {
            format!(
                "{}\n",
                sandbox.path(&format!("v/gone {number}.mp4")).display()
            )
        })
        .collect();
    fs::write(sandbox.path("list.csv"), format!("path\nv/a.mp4\n{lines}")).unwrap();
    for (command, expected) in [
        ("build", "more (--failures names them all)"),
        ("update", "550 files not in the index"),
    ] {
        let output = sandbox.uniq(&["index", command, "list.csv", "--json", "--index", "i"]);
        assert_eq!(code(&output), 4, "{}", stderr(&output));
        assert!(
            stderr(&output).lines().count() < 6 && stderr(&output).contains(expected),
            "{}",
            stderr(&output)
        );
        let found = object(&output);
        assert_eq!(
            found["failed"].as_array().unwrap().len()
                + found["not_there"].as_array().unwrap().len(),
            550
        );
        let all = sandbox.uniq(&["index", command, "list.csv", "--failures", "--index", "i"]);
        assert_eq!(
            stderr(&all).matches("/v/gone ").count(),
            550,
            "{}",
            stderr(&all)
        );
    }
}

#[test]
fn facts_and_places_are_corrected_without_decoding_and_nothing_else_changes() {
    let sandbox = Sandbox::new();
    let video = sandbox.video("v/a.mp4");
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "v", "--index", "i"])),
        0
    );
    let before = listed(&sandbox).remove(0);
    assert!(
        before["added_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{before}"
    );
    fs::write(
        sandbox.path("list.csv"),
        "path,title,published_at\nv/a.mp4,Sea,20240131\nv/gone.mp4,Gone,\n",
    )
    .unwrap();
    let update = || sandbox.uniq(&["index", "update", "list.csv", "--json", "--index", "i"]);
    let updated = update();
    let found = object(&updated);
    assert_eq!(
        (code(&updated), &found["corrected"], &found["added"]),
        (4, &1.into(), &0.into()),
        "{found}"
    );
    assert!(
        stderr(&updated).contains("v/gone.mp4: not in the index"),
        "{}",
        stderr(&updated)
    );
    let after = listed(&sandbox).remove(0);
    assert_eq!(
        (&after["title"], &after["published_at"]),
        (&"Sea".into(), &"2024-01-31".into())
    );
    for same in ["id", "path", "keyframes", "added_at"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(object(&update())["corrected"], 0);
    // A moved file is recognised by its bytes. A folder does not override facts from a list.
    fs::rename(&video, sandbox.path("moved.mp4")).unwrap();
    let added = sandbox.uniq(&["index", "add", "moved.mp4", "--index", "i"]);
    assert!(
        code(&added) == 0 && stderr(&added).contains("1 corrected"),
        "{}",
        stderr(&added)
    );
    let moved = listed(&sandbox).remove(0);
    assert_eq!(
        (&moved["path"], &moved["title"]),
        (&"moved.mp4".into(), &"Sea".into())
    );
    let whole = sandbox.uniq(&["index", "verify", "--index", "i"]);
    assert_eq!(code(&whole), 0, "{}", stdout(&whole));
    let stats = object(&sandbox.uniq(&["index", "stats", "--json", "--index", "i"]));
    assert!(
        stats["cells"] == 1 && stats["committed_at"].is_string() && stats["videos"] == 1,
        "{stats}"
    );
}

#[test]
fn a_video_is_removed_by_any_of_its_names_and_never_by_one_that_others_have() {
    let sandbox = Sandbox::new();
    let first = sandbox.video("v/a.mp4");
    fs::create_dir(sandbox.path("w")).unwrap();
    for name in ["v/b.mp4", "w/a.mp4", "v/c.mp4", "v/d.mp4"] {
        let bytes = [
            fs::read(&first).unwrap(),
            format!("\0\0\0\x10free{name}").into_bytes(),
        ]
        .concat();
        fs::write(sandbox.path(name), bytes).unwrap();
    }
    fs::write(
        sandbox.path("list.csv"),
        "path,url\nv/d.mp4,https://v.example/d\n",
    )
    .unwrap();
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "v", "w", "list.csv", "--index", "i"])),
        0
    );
    let remove = |name: &str| sandbox.uniq(&["index", "remove", name, "--json", "--index", "i"]);
    let twice = remove("a.mp4");
    let found = object(&twice);
    assert_eq!(
        (code(&twice), &found["not_removed"][0]["code"]),
        (2, &"ambiguous".into()),
        "{found}"
    );
    assert_eq!(
        found["not_removed"][0]["candidates"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "{found}"
    );
    assert!(
        stderr(&twice).contains("w/a.mp4") && stderr(&twice).contains("v/a.mp4"),
        "{}",
        stderr(&twice)
    );
    let id = listed(&sandbox)
        .iter()
        .find(|video| video["path"] == "v/c.mp4")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let absolute = sandbox.path("w/a.mp4").canonicalize().unwrap();
    for name in [
        absolute.to_str().unwrap(),
        "b.mp4",
        &id[..10],
        "https://v.example/d",
        "./v/../v/a.mp4",
    ] {
        let output = remove(name);
        assert_eq!(
            (
                code(&output),
                object(&output)["removed"].as_array().unwrap().len()
            ),
            (0, 1),
            "{name}"
        );
    }
    assert!(listed(&sandbox).is_empty());
    assert_eq!(
        object(&remove("a.mp4"))["not_removed"][0]["code"],
        "not_there"
    );
}

#[test]
fn folders_lists_and_standard_input_give_the_clips() {
    let sandbox = Sandbox::new();
    let first = sandbox.video("v/a.mp4");
    fs::copy(&first, sandbox.path("v/bare")).unwrap();
    fs::write(sandbox.path("v/notes.txt"), "text").unwrap();
    fs::write(
        sandbox.path("list.jsonl"),
        "{\"path\":\"v/a.mp4\"}\n{\"path\":5}\n",
    )
    .unwrap();
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "v/a.mp4", "--index", "i"])),
        0
    );
    let paths = |output: &Output| -> Vec<String> {
        lines(output)
            .iter()
            .map(|line| line["clip"]["path"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let folder = sandbox.uniq(&["check", "--json", "v", "--index", "i"]);
    assert_eq!(
        (code(&folder), paths(&folder)),
        (1, vec!["v/a.mp4".to_owned(), "v/bare".to_owned()])
    );
    assert!(
        stderr(&folder).contains("1 file skipped"),
        "{}",
        stderr(&folder)
    );
    let same = |answer: &Value| {
        answer["matches"]
            .as_array()
            .unwrap()
            .iter()
            .any(|found| found["identical"] == true)
    };
    assert!(lines(&folder).iter().all(same), "{}", stdout(&folder));
    assert!(
        lines(&folder)[0]["checked_at"].is_string()
            && lines(&folder)[0]["tool"]["libavcodec"].is_string()
    );
    let list = sandbox.uniq(&["check", "--json", "list.jsonl", "--index", "i"]);
    assert_eq!(
        (code(&list), paths(&list)),
        (2, vec!["list.jsonl".to_owned(), "v/a.mp4".to_owned()])
    );
    assert_eq!(lines(&list)[0]["code"], "invalid_list");
    let piped = sandbox.command(UNIQ, &["check", "--json", "-", "--index", "i"]);
    let piped = with_input(piped, b"v/a.mp4\nv/gone.mp4\n");
    assert_eq!(
        (code(&piped), paths(&piped)),
        (2, vec!["v/a.mp4".to_owned(), "v/gone.mp4".to_owned()])
    );
    let error = &lines(&piped)[1];
    assert_eq!(
        (&error["code"], error["schema"].is_u64()),
        (&"io".into(), true),
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("v/gone.mp4: "),
        "{error}"
    );
    let text = stdout(&sandbox.uniq(&["check", "v/a.mp4", "--index", "i"]));
    for expected in [
        "the same file, byte for byte",
        "clip SHA-256",
        "effort standard",
        "libavcodec",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn where_no_decoding_process_starts_json_has_one_object_and_nothing_else_happens() {
    let sandbox = Sandbox::new();
    sandbox.video("a.mp4");
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "a.mp4", "--index", "i"])),
        0
    );
    // With one file descriptor left, no pipe to a decoding process can be made.
    let starved = |args: &[&str]| {
        let shell = ["-c", "ulimit -n 4; exec \"$@\"", "sh", UNIQ];
        sandbox
            .command("sh", &[&shell[..], args].concat())
            .output()
            .unwrap()
    };
    for args in [
        &["check", "--json", "a.mp4", "a.mp4", "--index", "i"][..],
        &["index", "add", "--json", "a.mp4", "--index", "i"],
        &["index", "build", "--json", "a.mp4", "--index", "new"],
    ] {
        let output = starved(args);
        let error = object(&output);
        assert_eq!(
            (code(&output), &error["code"]),
            (2, &"no_worker".into()),
            "{args:?}: {error}"
        );
        assert!(
            error["schema"].is_u64() && error["clip"].is_null(),
            "{error}"
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("no decoding process can be started"),
            "{error}"
        );
        assert_eq!(
            stderr(&output).matches("no decoding process").count(),
            1,
            "{}",
            stderr(&output)
        );
    }
    assert!(!sandbox.path("new").exists());
}

#[test]
fn whatever_goes_wrong_with_json_is_one_object() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    let calls: [(&[&str], &str); 7] = [
        (&["check", "--json", "v/a.mp4", "b.mp4"], "no_index"),
        (&["index", "stats", "--json"], "no_index"),
        (&["index", "add", "--json", "v"], "no_index"),
        (&["index", "remove", "--json", "x"], "no_index"),
        (&["check", "--json", "--no-such-option", "x"], "usage"),
        (
            &["index", "build", "--json", "nowhere", "--index", "i"],
            "io",
        ),
        (
            &[
                "index",
                "build",
                "--json",
                "--require-sandbox",
                "--in-process",
                "v",
                "--index",
                "i",
            ],
            "usage",
        ),
    ];
    for (args, expected) in calls {
        let output = sandbox.uniq(args);
        let error = object(&output);
        assert_eq!(
            (code(&output), &error["code"]),
            (2, &expected.into()),
            "{args:?}: {error}"
        );
        assert!(
            error["schema"].is_u64() && !error["message"].as_str().unwrap().is_empty(),
            "{error}"
        );
    }
}

/// The longest file names leave no room for a suffix of ours.
#[test]
fn a_video_whose_name_has_255_bytes_is_like_any_other() {
    let sandbox = Sandbox::new();
    let made = sandbox.video("made.mp4");
    fs::create_dir(sandbox.path("v")).unwrap();
    let long = |ending: &str| format!("{}{ending}", "n".repeat(255 - ending.len()));
    for (number, name) in [
        long(".mp4"),
        long(""),
        format!("{}.mp4", "\u{e9}".repeat(125)),
    ]
    .iter()
    .enumerate()
    {
        let mut bytes = fs::read(&made).unwrap();
        bytes.extend(b"\0\0\0\x10free");
        bytes.extend([number as u8; 8]);
        fs::write(sandbox.path("v").join(name), bytes).unwrap();
    }
    for _ in 0..2 {
        let build = sandbox.uniq(&["index", "build", "v", "--index", "i"]);
        assert_eq!(code(&build), 0, "{}", stderr(&build));
    }
    assert_eq!(listed(&sandbox).len(), 3);
    let clip = format!("v/{}", long(".mp4"));
    assert_eq!(code(&sandbox.uniq(&["check", &clip, "--index", "i"])), 1);
    let saved = long(".uniq");
    let fingerprint = sandbox.uniq(&["fingerprint", &clip, "-o", &saved]);
    assert_eq!(code(&fingerprint), 0, "{}", stderr(&fingerprint));
    assert_eq!(
        code(&sandbox.uniq(&["check", "--fingerprint", &saved, "--index", "i"])),
        1
    );
    assert_eq!(
        code(&sandbox.uniq(&["index", "remove", &clip, "--index", "i"])),
        0
    );
}

#[test]
fn the_answer_names_the_page_that_it_has_written() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    sandbox.uniq(&["-q", "index", "build", "v", "--index", "i"]);
    let check = |more: &[&str]| {
        let output = sandbox.uniq(&[&["check", "v/a.mp4", "--index", "i"], more].concat());
        stdout(&output)
    };
    let with = check(&["--html", "a.html"]);
    assert!(with.ends_with("\n  page          a.html\n"), "{with}");
    assert!(!check(&[]).contains("  page "));
    assert!(sandbox.path("a.html").is_file());
    let added = sandbox.uniq(&[
        "intake", "add", "v/a.mp4", "--by", "ada", "--ledger", "l", "--index", "i", "--html",
        "b.html",
    ]);
    let said = stdout(&added);
    assert!(said.ends_with("\n  page          b.html\n"), "{said}");
}

#[test]
fn a_clip_that_cannot_be_read_is_counted_in_the_text_and_named_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    fs::write(sandbox.path("v/broken.mp4"), "no video").unwrap();
    let output = sandbox.uniq(&["dedup", "v/a.mp4", "v/broken.mp4", "v/gone.mp4"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    let (said, complaint) = (stdout(&output), stderr(&output));
    assert!(
        said.ends_with("3 files, 2 of them unreadable, 0 superfluous; no duplicates\n"),
        "{said}"
    );
    for name in ["broken.mp4", "gone.mp4"] {
        assert!(!said.contains(name), "{said}");
        assert_eq!(complaint.matches(name).count(), 1, "{complaint}");
    }
}
