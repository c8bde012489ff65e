//! `uniq certify` and `uniq certificate`: signs answers, and verifies signed ones.

mod again;
mod claim;
mod issue;
mod recheck;

use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use uniq::Error;
use uniq::certificate::{self, Envelope, Keyring, Proof, PublicKey, Statement, Verified};
use uniq::evidence_page::{self, Lang};
use uniq::media::{Limits, Links};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use crate::args::{CertificateCommand, Trust};
use crate::exit::Exit;
use crate::html;
use crate::output;
use crate::text::{count, plain};

pub(crate) use issue::{Files, are_free, certify, files_of, issue, seal};

/// Runs one of the commands.
pub(crate) fn run(command: CertificateCommand, quiet: bool) -> anyhow::Result<Exit> {
    match command {
        CertificateCommand::Show {
            certificate,
            json,
            html,
            lang,
        } => show(
            &certificate,
            json,
            html.as_deref().map(|page| (page, lang.into())),
        ),
        CertificateCommand::Verify {
            certificate,
            trust,
            clip,
            proof,
            json,
        } => verify(
            &certificate,
            &trust,
            clip.as_deref(),
            proof.as_deref(),
            json,
        ),
        CertificateCommand::Reproduce {
            certificate,
            fingerprint,
            trust,
            index,
            json,
            guard,
        } => again::reproduce(
            &certificate,
            &fingerprint,
            &trust,
            index,
            json,
            &guard,
            quiet,
        ),
        CertificateCommand::Recheck(args) => recheck::recheck(&args, quiet),
        CertificateCommand::Match {
            certificate,
            delivered,
            fingerprint,
            trust,
            json,
            guard,
        } => again::compare(
            &certificate,
            &delivered,
            &fingerprint,
            &trust,
            json,
            &guard,
            quiet,
        ),
    }
}

/// The trusted keys; `None` if no option names any.
fn keyring(trust: &Trust) -> uniq::Result<Option<Keyring>> {
    match (&trust.key, &trust.keyring) {
        (Some(key), _) => Ok(Some(Keyring::of(PublicKey::load(key)?))),
        (None, Some(keyring)) => Keyring::load(keyring).map(Some),
        (None, None) => Ok(None),
    }
}

/// Adds the file's path to an error.
fn refused(path: &Path) -> impl FnOnce(String) -> Error + use<> {
    let path = path.to_owned();
    move |reason| Error::InvalidCertificate { path, reason }
}

/// Adds the file's path to an error of the library, which does not know it.
fn named(path: &Path) -> impl FnOnce(Error) -> Error + use<> {
    let path = path.to_owned();
    move |error| match error {
        Error::InvalidCertificate {
            path: empty,
            reason,
        } if empty.as_os_str().is_empty() => Error::InvalidCertificate { path, reason },
        other => other,
    }
}

/// Reads a certificate, and verifies it if there are trusted keys.
fn load(
    path: &Path,
    keyring: Option<&Keyring>,
) -> uniq::Result<(Envelope, Statement, Option<Verified>)> {
    let envelope = Envelope::load(path)?;
    match keyring {
        Some(keyring) => {
            let verified = certificate::verify(&envelope, keyring, SystemTime::now())
                .map_err(refused(path))?;
            Ok((envelope, verified.statement.clone(), Some(verified)))
        }
        None => {
            if envelope.payload_type != certificate::PAYLOAD_TYPE {
                let found = envelope.payload_type;
                return Err(refused(path)(format!(
                    "it is not a certificate: its payload has the type {found:?}"
                )));
            }
            let statement = Statement::parse(&envelope.payload).map_err(refused(path))?;
            Ok((envelope, statement, None))
        }
    }
}

fn show(path: &Path, json: bool, page: Option<(&Path, Lang)>) -> anyhow::Result<Exit> {
    let (envelope, statement, _) = load(path, None)?;
    if let Some((page, lang)) = page {
        html::check(page)?;
        html::write(
            page,
            &evidence_page::of_certificate(&statement, &envelope.key_id, lang),
        )?;
    }
    let mut out = output::stdout();
    if json {
        writeln!(out, "{}", json_line(&statement)?)?;
    } else {
        writeln!(
            out,
            "{}: a certificate with these claims, which nothing here has verified:",
            plain(&path.to_string_lossy())
        )?;
        claim::write(&mut out, &statement)?;
        writeln!(
            out,
            "  signed by     key {}, not checked; check it with: uniq certificate verify",
            plain(&envelope.key_id)
        )?;
        claim::limits(&mut out, &statement)?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn verify(
    path: &Path,
    trust: &Trust,
    clip: Option<&Path>,
    proof: Option<&Path>,
    json: bool,
) -> anyhow::Result<Exit> {
    let keyring = keyring(trust)?.ok_or_else(|| {
        anyhow::anyhow!(
            "no key to trust; name the signer's public key with --key FILE, or a keyring with --keyring FILE"
        )
    })?;
    let envelope = Envelope::load(path)?;
    let verified =
        certificate::verify(&envelope, &keyring, SystemTime::now()).map_err(refused(path))?;
    if let Some(clip) = clip {
        verified
            .check_clip(&sha256_of(clip)?)
            .map_err(refused(path))?;
    }
    let proof = match proof {
        None => None,
        Some(file) => {
            let (proof, corpus) = (Proof::load(file)?, &verified.statement.predicate.corpus);
            proof
                .check(&corpus.sources_root, corpus.sources)
                .map_err(refused(file))?;
            Some(proof)
        }
    };
    let mut out = output::stdout();
    if json {
        let object = json!({
            "schema": SCHEMA,
            "level": "verified",
            "key_id": verified.key.key.key_id(),
            "key_name": verified.key.name,
            "clip": clip.map(|_| true),
            "proof": proof.as_ref().map(|proof| if matches!(proof, Proof::Inclusion { .. }) { "inclusion" } else { "absence" }),
            "statement": verified.statement,
        });
        writeln!(out, "{}", json_line(&object)?)?;
    } else {
        writeln!(
            out,
            "{}: VERIFIED, level 1 of 3",
            plain(&path.to_string_lossy())
        )?;
        told(&mut out, &verified, clip, proof.as_ref())?;
        claim::write(&mut out, &verified.statement)?;
        claim::limits(&mut out, &verified.statement)?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Prints what was verified, and what was not.
fn told(
    out: &mut dyn std::io::Write,
    verified: &Verified,
    clip: Option<&Path>,
    proof: Option<&Proof>,
) -> std::io::Result<()> {
    let name = verified
        .key
        .name
        .as_deref()
        .map_or(String::new(), |name| format!(" ({})", plain(name)));
    writeln!(
        out,
        "  signed by     key {}{name}",
        verified.key.key.key_id()
    )?;
    match &verified.key.validity {
        Some(validity) => writeln!(
            out,
            "                valid from {} until {}",
            validity.from, validity.until
        )?,
        None => writeln!(
            out,
            "                trusted for any time; only a keyring can limit it"
        )?,
    }
    match clip {
        Some(_) => writeln!(
            out,
            "  this file     is the one that was checked, byte for byte"
        )?,
        None => writeln!(
            out,
            "  this file     no file was compared; give one with --clip FILE"
        )?,
    }
    if let Some(proof) = proof {
        let what = if matches!(proof, Proof::Inclusion { .. }) {
            "was"
        } else {
            "was not"
        };
        writeln!(
            out,
            "  proved        the file with SHA-256 {} {what} among the sources",
            proof.sha256()
        )?;
    }
    if verified.timestamps > 0 {
        let stamps = count(verified.timestamps as u64, "time stamp");
        writeln!(
            out,
            "  time          {stamps} in the bundle, not checked; check with: openssl ts -verify"
        )?;
    }
    writeln!(
        out,
        "  not shown     that the search gives this (level 2: uniq certificate reproduce), nor that the fingerprint"
    )?;
    writeln!(
        out,
        "                is the clip's (level 3: make it again from the clip)"
    )
}

/// SHA-256 of a file, in hexadecimal.
fn sha256_of(path: &Path) -> uniq::Result<String> {
    let limits = Limits {
        bytes: u64::MAX,
        ..Limits::default()
    };
    let source = uniq::media::Source::open(path, Links::Follow, &limits)?;
    Ok(crate::text::hex(&source.sha256(&|| false)?))
}
