//! What the writer does, step by step, and what an index must hold after each step, computed
//! without an index.

use std::collections::BTreeSet;
use std::time::Duration;

use uniq::fingerprint::{Key, KeyKind, Place, Run};
use uniq::index::{Publication, Video};

/// Repeatable random numbers (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn key(&mut self) -> Key {
        Key(std::array::from_fn(|_| self.next()))
    }

    fn noisy(&mut self, mut key: Key, bits: u32) -> Key {
        for _ in 0..bits {
            let bit = self.below(256);
            key.0[(bit / 64) as usize] ^= 1 << (bit % 64);
        }
        key
    }
}

/// Kind of a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Work {
    /// The first commits of a new index, and the cleaning up after them.
    Build,
    /// A commit that adds videos.
    Add,
    /// A commit that removes videos.
    Remove,
    /// Merges, trains, sorts by cells, and deletes unnamed files; the content stays.
    Merge,
}

impl Work {
    pub(crate) const ALL: [Work; 4] = [Work::Build, Work::Add, Work::Remove, Work::Merge];

    pub(crate) fn name(self) -> &'static str {
        ["build", "add", "remove", "merge"][self as usize]
    }

    pub(crate) fn named(name: &str) -> Work {
        Work::ALL
            .into_iter()
            .find(|work| work.name() == name)
            .unwrap_or_else(|| panic!("no such work: {name}"))
    }
}

/// The upkeep at the end of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Upkeep {
    /// Nothing.
    None,
    /// Merges what is due.
    WhenDue,
    /// Trains this many cells and sorts every segment by them.
    ByCells(usize),
    /// Merges everything.
    All,
}

/// A step: all of it before the upkeep is one commit.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) work: Work,
    /// Numbers of the videos to add.
    pub(crate) add: Vec<u64>,
    /// Selectors of the videos to remove.
    pub(crate) remove: Vec<String>,
    pub(crate) upkeep: Upkeep,
}

/// The content of an index after some steps.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    seed: u64,
    /// Steps done.
    pub(crate) done: u64,
    /// Numbers of the videos.
    pub(crate) live: BTreeSet<u64>,
}

impl Model {
    /// The content after the first `done` steps of the list for `seed`.
    pub(crate) fn after(seed: u64, done: u64) -> Model {
        let mut model = Model {
            seed,
            done: 0,
            live: BTreeSet::new(),
        };
        while model.done < done {
            model.advance();
        }
        model
    }

    /// Does the next step and returns it.
    pub(crate) fn advance(&mut self) -> Step {
        let number = self.done;
        self.done += 1;
        let mut random = Random(self.seed ^ (number + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut step = Step {
            work: Work::Build,
            add: Vec::new(),
            remove: Vec::new(),
            upkeep: Upkeep::None,
        };
        if number < BUILD_STEPS {
            self.add(&mut step, 5, &mut random);
            if number + 1 == BUILD_STEPS {
                step.upkeep = Upkeep::ByCells(8);
            }
            return step;
        }
        let room = POOL - self.live.len() as u64;
        match random.below(10) {
            0..4 if room >= 3 => {
                step.work = Work::Add;
                let count = 1 + random.below(3);
                self.add(&mut step, count, &mut random);
                // Like a build that continues: the upkeep commits what was added.
                if random.below(8) == 0 {
                    step.upkeep = Upkeep::WhenDue;
                }
            }
            0..7 if self.live.len() >= 4 => {
                step.work = Work::Remove;
                let count = 1 + random.below(3);
                self.remove(&mut step, count, &mut random);
            }
            7 if room >= 3 && self.live.len() >= 4 => {
                // Both in one commit: no reader may see one without the other.
                step.work = if random.below(2) == 0 {
                    Work::Add
                } else {
                    Work::Remove
                };
                self.remove(&mut step, 2, &mut random);
                self.add(&mut step, 2, &mut random);
            }
            _ => {
                step.work = Work::Merge;
                // New cells replace the previous ones.
                let cells = 2 + random.below(15) as usize;
                let kinds = [
                    Upkeep::WhenDue,
                    Upkeep::WhenDue,
                    Upkeep::ByCells(cells),
                    Upkeep::All,
                ];
                step.upkeep = kinds[random.below(4) as usize];
            }
        }
        step
    }

    fn add(&mut self, step: &mut Step, count: u64, random: &mut Random) {
        let free: Vec<u64> = (0..POOL)
            .filter(|number| !self.live.contains(number))
            .collect();
        for _ in 0..count {
            let number = free[random.below(free.len() as u64) as usize];
            if self.live.insert(number) {
                step.add.push(number);
            }
        }
    }

    fn remove(&mut self, step: &mut Step, count: u64, random: &mut Random) {
        for _ in 0..count {
            let live: Vec<u64> = self.live.iter().copied().collect();
            let number = live[random.below(live.len() as u64) as usize];
            self.live.remove(&number);
            let video = video(self.seed, number);
            step.remove.push(match random.below(4) {
                0 => video.path,
                1 => video.publication.url.unwrap(),
                2 => video.id,
                _ => video
                    .sha256
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
            });
        }
    }
}

/// A video of the pool, as an index returns it.
pub(crate) fn video(seed: u64, number: u64) -> Video {
    let mut random = Random(seed.rotate_left(20) ^ number);
    let mut sha256 = [0; 32];
    for eight in sha256.chunks_exact_mut(8) {
        eight.copy_from_slice(&random.next().to_le_bytes());
    }
    Video {
        id: sha256[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        path: path_of(number),
        sha256,
        duration: Duration::from_millis(30_000 + number),
        width: 1280,
        height: 720,
        publication: Publication {
            url: Some(format!("https://example.org/{number}")),
            title: Some(format!("Titel \u{fc}ber {number}")),
            ..Publication::default()
        },
        keyframes: 30,
        undecoded: Duration::from_millis(number),
    }
}

/// The keys of a video of the pool. Every sixth is shared with other videos.
pub(crate) fn runs(seed: u64, number: u64) -> Vec<Run> {
    let mut random = Random(seed.rotate_left(40) ^ number);
    let count = 10 + number % 30;
    (0..count)
        .map(|at| {
            let own = random.key();
            Run {
                key: if at % 6 == 5 {
                    shared_key(seed, (number + at) % 8)
                } else {
                    own
                },
                kind: if at % 5 == 0 {
                    KeyKind::Whole
                } else {
                    KeyKind::Region
                },
                place: Place {
                    x: at as f32 / 64.0,
                    y: number as f32 / 64.0,
                    size: 0.25,
                },
                first: Duration::from_millis(1000 * at + number),
                last: Duration::from_millis(1000 * at + number + 500 * (at % 2)),
                recurs: at % 3 == 0,
            }
        })
        .collect()
}

/// The queries for every state: keys of all videos of the pool, added or not, some shared keys, and
/// some of no video.
pub(crate) fn queries(seed: u64) -> Vec<Key> {
    let mut random = Random(seed ^ 0x5151);
    let mut queries = Vec::new();
    for number in 0..POOL {
        let runs = runs(seed, number);
        let run = &runs[random.below(runs.len() as u64) as usize];
        queries.push(random.noisy(run.key, 40));
    }
    queries.extend((0..8).map(|number| shared_key(seed, number)));
    queries.extend((0..4).map(|_| random.key()));
    queries
}

fn shared_key(seed: u64, number: u64) -> Key {
    Random(seed.rotate_left(10) ^ (number << 32)).key()
}

fn path_of(number: u64) -> String {
    format!("videos/{number:03}.mp4")
}

/// Number of different videos.
pub(crate) const POOL: u64 = 48;
/// Number of steps that count as building.
pub(crate) const BUILD_STEPS: u64 = 3;
