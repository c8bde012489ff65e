//! Whether a certificate can be believed, without the index and without a network.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;

use super::envelope::Envelope;
use super::keyring::{Keyring, TrustedKey, moment};
use super::predicate::Statement;

/// What was shown of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Signed by a trusted key that was in use, and consistent.
    Verified,
    /// The search was run again, with the same result.
    Reproduced,
}

/// A certificate that was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What it says.
    pub statement: Statement,
    /// The key that signed it.
    pub key: TrustedKey,
    /// Time stamps in its bundle, which nothing here has checked.
    pub timestamps: usize,
}

/// Verifies a certificate; the error says why it is refused.
///
/// The clock is needed to refuse what says that it was made in the future.
///
/// # Errors
///
/// See there.
pub fn verify(envelope: &Envelope, keyring: &Keyring, now: SystemTime) -> Result<Verified, String> {
    // The name of the key chooses one that is trusted, and is compared with what that is really
    // called.
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
    /// Fails unless this is the certificate of the clip with this SHA-256, in hexadecimal.
    ///
    /// # Errors
    ///
    /// That it is another's.
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

/// How far two clocks may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(300);
