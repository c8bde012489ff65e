//! The guarantees of the ledger of submissions, through the real program: each second is paid once,
//! and nothing acknowledged is lost.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod kills;
mod postgres;
mod recheck;
mod review;
mod shop;
mod step;
#[path = "../support/mod.rs"]
mod support;

use std::fs;

use serde_json::Value;
use shop::{MOST_S, Shop, seconds, text};
use support::scenes::{edit, excerpt, moving, tripod};

#[test]
fn a_mirrored_crop_by_another_creator_is_disputed_and_paid_to_nobody() {
    let shop = Shop::new();
    let first = moving(701, 10);
    let said = shop.add(&first, "ada", &["--ref", "order 17"]);
    assert_eq!(
        (&said["submission"]["number"], &said["submission"]["ref"]),
        (&1.into(), &"order 17".into())
    );
    assert!(seconds(&said) > MOST_S, "{said}");

    let stolen = edit(
        &excerpt(&first, 2.0, 6.0),
        "hflip,crop=iw*0.9:ih*0.9,scale=426:240",
        &[],
        "mp4",
    );
    let said = shop.add(&stolen, "bob", &[]);
    assert_eq!(
        said["verdict"], "unpublished",
        "what is only submitted is not published"
    );
    assert_eq!(seconds(&said), 0.0, "{said}");
    let disputed = &said["submission"]["deductions"][0];
    assert_eq!(
        (&disputed["reason"], &disputed["number"], &disputed["by"]),
        (&"disputed".into(), &1.into(), &"ada".into())
    );
    assert_eq!(disputed["mirrored"], true);
    let there = disputed["there"]["start_s"].as_f64().unwrap();
    assert!((there - 2.0).abs() < 0.7, "{disputed}");

    let listed = shop.must(&["intake", "list", "--state", "disputed"]);
    assert!(
        listed.contains("bob") && !listed.contains("ada"),
        "{listed}"
    );

    // The same footage by the same creator is no dispute, and not paid again.
    let again = edit(&first, "scale=480:270", &[], "mp4");
    let said = shop.add(&again, "ada", &[]);
    assert_eq!(
        (
            seconds(&said),
            &said["submission"]["deductions"][0]["reason"]
        ),
        (0.0, &"already_offered".into())
    );

    // `check` does not know submissions.
    let (output, said) = shop.json(&["check", "--json"], &[&stolen]);
    assert_eq!(
        (output.status.code(), &said["verdict"]),
        (Some(0), &"unpublished".into())
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn the_same_file_again_has_the_same_number_and_answer() {
    let shop = Shop::new();
    let clip = moving(702, 8);
    let first = shop.add(&clip, "ada", &[]);
    let moved = shop.path("moved.mp4");
    fs::copy(&clip, &moved).unwrap();
    let mut again = shop.add(&moved, "ada", &[]);
    again["clip"]["path"] = first["clip"]["path"].clone();
    assert_eq!(first, again);
    let other = shop.add(&clip, "bob", &[]);
    assert_eq!(
        (&other["submission"]["number"], seconds(&other)),
        (&2.into(), 0.0)
    );
    assert_eq!(other["submission"]["deductions"][0]["identical"], true);
}

#[test]
fn several_clips_of_one_call_are_held_against_each_other_in_their_order() {
    let shop = Shop::new();
    let (a, b) = (moving(703, 8), moving(704, 8));
    let part = excerpt(&a, 1.0, 6.0);
    let clips = [&b, &a, &part];
    let mut args = vec!["intake", "add", "--json", "--by", "ada", "-j", "3"];
    args.extend(clips.map(|clip| clip.to_str().unwrap()));
    let output = shop.run(&args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<_> = said
        .iter()
        .map(|said| said["submission"]["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(
        seconds(&said[0]) > MOST_S && seconds(&said[1]) > MOST_S,
        "{said:?}"
    );
    assert_eq!(
        (
            seconds(&said[2]),
            &said[2]["submission"]["deductions"][0]["number"]
        ),
        (0.0, &2.into())
    );
}

#[test]
fn another_take_of_a_scene_is_related_and_nobody_is_accused() {
    let shop = Shop::new();
    let (one, other) = (tripod(71, 1, 10), tripod(71, 2, 10));
    let first = shop.add(&one, "ada", &[]);
    let second = shop.add(&other, "bob", &[]);
    let deductions = second["submission"]["deductions"].as_array().unwrap();
    assert!(
        deductions
            .iter()
            .all(|deduction| deduction["reason"] != "disputed"),
        "{second}"
    );
    assert!(seconds(&first) > 0.0, "{first}");
}

#[test]
fn a_person_decides_and_what_was_withdrawn_or_sold_stays_so() {
    let shop = Shop::new();
    let clip = moving(705, 8);
    let copy = edit(&clip, "scale=480:270", &[], "mp4");
    shop.add(&clip, "ada", &[]);
    shop.add(&copy, "bob", &[]);
    let show = |number: &str| -> Value {
        serde_json::from_str(&shop.must(&["intake", "show", number, "--json"])).unwrap()
    };
    let told = shop.must(&[
        "intake",
        "decide",
        "1-2",
        "distinct",
        "--by",
        "joe",
        "--why",
        "two cameras",
    ]);
    assert!(told.contains("submission 2: now"), "{told}");
    assert!(seconds(&show("2")) > MOST_S);
    shop.must(&[
        "intake",
        "decide",
        "2-1",
        "same",
        "--by",
        "sue",
        "--why",
        "one camera",
    ]);
    assert_eq!(seconds(&show("2")), 0.0);
    let whole = shop.must(&["intake", "show", "2"]);
    assert!(
        whole.contains("sue says that they are the same: one camera"),
        "{whole}"
    );

    shop.must(&[
        "intake",
        "withdraw",
        "1",
        "--by",
        "ada",
        "--why",
        "wrong file",
    ]);
    assert!(seconds(&show("2")) > MOST_S, "who came next is served");
    shop.must(&["intake", "sold", "2", "--by", "desk", "--why", "invoice 1"]);
    let refused = shop.run(&["intake", "withdraw", "2", "--by", "desk", "--why", "a test"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("cannot be withdrawn"),
        "{}",
        text(&refused.stderr)
    );
    // Its seconds may be offered again, but are already sold.
    let again = shop.add(&clip, "ada", &[]);
    assert_eq!(
        (&again["submission"]["number"], seconds(&again)),
        (&3.into(), 0.0)
    );
    let list = shop.must(&["intake", "list"]);
    assert_eq!(list.lines().count(), 3, "{list}");
    let csv = shop.must(&["intake", "export", "--table", "claims", "--format", "csv"]);
    assert!(
        csv.lines()
            .any(|line| line.starts_with("2,bob,") && line.contains("sold")),
        "{csv}"
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn what_is_withdrawn_leaves_no_keys_and_no_pictures() {
    let shop = Shop::new();
    shop.add(&moving(706, 8), "ada", &[]);
    let size = |shop: &Shop| -> u64 {
        let segments = fs::read_dir(shop.path("ledger.db.index/segments")).unwrap();
        segments
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    };
    assert!(size(&shop) > 1000);
    shop.must(&["intake", "withdraw", "1", "--by", "desk", "--why", "a test"]);
    assert!(size(&shop) < 1000, "{} bytes are left", size(&shop));
    shop.must(&["intake", "verify"]);
    // The ledger still works.
    assert!(seconds(&shop.add(&moving(706, 8), "bob", &[])) > MOST_S);
}

#[test]
fn a_fingerprint_is_provisional_until_its_clip_confirms_it() {
    let shop = Shop::new();
    let clip = moving(707, 8);
    let print = shop.path("clip.uniq");
    shop.must(&[
        "fingerprint",
        clip.to_str().unwrap(),
        "-o",
        print.to_str().unwrap(),
        "--pictures",
    ]);
    let refused = shop.run(&["intake", "add", print.to_str().unwrap(), "--by", "ada"]);
    assert_eq!(
        refused.status.code(),
        Some(2),
        "a fingerprint has to be asked for by name"
    );
    let said = shop.add(&print, "ada", &["--fingerprint"]);
    assert_eq!(seconds(&said), 0.0);
    assert!(
        said["submission"]["provisional_minutes"].as_f64().unwrap() * 60.0 > MOST_S,
        "{said}"
    );
    assert!(
        text(
            &shop
                .run(&["intake", "sold", "1", "--by", "desk", "--why", "a test"])
                .stderr
        )
        .contains("provisional")
    );
    // It holds its seconds against others.
    let stolen = shop.add(&edit(&clip, "scale=480:270", &[], "mp4"), "bob", &[]);
    assert_eq!(
        (
            seconds(&stolen),
            &stolen["submission"]["deductions"][0]["number"]
        ),
        (0.0, &1.into())
    );

    let other = shop.run(&[
        "intake",
        "add",
        moving(708, 8).to_str().unwrap(),
        "--by",
        "ada",
        "--for",
        "1",
    ]);
    assert_eq!(other.status.code(), Some(2));
    assert!(
        text(&other.stderr).contains("not the clip of submission 1"),
        "{}",
        text(&other.stderr)
    );
    let foreign = shop.run(&[
        "intake",
        "add",
        clip.to_str().unwrap(),
        "--by",
        "bob",
        "--for",
        "1",
    ]);
    assert!(
        text(&foreign.stderr).contains("belongs to ada"),
        "{}",
        text(&foreign.stderr)
    );

    let anew = edit(&clip, "", &["-crf", "20"], "mp4");
    let said = shop.add(&anew, "ada", &["--for", "1"]);
    assert!(seconds(&said) > MOST_S, "{said}");
    let twice = shop.run(&[
        "intake",
        "add",
        anew.to_str().unwrap(),
        "--by",
        "ada",
        "--for",
        "1",
    ]);
    assert!(
        text(&twice.stderr).contains("is already a clip"),
        "{}",
        text(&twice.stderr)
    );
    shop.must(&["intake", "verify"]);
    shop.must(&["intake", "sold", "1", "--by", "desk", "--why", "a test"]);
}

#[test]
fn a_certificate_says_what_is_left_after_the_ledger() {
    let shop = Shop::new();
    let (first, both) = (
        moving(707, 8),
        shop.joined(&moving(707, 8), &moving(710, 8)),
    );
    shop.add(&first, "ada", &[]);
    let (key, file) = (shop.path("k"), shop.path("both.certificate.json"));
    shop.must(&["key", "new", key.to_str().unwrap()]);
    let (key, file) = (key.to_str().unwrap(), file.to_str().unwrap());
    let said = shop.add(&both, "bob", &["--certificate", file, "--key", key]);
    let left = seconds(&said);
    assert!(left > 6.0 && left < 8.5, "{said}");
    let shown: Value =
        serde_json::from_str(&shop.must(&["certificate", "show", file, "--json"])).unwrap();
    let predicate = &shown["predicate"];
    let ms = predicate["payableMs"].as_u64().unwrap();
    assert!((ms as f64 / 1e3 - left).abs() < 0.1, "{ms} and {left}");
    assert_eq!(predicate["submission"]["number"], 2);
    assert_eq!(
        predicate["submission"]["deductions"][0]["reason"],
        "disputed"
    );
    let public = format!("{key}.pub");
    shop.must(&[
        "certificate",
        "verify",
        file,
        "--key",
        &public,
        "--clip",
        both.to_str().unwrap(),
    ]);
}

#[test]
fn a_file_that_is_no_video_fails_and_blocks_nobody() {
    let shop = Shop::new();
    let junk = shop.path("junk.mp4");
    fs::write(&junk, "no video").unwrap();
    let output = shop.run(&[
        "intake",
        "add",
        junk.to_str().unwrap(),
        "--by",
        "ada",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    assert_eq!(said["code"], "not_media");
    assert!(seconds(&shop.add(&moving(711, 8), "ada", &[])) > MOST_S);
    let list = shop.must(&["intake", "list", "--state", "failed"]);
    assert!(
        list.contains("not a media file") && list.contains("; give a video such as"),
        "{list}"
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn of_two_processes_that_add_the_same_clip_at_once_exactly_one_is_first() {
    let shop = Shop::new();
    let clip = moving(712, 8);
    let clip = clip.to_str().unwrap();
    for by in ["ada", "bob"] {
        let mut both: Vec<_> = [by, "eve"]
            .map(|by| shop.start(&["intake", "add", clip, "--json", "--by", by]))
            .into();
        // Also twice by the same creator.
        both.push(shop.start(&["intake", "add", clip, "--json", "--by", by]));
        let said: Vec<Value> = both
            .into_iter()
            .map(|child| {
                serde_json::from_str(&text(&child.wait_with_output().unwrap().stdout)).unwrap()
            })
            .collect();
        assert_eq!(
            said[0]["submission"], said[2]["submission"],
            "one creator has one answer"
        );
        assert_ne!(
            said[0]["submission"]["number"],
            said[1]["submission"]["number"]
        );
    }
    let csv = shop.must(&["intake", "export", "--table", "claims", "--format", "csv"]);
    let offered: Vec<&str> = csv
        .lines()
        .filter(|line| line.contains(",offered,"))
        .collect();
    assert!(
        offered.iter().all(|line| line.starts_with("1,")) && !offered.is_empty(),
        "{csv}"
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn what_a_dead_worker_left_is_taken_over_or_lapses_and_blocks_nobody() {
    let shop = Shop::new();
    let (one, two) = (shop.path("one.mp4"), shop.path("two.mp4"));
    fs::copy(moving(713, 8), &one).unwrap();
    fs::copy(moving(714, 8), &two).unwrap();
    // Kills both as soon as they have their numbers.
    for file in [&one, &two] {
        let mut child = shop.start(&["intake", "add", file.to_str().unwrap(), "--by", "ada"]);
        shop.wait_for_number(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    fs::remove_file(&two).unwrap();
    let said = shop.add(&edit(&one, "scale=480:270", &[], "mp4"), "bob", &[]);
    let states: Vec<Value> = shop
        .must(&["intake", "list", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let states: Vec<&str> = states
        .iter()
        .map(|of| of["state"].as_str().unwrap())
        .collect();
    assert!(
        matches!(states[0], "decided") && matches!(states[1], "lapsed" | "decided"),
        "{states:?}"
    );
    assert_eq!(
        (
            seconds(&said),
            &said["submission"]["deductions"][0]["number"]
        ),
        (0.0, &1.into())
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_told_that_is_not_kept() {
    let shop = Shop::new();
    shop.add(&moving(715, 8), "ada", &[]);
    let clip = moving(716, 8);
    let mut acknowledged = 0;
    for kilobytes in [8, 64, 128, 256, 1024] {
        let output = shop.limited(
            kilobytes,
            &["intake", "add", clip.to_str().unwrap(), "--by", "ada"],
        );
        match output.status.code() {
            Some(0) => acknowledged += 1,
            code => {
                assert!(
                    output.stdout.is_empty(),
                    "{code:?} {}",
                    text(&output.stdout)
                );
                assert!(
                    !text(&output.stderr).contains("panicked"),
                    "{}",
                    text(&output.stderr)
                );
            }
        }
        shop.must(&["intake", "verify"]);
    }
    assert!(acknowledged < 5, "no limit was met");
    let said = shop.add(&clip, "ada", &[]);
    assert!(seconds(&said) > MOST_S, "{said}");
}

#[test]
fn a_backup_is_whole_and_is_never_written_over() {
    let shop = Shop::new();
    shop.add(&moving(717, 8), "ada", &[]);
    let copy = shop.path("copy.db");
    let copy = copy.to_str().unwrap();
    shop.must(&["intake", "export", "--backup", copy]);
    assert_eq!(
        shop.run(&["intake", "export", "--backup", copy])
            .status
            .code(),
        Some(2)
    );
    let head = shop.must(&["intake", "verify", "--json"]);
    let head: Value = serde_json::from_str(&head).unwrap();
    let index = shop.path("ledger.db.index");
    let head = head["head"].as_str().unwrap();
    shop.must(&[
        "intake",
        "verify",
        "--ledger",
        copy,
        "--submissions",
        index.to_str().unwrap(),
        "--head",
        head,
    ]);
}
