//! `intake add` is killed at random moments. No acknowledged row is lost, and no second is paid
//! twice.
//!
//! `UNIQ_KILLS` is the number of kills (default 25).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::shop::{Shop, text};
use crate::support::scenes::{edit, excerpt, moving};

/// A clip, its creator, and which seconds of which recording it shows.
struct Offer {
    clip: PathBuf,
    by: &'static str,
    recording: u64,
    start: u64,
}

#[test]
fn nothing_acknowledged_is_lost_and_no_second_is_paid_twice_however_often_it_is_killed() {
    let wanted = std::env::var("UNIQ_KILLS")
        .ok()
        .map_or(25, |text| text.parse().unwrap());
    let mut random = 0x9e37_79b9_u64;
    let mut below = |end: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % end
    };
    let offers = offers();
    let (mut kills, mut counts) = (0, BTreeMap::<&str, u32>::new());
    while kills < wanted {
        let shop = Shop::new();
        // Duration of an add on this machine, so that kills hit every part of it.
        let begun = Instant::now();
        shop.add(&moving(744, 5), "yan", &["--effort", "fast", "-j", "1"]);
        let mut length = begun.elapsed();
        let mut acknowledged: BTreeMap<u64, Value> = BTreeMap::new();
        for _ in 0..25 {
            let offer = &offers[below(offers.len() as u64) as usize];
            let clip = offer.clip.to_str().unwrap();
            let child = shop.start(&[
                "intake", "add", "--json", "--effort", "fast", "-j", "1", "--by", offer.by, clip,
            ]);
            std::thread::sleep(length.mul_f64(below(1200) as f64 / 1000.0));
            let id = i32::try_from(child.id()).unwrap();
            rustix::process::kill_process(
                rustix::process::Pid::from_raw(id).unwrap(),
                rustix::process::Signal::KILL,
            )
            .unwrap();
            let output = child.wait_with_output().unwrap();
            kills += 1;
            if let Ok(said) = serde_json::from_slice::<Value>(&output.stdout) {
                let number = said["submission"]["number"]
                    .as_u64()
                    .unwrap_or_else(|| panic!("{said}"));
                acknowledged.insert(number, said["submission"].clone());
                length = length.mul_f64(0.95);
                *counts.entry("acknowledged").or_default() += 1;
            } else {
                length = length.mul_f64(1.03).min(Duration::from_secs(60));
                let had = if text(&output.stderr).contains(": submission ") {
                    "with a number"
                } else {
                    "before"
                };
                *counts.entry(had).or_default() += 1;
            }
            shop.must(&["intake", "verify"]);
        }
        // The next command finishes what was left.
        shop.add(&offers[0].clip, "zoe", &[]);
        shop.must(&["intake", "verify"]);
        for (number, said) in &acknowledged {
            let shown: Value = serde_json::from_str(&shop.must(&[
                "intake",
                "show",
                &number.to_string(),
                "--json",
            ]))
            .unwrap();
            assert_eq!(
                &shown["submission"], said,
                "submission {number} was acknowledged"
            );
        }
        no_second_twice(&shop, &offers);
    }
    eprintln!("{kills} kills: {counts:?}");
    assert!(counts.len() == 3, "some part was never hit: {counts:?}");
}

/// Each second of each recording is offered at most once.
fn no_second_twice(shop: &Shop, offers: &[Offer]) {
    let rows = |table: &str| -> Vec<Value> {
        let text = shop.must(&["intake", "export", "--table", table]);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let paths: BTreeMap<u64, String> = rows("submissions")
        .into_iter()
        .map(|row| {
            (
                row["number"].as_u64().unwrap(),
                row["path"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let mut held: BTreeSet<(u64, u64)> = BTreeSet::new();
    for claim in rows("claims")
        .iter()
        .filter(|claim| claim["state"] == "offered")
    {
        let path = &paths[&claim["number"].as_u64().unwrap()];
        let Some(offer) = offers
            .iter()
            .find(|offer| offer.clip.to_str() == Some(path))
        else {
            continue;
        };
        let (from, to) = (
            claim["start_ms"].as_u64().unwrap(),
            claim["end_ms"].as_u64().unwrap(),
        );
        // Only whole seconds: ends are known to a fraction of a second.
        for second in from.div_ceil(1000)..to / 1000 {
            assert!(
                held.insert((offer.recording, offer.start + second)),
                "paid twice: {claim} of {path}"
            );
        }
    }
}

fn offers() -> Vec<Offer> {
    let mut offers = Vec::new();
    for recording in [741, 742, 743] {
        let whole = moving(recording, 5);
        let mirrored = edit(&whole, "hflip,scale=480:270", &[], "mp4");
        let part = excerpt(&whole, 1.0, 4.0);
        offers.push(Offer {
            clip: whole,
            by: "ada",
            recording,
            start: 0,
        });
        offers.push(Offer {
            clip: mirrored,
            by: "bob",
            recording,
            start: 0,
        });
        offers.push(Offer {
            clip: part,
            by: "eve",
            recording,
            start: 1,
        });
    }
    offers
}
