//! Keys: Ed25519 and ECDSA on P-256, in the file formats of other programs.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    KeypairBytes,
};
use sha2::{Digest as _, Sha256};

use super::read;
use crate::error::{Error, Result};
use crate::index::hex;

/// The kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519, RFC 8032.
    Ed25519,
    /// ECDSA on the curve P-256 with SHA-256, which hardware supports.
    P256,
}

/// A key to verify with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Of Ed25519.
    Ed25519(ed25519_dalek::VerifyingKey),
    /// Of P-256.
    P256(p256::ecdsa::VerifyingKey),
}

/// A key to sign with.
pub struct PrivateKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// A signer: a key in a file, or a device that keeps its key.
pub trait Signer {
    /// The key that verifies its signatures.
    fn public_key(&self) -> &PublicKey;

    /// Signs the bytes: 64 bytes with Ed25519, DER with P-256.
    ///
    /// # Errors
    ///
    /// [`Error::NotSigned`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}

impl PublicKey {
    /// Reads a public key in PEM (SubjectPublicKeyInfo).
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn from_pem(text: &str) -> Result<PublicKey, String> {
        if text.contains("PRIVATE KEY-----") {
            return Err("a private key; give its public key, from the file ending in .pub".into());
        }
        if text.matches("-----BEGIN ").count() != 1 {
            return Err(
                "not one public key in PEM; give a file that begins with -----BEGIN PUBLIC KEY-----"
                    .into(),
            );
        }
        let text = text.trim();
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text) {
            if key.is_weak() {
                return Err(
                    "an Ed25519 key of small order, whose signatures anybody can forge; make another one".into(),
                );
            }
            return Ok(PublicKey::Ed25519(key));
        }
        match p256::ecdsa::VerifyingKey::from_public_key_pem(text) {
            Ok(key) => Ok(PublicKey::P256(key)),
            Err(_) => Err("neither an Ed25519 nor a P-256 public key in PEM; make one with: uniq key new FILE".into()),
        }
    }

    /// Reads a public key file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`] and [`Error::Io`].
    pub fn load(path: &Path) -> Result<PublicKey> {
        PublicKey::from_pem(&key_text(path)?).map_err(unusable(path))
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> String {
        let pem = match self {
            PublicKey::Ed25519(key) => key.to_public_key_pem(LineEnding::LF),
            PublicKey::P256(key) => key.to_public_key_pem(LineEnding::LF),
        };
        // A valid key always encodes.
        pem.unwrap_or_default()
    }

    /// SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal.
    pub fn key_id(&self) -> String {
        hex(&Sha256::digest(self.to_der()))
    }

    /// Its SubjectPublicKeyInfo in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let der = match self {
            PublicKey::Ed25519(key) => key.to_public_key_der(),
            PublicKey::P256(key) => key.to_public_key_der(),
        };
        der.map(|der| der.as_bytes().to_vec()).unwrap_or_default()
    }

    /// Kind of the key.
    pub fn kind(&self) -> KeyKind {
        match self {
            PublicKey::Ed25519(_) => KeyKind::Ed25519,
            PublicKey::P256(_) => KeyKind::P256,
        }
    }

    /// Fails unless this is the key's signature of the message, in normal form.
    ///
    /// # Errors
    ///
    /// The reason why it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), String> {
        let wrong = |_| {
            "its signature does not match this key: the content was changed, or another key signed it"
                .to_owned()
        };
        match self {
            PublicKey::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| {
                    format!(
                        "its signature has {} bytes, but an Ed25519 signature has 64",
                        signature.len()
                    )
                })?;
                key.verify_strict(message, &signature).map_err(wrong)
            }
            PublicKey::P256(key) => {
                let parsed = p256::ecdsa::Signature::from_der(signature)
                    .map_err(|_| "its signature is not a P-256 signature in DER".to_owned())?;
                // Anybody can derive a second valid signature from a given one, so only one form is
                // accepted.
                if parsed.normalize_s() != parsed || parsed.to_der().as_bytes() != signature {
                    return Err(
                        "its signature is not in the canonical form (DER, smaller s)".into(),
                    );
                }
                p256::ecdsa::signature::Verifier::verify(key, message, &parsed).map_err(wrong)
            }
        }
    }

    /// The normal form of a signature from a device, which may give a P-256 signature as two
    /// numbers of 32 bytes, and with the larger s.
    pub fn normal_form(&self, signature: &[u8]) -> Option<Vec<u8>> {
        match self {
            PublicKey::Ed25519(_) => (signature.len() == 64).then(|| signature.to_vec()),
            PublicKey::P256(_) => {
                let parsed = p256::ecdsa::Signature::from_der(signature)
                    .or_else(|_| p256::ecdsa::Signature::from_slice(signature))
                    .ok()?;
                Some(parsed.normalize_s().to_der().as_bytes().to_vec())
            }
        }
    }
}

impl PrivateKey {
    /// Generates a key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// [`Error::NotSigned`] if the system has none.
    pub fn generate(kind: KeyKind) -> Result<PrivateKey> {
        loop {
            let mut seed = [0; 32];
            let no_numbers = |error| Error::NotSigned {
                reason: format!("the system gives no random numbers: {error}"),
            };
            getrandom::fill(&mut seed).map_err(no_numbers)?;
            match kind {
                KeyKind::Ed25519 => {
                    return Ok(PrivateKey::ed25519(ed25519_dalek::SigningKey::from_bytes(
                        &seed,
                    )));
                }
                // One number in 2^32 is outside the range of the curve.
                KeyKind::P256 => {
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&seed) {
                        return Ok(PrivateKey::p256(key));
                    }
                }
            }
        }
    }

    fn ed25519(key: ed25519_dalek::SigningKey) -> PrivateKey {
        PrivateKey {
            public: PublicKey::Ed25519(key.verifying_key()),
            secret: Secret::Ed25519(key),
        }
    }

    fn p256(key: p256::ecdsa::SigningKey) -> PrivateKey {
        PrivateKey {
            public: PublicKey::P256(*key.verifying_key()),
            secret: Secret::P256(key),
        }
    }

    /// Reads a private key in PEM (PKCS#8, not encrypted).
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn from_pem(text: &str) -> Result<PrivateKey, String> {
        let text = text.trim();
        if text.contains("ENCRYPTED PRIVATE KEY") {
            return Err(
                "it is encrypted; decrypt it with: openssl pkcs8 -topk8 -nocrypt, or sign with --signer-command".into(),
            );
        }
        if text.contains("BEGIN EC PRIVATE KEY")
            || text.contains("BEGIN OPENSSH")
            || text.contains("BEGIN RSA")
        {
            return Err(
                "a private key in another format; convert it with: openssl pkcs8 -topk8 -nocrypt"
                    .into(),
            );
        }
        if text.contains("PUBLIC KEY-----") {
            return Err("a public key; give the private key".into());
        }
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(text) {
            return Ok(PrivateKey::ed25519(key));
        }
        match p256::ecdsa::SigningKey::from_pkcs8_pem(text) {
            Ok(key) => Ok(PrivateKey::p256(key)),
            Err(_) => Err("neither an Ed25519 nor a P-256 private key in PEM; make one with: uniq key new FILE".into()),
        }
    }

    /// Reads a private key file. Refuses a file that others may read.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`] and [`Error::Io`].
    pub fn load(path: &Path) -> Result<PrivateKey> {
        let text = key_text(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path)
                .map_err(Error::io(path, "stat"))?
                .permissions()
                .mode();
            if text.contains("PRIVATE KEY-----") && mode & 0o077 != 0 {
                let reason = format!(
                    "other users can read or write it (mode {:03o}); run chmod 600 on it, and replace the key if somebody may have used it",
                    mode & 0o777
                );
                return Err(Error::InvalidKey {
                    path: path.to_owned(),
                    reason,
                });
            }
        }
        PrivateKey::from_pem(&text).map_err(unusable(path))
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> String {
        let pem = match &self.secret {
            // Without the public key, because many programs refuse a file that contains it.
            Secret::Ed25519(key) => KeypairBytes {
                secret_key: key.to_bytes(),
                public_key: None,
            }
            .to_pkcs8_pem(LineEnding::LF),
            Secret::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
        };
        pem.map(|pem| pem.to_string()).unwrap_or_default()
    }

    /// Writes the key to a new file that nobody else can read, and its public key beside it.
    /// Returns the path of the public key.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidKey`] if one of the two files exists, and [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<PathBuf> {
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        for there in [path, &public] {
            if there.symlink_metadata().is_ok() {
                let reason =
                    "the file exists, and keys are never overwritten; name another file".to_owned();
                return Err(Error::InvalidKey {
                    path: there.to_owned(),
                    reason,
                });
            }
        }
        let write = |path: &Path, mode: u32, text: String| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
            let mut file = options.open(path).map_err(Error::io(path, "create"))?;
            file.write_all(text.as_bytes())
                .map_err(Error::io(path, "write"))?;
            file.sync_all().map_err(Error::io(path, "sync"))
        };
        write(path, 0o600, self.to_pem())?;
        write(&public, 0o644, self.public.to_pem())?;
        Ok(public)
    }
}

impl Signer for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            // Deterministic by RFC 6979: the same message gets the same signature.
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    p256::ecdsa::signature::Signer::sign(key, message);
                signature.normalize_s().to_der().as_bytes().to_vec()
            }
        })
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn key_text(path: &Path) -> Result<String> {
    let bytes = read(path, KEY_FILE_MAX).map_err(|error| match error {
        Error::InvalidCertificate { path, reason } => Error::InvalidKey { path, reason },
        other => other,
    })?;
    String::from_utf8(bytes).map_err(|_| Error::InvalidKey {
        path: path.to_owned(),
        reason: "not text, so not a key in PEM".to_owned(),
    })
}

fn unusable(path: &Path) -> impl FnOnce(String) -> Error + use<> {
    let path = path.to_owned();
    move |reason| Error::InvalidKey { path, reason }
}

/// Maximum length of a key file in bytes; a key has about 200.
const KEY_FILE_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests;
