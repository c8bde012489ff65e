//! Footage of several folders, and which videos show the same content.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use uniq::media;

use crate::footage::{Clip, sha256};

/// Number of folds for cross-validation.
pub(crate) const FOLDS: usize = 10;

/// All videos.
pub(crate) struct Contents {
    /// In the order of folders and lists, without files of the same bytes.
    pub(crate) clips: Vec<Clip>,
    known: HashMap<String, Known>,
}

/// A list's facts about a video.
#[derive(Debug, Clone)]
struct Known {
    content: String,
    family: Option<String>,
    /// Whether it is marked as a copy of another video of its family.
    copy: bool,
}

impl Contents {
    /// Reads folders that each have a `manifest.csv` or a `takes.csv`. Columns: `file`, and if
    /// known `group` (the same content), `family` (takes of one scene), `source` (a repository, `:`
    /// and a path), `relation` (`copy` for a file that copies another of its family) and
    /// `duration_s`.
    pub(crate) fn read(folders: &[PathBuf]) -> anyhow::Result<Contents> {
        let mut clips: Vec<Clip> = Vec::new();
        let mut rows: Vec<(String, Vec<String>, Option<String>, bool)> = Vec::new();
        for folder in folders {
            let list = ["manifest.csv", "takes.csv"]
                .map(|name| folder.join(name))
                .into_iter()
                .find(|list| list.is_file());
            let list = list.with_context(|| {
                format!(
                    "{}: no manifest.csv and no takes.csv; list the videos in one, in the column `file`",
                    folder.display()
                )
            })?;
            read_list(&list, &mut clips, &mut rows)?;
        }
        // Videos that share a name have the same content.
        let mut joined = Joined::default();
        for (_, names, _, _) in &rows {
            names
                .iter()
                .skip(1)
                .for_each(|name| joined.join(&names[0], name));
        }
        let known = rows.iter().map(|(sha256, names, family, copy)| {
            let content = joined.root(&names[0]);
            (
                sha256.clone(),
                Known {
                    content,
                    family: family.clone(),
                    copy: *copy,
                },
            )
        });
        let known: HashMap<String, Known> = known.collect();
        let contents = Contents { clips, known };
        if contents.number() < FOLDS {
            bail!(
                "{} contents in the footage; at least {FOLDS} are needed, one for each fold",
                contents.number()
            );
        }
        Ok(contents)
    }

    /// Number of different contents.
    pub(crate) fn number(&self) -> usize {
        self.known
            .values()
            .map(|known| &known.content)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    }

    /// The content of a video; all videos of one group, family or repository have the same.
    pub(crate) fn content(&self, sha256: &str) -> &str {
        self.known.get(sha256).map_or("", |known| &known.content)
    }

    /// The scene of a take.
    pub(crate) fn family(&self, sha256: &str) -> Option<&str> {
        self.known.get(sha256)?.family.as_deref()
    }

    /// Whether two videos might show the same recording, which nobody has verified.
    pub(crate) fn may_be_copies(&self, one: &str, other: &str) -> bool {
        let copy = |sha256: &str| self.known.get(sha256).is_some_and(|known| known.copy);
        let group = |sha256: &str| {
            self.clips
                .iter()
                .find(|clip| clip.sha256 == sha256)
                .map(|clip| &clip.group)
        };
        group(one) == group(other)
            || (copy(one) || copy(other))
                && self.family(one).is_some()
                && self.family(one) == self.family(other)
    }

    /// The fold of a content.
    pub(crate) fn fold(content: &str) -> usize {
        Sha256::digest(content)
            .iter()
            .fold(0, |rest, byte| (rest * 256 + usize::from(*byte)) % FOLDS)
    }
}

fn read_list(
    list: &Path,
    clips: &mut Vec<Clip>,
    rows: &mut Vec<(String, Vec<String>, Option<String>, bool)>,
) -> anyhow::Result<()> {
    let name = || list.display().to_string();
    let mut reader = csv::Reader::from_path(list).with_context(name)?;
    for record in reader.deserialize::<HashMap<String, String>>() {
        let record = record.with_context(name)?;
        let field = |column: &str| record.get(column).filter(|text| !text.is_empty()).cloned();
        let path = list.with_file_name(
            field("file").with_context(|| format!("{}: a line without a file", name()))?,
        );
        let info = media::probe(&path)?;
        let listed = field("duration_s").and_then(|text| text.parse().ok());
        let duration_s = info.declared.map(|time| time.as_secs_f64()).or(listed);
        let duration_s =
            duration_s.with_context(|| format!("{}: its length is not known", path.display()))?;
        let digest = hex::encode(sha256(&path)?);
        if clips.iter().any(|clip| clip.sha256 == digest) {
            continue;
        }
        let (group, family) = (field("group"), field("family"));
        let repository =
            field("source").and_then(|source| source.split(':').next().map(str::to_owned));
        let prefixed = |prefix: &str, name: &Option<String>| {
            name.as_ref().map(|name| format!("{prefix} {name}"))
        };
        let mut names = vec![format!("file {digest}")];
        names.extend(
            [
                prefixed("group", &group),
                prefixed("family", &family),
                prefixed("repository", &repository),
            ]
            .into_iter()
            .flatten(),
        );
        rows.push((
            digest.clone(),
            names,
            family,
            field("relation").as_deref() == Some("copy"),
        ));
        let group = group.unwrap_or_else(|| path.to_string_lossy().into_owned());
        clips.push(Clip {
            sha256: digest,
            group,
            duration_s,
            size: (info.width, info.height),
            path,
        });
    }
    Ok(())
}

/// Sets of joined names.
#[derive(Default)]
struct Joined(BTreeMap<String, String>);

impl Joined {
    fn root(&self, name: &str) -> String {
        let mut name = name;
        while let Some(next) = self.0.get(name) {
            name = next;
        }
        name.to_owned()
    }

    fn join(&mut self, one: &str, other: &str) {
        let (one, other) = (self.root(one), self.root(other));
        // The lesser name represents the set, so that the order of files does not matter.
        if one != other {
            self.0
                .insert(one.clone().max(other.clone()), one.min(other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_joined_have_one_root_whatever_the_order() {
        for pairs in [
            [("a", "b"), ("c", "d"), ("b", "d")],
            [("d", "b"), ("d", "c"), ("b", "a")],
        ] {
            let mut joined = Joined::default();
            pairs
                .iter()
                .for_each(|(one, other)| joined.join(one, other));
            assert!(
                ["a", "b", "c", "d"]
                    .iter()
                    .all(|name| joined.root(name) == "a")
            );
            assert_eq!(joined.root("e"), "e");
        }
    }

    #[test]
    fn contents_spread_over_the_folds() {
        let folds: std::collections::BTreeSet<usize> =
            (0..200).map(|n| Contents::fold(&n.to_string())).collect();
        assert_eq!(folds.len(), FOLDS);
    }
}
