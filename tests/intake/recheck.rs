//! Seconds that became public after an answer are no longer offered, and nothing becomes payable by
//! that.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::shop::{MOST_S, Shop, text};
use crate::support::scenes::{edit, excerpt, moving};

fn publish(shop: &Shop, video: &Path) {
    shop.must(&["index", "build", video.to_str().unwrap()]);
}

/// Rechecks; returns the exit code and the output for each submission.
fn recheck(shop: &Shop, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let args: Vec<&str> = ["intake", "recheck", "--json"]
        .iter()
        .chain(more)
        .copied()
        .collect();
    let output = shop.run(&args);
    let lines = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (output.status.code(), lines)
}

fn show(shop: &Shop, number: &str) -> Value {
    serde_json::from_str(&shop.must(&["intake", "show", number, "--json"])).unwrap()
}

fn rows(shop: &Shop) -> u64 {
    let said: Value = serde_json::from_str(&shop.must(&["intake", "verify", "--json"])).unwrap();
    said["events"].as_u64().unwrap()
}

fn payable_s(said: &Value) -> f64 {
    said["payable_minutes"].as_f64().unwrap() * 60.0
}

fn length_s(spans: &Value) -> f64 {
    let spans = spans.as_array().unwrap();
    spans
        .iter()
        .map(|span| span["end_s"].as_f64().unwrap() - span["start_s"].as_f64().unwrap())
        .sum()
}

#[test]
fn what_became_public_is_no_longer_offered_and_others_are_settled_again() {
    let shop = Shop::new();
    let clip = moving(741, 12);
    let answer = shop.add(&clip, "ada", &[]);
    let first = payable_s(&answer);
    let (copy, other) = (edit(&clip, "scale=480:270", &[], "mp4"), moving(742, 8));
    assert_eq!(payable_s(&shop.add(&copy, "bob", &[])), 0.0);
    let untouched = payable_s(&shop.add(&other, "eve", &[]));
    publish(&shop, &excerpt(&clip, 3.0, 6.0));
    let (code, said) = recheck(&shop, &[]);
    assert_eq!((code, said.len()), (Some(1), 3), "{said:?}");
    assert_eq!(
        (&said[0]["changed"], &said[0]["added"], &said[0]["in_full"]),
        (&true.into(), &1.into(), &Value::Null)
    );
    let public = length_s(&said[0]["published"]);
    assert!((4.5..7.5).contains(&public), "{said:?}");
    assert!(payable_s(&said[0]) < first - 3.0, "{first} and {said:?}");
    assert_eq!(
        (payable_s(&said[1]), &said[2]["changed"]),
        (0.0, &false.into()),
        "{said:?}"
    );
    assert_eq!(payable_s(&said[2]), untouched);

    // The report says it, and so does the page made from it.
    let shown = show(&shop, "1");
    assert_eq!(shown["verdict"], "partly_published");
    assert!(
        (shown["seconds"]["published"].as_f64().unwrap() - public).abs() < 0.1,
        "{shown}"
    );
    assert!(
        shown["matches"]
            .as_array()
            .is_some_and(|matches| !matches.is_empty())
    );
    assert!(shown["index"]["generation"].as_u64() > answer["index"]["generation"].as_u64());
    assert!(shop.must(&["intake", "show", "1"]).contains("rechecked"));

    // A commit that was already searched is not searched again, and no row is written.
    let before = rows(&shop);
    let (code, again) = recheck(&shop, &[]);
    assert_eq!(
        (code, again.iter().any(|said| said["changed"] == true)),
        (Some(0), false)
    );
    assert_eq!(payable_s(&again[0]), payable_s(&said[0]));
    assert_eq!(rows(&shop), before);
}

#[test]
fn only_what_is_newer_than_the_last_recheck_is_looked_at() {
    let shop = Shop::new();
    shop.add(&moving(743, 8), "ada", &[]);
    let before = rows(&shop);
    for seed in [744, 745, 746] {
        publish(&shop, &moving(seed, 6));
        let (code, said) = recheck(&shop, &["1"]);
        assert_eq!(
            (code, &said[0]["changed"], &said[0]["added"]),
            (Some(0), &false.into(), &1.into()),
            "{said:?}"
        );
        assert!(payable_s(&said[0]) > MOST_S);
    }
    assert_eq!(rows(&shop), before, "a row was written of nothing");
    // A rebuilt index has no such commit, and is searched as a whole.
    fs::remove_dir_all(shop.path("index")).unwrap();
    publish(&shop, &moving(744, 6));
    let (code, said) = recheck(&shop, &["1"]);
    assert_eq!(
        (code, said[0]["in_full"].is_string()),
        (Some(0), true),
        "{said:?}"
    );
    publish(&shop, &moving(743, 8));
    let (code, said) = recheck(&shop, &["1"]);
    assert_eq!((code, payable_s(&said[0])), (Some(1), 0.0), "{said:?}");
}

#[test]
fn what_is_sold_stays_sold_and_is_told() {
    let shop = Shop::new();
    let clip = moving(747, 8);
    let sold = payable_s(&shop.add(&clip, "ada", &[]));
    shop.must(&["intake", "sold", "1", "--by", "desk", "--why", "invoice 1"]);
    publish(&shop, &clip);
    let (code, said) = recheck(&shop, &[]);
    assert_eq!(
        (code, said.len()),
        (Some(0), 0),
        "what is sold is not asked for unless by its number"
    );
    let (code, said) = recheck(&shop, &["1"]);
    assert_eq!(code, Some(1));
    assert!((length_s(&said[0]["sold"]) - sold).abs() < 0.1, "{said:?}");
    assert!((payable_s(&said[0]) - sold).abs() < 0.1, "{said:?}");
    // Nobody is paid for it again.
    let again = shop.add(&edit(&clip, "scale=480:270", &[], "mp4"), "ada", &[]);
    assert_eq!(payable_s(&again), 0.0);
    shop.must(&["intake", "verify"]);
}

#[test]
fn a_fingerprint_that_was_kept_stands_for_a_clip_that_is_gone() {
    let shop = Shop::new();
    let clip = shop.path("clip.mp4");
    fs::copy(moving(748, 8), &clip).unwrap();
    let (key, folder) = (shop.path("k"), shop.path("certificates"));
    fs::create_dir(&folder).unwrap();
    shop.must(&["key", "new", key.to_str().unwrap()]);
    let file = folder.join("clip.certificate.json");
    shop.add(
        &clip,
        "ada",
        &[
            "--certificate",
            file.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ],
    );
    fs::remove_file(&clip).unwrap();
    publish(&shop, &edit(&moving(748, 8), "scale=480:270", &[], "mp4"));
    let before = rows(&shop);
    let output = shop.run(&["intake", "recheck"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("is no longer at"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(
        rows(&shop),
        before,
        "what could not be looked at was noted as seen"
    );
    let (code, said) = recheck(&shop, &["--from", folder.to_str().unwrap()]);
    assert_eq!((code, payable_s(&said[0])), (Some(1), 0.0), "{said:?}");
    let shown = show(&shop, "1");
    assert_eq!(
        (&shown["verdict"], &shown["clip"]["from_fingerprint"]),
        (&"published".into(), &false.into())
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn a_fingerprint_that_was_submitted_is_rechecked_and_then_confirmed_for_less() {
    let shop = Shop::new();
    let clip = moving(749, 12);
    let print = shop.path("clip.uniq");
    shop.must(&[
        "fingerprint",
        clip.to_str().unwrap(),
        "-o",
        print.to_str().unwrap(),
        "--pictures",
    ]);
    let said = shop.add(&print, "ada", &["--fingerprint"]);
    let before = said["submission"]["provisional_minutes"].as_f64().unwrap() * 60.0;
    fs::remove_file(&print).unwrap();
    publish(&shop, &excerpt(&clip, 0.0, 6.0));
    let (code, said) = recheck(&shop, &[]);
    assert_eq!(code, Some(1), "{said:?}");
    let after = payable_s(&said[0]);
    assert!(after < before - 3.0 && after > 2.0, "{before} and {said:?}");
    let confirmed = shop.add(&clip, "ada", &["--for", "1"]);
    assert!(
        payable_s(&confirmed) <= after + 0.01 && payable_s(&confirmed) > 2.0,
        "{confirmed}"
    );
    shop.must(&["intake", "verify"]);
}

#[test]
fn what_does_not_stand_cannot_be_rechecked() {
    let shop = Shop::new();
    let clip = moving(750, 8);
    shop.add(&clip, "ada", &[]);
    shop.must(&["intake", "withdraw", "1", "--by", "desk", "--why", "a test"]);
    let (code, said) = recheck(&shop, &["1", "7"]);
    assert_eq!(
        (code, &said[0]["code"], &said[1]["code"]),
        (Some(2), &"ledger_refused".into(), &"ledger_refused".into())
    );
    assert_eq!(recheck(&shop, &[]).1.len(), 0);
}
