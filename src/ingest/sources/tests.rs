//! Which sources are found, what is reported about them, and the limits of the search.

use super::*;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn names(found: &Sources) -> Vec<String> {
    found
        .sources
        .iter()
        .map(|s| s.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_folder_gives_its_videos_by_name_to_the_bottom() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "b.MP4",
        "deep/er/a.webm",
        "notes.txt",
        "b.info.json",
        "c.mp4.part",
    ] {
        write(folder.path(), name, "{}");
    }
    let found = sources(&[folder.path().to_owned()]).unwrap();
    assert_eq!(names(&found), ["b.MP4", "a.webm"]);
    assert_eq!(
        endings(&found.no_videos),
        [("part".to_owned(), 1), ("txt".to_owned(), 1)]
    );
}

#[test]
fn a_file_named_twice_is_one_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mp4", "x");
    assert_eq!(
        sources(&[file.clone(), folder.path().to_owned(), file])
            .unwrap()
            .sources
            .len(),
        1
    );
}

#[test]
fn what_a_list_says_of_a_file_counts_wherever_the_file_is_named_first() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.mp4", "x");
    let first = write(folder.path(), "first.csv", "file,title\na.mp4,Sea\n");
    let second = write(
        folder.path(),
        "second.csv",
        "file,title,uploader\na.mp4,Lake,Someone\n",
    );
    let inputs = [folder.path().to_owned(), first, second];
    let found = sources(&inputs).unwrap().sources;
    assert_eq!(found.len(), 1);
    let known = Publication {
        title: Some("Sea".into()),
        uploader: Some("Someone".into()),
        ..Publication::default()
    };
    assert_eq!(found[0].publication, known);
}

#[test]
fn lists_and_side_files_tell_of_the_publication() {
    let folder = tempfile::tempdir().unwrap();
    let csv = write(
        folder.path(),
        "list.csv",
        "file,title,upload_date,group\na.mp4,\"Sea, waves\",20240131,x\nsub/b.mp4,,,\n,none,,\n",
    );
    write(
        folder.path(),
        "sub/b.info.json",
        r#"{"title":"B","webpage_url":"https://v.example/b","url":"https://cdn.example/x?sig=1","channel":"C","extractor_key":"Vimeo","upload_date":"20230405"}"#,
    );
    let found = sources(&[csv]).unwrap();
    assert_eq!(names(&found), ["a.mp4", "b.mp4"]);
    let of = |i: usize| found.sources[i].publication.clone();
    assert_eq!(
        (of(0).title.unwrap(), of(0).published_at.unwrap()),
        ("Sea, waves".into(), "2024-01-31".into())
    );
    assert_eq!(
        of(1),
        Publication {
            url: Some("https://v.example/b".into()),
            title: Some("B".into()),
            uploader: Some("C".into()),
            platform: Some("Vimeo".into()),
            published_at: Some("2023-04-05".into()),
        }
    );
    assert!(matches!(
        &found.problems[..],
        [(_, Error::InvalidList { line: 4, .. })]
    ));
}

#[test]
fn a_bad_line_of_jsonl_is_a_problem_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let list = write(
        folder.path(),
        "list.jsonl",
        "{\"path\":\"a.mp4\",\"url\":\"https://v.example/a\"}\n\n{oops\n{\"path\":\"b.mp4\"}\n",
    );
    let found = sources(&[list]).unwrap();
    assert_eq!(names(&found), ["a.mp4", "b.mp4"]);
    assert!(matches!(
        &found.problems[..],
        [(_, Error::InvalidList { line: 3, .. })]
    ));
}

#[test]
fn a_list_without_files_and_a_missing_input_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let list = write(folder.path(), "list.csv", "name,url\na,b\n");
    assert!(matches!(
        sources(&[list]),
        Err(Error::InvalidList { line: 1, .. })
    ));
    assert!(matches!(
        sources(&[folder.path().join("gone")]),
        Err(Error::Io { .. })
    ));
}

#[test]
fn no_path_of_a_list_climbs_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let secret = write(folder.path(), "secret.mp4", "x");
    let inside = write(folder.path(), "lists/a.mp4", "x");
    let list = write(
        folder.path(),
        "lists/list.csv",
        &format!(
            "path\n../secret.mp4\n{}\n{}\n./a.mp4\nsub/../../secret.mp4\n../gone.mp4\n",
            secret.display(),
            inside.display()
        ),
    );
    let found = sources(std::slice::from_ref(&list)).unwrap();
    assert_eq!(names(&found), ["a.mp4"]);
    let [(_, error)] = &found.problems[..] else {
        panic!("{:?}", found.problems)
    };
    assert!(
        matches!(
            error,
            Error::OutsideList {
                line: 2,
                files: 4,
                ..
            }
        ),
        "{error}"
    );
    let said = error.to_string();
    assert!(
        said.starts_with(&format!(
            "{}:2: ../secret.mp4 and 3 more files lead out of ",
            list.display()
        )),
        "{said}"
    );
    assert!(said.contains("--list-root"), "{said}");
    let reach = Reach {
        list_root: Some(folder.path().to_owned()),
        ..Reach::default()
    };
    assert_eq!(
        names(&sources_within(&[list], &reach).unwrap()),
        ["secret.mp4", "a.mp4", "gone.mp4"]
    );
}

#[test]
fn a_file_that_is_gone_is_not_taken_for_one_that_lies_outside() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let lines = [
        at("videos/gone.mp4"),
        at("x/y/gone.mp4"),
        "sub/gone.mp4".to_owned(),
        at("x/../../gone.mp4"),
    ];
    let list = write(
        folder.path(),
        "list.csv",
        &format!("path\n{}\n", lines.join("\n")),
    );
    for root in [None, Some(folder.path().to_owned())] {
        let found = sources_within(
            std::slice::from_ref(&list),
            &Reach {
                list_root: root,
                ..Reach::default()
            },
        )
        .unwrap();
        assert_eq!(found.sources.len(), 3, "{:?}", found.sources);
        assert!(
            matches!(
                &found.problems[..],
                [(
                    _,
                    Error::OutsideList {
                        files: 1,
                        line: 5,
                        ..
                    }
                )]
            ),
            "{:?}",
            found.problems
        );
    }
}

#[test]
fn a_fact_that_is_no_text_is_told_with_its_line_and_the_others_count() {
    let folder = tempfile::tempdir().unwrap();
    let lines = concat!(
        r#"{"path":"a.mp4","title":["A"],"published_at":true,"url":"u","uploader":null}"#,
        "\n",
        r#"{"path":"b.mp4","published_at":20240131,"date":{"year":2024}}"#,
    );
    let found = sources(&[write(folder.path(), "list.jsonl", lines)]).unwrap();
    let said: Vec<String> = found
        .problems
        .iter()
        .map(|(_, error)| error.to_string())
        .collect();
    let expected = [
        "jsonl:1: title is [\"A\"] and is left out; it must be a string",
        "jsonl:1: published_at is true",
        "jsonl:2: date is {",
    ];
    assert!(
        said.len() == 3
            && said
                .iter()
                .zip(expected)
                .all(|(said, part)| said.contains(part)),
        "{said:?}"
    );
    assert_eq!(
        (
            found.sources.len(),
            found.sources[0].publication.url.as_deref()
        ),
        (2, Some("u"))
    );
    assert_eq!(
        found.sources[1].publication.published_at.as_deref(),
        Some("2024-01-31")
    );
}

#[cfg(unix)]
#[test]
fn links_in_a_folder_are_told_and_followed_only_on_request() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let secret = write(folder.path(), "out/secret.mp4", "x");
    let inside = folder.path().join("in");
    write(&inside, "a.mp4", "x");
    symlink(&secret, inside.join("b.mp4")).unwrap();
    symlink(secret.parent().unwrap(), inside.join("c")).unwrap();
    symlink(&secret, inside.join("note.txt")).unwrap();
    symlink(
        write(folder.path(), "out/a.json", r#"{"title":"secret"}"#),
        inside.join("a.info.json"),
    )
    .unwrap();
    let found = sources(std::slice::from_ref(&inside)).unwrap();
    assert_eq!(names(&found), ["a.mp4"]);
    assert_eq!(found.problems.len(), 3, "{:?}", found.problems);
    assert_eq!(found.sources[0].publication, Publication::default());
    let reach = Reach {
        links: Links::Follow,
        ..Reach::default()
    };
    let found = sources_within(&[inside], &reach).unwrap();
    assert_eq!(
        found.sources[0].publication.title.as_deref(),
        Some("secret")
    );
    assert!(found.problems.is_empty());
}

#[test]
fn no_video_of_a_folder_is_passed_over_for_its_ending() {
    let folder = tempfile::tempdir().unwrap();
    let begins = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let mut stream = vec![0xff; 188 * 5];
    (0..5).for_each(|packet| stream[188 * packet..][..4].copy_from_slice(&[0x47, 0x40, 0, 0x10]));
    begins("clip.m2t", &stream);
    begins("DSC1.MOD", b"\0\0\x01\xba\x44\0\x04");
    begins("VID.insv", b"\0\0\0\x20ftypavc1");
    begins("GX01.LRV", b"\0\0\0\x20ftypmp41");
    begins("film.m4p", b"\0\0\0\x20ftypM4P ");
    begins("film.mkv.part", b"\x1aE\xdf\xa3\x93");
    begins("bare", b"RIFF\0\0\0\0AVI LIST");
    begins("song.MOD", b"a tracker's song");
    begins("notes", b"text");
    begins("empty", b"");
    let found = sources(&[folder.path().to_owned()]).unwrap();
    assert_eq!(found.sources.len(), 7, "{:?}", found.sources);
    assert_eq!(found.no_videos.len(), 3, "{:?}", found.no_videos);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
}

#[test]
fn five_hundred_files_outside_a_list_are_one_message_with_the_folder_to_allow() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..550)
        .map(|n| format!("/archive/{}/{n}.mp4\n", n % 3))
        .collect();
    let list = write(folder.path(), "list.csv", &format!("path\n{lines}"));
    let found = sources(&[list]).unwrap();
    let [(_, error)] = &found.problems[..] else {
        panic!("{:?}", found.problems)
    };
    assert!(
        matches!(
            error,
            Error::OutsideList {
                files: 550,
                line: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.to_string().matches("--list-root").count(), 1);
    assert!(
        error.to_string().ends_with("--list-root /archive"),
        "{error}"
    );
}

#[test]
fn a_date_is_one_or_is_refused_with_its_line_and_the_video_stays() {
    for (given, kept) in [
        ("20240229", Some("2024-02-29")),
        ("2024-01-31", Some("2024-01-31")),
        ("2024-01-31T18:30:00Z", Some("2024-01-31T18:30:00Z")),
        (
            "2024-01-31T18:30:00.5+02:00",
            Some("2024-01-31T18:30:00.5+02:00"),
        ),
        ("20230229", None),
        ("2024-13-01", None),
        ("31.01.2024", None),
        ("yesterday", None),
        ("2024-01-31T18:30:00", None),
        ("2024-01-31T18:30:00+02:00[Europe/Paris]", None),
        ("2024-01", None),
        ("1706725800", None),
        ("２０２４０１３１", None),
    ] {
        assert_eq!(lists::date(given).as_deref(), kept, "{given}");
    }
    let folder = tempfile::tempdir().unwrap();
    let list = write(
        folder.path(),
        "list.csv",
        "path,title,date\na.mp4,A,2024-01-31\nb.mp4,B,last week\n",
    );
    let found = sources(&[list]).unwrap();
    assert_eq!(names(&found), ["a.mp4", "b.mp4"]);
    assert_eq!(found.sources[1].publication.published_at, None);
    assert!(
        matches!(
            &found.problems[..],
            [(_, Error::InvalidList { line: 3, .. })]
        ),
        "{:?}",
        found.problems
    );
}

#[test]
fn a_list_that_is_piped_in_is_objects_a_table_or_a_file_a_line() {
    for text in [
        "{\"path\":\"a.mp4\"}\n{\"path\":\"/b.mp4\"}",
        "title,path\nA,a.mp4\nB,/b.mp4\n",
        "a.mp4\n\n/b.mp4\r\n",
    ] {
        let found = files_listed(Path::new("-"), text).unwrap();
        assert_eq!(names(&found), ["a.mp4", "b.mp4"], "{text}");
        assert!(found.problems.is_empty());
    }
}
