//! Finds the keys of an index near others, by comparing all keys, those of one video, or those of a
//! few cells.

use rayon::prelude::*;

use super::Neighbour;
use super::cells::Search;
use super::run::{self, RawRun};
use super::scan::{self, Found, Kernel, block};
use super::sketch::{SKETCH_BITS, Sketch, sketch};
use super::snapshot::{Index, LiveSegment, OpenCells};
use super::video::{Role, VideoRef};
use crate::error::Result;
use crate::fingerprint::{KEY_BITS, Key};

/// How closely [`Index::near_by_cell`] looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Screen {
    /// Number of cells to probe for each query, the nearest first.
    pub probes: usize,
    /// Maximum distance of a found key, in bits.
    pub radius: u32,
    /// Maximum distance of sketches whose keys are compared, in bits of 128.
    pub sketch_radius: u32,
}

impl Index {
    /// Finds the keys of sources within `radius` bits of each query by comparing all of them.
    ///
    /// Sorted by query, video and run. The work runs on rayon's threads.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if the search meets damage; there is no
    /// partial answer.
    pub fn near(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        self.near_in_role(queries, radius, self.searched_role())
    }

    /// As [`Index::near`], for the videos of one role.
    ///
    /// # Errors
    /// Those of [`Index::near`].
    pub fn near_in_role(&self, queries: &[Key], radius: u32, role: Role) -> Result<Vec<Neighbour>> {
        let of_role = self
            .segments
            .iter()
            .enumerate()
            .filter(|(_, live)| live.role == role);
        let blocks: Vec<(u32, u32)> = of_role
            .flat_map(|(number, live)| {
                (0..live.segment.len() as u32)
                    .step_by(BLOCK_RUNS)
                    .map(move |from| (number as u32, from))
            })
            .collect();
        let found: Vec<Vec<Neighbour>> = blocks
            .into_par_iter()
            .map(|(number, from)| {
                let live = &self.segments[number as usize];
                let until = (live.segment.len() as u32).min(from.saturating_add(BLOCK_RUNS as u32));
                let raw = live.segment.raw(from..until)?;
                Ok(compare(raw, queries, radius)
                    .into_iter()
                    .filter_map(|found| {
                        live.neighbour(number, found.query, from + found.key, found.distance)
                    })
                    .collect())
            })
            .collect::<Result<_>>()?;
        let mut found: Vec<Neighbour> = found.into_iter().flatten().collect();
        found.par_sort_unstable();
        Ok(found)
    }

    /// Finds keys of one video within `radius` bits of each query, by comparing all its keys.
    ///
    /// Sorted as by [`Index::near`].
    ///
    /// # Errors
    /// Those of [`Index::near`].
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn near_in(&self, video: VideoRef, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        let live = &self.segments[video.segment as usize];
        let runs = live.segment.runs_of(video.video);
        let near = compare(live.segment.raw(runs)?, queries, radius).into_iter();
        let near = near.map(|near| Neighbour {
            query: near.query,
            video,
            run: near.key,
            distance: near.distance,
        });
        let mut found: Vec<Neighbour> = near.collect();
        found.par_sort_unstable();
        Ok(found)
    }

    /// Finds keys of sources within a screen's radius of each query, in the cells nearest to it.
    /// This compares as few keys as possible.
    ///
    /// Sorted as by [`Index::near`]. Keys in other cells are missed. So are keys whose sketch (the
    /// lower half of the frequencies) differs by more than the screen allows.
    ///
    /// # Errors
    /// Those of [`Index::near`].
    pub fn near_by_cell(&self, queries: &[Key], screen: &Screen) -> Result<Vec<Neighbour>> {
        let kernel = Kernel::detect();
        let sketches: Vec<Sketch> = queries.iter().map(|key| sketch(*key)).collect();
        let mut found = Vec::new();
        for (place, OpenCells { cells, .. }) in self.cells.iter().enumerate() {
            let segments: Vec<(u32, &LiveSegment)> = (0..)
                .zip(&self.segments)
                .filter(|(_, live)| live.role.is_searched() && live.cells == place)
                .collect();
            if segments.is_empty() {
                continue;
            }
            let nearest: Vec<Vec<u32>> = queries
                .par_iter()
                .with_min_len(64)
                .map_init(Search::new, |search, key| {
                    cells.nearest(*key, screen.probes, search)
                })
                .collect();
            let asked = by_cell(&nearest, cells.len());
            let of_cells: Vec<&[(u32, u32)]> = asked.chunk_by(|a, b| a.0 == b.0).collect();
            let in_cells: Vec<Vec<Neighbour>> = of_cells
                .par_iter()
                .map(|asked| {
                    let mut found = Vec::new();
                    let of = |&(_, query): &(u32, u32)| {
                        (query, queries[query as usize], sketches[query as usize])
                    };
                    let queries: Vec<(u32, Key, Sketch)> = asked.iter().map(of).collect();
                    for &(number, live) in &segments {
                        live.in_cell(kernel, number, asked[0].0, &queries, screen, &mut found)?;
                    }
                    Ok(found)
                })
                .collect::<Result<_>>()?;
            found.extend(in_cells.into_iter().flatten());
        }
        found.par_sort_unstable();
        Ok(found)
    }
}

impl LiveSegment {
    /// A found key, or `None` if its video has been removed.
    fn neighbour(&self, number: u32, query: u32, run: u32, distance: u32) -> Option<Neighbour> {
        let video = self.segment.video_of(run);
        let run = run - self.segment.runs_of(video).start;
        (!self.dead[video as usize]).then_some(Neighbour {
            query,
            video: VideoRef {
                segment: number,
                video,
            },
            run,
            distance,
        })
    }

    /// Compares queries with a cell: first all sketches, then the keys whose sketches are near.
    fn in_cell(
        &self,
        kernel: Kernel,
        number: u32,
        cell: u32,
        queries: &[(u32, Key, Sketch)],
        screen: &Screen,
        found: &mut Vec<Neighbour>,
    ) -> Result<()> {
        let of_cell = self.segment.entries(cell)?;
        let mut near = Vec::new();
        // A crowd of near-identical keys is sampled evenly, since any of them will do. The single
        // cell of an index without trained cells holds all keys and is not a crowd.
        let crowd = if self.segment.cells() == 1 {
            0
        } else {
            of_cell.numbers.len()
        };
        let step = crowd.div_ceil(CELL_KEYS_MAX).max(1);
        let thinned: Option<[Vec<u64>; 2]> = (step > 1).then(|| {
            of_cell
                .sketches
                .map(|words| words.iter().copied().step_by(step).collect())
        });
        let sketches = match &thinned {
            Some(thinned) => thinned.each_ref().map(Vec::as_slice),
            None => of_cell.sketches,
        };
        for (query, key, of_query) in queries {
            near.clear();
            let radius = screen.sketch_radius.min(SKETCH_BITS);
            block::within(kernel, sketches, *of_query, radius, &mut near);
            for &place in &near {
                let run = of_cell.numbers[place as usize * step];
                let raw = self.segment.raw(run..run.saturating_add(1))?;
                let distance = run::key_of(&raw[0]).distance(*key);
                if distance <= screen.radius.min(KEY_BITS) {
                    found.extend(self.neighbour(number, *query, run, distance));
                }
            }
        }
        Ok(())
    }
}

/// Compares all runs with all queries. The numbers found are positions in `runs`.
fn compare(runs: &[RawRun], queries: &[Key], radius: u32) -> Vec<Found> {
    let planes: [Vec<u64>; 4] =
        std::array::from_fn(|word| runs.iter().map(|run| run[word]).collect());
    scan::search(
        Kernel::detect(),
        planes.each_ref().map(Vec::as_slice),
        queries,
        radius,
    )
}

/// Queries by cell, so that each cell is read once for all of them.
fn by_cell(nearest: &[Vec<u32>], cells: usize) -> Vec<(u32, u32)> {
    let mut next = vec![0usize; cells + 1];
    nearest
        .iter()
        .flatten()
        .for_each(|cell| next[*cell as usize + 1] += 1);
    for cell in 0..cells {
        next[cell + 1] += next[cell];
    }
    let mut asked = vec![(0, 0); next[cells]];
    for (query, of_query) in (0..).zip(nearest) {
        for &cell in of_query {
            asked[next[cell as usize]] = (cell, query);
            next[cell as usize] += 1;
        }
    }
    asked
}

/// Number of runs compared with all queries at a time: 192 kB in stored form.
const BLOCK_RUNS: usize = 4096;
/// Maximum number of keys of a cell and segment that are compared with a query.
const CELL_KEYS_MAX: usize = 16_384;
