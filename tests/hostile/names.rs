//! Names, titles and tags with terminal control characters or characters that would break JSON.

use std::fs;

use serde_json::Value;

use crate::media_files::scene;
use crate::{command, shared};

/// Moves the cursor, sets the title, colours, writes right to left, breaks the line, ends a string,
/// and hides text.
const EVIL: &str = "\u{7f}\u{2066}\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{2028}\n\r\"}<script>\
    \u{200b}\u{ad}\u{200e}\u{feff}\u{e0041}\u{e007f}\u{fe0f}\u{e0100}\u{3164}\u{e000}\u{2060}\u{378}";

#[test]
fn no_escape_reaches_the_screen_and_json_stays_json() {
    let folder = shared("names");
    let made = scene(&folder, "plain.mp4", 3.0, "-c:v mpeg4 -pix_fmt yuv420p");
    let evil = folder.join(format!("a{}.mp4", EVIL.replace('/', "")));
    fs::copy(&made, &evil).unwrap();
    // Tags of streams and codecs with escape sequences.
    let mut tagged = fs::read(&made).unwrap();
    let at = tagged.windows(4).position(|w| w == b"mp4v").unwrap();
    tagged[at..at + 4].copy_from_slice(b"\x1b[2J");
    let broken = folder.join(format!("b{}.mp4", EVIL.replace('/', "")));
    fs::write(&broken, &tagged).unwrap();
    let list = folder.join("list.jsonl");
    let name = evil.file_name().unwrap().to_str().unwrap();
    let line = serde_json::json!({ "path": name, "title": EVIL, "url": EVIL, "uploader": EVIL, "published_at": EVIL });
    fs::write(
        &list,
        format!("{line}\n{{\"path\":\"../{0}\"}}\n", "x\\u001b[2J"),
    )
    .unwrap();
    let index = folder.join(format!("index{EVIL}").replace('/', ""));
    let index = index.to_str().unwrap();
    let gone = format!("gone{EVIL}");
    let journal = folder.join("journal.jsonl");

    let mut seen = 0;
    for args in [
        vec![
            "index",
            "build",
            "--index",
            index,
            list.to_str().unwrap(),
            broken.to_str().unwrap(),
        ],
        vec!["index", "list", "--index", index],
        vec!["index", "stats", "--index", index],
        vec!["index", "verify", "--index", index],
        vec!["index", "remove", "--index", index, &gone],
        vec!["index", "build", "--index", index, &gone],
        vec![
            "check",
            "--index",
            index,
            evil.to_str().unwrap(),
            broken.to_str().unwrap(),
            &gone,
        ],
        vec!["check", "--index", &gone, evil.to_str().unwrap()],
        vec![
            "fingerprint",
            evil.to_str().unwrap(),
            "-o",
            &format!("{}/x{EVIL}.uniq", folder.display()).replace("</", "<"),
        ],
        vec![
            "fingerprint",
            broken.to_str().unwrap(),
            "-o",
            "/nonexistent/x",
        ],
        vec![
            "check",
            "--index",
            index,
            "--journal",
            &gone.replace("gone", "/nonexistent/gone"),
            &gone,
        ],
        vec!["doctor", "--index", index],
        vec![
            "index",
            "build",
            "--index",
            index,
            "--interval",
            EVIL,
            &gone,
        ],
    ] {
        let output = command(&args).output().unwrap();
        for (what, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let text = String::from_utf8_lossy(bytes);
            let hides = |c: &char| *c != '\n' && uniq::sandbox::hides(*c);
            assert_eq!(text.chars().find(hides), None, "{args:?}: {what}: {text:?}");
            seen += usize::from(text.contains("owned"));
        }
    }
    assert!(seen >= 8, "the names were hardly ever shown ({seen})");

    let journal = journal.to_str().unwrap();
    for args in [
        vec![
            "check",
            "--json",
            "--index",
            index,
            "--journal",
            journal,
            evil.to_str().unwrap(),
            broken.to_str().unwrap(),
            &gone,
        ],
        vec!["index", "list", "--json", "--index", index],
        vec!["index", "verify", "--json", "--index", index],
        vec!["doctor", "--json", "--index", index],
    ] {
        let output = command(&args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let steers = |c: char| c != '\n' && uniq::sandbox::steers(c);
        assert!(
            !text.is_empty() && !text.contains(steers),
            "{args:?}: {text:?}"
        );
        for line in text.lines() {
            serde_json::from_str::<Value>(line)
                .unwrap_or_else(|error| panic!("{args:?}: {error}: {line}"));
        }
    }
}
