//! Updates the weights of the queue.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use uniq::ledger::{Ledger, Mode};

use super::log::Stand;
use super::queue;
use crate::answer;
use crate::app::App;
use crate::store::queue::{self as store, Weight};
use crate::store::reviews;

/// Weighs changed submissions of a tenant for a limited time. Returns whether some are left.
/// Blocks.
pub(super) fn refresh(app: &App, ledger: &mut Ledger, tenant: &str) -> uniq::Result<bool> {
    let card = app
        .card
        .as_ref()
        .map(|card| Sha256::digest(format!("{card:?}")));
    let of = format!(
        "{VERSION}.{}",
        card.map_or_else(String::new, |digest| crate::auth::hex(&digest[..8]))
    );
    let begun = Instant::now();
    loop {
        let stale = ledger.transaction(Mode::Read, |tables| {
            store::stale(tables, tenant, &of, AT_ONCE)
        })?;
        let is_last = (stale.len() as u64) < AT_ONCE;
        let mut weights = Vec::new();
        for (id, number, mark) in stale {
            weights.push(weight(app, ledger, tenant, id, number, mark)?);
        }
        if !weights.is_empty() {
            ledger.transaction(Mode::Write, |tables| {
                weights.iter().try_for_each(|of| store::keep(tables, of))
            })?;
        }
        if is_last || begun.elapsed() > A_WHILE {
            return Ok(!is_last);
        }
    }
}

fn weight(
    app: &App,
    ledger: &mut Ledger,
    tenant: &str,
    id: String,
    number: u64,
    mark: String,
) -> uniq::Result<Weight> {
    let log = ledger.transaction(Mode::Read, |tables| reviews::of_submission(tables, &id))?;
    let stand = Stand::of(&log);
    let is_closed = ledger.submission(number)?.standing != uniq::ledger::Standing::Decided;
    let report = if is_closed {
        None
    } else {
        answer::report(app, ledger, tenant, &id, number)?
    };
    let weighed = report.map(|report| queue::weigh(&report, &stand, app.card.as_ref()));
    let name = match () {
        () if is_closed => "closed",
        () if !stand.waiting.is_empty() => "waiting",
        () if stand.is_disputed() => "disputed",
        () if stand.is_accepted() => "accepted",
        () => "open",
    };
    Ok(Weight {
        submission: id,
        mark,
        stand: name.to_owned(),
        weight: weighed.as_ref().map_or(0, queue::Weighed::weight),
        cents: weighed.as_ref().map_or(0, |of| of.cents),
        stake_ms: weighed.as_ref().map_or(0, |of| of.stake_ms),
        doubt_ppm: weighed.as_ref().map_or(0, |of| (of.doubt * 1e6) as u64),
        why: weighed.map_or_else(String::new, |of| of.why.join(" ")),
    })
}

/// Raise this whenever [`queue::weigh`] changes.
const VERSION: u32 = 1;

/// Number of submissions weighed in one transaction.
const AT_ONCE: u64 = 100;

/// How long a reviewer waits for weights.
const A_WHILE: Duration = Duration::from_secs(3);
