//! Ranks clips by what should be kept, and explains the choice in a sentence (pure).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Which clip of a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The first in the order given.
    #[default]
    First,
    /// The longest.
    Longest,
    /// The one with most pixels; of equal ones, the one with most bits per second.
    Quality,
}

/// Properties that the rules compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// Whether it is a reference, which is kept by every rule.
    pub reference: bool,
    /// Its place in the order given.
    pub order: usize,
    /// Length in seconds; 0 if it could not be decoded.
    pub duration_s: f64,
    /// Displayed width in pixels.
    pub width: u32,
    /// Displayed height in pixels.
    pub height: u32,
    /// Length of the file in bytes.
    pub bytes: u64,
}

impl Traits {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    fn bits_per_second(&self) -> f64 {
        if self.duration_s > 0.0 {
            8.0 * self.bytes as f64 / self.duration_s
        } else {
            0.0
        }
    }
}

/// The numbers of the clips, best first: references, then by the rule, then in the order given.
pub fn ranked(clips: &[Traits], keep: Keep) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..clips.len()).collect();
    ranked.sort_by(|&a, &b| compare(&clips[a], &clips[b], keep));
    ranked
}

fn compare(a: &Traits, b: &Traits, keep: Keep) -> Ordering {
    let longer = || b.duration_s.total_cmp(&a.duration_s);
    let better = || {
        b.pixels()
            .cmp(&a.pixels())
            .then(b.bits_per_second().total_cmp(&a.bits_per_second()))
    };
    let by_rule = match keep {
        Keep::First => Ordering::Equal,
        Keep::Longest => longer().then_with(better),
        Keep::Quality => better().then_with(longer),
    };
    b.reference
        .cmp(&a.reference)
        .then(by_rule)
        .then(a.order.cmp(&b.order))
}

/// Why a clip is kept rather than these others, in a sentence without a full stop.
pub fn why(kept: &Traits, others: &[Traits], keep: Keep) -> String {
    if kept.reference {
        return "it is a reference, and references are always kept".to_owned();
    }
    let all = |is_less: &dyn Fn(&Traits) -> bool| others.iter().all(is_less);
    let first = "it comes first in the order given";
    let size = format!("{}x{}", kept.width, kept.height);
    match keep {
        Keep::First => first.to_owned(),
        Keep::Longest if all(&|other| other.duration_s < kept.duration_s) => {
            format!("it is the longest, {:.1} s", kept.duration_s)
        }
        Keep::Longest
            if all(&|other| {
                compare(
                    kept,
                    &Traits {
                        order: kept.order,
                        ..*other
                    },
                    keep,
                )
                .is_lt()
            }) =>
        {
            format!(
                "no clip is longer than {:.1} s, and its picture is the best among those, {size}",
                kept.duration_s
            )
        }
        Keep::Longest => format!(
            "no clip is longer than {:.1} s or has a better picture, and {first}",
            kept.duration_s
        ),
        Keep::Quality if all(&|other| other.pixels() < kept.pixels()) => {
            format!("it has the most pixels, {size}")
        }
        Keep::Quality
            if all(&|other| {
                compare(
                    kept,
                    &Traits {
                        order: kept.order,
                        ..*other
                    },
                    keep,
                )
                .is_lt()
            }) =>
        {
            let rate = kept.bits_per_second() / 1e6;
            format!(
                "no clip has more pixels than {size}, and it has the most bits a second among those, {rate:.2} million"
            )
        }
        Keep::Quality => {
            format!("no clip has more pixels than {size} or more bits a second, and {first}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(order: usize, duration_s: f64, height: u32, bytes: u64) -> Traits {
        Traits {
            reference: false,
            order,
            duration_s,
            width: 16 * height / 9,
            height,
            bytes,
        }
    }

    #[test]
    fn each_rule_ranks_by_what_it_says_and_references_come_first() {
        let clips = [
            clip(0, 5.0, 360, 1_000_000),
            clip(1, 9.0, 180, 400_000),
            clip(2, 5.0, 360, 2_000_000),
            Traits {
                reference: true,
                ..clip(3, 1.0, 90, 1_000)
            },
        ];
        assert_eq!(ranked(&clips, Keep::First), [3, 0, 1, 2]);
        assert_eq!(ranked(&clips, Keep::Longest), [3, 1, 2, 0]);
        assert_eq!(ranked(&clips, Keep::Quality), [3, 2, 0, 1]);
    }

    #[test]
    fn the_sentence_says_what_the_rule_went_by() {
        let (small, large) = (clip(0, 5.0, 180, 1_000_000), clip(1, 5.0, 360, 1_000_000));
        assert_eq!(
            why(&large, &[small], Keep::Quality),
            "it has the most pixels, 640x360"
        );
        assert_eq!(
            why(&small, &[large], Keep::First),
            "it comes first in the order given"
        );
        let longer = clip(2, 7.25, 180, 1_000_000);
        assert_eq!(
            why(&longer, &[small, large], Keep::Longest),
            "it is the longest, 7.2 s"
        );
        let richer = Traits {
            bytes: 5_000_000,
            order: 7,
            ..large
        };
        assert!(
            why(&richer, &[large], Keep::Quality)
                .ends_with("most bits a second among those, 8.00 million")
        );
        assert!(
            why(&large, &[Traits { order: 7, ..large }], Keep::Quality)
                .ends_with("first in the order given")
        );
        assert!(why(&large, &[small], Keep::Longest).contains("its picture is the best"));
        assert!(
            why(
                &Traits {
                    reference: true,
                    ..small
                },
                &[large],
                Keep::Quality
            )
            .contains("a reference")
        );
    }

    #[test]
    fn a_clip_without_length_has_no_bit_rate() {
        assert_eq!(
            ranked(&[clip(0, 0.0, 0, 9), clip(1, 1.0, 9, 9)], Keep::Quality),
            [1, 0]
        );
    }
}
