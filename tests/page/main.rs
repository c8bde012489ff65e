//! Evidence pages of made footage, written by the program and opened in a browser.
//!
//! `scripts/test` installs the browser, and names the folder of its driver's packages in
//! `UNIQ_FOREIGN`. A missing browser skips the test on a personal machine and fails it in CI.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "../support/steady.rs"]
mod steady;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");

/// A rotating flight into the Mandelbrot set: detailed, and never repeating.
const FLIGHT: &str = "mandelbrot=s=480x480:r=12:start_scale=0.04:end_scale=0.0008:end_pts=336\
    :start_x=-0.16070135:start_y=1.0375665,rotate=0.15*t,crop=426:240,hue=h=140";

/// Text that would be malicious if it were treated as more than text.
const HOSTILE: &str = "</bdi><script>harmed=1</script><img src=x onerror=harmed=1> \"onmouseover='harmed=1' \u{202e}gpj\u{2066}\
    javascript:harmed=1 https://elsewhere.example/x?a=1&b=2 {{ frame }} {% raw %}";

struct Footage {
    dir: TempDir,
}

impl Footage {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn uniq(&self, args: &[&str]) -> Output {
        Command::new(UNIQ)
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("UNIQ_INDEX")
            .output()
            .unwrap()
    }

    /// Runs a check that must give an answer and print no error.
    fn check(&self, args: &[&str]) {
        let output = self.uniq(&[&["-q", "check", "--index", "index"], args].concat());
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            complaint.is_empty() && output.status.code() != Some(2),
            "{complaint}"
        );
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// An index of two films, one with a hostile name and title, one whose file is gone; and a clip of
/// each with a black end.
fn footage() -> &'static Footage {
    static MADE: OnceLock<Footage> = OnceLock::new();
    MADE.get_or_init(|| {
        let footage = Footage { dir: tempfile::tempdir().unwrap() };
        let ffmpeg = |args: &[&str], name: &str| {
            let args =
                args.iter().map(|arg| (*arg).to_owned()).chain([footage.path(name).to_str().unwrap().to_owned()]);
            assert!(steady::ffmpeg(args).status().unwrap().success(), "{name}");
        };
        let encoded = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18"];
        let film = "film <b> & \"x\".mp4";
        ffmpeg(&[&["-f", "lavfi", "-i", FLIGHT, "-t", "12"], &encoded[..]].concat(), film);
        let other = FLIGHT.replace("hue=h=140", "hflip,vflip,hue=h=20").replace("0.15*t", "-0.3*t");
        ffmpeg(&[&["-ss", "9", "-f", "lavfi", "-i", &other, "-t", "10"], &encoded[..]].concat(), "gone.mp4");
        let cut = "[0]trim=3:8,setpts=PTS-STARTPTS,hflip,crop=340:192:40:20,scale=320:180,setsar=1[a];\
            color=black:s=320x180:r=12:d=3,setsar=1[b];[a][b]concat";
        let film_path = footage.path(film);
        let clip = ["-i", film_path.to_str().unwrap(), "-filter_complex", cut];
        ffmpeg(&[&clip, &encoded[..]].concat(), "clip ' <i>.mp4");
        let gone = footage.path("gone.mp4");
        let again = ["-ss", "2", "-t", "6", "-i", gone.to_str().unwrap(), "-vf", "scale=320:180"];
        ffmpeg(&[&again, &encoded[..]].concat(), "again.mp4");
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let long = format!("{HOSTILE}{}", "x".repeat(20_000));
        let row = [film, HOSTILE, &long, HOSTILE, HOSTILE, "2024-03-05"].map(quoted).join(",");
        let list = format!("path,url,title,uploader,platform,published_at\n{row}\ngone.mp4,,,,,\n");
        fs::write(footage.path("list.csv"), list).unwrap();
        let built = footage.uniq(&["index", "build", "--index", "index", "list.csv"]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        fs::remove_file(gone).unwrap();
        footage
    })
}

#[test]
fn a_page_shows_both_sides_of_a_match_and_every_foreign_text_as_text() {
    let footage = footage();
    footage.check(&["clip ' <i>.mp4", "--html", "text.html"]);
    let page = footage.read("text.html");
    assert!(
        page.len() < uniq::evidence_page::PAGE_BYTES_MAX,
        "{} bytes",
        page.len()
    );
    let count = |what: &str| page.matches(what).count();
    assert!(
        count("data:image/jpeg;base64,") >= 12,
        "{} pictures",
        count("data:image/jpeg;base64,")
    );
    assert!(count("Clip laid over the source") >= 3 && count("Difference: ") >= 3);
    assert!(page.contains("mirrored") && page.contains("\\u{202e}gpj\\u{2066}"));
    for harmful in [
        "<script",
        "<img src=x",
        "<b>",
        "<i>",
        "\u{202e}",
        "\u{2066}",
        "</bdi></bdi>",
    ] {
        assert!(!page.contains(harmful), "{harmful}");
    }
    assert!(!page.contains(&"x".repeat(500)), "a title of 20 kB is cut");
}

#[test]
fn a_source_whose_file_is_gone_is_shown_by_the_pictures_of_the_index() {
    let footage = footage();
    footage.check(&["again.mp4", "--html", "gone.html", "--lang", "ar"]);
    let page = footage.read("gone.html");
    assert!(
        page.contains("هذه صور رمادية صغيرة يحفظها الفهرس"),
        "the page says so"
    );
    assert!(page.matches("data:image/jpeg;base64,").count() >= 12);
    assert!(page.contains("<html lang=\"ar\" dir=\"rtl\">"));
}

#[test]
fn a_source_that_is_another_file_by_now_is_not_shown_as_the_one_that_was_indexed() {
    let footage = footage();
    fs::copy(footage.path("again.mp4"), footage.path("gone.mp4")).unwrap();
    let clip = footage.path("again.mp4");
    footage.check(&[clip.to_str().unwrap(), "--html", "other.html"]);
    fs::remove_file(footage.path("gone.mp4")).unwrap();
    assert!(
        footage
            .read("other.html")
            .contains("These are the small grey pictures that the index keeps")
    );
}

#[test]
fn a_fingerprint_gives_a_page_without_frames_of_the_clip() {
    let footage = footage();
    let made = footage.uniq(&["-q", "fingerprint", "again.mp4", "-o", "again.uniq"]);
    assert!(made.status.success());
    footage.check(&["--fingerprint", "again.uniq", "--html", "fingerprint.html"]);
    let page = footage.read("fingerprint.html");
    assert!(
        page.contains("a fingerprint was checked, not the clip")
            && !page.contains("Clip laid over")
    );
    assert!(page.contains("Provisionally payable"));
}

#[test]
fn several_clips_give_a_page_each_and_a_page_never_takes_the_place_of_a_clip() {
    let footage = footage();
    footage.check(&[
        "again.mp4",
        "clip ' <i>.mp4",
        "--effort",
        "fast",
        "--html",
        "pages",
    ]);
    let mut names: Vec<_> = fs::read_dir(footage.path("pages"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["again.mp4.html", "clip ' <i>.mp4.html"]);
    let refused = footage.uniq(&[
        "-q",
        "check",
        "--index",
        "index",
        "again.mp4",
        "--html",
        "again.mp4",
    ]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not a page"));
    let lonely = footage.uniq(&[
        "-q",
        "check",
        "--index",
        "index",
        "again.mp4",
        "--lang",
        "ar",
    ]);
    assert_eq!(lonely.status.code(), Some(2), "a language without a page");
}

#[test]
fn a_certificate_has_a_page_of_what_it_claims() {
    let footage = footage();
    let key = footage.uniq(&["-q", "key", "new", "page.key"]);
    assert!(key.status.success());
    footage.check(&[
        "clip ' <i>.mp4",
        "--certificate",
        "page.certificate.json",
        "--key",
        "page.key",
    ]);
    for (lang, says) in [
        ("en", "Nothing here has verified it"),
        ("ar", "لم يتحقق منه شيء هنا"),
    ] {
        let name = format!("certificate.{lang}.html");
        let shown = footage.uniq(&[
            "-q",
            "certificate",
            "show",
            "page.certificate.json",
            "--html",
            &name,
            "--lang",
            lang,
        ]);
        assert!(
            shown.status.success(),
            "{}",
            String::from_utf8_lossy(&shown.stderr)
        );
        let page = footage.read(&name);
        assert!(page.contains(says) && !page.contains("<script"));
    }
    looked_at(footage, &["certificate.en.html", "certificate.ar.html"]);
}

#[test]
fn a_browser_finds_nothing_wrong_with_a_page() {
    let footage = footage();
    footage.check(&["clip ' <i>.mp4", "--html", "browser.en.html"]);
    looked_at(footage, &["browser.en.html"]);
}

#[test]
fn a_browser_finds_nothing_wrong_with_a_page_in_arabic() {
    let footage = footage();
    let clip = "clip ' <i>.mp4";
    footage.check(&[clip, "--html", "browser.ar.html", "--lang", "ar"]);
    looked_at(footage, &["browser.ar.html"]);
}

#[test]
fn a_browser_finds_nothing_wrong_with_a_page_of_a_source_that_is_gone() {
    let footage = footage();
    footage.check(&["again.mp4", "--html", "browser.gone.html"]);
    looked_at(footage, &["browser.gone.html"]);
}

/// Opens pages in a browser, if there is one. In CI there must be one.
fn looked_at(footage: &Footage, pages: &[&str]) {
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
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/browser.mjs");
    let mut command = Command::new("node");
    command
        .arg(script)
        .arg(modules.unwrap())
        .arg(browser.unwrap());
    let output = command
        .args(pages.iter().map(|page| footage.path(page)))
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
