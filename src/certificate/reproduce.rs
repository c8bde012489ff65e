//! Repeats the search of a certificate, from the fingerprint, on the same snapshot.

use super::make::{Terms, now, policy_digest, predicate};
use super::predicate::{Grade, Predicate, Statement};
use super::result;
use crate::check::{self, CheckOptions};
use crate::error::{Error, Result};
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint};
use crate::index::{Index, SearchMode, hex};

/// Result of a repeated search.
#[derive(Debug, Clone, PartialEq)]
pub struct Reproduced {
    /// The first difference of the results; `None` if they are equal.
    pub difference: Option<String>,
    /// The digest of the new result.
    pub result_digest: String,
    /// Whether the index has grown since, so that its past state was searched.
    pub grown: bool,
    /// If set, only sources added after this commit were searched, as for the certificate. The
    /// previous certificate must be reproduced separately.
    pub since_generation: Option<u64>,
}

/// Repeats the search of a certificate. The index must be the snapshot that it names, or have grown
/// from that without losing any of its content.
///
/// # Errors
///
/// [`Error::InvalidCertificate`], whose path is empty, if the certificate does not name this
/// fingerprint, or if this program uses other rules; [`Error::NoPast`] if the snapshot cannot be
/// restored from this index; and those of [`check_fingerprint`](crate::check_fingerprint).
pub fn reproduce(
    statement: &Statement,
    fingerprint: &Fingerprint,
    index: &Index,
    options: &CheckOptions<'_>,
) -> Result<Reproduced> {
    let certified = &statement.predicate;
    super::check_fingerprint(statement, fingerprint).map_err(refuse)?;
    check_rules(certified, options).map_err(refuse)?;
    let same = index.state().root == certified.corpus.root;
    let past;
    let snapshot = if same {
        index
    } else {
        past = past_of(certified, index)?;
        &past
    };
    let mode = if same {
        certified.search.mode
    } else {
        SearchMode::Exact
    };
    let options = CheckOptions {
        effort: certified.method.effort,
        search: mode,
        ..*options
    };
    let terms = Terms {
        name: &certified.corpus.name,
        policy_uri: None,
    };
    let found = match certified.search.since_generation {
        None => {
            let report = check::check_fingerprint(snapshot, fingerprint, &options)?;
            predicate(
                &report,
                snapshot,
                fingerprint,
                &options,
                &terms,
                now(&options)?,
            )
        }
        Some(since) => {
            let report = check::check_fingerprint(&snapshot.since(since)?, fingerprint, &options)?;
            let new = predicate(
                &report,
                snapshot,
                fingerprint,
                &options,
                &terms,
                now(&options)?,
            );
            if new.matches.is_empty() {
                // Everything else is as in the previous certificate.
                Predicate {
                    corpus: new.corpus,
                    ..certified.clone()
                }
            } else {
                new
            }
        }
    };
    Ok(Reproduced {
        difference: result::first_difference(certified, &found),
        result_digest: result::result_digest(&found),
        grown: !same,
        since_generation: certified.search.since_generation,
    })
}

/// Fails unless a certificate names this fingerprint and its clip.
///
/// # Errors
///
/// The reason why it does not.
pub fn check_fingerprint(statement: &Statement, fingerprint: &Fingerprint) -> Result<(), String> {
    let (named, found) = (
        &statement.predicate.fingerprint.sha256,
        hex(&fingerprint.digest()),
    );
    if *named != found {
        return Err(format!(
            "the fingerprint has the digest {found}, but the certificate names {named}; give the fingerprint that was written with it"
        ));
    }
    if hex(fingerprint.sha256()) != statement.clip_sha256() {
        return Err(
            "the certificate and the fingerprint that it names are of different clips".to_owned(),
        );
    }
    Ok(())
}

/// Fails unless this program uses the rules of the one that made a certificate.
fn check_rules(certified: &Predicate, options: &CheckOptions<'_>) -> Result<(), String> {
    let method = &certified.method;
    let this = policy_digest(&options.policy);
    if method.fingerprint_version == FINGERPRINT_VERSION && method.policy_digest == this {
        return Ok(());
    }
    let commit = method
        .commit
        .as_deref()
        .map_or(String::new(), |commit| format!(" ({commit})"));
    Err(format!(
        "its rules (fingerprint version {}, policy {}) are not those of this program ({FINGERPRINT_VERSION}, {this}): run it again \
         with {} {}{commit}",
        method.fingerprint_version, method.policy_digest, method.tool, method.version
    ))
}

/// The snapshot of a certificate, from an index that has grown since.
fn past_of(certified: &Predicate, index: &Index) -> Result<Index> {
    let corpus = &certified.corpus;
    let no_past = |reason: String| Error::NoPast {
        path: index.dir().to_owned(),
        generation: corpus.generation,
        reason,
    };
    let past = index.as_of(corpus.generation)?;
    if past.state().root != corpus.root {
        let found = &past.state().root;
        return Err(no_past(format!(
            "its root is {found} in this history, but {} in the certificate, so this is another index or its history was rewritten; name the index of the certificate",
            corpus.root
        )));
    }
    if certified.search.grade != Grade::Exact {
        let reason = "the search was screened, and the index no longer knows by which cells; use the snapshot of that generation";
        return Err(no_past(reason.to_owned()));
    }
    if past.state().without_pictures != corpus.without_pictures {
        let reason = "some of its sources got pictures later, which would change the result; use the snapshot of that generation";
        return Err(no_past(reason.to_owned()));
    }
    Ok(past)
}

pub(super) fn refuse(reason: String) -> Error {
    Error::InvalidCertificate {
        path: std::path::PathBuf::new(),
        reason,
    }
}
