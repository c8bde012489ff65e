//! Records who offered which seconds first, so that no second is paid for twice.
//!
//! A *submission* is a clip that a creator offers. It gets its number at receipt, before anything
//! else. Of two submissions the smaller number was first, whatever the dates of their files. It is
//! compared with public videos and with all smaller numbers, and *claims* the seconds that are
//! left, by intervals of milliseconds.
//!
//! - [`Ledger`] keeps submissions, claims and decisions in SQLite or PostgreSQL, and each event as
//!   a row of a hash chain.
//! - [`Intake`] takes a submission through receipt, work and its turn, for any number of workers.
//! - [`Rechecks`] compares submissions with videos that became public after their answers.
//! - [`reviewed`] decides what a submission is eligible for after reviews of its matches (pure).
//! - [`settle`] decides what a submission can claim (pure).
//! - [`verify()`] walks the chain, and compares the tables with it.
//!
//! The keys of the submissions are in a separate index beside the ledger, so that searches among
//! public videos never meet them.
//!
//! This module does not pay, decide disputes, or know who a creator is.

mod answer;
mod backup;
mod book;
mod chain;
mod claims;
mod confirm;
mod export;
mod intake;
mod interval;
mod mend;
mod pairs;
mod recheck;
mod record;
mod review;
mod shelf;
mod slots;
mod step;
mod store;
mod verify;
mod worker;

pub use answer::submission;
pub use backup::backup;
pub use book::{Event, Ledger, Observer, Receipt, Standings, Submission, UNKNOWN_CREATOR};
pub use chain::{GENESIS, Link};
pub use claims::{
    Decision, Deducted, Deduction, Facts, JUDGED_MS, Known, Pair, PairKind, REMAINDER_MS, Settled,
    Standing, settle,
};
pub use export::{Format, Table, export, row};
pub use intake::{Answer, Books, Intake, Notice, Offer, Received, queue};
pub use interval::{Interval, Intervals};
pub use mend::{Mended, check_step, mend, withdraw};
pub use recheck::{Rechecked, Rechecks, Seen};
pub use record::{Claim, ClaimState, Entry, Kind, State};
pub use review::{Judgement, Reviewed, Ruling, reviewed, standing};
pub use shelf::entry_digest;
pub use slots::{Slot, Slots};
pub use store::{Mode, Place, Row, Tables, Value};
pub use verify::{Head, Verified, verify};
pub use worker::Worker;
