//! Decides which packets have to be decoded so that candidates come often enough (pure).
//!
//! A group of pictures (GOP) is a key packet and what follows it up to the next one. While key packets come at least
//! once a gap, only those that are needed are decoded, each on its own; the choice is greedy, the latest that keeps
//! the gap. A group that is longer than the gap is decoded as a whole. To tell the two apart, packets wait until the
//! next key packet or until the group has proved too long, so at most one gap's worth of packets is in memory.

use std::time::Duration;

use super::{GAP_SLACK, clock};

/// A packet and what the planner needs to know of it.
#[derive(Debug)]
pub(super) struct Stamped<P> {
    pub(super) packet: P,
    /// When its picture is shown, in nanoseconds; `None` if the container does not say.
    pub(super) time: Option<i64>,
    /// Its length in bytes.
    pub(super) bytes: usize,
    /// Decoding may start here: the codec's key flag can be trusted and the picture is to be shown.
    pub(super) entry: bool,
}

/// What the driver has to do, in order.
#[derive(Debug)]
pub(super) enum Action<P> {
    /// Take the delayed frames out of the decoder and reset it.
    Drain,
    /// Decode this key packet alone in a decoder that was just reset.
    Isolate(Stamped<P>),
    /// Decoding starts here with a key packet: pictures before this time lack what they refer to.
    StartAt(i64),
    /// Decode in sequence.
    Send(Stamped<P>),
}

/// Splits a stream into groups of pictures and plans their decoding.
#[derive(Debug)]
pub(super) struct Planner<P> {
    /// The longest permitted gap in nanoseconds, with slack; `None` sends every packet on.
    limit: Option<i64>,
    group: Option<Group<P>>,
    /// The decoder holds frames or state of what was sent before.
    live: bool,
    /// When the last packet that was decoded on its own is shown.
    last_isolated: Option<i64>,
    started: bool,
    /// Something was left out.
    skipped: bool,
}

#[derive(Debug)]
struct Group<P> {
    packets: Vec<Stamped<P>>,
    start: i64,
    end: i64,
    bytes: usize,
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

    /// Whether any packet was left undecoded.
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
            self.group = Some(Group {
                start,
                end: start,
                bytes: stamped.bytes,
                packets: vec![stamped],
            });
            return actions;
        }
        let Some(group) = &mut self.group else {
            self.live = true;
            actions.push(Action::Send(stamped));
            return actions;
        };
        group.end = group.end.max(stamped.time.unwrap_or(group.end));
        group.bytes = group.bytes.saturating_add(stamped.bytes);
        group.packets.push(stamped);
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

    /// Decides what becomes of the waiting group, now that the next one starts at `next`.
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

    /// Decodes the waiting group in sequence and everything after it up to the next key packet.
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

/// A gap in nanoseconds with its slack.
pub(super) fn limit(gap: Duration) -> i64 {
    clock::nanos(gap.mul_f64(1.0 + GAP_SLACK))
}

/// A group with more bytes than this is decoded as a whole rather than kept waiting.
const BUFFER_BYTES: usize = 64 << 20;
