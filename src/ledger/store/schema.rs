//! The table definitions.

/// Version of the tables; a ledger of another version is refused.
pub(super) const VERSION: u64 = 1;

/// Marks a SQLite file as a ledger: `uniq` in ASCII.
pub(super) const APPLICATION_ID: u64 = 0x756e_6971;

/// The tables for SQLite.
pub(super) const TABLES: &str = "
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    submission INTEGER NOT NULL,
    body TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX events_of_submission ON events (submission, seq);

CREATE TABLE submissions (
    number INTEGER NOT NULL PRIMARY KEY,
    creator TEXT NOT NULL,
    reference TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('clip', 'fingerprint')),
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    path TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'decided', 'failed', 'lapsed', 'withdrawn')),
    reason TEXT,
    worker TEXT,
    lease_until_ms INTEGER,
    duration_ms INTEGER,
    verdict TEXT,
    eligible TEXT,
    repeated TEXT,
    published TEXT,
    provisional INTEGER NOT NULL,
    report TEXT
) STRICT;
CREATE UNIQUE INDEX submissions_standing ON submissions (creator, sha256) WHERE state IN ('received', 'decided');
CREATE INDEX submissions_of_bytes ON submissions (sha256, number);
CREATE INDEX submissions_open ON submissions (number) WHERE state = 'received';

CREATE TABLE claims (
    submission INTEGER NOT NULL REFERENCES submissions (number),
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL CHECK (start_ms < end_ms),
    state TEXT NOT NULL CHECK (state IN ('offered', 'sold', 'disputed', 'withdrawn')),
    PRIMARY KEY (submission, start_ms)
) STRICT;

CREATE TABLE pairs (
    submission INTEGER NOT NULL REFERENCES submissions (number),
    item INTEGER NOT NULL,
    other INTEGER NOT NULL REFERENCES submissions (number),
    kind TEXT NOT NULL CHECK (kind IN ('copy', 'undecided', 'same_scene')),
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    other_start_ms INTEGER NOT NULL,
    other_end_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (submission, item)
) STRICT;
CREATE INDEX pairs_of_other ON pairs (other, submission);

CREATE TABLE decisions (
    earlier INTEGER NOT NULL REFERENCES submissions (number),
    later INTEGER NOT NULL REFERENCES submissions (number),
    decision TEXT NOT NULL CHECK (decision IN ('same', 'distinct')),
    name TEXT NOT NULL,
    why TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (earlier, later)
) STRICT;

CREATE TABLE entries (
    digest TEXT NOT NULL PRIMARY KEY,
    submission INTEGER NOT NULL REFERENCES submissions (number),
    start_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_of_submission ON entries (submission);

CREATE TABLE fingerprints (
    submission INTEGER NOT NULL PRIMARY KEY REFERENCES submissions (number),
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
";

/// The tables for PostgreSQL.
#[cfg(feature = "postgres")]
pub(super) fn for_postgres() -> String {
    TABLES
        .replace(") STRICT;", ");")
        .replace(" INTEGER", " BIGINT")
        .replace(" BLOB", " BYTEA")
}
