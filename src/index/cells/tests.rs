use proptest::prelude::*;

use super::*;
use crate::index::forged::{changes, forge};
use crate::index::format::FORMAT_VERSION;
use crate::index::random::SplitMix;
use crate::index::storage::Disk;

/// Keys in families: each key is a noisy copy of one of `families` originals.
fn families(families: usize, members: usize, noise: u32) -> Vec<Key> {
    let mut random = SplitMix::new(7);
    let mut keys = Vec::new();
    for _ in 0..families {
        let first = Key(std::array::from_fn(|_| random.bits()));
        keys.extend((0..members).map(|_| {
            let bits = random.below(noise + 1);
            random.flip(first, bits)
        }));
    }
    keys
}

#[test]
fn an_index_has_the_more_cells_the_more_keys_and_one_when_it_is_small() {
    assert_eq!([0, 16_383].map(cells_for), [1, 1]);
    assert_eq!(
        [16_384, 1_000_000, 100_000_000, 1 << 40].map(cells_for),
        [512, 2048, 32_768, CELLS_MAX]
    );
}

#[test]
fn families_lie_in_cells_of_their_own() {
    let keys = families(40, 50, 24);
    let work = Work::unwatched();
    let centroids = train(keys.clone(), 64, &work).unwrap();
    assert_eq!(
        centroids,
        train(keys.iter().rev().copied().collect(), 64, &work).unwrap()
    );
    let cells = Cells::of(1, centroids, None);
    let assigned = cells.assign(&keys);
    // Nearly all keys of a family lie in one to three cells, which no other family uses.
    let mut owners = std::collections::HashMap::new();
    for (number, cell) in assigned.iter().enumerate() {
        let family = number / 50;
        *owners.entry((*cell, family)).or_insert(0) += 1;
    }
    let largest: usize = (0..64)
        .map(|cell| {
            owners
                .iter()
                .filter(|((of, _), _)| *of == cell)
                .map(|(_, count)| *count)
                .max()
                .unwrap_or(0)
        })
        .sum();
    assert!(largest >= 1500, "{largest}");
}

#[test]
fn the_nearest_cells_are_those_of_the_definition() {
    let centroids = families(300, 1, 0);
    let cells = Cells::of(1, centroids.clone(), None);
    let mut random = SplitMix::new(3);
    for _ in 0..50 {
        let at = random.below(300) as usize;
        let query = random.flip(centroids[at], 70);
        let mut all: Vec<(u32, u32)> = (0..)
            .zip(&centroids)
            .map(|(cell, key)| (query.distance(*key), cell))
            .collect();
        all.sort_unstable();
        for count in [1, 7, 300] {
            let expected: Vec<u32> = all.iter().take(count).map(|(_, cell)| *cell).collect();
            assert_eq!(cells.nearest(query, count, &mut Search::new()), expected);
        }
    }
}

#[test]
fn a_graph_over_many_cells_finds_nearly_all_of_the_nearest_and_survives_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cells");
    let centroids = families(1000, 4, 100);
    let work = Work::unwatched();
    let entry = Cells::write_with(&Disk, &path, &centroids, true, &work).unwrap();
    let file = BlockFile::open(&path, CELLS_MAGIC, Some(&entry))
        .unwrap()
        .unwrap();
    assert_eq!(file.version(), FORMAT_VERSION);
    let cells = Cells::open(&file).unwrap();
    assert_eq!(
        (cells.len(), cells.checksum()),
        (centroids.len(), entry.checksum)
    );
    assert!(cells.recall() >= 0.95, "{}", cells.recall());
    let whole = Cells::of(1, centroids.clone(), None);
    let mut search = Search::new();
    let same = (0..200).filter(|&cell| {
        let query = SplitMix::new(cell as u64).flip(centroids[cell * 20], 20);
        cells.nearest(query, 1, &mut search) == whole.nearest(query, 1, &mut search)
    });
    assert!(same.count() >= 195);
}

/// Centroids and the graph over them, as a file of its own.
fn graph_bytes() -> &'static (Vec<Key>, Vec<u8>) {
    static WRITTEN: std::sync::OnceLock<(Vec<Key>, Vec<u8>)> = std::sync::OnceLock::new();
    WRITTEN.get_or_init(|| {
        let centroids = families(100, 3, 60);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("graph");
        let mut file = FileWriter::create(&Disk, &path, CELLS_MAGIC).unwrap();
        graph::build(&centroids, &Work::unwatched())
            .unwrap()
            .write(&mut file)
            .unwrap();
        file.finish().unwrap();
        (centroids, std::fs::read(path).unwrap())
    })
}

fn read_graph(bytes: &[u8], cells: usize) -> Result<Graph> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph");
    std::fs::write(&path, bytes).unwrap();
    let file = BlockFile::open(&path, CELLS_MAGIC, None)?.unwrap();
    let mut reader = file.reader();
    let graph = Graph::read(&file, &mut reader, cells)?;
    reader.finish()?;
    Ok(graph)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_forged_graph_is_refused_or_finds_cells_that_there_are(changes in changes()) {
        let (centroids, original) = graph_bytes();
        let mut walk = graph::Walk::default();
        let found = read_graph(original, centroids.len()).unwrap().nearest(centroids, centroids[9], 3, &mut walk);
        prop_assert_eq!((found[0], found.len()), (9, 3));
        // The graph does not fit fewer cells than it links.
        prop_assert!(read_graph(original, centroids.len() - 1).is_err());
        if let Ok(graph) = read_graph(&forge(original, &changes), centroids.len()) {
            prop_assert!((0.0..=1.0).contains(&graph.recall));
            for query in [centroids[20], Key([5; 4])] {
                let found = graph.nearest(centroids, query, 8, &mut walk);
                let distances: Vec<u32> = found.iter().map(|cell| query.distance(centroids[*cell as usize])).collect();
                let different: std::collections::HashSet<_> = found.iter().collect();
                prop_assert!(!found.is_empty() && different.len() == found.len() && distances.is_sorted());
            }
        }
    }
}
