//! Copies a ledger and the index of its submissions at one moment.

use std::path::Path;
use std::time::Instant;

use super::book::Ledger;
use super::intake::{Books, PAUSE};
use super::shelf::Shelf;
use crate::{Error, Result};

/// Copies the ledger to `ledger.db` in a folder, and the index of its submissions to
/// `ledger.db.index`, while no submission is being added. Files of the index are linked where
/// possible.
///
/// A submission that is withdrawn meanwhile may leave keys in the copied index. The next submission
/// added to the copy removes them.
///
/// # Errors
/// [`Error::LedgerBusy`] if others add without a pause, those of
/// [`Index::copy_to`](crate::Index::copy_to), and those of [`Ledger::backup`].
pub fn backup(ledger: &mut Ledger, books: &Books<'_>, folder: &Path) -> Result<()> {
    let shelf = Shelf::of(books);
    let begun = Instant::now();
    let _turn = shelf.turn(&|| {
        if begun.elapsed() > books.patience {
            return Err(Error::LedgerBusy {
                ledger: books.ledger.shown(),
                waited: books.patience,
            });
        }
        std::thread::sleep(PAUSE);
        Ok(())
    })?;
    if let Some(index) = shelf.open()? {
        index.copy_to(&folder.join("ledger.db.index"))?;
    }
    ledger.backup(&folder.join("ledger.db"))
}
