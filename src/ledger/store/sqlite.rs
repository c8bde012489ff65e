//! The ledger in a SQLite file, for one host and many processes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{Mode, Row, Store, Tables, Value, check_version, failed, schema};
use crate::{Error, Result};

/// An open file.
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    shown: String,
    patience: Duration,
    clock: fn() -> SystemTime,
}

impl Sqlite {
    pub(super) fn open(
        path: &Path,
        patience: Duration,
        clock: fn() -> SystemTime,
        create: bool,
    ) -> Result<Sqlite> {
        let shown = path.display().to_string();
        if !path.exists() && !create {
            return Err(Error::NoLedger { ledger: shown });
        }
        if let Some(folder) = path
            .parent()
            .filter(|folder| create && !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "create folder"))?;
        }
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| failed(&shown, "open", error))?;
        let mut store = Sqlite {
            connection,
            path: path.to_owned(),
            shown,
            patience,
            clock,
        };
        store.prepare(create)?;
        Ok(store)
    }

    /// Sets up a connection, and creates the tables of a new file.
    fn prepare(&mut self, create: bool) -> Result<()> {
        let doing = "open";
        self.connection
            .busy_timeout(self.patience)
            .map_err(|error| self.failed(doing, error))?;
        // A file that is not a ledger must stay unchanged.
        let (application, version) = self.header()?;
        let is_new = (application, version) == (0, 0) && self.is_empty()?;
        if is_new && !create {
            return Err(Error::NoLedger {
                ledger: self.shown.clone(),
            });
        }
        if !is_new && application != schema::APPLICATION_ID {
            return Err(Error::IncompatibleLedger {
                ledger: self.shown.clone(),
                found: "an SQLite file of another program".to_owned(),
                expected: "a ledger of uniq".to_owned(),
                remedy: "name another file",
            });
        }
        if !is_new {
            check_version(&self.shown, version)?;
        }
        self.connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(|error| self.failed(doing, error))?;
        if is_new {
            self.create()?;
        }
        Ok(())
    }

    fn create(&mut self) -> Result<()> {
        let made = (|| {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            let version: i64 =
                transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version == 0 {
                transaction.execute_batch(schema::TABLES)?;
                transaction.execute_batch(&format!(
                    "PRAGMA application_id = {}; PRAGMA user_version = {};",
                    schema::APPLICATION_ID,
                    schema::VERSION
                ))?;
            }
            transaction.commit()
        })();
        made.map_err(|error| self.failed("create", error))?;
        let (_, version) = self.header()?;
        check_version(&self.shown, version)
    }

    fn header(&self) -> Result<(u64, u64)> {
        let read = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        let both =
            read("PRAGMA application_id").and_then(|id| Ok((id, read("PRAGMA user_version")?)));
        // Both are 32 bits.
        both.map(|(id, version)| (id as u64, version as u64))
            .map_err(|error| self.failed("open", error))
    }

    fn is_empty(&self) -> Result<bool> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
                row.get::<_, i64>(0)
            });
        count
            .map(|count| count == 0)
            .map_err(|error| self.failed("open", error))
    }

    fn failed(&self, doing: &'static str, error: rusqlite::Error) -> Error {
        translated(&self.shown, self.patience, doing, error)
    }
}

impl Store for Sqlite {
    fn transaction(
        &mut self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn Tables) -> Result<()>,
    ) -> Result<()> {
        let behavior = match mode {
            Mode::Read => TransactionBehavior::Deferred,
            Mode::Write => TransactionBehavior::Immediate,
        };
        let (shown, patience) = (&self.shown, self.patience);
        let transaction = self
            .connection
            .transaction_with_behavior(behavior)
            .map_err(|error| translated(shown, patience, "lock", error))?;
        work(&mut Open {
            connection: &transaction,
            shown,
            patience,
        })?;
        transaction
            .commit()
            .map_err(|error| translated(shown, patience, "commit", error))
    }

    fn now_ms(&mut self) -> Result<u64> {
        Ok((self.clock)()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64))
    }

    fn backup(&mut self, target: &Path) -> Result<()> {
        if target.symlink_metadata().is_ok() {
            let source = std::io::Error::other("the file exists; name a new one");
            return Err(Error::Io {
                path: target.to_owned(),
                doing: "write",
                source,
            });
        }
        let Some(name) = target.to_str() else {
            let source = std::io::Error::other("its name is not UTF-8; name another file");
            return Err(Error::Io {
                path: target.to_owned(),
                doing: "write",
                source,
            });
        };
        self.connection
            .execute("VACUUM INTO ?1", [name])
            .map_err(|error| self.failed("backup", error))?;
        // The backup counts only once it is durable.
        let file = std::fs::File::open(target).map_err(Error::io(target, "open"))?;
        file.sync_all().map_err(Error::io(target, "sync"))
    }

    fn damage(&mut self) -> Result<Option<String>> {
        let path = self.path.display().to_string();
        let said = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| {
                row.get::<_, String>(0)
            });
        match said {
            Ok(said) if said == "ok" => Ok(None),
            Ok(said) => Ok(Some(said)),
            Err(error) => Err(translated(&path, self.patience, "verify", error)),
        }
    }
}

/// A transaction.
struct Open<'a> {
    connection: &'a Connection,
    shown: &'a str,
    patience: Duration,
}

impl Open<'_> {
    fn failed(&self, doing: &'static str, error: rusqlite::Error) -> Error {
        translated(self.shown, self.patience, doing, error)
    }
}

impl Tables for Open<'_> {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64> {
        let done = (|| {
            let mut statement = self.connection.prepare_cached(&numbered(sql))?;
            statement.execute(rusqlite::params_from_iter(parameters))
        })();
        done.map(|rows| rows as u64)
            .map_err(|error| self.failed("write", error))
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let found = (|| {
            let mut statement = self.connection.prepare_cached(&numbered(sql))?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|column| Ok(value(row.get_ref(column)?)));
                found.push(Row(values.collect::<rusqlite::Result<_>>()?));
            }
            Ok(found)
        })();
        found.map_err(|error| self.failed("read", error))
    }
}

/// The statement with parameters numbered for SQLite.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            // Times in ms and counts are far below 2^63.
            Value::Number(number) => ValueRef::Integer(*number as i64),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(of: ValueRef<'_>) -> Value {
    match of {
        ValueRef::Integer(number) => Value::Number(number as u64),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
}

/// Translates an error by what a caller can do about it.
fn translated(
    ledger: &str,
    patience: Duration,
    doing: &'static str,
    error: rusqlite::Error,
) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::LedgerBusy {
            ledger: ledger.to_owned(),
            waited: patience,
        },
        Some(ErrorCode::NotADatabase) => Error::IncompatibleLedger {
            ledger: ledger.to_owned(),
            found: "not an SQLite file".to_owned(),
            expected: "a ledger of uniq".to_owned(),
            remedy: "name another file, or restore a backup",
        },
        Some(ErrorCode::DatabaseCorrupt) => Error::CorruptLedger {
            ledger: ledger.to_owned(),
            what: "a page of the file".to_owned(),
            found: error.to_string(),
        },
        _ => failed(ledger, doing, error),
    }
}

/// Plays another program that has the file open.
#[cfg(test)]
pub(in super::super) mod testing {
    use std::path::Path;

    use rusqlite::Connection;

    /// Runs statements.
    pub(in super::super::super) fn execute(path: &Path, sql: &str) {
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    /// Holds the file until the connection is dropped.
    pub(in super::super::super) fn held(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        connection
    }
}
