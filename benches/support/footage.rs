//! Made keys whose distances follow real footage, about half a million a second, always the same
//! for the same seed.
//!
//! How they are made: each bit of a picture is the sign of a sum of two parts, one of [`TRAITS`]
//! shared traits and one of its own detail. The share of the traits differs from picture to
//! picture; simple pictures, which consist almost only of traits, are rare. This gives the tail:
//! unrelated pairs within 72 bits. Each key has exactly 128 ones, like real keys. Some keys are
//! derived from an earlier one of the same video by flipping bits ([`RELATED`]); these are the
//! neighbours within a video that a moving camera leaves.
//!
//! How well they fit: the bench `footage` prints the same statistics of real and made keys. The
//! constants below were fitted to sources with a keyframe a second and up to 12 regions. The tables
//! compare the made keys with 51 real clips as they are sampled now (37 groups of unrelated
//! content, 0.27 h, 28 195 distinct keys, so 104 300 an hour):
//!
//! | | real footage | made |
//! |---|---|---|
//! | postings a key | 1.0048 | 1.0021 |
//! | whole-frame keys | 3.0 % | 6.3 % |
//! | keys that last | 16.1 % | 16.2 % |
//! | ... mean, s | 1.7 | 3.0 |
//! | keys that recur | 20.3 % | 23.4 % |
//! | nearest in its video, 1/5/10/20 % | 18 / 34 / 46 / 64 | 11 / 31 / 46 / 71 |
//! | ... 30/50/90 % | 76 / 90 / 102 | 90 / 98 / 105 |
//! | nearest in other groups, 1/5/10/50/90 % | 72 / 82 / 84 / 92 / 96 | 76 / 87 / 90 / 94 / 97 |
//! | others of its video within 72, mean | 0.77 | 0.37 |
//! | ... 80/90/95/99 % | 1 / 2 / 4 / 12 | 1 / 1 / 2 / 4 |
//! | unrelated keys, mean distance and deviation | 127.5, 8.4 | 128.0, 8.4 |
//!
//! The second table gives the chance that unrelated region keys are within a number of bits.
//! "Library" is the table of `uniq::evidence`, from 7.5e10 pairs of real footage. The 51 clips give
//! 3.5e8 pairs; most of those within 64 bits show content that two groups share. The made keys give
//! 1.8e9 pairs:
//!
//! | bits | library | 51 clips | made |
//! |---|---|---|---|
//! | 40 | 5.0e-11 | 1.1e-8 | none |
//! | 48 | 1.4e-9 | 3.7e-8 | 5.6e-10 |
//! | 56 | 1.0e-8 | 9.6e-8 | 3.9e-9 |
//! | 64 | 5.5e-8 | 2.3e-7 | 7.2e-8 |
//! | 72 | 3.2e-7 | 5.7e-7 | 5.2e-7 |
//! | 80 | 2.4e-6 | 2.6e-6 | 3.0e-6 |
//! | 88 | | 2.2e-5 | 2.1e-5 |
//! | 96 | | 3.0e-4 | 2.9e-4 |
//! | 104 | | 4.4e-3 | 4.6e-3 |
//!
//! Limits: crowds are smaller than in a static shot; there are no copies between videos; places are
//! random. The 51 clips are short, so nothing is known of repetition in a long video.

use std::time::Duration;

use uniq::fingerprint::{KEY_BITS, Key, KeyKind, Place, Run};
use uniq::index::{Publication, Video};

use super::random::Random;

/// An endless made archive.
#[derive(Clone, Debug)]
pub struct Footage {
    random: Random,
    videos: u64,
    /// Weights of the traits in each bit. They are the same for every archive, since there is only
    /// one hash function.
    meanings: Vec<[f32; TRAITS]>,
}

impl Footage {
    pub fn new(seed: u64) -> Footage {
        let mut random = Random::new(MEANINGS_SEED);
        let meanings = (0..KEY_BITS).map(|_| random.direction()).collect();
        Footage {
            random: Random::new(seed ^ 0x666f_6f74_6167_6500),
            videos: 0,
            meanings,
        }
    }

    /// The next video, 30 s to 20 min long, with as many keys as real ones. The length is an
    /// assumption: its logarithm is uniform, its mean 5.3 min.
    pub fn video(&mut self) -> (Video, Vec<Run>) {
        let seconds = SHORTEST_S * (LONGEST_S / SHORTEST_S).powf(self.random.unit());
        self.video_of(Duration::from_secs_f64(seconds))
    }

    /// A video of this length.
    pub fn video_of(&mut self, duration: Duration) -> (Video, Vec<Run>) {
        self.videos += 1;
        let keys_an_hour = KEYS_AN_HOUR * (0.4 + 1.2 * self.random.unit());
        let count = (duration.as_secs_f64() / 3600.0 * keys_an_hour)
            .round()
            .max(1.0) as usize;
        let mut sha256 = [0; 32];
        sha256
            .chunks_exact_mut(8)
            .for_each(|eight| eight.copy_from_slice(&self.random.bits().to_le_bytes()));
        let number = self.videos;
        let video = Video {
            id: String::new(),
            path: format!(
                "/archive/2026/channel-{:03}/video-{number:08}.mp4",
                number % 997
            ),
            sha256,
            duration,
            width: 1920,
            height: 1080,
            publication: Publication {
                url: Some(format!(
                    "https://video.example/watch?v={:011x}",
                    self.random.bits() >> 20
                )),
                title: Some(format!("What happened on day {number} and why it matters")),
                ..Publication::default()
            },
            keyframes: duration.as_secs_f64().ceil() as u32,
            undecoded: Duration::ZERO,
        };
        (video, self.runs(count, duration))
    }

    /// Videos with at least `keys` runs in total.
    pub fn videos(&mut self, keys: u64) -> impl Iterator<Item = (Video, Vec<Run>)> {
        let mut left = keys;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let (video, mut runs) = self.video();
            runs.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= runs.len() as u64;
            Some((video, runs))
        })
    }

    /// `count` runs of one video in order of time.
    pub fn runs(&mut self, count: usize, duration: Duration) -> Vec<Run> {
        let seconds = duration.as_secs_f64();
        let mut runs: Vec<Run> = Vec::with_capacity(count);
        let mut centre = Key::default();
        for number in 0..count {
            let key = if number > 0 && self.random.unit() < RELATED {
                if self.random.unit() >= STAYS {
                    centre = runs[number - 1 - self.random.below(number.min(MEMORY))].key;
                }
                let flips = REACH * self.random.unit().sqrt();
                self.random.flip(centre, flips.round() as u32)
            } else if number > 0 && self.random.unit() < REPEATED {
                runs[self.random.below(number)].key
            } else {
                self.key()
            };
            runs.push(self.run(key, (seconds * number as f64 / count as f64).floor()));
        }
        runs
    }

    /// A key like that of an unrelated picture.
    pub fn key(&mut self) -> Key {
        let picture: [f32; TRAITS] = self.random.direction();
        let share =
            SAYS_LEAST + (SAYS_MOST - SAYS_LEAST) * (self.random.unit() as f32).powf(RARITY);
        // Both parts have a deviation of 1, so `share` is the correlation of the traits with the
        // bit.
        let (of_traits, of_detail) = (share * (TRAITS as f32).sqrt(), (1.0 - share * share).sqrt());
        let mut values = [0.0; KEY_BITS as usize];
        for (value, direction) in values.iter_mut().zip(&self.meanings) {
            let told: f32 = direction.iter().zip(&picture).map(|(a, b)| a * b).sum();
            // A sum of 64 bits is nearly normal.
            let detail = (self.random.bits().count_ones() as f32 - 32.0) / 4.0;
            *value = of_traits * told + of_detail * detail;
        }
        let mut order = values;
        let (_, &mut median, _) =
            order.select_nth_unstable_by(KEY_BITS as usize / 2, f32::total_cmp);
        let mut key = Key::default();
        for (bit, value) in values.into_iter().enumerate() {
            key.0[bit / 64] |= u64::from(value >= median) << (bit % 64);
        }
        key
    }

    fn run(&mut self, key: Key, second: f64) -> Run {
        let draw = self.random.bits();
        let part = |shift: u32| (draw >> shift & 0x3ff) as f32 / 1024.0;
        let lasts = if f64::from(part(0)) < LASTING {
            1.0 + (LASTING_S - 1.0) * 2.0 * self.random.unit()
        } else {
            0.0
        };
        let first = Duration::from_secs_f64(second);
        Run {
            key,
            kind: if f64::from(part(10)) < WHOLE {
                KeyKind::Whole
            } else {
                KeyKind::Region
            },
            place: Place {
                x: 1.7 * part(20),
                y: part(30),
                size: 0.1 + 0.4 * part(40),
            },
            first,
            last: first + Duration::from_secs_f64(lasts.round()),
            recurs: f64::from(part(50)) < RECURRING,
        }
    }
}

/// Keys of an hour of video with a keyframe a second and up to 12 regions, to which the constants
/// below were fitted.
pub const KEYS_AN_HOUR: f64 = 30_700.0;
/// Keys of an hour of video with the default sampling: 28 195 distinct ones in 0.27 h.
#[allow(dead_code, reason = "not every bench tells hours")]
pub const DEFAULT_KEYS_AN_HOUR: f64 = 104_000.0;
/// Number of traits of a picture.
const TRAITS: usize = 16;
/// Minimum and maximum correlation of a bit with the traits. Between them it is a uniform number
/// raised to this exponent, so that simple pictures are rare.
const SAYS_LEAST: f32 = 0.38;
const SAYS_MOST: f32 = 0.988;
const RARITY: f32 = 20.0;
const MEANINGS_SEED: u64 = 0x6d65_616e_696e_6773;
/// Share of keys derived from an earlier one of the same video.
const RELATED: f64 = 0.33;
/// Maximum number of bits flipped to derive a key, times the square root of a uniform number, so
/// that many flips are more frequent.
const REACH: f64 = 110.0;
/// Chance that the next derived key comes from the same key as the last one, which makes crowds.
const STAYS: f64 = 0.65;
/// How many keys back the original of a derived key may be: some ten seconds.
const MEMORY: usize = 100;
/// Share of keys that equal an earlier one.
const REPEATED: f64 = 0.003;
/// Share of keys of the whole frame.
const WHOLE: f64 = 0.063;
/// Share of keys that last, and their mean duration in seconds.
const LASTING: f64 = 0.16;
const LASTING_S: f64 = 3.0;
/// Share of keys that are seen again at the same place.
const RECURRING: f64 = 0.23;
/// Minimum and maximum length of videos, in seconds.
const SHORTEST_S: f64 = 30.0;
const LONGEST_S: f64 = 1200.0;
