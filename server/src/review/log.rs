//! Evaluates a log of decisions (pure).
//!
//! A row of the log takes effect at once, or waits for a second person. Rows about another row
//! confirm, refuse or undo it. No row is ever changed.

use crate::config::Second;
use crate::store::reviews::Review;

/// Kinds of decisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// A match is the same recording.
    Copy,
    /// A match is another take of the scene.
    SameScene,
    /// A match is the creator's own publication, or licensed.
    Allowed,
    /// Two submissions are the same recording.
    Same,
    /// Two submissions are different recordings.
    Distinct,
    /// The submission is kept out of sale.
    Dispute,
    /// A person has looked and agrees.
    Accept,
    /// The submission is withdrawn.
    Withdraw,
    /// Its offered seconds were bought.
    Sold,
    /// Another decision is undone.
    Undo,
    /// A waiting decision of another person is confirmed.
    Confirm,
    /// A waiting decision is refused.
    Refuse,
}

impl Verb {
    /// All kinds.
    pub const ALL: [Verb; 12] = [
        Verb::Copy,
        Verb::SameScene,
        Verb::Allowed,
        Verb::Same,
        Verb::Distinct,
        Verb::Dispute,
        Verb::Accept,
        Verb::Withdraw,
        Verb::Sold,
        Verb::Undo,
        Verb::Confirm,
        Verb::Refuse,
    ];

    /// Its name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Copy => "copy",
            Verb::SameScene => "same_scene",
            Verb::Allowed => "allowed",
            Verb::Same => "same",
            Verb::Distinct => "distinct",
            Verb::Dispute => "dispute",
            Verb::Accept => "accept",
            Verb::Withdraw => "withdraw",
            Verb::Sold => "sold",
            Verb::Undo => "undo",
            Verb::Confirm => "confirm",
            Verb::Refuse => "refuse",
        }
    }

    /// The kind with this name.
    pub fn of(name: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Whether it is about a match.
    pub fn is_of_match(self) -> bool {
        matches!(self, Verb::Copy | Verb::SameScene | Verb::Allowed)
    }

    /// Whether it is about a pair of submissions.
    pub fn is_of_pair(self) -> bool {
        matches!(self, Verb::Same | Verb::Distinct)
    }

    /// Whether it is about another row.
    pub fn is_of_row(self) -> bool {
        matches!(self, Verb::Undo | Verb::Confirm | Verb::Refuse)
    }
}

/// State of a submission by its log.
#[derive(Clone, Debug, Default)]
pub struct Stand<'a> {
    /// Decisions in effect, in order.
    pub holding: Vec<&'a Review>,
    /// Decisions that wait for a second person, in order.
    pub waiting: Vec<&'a Review>,
}

impl<'a> Stand<'a> {
    /// Evaluates a log.
    pub fn of(log: &'a [Review]) -> Stand<'a> {
        let mut stand = Stand::default();
        for row in log {
            if row.waits {
                stand.waiting.push(row);
            } else {
                stand.apply(row);
            }
        }
        stand
    }

    fn apply(&mut self, row: &'a Review) {
        let about = row.about.as_deref().unwrap_or_default();
        match Verb::of(&row.verb) {
            Some(Verb::Confirm) => {
                if let Some(at) = self.waiting.iter().position(|of| of.id == about) {
                    let confirmed = self.waiting.remove(at);
                    self.apply(confirmed);
                }
            }
            Some(Verb::Refuse) => self.waiting.retain(|of| of.id != about),
            Some(Verb::Undo) => {
                let Some(of) = self.holding.iter().copied().find(|of| of.id == about) else {
                    return;
                };
                // For a match, undoing drops all earlier decisions too. For a pair or the whole,
                // the earlier decision takes effect again.
                let is_of_match = of.source.is_some();
                self.holding.retain(|other| {
                    other.id != of.id && !(is_of_match && is_same_thing(other, of))
                });
            }
            Some(_) => self.holding.push(row),
            None => {}
        }
    }

    /// The last decision in effect about the submission as a whole: to accept or to dispute it.
    pub fn on_the_whole(&self) -> Option<(Verb, &'a Review)> {
        let verbs = self
            .holding
            .iter()
            .rev()
            .map(|of| (Verb::of(&of.verb), *of));
        verbs
            .filter_map(|(verb, of)| Some((verb?, of)))
            .find(|(verb, _)| matches!(verb, Verb::Accept | Verb::Dispute))
    }

    /// Whether it is kept out of sale.
    pub fn is_disputed(&self) -> bool {
        self.on_the_whole()
            .is_some_and(|(verb, _)| verb == Verb::Dispute)
    }

    /// Whether a person has looked and agrees.
    pub fn is_accepted(&self) -> bool {
        self.on_the_whole()
            .is_some_and(|(verb, _)| verb == Verb::Accept)
    }

    /// The last decision in effect about a match.
    pub fn on_match(&self, source: &str, here: (u64, u64)) -> Option<&'a Review> {
        self.holding
            .iter()
            .rev()
            .copied()
            .find(|of| of.source.as_deref() == Some(source) && of.here == Some(here))
    }

    /// The last decision in effect about a pair.
    pub fn on_pair(&self, other: u64) -> Option<&'a Review> {
        self.holding
            .iter()
            .rev()
            .copied()
            .find(|of| of.other == Some(other))
    }

    /// The earlier decision about the same pair, which takes effect if this one is undone.
    pub fn before(&self, of: &Review) -> Option<&'a Review> {
        self.holding
            .iter()
            .rev()
            .copied()
            .find(|other| other.item < of.item && is_same_thing(other, of))
    }

    /// The decision with this id, if it can be undone.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub fn may_undo(&self, id: &str) -> Result<&'a Review, &'static str> {
        let Some(of) = self.holding.iter().copied().find(|of| of.id == id) else {
            return Err("no valid decision has this id; see the log");
        };
        let is_last = !self
            .holding
            .iter()
            .any(|other| other.item > of.item && is_same_thing(other, of));
        match Verb::of(&of.verb) {
            Some(Verb::Withdraw) => {
                Err("a withdrawal cannot be undone; the creator can submit the clip again")
            }
            Some(Verb::Sold) => Err("a sale cannot be undone"),
            _ if !is_last => Err("a later decision depends on it; undo that one first"),
            Some(Verb::Same | Verb::Distinct) if self.before(of).is_none() => {
                Err("a decision about a pair cannot be undone; decide the opposite")
            }
            _ => Ok(of),
        }
    }

    /// Whether seconds may become payable by a decision.
    pub fn releases(&self, verb: Verb, about: Option<&Review>) -> bool {
        match verb {
            Verb::SameScene | Verb::Allowed | Verb::Distinct => true,
            Verb::Accept => self.is_disputed(),
            Verb::Undo => about.is_some_and(|of| match Verb::of(&of.verb) {
                Some(Verb::Copy | Verb::Same | Verb::Dispute) => true,
                Some(Verb::Accept) => false,
                // The earlier decision may take effect again.
                _ => self.before(of).is_some(),
            }),
            _ => false,
        }
    }

    /// Whether a decision must wait for a second person.
    pub fn has_to_wait(&self, second: Second, verb: Verb, about: Option<&Review>) -> bool {
        match second {
            Second::Never => false,
            _ if matches!(verb, Verb::Confirm | Verb::Refuse | Verb::Dispute) => false,
            Second::Payable => self.releases(verb, about),
            Second::Always => true,
        }
    }
}

/// Whether two decisions are about the same match, the same pair, or the submission as a whole.
fn is_same_thing(a: &Review, b: &Review) -> bool {
    let on_the_whole =
        |of: &Review| matches!(Verb::of(&of.verb), Some(Verb::Accept | Verb::Dispute));
    match (&a.source, a.other) {
        (Some(_), _) => a.source == b.source && a.here == b.here,
        (None, Some(_)) => a.other == b.other,
        (None, None) => on_the_whole(a) && on_the_whole(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(item: u64, verb: Verb, about: Option<u64>, waits: bool) -> Review {
        Review {
            id: item.to_string(),
            submission: "s".to_owned(),
            item,
            tenant: "t".to_owned(),
            actor: "key:1".to_owned(),
            name: "ada".to_owned(),
            at_ms: item,
            verb: verb.name().to_owned(),
            source: verb.is_of_match().then(|| "00".to_owned()),
            here: verb.is_of_match().then_some((0, 9)),
            other: verb.is_of_pair().then_some(7),
            about: about.map(|of| of.to_string()),
            why: "w".to_owned(),
            waits,
        }
    }

    #[test]
    fn a_decision_that_waits_holds_only_once_it_is_confirmed() {
        let mut log = vec![row(0, Verb::Allowed, None, true)];
        assert!(Stand::of(&log).holding.is_empty());
        log.push(row(1, Verb::Refuse, Some(0), false));
        log.push(row(2, Verb::Confirm, Some(0), false));
        assert!(
            Stand::of(&log).holding.is_empty(),
            "what was refused cannot be confirmed"
        );
        log.remove(1);
        assert_eq!(
            Stand::of(&log).on_match("00", (0, 9)).map(|of| of.item),
            Some(0)
        );
        assert!(Stand::of(&log).waiting.is_empty());
    }

    #[test]
    fn an_undone_dispute_lets_what_was_before_hold_again() {
        let mut log = vec![
            row(0, Verb::Accept, None, false),
            row(1, Verb::Dispute, None, false),
        ];
        assert!(Stand::of(&log).is_disputed());
        assert!(
            Stand::of(&log).may_undo("0").is_err(),
            "only the last one can be undone"
        );
        log.push(row(2, Verb::Undo, Some(1), false));
        assert!(Stand::of(&log).is_accepted());
        log.push(row(3, Verb::Undo, Some(1), false));
        assert!(Stand::of(&log).is_accepted(), "nothing is undone twice");
    }

    #[test]
    fn what_makes_seconds_payable_waits_whatever_it_is_called() {
        let log = [
            row(0, Verb::Copy, None, false),
            row(1, Verb::Dispute, None, false),
        ];
        let stand = Stand::of(&log);
        let waits = |verb, about: Option<&Review>| stand.has_to_wait(Second::Payable, verb, about);
        for verb in [Verb::SameScene, Verb::Allowed, Verb::Distinct, Verb::Accept] {
            assert!(waits(verb, None), "{verb:?}");
        }
        assert!(waits(Verb::Undo, Some(&log[0])) && waits(Verb::Undo, Some(&log[1])));
        for verb in [Verb::Copy, Verb::Same, Verb::Dispute, Verb::Withdraw] {
            assert!(!waits(verb, None), "{verb:?}");
        }
        assert!(stand.has_to_wait(Second::Always, Verb::Copy, None));
        assert!(
            !stand.has_to_wait(Second::Always, Verb::Dispute, None),
            "what keeps out of sale holds at once"
        );
    }
}
