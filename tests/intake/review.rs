//! Reviewers' decisions about matches with public sources, through the program.

use serde_json::Value;

use crate::shop::{MOST_S, Shop, seconds, text};
use crate::support::scenes::{edit, excerpt, moving};

fn show(shop: &Shop, number: &str) -> Value {
    serde_json::from_str(&shop.must(&["intake", "show", number, "--json"])).unwrap()
}

fn review(shop: &Shop, of_match: &str, verdict: &str) -> String {
    let said = ["--by", "joe", "--why", "seen"];
    shop.must(
        &[
            &["intake", "review", "1", verdict, "--match", of_match][..],
            &said[..],
        ]
        .concat(),
    )
}

#[test]
fn a_publication_that_is_the_creators_own_is_paid_for_and_a_new_one_has_to_be_judged_too() {
    let shop = Shop::new();
    let clip = moving(761, 12);
    shop.must(&["index", "build", excerpt(&clip, 0.0, 6.0).to_str().unwrap()]);
    let said = shop.add(&clip, "ada", &[]);
    let before = seconds(&said);
    assert_eq!(said["verdict"], "partly_published", "{said}");
    assert!(
        said["searchable"]
            .as_array()
            .is_some_and(|parts| !parts.is_empty())
    );
    shop.add(&edit(&clip, "scale=480:270", &[], "mp4"), "bob", &[]);
    assert!(shop.must(&["intake", "show", "1"]).contains("match 1: "));
    let claims = || shop.must(&["intake", "export", "--table", "claims"]);
    let held = claims();

    let told = review(&shop, "1", "allowed");
    assert!(told.contains("submission 1: now"), "{told}");
    let after = show(&shop, "1");
    assert!(seconds(&after) > before + 3.0, "{before} and {after}");
    assert_eq!(
        after["verdict"], "partly_published",
        "the report says what the search found"
    );
    let kept = &after["submission"]["review"];
    assert_eq!(
        (
            &kept["judgements"][0]["verdict"],
            &kept["judgements"][0]["by"]
        ),
        (&"allowed".into(), &"joe".into())
    );
    assert!(
        kept["released_minutes"].as_f64().unwrap() * 60.0 > 3.0,
        "{kept}"
    );
    assert_eq!(
        seconds(&show(&shop, "2")),
        0.0,
        "what is paid to one is paid to nobody else"
    );
    assert!(
        shop.must(&["intake", "show", "1"])
            .contains("joe says that it is allowed: seen")
    );

    review(&shop, "1", "undo");
    assert_eq!(claims(), held);
    review(&shop, "1", "same-scene");
    assert!(seconds(&show(&shop, "1")) > before + 3.0);
    // Another source of the same seconds.
    let other = edit(&excerpt(&clip, 0.0, 6.0), "hflip", &[], "mp4");
    shop.must(&["index", "build", other.to_str().unwrap()]);
    assert_eq!(shop.run(&["intake", "recheck", "1"]).status.code(), Some(1));
    assert!(seconds(&show(&shop, "1")) <= before + 0.01);
    shop.must(&["intake", "verify"]);
}

#[test]
fn what_is_said_of_no_match_is_refused_by_name() {
    let shop = Shop::new();
    let said = shop.add(&moving(762, 8), "ada", &[]);
    assert!(seconds(&said) > MOST_S);
    let refused = |args: &[&str]| {
        let output = shop.run(
            &[
                &["intake", "review"][..],
                args,
                &["--by", "joe", "--why", "seen"][..],
            ]
            .concat(),
        );
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    assert!(refused(&["1", "copy", "--match", "0"]).contains("has no match 0: it has 0"));
    assert!(refused(&["7", "copy", "--match", "1"]).contains("there is no submission 7"));
    shop.must(&["intake", "verify"]);
}
