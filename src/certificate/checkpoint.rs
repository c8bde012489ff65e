//! A checkpoint in the format of C2SP: a signed statement of the length and content of an index's
//! history.
//!
//! The text has the three lines of <https://c2sp.org/tlog-checkpoint>: the origin, which names the
//! log; the number of commits; and the Merkle root over their leaves in base64. After an empty line
//! follows the signature, as in <https://c2sp.org/signed-note>. Whoever keeps a checkpoint can
//! later detect whether an earlier commit was changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::envelope::shown;
use super::keys::{PublicKey, Signer};
use crate::error::{Error, Result};
use crate::index::{Index, hex, proof};

/// The state of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the log.
    pub origin: String,
    /// Number of its commits.
    pub size: u64,
    /// Merkle root over their leaves.
    pub root: [u8; 32],
}

/// The name of an index's log, made from the root of its first recorded commit, so that no two logs
/// share a name.
///
/// # Errors
///
/// Those of [`Index::history`].
pub fn origin_of(index: &Index) -> Result<String> {
    let first = index
        .history()?
        .into_iter()
        .next()
        .map(|first| first.root)
        .unwrap_or_default();
    Ok(format!(
        "uniq-index/{}",
        first.get(..32).unwrap_or_default()
    ))
}

impl Checkpoint {
    /// The present state of an index.
    ///
    /// # Errors
    ///
    /// Those of [`Index::history`].
    pub fn of(index: &Index) -> Result<Checkpoint> {
        let leaves = index.history_leaves()?;
        Ok(Checkpoint {
            origin: origin_of(index)?,
            size: leaves.len() as u64,
            root: proof::root(&leaves),
        })
    }

    /// Signs the checkpoint; returns the note.
    ///
    /// # Errors
    ///
    /// Those of the signer.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String> {
        let text = self.text();
        let mut signed = key_hash(&self.origin, signer.public_key()).to_vec();
        signed.extend(signer.sign(text.as_bytes())?);
        let note = format!(
            "{text}\n\u{2014} {} {}\n",
            self.origin,
            STANDARD.encode(signed)
        );
        let unfit = |reason| Error::NotSigned {
            reason: format!("the signer did not return a valid signature: {reason}"),
        };
        Checkpoint::parse(note.as_bytes(), signer.public_key()).map_err(unfit)?;
        Ok(note)
    }

    /// Reads and verifies a signed note.
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn parse(bytes: &[u8], key: &PublicKey) -> Result<Checkpoint, String> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| "not a checkpoint: it is not text".to_owned())?;
        let cut =
            || "not a checkpoint: it needs three lines, an empty line and one signature".to_owned();
        let (body, signatures) = text.split_once("\n\n").ok_or_else(cut)?;
        let body = format!("{body}\n");
        let mut lines = body.lines();
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(cut());
        };
        let line = signatures
            .strip_suffix('\n')
            .filter(|line| !line.contains('\n'))
            .ok_or_else(cut)?;
        let (name, signature) = line
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.split_once(' '))
            .ok_or_else(cut)?;
        if name != origin {
            return Err(format!(
                "its signature names the log {}, but its text names {}",
                shown(name),
                shown(origin)
            ));
        }
        let number: u64 = size.parse().map_err(|_| cut())?;
        let signature = STANDARD
            .decode(signature)
            .map_err(|_| "its signature is not valid base64".to_owned())?;
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok());
        let root: [u8; 32] = root.ok_or("its root is not a SHA-256 in base64")?;
        let (hash, signature) = signature.split_first_chunk::<4>().ok_or_else(cut)?;
        if *hash != key_hash(origin, key) {
            return Err(format!(
                "it was not signed with the key {}; give the public key of its signer",
                key.key_id()
            ));
        }
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: number,
            root,
        };
        if checkpoint.text() != body {
            return Err(cut());
        }
        key.verify(body.as_bytes(), signature)?;
        Ok(checkpoint)
    }

    /// Fails unless the history of an index begins with the one in this checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCertificate`] with the index's folder if it does not, and those of
    /// [`Index::history`].
    pub fn check(&self, index: &Index) -> Result<()> {
        let refuse = |reason: String| {
            Err(Error::InvalidCertificate {
                path: index.dir().to_owned(),
                reason,
            })
        };
        let leaves = index.history_leaves()?;
        let begun = usize::try_from(self.size)
            .ok()
            .and_then(|size| leaves.get(..size));
        let same_root = begun.is_some_and(|leaves| proof::root(leaves) == self.root);
        if same_root && self.size > 0 {
            return Ok(());
        }
        let origin = origin_of(index)?;
        if self.origin != origin && self.origin.starts_with("uniq-index/") {
            return refuse(format!(
                "the checkpoint is of another log ({}; this index has {origin}): name the right index; if this is the right one, its first commit was rewritten",
                shown(&self.origin)
            ));
        }
        match begun {
            None => refuse(format!(
                "the checkpoint has {} commits, but this history has only {}: name the right index; if this is the right one, it has lost commits",
                self.size,
                leaves.len()
            )),
            Some(_) => refuse(format!(
                "the history was rewritten: its first {} commits do not have the root {} of the checkpoint; restore the index from a copy",
                self.size,
                hex(&self.root)
            )),
        }
    }

    fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }
}

/// The bytes that name a key in a note.
fn key_hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash: [u8; 32] = match key {
        PublicKey::Ed25519(key) => Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize()
            .into(),
        // The rule of notes for ECDSA.
        PublicKey::P256(_) => Sha256::digest(key.to_der()).into(),
    };
    std::array::from_fn(|i| hash[i])
}

/// Signature type byte of Ed25519, which goes into the key's hash.
const ED25519: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{KeyKind, PrivateKey};

    #[test]
    fn every_flipped_byte_and_every_truncation_of_a_checkpoint_is_refused() {
        for kind in [KeyKind::Ed25519, KeyKind::P256] {
            let key = PrivateKey::generate(kind).unwrap();
            let checkpoint = Checkpoint {
                origin: "uniq-index/0123".into(),
                size: 17,
                root: [9; 32],
            };
            let note = checkpoint.sign(&key).unwrap().into_bytes();
            assert_eq!(
                Checkpoint::parse(&note, key.public_key()).unwrap(),
                checkpoint
            );
            for at in 0..note.len() {
                assert!(
                    Checkpoint::parse(&note[..at], key.public_key()).is_err(),
                    "cut to {at}"
                );
                for bit in [0x01, 0x20, 0x80] {
                    let mut changed = note.clone();
                    changed[at] ^= bit;
                    assert!(
                        Checkpoint::parse(&changed, key.public_key()).is_err(),
                        "flipped at {at}"
                    );
                }
            }
            let other = PrivateKey::generate(kind).unwrap();
            assert!(
                Checkpoint::parse(&note, other.public_key())
                    .unwrap_err()
                    .contains("was not signed with the key")
            );
            let longer = [&note[..], b"x"].concat();
            assert!(Checkpoint::parse(&longer, key.public_key()).is_err());
        }
    }
}
