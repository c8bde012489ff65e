//! The DSSE envelope, version 1: a payload, its type, and one signature over both; also inside a
//! Sigstore bundle.
//!
//! See <https://github.com/secure-systems-lab/dsse>. The signature covers the exact bytes of the
//! payload. Parsing and re-encoding them gives another payload.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{PublicKey, Signer};
use super::{json, read, refused};
use crate::error::Result;

/// The type of the payload: an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The type of a Sigstore bundle.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Maximum length of an envelope in bytes. A certificate of an hour with 1 000 matches has about
/// 500 kB.
pub const ENVELOPE_MAX: usize = 16 << 20;

/// A payload and its signature, not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Type of the payload.
    pub payload_type: String,
    /// The bytes that are signed.
    pub payload: Vec<u8>,
    /// The key's name in the envelope: only a hint, never trusted.
    pub key_id: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// Timestamps of the signature in a bundle, as RFC 3161 responses; not checked here.
    pub timestamps: Vec<Vec<u8>>,
}

/// The bytes that are signed: DSSE's pre-authentication encoding.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend(payload);
    bytes
}

impl Envelope {
    /// Signs a payload.
    ///
    /// # Errors
    ///
    /// Those of the signer, and [`Error::NotSigned`](crate::Error::NotSigned) if the signature is
    /// not by its key.
    pub fn sign(payload: Vec<u8>, signer: &dyn Signer) -> Result<Envelope> {
        let signature = signer.sign(&pae(PAYLOAD_TYPE, &payload))?;
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload,
            key_id: signer.public_key().key_id(),
            signature,
            timestamps: Vec::new(),
        };
        let unfit = |reason| crate::Error::NotSigned {
            reason: format!("the signer did not return a valid signature: {reason}"),
        };
        envelope
            .check_signature(signer.public_key())
            .map_err(unfit)?;
        Ok(envelope)
    }

    /// Fails unless the signature is by this key.
    ///
    /// # Errors
    ///
    /// The reason why it is not.
    pub fn check_signature(&self, key: &PublicKey) -> Result<(), String> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(format!(
                "its payload has the type {:?}, expected {PAYLOAD_TYPE:?}",
                self.payload_type
            ));
        }
        if self.key_id != key.key_id() {
            return Err(format!(
                "it was signed with the key {}, not with {}; give the public key of its signer",
                shown(&self.key_id),
                key.key_id()
            ));
        }
        key.verify(&pae(&self.payload_type, &self.payload), &self.signature)
    }

    /// The envelope as JSON, on one line without a final line feed.
    pub fn to_json(&self) -> Vec<u8> {
        let of = |bytes: &[u8]| STANDARD.encode(bytes);
        let raw = RawEnvelope {
            payload: of(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: vec![RawSignature {
                keyid: self.key_id.clone(),
                sig: of(&self.signature),
            }],
        };
        // Strings always serialise.
        serde_json::to_vec(&raw).unwrap_or_default()
    }

    /// The envelope in a Sigstore bundle.
    pub fn to_bundle(&self) -> Vec<u8> {
        let stamps = self.timestamps.iter().map(|stamp| Timestamp {
            signed_timestamp: STANDARD.encode(stamp),
        });
        let stamps = Timestamps {
            rfc3161_timestamps: stamps.collect(),
        };
        let envelope: Value = serde_json::from_slice(&self.to_json()).unwrap_or_default();
        let raw = serde_json::json!({
            "mediaType": BUNDLE_MEDIA_TYPE,
            "verificationMaterial": {
                "publicKey": { "hint": self.key_id },
                "tlogEntries": [],
                "timestampVerificationData": stamps,
            },
            "dsseEnvelope": envelope,
        });
        serde_json::to_vec(&raw).unwrap_or_default()
    }

    /// Reads an envelope, or the one in a bundle.
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn parse(bytes: &[u8]) -> Result<Envelope, String> {
        if bytes.len() > ENVELOPE_MAX {
            return Err(format!(
                "it is not a certificate: it has more than {ENVELOPE_MAX} bytes"
            ));
        }
        let value: Value = json::parse(bytes)?;
        if !value.is_object() {
            return Err("it is not a JSON object".into());
        }
        if value.get("mediaType").is_some() {
            return Envelope::of_bundle(value);
        }
        let raw: RawEnvelope = serde_json::from_value(value)
            .map_err(|error| format!("it is not an envelope: {error}"))?;
        Envelope::of(raw, Vec::new())
    }

    /// Reads a file with an envelope or a bundle.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) and
    /// [`Error::InvalidCertificate`](crate::Error::InvalidCertificate).
    pub fn load(path: &Path) -> Result<Envelope> {
        Envelope::parse(&read(path, ENVELOPE_MAX)?).map_err(refused(path))
    }

    fn of_bundle(value: Value) -> Result<Envelope, String> {
        let media_type = value["mediaType"].as_str().unwrap_or_default();
        if media_type != BUNDLE_MEDIA_TYPE {
            return Err(format!(
                "its bundle has the type {media_type:?}, expected {BUNDLE_MEDIA_TYPE:?}"
            ));
        }
        let raw: RawBundle = serde_json::from_value(value)
            .map_err(|error| format!("it is not a bundle: {error}"))?;
        if !raw.verification_material.tlog_entries.is_empty() {
            return Err(
                "its bundle has entries of a transparency log, which uniq cannot check; give the certificate itself".into(),
            );
        }
        let stamps = raw
            .verification_material
            .timestamp_verification_data
            .rfc3161_timestamps;
        let stamps: Option<Vec<_>> = stamps
            .iter()
            .map(|stamp| STANDARD.decode(&stamp.signed_timestamp).ok())
            .collect();
        let envelope = Envelope::of(
            raw.dsse_envelope,
            stamps.ok_or("a time stamp in its bundle is not base64")?,
        )?;
        if raw.verification_material.public_key.hint != envelope.key_id {
            return Err("its bundle and its envelope name different keys".into());
        }
        Ok(envelope)
    }

    fn of(raw: RawEnvelope, timestamps: Vec<Vec<u8>>) -> Result<Envelope, String> {
        let signature = match raw.signatures.as_slice() {
            [one] => one,
            several => {
                return Err(format!(
                    "it has {} signatures, but a certificate has one",
                    several.len()
                ));
            }
        };
        let decode = |what: &str, text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| format!("its {what} is not valid base64: {error}"))
        };
        Ok(Envelope {
            payload_type: raw.payload_type,
            payload: decode("payload", &raw.payload)?,
            key_id: signature.keyid.clone(),
            signature: decode("signature", &signature.sig)?,
            timestamps,
        })
    }
}

/// Foreign text, shortened for a message.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() > MOST {
        format!("{:?}…", text.chars().take(MOST).collect::<String>())
    } else {
        format!("{text:?}")
    }
}

// As DSSE requires, unknown fields are ignored and known ones must be present.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<RawSignature>,
}

#[derive(Serialize, Deserialize)]
struct RawSignature {
    keyid: String,
    sig: String,
}

// Unknown fields of a bundle are refused, since they could hold a second signature or certificate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBundle {
    #[serde(rename = "mediaType")]
    _media_type: String,
    verification_material: Material,
    dsse_envelope: RawEnvelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: Hint,
    tlog_entries: Vec<Value>,
    timestamp_verification_data: Timestamps,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timestamps {
    #[serde(rename = "rfc3161Timestamps")]
    rfc3161_timestamps: Vec<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Timestamp {
    signed_timestamp: String,
}

#[cfg(test)]
mod tests;
