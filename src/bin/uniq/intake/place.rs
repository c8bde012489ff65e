//! Decides where the ledger and the index of its submissions are.

use std::env;
use std::path::PathBuf;
use std::time::SystemTime;

use etcetera::BaseStrategy;
use uniq::ledger::{Books, Place};

use super::PATIENCE;
use crate::args::LedgerOption;

/// The environment variable that names the ledger. A URL with a password should not be on the
/// command line, where everybody on the host can see it.
const LEDGER_VARIABLE: &str = "UNIQ_LEDGER";

/// The ledger and the index of its submissions.
#[derive(Debug)]
pub(super) struct Found {
    ledger: Place,
    /// The folder of the index of its submissions.
    submissions: PathBuf,
}

impl Found {
    /// Chooses by the options, else the environment, else the user's data folder.
    pub(super) fn choose(option: &LedgerOption) -> anyhow::Result<Found> {
        let variable = || {
            env::var(LEDGER_VARIABLE)
                .ok()
                .filter(|value| !value.is_empty())
        };
        let ledger = match option.ledger.clone().or_else(variable) {
            Some(text) => Place::parse(&text),
            None => {
                let strategy = etcetera::choose_base_strategy().map_err(|_| {
                    anyhow::anyhow!("no place for the ledger, because there is no home folder; name one with --ledger FILE")
                })?;
                Place::File(strategy.data_dir().join("uniq").join("ledger.db"))
            }
        };
        let submissions = match (&option.submissions, &ledger) {
            (Some(dir), _) => dir.clone(),
            (None, Place::File(file)) => {
                let mut name = file.clone().into_os_string();
                name.push(".index");
                name.into()
            }
            (None, Place::Postgres(_)) => anyhow::bail!(
                "no folder for the keys of the submissions; name one that all hosts of this ledger share, with --submissions DIR"
            ),
        };
        if submissions.exists() && !submissions.is_dir() {
            anyhow::bail!(
                "{}: not a folder; name the folder of the submissions' index with --submissions DIR",
                submissions.display()
            );
        }
        Ok(Found {
            ledger,
            submissions,
        })
    }

    /// The ledger's name without a password.
    pub(super) fn shown(&self) -> String {
        self.ledger.shown()
    }

    /// Whether it is a file that does not exist yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(&self.ledger, Place::File(file) if !file.exists())
    }

    /// The same as the library's type.
    pub(super) fn books(&self) -> Books<'_> {
        Books {
            ledger: &self.ledger,
            submissions: &self.submissions,
            clock: SystemTime::now,
            patience: PATIENCE,
        }
    }
}
