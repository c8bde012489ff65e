//! Distinguishes a delivered file that is the certified clip in another encoding from other
//! footage.

use super::*;

fn compare(world: &World, delivered: &Path) -> Value {
    let output = world.uniq(&[
        "certificate",
        "match",
        text(&world.certificate("ed25519")),
        text(delivered),
        "--fingerprint",
        text(&world.fingerprint()),
        "--key",
        "ed25519.pub",
        "--json",
    ]);
    let found = object(&output);
    assert_eq!(code(&output), i32::from(found["same"] != true), "{found}");
    found
}

#[test]
fn the_clip_encoded_anew_is_the_same() {
    let world = world();
    let clip = &world.clip;
    let found = compare(world, clip);
    assert_eq!(
        (&found["same"], &found["identical"]),
        (&true.into(), &true.into()),
        "{found}"
    );
    for (filters, args, extension) in [
        ("null", "-c:v libx264 -preset veryfast -crf 30", "mp4"),
        ("scale=320:180", "-c:v mpeg4 -q:v 8", "avi"),
        (
            "scale=960:540",
            "-c:v libvpx -b:v 500k -deadline realtime -cpu-used 8",
            "webm",
        ),
        ("fps=30", "-c:v libx264 -preset veryfast -crf 26", "mkv"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let found = compare(world, &scenes::edit(clip, filters, &args, extension));
        assert_eq!(
            (&found["same"], &found["identical"]),
            (&true.into(), &false.into()),
            "{filters} {args:?}: {found}"
        );
    }
}

#[test]
fn what_is_cut_mixed_mirrored_or_other_is_not_and_where_is_told() {
    let world = world();
    let clip = &world.clip;
    let good = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23"];
    let edit = |filters: &str| scenes::edit(clip, filters, &good, "mp4");
    let passages = |found: &Value| -> Vec<(f64, f64)> {
        let passages = found["passages"].as_array().unwrap().iter();
        passages
            .map(|part| {
                (
                    part["start_s"].as_f64().unwrap(),
                    part["end_s"].as_f64().unwrap(),
                )
            })
            .collect()
    };

    let cut = compare(
        world,
        &edit("select='not(between(t,3,3.5))',setpts=N/25/TB"),
    );
    assert_eq!(cut["same"], false, "{cut}");
    assert!(
        cut["differences"][0].as_str().unwrap().contains("s long"),
        "{cut}"
    );
    assert!(
        passages(&cut)
            .iter()
            .any(|(start, end)| *start < 4.5 && *end > 5.0)
            && passages(&cut)[0].0 > 1.9,
        "{cut}"
    );

    let other = scenes::moving(641, SECONDS);
    let mixed = scenes::edited(
        Path::new(env!("CARGO_TARGET_TMPDIR")),
        &[clip, &other],
        &[
            "-i",
            text(clip),
            "-i",
            text(&other),
            "-filter_complex",
            "[1:v]trim=0:1,setpts=PTS-STARTPTS+4/TB[o];[0:v][o]overlay=enable='between(t,4,5)':eof_action=pass[v]",
            "-map",
            "[v]",
            "-c:v",
            "libx264",
            "-crf",
            "23",
        ]
        .map(Into::into),
        "mp4",
    );
    let mixed = compare(world, &mixed);
    assert_eq!(mixed["same"], false, "{mixed}");
    let told = passages(&mixed);
    assert!(
        told.iter().any(|(start, end)| *start < 4.5 && *end > 4.5),
        "{mixed}"
    );
    assert!(
        told.iter().all(|(start, end)| *start > 2.9 && *end < 6.1),
        "{mixed}"
    );

    for (filters, why) in [
        ("hflip", "mirrored"),
        ("setpts=PTS/1.1", "faster"),
        ("crop=iw*0.8:ih*0.8,scale=640:360", "cropped"),
        (
            "drawbox=x=0:y=0:w=iw/2:h=ih/2:color=black:t=fill",
            "covered in part",
        ),
    ] {
        let found = compare(world, &edit(filters));
        assert_eq!(found["same"], false, "{why}: {found}");
    }
    let found = compare(world, &other);
    assert!(
        found["same"] == false && !passages(&found).is_empty(),
        "{found}"
    );
}

#[test]
fn another_take_of_the_same_scene_is_not_the_clip() {
    let world = world();
    let (first, second) = (
        scenes::tripod(71, 1, SECONDS),
        scenes::tripod(71, 2, SECONDS),
    );
    let certified = world.uniq(&[
        "certify",
        text(&first),
        "--key",
        "ed25519",
        "-o",
        "takes",
        "--index",
        "index",
    ]);
    assert_ne!(code(&certified), 2, "{}", stderr(&certified));
    let name = first.file_name().unwrap().to_str().unwrap();
    let (certificate, fingerprint) = (
        format!("takes/{name}.certificate.json"),
        format!("takes/{name}.uniq"),
    );
    let compare = |file: &Path| {
        world.uniq(&[
            "certificate",
            "match",
            &certificate,
            text(file),
            "--fingerprint",
            &fingerprint,
        ])
    };
    let again = scenes::edit(
        &first,
        "scale=480:270",
        &["-c:v", "libx264", "-preset", "veryfast", "-crf", "27"],
        "mp4",
    );
    let same = compare(&again);
    assert!(
        code(&same) == 0 && stdout(&same).contains("encoded anew"),
        "{}",
        stdout(&same)
    );
    assert!(stdout(&same).contains("not checked"), "{}", stdout(&same));
    let other = compare(&second);
    assert!(
        code(&other) == 1 && stdout(&other).contains("NOT THE SAME"),
        "{}",
        stdout(&other)
    );
}
