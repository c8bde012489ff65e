//! Checks clips, signs the answers, and writes them next to the fingerprints.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use uniq::certificate::{self, Certified, Envelope, Signer, Statement, Terms};
use uniq::index::Index;
use uniq::report::{Report, SCHEMA, Verdict};
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Error};

use crate::args::{Certify, Extras};
use crate::exit::Exit;
use crate::place::Place;
use crate::text::{hex, plain};
use crate::{guard, output, signal, signer, talk};

/// Paths of the files of one clip.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    fingerprint: PathBuf,
    bundle: PathBuf,
    timestamp: PathBuf,
}

/// A written certificate.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) report: Report,
    statement: Statement,
    sha256: String,
}

/// Certifies the clips.
pub(crate) fn certify(args: &Certify, quiet: bool) -> anyhow::Result<Exit> {
    let signer = if args.statement_only {
        None
    } else {
        Some(signer::required(&args.signing)?)
    };
    let place = Place::existing(args.index.dir.clone())?;
    std::fs::create_dir_all(&args.output).map_err(|source| Error::Io {
        path: args.output.clone(),
        doing: "create folder",
        source,
    })?;
    let decoding = guard::decoding(&args.guard, quiet)?;
    let index = Index::open(&place.dir)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let mut exit = Exit::Success;
    for clip in &args.clips {
        let options = CheckOptions {
            effort: args.effort.into(),
            search: args.search.into(),
            cancel: Some(&cancel),
            now: Some(SystemTime::now()),
            ..CheckOptions::new(&decoding)
        };
        let kind = if args.statement_only {
            "statement"
        } else {
            "certificate"
        };
        let name = clip
            .file_name()
            .unwrap_or(clip.as_os_str())
            .to_string_lossy()
            .into_owned();
        let files = files_of(&args.output.join(format!("{name}.{kind}.json")));
        let written = issue(
            &index,
            clip,
            &options,
            signer.as_deref().map(|signer| signer as &dyn Signer),
            &signer::terms(&args.signing),
            &files,
            &args.extras,
        );
        let mut out = output::stdout();
        match written {
            Ok(written) => {
                exit = exit.worst(written.report.verdict.into());
                tell(&mut out, &written, &files, args.json)?;
            }
            Err(error) => {
                exit = exit.worst(Exit::Error);
                talk::fail_about(clip, &error);
                if args.json {
                    let (path, message) = (clip.to_string_lossy(), talk::about(clip, &error));
                    let object = json!({ "schema": SCHEMA, "clip": { "path": path }, "code": error.code(), "message": message });
                    writeln!(out, "{}", json_line(&object)?)?;
                }
                if matches!(error, Error::Cancelled) {
                    break;
                }
            }
        }
        out.flush()?;
    }
    Ok(exit)
}

/// Paths of the other files of a certificate: next to it, under its name without the extension.
pub(crate) fn files_of(certificate: &Path) -> Files {
    let name = certificate
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let endings = [".certificate.json", ".statement.json", ".json"];
    let stem = endings
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name)
        .to_owned();
    let beside = |ending: &str| certificate.with_file_name(format!("{stem}{ending}"));
    Files {
        certificate: certificate.to_owned(),
        fingerprint: beside(".uniq"),
        bundle: beside(".sigstore.json"),
        timestamp: beside(".tsr"),
    }
}

/// Checks a clip and writes its certificate and fingerprint; without a signer, the statement
/// instead of the certificate.
pub(crate) fn issue(
    index: &Index,
    clip: &Path,
    options: &CheckOptions<'_>,
    signer: Option<&dyn Signer>,
    terms: &Terms<'_>,
    files: &Files,
    extras: &Extras,
) -> uniq::Result<Written> {
    // Fail before the work, which may take long.
    are_free(files)?;
    seal(
        certificate::certify(index, clip, options, terms)?,
        signer,
        files,
        extras,
    )
}

/// Fails if a file of a certificate already exists.
pub(crate) fn are_free(files: &Files) -> uniq::Result<()> {
    [&files.certificate, &files.fingerprint]
        .into_iter()
        .try_for_each(|file| is_free(file))
}

/// Signs an answer and writes it; without a signer, writes the statement.
pub(crate) fn seal(
    certified: Certified,
    signer: Option<&dyn Signer>,
    files: &Files,
    extras: &Extras,
) -> uniq::Result<Written> {
    // Never sign a statement that readers would refuse.
    let payload = certified.statement.payload()?;
    let envelope = signer
        .map(|signer| stamped(Envelope::sign(payload.clone(), signer)?, extras))
        .transpose()?;
    // The certificate comes last, so that a reader of it finds all files that it names.
    write_new(&files.fingerprint, &certified.fingerprint.to_bytes())?;
    let sha256 = match envelope {
        Some(envelope) => write_signed(&envelope, files, extras)?,
        None => {
            write_new(&files.certificate, &payload)?;
            hex(&Sha256::digest(&payload))
        }
    };
    Ok(Written {
        report: certified.report,
        statement: certified.statement,
        sha256,
    })
}

/// Adds a time stamp to the signature, if requested.
fn stamped(mut envelope: Envelope, extras: &Extras) -> uniq::Result<Envelope> {
    let Some(command) = &extras.timestamp_command else {
        return Ok(envelope);
    };
    let refuse = |reason: String| Error::NotSigned {
        reason: format!("--timestamp-command {reason}"),
    };
    let response = signer::piped(command, &envelope.signature).map_err(refuse)?;
    let signature = &envelope.signature;
    let digests = [
        Sha256::digest(signature).to_vec(),
        Sha384::digest(signature).to_vec(),
        Sha512::digest(signature).to_vec(),
    ];
    if !digests.iter().any(|digest| {
        response
            .windows(digest.len())
            .any(|window| window == digest)
    }) {
        return Err(refuse(format!(
            "wrote {} bytes that are not a time stamp of the signature",
            response.len()
        )));
    }
    envelope.timestamps.push(response);
    Ok(envelope)
}

/// Writes an envelope and its additional files. Returns its SHA-256.
pub(super) fn write_signed(
    envelope: &Envelope,
    files: &Files,
    extras: &Extras,
) -> uniq::Result<String> {
    for stamp in &envelope.timestamps {
        write_new(&files.timestamp, stamp)?;
    }
    if extras.sigstore_bundle {
        write_new(&files.bundle, &envelope.to_bundle())?;
    }
    let bytes = envelope.to_json();
    write_new(&files.certificate, &bytes)?;
    Ok(hex(&Sha256::digest(&bytes)))
}

/// Fails if the path exists.
fn is_free(path: &Path) -> uniq::Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let source = std::io::Error::other(
        "the file exists, and signed files are never overwritten; name another folder or file",
    );
    Err(Error::Io {
        path: path.to_owned(),
        doing: "write",
        source,
    })
}

/// Writes a new file, as a whole or not at all.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> uniq::Result<()> {
    is_free(path)?;
    let failed = |doing| {
        move |source| Error::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // The file is meant for others, so the umask decides who may read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed("create"))?;
    file.write_all(bytes).map_err(failed("write"))?;
    file.as_file().sync_all().map_err(failed("sync"))?;
    file.persist_noclobber(path)
        .map_err(|error| failed("rename")(error.error))?;
    Ok(())
}

fn tell(
    out: &mut dyn std::io::Write,
    written: &Written,
    files: &Files,
    json: bool,
) -> anyhow::Result<()> {
    let Written {
        report,
        statement,
        sha256,
    } = written;
    if json {
        let object = json!({
            "schema": SCHEMA,
            "clip": { "path": report.clip.path, "sha256": report.clip.sha256 },
            "verdict": report.verdict,
            "payable_ms": statement.predicate.payable_ms,
            "certificate": files.certificate.to_string_lossy(),
            "certificate_sha256": sha256,
            "fingerprint": files.fingerprint.to_string_lossy(),
            "result_digest": statement.predicate.result_digest,
        });
        writeln!(out, "{}", json_line(&object)?)?;
        return Ok(());
    }
    let verdict = match report.verdict {
        Verdict::Unpublished => "UNPUBLISHED",
        Verdict::PartlyPublished => "PARTLY PUBLISHED",
        Verdict::Published => "PUBLISHED",
        Verdict::Inconclusive => "INCONCLUSIVE",
    };
    let payable = statement.predicate.payable_ms as f64 / 1e3;
    writeln!(
        out,
        "{}: {verdict}, {payable:.1} s payable: {}",
        plain(&report.clip.path),
        plain(&files.certificate.to_string_lossy())
    )?;
    Ok(())
}
