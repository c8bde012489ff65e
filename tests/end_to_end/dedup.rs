//! Duplicates among clips, through the library and the program.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::scenes;
use serde_json::Value;
use tempfile::TempDir;
use uniq::dedup::{DedupOptions, Deduplication, Event, Extent, Input, Keep, Stage, dedup};
use uniq::report::MatchKind;
use uniq::verdict::Policy;
use uniq::{Decoding, Effort, Error};

/// Footage under short names in a folder, so that failures are readable.
struct Footage {
    dir: TempDir,
}

impl Footage {
    fn new() -> Footage {
        Footage {
            dir: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, made: &Path) -> PathBuf {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::copy(made, self.path(name)).unwrap();
        self.path(name)
    }

    /// The short name of a file.
    fn name(&self, path: &str) -> String {
        Path::new(path)
            .strip_prefix(self.dir.path())
            .unwrap()
            .display()
            .to_string()
    }

    fn uniq(&self, args: &[&str]) -> Output {
        let home = self.path("home");
        let mut command = Command::new(env!("CARGO_BIN_EXE_uniq"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join("cache"));
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The groups with their members, each by the name of the kept clip.
    fn groups(&self, found: &Deduplication) -> Vec<(String, Vec<(String, Extent)>)> {
        let member = |member: &uniq::dedup::Member| (self.name(&member.path), member.extent);
        let group = |group: &uniq::dedup::Group| {
            (
                self.name(&group.keep.path),
                group.members.iter().map(member).collect::<Vec<_>>(),
            )
        };
        found.groups.iter().map(group).collect()
    }

    /// The pairs by name, in either direction.
    fn pairs(&self, found: &Deduplication, kind: MatchKind) -> BTreeSet<[String; 2]> {
        let names = |pair: &uniq::dedup::Pair| {
            let mut names = [self.name(&pair.clip.path), self.name(&pair.other.path)];
            names.sort();
            names
        };
        found
            .pairs
            .iter()
            .filter(|pair| pair.kind == kind)
            .map(names)
            .collect()
    }
}

fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    paths
        .iter()
        .map(|path| Input {
            path: path.clone(),
            reference: false,
        })
        .collect()
}

fn quietly(_: Event) {}

fn options<'a>(decoding: &'a Decoding, work: &'a Path) -> DedupOptions<'a> {
    DedupOptions {
        decoding,
        work,
        candidates: Effort::Fast,
        effort: Effort::Standard,
        policy: Policy::default(),
        keep: Keep::First,
        threads: 2,
        progress: &quietly,
        cancel: None,
        now: None,
        processor_time: None,
    }
}

/// One film, edits of it, another film twice, and two takes of one scene.
fn footage() -> (Footage, Vec<PathBuf>) {
    let footage = Footage::new();
    let film = scenes::moving(71, 9);
    let mirrored = scenes::edit(
        &film,
        "hflip,crop=iw*0.85:ih*0.85",
        &["-ss", "2", "-t", "4"],
        "mp4",
    );
    let named = [
        ("a.mp4", film.clone()),
        ("b.mp4", mirrored),
        ("c.mp4", scenes::moving(72, 6)),
        ("d.mp4", scenes::moving(72, 6)),
        ("take1.mp4", scenes::tripod(5, 1, 6)),
        ("take2.mp4", scenes::tripod(5, 2, 6)),
    ];
    let paths = named
        .iter()
        .map(|(name, made)| footage.put(name, made))
        .collect();
    (footage, paths)
}

#[test]
fn an_edit_and_the_same_bytes_are_members_and_another_take_is_none() {
    let (footage, paths) = footage();
    let (decoding, work) = (Decoding::in_process(), footage.path("work"));
    let found = dedup(&inputs(&paths), &options(&decoding, &work)).unwrap();
    let member = |name: &str, extent| (name.to_owned(), extent);
    let expected = vec![
        ("a.mp4".to_owned(), vec![member("b.mp4", Extent::Whole)]),
        ("c.mp4".to_owned(), vec![member("d.mp4", Extent::Identical)]),
    ];
    assert_eq!(footage.groups(&found), expected);
    assert!(found.duplicates && found.failed.is_empty());
    let copies = footage.pairs(&found, MatchKind::Copy);
    assert_eq!(
        copies,
        BTreeSet::from(
            [["a.mp4", "b.mp4"], ["c.mp4", "d.mp4"]].map(|pair| pair.map(str::to_owned))
        )
    );
    let pair = found
        .pairs
        .iter()
        .find(|pair| pair.kind == MatchKind::Copy && !pair.identical)
        .unwrap();
    assert_eq!(
        footage.name(&pair.clip.path),
        "b.mp4",
        "the shorter is searched for"
    );
    let copy = &pair
        .matches
        .iter()
        .find(|found| found.found.kind == MatchKind::Copy)
        .unwrap()
        .found
        .alignment;
    let near = |a: f64, b: f64| (a - b).abs() < 1.0;
    assert!(
        near(copy.clip.start_s, 0.0) && near(copy.clip.end_s, 4.0),
        "{copy:?}"
    );
    assert!(
        near(copy.reference.start_s, 2.0) && near(copy.reference.end_s, 6.0),
        "{copy:?}"
    );
    assert!(copy.mirrored && near(copy.speed, 1.0) && !copy.terms.is_empty());
    assert_eq!(
        (copy.source.path.as_str(), copy.source.sha256.as_str()),
        (&*pair.other.path, &*pair.other.sha256)
    );
    let group = &found.groups[0];
    assert_eq!(
        (&found.pairs[group.members[0].pair], group.probability),
        (pair, pair.probability)
    );
    // The findings can be read back unchanged.
    let again: Deduplication =
        serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(again, found);
}

#[test]
fn pairs_depend_neither_on_the_order_of_the_files_nor_on_the_threads() {
    let (footage, mut paths) = footage();
    let (decoding, work) = (Decoding::in_process(), footage.path("work"));
    let first = dedup(&inputs(&paths), &options(&decoding, &work)).unwrap();
    assert_eq!((first.cost.decoded_clips, first.cost.reused_clips), (5, 0));
    for threads in [1, 5] {
        paths.rotate_left(2);
        paths.reverse();
        let options = DedupOptions {
            threads,
            keep: Keep::Longest,
            ..options(&decoding, &work)
        };
        let again = dedup(&inputs(&paths), &options).unwrap();
        assert_eq!(again.pairs, first.pairs, "{threads} threads");
        assert_eq!((again.cost.decoded_clips, again.cost.reused_clips), (0, 5));
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_where_it_was_with_the_same_result() {
    let (footage, paths) = footage();
    let (decoding, work) = (Decoding::in_process(), footage.path("work"));
    let stop = AtomicBool::new(false);
    let stopping = |event: Event| {
        if event.stage == Stage::Decoding && event.done == 3 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let interrupted = DedupOptions {
        threads: 1,
        progress: &stopping,
        cancel: Some(&stop),
        ..options(&decoding, &work)
    };
    assert!(matches!(
        dedup(&inputs(&paths), &interrupted),
        Err(Error::Cancelled)
    ));
    // A saved clip is damaged, and then decoded again.
    let kept = fs::read_dir(work.join("clips"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let damaged = kept
        .filter(|path| path.extension().is_some_and(|ending| ending == "uniq"))
        .min()
        .unwrap();
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let resumed = dedup(&inputs(&paths), &options(&decoding, &work)).unwrap();
    assert_eq!(
        (resumed.cost.decoded_clips, resumed.cost.reused_clips),
        (3, 2)
    );
    let fresh = dedup(&inputs(&paths), &options(&decoding, &footage.path("other"))).unwrap();
    assert_eq!(
        (&resumed.pairs, &resumed.groups, &resumed.clips),
        (&fresh.pairs, &fresh.groups, &fresh.clips)
    );
}

#[test]
fn the_best_is_kept_by_the_rule_and_a_reference_in_any_case() {
    let footage = Footage::new();
    let film = scenes::moving(73, 8);
    // Of lower quality than the film.
    let cut = [
        "-ss", "1", "-t", "4", "-an", "-c:v", "libx264", "-crf", "30", "-pix_fmt", "yuv420p",
    ];
    let excerpt = footage.put("excerpt.mp4", &scenes::edit(&film, "", &cut, "mp4"));
    let small = footage.put(
        "small.mp4",
        &scenes::edit(&film, "scale=320:180", &[], "mp4"),
    );
    let film = footage.put("film.mp4", &film);
    let (decoding, work) = (Decoding::in_process(), footage.path("work"));
    let kept = |keep, reference: Option<&Path>| {
        let mut inputs = inputs(&[excerpt.clone(), small.clone(), film.clone()]);
        inputs
            .iter_mut()
            .for_each(|input| input.reference = Some(&*input.path) == reference);
        let found = dedup(
            &inputs,
            &DedupOptions {
                keep,
                ..options(&decoding, &work)
            },
        )
        .unwrap();
        let redundant = found
            .groups
            .iter()
            .flat_map(|group| &group.members)
            .filter(|member| member.redundant);
        let superfluous: Vec<String> = redundant.map(|member| footage.name(&member.path)).collect();
        (footage.groups(&found), superfluous)
    };
    // The excerpt is kept. A clip that has more than the excerpt is redundant only beside its
    // equal, not beside the excerpt.
    let (groups, superfluous) = kept(Keep::First, None);
    assert_eq!(superfluous, ["film.mp4"]);
    assert_eq!(groups[0].0, "excerpt.mp4");
    assert!(
        groups[0]
            .1
            .iter()
            .all(|(_, extent)| *extent == Extent::Part),
        "{groups:?}"
    );
    let (groups, superfluous) = kept(Keep::Quality, None);
    assert_eq!((groups.len(), groups[0].0.as_str()), (1, "film.mp4"));
    assert_eq!(superfluous, ["excerpt.mp4", "small.mp4"]);
    let (groups, superfluous) = kept(Keep::Quality, Some(&small));
    assert_eq!(
        (groups[0].0.as_str(), superfluous),
        (
            "small.mp4",
            vec!["film.mp4".to_owned(), "excerpt.mp4".to_owned()]
        )
    );
}

#[test]
fn a_quick_search_takes_no_part_of_a_clip_for_undecoded() {
    let footage = Footage::new();
    // At a low frame rate the keyframes of a fast search are often nearly a second apart.
    let slow = scenes::edit(&scenes::moving(76, 4), "fps=5", &[], "mp4");
    let paths = [
        footage.put("slow.mp4", &slow),
        footage.put("b.mp4", &scenes::moving(77, 4)),
    ];
    let (decoding, work) = (Decoding::in_process(), footage.path("work"));
    let options = DedupOptions {
        effort: Effort::Fast,
        ..options(&decoding, &work)
    };
    let found = dedup(&inputs(&paths), &options).unwrap();
    assert!(
        found.clips.iter().all(|clip| clip.not_compared.is_empty()),
        "{:?}",
        found.clips
    );
}

#[test]
fn a_clip_whose_second_picture_is_its_own_is_not_superfluous() {
    let footage = Footage::new();
    let (film, other) = (scenes::moving(74, 6), scenes::moving(75, 6));
    let args: Vec<OsString> = [
        "-i".into(),
        film.clone().into(),
        "-i".into(),
        other.clone().into(),
    ]
    .into_iter()
    .chain(["-map", "0:v", "-map", "1:v", "-c", "copy"].map(OsString::from))
    .collect();
    let both = scenes::edited(&footage.path("made"), &[&film, &other], &args, "mp4");
    let paths = [
        footage.put("film.mp4", &film),
        footage.put("both.mp4", &both),
        footage.put("other.mp4", &other),
    ];
    let (decoding, work) = (Decoding::in_process(), footage.path("work"));
    let found = dedup(&inputs(&paths), &options(&decoding, &work)).unwrap();
    let groups = footage.groups(&found);
    assert_eq!(
        groups[0],
        (
            "film.mp4".to_owned(),
            vec![("both.mp4".to_owned(), Extent::Part)]
        ),
        "{groups:?}"
    );
    // The content of its second video stream is found.
    assert_eq!(
        groups[1],
        (
            "both.mp4".to_owned(),
            vec![("other.mp4".to_owned(), Extent::Whole)]
        ),
        "{groups:?}"
    );
    let streams: BTreeSet<(Option<u32>, Option<u32>)> = found
        .pairs
        .iter()
        .flat_map(|pair| &pair.matches)
        .map(|of| (of.found.stream, of.reference_stream))
        .collect();
    assert!(
        streams
            .iter()
            .all(|(of_clip, of_other)| of_clip.is_some() != of_other.is_some()),
        "{streams:?}"
    );
    assert_eq!(found.clips[1].pictures, 2);
}

#[test]
fn exit_codes_tell_duplicates_from_none_from_errors_from_what_could_not_be_compared() {
    let footage = Footage::new();
    let film = footage.put("v/a.mp4", &scenes::moving(76, 4));
    footage.put("v/b.mp4", &scenes::moving(77, 4));
    let run = |args: &[&str]| {
        let output = footage.uniq(&[&["dedup", "--in-process", "--work", "w"], args].concat());
        let (out, err) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        (output.status.code().unwrap(), out, err)
    };
    let (code, out, err) = run(&["v"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("no duplicates") && err.contains("processor seconds"),
        "{out}{err}"
    );
    footage.put("v/black.mp4", &scenes::black(3));
    let (code, out, _) = run(&["v"]);
    assert_eq!(code, 3);
    assert!(
        out.contains("v/black.mp4: 0.0 of 3.0 s compared") && out.contains("black"),
        "{out}"
    );
    // A file that is named twice is no duplicate of itself.
    assert_eq!(run(&["v", film.to_str().unwrap(), "v/../v/a.mp4"]).0, 3);
    fs::copy(&film, footage.path("v/copy.mp4")).unwrap();
    let (code, out, _) = run(&["v", "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &found["schema"], &found["duplicates"]),
        (1, &1.into(), &true.into())
    );
    assert_eq!(found["groups"][0]["members"][0]["path"], "v/copy.mp4");
    fs::write(footage.path("v/broken.mp4"), "no video").unwrap();
    let (code, out, err) = run(&["v", "--csv", "pairs.csv"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("v/broken.mp4: not a media file: no known container")
            && err.contains("; give a video"),
        "{err}"
    );
    assert!(out.contains("v/copy.mp4"), "the rest goes on: {out}");
    let table = fs::read_to_string(footage.path("pairs.csv")).unwrap();
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(
        table
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("copy,true,v/a.mp4,v/copy.mp4,0,4"),
        "{table}"
    );
    // References are not compared with each other.
    let (code, out, _) = run(&[
        "v/b.mp4",
        "--reference",
        "v/a.mp4",
        "--reference",
        "v/copy.mp4",
        "--json",
    ]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, found["groups"].as_array().unwrap().len()),
        (0, 0),
        "{out}"
    );
}

#[test]
fn no_clip_is_overwritten_by_a_table_and_no_folder_taken_for_a_work_folder() {
    let footage = Footage::new();
    let film = footage.put("v/a.mp4", &scenes::moving(76, 4));
    footage.put("v/b.mp4", &scenes::moving(77, 4));
    let before = fs::read(&film).unwrap();
    let refused = |args: &[&str], words: &str| {
        let output = footage.uniq(&[&["dedup", "--in-process"], args].concat());
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(words), "{err}");
    };
    refused(
        &["--csv", "v/a.mp4", "v/b.mp4"],
        "v/a.mp4: the file exists and is not a table of duplicates",
    );
    refused(
        &["v", "--work", "v"],
        "the work folder is v, which holds other files; it must be a new or empty folder",
    );
    refused(&["v", "--work", "v/a.mp4"], "v/a.mp4");
    fs::create_dir(footage.path("old")).unwrap();
    fs::write(
        footage.path("old/uniq-dedup"),
        "work folder of uniq dedup, layout 0",
    )
    .unwrap();
    refused(
        &["v", "--work", "old"],
        "which another version made; it must be a folder of this version: name another, or remove",
    );
    refused(&["gone.mp4"], "gone.mp4: open failed");
    assert_eq!(fs::read(&film).unwrap(), before);
    // A temporary folder is deleted with the run.
    assert_eq!(
        footage.uniq(&["dedup", "--in-process", "v"]).status.code(),
        Some(0)
    );
    assert_eq!(
        fs::read_dir(footage.path("home/cache/uniq"))
            .unwrap()
            .count(),
        0
    );
}
