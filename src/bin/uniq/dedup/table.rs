//! The table of `uniq dedup --csv`: a line for each match, with the proposed action.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use uniq::dedup::{Deduplication, PairMatch};
use uniq::report::MatchKind;

use crate::output;

const COLUMNS: [&str; 17] = [
    "kind",
    "identical",
    "clip",
    "other",
    "clip_start_s",
    "clip_end_s",
    "other_start_s",
    "other_end_s",
    "speed",
    "mirrored",
    "evidence_bits",
    "probability",
    "clip_copied_s",
    "other_copied_s",
    "keep",
    "clip_sha256",
    "other_sha256",
];

/// Refuses to replace a file that is no such table: after `--csv`, the shell may have expanded a
/// pattern such as `*.mp4` to a clip.
pub(super) fn refuse_other(path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return Ok(());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        anyhow::bail!(
            "{}: its folder {} does not exist; make it first",
            path.display(),
            folder.display()
        );
    }
    let Ok(meta) = fs::metadata(path) else {
        return Ok(());
    };
    if meta.is_dir() {
        anyhow::bail!(
            "{0}: a folder; name a file in it, such as {0}/pairs.csv",
            path.display()
        );
    }
    let mut head = Vec::new();
    if meta.is_file() {
        let file =
            fs::File::open(path).with_context(|| format!("{}: open failed", path.display()))?;
        file.take(HEAD_BYTES)
            .read_to_end(&mut head)
            .with_context(|| format!("{}: read failed", path.display()))?;
    }
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if !meta.is_file() || !head.is_empty() && first != COLUMNS.join(",").as_bytes() {
        anyhow::bail!(
            "{}: the file exists and is not a table of duplicates; name another file, or remove it first",
            path.display()
        );
    }
    Ok(())
}

/// Writes the table; a file is written as a whole or not at all.
pub(super) fn write(path: &Path, found: &Deduplication) -> anyhow::Result<()> {
    let bytes = table(found)?;
    if path == Path::new("-") {
        return Ok(output::print(&bytes)?);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let failed = || format!("{}: write failed", path.display());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).with_context(failed)?;
    file.write_all(&bytes).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}

fn table(found: &Deduplication) -> anyhow::Result<Vec<u8>> {
    let keep: HashMap<usize, &str> = found
        .groups
        .iter()
        .flat_map(|group| {
            group
                .members
                .iter()
                .map(|member| (member.pair, group.keep.path.as_str()))
        })
        .collect();
    let mut table = csv::WriterBuilder::new().from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for (number, pair) in found.pairs.iter().enumerate() {
        let mut line = |kind: MatchKind, found: Option<&PairMatch>| {
            let alignment = found.map(|found| &found.found.alignment);
            let of = |value: &dyn Fn(&uniq::report::NonMatch) -> String| {
                alignment.map(value).unwrap_or_default()
            };
            let kind = match kind {
                MatchKind::Copy => "copy",
                MatchKind::SameScene => "same_scene",
                MatchKind::Undecided => "undecided",
            };
            table.write_record([
                kind.to_owned(),
                pair.identical.to_string(),
                path(&pair.clip.path),
                path(&pair.other.path),
                of(&|found| found.clip.start_s.to_string()),
                of(&|found| found.clip.end_s.to_string()),
                of(&|found| found.reference.start_s.to_string()),
                of(&|found| found.reference.end_s.to_string()),
                of(&|found| found.speed.to_string()),
                of(&|found| found.mirrored.to_string()),
                alignment
                    .map_or(pair.evidence_bits, |found| found.evidence_bits)
                    .to_string(),
                alignment
                    .map_or(pair.probability, |found| found.probability)
                    .to_string(),
                pair.clip.copied_s.to_string(),
                pair.other.copied_s.to_string(),
                keep.get(&number).map(|kept| path(kept)).unwrap_or_default(),
                pair.clip.sha256.clone(),
                pair.other.sha256.clone(),
            ])
        };
        if pair.matches.is_empty() {
            line(pair.kind, None)?;
        }
        for found in &pair.matches {
            line(found.found.kind, Some(found))?;
        }
    }
    Ok(table.into_inner()?)
}

/// A path that spreadsheets do not take for a formula: they see `./` before it.
fn path(path: &str) -> String {
    if path.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("./{path}")
    } else {
        path.to_owned()
    }
}

/// More bytes than the first line of a table has.
const HEAD_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_a_table_and_of_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pairs.csv");
        assert!(refuse_other(&file).is_ok());
        fs::write(&file, "").unwrap();
        assert!(refuse_other(&file).is_ok());
        fs::write(&file, format!("{}\ncopy,", COLUMNS.join(","))).unwrap();
        assert!(refuse_other(&file).is_ok());
        fs::write(&file, "\0\0\0\x20ftypisom").unwrap();
        assert!(
            refuse_other(&file)
                .unwrap_err()
                .to_string()
                .contains("not a table of duplicates")
        );
        assert!(
            refuse_other(dir.path())
                .unwrap_err()
                .to_string()
                .contains("a folder")
        );
        assert!(
            refuse_other(&dir.path().join("no/pairs.csv"))
                .unwrap_err()
                .to_string()
                .contains("make it first")
        );
    }

    #[test]
    fn no_path_is_a_formula() {
        assert_eq!(path("=cmd|' /C calc'!A0.mp4"), "./=cmd|' /C calc'!A0.mp4");
        assert_eq!(path("/v/=a.mp4"), "/v/=a.mp4");
    }
}
