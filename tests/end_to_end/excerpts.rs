//! The program as users meet it: an index of made footage, clips of known origin, and the reports
//! on them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use crate::support::program::{self, Match, Report};
use crate::support::scenes;
use serde_json::{Value, json};

/// Tolerance of reported times, in seconds.
const EXACTNESS_S: f64 = 1.0;

#[test]
fn a_reencoded_excerpt_is_found_where_it_comes_from() {
    let clip = scenes::edit(
        &first_film(),
        "scale=320:180",
        &[
            "-ss", "7.3", "-t", "10", "-c:v", "libx264", "-preset", "veryfast", "-crf", "38",
        ],
        "mp4",
    );
    let (report, code) = check(&clip);
    let found = only_copy(&report);
    assert_eq!((report.verdict.as_str(), code), ("published", 1));
    assert_eq!(found.source.sha256, scenes::digest(&first_film()));
    assert_lies(found, (0.0, 10.0), 7.3);
    assert!(!found.mirrored);
    assert!((found.speed - 1.0).abs() < 0.05, "{}", found.speed);
}

#[test]
fn a_mirrored_excerpt_is_found_and_called_mirrored() {
    let clip = scenes::edit(&first_film(), "hflip", &["-ss", "11.5", "-t", "8"], "mp4");
    let (report, code) = check(&clip);
    let found = only_copy(&report);
    assert_eq!((report.verdict.as_str(), code), ("published", 1));
    assert_lies(found, (0.0, 8.0), 11.5);
    assert!(found.mirrored);
}

#[test]
fn tilted_excerpts_are_found_on_either_side() {
    for (angle, back) in [("6", 348), ("10", 348), ("-15", 12)] {
        let turned = format!("rotate={angle}*PI/180:fillcolor=black");
        let clip = scenes::edit(&first_film(), &turned, &["-ss", "4", "-t", "10"], "mp4");
        let (report, code) = check(&clip);
        let found = only_copy(&report);
        assert_eq!((report.verdict.as_str(), code), ("published", 1));
        assert_lies(found, (0.0, 10.0), 4.0);
        // At six degrees it lies between upright and tilted, and must still be reported once.
        assert!(
            found.turned_degrees == back || angle == "6" && found.turned_degrees == 0,
            "{found:?}"
        );
    }
}

#[test]
fn a_cropped_excerpt_is_found() {
    let clip = scenes::edit(
        &first_film(),
        "crop=512:288:128:0",
        &["-ss", "3", "-t", "10"],
        "mp4",
    );
    let (report, code) = check(&clip);
    assert_eq!(code, 1, "{report:?}");
    assert_lies(only_copy(&report), (0.0, 10.0), 3.0);
}

#[test]
fn a_picture_in_the_corner_a_fifth_as_large_is_found() {
    let corner = "scale=128:72,pad=640:360:482:258:0x607080";
    let clip = scenes::edit(&first_film(), corner, &["-ss", "3", "-t", "10"], "mp4");
    let (report, code) = check(&clip);
    assert_eq!(code, 1, "{report:?}");
    let found = only_copy(&report);
    assert_lies(found, (0.0, 10.0), 3.0);
    assert!((found.geometry.scale - 5.0).abs() < 0.25, "{found:?}");
}

#[test]
fn a_tight_crop_is_found_on_the_right_time_line() {
    let clip = scenes::edit(
        &first_film(),
        "crop=384:216",
        &["-ss", "3", "-t", "10"],
        "mp4",
    );
    let (report, code) = check(&clip);
    assert_eq!(code, 1, "{report:?}");
    // With a third of the picture, some seconds may be missed and the copy may be split, but no
    // part may be placed elsewhere.
    assert!(report.seconds.published >= 5.0, "{report:?}");
    for found in report.copies() {
        assert_eq!(found.source.sha256, scenes::digest(&first_film()));
        assert_close(
            found.reference.start_s - found.clip.start_s,
            3.0,
            "start in the source",
        );
    }
}

#[test]
fn a_faster_excerpt_is_found_with_its_speed() {
    let clip = scenes::edit(
        &first_film(),
        "trim=5:15,setpts=(PTS-STARTPTS)/1.25",
        &[],
        "mp4",
    );
    let (report, _) = check(&clip);
    let found = only_copy(&report);
    assert_lies(found, (0.0, 8.0), 5.0);
    assert!((found.speed - 1.25).abs() < 0.06, "{}", found.speed);
}

#[test]
fn three_seconds_in_other_footage_are_found_in_their_place() {
    let clip = joined(&[
        (scenes::moving(51, 14), 0.0, 6.0),
        (second_film(), 9.0, 3.0),
        (scenes::moving(51, 14), 6.0, 6.0),
    ]);
    let (report, code) = check(&clip);
    assert_eq!((report.verdict.as_str(), code), ("partly_published", 1));
    let found = only_copy(&report);
    assert_eq!(found.source.sha256, scenes::digest(&second_film()));
    assert_lies(found, (6.0, 9.0), 9.0);
}

#[test]
fn of_a_mixture_only_the_published_seconds_count() {
    let clip = joined(&[(first_film(), 4.0, 8.0), (scenes::moving(52, 10), 1.0, 8.0)]);
    let (report, code) = check(&clip);
    assert_eq!((report.verdict.as_str(), code), ("partly_published", 1));
    assert_close(report.seconds.published, 8.0, "published seconds");
    assert_close(report.seconds.unpublished, 8.0, "unpublished seconds");
    assert_close(report.seconds.unsearchable, 0.0, "unsearchable seconds");
}

#[test]
fn an_unrelated_film_is_unpublished() {
    let (report, code) = check(&scenes::moving(60, 12));
    assert_eq!((report.verdict.as_str(), code), ("unpublished", 0));
    assert!(report.matches.is_empty(), "{:?}", report.matches);
    assert_close(report.seconds.unpublished, 12.0, "unpublished seconds");
}

#[test]
fn another_take_of_the_same_scene_is_not_published() {
    // Heads that sway as fast as the source's, and can be matched to it pose by pose.
    let heads = [2, 4, 6, 8].map(|take| scenes::talking_head(1, take, 12));
    for clip in [scenes::tripod(1, 2, 16)].into_iter().chain(heads) {
        let (report, code) = check(&clip);
        assert!(
            !report.is_published() && code != 1,
            "{}: {report:?}",
            clip.display()
        );
        assert!(
            report.matches.iter().all(|found| found.kind != "copy"),
            "{report:?}"
        );
    }
}

#[test]
fn what_moves_tells_a_take_from_another_that_fits_it_pose_by_pose() {
    // Each of these was once reported as a copy, because of the times of keys alone or a few keys
    // at twice the speed.
    let swaying = scenes::talking_head(2, 1, 24);
    let folder = tempfile::tempdir().unwrap();
    let films: [&Path; 3] = [
        &swaying,
        &scenes::talking_head(4, 1, 24),
        &scenes::tripod(1, 1, 24),
    ];
    program::must_succeed(&program::build(binary(), folder.path(), &films));
    let report = |clip: &Path| -> Report {
        serde_json::from_value(json_of(&check_raw(folder.path(), &[clip]))).unwrap()
    };
    for clip in [
        scenes::talking_head(2, 8, 12),
        scenes::talking_head(4, 7, 12),
        scenes::tripod(1, 4, 12),
    ] {
        let report = report(&clip);
        assert!(!report.is_published(), "{}: {report:?}", clip.display());
    }
    // A strip of the take itself, with the same swaying head.
    let strip = scenes::edit(
        &swaying,
        "crop=ih*9/16:ih,scale=360:640",
        &["-ss", "6", "-t", "10"],
        "mp4",
    );
    let report = report(&strip);
    let copies: Vec<&Match> = report.copies().collect();
    assert!(
        report.seconds.published > 8.0 && !copies.is_empty(),
        "{report:?}"
    );
    for found in copies {
        assert_eq!(found.source.sha256, scenes::digest(&swaying));
        assert_close(
            found.reference.start_s - found.clip.start_s,
            6.0,
            "start in the source",
        );
    }
}

#[test]
fn five_cuts_of_a_film_in_another_order_are_five_copies_with_their_times() {
    // Pieces of two seconds; none follows the piece before it in the film.
    let order = [9.0, 5.0, 11.0, 3.0, 7.0];
    let starts = order.map(|from| format!("trim={from}:{},setpts=PTS-STARTPTS", from + 2.0));
    let cuts: String = starts
        .iter()
        .enumerate()
        .map(|(i, trim)| format!("[s{i}]{trim}[c{i}];"))
        .collect();
    let names = |name: &str| {
        (0..order.len())
            .map(|i| format!("[{name}{i}]"))
            .collect::<String>()
    };
    let graph = format!(
        "fps=25,split=5{};{cuts}{}concat=n=5,scale=480:270",
        names("s"),
        names("c")
    );
    let (report, _) = check(&scenes::edit(&first_film(), &graph, &["-t", "10"], "mp4"));
    let mut copies: Vec<&Match> = report.copies().collect();
    copies.sort_by(|a, b| a.clip.start_s.total_cmp(&b.clip.start_s));
    assert_eq!(copies.len(), 5, "{report:?}");
    for (number, (found, from)) in copies.iter().zip(order).enumerate() {
        let start = 2.0 * number as f64;
        assert!(
            (found.clip.start_s - start).abs() < 0.5
                && (found.clip.end_s - start - 2.0).abs() < 0.5,
            "{found:?}"
        );
        assert!((found.reference.start_s - from).abs() < 0.5, "{found:?}");
    }
    assert_close(report.seconds.published, 10.0, "published seconds");
}

#[test]
fn an_excerpt_of_the_take_itself_is_published() {
    let clip = scenes::edit(
        &scenes::tripod(1, 1, 20),
        "scale=320:180",
        &[
            "-ss", "5", "-t", "10", "-c:v", "libx264", "-preset", "veryfast", "-crf", "32",
        ],
        "mp4",
    );
    let (report, code) = check(&clip);
    assert_eq!(code, 1, "{report:?}");
    let found = only_copy(&report);
    assert_eq!(
        found.source.sha256,
        scenes::digest(&scenes::tripod(1, 1, 20))
    );
    assert_lies(found, (0.0, 10.0), 5.0);
}

#[test]
fn of_pictures_without_content_nothing_is_said() {
    for clip in [scenes::black(6), scenes::frozen(9, 8), scenes::slate(6)] {
        let (report, code) = check(&clip);
        assert_eq!(
            (report.verdict.as_str(), code),
            ("inconclusive", 3),
            "{}: {report:?}",
            clip.display()
        );
        assert!(!report.reasons.is_empty());
        assert_eq!(report.seconds.unpublished, 0.0, "{}", clip.display());
    }
}

#[test]
fn a_clip_too_short_to_judge_is_inconclusive() {
    let (report, code) = check(&scenes::excerpt(&scenes::moving(60, 12), 2.0, 0.4));
    assert_eq!(
        (report.verdict.as_str(), code),
        ("inconclusive", 3),
        "{report:?}"
    );
    assert!(!report.reasons.is_empty());
}

#[test]
fn black_seconds_are_not_counted_as_unpublished() {
    let (report, _) = check(&scenes::with_black_part(61, 14, 4, 10));
    assert_close(report.seconds.unsearchable, 6.0, "unsearchable seconds");
    assert_close(report.seconds.unpublished, 8.0, "unpublished seconds");
}

#[test]
fn a_fingerprint_gets_the_verdict_of_its_clip() {
    let folder = tempfile::tempdir().unwrap();
    for (number, clip) in [
        scenes::excerpt(&first_film(), 2.0, 8.0),
        scenes::moving(60, 12),
        scenes::black(6),
    ]
    .iter()
    .enumerate()
    {
        let file = folder.path().join(format!("{number}.uniq"));
        let made = uniq(&[
            OsStr::new("fingerprint"),
            clip.as_os_str(),
            OsStr::new("-o"),
            file.as_os_str(),
        ]);
        program::must_succeed(&made);
        let mut of_clip = json_of(&check_raw(index(), &[clip]));
        let mut of_file = json_of(&check_raw(index(), &[Path::new("--fingerprint"), &file]));
        // Nothing is payable until the clip confirms its fingerprint, and the report names the
        // fingerprint file.
        assert_eq!(of_file["provisional_minutes"], of_clip["payable_minutes"]);
        assert_eq!(
            (&of_file["payable_minutes"], &of_clip["provisional_minutes"]),
            (&json!(0.0), &json!(0.0))
        );
        let first = of_file["reasons"].as_array_mut().unwrap().remove(0);
        assert_eq!(first["code"], "from_fingerprint");
        for line in [&mut of_clip, &mut of_file] {
            line["clip"]["path"].take();
            line["clip"]["from_fingerprint"].take();
            assert!(line["checked_at"].take().is_string());
            line["payable_minutes"].take();
            line["provisional_minutes"].take();
        }
        // A fingerprint does not contain the clip's native size and frame rate.
        assert!(of_file["quality"].is_null() && of_clip["quality"].take().is_object());
        // It holds no pictures, so only keys and motion determine the probability.
        assert!(
            of_file["matches"]
                .as_array()
                .unwrap()
                .iter()
                .all(|found| found["pictures"].is_null()),
            "{of_file:#}"
        );
        for line in [&mut of_clip, &mut of_file] {
            line["timeline"].take();
            // The nearest non-match depends on the probability too.
            line["nearest_non_match"].take();
            for field in ["probability", "terms", "pictures"] {
                line["matches"]
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .for_each(|found| _ = found[field].take());
            }
        }
        let streams = [&mut of_clip, &mut of_file]
            .map(|line| line["streams"].take().as_array().unwrap().len());
        assert_eq!(streams, [1, 0]);
        assert_eq!(of_clip, of_file);
        assert!(of_clip["verdict"].is_string());
    }
}

#[test]
fn a_fingerprint_is_believed_only_where_one_is_asked_for_and_only_under_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let (saved, disguised) = (
        folder.path().join("a.uniq"),
        folder.path().join("holiday.mp4"),
    );
    let made = uniq(&[
        OsStr::new("fingerprint"),
        scenes::moving(60, 12).as_os_str(),
        OsStr::new("-o"),
        saved.as_os_str(),
    ]);
    program::must_succeed(&made);
    std::fs::copy(&saved, &disguised).unwrap();
    let refused = |args: &[&str], file: &Path, wanted: &str| {
        let all: Vec<&Path> = args.iter().map(Path::new).chain([file]).collect();
        let output = check_raw(index(), &all);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && words.contains(wanted),
            "{args:?}: {words}"
        );
    };
    refused(&[], &disguised, "--fingerprint");
    refused(&["--in-process"], &disguised, "--fingerprint");
    // A second stream behind it does not make it valid.
    let mut bytes = std::fs::read(&saved).unwrap();
    bytes.extend(std::fs::read(scenes::moving(60, 12)).unwrap());
    std::fs::write(&disguised, &bytes).unwrap();
    refused(&[], &disguised, "--fingerprint");
    refused(&["--fingerprint"], &disguised, "not a usable fingerprint");
    for place in [&[][..], &["--in-process"]] {
        let with = |limit: [&'static str; 2]| [&["--fingerprint"][..], place, &limit].concat();
        refused(&with(["--max-bytes", "1000"]), &saved, "--max-bytes");
        refused(&with(["--max-duration", "5s"]), &saved, "--max-duration");
        refused(&with(["--max-frames", "9"]), &saved, "--max-frames");
    }
    refused(
        &["--fingerprint"],
        &scenes::moving(60, 12),
        "not a usable fingerprint",
    );
}

#[test]
fn the_report_has_every_documented_field() {
    let line = json_of(&check_raw(
        index(),
        &[&scenes::excerpt(&first_film(), 2.0, 8.0)],
    ));
    let strings = [
        "/clip/path",
        "/clip/sha256",
        "/verdict",
        "/matches/0/source/id",
        "/matches/0/source/path",
        "/matches/0/source/sha256",
        "/matches/0/kind",
        "/matches/0/terms/0/name",
        "/index/root",
        "/search/mode",
    ];
    let numbers = [
        "/clip/duration_s",
        "/seconds/published",
        "/seconds/unpublished",
        "/seconds/unsearchable",
        "/matches/0/clip/start_s",
        "/matches/0/clip/end_s",
        "/matches/0/reference/start_s",
        "/matches/0/reference/end_s",
        "/matches/0/evidence_bits",
        "/matches/0/moment_bits",
        "/matches/0/probability",
        "/matches/0/terms/0/bits",
        "/matches/0/pictures/compared",
        "/matches/0/pictures/correlation",
        "/matches/0/pictures/share",
        "/timeline/0",
        "/matches/0/speed",
        "/index/videos",
        "/index/hours",
        "/index/keys",
        "/index/version",
        "/search/recall",
        "/search/published_probability",
        "/search/payable_probability",
    ];
    for field in strings {
        assert!(
            line.pointer(field).is_some_and(Value::is_string),
            "{field} in {line:#}"
        );
    }
    for field in numbers {
        assert!(
            line.pointer(field).is_some_and(Value::is_number),
            "{field} in {line:#}"
        );
    }
    for field in ["/reasons", "/matches", "/matches/0/terms", "/timeline"] {
        assert!(
            line.pointer(field).is_some_and(Value::is_array),
            "{field} in {line:#}"
        );
    }
    for field in ["/matches/0/mirrored", "/search/exact"] {
        assert!(
            line.pointer(field).is_some_and(Value::is_boolean),
            "{field} in {line:#}"
        );
    }
    assert!(line["matches"][0]["geometry"].is_object(), "{line:#}");
    for field in ["url", "title", "published_at"] {
        assert!(
            line["matches"][0]["source"].get(field).is_some(),
            "{field} in {line:#}"
        );
    }
    assert!(line.get("nearest_non_match").is_some(), "{line:#}");
    let seconds = &line["seconds"];
    let parts =
        ["published", "unpublished", "unsearchable"].map(|part| seconds[part].as_f64().unwrap());
    let whole = line["clip"]["duration_s"].as_f64().unwrap();
    assert!(
        (parts.iter().sum::<f64>() - whole).abs() < 0.01,
        "{seconds} of {whole}"
    );
    assert_eq!(
        line["clip"]["sha256"],
        scenes::digest(&scenes::excerpt(&first_film(), 2.0, 8.0))
    );
    assert_eq!(line["index"]["videos"], 5);
}

#[test]
fn the_same_clip_gets_the_same_report_again() {
    let clip = scenes::excerpt(&first_film(), 2.0, 8.0);
    let [once, twice] = [(); 2].map(|()| {
        let mut line = json_of(&check_raw(index(), &[&clip]));
        assert!(line["checked_at"].take().is_string());
        line.to_string()
    });
    assert_eq!(once, twice);
}

#[test]
fn answers_come_in_the_order_of_the_clips_and_the_worst_decides_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.mp4");
    fs::write(&broken, "this is no video").unwrap();
    let (published, unrelated) = (
        scenes::excerpt(&first_film(), 2.0, 8.0),
        scenes::moving(60, 12),
    );
    let black = scenes::black(6);
    let cases: [(&[&Path], i32); 5] = [
        (&[&unrelated, &unrelated], 0),
        (&[&unrelated, &black], 3),
        (&[&black, &published, &unrelated], 1),
        (&[&unrelated, &published, &black, &unrelated], 1),
        (&[&published, &broken, &black, &unrelated], 2),
    ];
    for (clips, code) in cases {
        let output = check_raw(index(), clips);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let said: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let paths: Vec<&str> = said
            .iter()
            .filter_map(|line| line["clip"]["path"].as_str())
            .collect();
        let asked: Vec<&str> = clips.iter().filter_map(|clip| clip.to_str()).collect();
        assert_eq!(paths, asked);
    }
}

#[test]
fn building_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let videos = [scenes::moving(2, 16), scenes::moving(51, 14)];
    let videos: Vec<&Path> = videos.iter().map(PathBuf::as_path).collect();
    program::must_succeed(&program::build(binary(), folder.path(), &videos));
    let before = files_of(folder.path());
    program::must_succeed(&program::build(binary(), folder.path(), &videos));
    assert!(!before.is_empty());
    assert_eq!(files_of(folder.path()), before);
}

#[test]
fn a_removed_video_is_unpublished_again_until_it_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let film = scenes::moving(2, 16);
    let clip = scenes::excerpt(&film, 3.0, 8.0);
    program::must_succeed(&program::build(
        binary(),
        folder.path(),
        &[&film, &scenes::moving(51, 14)],
    ));
    let code = || check_raw(folder.path(), &[&clip]).status.code();
    assert_eq!(code(), Some(1));
    let digest = scenes::digest(&film);
    let index: [&OsStr; 2] = ["--index".as_ref(), folder.path().as_os_str()];
    program::must_succeed(&uniq(&[
        "index".as_ref(),
        "remove".as_ref(),
        digest.as_ref(),
        index[0],
        index[1],
    ]));
    assert_eq!(code(), Some(0));
    program::must_succeed(&uniq(&[
        "index".as_ref(),
        "add".as_ref(),
        film.as_os_str(),
        index[0],
        index[1],
    ]));
    assert_eq!(code(), Some(1));
}

#[test]
fn what_is_known_of_a_publication_reaches_the_report() {
    let film = scenes::moving(2, 16);
    let clip = scenes::excerpt(&film, 3.0, 8.0);
    let (url, title, date) = (
        "https://example.com/watch?v=1",
        "Sørlandet, \"by train\"",
        "2024-05-17",
    );
    let quoted = title.replace('"', "\"\"");
    let record = |path: &Path| serde_json::json!({ "path": path, "url": url, "title": title, "published_at": date });
    let cases = ["list.csv", "list.jsonl", "film.info.json"];
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("film.mp4");
        fs::copy(&film, &copy).unwrap();
        let side = folder.path().join(case);
        let source = match case {
            "list.csv" => {
                let lines = format!(
                    "path,url,title,published_at\n{},{url},\"{quoted}\",{date}\n",
                    copy.display()
                );
                fs::write(&side, lines).unwrap();
                side
            }
            "list.jsonl" => {
                fs::write(&side, format!("{}\n", record(&copy))).unwrap();
                side
            }
            _ => {
                let info = serde_json::json!({ "webpage_url": url, "title": title, "upload_date": date.replace('-', "") });
                fs::write(&side, info.to_string()).unwrap();
                copy
            }
        };
        let index = folder.path().join("index");
        program::must_succeed(&program::build(binary(), &index, &[&source]));
        let line = json_of(&check_raw(&index, &[&clip]));
        let source = &line["matches"][0]["source"];
        assert_eq!(source["url"], url, "{case}: {line:#}");
        assert_eq!(source["title"], title, "{case}");
        assert!(
            source["published_at"]
                .as_str()
                .is_some_and(|found| found.starts_with(date)),
            "{case}: {source}"
        );
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_uniq"))
}

fn first_film() -> PathBuf {
    scenes::moving(1, 24)
}

fn second_film() -> PathBuf {
    scenes::moving(2, 16)
}

/// An index of five published films, built once per process.
fn index() -> &'static Path {
    static INDEX: OnceLock<PathBuf> = OnceLock::new();
    INDEX.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end_to_end");
        remove_stale(&folder);
        let index = folder.join(std::process::id().to_string());
        // Process numbers recur, and this needs a new index.
        let _absent = fs::remove_dir_all(&index);
        fs::create_dir_all(&folder).unwrap();
        let films = [
            first_film(),
            second_film(),
            scenes::moving(3, 12),
            scenes::tripod(1, 1, 20),
            scenes::talking_head(1, 1, 14),
        ];
        let films: Vec<&Path> = films.iter().map(PathBuf::as_path).collect();
        program::must_succeed(&program::build(binary(), &index, &films));
        index
    })
}

/// Removes what earlier processes left, except what may still be in use.
fn remove_stale(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let limit = SystemTime::now() - Duration::from_secs(3600);
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified < limit) {
            let _gone = fs::remove_dir_all(entry.path());
        }
    }
}

fn uniq(args: &[&OsStr]) -> Output {
    program::run(binary(), args)
}

fn check_raw(index: &Path, clips: &[&Path]) -> Output {
    let mut args: Vec<&OsStr> = vec![
        "check".as_ref(),
        "--json".as_ref(),
        "--index".as_ref(),
        index.as_os_str(),
    ];
    args.extend(clips.iter().map(|clip| clip.as_os_str()));
    uniq(&args)
}

/// The report on one clip and the exit code.
fn check(clip: &Path) -> (Report, i32) {
    let output = check_raw(index(), &[clip]);
    let report = serde_json::from_value(json_of(&output)).unwrap();
    (report, output.status.code().unwrap())
}

/// The only line of an answer.
fn json_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        text.lines().count(),
        1,
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&text).unwrap()
}

/// The copy that was found; one continuous excerpt must not be split.
fn only_copy(report: &Report) -> &Match {
    let copies: Vec<&Match> = report.copies().collect();
    assert_eq!(copies.len(), 1, "{report:#?}");
    copies[0]
}

fn assert_lies(found: &Match, within_s: (f64, f64), reference_start_s: f64) {
    assert_close(found.clip.start_s, within_s.0, "start in the clip");
    assert_close(found.clip.end_s, within_s.1, "end in the clip");
    assert_close(
        found.reference.start_s,
        reference_start_s,
        "start in the source",
    );
}

fn assert_close(seconds: f64, truth: f64, what: &str) {
    assert!(
        (seconds - truth).abs() <= EXACTNESS_S,
        "{what}: {seconds} s instead of {truth} s"
    );
}

/// Plays parts (video, start, length in seconds) one after the other.
fn joined(parts: &[(PathBuf, f64, f64)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits");
    let mut args: Vec<std::ffi::OsString> = Vec::new();
    let mut filter = String::new();
    for (number, (video, start, length)) in parts.iter().enumerate() {
        args.extend([
            "-ss".into(),
            format!("{start}").into(),
            "-t".into(),
            format!("{length}").into(),
        ]);
        args.extend(["-i".into(), video.into()]);
        filter += &format!("[{number}:v]");
    }
    filter += &format!("concat=n={}:v=1:a=0", parts.len());
    args.extend(["-filter_complex".into(), filter.into()]);
    args.extend(
        scenes::words("-c:v libx264 -preset ultrafast -crf 24 -pix_fmt yuv420p")
            .iter()
            .map(Into::into),
    );
    let inputs: Vec<&Path> = parts.iter().map(|(video, _, _)| video.as_path()).collect();
    scenes::edited(&folder, &inputs, &args, "mp4")
}

/// Names and bytes of all files below a folder, except locks.
fn files_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| {
            entry.file_type().is_file() && !entry.file_name().to_string_lossy().contains("lock")
        })
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}
