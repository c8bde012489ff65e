//! The whole review in a browser, by keyboard alone, in both languages, with and without
//! JavaScript.
//!
//! `scripts/test` installs the browser, and names the folder of its driver's packages in
//! `UNIQ_FOREIGN`. A missing browser skips the test on a personal machine and fails it in CI.

#![allow(clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;

use super::decisions::partly_public;
use crate::footage::scenes::{edit, excerpt, moving};
use crate::support::{Service, ok};

#[test]
fn a_person_reviews_by_keyboard_in_both_languages_with_and_without_javascript() {
    let have = |what: &str, there: bool| {
        assert!(
            there || std::env::var_os("CI").is_none(),
            "{what} is missing; scripts/test installs it"
        );
        if !there {
            eprintln!("{what} is missing: the pages were not opened in a browser");
        }
        there
    };
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let browser = std::env::split_paths(&paths)
        .map(|dir| dir.join("chromium"))
        .find(|path| path.is_file());
    let modules =
        std::env::var_os("UNIQ_FOREIGN").map(|folder| PathBuf::from(folder).join("browser"));
    let modules = modules.filter(|modules| modules.is_dir());
    if !have("chromium", browser.is_some())
        || !have("the folder browser of UNIQ_FOREIGN", modules.is_some())
    {
        return;
    }
    let (film, clip) = partly_public();
    let service = Service::start("[review]\nsecond = \"payable\"\n", &[film]);
    let key = service.key("acme", "submit,read,review");
    let second = service.key("acme", "review");
    let own = moving(884, 8);
    let pair = edit(&excerpt(&own, 1.0, 6.0), "hflip", &[], "mp4");
    let mut subject = String::new();
    for (creator, reference, file) in [
        ("ada", "Order 17, <b>harbour</b>", &clip),
        ("ada", "Sunset over the harbour", &own),
        ("bob", "", &pair),
    ] {
        let reference = if reference.is_empty() {
            String::new()
        } else {
            format!("&reference={reference}")
        };
        let path = format!("/v1/submissions?creator={creator}{reference}");
        let sent = ok(service
            .with_key(&key, "POST", &path)
            .body(std::fs::read(file).unwrap())
            .send()
            .unwrap());
        let id = sent["id"].as_str().unwrap().to_owned();
        service.answer(&key, &id);
        if subject.is_empty() {
            subject = id;
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/review/browser.mjs");
    let mut command = Command::new("node");
    command
        .arg(script)
        .arg(modules.unwrap())
        .arg(browser.unwrap());
    let output = command
        .args([&service.address, &key, &second, &subject])
        .output()
        .unwrap();
    let (said, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.is_empty(),
        "{said}{complaint}"
    );
}
