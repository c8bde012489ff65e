//! Objects that are missing, cut or changed in the store are an error for everybody, and never a
//! smaller index.

use tempfile::TempDir;
use uniq::remote::{self, Watch};

use crate::made::{Place, add, assert_same, code, files, places, text};

/// Fails unless readers and writers get an error that names a damaged object, and no index.
fn assert_refused(place: &Place, name: &str, what: &str) {
    let (cache, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let opened = place.open(cache.path());
    assert_eq!(code(&opened), "corrupt_store", "{what} {name}: {opened:?}");
    assert!(text(&opened).contains(name), "{}", text(&opened));
    assert_eq!(files(cache.path(), "/manifest").len(), 0, "{what} {name}");
    let pulled = remote::pull(&place.store(), folder.path(), Watch::none());
    assert_eq!(code(&pulled), "corrupt_store", "{what} {name}: {pulled:?}");
    assert!(!folder.path().join("manifest").exists());
}

#[test]
fn a_missing_a_cut_and_a_changed_object_are_errors_that_name_it() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..3, 300);
        place.push(dir.path()).unwrap();
        let objects = place.objects();
        assert_eq!(objects.len(), 1 + 3 + 1);
        for name in &objects {
            let bytes = place.read(name);
            for (what, changed) in [
                ("cut", bytes[..bytes.len() - 1].to_vec()),
                ("cut to a half", bytes[..bytes.len() / 2].to_vec()),
                ("longer", [&bytes[..], b"x"].concat()),
                (
                    "changed",
                    [
                        &bytes[..bytes.len() / 2],
                        &[bytes[bytes.len() / 2] ^ 1],
                        &bytes[bytes.len() / 2 + 1..],
                    ]
                    .concat(),
                ),
            ] {
                place.write(name, &changed);
                assert_refused(&place, name, what);
            }
            if !name.starts_with("manifests/") {
                place.delete(name);
                assert_refused(&place, name, "missing");
            }
            place.write(name, &bytes);
        }
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(dir.path(), snapshot.dir());
    }
}

#[test]
fn a_push_of_the_same_state_sends_what_the_store_lost() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..3, 30);
        place.push(dir.path()).unwrap();
        let segments = place.list("segments");
        place.delete(&segments[1]);
        place.delete(&place.list("history")[0]);
        let pushed = place.push(dir.path()).unwrap();
        assert_eq!(
            (pushed.committed, pushed.files, pushed.already_there),
            (false, 1, 2)
        );
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(dir.path(), snapshot.dir());
        // An object of the same name but another length was written by somebody else.
        place.write(&segments[1], b"short");
        let refused = place.push(dir.path());
        assert_eq!(code(&refused), "corrupt_store");
        assert!(
            text(&refused).contains(&segments[1]) && text(&refused).contains("delete it"),
            "{}",
            text(&refused)
        );
    }
}

#[test]
fn a_reader_with_the_snapshot_in_its_cache_does_not_need_the_objects() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(dir.path(), 0..2, 30);
        place.push(dir.path()).unwrap();
        place.open(cache.path()).unwrap();
        for name in place.list("segments") {
            place.delete(&name);
        }
        let snapshot = place.open(cache.path()).unwrap();
        assert_eq!(snapshot.fetched(), (0, 0));
        assert_same(dir.path(), snapshot.dir());
    }
}

#[test]
fn a_commit_of_a_newer_layout_and_foreign_names_are_told_from_damage() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..1, 30);
        place.push(dir.path()).unwrap();
        place.write("manifests/readme.txt", b"not ours");
        assert_eq!(place.open_elsewhere().unwrap().1.generation(), 1);
        place.write(
            "manifests/00000000000000000002",
            b"{\"layout\":2}\nwhatever",
        );
        let refused = place.open_elsewhere();
        assert_eq!(code(&refused), "incompatible_index");
        assert!(
            text(&refused).contains("install a newer uniq"),
            "{}",
            text(&refused)
        );
        place.write(
            "manifests/00000000000000000002",
            &place.read("manifests/00000000000000000001"),
        );
        let refused = place.open_elsewhere();
        assert_eq!(
            code(&refused),
            "corrupt_store",
            "a commit under a name above its generation"
        );
        place.delete("manifests/00000000000000000002");
        // A mistyped address creates no index.
        let nothing =
            uniq::remote::Store::open(&format!("{}x", place.address()), place.variables()).unwrap();
        assert_eq!(
            code(&remote::pull(
                &nothing,
                &dir.path().join("new"),
                Watch::none()
            )),
            "no_remote_index"
        );
    }
}
