//! The keys that a reader trusts, with the time in which each was in use.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::envelope::shown;
use super::keys::PublicKey;
use super::{json, read};
use crate::error::{Error, Result};

/// Trusted keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    keys: Vec<TrustedKey>,
}

/// A trusted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// Its owner, according to the keyring.
    pub name: Option<String>,
    /// The key.
    pub key: PublicKey,
    /// When it was in use; `None` for a key that the user named directly, which is trusted for any
    /// time.
    pub validity: Option<Validity>,
}

/// A period between two times in RFC 3339, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after the period.
    pub until: Timestamp,
}

impl Keyring {
    /// One key, trusted for any time.
    pub fn of(key: PublicKey) -> Keyring {
        Keyring {
            keys: vec![TrustedKey {
                name: None,
                key,
                validity: None,
            }],
        }
    }

    /// Reads a keyring, an object `{"keys": [{"name", "publicKey", "validFrom", "validUntil"}, …]}`
    /// with keys in PEM.
    ///
    /// Other fields are refused: a misspelt name must not make a key valid for ever.
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn parse(bytes: &[u8]) -> Result<Keyring, String> {
        let raw: RawKeyring = json::parse(bytes)?;
        let mut keys: Vec<TrustedKey> = Vec::new();
        for raw in raw.keys {
            let named = |reason: String| format!("the key {}: {reason}", shown(&raw.name));
            let key = PublicKey::from_pem(&raw.public_key).map_err(named)?;
            let from =
                moment(&raw.valid_from).map_err(|reason| named(format!("validFrom: {reason}")))?;
            let until = moment(&raw.valid_until)
                .map_err(|reason| named(format!("validUntil: {reason}")))?;
            if from >= until {
                return Err(named("validUntil is not after validFrom".into()));
            }
            if keys.iter().any(|other| other.key == key) {
                return Err(named("it is in the keyring twice; remove one entry".into()));
            }
            keys.push(TrustedKey {
                name: Some(raw.name),
                key,
                validity: Some(Validity { from, until }),
            });
        }
        if keys.is_empty() {
            return Err("the keyring has no keys".into());
        }
        Ok(Keyring { keys })
    }

    /// Reads a keyring file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`] and [`Error::Io`].
    pub fn load(path: &Path) -> Result<Keyring> {
        let invalid = |reason| Error::InvalidKey {
            path: path.to_owned(),
            reason,
        };
        Keyring::parse(&read(path, KEYRING_MAX)?).map_err(invalid)
    }

    /// The key with this name.
    ///
    /// # Errors
    ///
    /// A message that there is none.
    pub fn find(&self, key_id: &str) -> Result<&TrustedKey, String> {
        let found = self
            .keys
            .iter()
            .find(|trusted| trusted.key.key_id() == key_id);
        found.ok_or_else(|| match self.keys.as_slice() {
            [one] => format!(
                "it was signed with the key {}, but the trusted key is {}",
                shown(key_id),
                one.key.key_id()
            ),
            keys => format!(
                "it was signed with the key {}, which is not one of the {} trusted keys",
                shown(key_id),
                keys.len()
            ),
        })
    }
}

impl TrustedKey {
    /// Fails unless the key was in use at that time.
    pub(super) fn check_time(&self, at: Timestamp) -> Result<(), String> {
        match &self.validity {
            Some(Validity { from, until }) if at < *from || at >= *until => Err(format!(
                "it was made at {at}, outside the validity of its key: {from} to {until}"
            )),
            _ => Ok(()),
        }
    }
}

/// Parses a time as certificates write it: RFC 3339, in UTC, with Z, without superfluous digits.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("{} is not a time such as 2026-01-31T12:00:00Z", shown(text));
    let moment: Timestamp = text.parse().map_err(|_| wrong())?;
    if moment.to_string() == text {
        Ok(moment)
    } else {
        Err(wrong())
    }
}

/// Maximum length of a keyring in bytes.
const KEYRING_MAX: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeyring {
    keys: Vec<RawKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawKey {
    name: String,
    public_key: String,
    valid_from: String,
    valid_until: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{KeyKind, PrivateKey, Signer as _};

    fn keyring(change: impl FnOnce(&mut serde_json::Value)) -> Result<Keyring, String> {
        let pem = PrivateKey::generate(KeyKind::P256)
            .unwrap()
            .public_key()
            .to_pem();
        let mut value = serde_json::json!({"keys": [{
            "name": "checks 2026", "publicKey": pem,
            "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z",
        }]});
        change(&mut value);
        Keyring::parse(&serde_json::to_vec(&value).unwrap())
    }

    #[test]
    fn a_key_is_good_from_its_first_moment_to_the_one_before_its_end() {
        let keyring = keyring(|_| {}).unwrap();
        let trusted = &keyring.keys[0];
        let at = |text: &str| trusted.check_time(text.parse().unwrap()).is_ok();
        assert!(at("2026-01-01T00:00:00Z") && at("2026-12-31T23:59:59Z"));
        assert!(!at("2025-12-31T23:59:59Z") && !at("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn a_slip_in_a_keyring_never_makes_a_key_better() {
        for (why, refused) in [
            (
                "a missing end",
                keyring(|value| {
                    drop(
                        value["keys"][0]
                            .as_object_mut()
                            .unwrap()
                            .remove("validUntil"),
                    )
                }),
            ),
            (
                "a misspelt end",
                keyring(|value| value["keys"][0]["validuntil"] = "2099-01-01T00:00:00Z".into()),
            ),
            (
                "no end",
                keyring(|value| value["keys"][0]["validUntil"] = serde_json::Value::Null),
            ),
            (
                "a time without zone",
                keyring(|value| value["keys"][0]["validUntil"] = "2027-01-01T00:00:00".into()),
            ),
            (
                "an end before the start",
                keyring(|value| value["keys"][0]["validUntil"] = "2026-01-01T00:00:00Z".into()),
            ),
            (
                "no keys",
                keyring(|value| value["keys"] = serde_json::json!([])),
            ),
            (
                "a key twice",
                keyring(|value| {
                    let key = value["keys"][0].clone();
                    value["keys"].as_array_mut().unwrap().push(key);
                }),
            ),
            (
                "no key",
                keyring(|value| value["keys"][0]["publicKey"] = "x".into()),
            ),
        ] {
            assert!(refused.is_err(), "{why}");
        }
    }
}
