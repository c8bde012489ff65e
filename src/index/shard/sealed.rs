//! What one process sends to another, with a digest that reveals damage on the way.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::index::format;

/// A value that is sent between processes of one version of this crate.
pub(crate) trait Sealed: Serialize + DeserializeOwned {
    /// What the value is, for messages.
    const WHAT: &'static str;

    /// SHA-256 of the version and the encoded value, 32 bytes, then the value.
    ///
    /// # Errors
    /// [`Error::Io`] if it is larger than a gigabyte.
    fn seal(&self) -> Result<Vec<u8>> {
        let body = format::encode(Path::new(Self::WHAT), self)?;
        Ok([digest::<Self>(&body).as_slice(), &body].concat())
    }

    /// Decodes bytes that [`Sealed::seal`] made.
    ///
    /// # Errors
    /// [`Error::IncompleteAnswer`] if they are damaged, or hold another kind of value or version.
    fn unseal(bytes: &[u8]) -> Result<Self> {
        let (given, body) = bytes.split_at(bytes.len().min(32));
        if given != digest::<Self>(body) {
            let reason =
                "damaged in transit, or made by another version of uniq; use the same version everywhere, and send it again".to_owned();
            return Err(Error::IncompleteAnswer {
                path: Self::WHAT.into(),
                reason,
            });
        }
        format::decode(Path::new(Self::WHAT), body)
    }
}

fn digest<T: Sealed>(body: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [
        T::WHAT.as_bytes(),
        b"\0",
        env!("CARGO_PKG_VERSION").as_bytes(),
        b"\0",
        body,
    ] {
        digest.update(part);
    }
    digest.finalize().into()
}
