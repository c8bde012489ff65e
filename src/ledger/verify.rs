//! Walks the chain from its first row, and compares the tables with it.
//!
//! Rows that were changed, removed, inserted or moved do not fit, and neither does a table that
//! contradicts the chain. If the last rows were cut off, only somebody who kept a later [`Head`]
//! elsewhere can notice.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::book::{Event, Ledger, Reading, Submission, name_of};
use super::chain::{GENESIS, Link};
use super::claims::{Decision, Standing};
use super::record::{
    Claim, Claimed, Decided, Ended, Judged, Kind, MatchJudged, Received, Rechecked,
};
use super::review::{Judgement, standing};
use crate::index::hex;
use crate::{Error, Result};

/// A row of the chain, which commits to all rows before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of the row; 0 for an empty chain.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, hex(&self.hash))
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Head, String> {
        let refuse = || "give a head as uniq intake verify prints it: NUMBER:HASH".to_owned();
        let (seq, hash) = text.split_once(':').ok_or_else(refuse)?;
        let seq = seq.parse().map_err(|_| refuse())?;
        if hash.len() != 64 || !hash.is_ascii() {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).map_err(|_| refuse())?;
        }
        Ok(Head { seq, hash: bytes })
    }
}

/// Result of a verification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Number of rows of the chain.
    pub events: u64,
    /// Number of submissions.
    pub submissions: u64,
    /// The last row: keep it elsewhere.
    pub head: Head,
}

/// What the chain says of a submission.
struct Said {
    received: Received,
    at_ms: u64,
    standing: Standing,
    decided: Option<Decided>,
    claims: Vec<Claim>,
    judgements: Vec<Judgement>,
}

/// Verifies a ledger. With `expected`, also verifies that its chain begins with the rows that
/// `expected` commits to.
///
/// # Errors
/// [`Error::CorruptLedger`], which names the first row that does not fit, and those of the
/// database.
pub fn verify(ledger: &mut Ledger, expected: Option<&Head>) -> Result<Verified> {
    if let Some(damage) = ledger.damage()? {
        let what = "its pages".to_owned();
        return Err(Error::CorruptLedger {
            ledger: ledger.name().to_owned(),
            what,
            found: damage,
        });
    }
    ledger.reading(|reading| {
        let mut walk = Walk::new();
        loop {
            let events = reading.events_after(walk.head.seq)?;
            if events.is_empty() {
                break;
            }
            for event in &events {
                walk.take(reading, event, expected)?;
            }
        }
        if let Some(expected) = expected.filter(|expected| expected.seq > walk.head.seq) {
            let found = format!(
                "the chain ends with row {}, but row {} existed",
                walk.head.seq, expected.seq
            );
            return Err(reading.corrupt("the end of the chain".to_owned(), found));
        }
        walk.compare(reading)?;
        let submissions = walk.said.len() as u64;
        Ok(Verified {
            events: walk.head.seq,
            submissions,
            head: walk.head,
        })
    })
}

struct Walk {
    head: Head,
    said: BTreeMap<u64, Said>,
    decisions: BTreeMap<(u64, u64), (Decision, String, String)>,
}

impl Walk {
    fn new() -> Walk {
        Walk {
            head: Head {
                seq: 0,
                hash: GENESIS,
            },
            said: BTreeMap::new(),
            decisions: BTreeMap::new(),
        }
    }

    /// Checks and applies the next row of the chain.
    fn take(
        &mut self,
        reading: &Reading<'_>,
        event: &Event,
        expected: Option<&Head>,
    ) -> Result<()> {
        let row = format!("row {} of the chain", event.seq);
        let wrong = |found: &str| Err(reading.corrupt(row.clone(), found.to_owned()));
        if event.seq != self.head.seq + 1 {
            return wrong(&format!("row {} is missing before it", self.head.seq + 1));
        }
        if event.previous != self.head.hash {
            return wrong("does not follow the row before it");
        }
        let Event {
            seq,
            at_ms,
            kind,
            submission,
            body,
            ..
        } = event;
        let hash = Link {
            seq: *seq,
            at_ms: *at_ms,
            kind,
            submission: *submission,
            body,
        }
        .hash(&self.head.hash);
        if event.hash != hash {
            return wrong("its hash does not match its content");
        }
        self.head = Head { seq: *seq, hash };
        if expected.is_some_and(|expected| *expected != self.head && expected.seq == *seq) {
            return wrong("it differs from the given head: the ledger was rewritten");
        }
        if let Err(found) = self.apply(event) {
            return wrong(&found);
        }
        Ok(())
    }

    /// Applies an event. The error says why it cannot have happened.
    fn apply(&mut self, event: &Event) -> std::result::Result<(), String> {
        let number = event.submission;
        if event.kind == "received" {
            if self
                .said
                .last_key_value()
                .is_some_and(|(last, _)| *last >= number)
            {
                return Err(format!(
                    "submission {number} was received after a larger number"
                ));
            }
            let received: Received = body(event)?;
            let (at_ms, standing, claims, judgements) =
                (event.at_ms, Standing::Received, Vec::new(), Vec::new());
            let said = Said {
                received,
                at_ms,
                standing,
                decided: None,
                claims,
                judgements,
            };
            self.said.insert(number, said);
            return Ok(());
        }
        let open_below = self
            .said
            .range(..number)
            .any(|(_, said)| said.standing == Standing::Received);
        let said = self
            .said
            .get_mut(&number)
            .ok_or(format!("submission {number} was never received"))?;
        let is_open = said.standing == Standing::Received;
        let stands = said.standing == Standing::Decided;
        match event.kind.as_str() {
            "decided" | "confirmed" => {
                let decided: Decided = body(event)?;
                let is_first = event.kind == "decided";
                if is_first != is_open || !is_first && !stands {
                    return Err(format!("submission {number} was not waiting for it"));
                }
                if is_first && open_below {
                    return Err(format!(
                        "submission {number} was decided before a smaller number"
                    ));
                }
                said.claims.clone_from(&decided.claims);
                said.received.kind = decided.kind;
                said.received.sha256.clone_from(&decided.sha256);
                said.decided = Some(decided);
                said.standing = Standing::Decided;
            }
            "rechecked" if stands => {
                let found: Rechecked = body(event)?;
                let decided = said
                    .decided
                    .as_mut()
                    .ok_or(format!("submission {number} has no answer"))?;
                if !found.eligible.without(&decided.eligible).is_empty() {
                    return Err(format!(
                        "a recheck made seconds of submission {number} payable"
                    ));
                }
                said.claims.clone_from(&found.claims);
                decided.verdict = found.verdict;
                (decided.eligible, decided.repeated) = (found.eligible, found.repeated);
                (decided.published, decided.report_sha256) =
                    (found.published, Some(found.report_sha256));
            }
            "reviewed" if stands => {
                let MatchJudged {
                    judgement,
                    eligible,
                    published,
                    claims,
                } = body(event)?;
                let decided = said
                    .decided
                    .as_mut()
                    .ok_or(format!("submission {number} has no answer"))?;
                said.claims = claims;
                (decided.eligible, decided.published) = (eligible, published);
                said.judgements.push(judgement);
            }
            "failed" | "lapsed" if is_open => {
                let _: Ended = body(event)?;
                said.standing = if event.kind == "failed" {
                    Standing::Failed
                } else {
                    Standing::Lapsed
                };
            }
            "withdrawn" if is_open || stands => {
                said.claims = body::<Claimed>(event)?.claims;
                said.standing = Standing::Withdrawn;
            }
            "sold" | "claimed" if stands => said.claims = body::<Claimed>(event)?.claims,
            "same" | "distinct" => {
                let judged: Judged = body(event)?;
                let says = (judged.decision, judged.by, judged.why);
                self.decisions.insert((judged.earlier, judged.later), says);
            }
            kind => {
                let standing = name_of(&said.standing);
                return Err(format!(
                    "{kind:?} cannot happen to submission {number}, which is {standing}"
                ));
            }
        }
        Ok(())
    }

    /// Compares the tables with what the chain says.
    fn compare(&self, reading: &mut Reading<'_>) -> Result<()> {
        let mut last = 0;
        let mut said = self.said.iter();
        loop {
            let rows = reading.submissions_after(last)?;
            let Some(end) = rows.last() else { break };
            last = end.number;
            for row in &rows {
                let what = format!("submission {}", row.number);
                let Some((_, said)) = said.next().filter(|(number, _)| **number == row.number)
                else {
                    return Err(reading
                        .corrupt(what, "the chain lacks it, or has one before it".to_owned()));
                };
                if let Some(found) = differs(reading, row, said)? {
                    return Err(reading.corrupt(what, format!("{found} from the chain")));
                }
            }
        }
        if let Some((number, _)) = said.next() {
            let found = "it is in the chain but not in its table".to_owned();
            return Err(reading.corrupt(format!("submission {number}"), found));
        }
        for ((earlier, later), says) in &self.decisions {
            if reading.decision(*earlier, *later)?.as_ref() != Some(says) {
                let what = format!("the decision about {earlier} and {later}");
                return Err(reading.corrupt(what, "it differs from the chain".to_owned()));
            }
        }
        let kept = reading.decisions()?;
        if kept != self.decisions.len() as u64 {
            let found = format!(
                "it has {kept} decisions, but the chain has {}",
                self.decisions.len()
            );
            return Err(reading.corrupt("the table of decisions".to_owned(), found));
        }
        Ok(())
    }
}

/// The difference between the tables and the chain about a submission.
fn differs(
    reading: &mut Reading<'_>,
    row: &Submission,
    said: &Said,
) -> Result<Option<&'static str>> {
    let received = &said.received;
    if row.by != received.by
        || row.reference != received.reference
        || row.sha256 != received.sha256
        || row.kind != received.kind
        || row.received_ms != said.at_ms
    {
        return Ok(Some("its receipt differs"));
    }
    if row.standing != said.standing {
        return Ok(Some("its state differs"));
    }
    if reading.claims(row.number)? != said.claims {
        return Ok(Some("its claims differ"));
    }
    let Some(decided) = &said.decided else {
        return Ok(None);
    };
    if row.eligible != decided.eligible
        || row.repeated != decided.repeated
        || row.published != decided.published
    {
        return Ok(Some("its spans differ"));
    }
    if row.duration_ms != decided.duration_ms
        || row.verdict != Some(decided.verdict)
        || row.provisional != (decided.kind == Kind::Fingerprint)
    {
        return Ok(Some("its answer differs"));
    }
    if reading.pairs(row.number)? != decided.pairs {
        return Ok(Some("its pairs differ"));
    }
    let mut entries = decided.entries.clone();
    entries.sort_by(|a, b| (a.start_ms, &a.digest).cmp(&(b.start_ms, &b.digest)));
    if reading.entries(row.number)? != entries {
        return Ok(Some("its entries differ"));
    }
    if reading.report_sha256(row.number)? != decided.report_sha256 {
        return Ok(Some("its report differs"));
    }
    if !said.judgements.is_empty() {
        let judgements = standing(said.judgements.iter().cloned());
        let by_them = reading
            .reviewed(row.number, &judgements)?
            .unwrap_or_default();
        if by_them.eligible != row.eligible || by_them.published != row.published {
            return Ok(Some("its spans, by its report and its judgements, differ"));
        }
    }
    Ok(None)
}

fn body<T: DeserializeOwned>(event: &Event) -> std::result::Result<T, String> {
    serde_json::from_str(&event.body)
        .map_err(|error| format!("its content cannot be read: {error}"))
}
