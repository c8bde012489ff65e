//! Damaged, foreign and unsuitable files are refused with a reason, and never believed.

use super::*;
use std::collections::BTreeSet;

/// An index of two videos, one of them removed, whose every file is small, with graphs.
fn small_index() -> TempDir {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..2, 6);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.maintain(GraphPolicy::Always, &never).unwrap();
    writer.remove("videos/0000.mp4").unwrap();
    writer.commit().unwrap();
    assert_eq!(Index::open(dir.path()).unwrap().state().graphs, 2);
    dir
}

/// Puts other bytes into a file, opens the index, and restores the file.
fn open_with(dir: &Path, name: &Path, bytes: &[u8], original: &[u8]) -> uniq::Result<Index> {
    fs::write(dir.join(name), bytes).unwrap();
    let result = Index::open(dir);
    fs::write(dir.join(name), original).unwrap();
    result
}

#[test]
fn every_truncation_is_an_error() {
    let dir = small_index();
    for (name, original) in files(dir.path()) {
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
    Index::open(dir.path()).unwrap().verify().unwrap();
}

#[test]
fn every_flipped_byte_is_an_error() {
    let dir = small_index();
    for (name, original) in files(dir.path()) {
        let mut bytes = original.clone();
        for at in 0..original.len() {
            for flip in [1 << (at % 8), 0xff] {
                bytes[at] ^= flip;
                let result = open_with(dir.path(), &name, &bytes, &original);
                bytes[at] ^= flip;
                let refused = matches!(result, Err(Error::CorruptIndex { .. } | Error::IncompatibleIndex { .. }));
                assert!(refused, "{} byte {at}: {result:?}", name.display());
            }
        }
    }
    Index::open(dir.path()).unwrap().verify().unwrap();
}

#[test]
fn a_missing_file_is_named() {
    let dir = small_index();
    for (name, original) in files(dir.path()) {
        let path = dir.path().join(&name);
        fs::remove_file(&path).unwrap();
        match Index::open(dir.path()) {
            Err(Error::NoIndex { .. }) => assert!(name.ends_with("manifest")),
            Err(error @ Error::CorruptIndex { .. }) => {
                let text = error.to_string();
                assert!(text.contains(&*path.to_string_lossy()), "{text}");
                assert!(text.contains("missing") && text.contains("uniq index build"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        fs::write(&path, original).unwrap();
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
    assert!(matches!(error, Error::CorruptIndex { what: "checksum", .. }), "{error}");
}

#[test]
fn other_format_versions_are_refused_with_what_to_do() {
    let dir = small_index();
    for (name, original) in files(dir.path()) {
        for (version, remedy) in [(2u32, "install a newer uniq"), (0, "build the index again")] {
            let mut bytes = original.clone();
            bytes[8..12].copy_from_slice(&version.to_le_bytes());
            let error = open_with(dir.path(), &name, &bytes, &original).unwrap_err();
            assert!(matches!(error, Error::IncompatibleIndex { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(&format!("format version is {version}")), "{text}");
            assert!(text.contains(remedy), "{text}");
        }
    }
}

#[test]
fn keys_of_another_fingerprint_are_refused_with_what_to_do() {
    for (version, remedy) in
        [(FINGERPRINT_VERSION + 1, "install a newer uniq"), (FINGERPRINT_VERSION - 1, "build the index again")]
    {
        let dir = TempDir::new().unwrap();
        let config = IndexConfig { fingerprint_version: version, ..CONFIG };
        Writer::open_or_create(dir.path(), config).unwrap().commit().unwrap();
        let results = [Index::open(dir.path()).map(drop), Writer::open_or_create(dir.path(), CONFIG).map(drop)];
        for result in results {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::IncompatibleIndex { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(&format!("fingerprint version is {version}")), "{text}");
            assert!(text.contains(remedy), "{text}");
        }
    }
}

#[test]
fn another_sampling_interval_is_refused_when_writing() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..1, 3);
    let config = IndexConfig { interval: Duration::from_secs(2), ..CONFIG };
    let error = Writer::open_or_create(dir.path(), config).unwrap_err();
    assert!(error.to_string().contains("sampling interval is 1s"), "{error}");
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
    assert!(matches!(Index::open(&file), Err(Error::NoIndex { .. } | Error::Io { .. })));
    let error = Writer::open_or_create(&file, CONFIG).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

/// Opening must work where nothing may be written; that nothing is written holds whoever runs the test.
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
