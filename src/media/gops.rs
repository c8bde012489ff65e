//! Decides which packets to decode so that candidates come often enough (pure).
//!
//! A group of pictures (GOP) is a key packet and the packets up to the next one. If key packets
//! come at least once per gap, only the needed ones are decoded, each on its own. The choice is
//! greedy: the latest that keeps the gap. A group longer than the gap is decoded as a whole. To
//! tell the two cases apart, packets wait until the next key packet arrives or the group is too
//! long, so at most one gap's worth of packets is in memory.

use std::time::Duration;

use super::{GAP_SLACK, clock};

/// A packet and what the planner needs to know about it.
#[derive(Debug)]
pub(super) struct Stamped<P> {
    pub(super) packet: P,
    /// When its picture is shown, in nanoseconds; `None` if the container does not say.
    pub(super) time: Option<i64>,
    /// Its length in bytes.
    pub(super) bytes: usize,
    /// The container wants this picture to be shown.
    pub(super) shown: bool,
    /// The packet's own header says that the picture is not shown, only referred to.
    pub(super) hidden: bool,
    /// Decoding may start here: the codec's key flag can be trusted, and the picture is shown.
    pub(super) entry: bool,
}

/// What the driver must do, in order.
#[derive(Debug)]
pub(super) enum Action<P> {
    /// Take the delayed frames out of the decoder and reset it.
    Drain,
    /// Decode this key packet alone in a decoder that was just reset.
    Isolate(Stamped<P>),
    /// Decoding starts here with a key packet. Pictures before this time lack their references.
    StartAt(i64),
    /// Decode in sequence.
    Send(Stamped<P>),
}

/// Splits a stream into groups of pictures and plans their decoding.
#[derive(Debug)]
pub(super) struct Planner<P> {
    /// The longest permitted gap in nanoseconds, with slack; `None` decodes every packet.
    limit: Option<i64>,
    group: Option<Group<P>>,
    /// The decoder holds frames or state of earlier packets.
    live: bool,
    /// When the last packet that was decoded on its own is shown.
    last_isolated: Option<i64>,
    started: bool,
    /// Something was left out.
    skipped: bool,
}

/// A key packet and the packets up to the next one.
#[derive(Debug)]
pub(super) struct Group<P> {
    pub(super) packets: Vec<Stamped<P>>,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) bytes: usize,
}

impl<P> Group<P> {
    /// Starts a group with a key packet at `start`.
    pub(super) fn begin(start: i64, key: Stamped<P>) -> Group<P> {
        Group {
            start,
            end: start,
            bytes: key.bytes,
            packets: vec![key],
        }
    }

    pub(super) fn push(&mut self, stamped: Stamped<P>) {
        if let Some(time) = stamped.time.filter(|_| stamped.shown) {
            self.end = self.end.max(time);
        }
        self.bytes = self.bytes.saturating_add(stamped.bytes);
        self.packets.push(stamped);
    }
}

impl<P> Planner<P> {
    /// Plans for candidates at most `max_gap` apart; `None` decodes everything.
    pub(super) fn new(max_gap: Option<Duration>) -> Planner<P> {
        Planner {
            limit: max_gap.map(limit),
            group: None,
            live: false,
            last_isolated: None,
            started: false,
            skipped: false,
        }
    }

    /// Returns whether any packet was left undecoded.
    pub(super) fn has_skipped(&self) -> bool {
        self.skipped
    }

    /// Takes the next packet; `wanted` is the time of the last candidate that the selector took.
    pub(super) fn push(&mut self, stamped: Stamped<P>, wanted: Option<i64>) -> Vec<Action<P>> {
        let mut actions = Vec::new();
        let first = !std::mem::replace(&mut self.started, true);
        let Some(limit) = self.limit else {
            if let Some(time) = stamped.time.filter(|_| first && stamped.entry) {
                actions.push(Action::StartAt(time));
            }
            actions.push(Action::Send(stamped));
            return actions;
        };
        if let Some(start) = stamped.time.filter(|_| stamped.entry) {
            self.close(Some(start), wanted, &mut actions);
            self.group = Some(Group::begin(start, stamped));
            return actions;
        }
        let Some(group) = &mut self.group else {
            self.live = true;
            actions.push(Action::Send(stamped));
            return actions;
        };
        group.push(stamped);
        if group.end - group.start > limit || group.bytes > BUFFER_BYTES {
            self.send_group(&mut actions);
        }
        actions
    }

    /// Ends the stream; the driver drains the decoder afterwards.
    pub(super) fn finish(&mut self, wanted: Option<i64>) -> Vec<Action<P>> {
        let mut actions = Vec::new();
        self.close(None, wanted, &mut actions);
        actions
    }

    /// Decides whether to decode the waiting group, now that the next one starts at `next`.
    fn close(&mut self, next: Option<i64>, wanted: Option<i64>, actions: &mut Vec<Action<P>>) {
        let (Some(group), Some(limit)) = (self.group.as_ref(), self.limit) else {
            return;
        };
        let reach = next.unwrap_or(group.end);
        if group.packets.len() > 1 && reach - group.start > limit {
            self.send_group(actions);
            return;
        }
        let Some(group) = self.group.take() else {
            return;
        };
        if self.live {
            actions.push(Action::Drain);
            self.live = false;
        }
        let needed = self
            .last_isolated
            .max(wanted)
            .is_none_or(|last| reach.saturating_sub(last) > limit);
        self.skipped |= !needed || group.packets.len() > 1;
        if let Some(key) = group.packets.into_iter().next().filter(|_| needed) {
            self.last_isolated = Some(group.start);
            actions.push(Action::Isolate(key));
        }
    }

    /// Decodes the waiting group and everything after it up to the next key packet in sequence.
    fn send_group(&mut self, actions: &mut Vec<Action<P>>) {
        let Some(group) = self.group.take() else {
            return;
        };
        if !self.live {
            actions.push(Action::StartAt(group.start));
        }
        self.live = true;
        actions.extend(group.packets.into_iter().map(Action::Send));
    }
}

/// Converts a gap to nanoseconds and adds its slack.
pub(super) fn limit(gap: Duration) -> i64 {
    clock::nanos(gap.mul_f64(1.0 + GAP_SLACK))
}

/// Maximum bytes of a waiting group; a larger one is decoded as a whole.
pub(super) const BUFFER_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    /// Follows the plan for pictures at the given milliseconds. Returns the decoded ones, with
    /// isolated ones marked.
    fn decoded(pictures: &[(i64, bool)], gap: Option<u64>) -> Vec<(i64, bool)> {
        let mut planner = Planner::new(gap.map(Duration::from_millis));
        let mut actions = Vec::new();
        for &(time, key) in pictures {
            let stamped = Stamped {
                packet: (),
                time: Some(time * MS),
                bytes: 1000,
                shown: true,
                hidden: false,
                entry: key,
            };
            actions.extend(planner.push(stamped, None));
        }
        actions.extend(planner.finish(None));
        let picture = |action| match action {
            Action::Send(stamped) => Some((stamped.time? / MS, false)),
            Action::Isolate(stamped) => Some((stamped.time? / MS, true)),
            Action::Drain | Action::StartAt(_) => None,
        };
        actions.into_iter().filter_map(picture).collect()
    }

    #[test]
    fn everything_is_decoded_without_a_gap() {
        let pictures = [(0, true), (40, false), (80, true)];
        let expected = [(0, false), (40, false), (80, false)];
        assert_eq!(decoded(&pictures, None), expected);
    }

    #[test]
    fn of_close_key_packets_the_latest_that_keep_the_gap_are_decoded() {
        let pictures: Vec<_> = (0..50).map(|i| (i * 100, i % 4 == 0)).collect();
        // Keys every 400 ms up to 4800, the last picture at 4900.
        let expected = [0, 800, 1600, 2400, 3200, 4000].map(|time| (time, true));
        assert_eq!(decoded(&pictures, Some(1000)), expected);
    }

    #[test]
    fn groups_of_1_001_seconds_pass_for_a_second() {
        let pictures: Vec<_> = (0..90).map(|i| (i * 1001 / 30, i % 30 == 0)).collect();
        let expected = [(0, true), (1001, true), (2002, true)];
        assert_eq!(decoded(&pictures, Some(1000))[..2], expected[..2]);
    }

    #[test]
    fn a_long_group_is_decoded_as_a_whole() {
        let pictures: Vec<_> = (0..60)
            .map(|i| (i * 100, i == 0 || i == 30 || i == 35))
            .collect();
        let found = decoded(&pictures, Some(1000));
        // 0 to 2900 in sequence. The group 3000 to 3400 is short and its key is not needed yet. The
        // rest is long again.
        assert!((0..30).all(|i| found.contains(&(i * 100, false))));
        assert!(!found.contains(&(3100, false)));
        assert!((35..60).all(|i| found.contains(&(i * 100, false))));
    }

    #[test]
    fn packets_before_the_first_key_are_decoded() {
        let pictures = [(0, false), (40, false), (80, true), (120, true)];
        let found = decoded(&pictures, Some(1000));
        assert_eq!(found[..3], [(0, false), (40, false), (80, true)]);
    }

    proptest! {
        #[test]
        fn decoded_pictures_leave_no_gap(
            steps in proptest::collection::vec((1_i64..400, proptest::bool::weighted(0.3)), 1..150),
            gap in 100_u64..2000,
        ) {
            let mut now = 0;
            let mut pictures = vec![(0, true)];
            for (step, key) in steps {
                now += step;
                pictures.push((now, key));
            }
            let found = decoded(&pictures, Some(gap));
            let limit = gap as f64 * (1.0 + GAP_SLACK);
            let mut times: Vec<i64> = found.iter().map(|&(time, _)| time).collect();
            prop_assert_eq!(times[0], 0);
            times.push(now);
            for pair in times.windows(2) {
                let adjacent = !pictures.iter().any(|p| p.0 > pair[0] && p.0 < pair[1]);
                prop_assert!((pair[1] - pair[0]) as f64 <= limit || adjacent, "{:?}", pair);
            }
            // A picture decoded in sequence has all its predecessors up to a key picture.
            for &(time, isolated) in &found {
                let at = pictures.iter().position(|p| p.0 == time).unwrap_or_default();
                let entry = pictures[at].1;
                let before = at.checked_sub(1).map(|i| (pictures[i].0, false));
                prop_assert!(entry || (!isolated && before.is_some_and(|b| found.contains(&b))));
            }
        }
    }
}
