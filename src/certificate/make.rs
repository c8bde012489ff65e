//! Makes the statement of a certificate from a check.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::predicate::{
    Clip, ClipDigest, Corpus, Decoder, Deduction, Evidence, FingerprintDigest, Grade, Interval,
    MILLION, Match, Method, Power, Predicate, Reason, Search, Source, Span, Statement, Submission,
    total,
};
use super::result;
use crate::check::{CheckOptions, pictures_for};
use crate::error::{Error, Result};
use crate::fingerprint::{ClipPictures, Fingerprint, Picture};
use crate::index::{Index, hex};
use crate::report::{self, NonMatch, Report, SpanState, Verdict};
use crate::scatter::Searched;
use crate::search::RADIUS;
use crate::verdict::{Model, Policy};

/// What the operator adds to the findings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Name of the collection.
    pub name: &'a str,
    /// Address of the written policy.
    pub policy_uri: Option<&'a str>,
}

/// A check that is ready to be signed.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The report, as of any check.
    pub report: Report,
    /// The fingerprint that was searched, with small pictures. Keep it with the certificate.
    pub fingerprint: Fingerprint,
    /// The statement to sign.
    pub statement: Statement,
}

/// Checks a clip and makes the statement of a certificate, to be signed.
///
/// # Errors
///
/// Those of [`check`](crate::check()), [`Error::SeveralPictures`] for a clip with several video
/// streams, since a fingerprint holds only one, and [`Error::InvalidSetting`] without
/// [`CheckOptions::now`].
pub fn certify(
    index: &Index,
    clip: &Path,
    options: &CheckOptions<'_>,
    terms: &Terms<'_>,
) -> Result<Certified> {
    // Fails before the work, which may take long.
    now(options)?;
    let looked = pictures_for(clip, options)?;
    certify_pictures(index, &looked, clip, options, terms)
}

/// As [`certify`], for a decoded clip.
///
/// # Errors
///
/// Those of [`certify`].
pub fn certify_pictures(
    index: &Index,
    looked: &ClipPictures,
    clip: &Path,
    options: &CheckOptions<'_>,
    terms: &Terms<'_>,
) -> Result<Certified> {
    certify_searched(&index.into(), looked, clip, options, terms)
}

/// As [`certify_pictures`], wherever the index is searched.
///
/// # Errors
///
/// Those of [`certify_pictures`] and of [`scatter::ask`](crate::scatter::ask).
pub fn certify_searched(
    searched: &Searched<'_>,
    looked: &ClipPictures,
    clip: &Path,
    options: &CheckOptions<'_>,
    terms: &Terms<'_>,
) -> Result<Certified> {
    let now = now(options)?;
    let kept = kept(looked, clip)?;
    let report = searched.check_pictures(&kept, clip, options)?;
    let fingerprint = kept.only(clip)?;
    let predicate = predicate(&report, searched.index, &fingerprint, options, terms, now);
    let statement = Statement::new(report.clip.sha256.clone(), predicate);
    Ok(Certified {
        report,
        fingerprint,
        statement,
    })
}

/// Reduces a clip with one video stream to what its fingerprint file keeps, so that a check of the
/// file finds the same.
///
/// # Errors
///
/// [`Error::SeveralPictures`].
fn kept(looked: &ClipPictures, clip: &Path) -> Result<ClipPictures> {
    let picture = looked.sole(clip)?;
    let fingerprint = picture
        .fingerprint
        .kept()
        .map_err(|reason| Error::InvalidFingerprint {
            path: clip.to_owned(),
            reason,
        })?;
    Ok(ClipPictures {
        pictures: vec![Picture {
            streams: picture.streams.clone(),
            start: picture.start,
            fingerprint,
            quality: picture.quality.clone(),
        }],
        streams: looked.streams.clone(),
    })
}

impl Certified {
    /// Adds a ledger's answer about the clip, by which less may be payable.
    #[must_use]
    pub fn with_submission(mut self, said: &report::Submission) -> Certified {
        let interval = |of: report::Interval| Interval {
            start_ms: millis(of.start_s),
            end_ms: millis(of.end_s),
        };
        let predicate = &mut self.statement.predicate;
        predicate.submission = Some(Submission {
            number: said.number,
            by: said.by.clone(),
            reference: said.reference.clone(),
            received_at: said.received_at.clone(),
            payable: if said.provisional {
                Vec::new()
            } else {
                said.payable.iter().copied().map(interval).collect()
            },
            deductions: said
                .deductions
                .iter()
                .map(|deduction| Deduction {
                    start_ms: millis(deduction.clip.start_s),
                    end_ms: millis(deduction.clip.end_s),
                    reason: deduction.reason.clone(),
                    number: deduction.number,
                })
                .collect(),
        });
        predicate.payable_ms = predicate.payable_most_ms();
        finish(predicate);
        self
    }
}

/// SHA-256 of everything except the keys that affects the result: policy, model and radius.
pub fn policy_digest(policy: &Policy) -> String {
    // The model has thousands of numbers and never changes, so its digest is computed once.
    static MODEL: OnceLock<String> = OnceLock::new();
    let model = MODEL.get_or_init(|| hex(&Sha256::digest(format!("{:?}", Model::default()))));
    hex(&Sha256::digest(format!("{policy:?} {model} {RADIUS}")))
}

/// The time of the check, to the second, as certificates write it.
pub(super) fn now(options: &CheckOptions<'_>) -> Result<String> {
    let unknown = || Error::InvalidSetting {
        name: "clock",
        found: "none".to_owned(),
        expected: "the time of the check",
    };
    options
        .now
        .and_then(|now: SystemTime| crate::index::moment(now))
        .ok_or_else(unknown)
}

/// The findings in integers.
pub(super) fn predicate(
    report: &Report,
    index: &Index,
    fingerprint: &Fingerprint,
    options: &CheckOptions<'_>,
    terms: &Terms<'_>,
    checked_at: String,
) -> Predicate {
    let spans = spans(report);
    let payable_ms = match report.verdict {
        Verdict::Inconclusive => 0,
        _ => total(&spans, SpanState::Unpublished),
    };
    let undecoded: Duration = fingerprint
        .undecoded()
        .iter()
        .map(|hole| hole.end.saturating_sub(hole.start))
        .sum();
    let mean = report.power.iter().sum::<f64>() / report.power.len().max(1) as f64;
    let least = report
        .power
        .iter()
        .copied()
        .fold(if report.power.is_empty() { 0.0 } else { 1.0 }, f64::min);
    let mut predicate = Predicate {
        fingerprint: FingerprintDigest {
            sha256: hex(&fingerprint.digest()),
        },
        clip: Clip {
            duration_ms: millis(report.clip.duration_s),
            width: report.clip.width,
            height: report.clip.height,
            codec: report.clip.codec.clone(),
            container: report.clip.container.clone(),
            frames_decoded: fingerprint.frames(),
            undecoded_ms: undecoded.as_millis() as u64,
        },
        verdict: report.verdict,
        reasons: report
            .reasons
            .iter()
            .map(|why| Reason {
                code: why.code,
                ms: why.seconds.map(millis),
                text: why.text.clone(),
            })
            .collect(),
        payable_ms,
        spans,
        matches: report
            .matches
            .iter()
            .map(|found| Match {
                kind: found.kind,
                evidence: evidence(&found.alignment),
            })
            .collect(),
        more_sources: report.more_sources,
        nearest_non_match: report.nearest_non_match.as_ref().map(evidence),
        power: Power {
            mean_ppm: ppm(mean),
            least_ppm: ppm(least),
        },
        method: Method {
            tool: report.tool.name.clone(),
            version: report.tool.version.clone(),
            commit: report.tool.commit.clone(),
            fingerprint_version: report.index.fingerprint_version,
            policy_digest: policy_digest(&options.policy),
            effort: report.search.effort,
            decoder: Decoder {
                media: report.tool.media.clone(),
                libavcodec: report.tool.libavcodec.clone(),
            },
        },
        corpus: corpus(index, terms.name),
        search: search(report, index, options),
        limits: Vec::new(),
        checked_at,
        previous: None,
        policy_uri: terms.policy_uri.map(str::to_owned),
        submission: None,
        result_digest: String::new(),
    };
    finish(&mut predicate);
    predicate
}

/// Sets the limits and the digest of the result.
pub(super) fn finish(predicate: &mut Predicate) {
    predicate.limits = limits(predicate);
    predicate.result_digest = result::result_digest(predicate);
}

/// The digest of the previous certificate.
pub(super) fn previous(sha256: String) -> Option<ClipDigest> {
    Some(ClipDigest { sha256 })
}

/// The state of an index.
pub(super) fn corpus(index: &Index, name: &str) -> Corpus {
    let state = index.state();
    Corpus {
        name: name.to_owned(),
        root: state.root.clone(),
        generation: state.generation,
        committed_at: index.committed_at(),
        format_version: state.format_version,
        sources_root: state.sources_root.clone(),
        sources: state.videos,
        duration_ms: millis(state.hours * 3600.0),
        keys: state.keys,
        without_pictures: state.without_pictures,
        allowlist_root: state.allowlist_root.clone(),
        newest_source_at: index.newest_source_at(),
    }
}

fn search(report: &Report, index: &Index, options: &CheckOptions<'_>) -> Search {
    let exact = report.search.exact;
    Search {
        grade: if exact { Grade::Exact } else { Grade::Screened },
        mode: options.search,
        measured_recall_ppm: report.search.recall.map(ppm),
        segments_searched: index.state().segments,
        keys_compared: exact.then_some(index.state().keys),
        radius_bits: report.search.radius_bits,
        since_generation: None,
    }
}

fn spans(report: &Report) -> Vec<Span> {
    let spans = report.spans.iter().map(|span| Span {
        start_ms: millis(span.start_s),
        end_ms: millis(span.end_s),
        state: span.state,
        reason: span.reason.as_ref().map(|why| why.code),
    });
    // Spans shorter than half a millisecond have no length here.
    spans.filter(|span| span.start_ms < span.end_ms).collect()
}

fn evidence(found: &NonMatch) -> Evidence {
    let interval = |of: crate::report::Interval| Interval {
        start_ms: millis(of.start_s),
        end_ms: millis(of.end_s),
    };
    let publication = found.source.publication.clone();
    Evidence {
        source: Source {
            sha256: found.source.sha256.clone(),
            duration_ms: millis(found.source.duration_s),
            url: publication.url,
            title: publication.title,
            uploader: publication.uploader,
            platform: publication.platform,
            published_at: publication.published_at,
        },
        clip: interval(found.clip),
        reference: interval(found.reference),
        probability_ppm: ppm(found.probability),
        evidence_millibits: (found.evidence_bits * 1e3).round() as i64,
        moment_millibits: (found.moment_bits * 1e3).round() as i64,
        mirrored: found.mirrored,
        turned_degrees: found.turned_degrees,
        negative: found.negative,
        speed_permille: (found.speed * 1e3).round() as i64,
        identical: found.identical,
    }
}

/// What a certificate does not claim, in sentences.
fn limits(predicate: &Predicate) -> Vec<String> {
    let Predicate {
        corpus,
        search,
        power,
        ..
    } = predicate;
    let percent = |ppm: u32| format!("{}.{} %", ppm / 10_000, ppm / 1_000 % 10);
    let mut limits = vec![
        format!(
            "This is a claim about one snapshot of one collection, with {} {} and the root {}. It says nothing about what is \
             not in it, or was published or added later.",
            corpus.sources,
            if corpus.sources == 1 { "source" } else { "sources" },
            corpus.root
        ),
        "It can be proved that a file was not in the collection. That does not prove that no near copy of it was.".to_owned(),
    ];
    limits.push(match (search.grade, search.measured_recall_ppm) {
        (Grade::Exact, _) => "Every key of the collection was compared.".to_owned(),
        (Grade::Screened, Some(recall)) => format!(
            "Not every key was compared: the search was screened, which finds {} of changed excerpts, as measured on this collection.",
            percent(recall)
        ),
        (Grade::Screened, None) => {
            "Not every key was compared: the search was screened, and it was not measured how much that finds.".to_owned()
        }
    });
    if let Some(since) = search.since_generation {
        limits.push(format!(
            "This certificate's search covers only what was added after generation {since}; for the rest it relies on the certificate \
             that it names."
        ));
    }
    if let Some(submission) = &predicate.submission {
        limits.push(format!(
            "The payable seconds are those of submission {} in one ledger, at the time of this certificate: seconds that earlier \
             submissions of that ledger hold are deducted. Other ledgers were not consulted.",
            submission.number
        ));
    }
    limits.push(format!(
        "A copy of the clip's seconds, with the usual edits, would have been found with a probability of {} on average, as predicted \
         from what they show. Somebody who knows the method can hide a copy from it.",
        percent(power.mean_ppm)
    ));
    limits.push(
        "Seconds that are unsearchable are neither published nor unpublished. Sound was not looked at.".to_owned(),
    );
    limits
}

/// Seconds of a report in milliseconds.
fn millis(seconds: f64) -> u64 {
    // Positive and shorter than a century.
    (seconds.max(0.0) * 1e3).round() as u64
}

fn ppm(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * f64::from(MILLION)).round() as u32
}
