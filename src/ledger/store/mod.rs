//! Stores the ledger's tables: in a SQLite file, or in a PostgreSQL database that several hosts
//! share.
//!
//! Both run the same statements ([`sql`]); the few words that differ are exchanged here.

mod schema;
pub(super) mod sql;
mod sqlite;

#[cfg(feature = "postgres")]
mod postgres;

#[cfg(test)]
pub(super) use sqlite::testing;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::book::Event;
use crate::{Error, Result};

/// Where a ledger is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// The URL of a PostgreSQL database.
    Postgres(String),
}

impl Place {
    /// Parses a place: a URL that begins with `postgres://` or `postgresql://`, or else a file.
    pub fn parse(text: &str) -> Place {
        let is_url = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        if is_url {
            Place::Postgres(text.to_owned())
        } else {
            Place::File(text.into())
        }
    }

    /// The place for display, without a password.
    pub fn shown(&self) -> String {
        match self {
            Place::File(path) => path.display().to_string(),
            Place::Postgres(url) => without_password(url),
        }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // The last of several `@` ends name and password.
    let end = rest.find('/').unwrap_or(rest.len());
    let rest = match rest[..end].rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{user}@{host}{}", &rest[end..])
        }
        None => rest.to_owned(),
    };
    // The password may also be an option.
    let (rest, options) = rest
        .split_once('?')
        .map_or((rest.as_str(), None), |(rest, options)| {
            (rest, Some(options))
        });
    let shown = options.map(|options| {
        let kept: Vec<&str> = options
            .split('&')
            .filter(|option| !option.starts_with("password="))
            .collect();
        kept.join("&")
    });
    match shown.filter(|shown| !shown.is_empty()) {
        Some(options) => format!("{scheme}://{rest}?{options}"),
        None => format!("{scheme}://{rest}"),
    }
}

/// A value of a column.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// No value.
    Null,
    /// A number below 2^63.
    Number(u64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// A row of a result; columns count from 0.
#[derive(Clone, Debug)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// The number in a column; 0 if it holds something else, which no table allows.
    pub fn number(&self, column: usize) -> u64 {
        self.maybe_number(column).unwrap_or(0)
    }

    /// The number in a column, if there is one.
    pub fn maybe_number(&self, column: usize) -> Option<u64> {
        match self.0.get(column) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The text in a column; empty if it holds something else.
    pub fn text(&self, column: usize) -> &str {
        self.maybe_text(column).unwrap_or_default()
    }

    /// The text in a column, if there is one.
    pub fn maybe_text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The bytes in a column; empty if it holds something else.
    pub fn bytes(&self, column: usize) -> &[u8] {
        match self.0.get(column) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }
}

/// The tables within a transaction.
///
/// A service may keep its own tables beside those of the ledger, and update them in the same
/// transaction; see [`Ledger::transaction`](super::Ledger::transaction) and
/// [`Observer`](super::Observer). Names of such tables must begin with `service_`.
pub trait Tables {
    /// Changes rows, and returns their number. Parameters are `$1`, `$2` and so on.
    ///
    /// # Errors
    /// Those of the database.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64>;

    /// Reads rows.
    ///
    /// # Errors
    /// Those of the database.
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>>;

    /// Called for each row that was appended to the chain.
    ///
    /// # Errors
    /// Those of the observer, which undo the transaction.
    fn appended(&mut self, _row: &Event) -> Result<()> {
        Ok(())
    }
}

/// Kind of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Reads one consistent state.
    Read,
    /// Changes the ledger. Only one runs at a time, over all processes and hosts.
    Write,
}

/// A database.
pub(super) trait Store: Send {
    /// Runs a transaction. When this returns, all of it is durable or none of it is done.
    fn transaction(
        &mut self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn Tables) -> Result<()>,
    ) -> Result<()>;

    /// The time of the clock for leases, in milliseconds since 1970.
    fn now_ms(&mut self) -> Result<u64>;

    /// Writes a copy of the whole ledger at one moment to a new file.
    fn backup(&mut self, target: &Path) -> Result<()>;

    /// Damage of the database's pages, in the database's own words; `None` if there is none.
    fn damage(&mut self) -> Result<Option<String>>;
}

/// Opens the ledger at a place.
///
/// With `create`, creates it if it is missing.
pub(super) fn open(
    place: &Place,
    patience: Duration,
    clock: fn() -> SystemTime,
    create: bool,
) -> Result<Box<dyn Store>> {
    match place {
        Place::File(path) => Ok(Box::new(sqlite::Sqlite::open(
            path, patience, clock, create,
        )?)),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => Ok(Box::new(postgres::Postgres::open(
            url,
            place.shown(),
            patience,
            create,
        )?)),
        #[cfg(not(feature = "postgres"))]
        Place::Postgres(_) => Err(Error::LedgerRefused {
            reason: format!(
                "{}: this program was built without PostgreSQL; name a file, or build it with the feature postgres",
                place.shown()
            ),
        }),
    }
}

/// Fails if a newer program made the ledger.
fn check_version(ledger: &str, found: u64) -> Result<()> {
    if found == schema::VERSION {
        return Ok(());
    }
    Err(Error::IncompatibleLedger {
        ledger: ledger.to_owned(),
        found: format!("version {found}"),
        expected: format!("version {}", schema::VERSION),
        remedy: if found > schema::VERSION {
            "use the newer uniq that wrote it"
        } else {
            "it is damaged: restore a backup"
        },
    })
}

/// An error of a database.
fn failed<E: std::error::Error + Send + Sync + 'static>(
    ledger: &str,
    doing: &'static str,
    error: E,
) -> Error {
    Error::Ledger {
        ledger: ledger.to_owned(),
        doing,
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            (
                "postgres://u:s3cret@host:5432/db",
                "postgres://u@host:5432/db",
            ),
            ("postgresql://u:a@b@host/db", "postgresql://u@host/db"),
            (
                "postgres://host/db?user=u&password=s3cret",
                "postgres://host/db?user=u",
            ),
            ("postgres:///db?host=/run", "postgres:///db?host=/run"),
        ] {
            assert_eq!(Place::parse(url).shown(), shown);
        }
        assert_eq!(
            Place::parse("a/ledger.db"),
            Place::File("a/ledger.db".into())
        );
    }
}
