//! Webhooks: endpoints, messages for them, and the state of deliveries.
//!
//! A waiting delivery is claimed with a lease, so that two services do not send it at once. If a
//! service is killed, the next one sends its deliveries.

use std::time::Duration;

use uniq::Result;
use uniq::ledger::{Row, Tables, Value};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_webhooks (
        id TEXT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        url TEXT NOT NULL,
        name TEXT,
        events TEXT NOT NULL,
        secret TEXT NOT NULL,
        old_secret TEXT,
        old_until_ms BIGINT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled')),
        reason TEXT,
        made_ms BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS service_webhooks_of_tenant ON service_webhooks (tenant, id)",
    "CREATE TABLE IF NOT EXISTS service_messages (
        id TEXT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        made_ms BIGINT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS service_deliveries (
        id TEXT NOT NULL PRIMARY KEY,
        message TEXT NOT NULL,
        webhook TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
        attempts BIGINT NOT NULL,
        next_ms BIGINT NOT NULL,
        until_ms BIGINT NOT NULL,
        worker TEXT,
        lease_until_ms BIGINT NOT NULL,
        status BIGINT,
        reason TEXT,
        changed_ms BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS service_deliveries_waiting ON service_deliveries (next_ms) WHERE state = 'waiting'",
    "CREATE INDEX IF NOT EXISTS service_deliveries_of_webhook ON service_deliveries (webhook, id)",
    "CREATE INDEX IF NOT EXISTS service_deliveries_of_message ON service_deliveries (message)",
];

/// An endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// The address.
    pub url: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Names of its events, separated by blanks.
    pub events: String,
    /// The secret that signs messages.
    pub secret: String,
    /// A previous secret that also signs messages.
    pub old_secret: Option<String>,
    /// When the previous secret expires, in milliseconds since 1970.
    pub old_until_ms: u64,
    /// `enabled` or `disabled`.
    pub state: String,
    /// Why it is disabled.
    pub reason: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

impl Webhook {
    fn of(row: &Row) -> Webhook {
        let text = |column: usize| row.text(column).to_owned();
        let maybe = |column: usize| row.maybe_text(column).map(str::to_owned);
        Webhook {
            id: text(0),
            tenant: text(1),
            url: text(2),
            name: maybe(3),
            events: text(4),
            secret: text(5),
            old_secret: maybe(6),
            old_until_ms: row.number(7),
            state: text(8),
            reason: maybe(9),
            made_ms: row.number(10),
        }
    }
}

/// A message to an endpoint, and its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// The id of the message, the same for every attempt.
    pub message: String,
    /// The endpoint.
    pub webhook: String,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// Number of attempts.
    pub attempts: u64,
    /// When the next attempt is due, in milliseconds since 1970.
    pub next_ms: u64,
    /// When it is given up.
    pub until_ms: u64,
    /// The HTTP status of the last answer.
    pub status: Option<u64>,
    /// The last error.
    pub reason: Option<String>,
    /// When its state last changed.
    pub changed_ms: u64,
    /// The event.
    pub kind: String,
    /// When the message was created.
    pub made_ms: u64,
    /// The bytes to send.
    pub body: String,
}

impl Delivery {
    fn of(row: &Row) -> Delivery {
        let text = |column: usize| row.text(column).to_owned();
        Delivery {
            id: text(0),
            message: text(1),
            webhook: text(2),
            state: text(3),
            attempts: row.number(4),
            next_ms: row.number(5),
            until_ms: row.number(6),
            status: row.maybe_number(7),
            reason: row.maybe_text(8).map(str::to_owned),
            changed_ms: row.number(9),
            kind: text(10),
            made_ms: row.number(11),
            body: text(12),
        }
    }
}

/// Adds an endpoint, unless its tenant has reached the limit. Returns whether it was added.
///
/// # Errors
/// Those of the database.
pub fn add(tables: &mut dyn Tables, of: &Webhook, most: u64) -> Result<bool> {
    let count = "SELECT CAST(COUNT(*) AS BIGINT) FROM service_webhooks WHERE tenant = $1";
    if tables
        .query(count, &[(&*of.tenant).into()])?
        .first()
        .map_or(0, |row| row.number(0))
        >= most
    {
        return Ok(false);
    }
    let statement = "INSERT INTO service_webhooks (id, tenant, url, name, events, secret, old_secret, old_until_ms, state, \
                     reason, made_ms) VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, 'enabled', NULL, $7)";
    let values = [
        (&*of.id).into(),
        (&*of.tenant).into(),
        (&*of.url).into(),
        of.name.as_deref().into(),
        (&*of.events).into(),
        (&*of.secret).into(),
        of.made_ms.into(),
    ];
    tables.execute(statement, &values)?;
    Ok(true)
}

/// An endpoint of a tenant.
///
/// # Errors
/// Those of the database.
pub fn find(tables: &mut dyn Tables, tenant: &str, id: &str) -> Result<Option<Webhook>> {
    let statement = format!("SELECT {WEBHOOK} FROM service_webhooks WHERE tenant = $1 AND id = $2");
    Ok(tables
        .query(&statement, &[tenant.into(), id.into()])?
        .first()
        .map(Webhook::of))
}

/// The endpoints of a tenant after an id, in order.
///
/// # Errors
/// Those of the database.
pub fn of_tenant(
    tables: &mut dyn Tables,
    tenant: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<Webhook>> {
    let statement = format!(
        "SELECT {WEBHOOK} FROM service_webhooks WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3"
    );
    let rows = tables.query(&statement, &[tenant.into(), after.into(), limit.into()])?;
    Ok(rows.iter().map(Webhook::of).collect())
}

/// Updates an endpoint.
///
/// # Errors
/// Those of the database.
pub fn change(tables: &mut dyn Tables, of: &Webhook) -> Result<()> {
    let statement = "UPDATE service_webhooks SET url = $2, name = $3, events = $4, secret = $5, old_secret = $6, \
                     old_until_ms = $7, state = $8, reason = $9 WHERE id = $1";
    let values = [
        (&*of.id).into(),
        (&*of.url).into(),
        of.name.as_deref().into(),
        (&*of.events).into(),
        (&*of.secret).into(),
        of.old_secret.as_deref().into(),
        of.old_until_ms.into(),
        (&*of.state).into(),
        of.reason.as_deref().into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// Disables an endpoint. Its waiting messages are not sent any more.
///
/// # Errors
/// Those of the database.
pub fn disable(tables: &mut dyn Tables, id: &str, reason: &str, now_ms: u64) -> Result<()> {
    let statement = "UPDATE service_webhooks SET state = 'disabled', reason = $2 WHERE id = $1";
    tables.execute(statement, &[id.into(), reason.into()])?;
    let statement = "UPDATE service_deliveries SET state = 'failed', reason = $2, worker = NULL, changed_ms = $3 \
                     WHERE webhook = $1 AND state = 'waiting'";
    tables
        .execute(statement, &[id.into(), reason.into(), now_ms.into()])
        .map(drop)
}

/// Removes an endpoint of a tenant with its deliveries. Returns whether it existed.
///
/// # Errors
/// Those of the database.
pub fn remove(tables: &mut dyn Tables, tenant: &str, id: &str) -> Result<bool> {
    let statement = "DELETE FROM service_webhooks WHERE tenant = $1 AND id = $2";
    if tables.execute(statement, &[tenant.into(), id.into()])? == 0 {
        return Ok(false);
    }
    tables.execute(
        "DELETE FROM service_deliveries WHERE webhook = $1",
        &[id.into()],
    )?;
    Ok(true)
}

/// Writes a message for all endpoints of a tenant that want it. `only` names a single endpoint that
/// gets it in any case; then the id of the delivery is returned.
///
/// # Errors
/// Those of the database.
pub fn send(
    tables: &mut dyn Tables,
    tenant: &str,
    kind: &str,
    body: &str,
    only: Option<&str>,
    now_ms: u64,
) -> Result<Option<String>> {
    let statement = "SELECT id, events FROM service_webhooks WHERE tenant = $1 AND state = 'enabled' ORDER BY id";
    let found = tables.query(statement, &[tenant.into()])?;
    let wants = |row: &&Row| match only {
        Some(id) => row.text(0) == id,
        None => row.text(1).split(' ').any(|event| event == kind),
    };
    let webhooks: Vec<&str> = found.iter().filter(wants).map(|row| row.text(0)).collect();
    if webhooks.is_empty() {
        return Ok(None);
    }
    let message = super::new_id();
    let statement = "INSERT INTO service_messages (id, tenant, kind, body, made_ms) VALUES ($1, $2, $3, $4, $5)";
    tables.execute(
        statement,
        &[
            (&*message).into(),
            tenant.into(),
            kind.into(),
            body.into(),
            now_ms.into(),
        ],
    )?;
    let mut last = None;
    for webhook in webhooks {
        let id = super::new_id();
        let statement = "INSERT INTO service_deliveries (id, message, webhook, state, attempts, next_ms, until_ms, worker, \
                         lease_until_ms, status, reason, changed_ms) \
                         VALUES ($1, $2, $3, 'waiting', 0, $4, $5, NULL, 0, NULL, NULL, $4)";
        let until = now_ms + GIVEN_UP_AFTER.as_millis() as u64;
        tables.execute(
            statement,
            &[
                (&*id).into(),
                (&*message).into(),
                webhook.into(),
                now_ms.into(),
                until.into(),
            ],
        )?;
        last = Some(id);
    }
    Ok(last)
}

/// The deliveries to an endpoint after an id, in order.
///
/// # Errors
/// Those of the database.
pub fn deliveries(
    tables: &mut dyn Tables,
    webhook: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<Delivery>> {
    let statement = format!(
        "SELECT {DELIVERY} FROM service_deliveries d JOIN service_messages m ON m.id = d.message \
         WHERE d.webhook = $1 AND d.id > $2 ORDER BY d.id LIMIT $3"
    );
    let rows = tables.query(&statement, &[webhook.into(), after.into(), limit.into()])?;
    Ok(rows.iter().map(Delivery::of).collect())
}

/// A delivery to an endpoint.
///
/// # Errors
/// Those of the database.
pub fn delivery(tables: &mut dyn Tables, webhook: &str, id: &str) -> Result<Option<Delivery>> {
    let statement = format!(
        "SELECT {DELIVERY} FROM service_deliveries d JOIN service_messages m ON m.id = d.message \
         WHERE d.webhook = $1 AND d.id = $2"
    );
    Ok(tables
        .query(&statement, &[webhook.into(), id.into()])?
        .first()
        .map(Delivery::of))
}

/// Makes a delivery due again at once, unless it is being sent.
///
/// # Errors
/// Those of the database.
pub fn again(tables: &mut dyn Tables, id: &str, now_ms: u64) -> Result<()> {
    let statement = "UPDATE service_deliveries SET state = 'waiting', attempts = 0, next_ms = $2, until_ms = $3, \
                     changed_ms = $2 WHERE id = $1 AND lease_until_ms <= $2";
    let until = now_ms + GIVEN_UP_AFTER.as_millis() as u64;
    tables
        .execute(statement, &[id.into(), now_ms.into(), until.into()])
        .map(drop)
}

/// The endpoints with due deliveries, and their tenants.
///
/// # Errors
/// Those of the database.
pub fn due(tables: &mut dyn Tables, now_ms: u64) -> Result<Vec<(String, String)>> {
    let statement = "SELECT DISTINCT w.id, w.tenant FROM service_deliveries d JOIN service_webhooks w ON w.id = d.webhook \
                     WHERE d.state = 'waiting' AND d.next_ms <= $1 AND d.lease_until_ms <= $1 AND w.state = 'enabled'";
    let rows = tables.query(statement, &[now_ms.into()])?;
    Ok(rows
        .iter()
        .map(|row| (row.text(0).to_owned(), row.text(1).to_owned()))
        .collect())
}

/// Claims due deliveries to an endpoint for a worker, oldest first.
///
/// # Errors
/// Those of the database.
pub fn claim(
    tables: &mut dyn Tables,
    webhook: &str,
    most: u64,
    worker: &str,
    lease: Duration,
    now_ms: u64,
) -> Result<Vec<(Webhook, Delivery)>> {
    let statement =
        format!("SELECT {WEBHOOK} FROM service_webhooks WHERE id = $1 AND state = 'enabled'");
    let Some(to) = tables
        .query(&statement, &[webhook.into()])?
        .first()
        .map(Webhook::of)
    else {
        return Ok(Vec::new());
    };
    let statement = format!(
        "SELECT {DELIVERY} FROM service_deliveries d JOIN service_messages m ON m.id = d.message \
         WHERE d.webhook = $1 AND d.state = 'waiting' AND d.next_ms <= $2 AND d.lease_until_ms <= $2 \
         ORDER BY d.next_ms, d.id LIMIT $3"
    );
    let found = tables.query(&statement, &[webhook.into(), now_ms.into(), most.into()])?;
    let until = now_ms + lease.as_millis() as u64;
    let mut claimed = Vec::new();
    for delivery in found.iter().map(Delivery::of) {
        let statement =
            "UPDATE service_deliveries SET worker = $2, lease_until_ms = $3 WHERE id = $1";
        tables.execute(
            statement,
            &[(&*delivery.id).into(), worker.into(), until.into()],
        )?;
        claimed.push((to.clone(), delivery));
    }
    Ok(claimed)
}

/// Outcome of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The error; `None` if the message was accepted.
    pub reason: Option<String>,
    /// When it is tried again, in milliseconds since 1970; `None` for never.
    pub again_ms: Option<u64>,
}

/// Records the outcome of an attempt, if the worker still has the delivery.
///
/// # Errors
/// Those of the database.
pub fn attempted(
    tables: &mut dyn Tables,
    id: &str,
    worker: &str,
    of: &Attempt,
    now_ms: u64,
) -> Result<()> {
    let state = match (&of.reason, of.again_ms) {
        (None, _) => "delivered",
        (Some(_), Some(_)) => "waiting",
        (Some(_), None) => "failed",
    };
    let statement = "UPDATE service_deliveries SET state = $3, attempts = attempts + 1, next_ms = $4, status = $5, \
                     reason = $6, changed_ms = $7, worker = NULL, lease_until_ms = 0 \
                     WHERE id = $1 AND worker = $2 AND state = 'waiting'";
    let values = [
        id.into(),
        worker.into(),
        state.into(),
        of.again_ms.unwrap_or(now_ms).into(),
        of.status
            .map_or(Value::Null, |status| u64::from(status).into()),
        of.reason.as_deref().into(),
        now_ms.into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// Deletes deliveries that ended before a time, and messages without deliveries.
///
/// # Errors
/// Those of the database.
pub fn forget(tables: &mut dyn Tables, before_ms: u64) -> Result<u64> {
    let statement = "DELETE FROM service_deliveries WHERE state <> 'waiting' AND changed_ms < $1";
    let gone = tables.execute(statement, &[before_ms.into()])?;
    let statement = "DELETE FROM service_messages WHERE made_ms < $1 \
                     AND NOT EXISTS (SELECT 1 FROM service_deliveries d WHERE d.message = service_messages.id)";
    tables.execute(statement, &[before_ms.into()])?;
    Ok(gone)
}

const WEBHOOK: &str =
    "id, tenant, url, name, events, secret, old_secret, old_until_ms, state, reason, made_ms";

const DELIVERY: &str = "d.id, d.message, d.webhook, d.state, d.attempts, d.next_ms, d.until_ms, d.status, d.reason, \
                        d.changed_ms, m.kind, m.made_ms, m.body";

/// How long a delivery is tried.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(72 * 3600);
