//! What each alignment is, by its evidence and by the alignments that are stronger (pure).

use std::collections::HashMap;
use std::time::Duration;

use super::Policy;
use super::timeline::ROUNDING;
use crate::align::{Alignment, Span};
use crate::index::VideoRef;

/// What an alignment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Copy,
    SameScene,
    /// Enough evidence, which fits other times of the source as well or better, and nothing in the clip that the source lacks.
    Ambiguous,
    /// The same of a weaker one, of which so much lies where no stronger alignment of its source does; of that it tells only.
    Rest,
    Weak,
    /// A copy that says the same as a stronger one. Symmetric pictures match mirrored and slow ones a little off in time, so that
    /// what it shows beyond is not judged.
    Echo,
    /// Any other that says the same as a stronger one.
    Shadow,
}

impl Class {
    /// Whether it has a say in what weaker alignments of its source are.
    fn has_say(self) -> bool {
        !matches!(self, Class::Weak | Class::Shadow)
    }
}

/// A part of a clip with fewer keys of its moment cannot be told from another take.
const MOMENT_KEYS_MIN: u32 = 8;

/// Bits of the timing that are enough if the evidence is clearly less at other times; if the moment's evidence is much less
/// there; and if all evidence is much less there. Chosen together with the shares and margins, on real footage sampled twice
/// a second: of 272 excerpts that show another moment of an indexed scene one passes, of 2 377 with other content none, and
/// of 2 377 edited copies 2 306 (with all limits below, and 2 272 before motion was compared).
const MOSTLY_TIMED: f32 = 8.0;
const PARTLY_TIMED: f32 = 5.0;
const HARDLY_TIMED: f32 = 2.0;

/// Most agreement of the moment's keys with other times, as a share, for them to prove it.
const MOMENT_ELSEWHERE_MAX: f32 = 0.6;

/// Most agreement of all keys with other times, as a share, that needs hardly any timing.
const CLEARLY_ELSEWHERE_MAX: f32 = 0.7;

/// Share of the pictures that have to fit best at the time where it is not quite proved and other times agree with more than
/// [`PLAINLY_ELSEWHERE_MAX`] of the bits. Chosen on other footage than the limits above, most of it talking heads: of 192 excerpts
/// that show another moment six fewer pass, or of other takes, of which one had 0.6 of its pictures; and of the 2 377 copies seven.
const PICTURES_MIN: f32 = 0.65;

/// Bits of the timing from which it does not matter how few pictures fit best; other moments of talking heads reached 9.7.
const PLAINLY_TIMED: f32 = 10.0;

/// Evidence of the moment, and of what is left of it without its best second, in bits, from which it does not matter either: those
/// other moments had up to 127 and 16, or 77 and 27.
const PLAIN_MOMENT: f32 = 90.0;
const PLAIN_SUSTAINED: f32 = 40.0;

/// Evidence of the moment, in bits, that is as plain although one second has nearly all of it.
const PLAIN_INSTANT: f32 = 180.0;

/// Most agreement of all keys with other times, as a share, at which it does not matter how few pictures fit best.
const PLAINLY_ELSEWHERE_MAX: f32 = 0.64;

/// Where other times agree with more than [`ALONE_ELSEWHERE_MAX`] of the bits, and there is hardly any evidence of the moment, the
/// timing alone proves it from so many bits on, or if so large a share of the pictures fit best. A head that sways comes back to
/// each pose, and another take can be laid over it so that both sway together: of 24 other takes of made heads that sway in sines 10 passed for copies without these limits,
/// with up to 26 bits and 0.79 of the pictures, and none does with them.
const ALONE_BITS: f32 = 30.0;
const ALONE_PICTURES: f32 = 0.85;
const ALONE_ELSEWHERE_MAX: f32 = 0.85;

/// What moves proves a moment from so many bits on, if so large a share of the moving pictures fit best at its time, they
/// correlate so well there, and no other time of the source comes near that, as it does where people walk the same path again.
/// Of 126 alignments with other moments and with other content three had bits, share and likeness enough, all of one who walks
/// the same way again, and as much at other times; of 120 with other takes of made heads and walkers one had, likewise.
const MOVED_BITS: f32 = 18.0;
const MOVED_SHARE: f32 = 0.75;
const MOVED_LIKENESS: f32 = 0.4;
const MOVED_ELSEWHERE_MAX: f32 = 0.8;

/// Share of the source's regions that has to be shown where what moves proves the moment alone, though keys and pictures fit no
/// better at its time, or where hardly any picture was asked. Of three who walk another's path, and a bottle that slides another's
/// way, 0.13 to 0.36 were shown, and those passed for copies; of 2 377 copies two are lost by it.
const SHOWN_MIN: f32 = 0.4;

/// Moving pictures from which it matters that they correlate less than this, or as well at other times: three of those 120
/// passed for copies by the times of their keys, and of 136 other moments of real scenes one, with 89 bits of the moment and 27
/// without its best second. Two of 2 377 copies are lost by it.
const MOVED_PICTURES: f32 = 20.0;
const UNMOVED_LIKENESS: f32 = 0.2;

/// Most that what moves may correlate at other times, as a share of how it does at its own, if keys of all kinds agree there with
/// more than [`Policy::elsewhere_max`] of the bits; and if with more than [`CLEARLY_ELSEWHERE_MAX`], as much as there. So it is where less than
/// [`WELL_SHOWN`] of the source's regions is shown, or neither keys nor times prove the moment by themselves: one who looks twice into a
/// camera that is drawn back from him passed for a copy of himself in five edits, with up to 177 bits of the moment; and of things that pass
/// through one picture at one pace, and hide the same of it, and of heads that sway, four did. Of the 2 377 copies none is lost by it,
/// and parts of three; nor of 36 with a moving overlay.
const AGAIN_MAX: f32 = 0.6;
const WELL_SHOWN: f32 = 0.5;

/// Moving pictures from which that speaks against what times have proved; that one who is filmed twice had 12 to 26.
const AGAIN_PICTURES: f32 = 12.0;

/// Pictures of both sides that have to be asked for hardly any timing to do, unless [`SHOWN_MIN`] of the source is shown: a cat that
/// walks into a scene passed for a copy of what it had walked into before, with one picture and with three. None of the 2 377 copies is
/// lost by it.
const ASKED_MIN: f32 = 6.0;

/// Most agreement of all keys with other times, as a share, of a piece of a clip that jumps between times of a source, and moving
/// pictures from which it has to correlate. The pieces were chosen for how well they fit: without this, and as much evidence of the
/// moment as counts, three of 48 other takes of made heads and walkers passed for copies. From as much that is seen once as is plain
/// elsewhere, other times do not matter: of pieces of two seconds six more are copies, and none of the 48.
const JUMP_ELSEWHERE_MAX: f32 = 0.9;
const JUMP_PICTURES: f32 = 6.0;

/// Bits of the timing that prove a clip to play backwards: what goes to and fro does so too.
const BACKWARDS_BITS: f32 = 20.0;

/// Shorter than this an alignment, which is told with half a source's interval on either side, is one instant, and all pictures
/// that it is compared with lie outside it: that they fit less well says that the camera moved, and not when.
const PASSAGE_MIN: Duration = Duration::from_millis(1500);

/// Bits of the timing from which it is not said to be another moment, but to be ambiguous.
pub(super) const UNTIMED_BITS: f32 = 4.0;

/// The clip shows something else than the source when its keys of the moment are found this much more rarely than
/// its keys of the scene.
const EXPLAINED_MIN: f32 = 0.3;

/// An alignment that overlaps a stronger one of the same source by this share and has less than this share of its
/// evidence is its shadow: symmetric pictures match mirrored, slow ones a little off in time.
const SHADOW: f32 = 0.5;

/// The alignments' classes; they come strongest first. Of what is ambiguous, a rest of less than a `sliver` is left out.
pub(super) fn classify(alignments: &[Alignment], sliver: Duration, policy: &Policy) -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::with_capacity(alignments.len());
    // Those of each source that have a say themselves.
    let mut telling: HashMap<VideoRef, Vec<(&Alignment, Class)>> = HashMap::new();
    for alignment in alignments {
        let own = class_of(alignment, policy);
        let stronger = telling.entry(alignment.video).or_default();
        let shadowed = stronger.iter().any(|&(stronger, class)| {
            let overlap = alignment.clip.overlap(stronger.clip).as_secs_f32();
            let weaker = alignment.evidence.total < SHADOW * stronger.evidence.total;
            // A copy can be the shadow of a copy only.
            overlap >= SHADOW * alignment.clip.length().as_secs_f32()
                && match (class, own) {
                    // Turned by six degrees or a little stretched, it is found both upright and warped.
                    (Class::Copy, Class::Copy) => weaker || alignment.orientation.warp != stronger.orientation.warp,
                    (Class::Copy, _) => true,
                    (
                        Class::SameScene | Class::Ambiguous | Class::Rest,
                        Class::SameScene | Class::Ambiguous | Class::Weak,
                    ) => weaker,
                    _ => false,
                }
        });
        let alone = || rests(alignment, stronger.iter().map(|(stronger, _)| stronger.clip));
        let class = match own {
            own if !shadowed => own,
            Class::Copy => Class::Echo,
            Class::Ambiguous if alone().iter().map(|rest| rest.length()).sum::<Duration>() >= sliver => Class::Rest,
            _ => Class::Shadow,
        };
        if class.has_say() {
            stronger.push((alignment, class));
        }
        classes.push(class);
    }
    classes
}

/// The parts of an alignment that no stronger one of its source shows.
pub(super) fn alone(i: usize, alignments: &[Alignment], classes: &[Class]) -> Vec<Span> {
    let before = alignments[..i].iter().zip(classes);
    let stronger = before.filter(|(other, class)| other.video == alignments[i].video && class.has_say());
    rests(&alignments[i], stronger.map(|(other, _)| other.clip))
}

/// The parts of an alignment that lie in none of the spans.
fn rests(alignment: &Alignment, spans: impl Iterator<Item = Span>) -> Vec<Span> {
    alignment.clip.without(spans).into_iter().filter(|rest| rest.length() >= ROUNDING).collect()
}

fn class_of(alignment: &Alignment, policy: &Policy) -> Class {
    let Alignment { evidence, contrast, found, timing, moved, .. } = alignment;
    if alignment.identical {
        return Class::Copy;
    }
    if evidence.total < policy.published_bits {
        return Class::Weak;
    }
    if alignment.outdone {
        return Class::Ambiguous;
    }
    let timed = timing.bits();
    let margin = contrast.here - contrast.elsewhere;
    let apart = |share: f32| contrast.elsewhere <= share * contrast.here;
    let pictures = timing.pictures().share();
    let unique = evidence.moment >= policy.published_bits && evidence.sustained >= policy.sustained_bits;
    let plain_moment = evidence.moment >= PLAIN_MOMENT && evidence.sustained >= PLAIN_SUSTAINED;
    let plain_instant = evidence.moment >= PLAIN_INSTANT;
    let passage = alignment.clip.length() >= PASSAGE_MIN;
    let proven = timed >= policy.timed_bits
        && evidence.total >= 2.0 * policy.published_bits
        && (passage || apart(policy.elsewhere_max))
        && (unique || plain_instant || apart(ALONE_ELSEWHERE_MAX) || timed >= ALONE_BITS || pictures >= ALONE_PICTURES);
    let mostly = timed >= MOSTLY_TIMED && margin >= 2.0 * policy.published_bits && apart(policy.elsewhere_max);
    let of_moment =
        timed >= PARTLY_TIMED && unique && contrast.moment_elsewhere <= MOMENT_ELSEWHERE_MAX * contrast.moment_here;
    let hardly_elsewhere =
        timed >= HARDLY_TIMED && margin >= 2.5 * policy.published_bits && apart(CLEARLY_ELSEWHERE_MAX);
    let of_all = hardly_elsewhere && (timing.pictures().asked >= ASKED_MIN || found.reference >= SHOWN_MIN);
    // Heads that talk come back to much the same pose: few of their pictures fit best at the time, and none by far.
    let plain = timed >= PLAINLY_TIMED
        || pictures >= PICTURES_MIN
        || apart(PLAINLY_ELSEWHERE_MAX)
        || plain_moment
        || plain_instant;
    let moving = moved.bits() - timing.paid;
    let once = moved.on_line > 0.0 && moved.elsewhere <= MOVED_ELSEWHERE_MAX * moved.on_line;
    // Something else may go the same way.
    let unproved = found.reference < WELL_SHOWN || evidence.moment < policy.published_bits && timed < ALONE_BITS;
    // Where nothing moves on the line nothing can be said of it.
    let compared = moved.on_line != 0.0;
    let nearly = moved.elsewhere > AGAIN_MAX * moved.on_line && !apart(policy.elsewhere_max);
    let better = moved.elsewhere > moved.on_line && !apart(CLEARLY_ELSEWHERE_MAX);
    let again = compared && unproved && (nearly || better);
    let moves_so = moving >= MOVED_BITS
        && moved.pictures.share() >= MOVED_SHARE
        && moved.likeness() >= MOVED_LIKENESS
        && once
        && !again
        && passage
        && (found.reference >= SHOWN_MIN || timed >= UNTIMED_BITS);
    let unlike = moved.likeness() < UNMOVED_LIKENESS && !plain_moment;
    // Much moves, and either not so or so at other times too; with what is seen once, an overlay may be what moves.
    let moves_otherwise = moved.pictures.asked >= MOVED_PICTURES && (unlike || !unique && !once)
        || moved.pictures.asked >= AGAIN_PICTURES && again;
    // Of the moments of another take one always fits best.
    let moves_unlike = moved.pictures.asked >= JUMP_PICTURES && unlike;
    let seen_here = apart(JUMP_ELSEWHERE_MAX) || plain_moment || plain_instant;
    let held = !alignment.jumps || evidence.moment >= policy.published_bits && seen_here && !moves_unlike;
    let forwards = alignment.speed > 0.0 || timed >= BACKWARDS_BITS;
    if ((proven || mostly || of_moment || of_all) && plain && !moves_otherwise || moves_so) && forwards && held {
        Class::Copy
    } else if timed + timing.paid < UNTIMED_BITS
        && moved.bits() < UNTIMED_BITS
        && !hardly_elsewhere
        && found.clip_moments >= MOMENT_KEYS_MIN
        && found.clip_moment < EXPLAINED_MIN * found.clip_scene
    {
        Class::SameScene
    } else {
        Class::Ambiguous
    }
}
