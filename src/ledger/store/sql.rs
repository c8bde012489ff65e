//! The statements, in SQL that SQLite and PostgreSQL both understand.

pub(in super::super) const HEAD: &str = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1";
pub(in super::super) const ADD_EVENT: &str = "INSERT INTO events (seq, at_ms, kind, submission, body, previous, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(in super::super) const EVENTS_AFTER: &str = "SELECT seq, at_ms, kind, submission, body, previous, hash FROM events WHERE seq > $1 ORDER BY seq LIMIT 1000";
pub(in super::super) const EVENTS_OF: &str = "SELECT seq, at_ms, kind, submission, body, previous, hash FROM events WHERE submission = $1 ORDER BY seq";
/// The bodies of the rows with judgements of matches.
pub(in super::super) const REVIEWS_OF: &str =
    "SELECT body FROM events WHERE submission = $1 AND kind = 'reviewed' ORDER BY seq";

pub(in super::super) const LAST_NUMBER: &str =
    "SELECT number FROM submissions ORDER BY number DESC LIMIT 1";
pub(in super::super) const ADD_SUBMISSION: &str = "INSERT INTO submissions (number, creator, reference, kind, sha256, bytes, path, received_ms, state, worker, lease_until_ms, provisional) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'received', $9, $10, $11)";
/// The columns of a submission, in the order in which they are read.
macro_rules! submission {
    ($rest:literal) => {
        concat!(
            "SELECT number, creator, reference, kind, sha256, bytes, path, received_ms, state, reason, worker, lease_until_ms, \
             duration_ms, verdict, eligible, repeated, published, provisional FROM submissions ",
            $rest
        )
    };
}
pub(in super::super) const SUBMISSION: &str = submission!("WHERE number = $1");
pub(in super::super) const STANDING: &str =
    submission!("WHERE creator = $1 AND sha256 = $2 AND state IN ('received', 'decided')");
pub(in super::super) const SUBMISSIONS_AFTER: &str =
    submission!("WHERE number > $1 ORDER BY number LIMIT 1000");
pub(in super::super) const OPEN_BELOW: &str =
    submission!("WHERE state = 'received' AND number < $1 ORDER BY number LIMIT 1");
pub(in super::super) const SAME_BYTES_BELOW: &str = "SELECT number FROM submissions WHERE sha256 = $1 AND number < $2 AND state = 'decided' \
     AND provisional = 0 ORDER BY number";
pub(in super::super) const REPORT: &str = "SELECT report FROM submissions WHERE number = $1";
pub(in super::super) const TAKE: &str = "UPDATE submissions SET worker = $2, lease_until_ms = $3 WHERE number = $1 AND state = 'received'";
pub(in super::super) const MOVE: &str = "UPDATE submissions SET path = $2 WHERE number = $1";
pub(in super::super) const RENEW: &str = "UPDATE submissions SET lease_until_ms = $2 WHERE worker = $1 AND state = 'received' AND lease_until_ms > 0";
pub(in super::super) const RELEASE: &str = "UPDATE submissions SET lease_until_ms = 0 WHERE number = $1 AND worker = $2 AND state = 'received'";
pub(in super::super) const SETTLE: &str = "UPDATE submissions SET state = 'decided', worker = NULL, lease_until_ms = NULL, duration_ms = $2, verdict = $3, eligible = $4, \
     repeated = $5, published = $6, report = $7, provisional = $8 WHERE number = $1";
pub(in super::super) const REVISE: &str = "UPDATE submissions SET verdict = $2, eligible = $3, repeated = $4, published = $5, report = $6 WHERE number = $1";
pub(in super::super) const END: &str = "UPDATE submissions SET state = $2, reason = $3, worker = NULL, lease_until_ms = NULL WHERE number = $1";
pub(in super::super) const CONFIRM: &str =
    "UPDATE submissions SET kind = 'clip', sha256 = $2, bytes = $3, path = $4 WHERE number = $1";

pub(in super::super) const CLAIMS: &str =
    "SELECT start_ms, end_ms, state FROM claims WHERE submission = $1 ORDER BY start_ms";
pub(in super::super) const DROP_CLAIMS: &str = "DELETE FROM claims WHERE submission = $1";
pub(in super::super) const ADD_CLAIM: &str =
    "INSERT INTO claims (submission, start_ms, end_ms, state) VALUES ($1, $2, $3, $4)";

pub(in super::super) const PAIRS: &str =
    "SELECT body, other FROM pairs WHERE submission = $1 ORDER BY item";
pub(in super::super) const DROP_PAIRS: &str = "DELETE FROM pairs WHERE submission = $1";
pub(in super::super) const ADD_PAIR: &str = "INSERT INTO pairs (submission, item, other, kind, start_ms, end_ms, other_start_ms, other_end_ms, body) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
pub(in super::super) const PAIRED_WITH: &str =
    "SELECT DISTINCT submission FROM pairs WHERE other = $1 ORDER BY submission";

pub(in super::super) const DECISION: &str =
    "SELECT decision, name, why, at_ms FROM decisions WHERE earlier = $1 AND later = $2";
pub(in super::super) const DECISIONS: &str = "SELECT COUNT(*) FROM decisions";
pub(in super::super) const ADD_DECISION: &str = "INSERT INTO decisions (earlier, later, decision, name, why, at_ms) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (earlier, later) DO UPDATE SET decision = excluded.decision, name = excluded.name, why = excluded.why, at_ms = excluded.at_ms";

pub(in super::super) const ENTRY: &str =
    "SELECT submission, start_ms FROM entries WHERE digest = $1";
pub(in super::super) const ENTRIES_OF: &str =
    "SELECT digest, start_ms FROM entries WHERE submission = $1 ORDER BY start_ms, digest";
pub(in super::super) const ENTRIES_AFTER: &str = "SELECT e.digest, e.submission, s.state FROM entries e JOIN submissions s ON s.number = e.submission \
     WHERE e.digest > $1 ORDER BY e.digest LIMIT 1000";
pub(in super::super) const ADD_ENTRY: &str =
    "INSERT INTO entries (digest, submission, start_ms) VALUES ($1, $2, $3)";
pub(in super::super) const DROP_ENTRIES: &str = "DELETE FROM entries WHERE submission = $1";

pub(in super::super) const FINGERPRINT: &str =
    "SELECT bytes FROM fingerprints WHERE submission = $1";
pub(in super::super) const ADD_FINGERPRINT: &str =
    "INSERT INTO fingerprints (submission, bytes) VALUES ($1, $2)";
pub(in super::super) const DROP_FINGERPRINT: &str =
    "DELETE FROM fingerprints WHERE submission = $1";

pub(in super::super) const SETTING: &str = "SELECT value FROM settings WHERE name = $1";
pub(in super::super) const SET: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
