//! The ledger and the index of its submissions, when only one of them is restored from a backup.

use std::fs;

use crate::shop::{Shop, seconds, text};
use crate::support::folders;
use crate::support::scenes::{edit, moving};

#[test]
fn an_index_that_is_older_than_its_ledger_is_refused_until_it_is_mended() {
    let shop = Shop::new();
    shop.add(&moving(721, 8), "ada", &[]);
    let index = shop.path("ledger.db.index");
    folders::copy(&index, &shop.path("old"));
    let clip = shop.path("clip.mp4");
    fs::copy(moving(722, 8), &clip).unwrap();
    shop.add(&clip, "ada", &[]);
    fs::remove_dir_all(&index).unwrap();
    folders::copy(&shop.path("old"), &index);

    let stolen = edit(&moving(722, 8), "hflip", &[], "mp4");
    let refused = shop.run(&["intake", "add", stolen.to_str().unwrap(), "--by", "bob"]);
    assert_eq!(refused.status.code(), Some(2));
    let why = text(&refused.stderr);
    assert!(
        why.contains("the index lacks one submission") && why.contains("uniq intake mend"),
        "{why}"
    );
    assert_eq!(shop.run(&["intake", "verify"]).status.code(), Some(2));

    // Without the clip, nothing is repaired.
    let elsewhere = shop.path("archive");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&clip, elsewhere.join("renamed.mp4")).unwrap();
    let output = shop.run(&["intake", "mend"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stdout).contains("submission 2: its keys are missing"),
        "{}",
        text(&output.stdout)
    );
    shop.must(&["intake", "mend", elsewhere.to_str().unwrap()]);
    shop.must(&["intake", "verify"]);
    let said = shop.add(&stolen, "bob", &[]);
    assert_eq!(
        (
            seconds(&said),
            &said["submission"]["deductions"][0]["number"]
        ),
        (0.0, &2.into())
    );
}

#[test]
fn an_index_that_is_gone_is_no_new_beginning() {
    let shop = Shop::new();
    shop.add(&moving(721, 8), "ada", &[]);
    fs::remove_dir_all(shop.path("ledger.db.index")).unwrap();
    let refused = shop.run(&[
        "intake",
        "add",
        moving(723, 8).to_str().unwrap(),
        "--by",
        "bob",
    ]);
    assert!(
        text(&refused.stderr).contains("the index lacks one submission"),
        "{}",
        text(&refused.stderr)
    );
    shop.must(&["intake", "mend"]);
    shop.must(&["intake", "verify"]);
}

#[test]
fn a_ledger_that_is_older_than_its_index_is_refused_until_it_is_mended() {
    let shop = Shop::new();
    shop.add(&moving(721, 8), "ada", &[]);
    let backup = shop.path("backup.db");
    shop.must(&["intake", "export", "--backup", backup.to_str().unwrap()]);
    shop.add(&moving(724, 8), "ada", &[]);
    shop.must(&["intake", "sold", "2", "--by", "desk", "--why", "a test"]);
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(shop.path(&format!("ledger.db{ending}")));
    }
    fs::rename(&backup, shop.path("ledger.db")).unwrap();

    let stolen = edit(&moving(724, 8), "hflip", &[], "mp4");
    let refused = shop.run(&["intake", "add", stolen.to_str().unwrap(), "--by", "bob"]);
    let why = text(&refused.stderr);
    assert!(
        why.contains("the ledger lacks, first submission 2") && why.contains("mend --adopt"),
        "{why}"
    );
    assert_eq!(shop.run(&["intake", "mend"]).status.code(), Some(2));
    shop.must(&["intake", "mend", "--adopt"]);
    shop.must(&["intake", "verify"]);
    // What was sold and then lost from the ledger is not paid again.
    let said = shop.add(&stolen, "bob", &[]);
    let deduction = &said["submission"]["deductions"][0];
    assert_eq!(
        (
            seconds(&said),
            &deduction["number"],
            &said["submission"]["number"]
        ),
        (0.0, &2.into(), &3.into())
    );
}

#[test]
fn the_index_of_another_ledger_is_refused() {
    let (shop, other) = (Shop::new(), Shop::new());
    shop.add(&moving(721, 8), "ada", &[]);
    other.add(&moving(724, 8), "ada", &[]);
    let foreign = other.path("ledger.db.index");
    let refused = shop.run(&[
        "intake",
        "verify",
        "--submissions",
        foreign.to_str().unwrap(),
    ]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("out of step"),
        "{}",
        text(&refused.stderr)
    );
}
