//! Compares many certificates with the sources added to the index since.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uniq::certificate::{self, Envelope, Keyring, Outcome, PublicKey, Recheck, Rechecked, Signer};
use uniq::index::Index;
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Decoding, Error, Fingerprint};

use super::issue::{files_of, write_new, write_signed};
use super::{named, refused};
use crate::args::{Extras, RecheckArgs};
use crate::exit::Exit;
use crate::place::Place;
use crate::progress::Counter;
use crate::text::{count, hex, plain};
use crate::{output, signal, signer, talk};

/// Rechecks the certificates.
pub(super) fn recheck(args: &RecheckArgs, quiet: bool) -> anyhow::Result<Exit> {
    let signer = signer::required(&args.signing)?;
    let keyring = match (&args.trust_key, &args.trust_keyring) {
        (Some(key), _) => Keyring::of(PublicKey::load(key)?),
        (None, Some(keyring)) => Keyring::load(keyring)?,
        (None, None) => Keyring::of(signer.public_key().clone()),
    };
    let place = Place::existing(args.index.dir.clone())?;
    std::fs::create_dir_all(&args.output).map_err(|source| Error::Io {
        path: args.output.clone(),
        doing: "create folder",
        source,
    })?;
    if let Some(file) = &args.revocations {
        anyhow::ensure!(
            file.symlink_metadata().is_err(),
            "{}: the file exists; name another file for --revocations",
            file.display()
        );
    }
    let fingerprints = fingerprints(args)?;
    let cancel = signal::cancel_flag("stopping; finished certificates are kept")?;
    let index = Index::open(&place.dir)?;
    let job = Job {
        args,
        signer: &*signer,
        keyring: &keyring,
        against: Recheck::against(&index),
        index: &index,
        fingerprints,
        cancel: &cancel,
    };
    let counter = Counter::new(quiet, args.certificates.len(), "certificate");
    let (mut exit, mut revoked) = (Exit::Success, Vec::new());
    // Few at a time, so that answers appear while others are still being searched.
    for paths in args.certificates.chunks(AT_A_TIME) {
        let answers: Vec<_> = paths.par_iter().map(|path| job.one(path)).collect();
        for (path, answer) in paths.iter().zip(answers) {
            counter.done(|| -> anyhow::Result<()> {
                let mut out = output::stdout();
                match answer {
                    Ok((rechecked, told)) => {
                        let superseded = rechecked.outcome == Outcome::Superseded;
                        exit = exit.worst(if superseded { Exit::Published } else { Exit::Success });
                        if args.json {
                            writeln!(out, "{}", json_line(&told)?)?;
                        } else {
                            out.write_all(line(path, &rechecked, &told).as_bytes())?;
                        }
                        if superseded {
                            revoked.push(json_line(&told)?);
                        }
                    }
                    Err(error) => {
                        exit = exit.worst(Exit::Error);
                        talk::fail_about(path, &error);
                        if args.json {
                            let (name, message) = (path.to_string_lossy(), talk::about(path, &error));
                            let object = json!({ "schema": SCHEMA, "certificate": name, "code": error.code(), "message": message });
                            writeln!(out, "{}", json_line(&object)?)?;
                        }
                    }
                }
                out.flush()?;
                Ok(())
            })?;
        }
    }
    counter.finish();
    if let Some(file) = &args.revocations {
        let text: String = revoked
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect();
        write_new(file, text.as_bytes())?;
    }
    Ok(exit)
}

/// Data shared by all certificates.
struct Job<'a> {
    args: &'a RecheckArgs,
    signer: &'a (dyn Signer + Sync),
    keyring: &'a Keyring,
    against: Recheck<'a>,
    index: &'a Index,
    fingerprints: HashMap<String, PathBuf>,
    cancel: &'a AtomicBool,
}

impl Job<'_> {
    fn one(&self, path: &Path) -> uniq::Result<(Rechecked, Value)> {
        let bytes = certificate::read(path, certificate::ENVELOPE_MAX)?;
        let envelope = Envelope::parse(&bytes).map_err(refused(path))?;
        let verified = certificate::verify(&envelope, self.keyring, SystemTime::now())
            .map_err(refused(path))?;
        let old = verified.statement;
        let wanted = &old.predicate.fingerprint.sha256;
        let missing = || {
            let reason = format!(
                "its fingerprint, with the digest {wanted}, is not beside it; name its place with --fingerprint"
            );
            refused(path)(reason)
        };
        let file = self.fingerprints.get(wanted).ok_or_else(missing)?;
        // The fingerprint's digest is signed, so it needs no separate process to parse it.
        let decoding = Decoding::in_process();
        let fingerprint = Fingerprint::load(file, &decoding, Some(self.cancel))?;
        let options = CheckOptions {
            cancel: Some(self.cancel),
            now: Some(SystemTime::now()),
            ..CheckOptions::new(&decoding)
        };
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let terms = signer::terms(&self.args.signing);
        let rechecked = self
            .against
            .recheck(&old, sha256, &fingerprint, &options, &terms)
            .map_err(named(path))?;
        let envelope = Envelope::sign(rechecked.statement.payload()?, self.signer)?;
        let new = self
            .args
            .output
            .join(new_name(path, self.index.state().generation));
        let extras = Extras {
            sigstore_bundle: false,
            timestamp_command: None,
        };
        let new_sha256 = write_signed(&envelope, &files_of(&new), &extras)?;
        let told = json!({
            "schema": SCHEMA,
            "certificate": path.to_string_lossy(),
            "certificate_sha256": hex(&sha256),
            "clip_sha256": old.clip_sha256(),
            "outcome": rechecked.outcome,
            "added": rechecked.added,
            "in_full": rechecked.in_full,
            "payable_ms_before": old.predicate.payable_ms,
            "payable_ms": rechecked.statement.predicate.payable_ms,
            "checked_at": rechecked.statement.predicate.checked_at,
            "new_certificate": new.to_string_lossy(),
            "new_certificate_sha256": new_sha256,
        });
        Ok((rechecked, told))
    }
}

/// The new name: `clip.mp4.certificate.json` and `clip.mp4.g4.certificate.json` become
/// `clip.mp4.g7.certificate.json`.
fn new_name(path: &Path, generation: u64) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let endings = [".certificate.json", ".sigstore.json", ".json"];
    let stem = endings
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name);
    let is_generation = |part: &str| {
        part.strip_prefix('g').is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
        })
    };
    let stem = stem
        .rsplit_once('.')
        .filter(|(_, last)| is_generation(last))
        .map_or(stem, |(first, _)| first);
    format!("{stem}.g{generation}.certificate.json")
}

/// Fingerprint files by digest: those next to the certificates, and those that options name.
fn fingerprints(args: &RecheckArgs) -> anyhow::Result<HashMap<String, PathBuf>> {
    let parent = |path: &PathBuf| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let beside: HashSet<PathBuf> = args.certificates.iter().map(parent).collect();
    let mut found = HashMap::new();
    let mut take = |file: PathBuf| {
        if let Some(digest) = Fingerprint::digest_of_file(&file) {
            found.insert(hex(&digest), file);
        }
    };
    for place in beside.iter().chain(&args.fingerprint) {
        if place.is_dir() {
            let files = std::fs::read_dir(place).map_err(|source| Error::Io {
                path: place.clone(),
                doing: "list",
                source,
            })?;
            let files = files.flatten().map(|entry| entry.path());
            files
                .filter(|file| {
                    file.extension()
                        .is_some_and(|extension| extension == "uniq")
                })
                .for_each(&mut take);
        } else if args.fingerprint.contains(place) {
            anyhow::ensure!(
                place.exists(),
                "{}: no such file or folder; name a fingerprint (.uniq), or a folder of them",
                place.display()
            );
            take(place.clone());
        }
    }
    Ok(found)
}

fn line(path: &Path, rechecked: &Rechecked, told: &Value) -> String {
    let outcome = match rechecked.outcome {
        Outcome::Holds => "HOLDS",
        Outcome::Superseded => "SUPERSEDED",
    };
    let way = match &rechecked.in_full {
        None => format!("{} since", count(rechecked.added, "new source")),
        Some(why) => format!(
            "{} since, all sources searched: {why}",
            count(rechecked.added, "new source")
        ),
    };
    let payable = |field: &str| told[field].as_u64().unwrap_or(0) as f64 / 1e3;
    let new = told["new_certificate"].as_str().unwrap_or_default();
    format!(
        "{}: {outcome}, {way}; payable {:.1} s, was {:.1} s: {}\n",
        plain(&path.to_string_lossy()),
        payable("payable_ms"),
        payable("payable_ms_before"),
        plain(new)
    )
}

/// Number of certificates searched at a time.
const AT_A_TIME: usize = 64;

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_new_certificate_is_called_by_its_generation_and_its_clip() {
        let name = |path: &str| super::new_name(Path::new(path), 7);
        assert_eq!(
            name("a/clip.mp4.certificate.json"),
            "clip.mp4.g7.certificate.json"
        );
        assert_eq!(
            name("clip.mp4.g5.certificate.json"),
            "clip.mp4.g7.certificate.json"
        );
        assert_eq!(
            name("clip.g.certificate.json"),
            "clip.g.g7.certificate.json"
        );
        assert_eq!(name("c.json"), "c.g7.certificate.json");
    }
}
