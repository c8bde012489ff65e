//! Damaged, foreign and unsuitable files are refused with a reason, and never trusted.

use super::*;
use std::collections::BTreeSet;

/// An index of two videos, one of them removed, sorted by cells. Every file is small.
fn small_index() -> TempDir {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..2, 6);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.sort_by_cells(4, &never).unwrap();
    writer.remove("videos/0000.mp4").unwrap();
    writer.commit().unwrap();
    let state = Index::open(dir.path()).unwrap().state().clone();
    assert_eq!((state.cells, state.segments, state.tombstones), (4, 2, 1));
    dir
}

/// Replaces the bytes of a file, calls `ask`, and restores the file.
fn with<T>(dir: &Path, name: &Path, bytes: &[u8], original: &[u8], ask: impl Fn() -> T) -> T {
    // Writes a new file, so that whoever has the old one open keeps it.
    let put = |bytes: &[u8]| {
        fs::remove_file(dir.join(name)).unwrap();
        fs::write(dir.join(name), bytes).unwrap();
    };
    put(bytes);
    let answer = ask();
    put(original);
    answer
}

fn open_with(dir: &Path, name: &Path, bytes: &[u8], original: &[u8]) -> uniq::Result<Index> {
    with(dir, name, bytes, original, || Index::open(dir))
}

/// Every answer of an index, in all ways of searching.
fn everything(dir: &Path) -> uniq::Result<String> {
    everything_of(&Index::open(dir)?)
}

fn everything_of(index: &Index) -> uniq::Result<String> {
    let mut random = Random(5);
    let mut queries: Vec<Key> = (0..2)
        .flat_map(|seed| runs(seed, 6))
        .map(|run| random.noisy(run.key, 9))
        .collect();
    queries.push(Key::default());
    let mut text = format!("{:?}{:?}", index.state(), index.committed_at());
    let narrow = Screen {
        probes: 2,
        radius: 72,
        sketch_radius: 36,
    };
    let found = [
        index.near(&queries, 72)?,
        index.near_in_role(&queries, 72, Role::Benign)?,
        index.near_by_cell(&queries, &narrow)?,
        index.near_by_cell(
            &queries,
            &Screen {
                probes: 4,
                radius: 72,
                sketch_radius: 128,
            },
        )?,
    ];
    for near in found.iter().flatten() {
        text += &format!("{near:?}{:?}", index.run(near.video, near.run)?);
    }
    for (reference, video) in index.videos() {
        let near = index.near_in(reference, &queries, 72)?;
        text += &format!(
            "{video:?}{:?}{:?}{near:?}",
            index.track(reference)?,
            index.added(reference)
        );
    }
    Ok(text)
}

fn is_told(error: &Error) -> bool {
    matches!(
        error,
        Error::CorruptIndex { .. } | Error::IncompatibleIndex { .. }
    )
}

#[test]
fn every_truncation_is_an_error() {
    let dir = small_index();
    for (name, original) in searched(dir.path()) {
        for length in 0..original.len() {
            let result = open_with(dir.path(), &name, &original[..length], &original);
            assert!(
                matches!(result, Err(Error::CorruptIndex { .. })),
                "{} cut to {length}: {result:?}",
                name.display()
            );
        }
        let longer = [&original[..], b"\0"].concat();
        assert!(open_with(dir.path(), &name, &longer, &original).is_err());
    }
    assert_eq!(damage(dir.path()), [""; 0]);
}

/// A check may run while somebody copies over the index, or while its disk fails.
#[test]
fn a_file_cut_or_emptied_under_an_open_index_is_an_error_and_neither_a_crash_nor_another_answer() {
    // Files of several blocks, since blocks already read cannot be lost.
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..2, 2500);
    Writer::open(dir.path())
        .unwrap()
        .sort_by_cells(4, &never)
        .unwrap();
    let expected = everything(dir.path()).unwrap();
    let (mut refused, mut unharmed) = (0, 0);
    for (name, original) in files(dir.path())
        .into_iter()
        .filter(|(name, _)| name.starts_with("segments"))
    {
        let path = dir.path().join(&name);
        let write = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
        for length in (0..original.len()).step_by(50_001) {
            for zeros in [0, original.len() - length] {
                let (fresh, used) = (
                    Index::open(dir.path()).unwrap(),
                    Index::open(dir.path()).unwrap(),
                );
                everything_of(&used).unwrap();
                // In place, like `cp` and `truncate`.
                write(&[&original[..length], &vec![0; zeros]].concat());
                match everything_of(&fresh) {
                    Ok(answers) => {
                        assert_eq!(answers, expected, "{} cut to {length}", name.display());
                        unharmed += 1;
                    }
                    Err(error) => {
                        let text = error.to_string();
                        assert!(
                            is_told(&error) && text.contains(&*path.to_string_lossy()),
                            "{text}"
                        );
                        assert!(text.contains("with: uniq index"), "{text}");
                        refused += 1;
                    }
                }
                assert_eq!(
                    everything_of(&used).unwrap(),
                    expected,
                    "what has been read is kept"
                );
                write(&original);
            }
        }
    }
    assert!(refused > 10, "{refused} refused, {unharmed} without effect");
}

#[test]
fn every_flipped_byte_is_an_error_or_changes_no_answer_and_is_found_by_verifying() {
    let dir = small_index();
    let expected = everything(dir.path()).unwrap();
    let (mut refused, mut unharmed) = (0, 0);
    for (name, original) in files(dir.path()) {
        let mut bytes = original.clone();
        for at in 0..original.len() {
            for flip in [1 << (at % 8), 0xff] {
                bytes[at] ^= flip;
                let (result, verified) = with(dir.path(), &name, &bytes, &original, || {
                    (
                        everything(dir.path()),
                        uniq::index::verify(dir.path(), &|_, _| (), &never),
                    )
                });
                bytes[at] ^= flip;
                match result {
                    Ok(answers) => {
                        assert_eq!(answers, expected, "{} byte {at}", name.display());
                        unharmed += 1;
                    }
                    Err(error) => {
                        assert!(is_told(&error), "{} byte {at}: {error}", name.display());
                        refused += 1;
                    }
                }
                match verified {
                    Ok(found) => {
                        assert!(!found.damage.is_empty(), "{} byte {at}", name.display());
                        assert!(found.damage.iter().all(is_told));
                    }
                    Err(error) => assert!(is_told(&error), "{} byte {at}: {error}", name.display()),
                }
            }
        }
    }
    eprintln!("{refused} flips refused, {unharmed} without effect on any answer");
    assert_eq!(damage(dir.path()), [""; 0]);
    assert_eq!(everything(dir.path()).unwrap(), expected);
}

#[test]
fn a_missing_file_is_named() {
    let dir = small_index();
    for (name, original) in searched(dir.path()) {
        let path = dir.path().join(&name);
        fs::remove_file(&path).unwrap();
        match Index::open(dir.path()) {
            Err(Error::NoIndex { .. }) => assert!(name.ends_with("manifest")),
            Err(error @ Error::CorruptIndex { .. }) => {
                let text = error.to_string();
                assert!(text.contains(&*path.to_string_lossy()), "{text}");
                assert!(
                    text.contains("missing") && text.contains("with: uniq index"),
                    "{text}"
                );
            }
            other => panic!("{other:?}"),
        }
        if name.starts_with("segments") {
            let found = damage(dir.path());
            assert!(
                !found.is_empty() && found[0].contains("missing"),
                "{found:?}"
            );
        }
        fs::write(&path, original).unwrap();
    }
}

/// Opening a pipe waits until somebody writes into it, perhaps for ever.
#[test]
fn what_is_no_file_in_the_place_of_one_is_named_and_not_waited_for() {
    type Make = fn(&Path);
    let make: [(&str, Make); 4] = [
        ("a pipe", |path| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)
                .unwrap();
        }),
        ("a socket", |path| {
            drop(std::os::unix::net::UnixListener::bind(path).unwrap())
        }),
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a device", |path| {
            std::os::unix::fs::symlink("/dev/null", path).unwrap()
        }),
    ];
    let read = [
        "manifest",
        "segments/00000003.cells",
        "segments/00000004.seg",
        "notes/newest",
    ];
    let ignored = [
        ".writing-manifest",
        "segments/.writing-00000006.seg",
        "notes/.writing-newest",
    ];
    for name in read.into_iter().chain(["lock"]).chain(ignored) {
        for (kind, make) in make {
            let dir = small_index();
            let path = dir.path().join(name);
            let _ = fs::remove_file(&path);
            make(&path);
            let (send, receive) = std::sync::mpsc::channel();
            let folder = dir.path().to_owned();
            std::thread::spawn(move || {
                let write = || -> uniq::Result<()> {
                    let mut writer = Writer::open(&folder)?.with_clock(std::time::SystemTime::now);
                    writer.add(video(9), runs(9, 4))?;
                    writer.commit().map(drop)
                };
                let index = Index::open(&folder).map(drop);
                send.send((Index::exists(&folder), index, write())).unwrap();
            });
            let answer = receive.recv_timeout(Duration::from_secs(60));
            let (exists, opened, written) =
                answer.unwrap_or_else(|_| panic!("{kind} as {name} is waited for"));
            let told = |result: &uniq::Result<()>| {
                let error = result.as_ref().unwrap_err();
                let source = std::error::Error::source(error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    error.to_string().contains(&*path.to_string_lossy()),
                    "{error}"
                );
                assert!(source.contains(kind), "{kind} as {name}: {error}: {source}");
            };
            assert!(exists, "{kind} as {name}");
            if read.contains(&name) {
                told(&opened);
            } else {
                opened.unwrap();
            }
            match &written {
                // An unfinished file is written again, unless it cannot be removed.
                Err(error) if kind == "a folder" && name.contains("writing") => {
                    assert!(error.to_string().contains(".writing-"), "{error}");
                }
                _ if read.contains(&name) || name == "lock" => told(&written),
                _ => assert!(written.is_ok(), "{kind} as {name}: {written:?}"),
            }
        }
    }
}

#[test]
fn a_segment_of_another_index_is_refused() {
    let (ours, theirs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(ours.path(), [1], 9);
    build(theirs.path(), [2], 9);
    let name = "segments/00000001.seg";
    let sizes = [&ours, &theirs].map(|dir| fs::metadata(dir.path().join(name)).unwrap().len());
    assert_eq!(sizes[0], sizes[1], "else the length would tell them apart");
    fs::copy(theirs.path().join(name), ours.path().join(name)).unwrap();
    let error = Index::open(ours.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::CorruptIndex {
                what: "checksum",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn other_format_versions_are_refused_with_what_to_do() {
    let dir = small_index();
    for (name, original) in searched(dir.path()) {
        for (version, remedy) in [
            (FORMAT_VERSION + 1, "install a newer uniq"),
            (OLDEST_READABLE - 1, "uniq index upgrade"),
            (OLDEST_READABLE - 2, "build the index again"),
        ] {
            let mut bytes = original.clone();
            bytes[8..12].copy_from_slice(&version.to_le_bytes());
            let error = open_with(dir.path(), &name, &bytes, &original).unwrap_err();
            assert!(matches!(error, Error::IncompatibleIndex { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(&format!("format version is {version}")),
                "{text}"
            );
            assert!(text.contains(remedy), "{text}");
        }
    }
}

#[test]
fn keys_of_another_fingerprint_are_refused_with_what_to_do() {
    for (version, remedy) in [
        (FINGERPRINT_VERSION + 1, "install a newer uniq"),
        (FINGERPRINT_VERSION - 1, "build the index again"),
    ] {
        let dir = TempDir::new().unwrap();
        let config = IndexConfig {
            fingerprint_version: version,
            ..CONFIG
        };
        Writer::open_or_create(dir.path(), config)
            .unwrap()
            .commit()
            .unwrap();
        let results = [
            Index::open(dir.path()).map(drop),
            Writer::open_or_create(dir.path(), CONFIG).map(drop),
        ];
        for result in results {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::IncompatibleIndex { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(&format!("fingerprint version is {version}")),
                "{text}"
            );
            assert!(text.contains(remedy), "{text}");
        }
    }
}

#[test]
fn another_sampling_interval_is_refused_when_writing() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..1, 3);
    let config = IndexConfig {
        interval: Duration::from_secs(2),
        ..CONFIG
    };
    let error = Writer::open_or_create(dir.path(), config).unwrap_err();
    assert!(
        error.to_string().contains("sampling interval is 1s"),
        "{error}"
    );
    assert!(error.to_string().contains("needs 2s"), "{error}");
}

#[test]
fn a_folder_that_is_no_index_is_told_apart() {
    let dir = TempDir::new().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("nothing")] {
        assert!(!Index::exists(&path));
        assert!(matches!(Index::open(&path), Err(Error::NoIndex { .. })));
    }
    let file = dir.path().join("file");
    fs::write(&file, b"x").unwrap();
    assert!(matches!(
        Index::open(&file),
        Err(Error::NoIndex { .. } | Error::Io { .. })
    ));
    let error = Writer::open_or_create(&file, CONFIG).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

/// Opening must work where nothing can be written. That nothing is written is checked for every
/// user.
#[cfg(unix)]
#[test]
fn a_read_only_index_opens_and_nothing_in_it_changes() {
    use std::os::unix::fs::PermissionsExt;
    let dir = small_index();
    let listing = || -> BTreeSet<_> {
        [dir.path().to_owned(), dir.path().join("segments")]
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
            .collect()
    };
    let set_mode = |mode| {
        for folder in [dir.path().join("segments"), dir.path().to_owned()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let before = listing();
    set_mode(0o555);
    let index = Index::open(dir.path());
    set_mode(0o755);
    assert_eq!(index.unwrap().state().videos, 1);
    assert_eq!(listing(), before);
}

/// Not even root can create a file there.
#[cfg(target_os = "linux")]
#[test]
fn where_nothing_can_be_written_the_writer_says_so() {
    let error = Writer::open_or_create(Path::new("/proc/uniq-index"), CONFIG).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.to_string().contains("/proc/uniq-index"), "{error}");
}
