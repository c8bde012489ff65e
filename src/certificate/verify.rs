//! Decides whether a certificate is authentic, without the index and without a network.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;

use super::envelope::Envelope;
use super::keyring::{Keyring, TrustedKey, moment};
use super::predicate::Statement;

/// What was shown about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Signed by a trusted key that was in use, and consistent.
    Verified,
    /// The search was repeated with the same result.
    Reproduced,
}

/// A verified certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Its statement.
    pub statement: Statement,
    /// The key that signed it.
    pub key: TrustedKey,
    /// Number of timestamps in its bundle, which are not checked here.
    pub timestamps: usize,
}

/// Verifies a certificate.
///
/// The clock is needed to refuse a certificate with a time in the future.
///
/// # Errors
///
/// The reason why it is refused.
pub fn verify(envelope: &Envelope, keyring: &Keyring, now: SystemTime) -> Result<Verified, String> {
    // The key's name selects a trusted key, and is compared with that key's real name.
    let trusted = keyring.find(&envelope.key_id)?;
    envelope.check_signature(&trusted.key)?;
    let statement = Statement::parse(&envelope.payload)?;
    let made = moment(&statement.predicate.checked_at)?;
    trusted.check_time(made)?;
    let latest = now
        .checked_add(CLOCKS_APART)
        .and_then(|latest| Timestamp::try_from(latest).ok());
    if latest.is_none_or(|latest| made > latest) {
        return Err(format!(
            "it says that it was made at {made}, in the future; check the clocks of both computers"
        ));
    }
    Ok(Verified {
        statement,
        key: trusted.clone(),
        timestamps: envelope.timestamps.len(),
    })
}

impl Verified {
    /// Fails unless this is the certificate of the clip with this SHA-256 in hexadecimal.
    ///
    /// # Errors
    ///
    /// A message that it is of another clip.
    pub fn check_clip(&self, sha256: &str) -> Result<(), String> {
        let certified = self.statement.clip_sha256();
        if certified == sha256 {
            return Ok(());
        }
        Err(format!(
            "it certifies the file with SHA-256 {certified}, but this file has {sha256}; to see whether this is the same clip, encoded \
             anew: uniq certificate match"
        ))
    }
}

/// Maximum difference between two clocks.
const CLOCKS_APART: Duration = Duration::from_secs(300);
