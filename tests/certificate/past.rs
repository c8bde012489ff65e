//! An index that grows, is merged, loses videos, or has its history rewritten.

use std::time::{Duration, SystemTime};

use uniq::Index;
use uniq::fingerprint::{Key, KeyKind, Place, Run};
use uniq::index::{Publication, Video, Writer};

use super::*;

/// Adds `videos` videos with a few random keys each in several commits, and merges all.
fn grow(dir: &Path, videos: u32) {
    let mut writer = Writer::open(dir).unwrap().with_clock(SystemTime::now);
    for number in 0..videos {
        let mut sha256 = [0; 32];
        sha256[..4].copy_from_slice(&(number + 1).to_le_bytes());
        sha256[31] = 0xee;
        let word = |i: u64| {
            (u64::from(number) << 8 | i)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(17 + i as u32)
        };
        let runs = (0..6).map(|i| Run {
            first: Duration::from_secs(i),
            last: Duration::from_secs(i + 1),
            kind: KeyKind::Region,
            place: Place {
                x: 0.5,
                y: 0.5,
                size: 0.2,
            },
            key: Key([word(i), word(i + 40), word(i + 80), word(i + 120)]),
            recurs: false,
        });
        let video = Video {
            id: String::new(),
            path: format!("made/{number}.mp4"),
            sha256,
            duration: Duration::from_secs(8),
            width: 640,
            height: 360,
            publication: Publication::default(),
            keyframes: 16,
            undecoded: Duration::ZERO,
        };
        assert!(writer.add(video, runs.collect()).unwrap());
        if number % 250 == 249 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    writer.compact(&|| false).unwrap();
}

fn certify(dir: &Path, clip: &Path, folder: &str) -> PathBuf {
    good_or(
        &uniq_in(
            dir,
            &[
                "certify",
                text(clip),
                "--key",
                "ed25519",
                "-o",
                folder,
                "--index",
                "index",
            ],
        ),
        &[0, 1, 3],
    );
    dir.join(folder).join(format!(
        "{}.certificate.json",
        clip.file_name().unwrap().to_str().unwrap()
    ))
}

fn good_or(output: &Output, codes: &[i32]) {
    assert!(
        codes.contains(&code(output)),
        "{} {}{}",
        code(output),
        stdout(output),
        stderr(output)
    );
}

fn fingerprint_of(certificate: &Path) -> PathBuf {
    PathBuf::from(text(certificate).replace(".certificate.json", ".uniq"))
}

fn reproduce(dir: &Path, certificate: &Path, index: &str) -> Output {
    let fingerprint = fingerprint_of(certificate);
    uniq_in(
        dir,
        &[
            "certificate",
            "reproduce",
            text(certificate),
            "--fingerprint",
            text(&fingerprint),
            "--index",
            index,
            "--key",
            "ed25519.pub",
            "--json",
        ],
    )
}

#[test]
fn a_search_is_reproduced_after_a_thousand_videos_and_a_merge() {
    let dir = world().copy();
    let dir = dir.path();
    // Also a clip with a copy, whose evidence depends on the size of the index.
    let copy = scenes::excerpt(&scenes::moving(612, SECONDS), 1.0, 6.0);
    let certificates = [certify(dir, &world().clip, "c"), certify(dir, &copy, "c")];
    good(&uniq_in(
        dir,
        &["index", "snapshot", "before", "--index", "index"],
    ));
    grow(&dir.join("index"), 1000);
    assert_eq!(
        Index::open(&dir.join("index")).unwrap().state().videos,
        1003
    );
    for certificate in &certificates {
        for (index, grown) in [("index", true), ("before", false)] {
            let again = reproduce(dir, certificate, index);
            good(&again);
            let found = object(&again);
            assert_eq!(
                (&found["equal"], &found["grown"]),
                (&true.into(), &grown.into()),
                "{found}"
            );
            assert_eq!(
                found["result_digest"],
                payload(certificate)["predicate"]["resultDigest"]
            );
        }
    }
    good(&uniq_in(dir, &["index", "verify", "--index", "before"]));
    // An earlier generation can be read from a snapshot of the newest one.
    let generation = payload(&certificates[0])["predicate"]["corpus"]["generation"].to_string();
    let snapshot = uniq_in(
        dir,
        &[
            "index",
            "snapshot",
            "after",
            "--generation",
            &generation,
            "--index",
            "index",
        ],
    );
    good(&snapshot);
    good(&reproduce(dir, &certificates[0], "after"));
    refused(
        &uniq_in(
            dir,
            &[
                "index",
                "snapshot",
                "never",
                "--generation",
                "999",
                "--index",
                "index",
            ],
        ),
        "the newest is",
    );
    refused(
        &uniq_in(dir, &["index", "snapshot", "after", "--index", "index"]),
        "not empty",
    );

    // A removed video is still there until a merge drops it, and afterwards in the snapshot.
    let gone = scenes::moving(613, SECONDS);
    good(&uniq_in(
        dir,
        &["index", "remove", text(&gone), "--index", "index"],
    ));
    good(&reproduce(dir, &certificates[0], "index"));
    good(&uniq_in(dir, &["index", "merge", "--index", "index"]));
    refused(&reproduce(dir, &certificates[0], "index"), "removed later");
    good(&reproduce(dir, &certificates[0], "before"));
}

#[test]
fn a_clip_that_is_published_later_supersedes_its_certificate_and_others_hold() {
    let dir = world().copy();
    let dir = dir.path();
    let other = scenes::moving(621, SECONDS);
    let certificates = [certify(dir, &world().clip, "c"), certify(dir, &other, "c")];
    let recheck = |certificates: &[PathBuf], out: &str| {
        let files = certificates.iter().map(|file| text(file));
        let args: Vec<&str> = [
            "certificate",
            "recheck",
            "--key",
            "ed25519",
            "--index",
            "index",
            "--json",
            "-o",
            out,
            "--revocations",
        ]
        .into_iter()
        .collect();
        let revocations = format!("{out}.revoked");
        let output = uniq_in(
            dir,
            &args
                .into_iter()
                .chain([revocations.as_str()])
                .chain(files)
                .collect::<Vec<_>>(),
        );
        let lines: Vec<Value> = stdout(&output)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (
            output,
            lines,
            fs::read_to_string(dir.join(revocations)).unwrap_or_default(),
        )
    };
    // Nothing is new.
    let (output, told, revoked) = recheck(&certificates, "r0");
    good(&output);
    assert!(
        told.iter()
            .all(|told| told["outcome"] == "holds" && told["added"] == 0)
            && revoked.is_empty(),
        "{told:?}"
    );

    // Another video is published, and later one of the clips, smaller and compressed.
    good(&uniq_in(
        dir,
        &[
            "index",
            "add",
            text(&scenes::moving(622, SECONDS)),
            "--index",
            "index",
        ],
    ));
    let (output, told, revoked) = recheck(&certificates, "r1");
    good(&output);
    assert!(
        told.iter().all(|told| told["outcome"] == "holds"
            && told["added"] == 1
            && told["in_full"].is_null()),
        "{told:?}"
    );
    assert!(revoked.is_empty());
    let published = scenes::edit(
        &other,
        "scale=480:270",
        &["-c:v", "libx264", "-preset", "veryfast", "-crf", "28"],
        "mp4",
    );
    good(&uniq_in(
        dir,
        &["index", "add", text(&published), "--index", "index"],
    ));
    let (output, told, revoked) = recheck(&certificates, "r2");
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert_eq!(
        (&told[0]["outcome"], &told[1]["outcome"]),
        (&"holds".into(), &"superseded".into()),
        "{told:?}"
    );
    assert!(
        revoked.lines().count() == 1
            && revoked.contains(told[1]["certificate_sha256"].as_str().unwrap()),
        "{revoked}"
    );

    // The new files are full certificates: they verify, name the previous one, and can be
    // reproduced and rechecked.
    let new: Vec<PathBuf> = told
        .iter()
        .map(|told| dir.join(told["new_certificate"].as_str().unwrap()))
        .collect();
    for (new, told) in new.iter().zip(&told) {
        good(&uniq_in(
            dir,
            &["certificate", "verify", text(new), "--key", "ed25519.pub"],
        ));
        assert_eq!(
            payload(new)["predicate"]["previous"]["sha256"],
            told["certificate_sha256"]
        );
    }
    assert_eq!(payload(&new[1])["predicate"]["verdict"], "published");
    assert_eq!(payload(&new[1])["predicate"]["payableMs"], 0);
    let since = &payload(&new[0])["predicate"]["search"]["sinceGeneration"];
    assert_eq!(
        *since,
        payload(&certificates[0])["predicate"]["corpus"]["generation"]
    );
    for (new, old) in new.iter().zip(&certificates) {
        let fingerprint = fingerprint_of(old);
        let again = uniq_in(
            dir,
            &[
                "certificate",
                "reproduce",
                text(new),
                "--fingerprint",
                text(&fingerprint),
                "--index",
                "index",
            ],
        );
        good(&again);
    }
    let fingerprints = dir.join("c");
    let again = uniq_in(
        dir,
        &[
            "certificate",
            "recheck",
            text(&new[0]),
            "--key",
            "ed25519",
            "--index",
            "index",
            "-o",
            "r3",
            "--fingerprint",
            text(&fingerprints),
        ],
    );
    good(&again);
    let missing = uniq_in(
        dir,
        &[
            "certificate",
            "recheck",
            text(&new[0]),
            "--key",
            "ed25519",
            "--index",
            "index",
            "-o",
            "r4",
        ],
    );
    refused(&missing, "--fingerprint");

    // After a removal everything is searched, and the output says so.
    good(&uniq_in(
        dir,
        &[
            "index",
            "remove",
            text(&scenes::moving(622, SECONDS)),
            "--index",
            "index",
        ],
    ));
    good(&uniq_in(
        dir,
        &[
            "index",
            "remove",
            text(&scenes::moving(611, SECONDS)),
            "--index",
            "index",
        ],
    ));
    let (output, told, _) = recheck(&certificates[..1], "r5");
    good(&output);
    assert!(
        told[0]["in_full"]
            .as_str()
            .unwrap()
            .contains("1 of its sources were removed"),
        "{told:?}"
    );
    assert!(
        payload(&dir.join(told[0]["new_certificate"].as_str().unwrap()))["predicate"]["search"]["sinceGeneration"]
            .is_null()
    );
    // For another index there is no answer.
    fs::remove_dir_all(dir.join("index")).unwrap();
    good(&uniq_in(
        dir,
        &[
            "index",
            "build",
            text(&scenes::moving(622, SECONDS)),
            "--index",
            "index",
        ],
    ));
    let (output, _, _) = recheck(&certificates[..1], "r6");
    refused(&output, "another index");
}

#[test]
fn a_source_is_proved_to_be_there_and_another_file_not_to_be() {
    let world = world();
    let certificate = world.certificate("ed25519");
    let index = Index::open(&world.path("index")).unwrap();
    let there: String = index
        .videos()
        .next()
        .unwrap()
        .1
        .sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let absent = ["00".repeat(32), "7f".repeat(32), "ff".repeat(32)];
    let verify = |proof: &Path| {
        world.uniq(&[
            "certificate",
            "verify",
            text(&certificate),
            "--key",
            "ed25519.pub",
            "--proof",
            text(proof),
        ])
    };
    for (number, (sha256, flag)) in [(&there, None)]
        .into_iter()
        .chain(absent.iter().map(|sha256| (sha256, Some("--absent"))))
        .enumerate()
    {
        let mut args = vec!["index", "prove", sha256.as_str(), "--index", "index"];
        args.extend(flag);
        let proved = world.uniq(&args);
        good(&proved);
        let file = world.path(&format!("proof-{number}.json"));
        fs::write(&file, &proved.stdout).unwrap();
        let verified = verify(&file);
        good(&verified);
        let words = if flag.is_some() {
            "was not among the sources"
        } else {
            "was among the sources"
        };
        assert!(stdout(&verified).contains(words), "{}", stdout(&verified));
        // The proof is cut, or changed anywhere.
        let bytes = proved.stdout.trim_ascii_end().to_vec();
        let step = (bytes.len() / 40).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            for wrong in [&changed[..], &bytes[..at]] {
                let proof = uniq::certificate::Proof::parse(wrong);
                let corpus = index.state();
                let checked =
                    proof.and_then(|proof| proof.check(&corpus.sources_root, corpus.videos));
                // A neighbour of the file may share this proof.
                let about_it = String::from_utf8_lossy(wrong).contains(sha256.as_str());
                assert!(
                    checked.is_err() || !about_it,
                    "at {at}: {}",
                    String::from_utf8_lossy(wrong)
                );
            }
        }
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        refused(&verify(&file), "not a proof");
    }
    refused(
        &world.uniq(&["index", "prove", &there, "--absent", "--index", "index"]),
        "its absence cannot be proved",
    );
    refused(
        &world.uniq(&["index", "prove", &absent[0], "--index", "index"]),
        "--absent",
    );
    refused(
        &world.uniq(&["index", "prove", "xyz", "--index", "index"]),
        "64 hexadecimal digits",
    );
}

#[test]
fn a_rewritten_history_is_found_by_an_older_checkpoint() {
    let dir = world().copy();
    let dir = dir.path();
    let add = |seed: u64| {
        good(&uniq_in(
            dir,
            &[
                "index",
                "add",
                text(&scenes::moving(seed, SECONDS)),
                "--index",
                "index",
            ],
        ))
    };
    add(631);
    let checkpoint = uniq_in(
        dir,
        &[
            "index",
            "checkpoint",
            "--key",
            "ed25519",
            "--index",
            "index",
        ],
    );
    good(&checkpoint);
    fs::write(dir.join("checkpoint"), &checkpoint.stdout).unwrap();
    let verify = |checkpoint: &str, key: &str| {
        uniq_in(
            dir,
            &[
                "index",
                "verify",
                "--checkpoint",
                checkpoint,
                "--key",
                key,
                "--index",
                "index",
            ],
        )
    };
    good(&verify("checkpoint", "ed25519.pub"));
    let log = uniq_in(dir, &["index", "log", "--json", "--index", "index"]);
    let commits = Index::open(&dir.join("index")).unwrap().state().generation;
    assert_eq!(stdout(&log).lines().count() as u64, commits);

    // The index grows and is merged, and the checkpoint still fits. It needs a key to be verified.
    fs::create_dir(dir.join("kept")).unwrap();
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(dir.join("index"))
            .arg(dir.join("kept"))
            .status()
            .unwrap()
            .success()
    );
    add(632);
    good(&uniq_in(dir, &["index", "merge", "--index", "index"]));
    good(&verify("checkpoint", "ed25519.pub"));
    refused(
        &uniq_in(
            dir,
            &[
                "index",
                "verify",
                "--checkpoint",
                "checkpoint",
                "--index",
                "index",
            ],
        ),
        "--key",
    );
    refused(&verify("checkpoint", "ed25519"), "private key");
    fs::write(
        dir.join("cut"),
        &checkpoint.stdout[..checkpoint.stdout.len() / 2],
    )
    .unwrap();
    refused(&verify("cut", "ed25519.pub"), "cut: refused");
    // Expected root and generation work as without a checkpoint, and wrong ones are refused.
    refused_on_stdout(
        &uniq_in(
            dir,
            &[
                "index",
                "verify",
                "--root",
                &"0".repeat(64),
                "--index",
                "index",
            ],
        ),
        "root is",
    );

    // The operator goes back and makes another commit in place of the one in the checkpoint.
    fs::remove_dir_all(dir.join("index")).unwrap();
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(world().path("index"))
            .arg(dir)
            .status()
            .unwrap()
            .success()
    );
    add(633);
    add(634);
    good(&uniq_in(dir, &["index", "verify", "--index", "index"]));
    refused_on_stdout(
        &verify("checkpoint", "ed25519.pub"),
        "the history was rewritten",
    );
    // The log is shorter than before.
    fs::remove_dir_all(dir.join("index")).unwrap();
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(world().path("index"))
            .arg(dir)
            .status()
            .unwrap()
            .success()
    );
    refused_on_stdout(&verify("checkpoint", "ed25519.pub"), "it has lost commits");
    // Another index has another log.
    fs::remove_dir_all(dir.join("index")).unwrap();
    good(&uniq_in(
        dir,
        &[
            "index",
            "build",
            text(&scenes::moving(631, SECONDS)),
            "--index",
            "index",
        ],
    ));
    add(632);
    add(633);
    refused_on_stdout(&verify("checkpoint", "ed25519.pub"), "another log");
}

/// The findings of verifying an index are its answer, and so go to standard output.
fn refused_on_stdout(output: &Output, words: &str) {
    assert!(
        code(output) == 2 && stdout(output).contains(words),
        "{} {}{}",
        code(output),
        stdout(output),
        stderr(output)
    );
}
