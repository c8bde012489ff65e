//! The ledger in a PostgreSQL database, for several hosts.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use postgres::error::SqlState;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls, Transaction};

use super::{Mode, Row, Store, Tables, Value, check_version, failed, schema};
use crate::{Error, Result};

/// An open connection.
pub(super) struct Postgres {
    client: Client,
    shown: String,
    patience: Duration,
}

impl Postgres {
    pub(super) fn open(
        url: &str,
        shown: String,
        patience: Duration,
        create: bool,
    ) -> Result<Postgres> {
        let mut config: postgres::Config = url
            .parse()
            .map_err(|error| failed(&shown, "read the URL", error))?;
        if config.get_ssl_mode() == postgres::config::SslMode::Require {
            let reason = format!(
                "{shown}: requires TLS, which uniq does not support for ledgers; connect through a socket, a tunnel or a proxy on this \
                 host, and leave out sslmode"
            );
            return Err(Error::LedgerRefused { reason });
        }
        config.application_name("uniq");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(patience);
        }
        let client = config
            .connect(NoTls)
            .map_err(|error| failed(&shown, "connect", error))?;
        let mut store = Postgres {
            client,
            shown,
            patience,
        };
        store.prepare(create)?;
        Ok(store)
    }

    fn prepare(&mut self, create: bool) -> Result<()> {
        let (shown, patience) = (self.shown.clone(), self.patience);
        let settings = format!(
            "SET synchronous_commit TO on; SET lock_timeout TO {}; SET client_min_messages TO warning;",
            patience.as_millis().max(1)
        );
        self.client
            .batch_execute(&settings)
            .map_err(|error| translated(&shown, patience, "open", error))?;
        let made = (|| {
            let mut transaction = self.client.transaction()?;
            // Only one connection at a time creates the tables.
            transaction.execute(
                "SELECT pg_advisory_xact_lock($1)",
                &[&(schema::APPLICATION_ID as i64)],
            )?;
            let there = transaction.query_one("SELECT to_regclass('settings') IS NOT NULL", &[])?;
            let mut is_there: bool = there.get(0);
            if !is_there && create {
                transaction.batch_execute(&schema::for_postgres())?;
                let version = schema::VERSION.to_string();
                transaction.execute("INSERT INTO settings VALUES ('version', $1)", &[&version])?;
                is_there = true;
            }
            transaction.commit()?;
            Ok(is_there)
        })();
        if !made.map_err(|error| translated(&shown, patience, "create", error))? {
            return Err(Error::NoLedger { ledger: shown });
        }
        let version = self
            .client
            .query_opt("SELECT value FROM settings WHERE name = 'version'", &[]);
        let version = version.map_err(|error| translated(&shown, patience, "open", error))?;
        let version = version.and_then(|row| row.get::<_, String>(0).parse().ok());
        let Some(version) = version else {
            return Err(Error::IncompatibleLedger {
                ledger: shown,
                found: "a table named settings of another program".to_owned(),
                expected: "a ledger of uniq".to_owned(),
                remedy: "give the ledger its own database or schema",
            });
        };
        check_version(&self.shown, version)
    }
}

impl Store for Postgres {
    fn transaction(
        &mut self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn Tables) -> Result<()>,
    ) -> Result<()> {
        let (shown, patience) = (self.shown.clone(), self.patience);
        let failed = |doing| {
            let shown = shown.clone();
            move |error| translated(&shown, patience, doing, error)
        };
        let started = match mode {
            Mode::Read => self
                .client
                .build_transaction()
                .isolation_level(postgres::IsolationLevel::RepeatableRead)
                .read_only(true)
                .start(),
            Mode::Write => self
                .client
                .build_transaction()
                .isolation_level(postgres::IsolationLevel::ReadCommitted)
                .start(),
        };
        let mut transaction = started.map_err(failed("begin"))?;
        if mode == Mode::Write {
            // Writers run one after another, as with SQLite, and each reads what the one before has
            // written.
            transaction
                .batch_execute("LOCK TABLE events IN EXCLUSIVE MODE")
                .map_err(failed("lock"))?;
        }
        work(&mut Open {
            transaction: &mut transaction,
            shown: &shown,
            patience,
        })?;
        transaction.commit().map_err(failed("commit"))
    }

    fn now_ms(&mut self) -> Result<u64> {
        // One clock for all hosts.
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let row = self.client.query_one(sql, &[]);
        let row = row.map_err(|error| translated(&self.shown, self.patience, "read", error))?;
        Ok(row.get::<_, i64>(0) as u64)
    }

    fn backup(&mut self, _: &Path) -> Result<()> {
        let reason = format!(
            "{}: uniq does not back up PostgreSQL; use pg_dump, or a base backup with WAL archiving",
            self.shown
        );
        Err(Error::LedgerRefused { reason })
    }

    fn damage(&mut self) -> Result<Option<String>> {
        // The server checks its pages itself.
        Ok(None)
    }
}

/// A transaction.
struct Open<'a, 'c> {
    transaction: &'a mut Transaction<'c>,
    shown: &'a str,
    patience: Duration,
}

impl Tables for Open<'_, '_> {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64> {
        let done = self.transaction.execute(sql, &borrowed(parameters));
        done.map_err(|error| translated(self.shown, self.patience, "write", error))
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let rows = self.transaction.query(sql, &borrowed(parameters));
        let rows = rows.map_err(|error| translated(self.shown, self.patience, "read", error))?;
        Ok(rows
            .iter()
            .map(|row| Row((0..row.len()).map(|column| value(row, column)).collect()))
            .collect())
    }
}

fn borrowed(parameters: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    parameters
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            // Times in ms and counts are far below 2^63.
            Value::Number(number) => (*number as i64).to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn value(row: &postgres::Row, column: usize) -> Value {
    let kind = row.columns()[column].type_();
    if *kind == Type::INT8 {
        row.get::<_, Option<i64>>(column)
            .map(|number| number as u64)
            .into()
    } else if *kind == Type::BYTEA {
        row.get::<_, Option<Vec<u8>>>(column)
            .map_or(Value::Null, Value::Bytes)
    } else {
        row.get::<_, Option<String>>(column)
            .map_or(Value::Null, Value::Text)
    }
}

/// Translates an error by what a caller can do about it.
fn translated(
    ledger: &str,
    patience: Duration,
    doing: &'static str,
    error: postgres::Error,
) -> Error {
    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return Error::LedgerBusy {
            ledger: ledger.to_owned(),
            waited: patience,
        };
    }
    // The error's own text is only "db error".
    match error.as_db_error() {
        Some(said) => failed(
            ledger,
            doing,
            std::io::Error::other(said.message().to_owned()),
        ),
        None => match error.source() {
            Some(cause) => failed(ledger, doing, std::io::Error::other(cause.to_string())),
            None => failed(ledger, doing, error),
        },
    }
}
