//! The certificate: a signed answer that anybody can verify, reproduce, and recheck with new
//! sources.
//!
//! A certificate is an [in-toto statement](Statement) about one clip in a [DSSE envelope](Envelope)
//! with one signature. Three things can be shown about it; [`Level`] names the first two:
//!
//! 1. *verified*: the envelope is signed by a key that the reader trusts, and says nothing that
//!    contradicts itself ([`verify`]);
//! 2. *reproduced*: the search was run again, from the fingerprint, on the same snapshot of the
//!    index, with the same result ([`reproduce`]);
//! 3. *re-derived*: the fingerprint was made again from the clip. Decoders differ between versions
//!    of FFmpeg, so a person has to judge this; nothing here claims it.
//!
//! [`recheck`] compares certificates with sources that were published since, and [`compare`]
//! compares a delivered file with the one that was checked. Everything works offline, and the clock
//! is passed in: the same inputs give the same bytes.
//!
//! All input comes from strangers. Envelopes, keyrings, checkpoints and proofs are parsed strictly:
//! a repeated field, a second signature, another version or an extra byte is refused, with the
//! reason. A missing field never makes the claim stronger. `docs/certificate.md` describes the
//! format field by field.

mod checkpoint;
mod compare;
mod envelope;
mod json;
mod keyring;
mod keys;
mod make;
mod predicate;
mod proof;
mod recheck;
mod reproduce;
mod result;
mod verify;

use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::Path;

pub use checkpoint::{Checkpoint, origin_of};
pub use compare::{Comparison, Passage, compare};
pub use envelope::{BUNDLE_MEDIA_TYPE, ENVELOPE_MAX, Envelope, PAYLOAD_TYPE, pae};
pub use keyring::{Keyring, TrustedKey, Validity};
pub use keys::{KeyKind, PrivateKey, PublicKey, Signer};
pub use make::{Certified, Terms, certify, certify_pictures, certify_searched, policy_digest};
pub use predicate::{
    Clip, ClipDigest, Corpus, Decoder, Deduction, Evidence, FingerprintDigest, Grade, Interval,
    Match, Method, PREDICATE_TYPE, Power, Predicate, Reason, STATEMENT_TYPE, Search, Source, Span,
    Statement, Subject, Submission,
};
pub use proof::{Leaf, Proof};
pub(crate) use recheck::Since;
pub use recheck::{Outcome, Recheck, Rechecked, recheck};
pub use reproduce::{Reproduced, check_fingerprint, reproduce};
pub use result::{first_difference, lines, result_digest};
pub use verify::{Level, Verified, verify};

use crate::error::{Error, Result};
use crate::media::open_regular;

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
///
/// [`Error::Io`], and [`Error::InvalidCertificate`] for a larger file, which is not read further.
pub fn read(path: &Path, most: usize) -> Result<Vec<u8>> {
    let file =
        open_regular(path, OpenOptions::new().read(true)).map_err(Error::io(path, "open"))?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io(path, "read"))?;
    if bytes.len() > most {
        let reason = format!("it has more than {most} bytes, too many for a file of this kind");
        return Err(Error::InvalidCertificate {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(bytes)
}

/// Adds the file's path to an error.
pub(crate) fn refused(path: &Path) -> impl FnOnce(String) -> Error + use<> {
    let path = path.to_owned();
    move |reason| Error::InvalidCertificate { path, reason }
}
