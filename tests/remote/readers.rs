//! Readers on other machines see the newest state, and never an older one than before.

use std::fs;

use tempfile::TempDir;
use uniq::index::Writer;
use uniq::remote::{self, Watch};

use crate::made::{add, assert_same, assert_whole, code, copy, merge, places, root, text};

#[test]
fn a_reader_that_has_seen_a_commit_refuses_an_older_one() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for seed in 0..3 {
            add(dir.path(), seed..seed + 1, 20);
            place.push(dir.path()).unwrap();
            assert_eq!(place.open(cache.path()).unwrap().generation(), seed + 1);
        }
        place.delete("manifests/00000000000000000003");
        let refused = place.open(cache.path());
        assert_eq!(code(&refused), "corrupt_store");
        let said = text(&refused);
        assert!(
            said.contains("generation is 2") && said.contains("3 or more"),
            "{said}"
        );
        // A reader that never saw the newer state cannot know.
        assert_eq!(place.open_elsewhere().unwrap().1.generation(), 2);
        for slot in [1, 2] {
            place.delete(&format!("manifests/{slot:020}"));
        }
        let refused = place.open(cache.path());
        assert_eq!(code(&refused), "corrupt_store");
        assert!(
            text(&refused).contains("index is missing"),
            "{}",
            text(&refused)
        );
        assert_eq!(code(&place.open_elsewhere()), "no_remote_index");
        place.push(dir.path()).unwrap();
        assert_eq!(place.open(cache.path()).unwrap().root(), root(dir.path()));
    }
}

#[test]
fn a_reader_refuses_another_index_of_a_higher_generation() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(dir.path(), 0..2, 20);
        place.push(dir.path()).unwrap();
        place.open(cache.path()).unwrap();
        let other = TempDir::new().unwrap();
        add(other.path(), 50..55, 20);
        for name in place.list("manifests") {
            place.delete(&name);
        }
        place.push(other.path()).unwrap();
        let refused = place.open(cache.path());
        assert_eq!(code(&refused), "corrupt_store");
        assert!(
            text(&refused).contains("another history"),
            "{}",
            text(&refused)
        );
        assert_eq!(place.open_elsewhere().unwrap().1.generation(), 5);
    }
}

#[test]
fn an_open_snapshot_stays_as_it_was_while_the_index_grows_and_is_merged() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(dir.path(), 0..4, 40);
        place.push(dir.path()).unwrap();
        let first = place.open(cache.path()).unwrap();
        let (before, index) = (copy(dir.path()), first.index().unwrap());
        add(dir.path(), 4..5, 40);
        merge(dir.path());
        place.push(dir.path()).unwrap();
        let second = place.open(cache.path()).unwrap();
        assert_ne!(first.dir(), second.dir());
        assert_same(dir.path(), second.dir());
        assert_same(before.path(), first.dir());
        assert_eq!(index.state().videos, 4);
    }
}

#[test]
fn a_pulled_index_is_gone_on_with_and_pushed_by_another_machine() {
    for place in places() {
        let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(here.path(), 0..3, 30);
        place.push(here.path()).unwrap();
        let pulled = remote::pull(&place.store(), there.path(), Watch::none()).unwrap();
        assert!(pulled.changed);
        assert_eq!((pulled.files, pulled.already_there), (3, 0));
        assert_same(here.path(), there.path());
        add(there.path(), 3..4, 30);
        merge(there.path());
        place.push(there.path()).unwrap();
        let pulled = remote::pull(&place.store(), here.path(), Watch::none()).unwrap();
        assert_eq!((pulled.changed, pulled.files), (true, 1));
        assert_same(there.path(), here.path());
        let found = uniq::index::verify(here.path(), &|_, _| (), &|| false).unwrap();
        assert!(
            found.unnamed.is_empty(),
            "the files from before the merge are gone: {:?}",
            found.unnamed
        );
        let again = remote::pull(&place.store(), here.path(), Watch::none()).unwrap();
        assert_eq!((again.changed, again.files), (false, 0));
    }
}

#[test]
fn a_folder_with_commits_of_its_own_or_newer_ones_is_not_pulled_into() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..2, 20);
        place.push(dir.path()).unwrap();
        let other = copy(dir.path());
        add(other.path(), 10..11, 20);
        let before = root(other.path());
        let ahead = remote::pull(&place.store(), other.path(), Watch::none());
        assert_eq!(code(&ahead), "not_descended");
        assert!(
            text(&ahead).contains("the folder is ahead"),
            "{}",
            text(&ahead)
        );
        add(dir.path(), 2..3, 20);
        place.push(dir.path()).unwrap();
        let apart = remote::pull(&place.store(), other.path(), Watch::none());
        assert_eq!(code(&apart), "not_descended");
        assert_eq!(root(other.path()), before);
        assert_whole(other.path());
        let _writer = Writer::open(other.path()).unwrap();
        assert_eq!(
            code(&remote::pull(&place.store(), other.path(), Watch::none())),
            "locked"
        );
        assert_eq!(code(&place.push(other.path())), "locked");
    }
}

#[test]
fn a_folder_that_lost_files_gets_them_back() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..3, 30);
        place.push(dir.path()).unwrap();
        let whole = copy(dir.path());
        for lost in ["segments/00000002.seg", "history"] {
            fs::remove_file(dir.path().join(lost)).unwrap();
            // Without its history, nothing shows what the folder's index was before.
            let pulled = remote::pull(&place.store(), dir.path(), Watch::none());
            if lost == "history" {
                assert_eq!(code(&pulled), "corrupt_index");
                continue;
            }
            assert_eq!(pulled.unwrap().files, 1);
            assert_same(whole.path(), dir.path());
        }
        // A lost manifest is not replaced by an older one either.
        let lost = copy(whole.path());
        fs::remove_file(lost.path().join("manifest")).unwrap();
        remote::pull(&place.store(), lost.path(), Watch::none()).unwrap();
        assert_same(whole.path(), lost.path());
        add(lost.path(), 3..4, 30);
        fs::remove_file(lost.path().join("manifest")).unwrap();
        assert_eq!(
            code(&remote::pull(&place.store(), lost.path(), Watch::none())),
            "corrupt_index"
        );
    }
}
