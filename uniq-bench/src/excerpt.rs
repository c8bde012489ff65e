//! Excerpts of known clips, edited, with the true times of what is in them.

use crate::edits::{AROUND_S, Edit, INSIDE_S, ORDER, Picture, Time};
use crate::footage::Clip;
use crate::random::{Random, fold};

/// Minimum length of an excerpt, in seconds; shorter clips are skipped.
pub(crate) const SHORTEST_S: f64 = 3.0;

/// Maximum short side of an edited excerpt, in pixels.
const SHORT_SIDE_MAX: u32 = 480;

/// Length of a fade, in seconds.
const FADE_S: f64 = 1.5;

/// Unused end of a part, in seconds, because the last frame of many clips is a little earlier than
/// their length says.
const UNUSED_S: f64 = 0.04;

/// An edited part of a clip, and where it really comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Excerpt {
    /// The source clip.
    pub(crate) clip: Clip,
    /// The edit.
    pub(crate) edit: Edit,
    /// Requested length, in seconds.
    pub(crate) wanted_s: f64,
    /// Start and end in the clip, in seconds.
    pub(crate) cut_s: (f64, f64),
    /// Other footage mixed with it.
    pub(crate) other: Option<Clip>,
    /// What of the clip is where in the result, in the result's order.
    pub(crate) truth: Vec<Piece>,
    corner: usize,
}

/// A part of the result, and the part of the clip that it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    /// Start and end in the result, in seconds.
    pub(crate) clip_s: (f64, f64),
    /// Start and end, in seconds, in the source clip, or in the part of it that is indexed alone.
    pub(crate) reference_s: (f64, f64),
}

impl Excerpt {
    /// Chooses the part of `clip` by its bytes and `seed`. Returns `None` if the clip is too short
    /// for the length or the edit, or if the edit needs other footage and `others` has none of
    /// another group.
    pub(crate) fn plan(
        clip: &Clip,
        edit: Edit,
        wanted_s: f64,
        others: &[Clip],
        seed: u64,
    ) -> Option<Excerpt> {
        Excerpt::chosen(clip, edit, wanted_s, (0.0, clip.duration_s), others, seed)
    }

    /// As [`Excerpt::plan`], from a part of the clip, for edits without other footage.
    pub(crate) fn plan_within(
        clip: &Clip,
        edit: Edit,
        wanted_s: f64,
        part: (f64, f64),
        seed: u64,
    ) -> Option<Excerpt> {
        Excerpt::chosen(clip, edit, wanted_s, part, &[], seed)
    }

    /// An excerpt across one end of the part `kept`, the end beyond which more of the clip is left:
    /// up to `most_s` on either side of that end. The true copy is what lies in `kept`.
    pub(crate) fn across(
        clip: &Clip,
        edit: Edit,
        most_s: f64,
        kept: (f64, f64),
    ) -> Option<Excerpt> {
        let ends = kept.0 < clip.duration_s - kept.1;
        let edge = if ends { kept.1 } else { kept.0 };
        let most_s = most_s.min(edge).min(clip.duration_s - edge);
        let (from, to) = (edge - most_s, edge + most_s);
        let mut excerpt = Excerpt::chosen(clip, edit, to - from, (from, to + UNUSED_S), &[], 0)?;
        let of_kept = if ends {
            (0.0, edge - from)
        } else {
            (edge - from, to - from)
        };
        excerpt.truth = vec![Piece {
            clip_s: of_kept,
            reference_s: (from + of_kept.0 - kept.0, from + of_kept.1 - kept.0),
        }];
        (excerpt.edit.time == Time::Kept).then_some(excerpt)
    }

    fn chosen(
        clip: &Clip,
        edit: Edit,
        wanted_s: f64,
        part: (f64, f64),
        others: &[Clip],
        seed: u64,
    ) -> Option<Excerpt> {
        let usable = part.1 - part.0 - UNUSED_S;
        let wanted = if edit.time == Time::Inside {
            INSIDE_S
        } else {
            wanted_s
        };
        let length = wanted.min(usable);
        let least = if edit.time == Time::Shuffled {
            9.5
        } else {
            SHORTEST_S - 0.1
        };
        if length < least {
            return None;
        }
        let mut random = Random::new(fold(&clip.sha256) ^ seed.wrapping_mul(0x9e37_79b9));
        let start = ((part.0 + random.ratio() * (usable - length)) * 1000.0).floor() / 1000.0;
        let corner = random.below(4);
        let before =
            ((0.25 + 0.5 * random.ratio()) * (AROUND_S - INSIDE_S) * 100.0).round() / 100.0;
        // Ranks by both digests, so that the pairing, and with it the cache, survives changes of
        // the candidates.
        let other = others
            .iter()
            .filter(|other| {
                edit.mixes() && other.group != clip.group && other.duration_s >= SHORTEST_S
            })
            .min_by_key(|other| Random::new(fold(&clip.sha256) ^ fold(&other.sha256)).bits())
            .cloned();
        if edit.mixes() && other.is_none() {
            return None;
        }
        let whole = |speed: f64| {
            vec![Piece {
                clip_s: (0.0, length / speed),
                reference_s: (start, start + length),
            }]
        };
        let truth = match edit.time {
            Time::Kept | Time::Reversed => whole(1.0),
            Time::Speed(speed) => whole(speed),
            Time::Inside => {
                vec![Piece {
                    clip_s: (before, before + length),
                    reference_s: (start, start + length),
                }]
            }
            Time::Shuffled => {
                let part = length / ORDER.len() as f64;
                let piece = |(place, from): (usize, &usize)| {
                    let (at, from) = (place as f64 * part, start + *from as f64 * part);
                    Piece {
                        clip_s: (at, at + part),
                        reference_s: (from, from + part),
                    }
                };
                ORDER.iter().enumerate().map(piece).collect()
            }
        };
        Some(Excerpt {
            clip: clip.clone(),
            edit,
            wanted_s,
            cut_s: (start, start + length),
            other,
            truth,
            corner,
        })
    }

    /// Seconds of other footage in the result.
    pub(crate) fn other_s(&self) -> f64 {
        (self.cut_s.1 - self.cut_s.0).max(AROUND_S)
    }

    /// Even width and height of the edited excerpt.
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.clip.size;
        let short = width.min(height).max(1);
        let shrink = f64::from(short.min(SHORT_SIDE_MAX)) / f64::from(short);
        let even = |side: u32| ((f64::from(side) * shrink / 2.0).round() as u32).max(8) * 2;
        (even(width), even(height))
    }

    /// The graph of filters that makes it, from the inputs 0 (the cut clip) and 1 (other footage,
    /// looped).
    pub(crate) fn graph(&self) -> String {
        let (width, height) = self.size();
        let length = self.cut_s.1 - self.cut_s.0;
        let square = format!("scale={width}:{height},setsar=1,format=yuv420p");
        let end = "scale=trunc(iw/2)*2:trunc(ih/2)*2,setsar=1,format=yuv420p";
        let fill = |template: &str| self.fill(template, (width, height), length);
        let time = match self.edit.time {
            Time::Speed(speed) => format!(",setpts=PTS/{speed}"),
            _ => String::new(),
        };
        let other = format!(
            "fps=25,scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height},setsar=1,format=yuv420p"
        );
        match (self.edit.picture, self.edit.time) {
            (_, Time::Inside) => {
                let (from, to) = self.truth[0].clip_s;
                format!(
                    "[1:v]{other},split[x][y];[x]trim=0:{from:.3},setpts=PTS-STARTPTS[before];\
                     [y]trim={from:.3}:{:.3},setpts=PTS-STARTPTS[after];\
                     [0:v]fps=25,{square},trim=0:{:.3},setpts=PTS-STARTPTS[it];\
                     [before][it][after]concat=n=3:v=1:a=0,{end}",
                    AROUND_S - (to - from),
                    to - from
                )
            }
            (_, Time::Shuffled) => {
                let count = ORDER.len();
                let part = length / count as f64;
                let mut graph = format!("[0:v]fps=25,{square},split={count}");
                (0..count).for_each(|i| graph.push_str(&format!("[s{i}]")));
                for (i, from) in ORDER.iter().enumerate() {
                    let (from, to) = (*from as f64 * part, (*from + 1) as f64 * part);
                    graph.push_str(&format!(
                        ";[s{i}]trim={from:.3}:{to:.3},setpts=PTS-STARTPTS[c{i}]"
                    ));
                }
                graph.push(';');
                (0..count).for_each(|i| graph.push_str(&format!("[c{i}]")));
                format!("{graph}concat=n={count}:v=1:a=0,{end}")
            }
            (Picture::Chain(""), _) => format!("[0:v]{square}{time},{end}"),
            (Picture::Chain(filter), _) => format!("[0:v]{square}{time},{},{end}", fill(filter)),
            (Picture::Graph(filter), _) => {
                format!(
                    "[0:v]{square}{time}[start];{},{end}",
                    fill(filter).replace("[0:v]", "[start]")
                )
            }
            (Picture::Mixed(filter), _) => {
                format!(
                    "[1:v]{other}[other];[0:v]fps=25,{square}{time}[it];{},{end}",
                    fill(filter)
                )
            }
        }
    }

    fn fill(&self, template: &str, (width, height): (u32, u32), length: f64) -> String {
        let disc = (f64::from(width) * f64::from(height) / std::f64::consts::PI).sqrt() as u32;
        let disc = disc.min(width).min(height).max(8) / 2 * 2;
        template
            .replace("{w}", &width.to_string())
            .replace("{h}", &height.to_string())
            .replace("{cx}", &(self.corner & 1).to_string())
            .replace("{cy}", &(self.corner >> 1).to_string())
            .replace("{disc}", &disc.to_string())
            .replace("{fade}", &format!("{:.3}", (length - FADE_S).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::EDITS;
    use crate::footage::tests::clip;

    #[test]
    fn pieces_lie_in_the_clip_and_every_edit_has_a_graph() {
        let (it, other) = (clip("a", "a"), clip("b", "b"));
        for edit in EDITS {
            for wanted in [10.0, 5.0, 3.0] {
                let Some(excerpt) =
                    Excerpt::plan(&it, *edit, wanted, std::slice::from_ref(&other), 0)
                else {
                    assert!(
                        edit.time == Time::Shuffled && wanted < 10.0,
                        "{}",
                        edit.name
                    );
                    continue;
                };
                assert!(excerpt.cut_s.0 >= 0.0 && excerpt.cut_s.1 <= it.duration_s);
                let graph = excerpt.graph();
                assert!(!graph.contains('{'), "{graph}");
                assert_eq!(graph.contains("[1:v]"), edit.mixes(), "{graph}");
                for piece in &excerpt.truth {
                    let (clip_s, reference_s) = (
                        piece.clip_s.1 - piece.clip_s.0,
                        piece.reference_s.1 - piece.reference_s.0,
                    );
                    let speed = if let Time::Speed(speed) = edit.time {
                        speed
                    } else {
                        1.0
                    };
                    assert!((reference_s - speed * clip_s).abs() < 1e-9, "{piece:?}");
                    assert!(
                        piece.reference_s.0 >= excerpt.cut_s.0
                            && piece.reference_s.1 <= excerpt.cut_s.1 + 1e-9
                    );
                }
            }
        }
    }

    #[test]
    fn half_of_an_excerpt_across_an_edge_is_of_the_part_that_is_kept() {
        let (it, cut) = (clip("a", "a"), Edit::named("cut").unwrap());
        let across = |kept: (f64, f64)| Excerpt::across(&it, cut, 5.0, kept).unwrap();
        let (before, after) = (
            across((0.0, 11.0)),
            across((it.duration_s - 4.0, it.duration_s)),
        );
        assert_eq!(
            (
                before.cut_s,
                before.truth[0].clip_s,
                before.truth[0].reference_s
            ),
            ((6.0, 16.0), (0.0, 5.0), (6.0, 11.0))
        );
        let start = it.duration_s - 8.0;
        assert_eq!(
            (
                after.cut_s.0,
                after.truth[0].clip_s,
                after.truth[0].reference_s.0
            ),
            (start, (4.0, 8.0), 0.0)
        );
    }

    #[test]
    fn what_needs_other_footage_takes_that_of_another_group_only() {
        let it = clip("a", "x");
        let pip = Edit::named("pip50").unwrap();
        assert_eq!(Excerpt::plan(&it, pip, 10.0, &[clip("b", "x")], 0), None);
        let excerpt = Excerpt::plan(&it, pip, 10.0, &[clip("b", "x"), clip("c", "y")], 0).unwrap();
        assert_eq!(excerpt.other.unwrap().group, "y");
    }

    #[test]
    fn the_same_seed_gives_the_same_part_and_another_one_another() {
        let (it, cut) = (clip("a", "a"), Edit::named("cut").unwrap());
        let part = |seed| Excerpt::plan(&it, cut, 5.0, &[], seed).unwrap().cut_s;
        assert_eq!(part(1), part(1));
        assert_ne!(part(1), part(2));
    }
}
