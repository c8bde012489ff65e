//! The same tests with a ledger in PostgreSQL.

use crate::shop::{MOST_S, Shop, seconds, text};
use crate::support::scenes::{edit, excerpt, moving};

#[path = "../support/postgres.rs"]
mod server;

#[test]
fn a_ledger_in_postgres_gives_the_same_answers() {
    let Some(url) = server::database() else {
        return;
    };
    let shop = Shop::with_ledger(url.clone());
    let clip = moving(731, 8);
    assert!(seconds(&shop.add(&clip, "ada", &[])) > MOST_S);
    let stolen = shop.add(&edit(&clip, "hflip", &[], "mp4"), "bob", &[]);
    assert_eq!(
        (
            seconds(&stolen),
            &stolen["submission"]["deductions"][0]["reason"]
        ),
        (0.0, &"disputed".into())
    );
    shop.must(&[
        "intake", "decide", "1-2", "distinct", "--by", "joe", "--why", "seen",
    ]);
    shop.must(&["intake", "sold", "2", "--by", "desk", "--why", "a test"]);
    shop.must(&["intake", "withdraw", "1", "--by", "desk", "--why", "a test"]);
    shop.must(&["index", "build", excerpt(&clip, 1.0, 7.0).to_str().unwrap()]);
    assert_eq!(shop.run(&["intake", "recheck", "2"]).status.code(), Some(1));
    assert_eq!(shop.run(&["intake", "recheck", "2"]).status.code(), Some(0));
    shop.must(&["intake", "verify"]);
    let refused = shop.run(&["intake", "export", "--backup", "x.db"]);
    assert!(
        text(&refused.stderr).contains("pg_dump"),
        "{}",
        text(&refused.stderr)
    );
    // The folder of the submissions must be named, because hosts share it.
    let mut unnamed = std::process::Command::new(env!("CARGO_BIN_EXE_uniq"));
    let output = unnamed
        .args(["intake", "list", "--ledger", &url])
        .env_remove("UNIQ_LEDGER")
        .output()
        .unwrap();
    assert!(
        text(&output.stderr).contains("--submissions DIR"),
        "{}",
        text(&output.stderr)
    );
}
