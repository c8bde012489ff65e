//! An older state that is put back is noticed, and newer data is never overwritten by it.

use super::*;
use uniq::index::Expected;

/// An index of three commits, with the manifest and the note of each.
struct Commits {
    dir: TempDir,
    manifests: Vec<(Vec<u8>, Vec<u8>)>,
    roots: Vec<String>,
}

impl Commits {
    fn new() -> Commits {
        let dir = TempDir::new().unwrap();
        let (mut manifests, mut roots) = (Vec::new(), Vec::new());
        for seed in 1..=3 {
            build(dir.path(), [seed], 6);
            let read = |name| fs::read(dir.path().join(name)).unwrap();
            manifests.push((read("manifest"), read("notes/newest")));
            roots.push(Index::open(dir.path()).unwrap().state().root.clone());
        }
        Commits {
            dir,
            manifests,
            roots,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts the manifest of an earlier commit back.
    fn put_back(&self, commit: usize) {
        fs::write(self.path("manifest"), &self.manifests[commit - 1].0).unwrap();
    }
}

#[test]
fn an_older_manifest_put_back_is_refused_by_who_reads_and_by_who_writes() {
    let index = Commits::new();
    let before = files(index.dir.path());
    for commit in [1, 2] {
        index.put_back(commit);
        let reader = Index::open(index.dir.path()).map(drop);
        let writers = [
            Writer::open(index.dir.path()),
            Writer::open_or_create(index.dir.path(), CONFIG),
        ];
        for result in [reader]
            .into_iter()
            .chain(writers.map(|writer| writer.map(drop)))
        {
            let text = result.unwrap_err().to_string();
            assert!(
                text.contains(&format!("generation is {commit}, expected 3 or more")),
                "{text}"
            );
            assert!(
                text.contains("manifest: ") && text.contains("put the newest manifest back"),
                "{text}"
            );
        }
        let found = damage(index.dir.path());
        let newer: Vec<u64> = (commit as u64 + 1..=3).collect();
        // The history may be one commit ahead.
        let by_history = usize::from(commit == 1);
        assert_eq!(found.len(), 1 + newer.len() + by_history, "{found:?}");
        for number in newer {
            let named = |text: &String| {
                text.contains(&format!("{number:08}.seg")) && text.contains("older than this")
            };
            assert!(found.iter().any(named), "{found:?}");
        }
    }
    index.put_back(3);
    assert_eq!(damage(index.dir.path()), [""; 0]);
    assert_eq!(files(index.dir.path()), before);
}

#[test]
fn another_manifest_of_the_same_generation_is_refused() {
    let (ours, theirs) = (Commits::new(), TempDir::new().unwrap());
    for seed in 4..=6 {
        build(theirs.path(), [seed], 6);
    }
    for name in [
        "manifest",
        "segments/00000001.seg",
        "segments/00000002.seg",
        "segments/00000003.seg",
    ] {
        fs::copy(theirs.path().join(name), ours.path(name)).unwrap();
    }
    let text = Index::open(ours.dir.path()).unwrap_err().to_string();
    assert!(
        text.contains("root is") && text.contains(&ours.roots[2]),
        "{text}"
    );
}

#[test]
fn a_lost_manifest_is_no_place_for_a_new_index() {
    let index = Commits::new();
    fs::remove_file(index.path("manifest")).unwrap();
    assert!(Index::exists(index.dir.path()));
    let verified = uniq::index::verify(index.dir.path(), &|_, _| (), &never).map(drop);
    for result in [
        Index::open(index.dir.path()).map(drop),
        Writer::open_or_create(index.dir.path(), CONFIG).map(drop),
        verified,
    ] {
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains("manifest: damaged: file is missing, expected that of commit 3"),
            "{text}"
        );
    }
}

#[test]
fn no_number_is_used_twice_even_if_nothing_tells_that_the_manifest_is_old() {
    let index = Commits::new();
    index.put_back(1);
    fs::remove_file(index.path("notes/newest")).unwrap();
    fs::remove_file(index.path("history")).unwrap();
    let found = damage(index.dir.path());
    assert!(
        found.len() == 2 && found[0].contains("00000002.seg") && found[1].contains("00000003.seg"),
        "{found:?}"
    );
    let before = fs::read(index.path("segments/00000002.seg")).unwrap();
    // A number beyond any index must not use up the numbers after it.
    let foreign = index.path("segments/18446744073709551615.seg");
    fs::write(&foreign, b"x").unwrap();
    build(index.dir.path(), [9], 6);
    assert_eq!(
        fs::read(index.path("segments/00000002.seg")).unwrap(),
        before
    );
    assert!(index.path("segments/00000004.seg").is_file());
    assert_eq!(Index::open(index.dir.path()).unwrap().state().videos, 2);
}

#[test]
fn what_a_broken_off_commit_leaves_is_no_damage_and_is_not_written_over() {
    let index = Commits::new();
    let left = index.path("segments/00000004.seg");
    fs::copy(index.path("segments/00000003.seg"), &left).unwrap();
    // The same after a commit without a note.
    for (_, note) in [&index.manifests[2], &index.manifests[1]] {
        fs::write(index.path("notes/newest"), note).unwrap();
        let found = uniq::index::verify(index.dir.path(), &|_, _| (), &never).unwrap();
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        assert_eq!(found.unnamed, std::slice::from_ref(&left));
        assert_eq!(Index::open(index.dir.path()).unwrap().state().generation, 3);
    }
    build(index.dir.path(), [9], 6);
    assert!(index.path("segments/00000005.seg").is_file());
    Writer::open(index.dir.path())
        .unwrap()
        .compact(&never)
        .unwrap();
    let found = uniq::index::verify(index.dir.path(), &|_, _| (), &never).unwrap();
    assert!(
        found.damage.is_empty() && found.unnamed.is_empty() && !left.exists(),
        "{found:?}"
    );
}

#[test]
fn who_knows_root_or_generation_is_not_given_an_older_index_whole_as_it_is() {
    let index = Commits::new();
    let check = |root: &str, generation_min| {
        let digit = |at| u8::from_str_radix(&root[2 * at..2 * at + 2], 16).unwrap();
        let root = (!root.is_empty()).then(|| std::array::from_fn(digit));
        Index::open(index.dir.path())
            .unwrap()
            .check_expected(&Expected {
                root,
                generation_min,
            })
    };
    for (root, least) in [
        ("", None),
        ("", Some(3)),
        (&index.roots[2], None),
        (&index.roots[2], Some(1)),
    ] {
        check(root, least).unwrap();
    }
    // Everything as at the second commit.
    index.put_back(2);
    fs::write(index.path("notes/newest"), &index.manifests[1].1).unwrap();
    fs::remove_file(index.path("segments/00000003.seg")).unwrap();
    assert_eq!(damage(index.dir.path()), [""; 0]);
    for (root, least, what) in [
        ("", Some(3), "generation is 2"),
        (&index.roots[2], None, "root is"),
    ] {
        let error = check(root, least).unwrap_err();
        assert!(
            matches!(error, Error::UnexpectedIndex { .. }) && error.code() == "unexpected_index"
        );
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn a_damaged_note_is_named_with_what_to_do() {
    let index = Commits::new();
    let note = fs::read(index.path("notes/newest")).unwrap();
    for bytes in [
        &b""[..],
        b"3\n",
        b"\xff\xff 3",
        &note[..note.len() - 1],
        &note[1..],
    ] {
        fs::write(index.path("notes/newest"), bytes).unwrap();
        let text = Index::open(index.dir.path()).unwrap_err().to_string();
        assert!(
            text.contains("notes/newest: damaged") && text.contains("delete this file"),
            "{text}"
        );
        assert!(damage(index.dir.path())[0].contains("notes/newest"));
    }
    fs::remove_file(index.path("notes/newest")).unwrap();
    build(index.dir.path(), [9], 6);
    assert!(index.path("notes/newest").is_file());
    assert_eq!(damage(index.dir.path()), [""; 0]);
}
