//! Converts the library's errors into Python exceptions: one class per family, with the error's
//! code.

use std::error::Error as _;

use pyo3::prelude::*;
use uniq::Error;

/// The module with the classes.
const MODULE: &str = "uniq.errors";

/// The exception for an error of the library.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    make(py, family(error), &chain(error), &error.code())
}

/// The exception for something unreadable or unusable, with the library's code for it.
pub(crate) fn raise_as(py: Python<'_>, class: &str, message: &str, code: &str) -> PyErr {
    make(py, class, message, code)
}

/// The exception for a setting out of its range.
pub(crate) fn setting(message: &str) -> PyErr {
    Python::attach(|py| make(py, "SettingError", message, "invalid_setting"))
}

/// The exception for work that took too long.
pub(crate) fn late(py: Python<'_>, seconds: f64) -> PyErr {
    let message = format!("stopped after {seconds} s, its deadline; give more time");
    make(py, "DeadlineExceeded", &message, "deadline_exceeded")
}

/// The exception for an internal error.
pub(crate) fn internal(py: Python<'_>, what: &str) -> PyErr {
    make(
        py,
        "UniqError",
        &format!("a bug in uniq, please report it: {what}"),
        "internal",
    )
}

fn make(py: Python<'_>, class: &str, message: &str, code: &str) -> PyErr {
    let made = py
        .import(MODULE)
        .and_then(|module| module.getattr(class)?.call1((message, code)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// The class of an error's family.
fn family(error: &Error) -> &'static str {
    match error {
        Error::Empty { .. }
        | Error::NotMedia { .. }
        | Error::NoVideo { .. }
        | Error::NoDecoder { .. }
        | Error::NotAccepted { .. }
        | Error::LimitExceeded { .. }
        | Error::Link { .. }
        | Error::Changed { .. }
        | Error::Undecodable { .. }
        | Error::SeveralPictures { .. }
        | Error::IsFingerprint { .. } => "ClipError",
        Error::WorkerDied { .. }
        | Error::WorkerKilled { .. }
        | Error::Quarantined { .. }
        | Error::NoWorker { .. }
        | Error::Unprotected { .. } => "DecoderError",
        Error::Io { .. } => "FileError",
        Error::NoIndex { .. }
        | Error::IncompatibleIndex { .. }
        | Error::CorruptIndex { .. }
        | Error::UnexpectedIndex { .. }
        | Error::Locked { .. }
        | Error::IsSource { .. }
        | Error::OtherRole { .. }
        | Error::NothingBenign { .. }
        | Error::NoPast { .. }
        | Error::IncompleteAnswer { .. }
        | Error::NoRemoteIndex { .. }
        | Error::Store { .. }
        | Error::CorruptStore { .. }
        | Error::StoreConflict { .. }
        | Error::NotDescended { .. }
        | Error::CacheFull { .. } => "CorpusError",
        Error::InvalidList { .. } | Error::OutsideList { .. } => "ListError",
        Error::InvalidFingerprint { .. } => "FingerprintError",
        Error::InvalidCertificate { .. } | Error::InvalidKey { .. } | Error::NotSigned { .. } => {
            "CertificateError"
        }
        Error::InvalidSetting { .. } | Error::InvalidRates { .. } | Error::InvalidStore { .. } => {
            "SettingError"
        }
        Error::NoLedger { .. }
        | Error::IncompatibleLedger { .. }
        | Error::CorruptLedger { .. }
        | Error::LedgerBusy { .. }
        | Error::Ledger { .. }
        | Error::LedgerOutOfStep { .. }
        | Error::LedgerRefused { .. } => "LedgerError",
        Error::Cancelled => "Cancelled",
        // A kind that only a newer library has.
        _ => "UniqError",
    }
}

/// The message, followed by those of its causes.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
