//! Reads lists of videos, and the side files of yt-dlp.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Reach, Source, Sources, has_extension};
use crate::index::Publication;
use crate::media::{Links, open_plain};
use crate::{Error, Result};

/// A line of a list: values by column name.
type Fields = Map<String, Value>;

/// Reads a list that the caller named, and follows links to it. A pipe without a writer does not
/// block.
pub(super) fn read(list: &Path, reach: &Reach, found: &mut Sources) -> Result<()> {
    let file = open_text(list, Links::Follow)?;
    let bytes = file.metadata().map_err(Error::io(list, "open"))?.len();
    if bytes > LIST_MAX {
        let reason =
            format!("the list has {bytes} bytes, and at most {LIST_MAX} are allowed; split it");
        return Err(Error::InvalidList {
            path: list.to_owned(),
            line: 1,
            reason,
        });
    }
    let folder = list.parent().unwrap_or(Path::new(""));
    let root = reach.list_root.as_deref().unwrap_or(folder);
    let mut reading = Reading {
        list,
        folder,
        root: Some(root),
        found,
        outside: None,
    };
    if has_extension(list, &["csv"]) {
        reading.csv(file)?;
    } else {
        let mut text = String::new();
        let mut file = file;
        file.read_to_string(&mut text)
            .map_err(Error::io(list, "read"))?;
        reading.json_lines(&text);
    }
    reading.tell_outside();
    Ok(())
}

/// Reads a list without a name; its paths are unrestricted.
pub(super) fn read_text(name: &Path, text: &str, found: &mut Sources) -> Result<()> {
    let mut reading = Reading {
        list: name,
        folder: Path::new(""),
        root: None,
        found,
        outside: None,
    };
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim();
    let header = first.trim_start_matches('\u{feff}').to_lowercase();
    if first.starts_with('{') {
        reading.json_lines(text);
    } else if header
        .split(',')
        .any(|column| PATH_NAMES.contains(&column.trim().trim_matches('"')))
    {
        reading.csv(text.as_bytes())?;
    } else {
        let lines = text
            .lines()
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        reading.found.sources.extend(
            lines
                .filter(|line| !line.is_empty())
                .map(|line| PathBuf::from(line).into()),
        );
    }
    Ok(())
}

/// A list that is being read.
struct Reading<'a> {
    list: &'a Path,
    /// The folder to which its paths are relative.
    folder: &'a Path,
    /// The folder that must contain its files.
    root: Option<&'a Path>,
    found: &'a mut Sources,
    outside: Option<Outside>,
}

/// Files of a list outside the permitted folder.
struct Outside {
    files: u64,
    /// Line of the first such file, and its path as written.
    line: u64,
    first: String,
    /// The folder that contains all of them.
    common: PathBuf,
}

impl Reading<'_> {
    fn invalid(&self, line: u64, reason: String) -> Error {
        Error::InvalidList {
            path: self.list.to_owned(),
            line,
            reason,
        }
    }

    fn problem(&mut self, line: u64, reason: String) {
        let error = self.invalid(line, reason);
        self.found.problems.push((self.list.to_owned(), error));
    }

    fn csv(&mut self, input: impl std::io::Read) -> Result<()> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(input);
        let header = reader
            .headers()
            .map_err(|error| self.invalid(1, error.to_string()))?
            .clone();
        let columns: Vec<String> = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_lowercase())
            .collect();
        if !PATH_NAMES
            .iter()
            .any(|name| columns.iter().any(|column| column == name))
        {
            let found = match columns.iter().all(String::is_empty) {
                true => "nothing".to_owned(),
                false => columns.join(", "),
            };
            let names = PATH_NAMES.join(" or ");
            let reason = format!(
                "no column {names} (found: {found}); begin the list with a line that names its columns"
            );
            return Err(self.invalid(1, reason));
        }
        for record in reader.records() {
            let row = match record {
                Ok(row) => row,
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    self.problem(line, error.to_string());
                    continue;
                }
            };
            let line = row.position().map_or(0, csv::Position::line);
            let fields = columns
                .iter()
                .cloned()
                .zip(row.iter().map(|value| Value::String(value.to_owned())))
                .collect();
            self.add(line, &fields);
        }
        Ok(())
    }

    fn json_lines(&mut self, text: &str) {
        for (number, line) in (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
        {
            match serde_json::from_str::<Fields>(line) {
                Ok(fields) => self.add(number, &fields),
                Err(error) => self.problem(number, format!("not a JSON object: {error}")),
            }
        }
    }

    /// Adds one line of the list.
    fn add(&mut self, line: u64, fields: &Fields) {
        let given = PATH_NAMES
            .iter()
            .find_map(|name| Some((*name, fields.get(*name).filter(|value| !value.is_null())?)));
        if let Some((name, value)) = given.filter(|(_, value)| !value.is_string()) {
            return self.problem(
                line,
                format!(
                    "{name} is {}; it must be a string",
                    shortened(&value.to_string())
                ),
            );
        }
        let Some(path) = text(fields, PATH_NAMES) else {
            return self.problem(line, format!("no {}", PATH_NAMES.join(" or ")));
        };
        if let Some(root) = self.root
            && climbs_out(self.folder, Path::new(&path), root)
        {
            return self.outside(line, path);
        }
        let senseless = |name: &&&str| {
            fields.get(**name).is_some_and(|value| {
                !matches!(value, Value::String(_) | Value::Number(_) | Value::Null)
            })
        };
        for name in FACT_NAMES.iter().copied().flatten().filter(senseless) {
            let value = shortened(&fields[*name].to_string());
            self.problem(
                line,
                format!("{name} is {value} and is left out; it must be a string"),
            );
        }
        let (publication, wrong) = publication(fields);
        if let Some(date) = wrong {
            self.problem(line, wrong_date(&date));
        }
        let path = self.folder.join(path);
        self.found.sources.push(Source {
            path,
            listed: publication.clone(),
            publication,
        });
    }

    /// Records that a file lies outside the permitted folder.
    fn outside(&mut self, line: u64, path: String) {
        let folder = self.folder.join(&path);
        let folder = folder.parent().unwrap_or(Path::new("/"));
        match &mut self.outside {
            Some(outside) => {
                outside.files += 1;
                while !folder.starts_with(&outside.common) && outside.common.pop() {}
            }
            None => {
                self.outside = Some(Outside {
                    files: 1,
                    line,
                    first: path,
                    common: folder.to_owned(),
                })
            }
        }
    }

    /// Reports all outside files at once, since one remedy helps all.
    fn tell_outside(&mut self) {
        let (
            Some(Outside {
                files,
                line,
                first,
                common,
            }),
            Some(root),
        ) = (self.outside.take(), self.root)
        else {
            return;
        };
        let (others, lead) = match files {
            1 => (String::new(), "leads"),
            2 => (" and 1 more file".to_owned(), "lead"),
            _ => (format!(" and {} more files", files - 1), "lead"),
        };
        let root = if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            root
        }
        .display();
        let allow = if common.as_os_str().is_empty() {
            Path::new("DIR")
        } else {
            &common
        }
        .display();
        let reason = format!(
            "{first}{others} {lead} out of {root}, and this list may name only files inside it; allow more with --list-root {allow}"
        );
        let path = self.list.to_owned();
        self.found.problems.push((
            path.clone(),
            Error::OutsideList {
                path,
                line,
                files,
                reason,
            },
        ));
    }
}

/// Opens a regular file that is no video.
fn open_text(path: &Path, links: Links) -> Result<fs::File> {
    open_plain(path, links).map_err(|error| match error {
        Error::NotMedia { path, reason } => Error::InvalidList {
            path,
            line: 1,
            reason,
        },
        error => error,
    })
}

/// Maximum size of a list, in bytes: some millions of lines.
const LIST_MAX: u64 = 1 << 30;

/// Whether a path in a list in `folder` lies outside `root`, by its components or through links.
fn climbs_out(folder: &Path, path: &Path, root: &Path) -> bool {
    let whole = folder.join(path);
    let root = if root.as_os_str().is_empty() {
        Path::new(".")
    } else {
        root
    };
    match (whole.canonicalize(), root.canonicalize()) {
        (Ok(whole), Ok(root)) => !whole.starts_with(root),
        // A missing file is inside if its nearest existing ancestor is, and the missing components
        // are plain names.
        (Err(_), Ok(root)) => {
            let mut there = whole.as_path();
            let mut inside = true;
            loop {
                if let Ok(there) = if there.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    there
                }
                .canonicalize()
                {
                    return !inside || !there.starts_with(root);
                }
                inside &= matches!(there.components().next_back(), Some(Component::Normal(_)));
                match there.parent() {
                    Some(parent) => there = parent,
                    None => return true,
                }
            }
        }
        (_, Err(_)) => true,
    }
}

/// The first characters of a text of any length.
fn shortened(text: &str) -> String {
    let mut rest = text.chars();
    let head: String = rest.by_ref().take(40).collect();
    if rest.next().is_some() {
        head + "…"
    } else {
        head
    }
}

const PATH_NAMES: &[&str] = &["path", "file", "filename"];

/// Column names of the address, title, uploader, platform and date of a publication.
const FACT_NAMES: [&[&str]; 5] = [
    &["url", "webpage_url"],
    &["title"],
    &["uploader", "channel", "author"],
    &["platform", "extractor_key", "extractor", "site"],
    &["published_at", "upload_date", "date"],
];

/// The facts about the publication, and the text of an invalid date.
fn publication(fields: &Fields) -> (Publication, Option<String>) {
    let [url, title, uploader, platform, published_at] = FACT_NAMES;
    let (published_at, wrong) = match text(fields, published_at) {
        None => (None, None),
        Some(text) => match date(&text) {
            Some(date) => (Some(date), None),
            None => (None, Some(text)),
        },
    };
    let publication = Publication {
        url: text(fields, url),
        title: text(fields, title),
        uploader: text(fields, uploader),
        platform: text(fields, platform),
        published_at,
    };
    (publication, wrong)
}

/// The first of the named fields that is not empty.
fn text(fields: &Fields, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match fields.get(*name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// A day as `YYYY-MM-DD`, or a moment in RFC 3339; `None` if the text is neither or the day does
/// not exist.
pub(super) fn date(text: &str) -> Option<String> {
    let is_like = |shape: &str| {
        let fits = |(byte, shape): (u8, u8)| {
            if shape == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == shape
            }
        };
        text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
    };
    if is_like("00000000") || is_like("0000-00-00") {
        let day: jiff::civil::Date = text.parse().ok()?;
        return Some(day.to_string());
    }
    let (time, rest) = (text.get(..19)?, text.get(19..)?);
    let is_moment = time
        .as_bytes()
        .iter()
        .enumerate()
        .all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => matches!(byte, b'T' | b't' | b' '),
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    // Without a time zone, the moment is unknown.
    let has_zone =
        rest.ends_with(['Z', 'z']) || rest.len() >= 6 && rest.as_bytes()[rest.len() - 3] == b':';
    (is_moment && has_zone && text.parse::<jiff::Timestamp>().is_ok()).then(|| text.to_owned())
}

fn wrong_date(found: &str) -> String {
    format!(
        "the date of publication is {}; it must be like 2024-01-31, 20240131 or 2024-01-31T18:30:00Z",
        shortened(found)
    )
}

/// Adds facts from yt-dlp's side file. Its `url` is the address of the media file, which expires,
/// so `webpage_url` comes first.
pub(super) fn complete(source: &mut Source, links: Links) -> Result<()> {
    let side = source.path.with_extension("info.json");
    let file = match open_text(&side, links) {
        Ok(file) => file,
        // If the video's name leaves no room for the extension, there is no side file.
        Err(Error::Io { source, .. })
            if matches!(
                source.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let bytes = file.metadata().map_err(Error::io(&side, "open"))?.len();
    if bytes > SIDE_FILE_MAX {
        let reason = format!(
            "the file has {bytes} bytes, and at most {SIDE_FILE_MAX} are allowed; shorten or remove it"
        );
        return Err(Error::InvalidList {
            path: side,
            line: 1,
            reason,
        });
    }
    let mut reader = std::io::BufReader::new(file.take(SIDE_FILE_MAX));
    let mut stream = serde_json::Deserializer::from_reader(&mut reader);
    let mut fields = Map::deserialize(&mut stream).map_err(|error| Error::InvalidList {
        path: side.clone(),
        line: error.line() as u64,
        reason: format!("not a JSON object: {error}"),
    })?;
    if let Some(page) = fields
        .get("webpage_url")
        .or_else(|| fields.get("original_url"))
        .cloned()
    {
        fields.insert("url".to_owned(), page);
    }
    let (publication, wrong) = publication(&fields);
    source.publication.fill(publication);
    match wrong {
        Some(date) if source.publication.published_at.is_none() => Err(Error::InvalidList {
            path: side,
            line: 1,
            reason: wrong_date(&date),
        }),
        _ => Ok(()),
    }
}

/// Maximum size of a side file, in bytes; those of long videos with comments have some megabytes.
const SIDE_FILE_MAX: u64 = 64 << 20;
