//! Certificates: making, verifying and reproducing them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use uniq::certificate::{
    self, Envelope, KeyKind, Keyring, PrivateKey, PublicKey, Statement, Terms, Verified,
};
use uniq::{CheckOptions, Error};

use crate::check::{Arguments, Fingerprint, json};
use crate::decoding::Settings;
use crate::errors;
use crate::index::Index;
use crate::work::{self, Control};

/// Name of a certificate without a file, in messages.
const NAME: &str = "the certificate";

/// The keys that a reader trusts.
#[derive(FromPyObject)]
pub(crate) struct Trust {
    key: Option<PathBuf>,
    keyring: Option<PathBuf>,
}

impl Trust {
    fn keyring(&self) -> uniq::Result<Keyring> {
        match (&self.key, &self.keyring) {
            (Some(key), _) => Ok(Keyring::of(PublicKey::load(key)?)),
            (None, Some(keyring)) => Keyring::load(keyring),
            (None, None) => Err(Error::InvalidSetting {
                name: "the trust",
                found: "nobody".to_owned(),
                expected: "a key or a keyring: give one of them",
            }),
        }
    }
}

/// What a certificate claims, as JSON, without that anything is verified.
#[pyfunction]
pub(crate) fn claim<'py>(py: Python<'py>, envelope: Vec<u8>) -> PyResult<Bound<'py, PyBytes>> {
    let statement = statement(&envelope).map_err(|error| errors::raise(py, &error))?;
    json(py, &statement)
}

/// Verifies a certificate, and returns who signed it.
#[pyfunction]
pub(crate) fn verify<'py>(
    py: Python<'py>,
    envelope: Vec<u8>,
    trust: Trust,
    clip_sha256: Option<String>,
) -> PyResult<Bound<'py, PyBytes>> {
    let verified = verified(&envelope, &trust, clip_sha256.as_deref());
    let verified = verified.map_err(|error| errors::raise(py, &error))?;
    let signed = json!({
        "key_id": verified.key.key.key_id(),
        "key_name": verified.key.name,
        "timestamps": verified.timestamps,
        "clip": clip_sha256.is_some(),
    });
    json(py, &signed)
}

/// Runs the search of a certificate again.
#[pyfunction]
pub(crate) fn reproduce<'py>(
    py: Python<'py>,
    envelope: Vec<u8>,
    fingerprint: &Fingerprint,
    index: &Index,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    let decoding = decoding.decoding(py)?;
    let done = work::run(py, &control, |cancel, _| {
        let statement = statement(&envelope)?;
        let options = CheckOptions {
            cancel: Some(cancel),
            now: Some(SystemTime::now()),
            ..CheckOptions::new(&decoding)
        };
        certificate::reproduce(&statement, fingerprint.made(), &*index.current()?, &options)
            .map_err(named)
    })?;
    let told = json!({
        "equal": done.difference.is_none(),
        "difference": done.difference,
        "result_digest": done.result_digest,
        "grown": done.grown,
        "since_generation": done.since_generation,
    });
    json(py, &told)
}

/// Checks a clip and signs what was found: the envelope, the fingerprint and the report.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "those of a check, and who signs")]
pub(crate) fn certify<'py>(
    py: Python<'py>,
    index: &Index,
    clip: PathBuf,
    key: PathBuf,
    name: String,
    policy_uri: Option<String>,
    arguments: Arguments,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<(Bound<'py, PyBytes>, Fingerprint, Bound<'py, PyBytes>)> {
    let decoding = decoding.decoding(py)?;
    let (effort, search) = (arguments.effort()?, arguments.search()?);
    let (envelope, made, report) = work::run(py, &control, |cancel, _| {
        let key = PrivateKey::load(&key)?;
        let options = CheckOptions {
            effort,
            search,
            exclude: &arguments.exclude,
            cancel: Some(cancel),
            now: Some(SystemTime::now()),
            quality: arguments.quality,
            ..CheckOptions::new(&decoding)
        };
        let terms = Terms {
            name: &name,
            policy_uri: policy_uri.as_deref(),
        };
        let certified = certificate::certify(&*index.current()?, &clip, &options, &terms)?;
        // A statement that a reader would refuse is not signed.
        let envelope = Envelope::sign(certified.statement.payload()?, &key)?;
        Ok((envelope.to_json(), certified.fingerprint, certified.report))
    })?;
    Ok((
        PyBytes::new(py, &envelope),
        Fingerprint::new(made),
        json(py, &report)?,
    ))
}

/// Makes a key to sign with, and writes it and its public key, whose path is returned.
#[pyfunction]
pub(crate) fn new_key(py: Python<'_>, path: PathBuf) -> PyResult<PathBuf> {
    let made = PrivateKey::generate(KeyKind::Ed25519).and_then(|key| key.save(&path));
    made.map_err(|error| errors::raise(py, &error))
}

fn parsed(envelope: &[u8]) -> uniq::Result<Envelope> {
    Envelope::parse(envelope).map_err(refused)
}

fn statement(envelope: &[u8]) -> uniq::Result<Statement> {
    let envelope = parsed(envelope)?;
    if envelope.payload_type != certificate::PAYLOAD_TYPE {
        return Err(refused(format!(
            "it is not a certificate: its payload has the type {:?}",
            envelope.payload_type
        )));
    }
    Statement::parse(&envelope.payload).map_err(refused)
}

fn verified(envelope: &[u8], trust: &Trust, clip_sha256: Option<&str>) -> uniq::Result<Verified> {
    let verified = certificate::verify(&parsed(envelope)?, &trust.keyring()?, SystemTime::now())
        .map_err(refused)?;
    if let Some(sha256) = clip_sha256 {
        verified.check_clip(sha256).map_err(refused)?;
    }
    Ok(verified)
}

fn refused(reason: String) -> Error {
    Error::InvalidCertificate {
        path: Path::new(NAME).to_owned(),
        reason,
    }
}

/// Names the subject of a library error that does not know it.
fn named(error: Error) -> Error {
    match error {
        Error::InvalidCertificate { path, reason } if path.as_os_str().is_empty() => {
            refused(reason)
        }
        other => other,
    }
}
