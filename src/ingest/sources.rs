//! Finds the sources that a caller names: files, folders, lists, and the side files of yt-dlp.

mod lists;
#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::index::Publication;
use crate::media::sniff::{self, HEAD_BYTES};
use crate::media::{Links, open_plain};
use crate::{Error, Result};

pub use crate::media::sniff::VIDEO_EXTENSIONS;

/// A video file, and what is known of its publication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Facts from the list or the side file.
    pub publication: Publication,
    /// Facts from lists only. They take precedence over those of an index; side files only add to
    /// them.
    pub listed: Publication,
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Source {
        Source {
            path,
            ..Source::default()
        }
    }
}

/// The sources found, and what could not be read.
#[derive(Debug, Default)]
pub struct Sources {
    /// Each file once, in the order given, with the facts of all lists. Files of a folder are
    /// sorted by name.
    pub sources: Vec<Source>,
    /// Files, folders and lines that could not be read, with the error.
    pub problems: Vec<(PathBuf, Error)>,
    /// Files of folders that are no videos by their extension and first bytes.
    pub no_videos: Vec<PathBuf>,
}

/// The extensions of files in lower case with their counts, most frequent first.
pub fn endings(files: &[PathBuf]) -> Vec<(String, usize)> {
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for path in files {
        *endings.entry(ending(path).unwrap_or_default()).or_default() += 1;
    }
    let mut endings: Vec<_> = endings.into_iter().collect();
    endings.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then(a.cmp(b)));
    endings
}

/// Limits of the search for sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether to follow symbolic links in folders.
    pub links: Links,
    /// The folder that must contain all files that lists name; `None` means the folder of each
    /// list.
    pub list_root: Option<PathBuf>,
}

/// Finds the sources that `inputs` name: video files, folders (searched to the bottom), and lists.
///
/// In a folder, files count as videos if they have the extension of a video ([`VIDEO_EXTENSIONS`])
/// or begin like one ([`sniff::is_video`]); the others are in [`Sources::no_videos`]. A file that
/// is named directly may have any name.
///
/// A list is a `.csv` file with a header or a `.jsonl` file of objects. The column `path` (or
/// `file`, `filename`) names the file, relative to the list's folder. Its publication is described
/// by `url` (`webpage_url`), `title`, `uploader` (`channel`, `author`), `platform`
/// (`extractor_key`, `extractor`, `site`) and `published_at` (`upload_date`, `date`). Missing facts
/// are taken from the file `NAME.info.json` that yt-dlp writes beside `NAME.EXT`. A date is
/// `YYYY-MM-DD`, `YYYYMMDD` or a moment as in RFC 3339; any other is ignored and reported as a
/// problem.
///
/// # Errors
///
/// [`Error::Io`] for an input or a list's root that does not exist, [`Error::InvalidList`] for a
/// list without a column of files. Unreadable lines and files, links, and files outside a list's
/// folder are in [`Sources::problems`].
pub fn sources(inputs: &[PathBuf]) -> Result<Sources> {
    sources_within(inputs, &Reach::default())
}

/// Like [`sources`], with other limits.
///
/// # Errors
///
/// Those of [`sources`].
pub fn sources_within(inputs: &[PathBuf], reach: &Reach) -> Result<Sources> {
    let mut found = files_within(inputs, reach)?;
    for source in &mut found.sources {
        // A missing file is reported once, when it is opened.
        if let Err(error) = lists::complete(source, reach.links)
            && fs::symlink_metadata(&source.path).is_ok()
        {
            found
                .problems
                .push((source.path.with_extension("info.json"), error));
        }
    }
    Ok(found)
}

/// Like [`sources_within`], without the side files.
///
/// # Errors
///
/// Those of [`sources`].
pub fn files_within(inputs: &[PathBuf], reach: &Reach) -> Result<Sources> {
    let mut found = Sources::default();
    if let Some(root) = &reach.list_root
        && !fs::metadata(root)
            .map_err(Error::io(root, "open"))?
            .is_dir()
    {
        return Err(Error::io(root, "open")(
            std::io::ErrorKind::NotADirectory.into(),
        ));
    }
    for input in inputs {
        let meta = fs::metadata(input).map_err(Error::io(input, "open"))?;
        if meta.is_dir() {
            from_folder(input, reach, &mut found);
        } else if is_list(input) {
            lists::read(input, reach, &mut found)?;
        } else {
            found.sources.push(input.clone().into());
        }
    }
    found.sources = each_once(found.sources);
    Ok(found)
}

/// The files of a list without a name, such as one from a pipe: lines of JSON objects, CSV with a
/// header that has a column of files, or one file per line. Their paths are unrestricted, since the
/// caller wrote them.
///
/// # Errors
///
/// [`Error::InvalidList`] for a table whose header cannot be read. Other unreadable lines are in
/// [`Sources::problems`], under `name`.
pub fn files_listed(name: &Path, text: &str) -> Result<Sources> {
    let mut found = Sources::default();
    lists::read_text(name, text, &mut found)?;
    Ok(found)
}

/// Whether a name is that of a list.
pub fn is_list(path: &Path) -> bool {
    has_extension(path, &["csv", "jsonl", "ndjson"])
}

/// Removes duplicates and keeps the first. Facts of earlier entries take precedence over those of
/// later ones.
fn each_once(sources: Vec<Source>) -> Vec<Source> {
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut once: Vec<Source> = Vec::with_capacity(sources.len());
    for source in sources {
        match places.entry(fs::canonicalize(&source.path).unwrap_or_else(|_| source.path.clone())) {
            Entry::Occupied(place) => {
                once[*place.get()].publication.fill(source.publication);
                once[*place.get()].listed.fill(source.listed);
            }
            Entry::Vacant(place) => {
                place.insert(once.len());
                once.push(source);
            }
        }
    }
    once
}

/// The extension of a name in lower case.
fn ending(path: &Path) -> Option<String> {
    path.extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    ending(path).is_some_and(|ending| extensions.contains(&ending.as_str()))
}

fn from_folder(folder: &Path, reach: &Reach, found: &mut Sources) {
    for entry in WalkDir::new(folder)
        .follow_links(reach.links == Links::Follow)
        .sort_by_file_name()
    {
        match entry {
            // A side file is read together with its video.
            Ok(entry) if entry.file_type().is_file() && is_side_file(entry.path()) => {}
            Ok(entry) if entry.file_type().is_file() => {
                let path = entry.into_path();
                match begins_like_video(&path, reach.links) {
                    Ok(true) => found.sources.push(path.into()),
                    Ok(false) => found.no_videos.push(path),
                    Err(error) => found.problems.push((path, error)),
                }
            }
            // The folder itself may be a link, because the caller named it.
            Ok(entry)
                if reach.links == Links::Refuse && entry.path_is_symlink() && entry.depth() > 0 =>
            {
                let path = entry.into_path();
                if path.is_dir() || has_extension(&path, VIDEO_EXTENSIONS) {
                    found.problems.push((path.clone(), Error::Link { path }));
                } else if !is_side_file(&path) {
                    found.no_videos.push(path);
                }
            }
            // Opening it reports what it is instead of a file, and does not block on a pipe.
            Ok(entry)
                if !entry.file_type().is_dir() && has_extension(entry.path(), VIDEO_EXTENSIONS) =>
            {
                let path = entry.into_path();
                match open_plain(&path, reach.links) {
                    Ok(_) => found.sources.push(path.into()),
                    Err(error) => found.problems.push((path, error)),
                }
            }
            Ok(entry) if !entry.file_type().is_dir() => found.no_videos.push(entry.into_path()),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                let source = error
                    .into_io_error()
                    .unwrap_or_else(|| std::io::Error::other("a loop of links"));
                found.problems.push((
                    path.clone(),
                    Error::Io {
                        path,
                        doing: "read",
                        source,
                    },
                ));
            }
        }
    }
}

/// Whether a file of a folder is a video, by its name or else by its first bytes.
fn begins_like_video(path: &Path, links: Links) -> Result<bool> {
    if has_extension(path, VIDEO_EXTENSIONS) {
        return Ok(true);
    }
    let mut head = Vec::new();
    let read = open_plain(path, links)?
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head);
    read.map_err(Error::io(path, "read"))?;
    Ok(sniff::is_video(&head))
}

/// Whether it is a file that yt-dlp writes next to a video.
fn is_side_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        name.to_string_lossy()
            .to_lowercase()
            .ends_with(".info.json")
    })
}
