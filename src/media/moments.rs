//! Decides which groups of pictures to decode for the frames shown at given moments (pure).
//!
//! A group is decoded if a moment lies in it or near it, because the last pictures of one group may
//! be stored in the next. The end of a group is known only when the next group begins, so one
//! group's packets wait in memory.

use std::time::Duration;

use super::clock;
use super::gops::{Action, BUFFER_BYTES, Group, Stamped};

/// Plans decoding around given moments.
#[derive(Debug)]
pub(super) struct Around<P> {
    /// In nanoseconds from the first frame.
    moments: Vec<i64>,
    group: Option<Group<P>>,
    /// The decoder holds frames or state of earlier packets.
    live: bool,
    /// Something was left out.
    skipped: bool,
}

impl<P> Around<P> {
    pub(super) fn new(moments: &[Duration]) -> Around<P> {
        let moments = moments.iter().copied().map(clock::nanos).collect();
        Around {
            moments,
            group: None,
            live: false,
            skipped: false,
        }
    }

    /// Returns whether any packet was left undecoded.
    pub(super) fn has_skipped(&self) -> bool {
        self.skipped
    }

    /// Takes the next packet; `origin` is the time stamp of the first frame, once known.
    pub(super) fn push(&mut self, stamped: Stamped<P>, origin: Option<i64>) -> Vec<Action<P>> {
        let mut actions = Vec::new();
        if let Some(start) = stamped.time.filter(|_| stamped.entry) {
            self.close(Some(start), origin, &mut actions);
            self.group = Some(Group::begin(start, stamped));
            return actions;
        }
        let Some(group) = &mut self.group else {
            self.live = true;
            actions.push(Action::Send(stamped));
            return actions;
        };
        group.push(stamped);
        if group.bytes > BUFFER_BYTES {
            self.send_group(&mut actions);
        }
        actions
    }

    /// Ends the stream; the driver drains the decoder afterwards.
    pub(super) fn finish(&mut self, origin: Option<i64>) -> Vec<Action<P>> {
        let mut actions = Vec::new();
        self.close(None, origin, &mut actions);
        actions
    }

    /// Decides whether to decode the waiting group, now that the next one starts at `next`.
    fn close(&mut self, next: Option<i64>, origin: Option<i64>, actions: &mut Vec<Action<P>>) {
        let Some(group) = &self.group else { return };
        let reach = next.unwrap_or(group.end).max(group.end);
        let near = group.start.saturating_sub(MARGIN)..=reach.saturating_add(MARGIN);
        // The first group is always needed: all times count from its first frame.
        let needed = origin.is_none_or(|origin| {
            self.moments
                .iter()
                .any(|moment| near.contains(&origin.saturating_add(*moment)))
        });
        if needed {
            self.send_group(actions);
            return;
        }
        self.group = None;
        self.skipped = true;
        if std::mem::take(&mut self.live) {
            actions.push(Action::Drain);
        }
    }

    fn send_group(&mut self, actions: &mut Vec<Action<P>>) {
        let Some(group) = self.group.take() else {
            return;
        };
        if !std::mem::replace(&mut self.live, true) {
            actions.push(Action::StartAt(group.start));
        }
        actions.extend(group.packets.into_iter().map(Action::Send));
    }
}

/// A moment within this distance of a group, in nanoseconds, may need its pictures. Decoders
/// reorder by far less.
const MARGIN: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes one picture each second with a key picture each ten; returns the seconds of the
    /// decoded pictures, and how often decoding starts anew.
    fn decoded(moments: &[u64]) -> (Vec<i64>, usize) {
        let moments: Vec<Duration> = moments.iter().copied().map(Duration::from_secs).collect();
        let mut planner = Around::new(&moments);
        let (mut origin, mut found, mut starts) = (None, Vec::new(), 0);
        for second in 0..100 {
            let time = Some(1_000_000_000 * (5 + second));
            let stamped = Stamped {
                packet: second,
                time,
                bytes: 1,
                shown: true,
                hidden: false,
                entry: second % 10 == 0,
            };
            let mut actions = planner.push(stamped, origin);
            if second == 99 {
                actions.extend(planner.finish(origin));
            }
            for action in actions {
                match action {
                    Action::Send(stamped) => {
                        origin.get_or_insert(stamped.time.unwrap());
                        found.push(stamped.packet);
                    }
                    Action::StartAt(_) => starts += 1,
                    Action::Drain | Action::Isolate(_) => {}
                }
            }
        }
        (found, starts)
    }

    #[test]
    fn only_the_groups_around_moments_are_decoded_and_the_first() {
        assert_eq!(decoded(&[45]), ((0..10).chain(40..50).collect(), 2));
        assert_eq!(
            decoded(&[45, 99]).0,
            (0..10).chain(40..50).chain(90..100).collect::<Vec<_>>()
        );
        assert_eq!(
            decoded(&[50]),
            ((0..10).chain(40..60).collect(), 2),
            "near the border of two groups"
        );
        assert_eq!(decoded(&[]), ((0..10).collect(), 1));
    }
}
