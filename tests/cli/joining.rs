//! Indexes of an earlier format, joined indexes, and pictures that are added later.

use super::daily::object;
use super::*;

use uniq::fingerprint::FINGERPRINT_VERSION;
use uniq::index::{Index, IndexConfig, Role, Writer};

/// An index of format 4.
fn old_index(sandbox: &Sandbox) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("index-data/golden/v4");
    fs::create_dir_all(sandbox.path("i/segments")).unwrap();
    fs::copy(golden.join("manifest"), sandbox.path("i/manifest")).unwrap();
    for file in fs::read_dir(golden.join("segments")).unwrap() {
        let file = file.unwrap();
        fs::copy(
            file.path(),
            sandbox.path("i/segments").join(file.file_name()),
        )
        .unwrap();
    }
}

#[test]
fn an_index_of_the_format_before_is_upgraded_in_place_and_once() {
    let sandbox = Sandbox::new();
    old_index(&sandbox);
    let refused = sandbox.uniq(&["index", "stats", "--index", "i"]);
    assert!(
        code(&refused) == 2 && stderr(&refused).contains("uniq index upgrade"),
        "{}",
        stderr(&refused)
    );
    let upgraded = sandbox.uniq(&["index", "upgrade", "--index", "i", "--json"]);
    assert_eq!(code(&upgraded), 0, "{}", stderr(&upgraded));
    let found = object(&upgraded);
    assert_eq!(
        (&found["from_format"], &found["to_format"]),
        (&4.into(), &5.into()),
        "{found}"
    );
    assert_eq!(
        (
            &found["index"]["videos"],
            &found["index"]["without_pictures"]
        ),
        (&2.into(), &2.into()),
        "{found}"
    );
    assert!(
        stderr(&upgraded).contains(
            "2 videos without pictures; make them from the files with: uniq index refresh"
        ),
        "{}",
        stderr(&upgraded)
    );
    assert_eq!(code(&sandbox.uniq(&["index", "verify", "--index", "i"])), 0);
    let again = sandbox.uniq(&["index", "upgrade", "--index", "i"]);
    assert!(
        code(&again) == 0 && stderr(&again).contains("nothing to do"),
        "{}",
        stderr(&again)
    );
    let none = sandbox.uniq(&["index", "upgrade", "--index", "none"]);
    assert!(
        code(&none) == 2 && stderr(&none).contains("none"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn indexes_of_several_machines_are_joined_without_their_videos() {
    let sandbox = Sandbox::new();
    for name in ["a", "b"] {
        sandbox.video(&format!("{name}/{name}.mp4"));
        fs::OpenOptions::new()
            .append(true)
            .open(sandbox.path(&format!("{name}/{name}.mp4")))
            .unwrap()
            .write_all(name.as_bytes())
            .unwrap();
        assert_eq!(
            code(&sandbox.uniq(&["index", "build", name, "--index", &format!("of-{name}")])),
            0
        );
        fs::remove_dir_all(sandbox.path(name)).unwrap();
    }
    let join = [
        "index", "merge", "--json", "--index", "all", "--from", "of-a", "of-b",
    ];
    let joined = sandbox.uniq(&join);
    assert_eq!(code(&joined), 0, "{}", stderr(&joined));
    let found = object(&joined);
    assert_eq!(
        (&found["taken_over"], &found["already_there"]),
        (&2.into(), &0.into()),
        "{found}"
    );
    assert_eq!(
        (
            &found["index"]["videos"],
            &found["index"]["without_pictures"]
        ),
        (&2.into(), &0.into()),
        "{found}"
    );
    assert!(
        stderr(&joined).contains("took over 2 videos from of-a, of-b"),
        "{}",
        stderr(&joined)
    );
    let again = object(&sandbox.uniq(&join));
    assert_eq!(
        (&again["taken_over"], &again["already_there"]),
        (&0.into(), &2.into()),
        "{again}"
    );
    assert_eq!(
        code(&sandbox.uniq(&["index", "verify", "--index", "all"])),
        0
    );
    // If one index is missing, nothing is created or taken over.
    let missing = sandbox.uniq(&["index", "merge", "--index", "new", "--from", "of-a", "of-c"]);
    assert!(
        code(&missing) == 2 && stderr(&missing).contains("of-c"),
        "{}",
        stderr(&missing)
    );
    assert!(!sandbox.path("new").exists());
    let itself = sandbox.uniq(&["index", "merge", "--index", "all", "--from", "all"]);
    assert!(
        code(&itself) == 2 && stderr(&itself).contains("another one than the index"),
        "{}",
        stderr(&itself)
    );
}

#[test]
fn a_video_of_two_roles_is_named_and_left() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    sandbox.video("w/b.mp4");
    fs::OpenOptions::new()
        .append(true)
        .open(sandbox.path("w/b.mp4"))
        .unwrap()
        .write_all(b"b")
        .unwrap();
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "v", "--index", "i"])),
        0
    );
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "w", "--index", "j"])),
        0
    );
    assert_eq!(
        code(&sandbox.uniq(&["index", "benign", "add", "v/a.mp4", "--index", "j"])),
        0
    );
    let joined = sandbox.uniq(&["index", "merge", "--json", "--index", "i", "--from", "j"]);
    let found = object(&joined);
    assert_eq!(
        (code(&joined), &found["taken_over"]),
        (4, &1.into()),
        "{found}"
    );
    let conflict = &found["conflicts"][0];
    assert_eq!(
        (&conflict["here"], &conflict["there"]),
        (&"source".into(), &"benign".into()),
        "{found}"
    );
    assert!(
        stderr(&joined).contains("a.mp4: benign material in j, but a source here"),
        "{}",
        stderr(&joined)
    );
}

#[test]
fn pictures_are_made_of_those_that_have_none_and_of_no_others() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "v", "--index", "i"])),
        0
    );
    let made = Index::open(&sandbox.path("i")).unwrap();
    let (reference, video) = made.videos().next().unwrap();
    let track = made.track(reference).unwrap();
    assert!(!track.pictures.is_empty());
    // The same index without pictures.
    let config = IndexConfig {
        fingerprint_version: FINGERPRINT_VERSION,
        interval: made.config().interval,
    };
    let mut writer = Writer::open_or_create(&sandbox.path("j"), config).unwrap();
    writer
        .add_as(
            Role::Source,
            video.clone(),
            track.runs.clone(),
            &track.motion,
        )
        .unwrap();
    writer.commit().unwrap();
    drop(writer);
    let stats = sandbox.uniq(&["index", "stats", "--index", "j"]);
    assert!(
        stdout(&stats).contains("missing for 1 video; make them with: uniq index refresh"),
        "{}",
        stdout(&stats)
    );

    fs::rename(sandbox.path("v"), sandbox.path("moved")).unwrap();
    fs::copy(sandbox.path("moved/a.mp4"), sandbox.path("moved/other.mp4")).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(sandbox.path("moved/other.mp4"))
        .unwrap()
        .write_all(b"more")
        .unwrap();
    let refresh = || sandbox.uniq(&["index", "refresh", "moved", "--json", "--index", "j"]);
    let refreshed = refresh();
    let found = object(&refreshed);
    assert_eq!(
        (code(&refreshed), &found["refreshed"], &found["added"]),
        (4, &1.into(), &0.into()),
        "{found}"
    );
    assert_eq!(
        (
            found["not_there"].as_array().unwrap().len(),
            &found["index"]["without_pictures"]
        ),
        (1, &0.into()),
        "{found}"
    );
    assert!(
        stderr(&refreshed).contains("made the pictures of 1 video"),
        "{}",
        stderr(&refreshed)
    );
    let index = Index::open(&sandbox.path("j")).unwrap();
    let (reference, video) = index.videos().next().unwrap();
    assert_eq!(index.track(reference).unwrap(), track);
    assert!(video.path.contains("moved"), "{}", video.path);
    let again = object(&refresh());
    assert_eq!(
        (&again["refreshed"], &again["already_there"]),
        (&0.into(), &1.into()),
        "{again}"
    );
    assert_eq!(code(&sandbox.uniq(&["index", "verify", "--index", "j"])), 0);
}
