//! Finds the clips that a command line names: files, folders, lists, and a list on standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use uniq::Error;
use uniq::ingest::{self, Reach, Sources};

use crate::args::{Check, Guard};
use crate::guard;

/// The clips, and the inputs without any.
#[derive(Debug, Default)]
pub(crate) struct Clips {
    /// In the order given.
    pub(crate) clips: Vec<PathBuf>,
    /// Folders, lists and lines that could not be read.
    pub(crate) problems: Vec<(PathBuf, Error)>,
    /// Files of folders that are no videos.
    pub(crate) no_videos: Vec<PathBuf>,
}

/// Finds the clips of `uniq check`.
pub(crate) fn clips(args: &Check) -> anyhow::Result<Clips> {
    named(&args.clips, &args.guard, args.list_root.clone())
}

/// Finds the clips that these inputs name, with the guard's view of links.
pub(crate) fn named(
    inputs: &[PathBuf],
    guard: &Guard,
    list_root: Option<PathBuf>,
) -> anyhow::Result<Clips> {
    clips_within(
        inputs,
        &Reach {
            links: guard::links(guard),
            list_root,
        },
    )
}

/// Finds the clips that these inputs name.
pub(crate) fn clips_within(inputs: &[PathBuf], reach: &Reach) -> anyhow::Result<Clips> {
    let mut found = Clips::default();
    for input in inputs {
        if input == Path::new("-") {
            let mut text = Vec::new();
            std::io::stdin()
                .lock()
                .take(LIST_MAX)
                .read_to_end(&mut text)
                .context("the list on standard input")?;
            found.extend(input, ingest::files_listed(input, &listed(text)?));
        } else if input.is_dir() || ingest::is_list(input) && input.is_file() {
            found.extend(
                input,
                ingest::files_within(std::slice::from_ref(input), reach),
            );
        } else {
            // If something is wrong with it, checking it reports that.
            found.clips.push(input.clone());
        }
    }
    if found.clips.is_empty() && found.problems.is_empty() {
        let given: Vec<_> = inputs
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        anyhow::bail!(
            "no clip found in {}; name a video, or a folder or list that has one",
            given.join(", ")
        );
    }
    Ok(found)
}

impl Clips {
    fn extend(&mut self, input: &Path, sources: uniq::Result<Sources>) {
        match sources {
            Ok(sources) => {
                self.clips
                    .extend(sources.sources.into_iter().map(|source| source.path));
                self.problems.extend(sources.problems);
                self.no_videos.extend(sources.no_videos);
            }
            Err(error) => self.problems.push((input.to_owned(), error)),
        }
    }
}

fn listed(text: Vec<u8>) -> anyhow::Result<String> {
    if text.len() as u64 >= LIST_MAX {
        anyhow::bail!("the list on standard input has {LIST_MAX} bytes or more; split it");
    }
    String::from_utf8(text)
        .context("the list on standard input is not UTF-8 text; save it as UTF-8")
}

/// Maximum size of a list, in bytes: some millions of lines.
const LIST_MAX: u64 = 1 << 30;
