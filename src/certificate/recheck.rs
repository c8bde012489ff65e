//! Rechecks a certificate with sources that were added to the index since.
//!
//! Only new sources are searched, so that many certificates cost little while few sources are new.
//! Any finding is evaluated with the whole present index. This short way is taken only if nothing
//! else has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::make::{Terms, corpus, finish, now, policy_digest, predicate, previous};
use super::predicate::{Grade, Predicate, Statement, total};
use super::proof::digest;
use super::reproduce::refuse;
use crate::check::{self, CheckOptions};
use crate::error::{Error, Result};
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint};
use crate::index::{Change, Index, hex};
use crate::report::SpanState;

/// Outcome of a recheck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The certificate is still right.
    Holds,
    /// More of the clip is published now, or less is payable.
    Superseded,
}

/// Result of a recheck.
#[derive(Debug, Clone)]
pub struct Rechecked {
    /// The new statement, to be signed.
    pub statement: Statement,
    /// What became of the old one.
    pub outcome: Outcome,
    /// Number of new sources.
    pub added: u64,
    /// Why the whole index was searched; `None` if only new sources were.
    pub in_full: Option<String>,
}

/// Rechecks of many certificates against one index.
#[derive(Debug)]
pub struct Recheck<'a> {
    index: &'a Index,
    since: Since<'a>,
}

/// What is new in an index since given commits, computed once for each.
#[derive(Debug)]
pub(crate) struct Since<'a> {
    index: &'a Index,
    /// By generation and root.
    known: Mutex<HashMap<Commit, Arc<New>>>,
}

type Commit = (u64, [u8; 32]);

/// Changes after a commit.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) change: Change,
    /// The index with only the new sources.
    pub(crate) sources: Index,
}

impl<'a> Since<'a> {
    pub(crate) fn of(index: &'a Index) -> Since<'a> {
        Since {
            index,
            known: Mutex::default(),
        }
    }

    /// The changes after the commit with this number and root.
    pub(crate) fn commit(&self, generation: u64, root: [u8; 32]) -> Result<Arc<New>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(new) = known().get(&(generation, root)) {
            return Ok(Arc::clone(new));
        }
        // Computed without the lock: the work runs on several threads, and a waiting thread may
        // start other work that needs the lock.
        let change = self.index.change_since(generation, &root)?;
        let new = Arc::new(New {
            change,
            sources: self.index.since(generation)?,
        });
        Ok(Arc::clone(known().entry((generation, root)).or_insert(new)))
    }
}

impl<'a> Recheck<'a> {
    /// Rechecks against this index.
    pub fn against(index: &'a Index) -> Recheck<'a> {
        Recheck {
            index,
            since: Since::of(index),
        }
    }

    /// Rechecks a verified certificate, whose envelope has the SHA-256 `certificate`, against the
    /// index.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCertificate`], whose path is empty, if the certificate does not name this
    /// fingerprint, [`Error::NoPast`] if the certificate is of another index, and those of
    /// [`check_fingerprint`](crate::check_fingerprint).
    pub fn recheck(
        &self,
        statement: &Statement,
        certificate: [u8; 32],
        fingerprint: &Fingerprint,
        options: &CheckOptions<'_>,
        terms: &Terms<'_>,
    ) -> Result<Rechecked> {
        let old = &statement.predicate;
        super::check_fingerprint(statement, fingerprint).map_err(refuse)?;
        let root = digest(&old.corpus.root).map_err(refuse)?;
        let new = self.since.commit(old.corpus.generation, root)?;
        let options = &CheckOptions {
            effort: old.method.effort,
            search: old.search.mode,
            ..*options
        };
        let mut in_full = other_rules(old, options, &new.change);
        let mut found = None;
        if in_full.is_none() {
            match self.short_way(old, &new, fingerprint, options, terms)? {
                Some(predicate) => found = Some(predicate),
                None => in_full = Some("some of it was found in the new sources".to_owned()),
            }
        }
        let mut found = match found {
            Some(found) => found,
            None => {
                let report = check::check_fingerprint(self.index, fingerprint, options)?;
                let mut found = predicate(
                    &report,
                    self.index,
                    fingerprint,
                    options,
                    terms,
                    now(options)?,
                );
                // The clip itself was seen when it was certified, and the fingerprint does not hold
                // the faults of its file.
                found.submission = old.submission.clone();
                found.payable_ms = found.payable_most_ms().min(old.payable_ms);
                found
                    .reasons
                    .retain(|reason| reason.code != crate::report::ReasonCode::FromFingerprint);
                found.clip = old.clip.clone();
                found.method.decoder = old.method.decoder.clone();
                found
            }
        };
        found.previous = previous(hex(&certificate));
        finish(&mut found);
        let published = |of: &Predicate| total(&of.spans, SpanState::Published);
        let superseded = published(&found) > published(old) || found.payable_ms < old.payable_ms;
        Ok(Rechecked {
            statement: Statement::new(statement.clip_sha256().to_owned(), found),
            outcome: if superseded {
                Outcome::Superseded
            } else {
                Outcome::Holds
            },
            added: new.change.added,
            in_full,
        })
    }

    /// The certificate's claim about the present index; `None` if the new sources gave a match.
    fn short_way(
        &self,
        old: &Predicate,
        new: &New,
        fingerprint: &Fingerprint,
        options: &CheckOptions<'_>,
        terms: &Terms<'_>,
    ) -> Result<Option<Predicate>> {
        let mut search = old.search.clone();
        search.segments_searched = new.sources.segments_searched();
        search.since_generation = Some(old.corpus.generation);
        if new.change.added > 0 {
            let report = check::check_fingerprint(&new.sources, fingerprint, options)?;
            if !report.matches.is_empty() {
                return Ok(None);
            }
            let of_new = predicate(
                &report,
                self.index,
                fingerprint,
                options,
                terms,
                now(options)?,
            )
            .search;
            // Of two searches, the weaker one counts.
            if of_new.grade == Grade::Screened {
                search.grade = Grade::Screened;
            }
            search.measured_recall_ppm = search
                .measured_recall_ppm
                .zip(of_new.measured_recall_ppm)
                .map(|(old, new)| old.min(new));
        }
        search.keys_compared = None;
        Ok(Some(Predicate {
            corpus: corpus(self.index, terms.name),
            search,
            checked_at: now(options)?,
            policy_uri: terms.policy_uri.map(str::to_owned),
            ..old.clone()
        }))
    }
}

/// Rechecks one certificate against an index.
///
/// # Errors
///
/// Those of [`Recheck::recheck`].
pub fn recheck(
    index: &Index,
    statement: &Statement,
    certificate: [u8; 32],
    fingerprint: &Fingerprint,
    options: &CheckOptions<'_>,
    terms: &Terms<'_>,
) -> Result<Rechecked, Error> {
    Recheck::against(index).recheck(statement, certificate, fingerprint, options, terms)
}

/// Why searching only new sources would not be enough.
fn other_rules(old: &Predicate, options: &CheckOptions<'_>, change: &Change) -> Option<String> {
    let method = &old.method;
    if method.fingerprint_version != FINGERPRINT_VERSION {
        return Some(format!(
            "its fingerprint version is {}",
            method.fingerprint_version
        ));
    }
    if method.policy_digest != policy_digest(&options.policy) {
        return Some("its policy differs".to_owned());
    }
    if change.benign {
        return Some("benign material was added or removed later".to_owned());
    }
    (change.removed > 0).then(|| format!("{} of its sources were removed later", change.removed))
}
