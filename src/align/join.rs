//! Joins the alignments of consecutive parts: the search processes a long clip a few minutes at a
//! time.

use super::{Alignment, GAP_MAX, SHIFT_TOLERANCE, TIME_TOLERANCE, ZOOM_TOLERANCE, strongest_first};

/// Joins alignments that continue from one part of a clip into the next; strongest first.
///
/// Alignments within one part stay separate: the aligner split them for a reason.
pub fn join(parts: Vec<Vec<Alignment>>) -> Vec<Alignment> {
    let mut joined: Vec<Alignment> = Vec::new();
    // Indices of the alignments of the previous part.
    let mut open: Vec<usize> = Vec::new();
    for part in parts {
        let mut still_open = Vec::with_capacity(part.len());
        for next in part {
            match open
                .iter()
                .position(|&number| continues(&joined[number], &next))
            {
                Some(place) => {
                    let number = open.swap_remove(place);
                    extend(&mut joined[number], &next);
                    still_open.push(number);
                }
                None => {
                    still_open.push(joined.len());
                    joined.push(next);
                }
            }
        }
        open = still_open;
    }
    joined.sort_by(strongest_first);
    joined
}

/// Whether `next` starts where `earlier` ends, in the clip, in the reference and in geometry.
pub(crate) fn continues(earlier: &Alignment, next: &Alignment) -> bool {
    let pause = next.clip.start.as_secs_f32() - earlier.clip.end.as_secs_f32();
    let (from, to) = if earlier.speed < 0.0 {
        (earlier.reference.start, next.reference.end)
    } else {
        (earlier.reference.end, next.reference.start)
    };
    let jump = to.as_secs_f32() - from.as_secs_f32() - earlier.speed * pause;
    earlier.speed.signum() == next.speed.signum()
        && (earlier.video, earlier.orientation, earlier.superseded)
            == (next.video, next.orientation, next.superseded)
        && pause.abs() <= GAP_MAX
        && jump.abs() <= 2.0 * TIME_TOLERANCE
        && (earlier.geometry.scale / next.geometry.scale).log2().abs() <= ZOOM_TOLERANCE
        && (earlier.geometry.x - next.geometry.x).hypot(earlier.geometry.y - next.geometry.y)
            <= SHIFT_TOLERANCE
}

/// Appends the later part of an alignment; shares and speed are averages weighted by length.
fn extend(earlier: &mut Alignment, next: &Alignment) {
    let (a, b) = (
        earlier.clip.length().as_secs_f32(),
        next.clip.length().as_secs_f32(),
    );
    let mean = |x: f32, y: f32| {
        if a + b > 0.0 {
            (a * x + b * y) / (a + b)
        } else {
            x
        }
    };
    earlier.speed = mean(earlier.speed, next.speed);
    earlier.key_recall = mean(earlier.key_recall, next.key_recall);
    // The stronger part determines the attributes that cannot be averaged.
    if next.evidence.total > earlier.evidence.total {
        earlier.geometry = next.geometry;
        earlier.segmented = next.segmented;
        earlier.support = next.support;
    }
    match (&mut earlier.dense, &next.dense) {
        (Some(dense), Some(next)) => dense.add(next),
        (dense, next) => *dense = dense.or(*next),
    }
    earlier.evidence.total += next.evidence.total;
    earlier.evidence.distinctive += next.evidence.distinctive;
    earlier.consistency.add(&next.consistency);
    earlier.motion.add(&next.motion);
    earlier.hits += next.hits;
    earlier.clip.end = next.clip.end.max(earlier.clip.end);
    earlier.guard.end = next.guard.end.max(earlier.guard.end);
    earlier.reference.start = next.reference.start.min(earlier.reference.start);
    earlier.reference.end = next.reference.end.max(earlier.reference.end);
}
