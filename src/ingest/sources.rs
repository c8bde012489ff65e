//! Reads what a caller names as sources: files, folders, lists, and the side files of yt-dlp.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use walkdir::WalkDir;

use crate::index::Publication;
use crate::media::{Links, open_plain};
use crate::{Error, Result};

/// A video file and what is known of its publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// What the list or the side file says.
    pub publication: Publication,
}

/// The sources found, and what could not be read on the way.
#[derive(Debug, Default)]
pub struct Sources {
    /// Each file once, in the order given, with what any list says of it; files of a folder by name.
    pub sources: Vec<Source>,
    /// Files, folders and lines that could not be read, and why.
    pub problems: Vec<(PathBuf, Error)>,
}

/// How far the search for sources may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether symbolic links in folders are followed.
    pub links: Links,
    /// The folder in which all files that lists name must lie; `None` takes the folder of each list.
    pub list_root: Option<PathBuf>,
}

/// Endings, in lower case, of the files that are taken from a folder. A file named by itself may have any.
pub const VIDEO_EXTENSIONS: &[&str] = &[
    "3g2", "3gp", "apng", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "h264", "h265", "hevc", "ivf", "m2ts",
    "m2v", "m4v", "mjpeg", "mjpg", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "nut", "obu", "ogg", "ogv", "qt",
    "ts", "vob", "webm", "wmv", "y4m",
];

/// Finds the sources that `inputs` name: video files, folders (searched to the bottom), and lists.
///
/// A list is a `.csv` file with a header or a `.jsonl` file of objects. The file is in the column `path` (or `file`,
/// `filename`), relative to the list's folder; what is known of its publication in `url` (`webpage_url`), `title`,
/// `uploader` (`channel`, `author`), `platform` (`extractor_key`, `extractor`, `site`) and `published_at`
/// (`upload_date`, `date`). What the list leaves open is taken from the file `NAME.info.json` that yt-dlp writes
/// beside `NAME.EXT`. A date of eight digits is read as year, month and day; all else is kept as it is written.
///
/// # Errors
///
/// [`Error::Io`] for an input or a list's root that does not exist, [`Error::InvalidList`] for a list without a column of files. Single
/// lines and files that cannot be read, links, and files that lead out of a list's folder are in [`Sources::problems`].
pub fn sources(inputs: &[PathBuf]) -> Result<Sources> {
    sources_within(inputs, &Reach::default())
}

/// Like [`sources`], with another reach than the usual.
///
/// # Errors
///
/// Those of [`sources`].
pub fn sources_within(inputs: &[PathBuf], reach: &Reach) -> Result<Sources> {
    let mut found = Sources::default();
    if let Some(root) = &reach.list_root
        && !fs::metadata(root).map_err(Error::io(root, "open"))?.is_dir()
    {
        return Err(Error::io(root, "open")(std::io::ErrorKind::NotADirectory.into()));
    }
    for input in inputs {
        let meta = fs::metadata(input).map_err(Error::io(input, "open"))?;
        if meta.is_dir() {
            from_folder(input, reach, &mut found);
        } else if has_extension(input, &["csv"]) {
            from_csv(input, reach, &mut found)?;
        } else if has_extension(input, &["jsonl", "ndjson"]) {
            from_jsonl(input, reach, &mut found)?;
        } else {
            found.sources.push(Source { path: input.clone(), publication: Publication::default() });
        }
    }
    found.sources = each_once(found.sources);
    for source in &mut found.sources {
        // A file that is not there is told of once, when it is opened.
        if let Err(error) = complete(source, reach.links)
            && fs::symlink_metadata(&source.path).is_ok()
        {
            found.problems.push((source.path.with_extension("info.json"), error));
        }
    }
    Ok(found)
}

/// Each file once, where it comes first; what is known of it from there counts before what comes later.
fn each_once(sources: Vec<Source>) -> Vec<Source> {
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut once: Vec<Source> = Vec::with_capacity(sources.len());
    for source in sources {
        match places.entry(fs::canonicalize(&source.path).unwrap_or_else(|_| source.path.clone())) {
            Entry::Occupied(place) => fill(&mut once[*place.get()].publication, source.publication),
            Entry::Vacant(place) => {
                place.insert(once.len());
                once.push(source);
            }
        }
    }
    once
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| extensions.contains(&extension.as_str()))
}

fn from_folder(folder: &Path, reach: &Reach, found: &mut Sources) {
    for entry in WalkDir::new(folder).follow_links(reach.links == Links::Follow).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && has_extension(entry.path(), VIDEO_EXTENSIONS) => {
                found.sources.push(Source { path: entry.into_path(), publication: Publication::default() });
            }
            // The folder itself may be a link: the caller has named it.
            Ok(entry) if reach.links == Links::Refuse && entry.path_is_symlink() && entry.depth() > 0 => {
                let path = entry.into_path();
                if path.is_dir() || has_extension(&path, VIDEO_EXTENSIONS) {
                    found.problems.push((path.clone(), Error::Link { path }));
                }
            }
            // Opening it says what it is instead of a file, and waits for nobody.
            Ok(entry) if !entry.file_type().is_dir() && has_extension(entry.path(), VIDEO_EXTENSIONS) => {
                let path = entry.into_path();
                match open_plain(&path, reach.links) {
                    Ok(_) => found.sources.push(Source { path, publication: Publication::default() }),
                    Err(error) => found.problems.push((path, error)),
                }
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_owned();
                let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("a loop of links"));
                found.problems.push((path.clone(), Error::Io { path, doing: "read", source }));
            }
        }
    }
}

/// Opens a list, which the caller has named, at whatever it links to; a pipe without a writer does not hold us up.
fn open_list(list: &Path) -> Result<fs::File> {
    let file = open_text(list, Links::Follow)?;
    let bytes = file.metadata().map_err(Error::io(list, "open"))?.len();
    if bytes > LIST_MAX {
        let reason = format!("{bytes} bytes, more than the {LIST_MAX} that a list may have; divide it");
        return Err(Error::InvalidList { path: list.to_owned(), line: 1, reason });
    }
    Ok(file)
}

/// Opens a plain file that is no video.
fn open_text(path: &Path, links: Links) -> Result<fs::File> {
    open_plain(path, links).map_err(|error| match error {
        Error::NotMedia { path, source } => {
            Error::InvalidList { path, line: 1, reason: format!("{source}; put a plain file there") }
        }
        error => error,
    })
}

/// Longest list in bytes: some millions of lines.
const LIST_MAX: u64 = 1 << 30;

fn from_csv(list: &Path, reach: &Reach, found: &mut Sources) -> Result<()> {
    let invalid = |line: u64, reason: String| Error::InvalidList { path: list.to_owned(), line, reason };
    let file = open_list(list)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = reader.headers().map_err(|error| invalid(1, error.to_string()))?.clone();
    let columns: Vec<String> = header.iter().map(|name| name.trim_start_matches('\u{feff}').to_lowercase()).collect();
    if !PATH_NAMES.iter().any(|name| columns.iter().any(|column| column == name)) {
        let found = match columns.iter().all(String::is_empty) {
            true => "nothing".to_owned(),
            false => columns.join(", "),
        };
        let reason = format!(
            "no column {}; found: {found}; a list begins with a line that names its columns",
            PATH_NAMES.join(" or ")
        );
        return Err(invalid(1, reason));
    }
    for record in reader.records() {
        let row = match record {
            Ok(row) => row,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                found.problems.push((list.to_owned(), invalid(line, error.to_string())));
                continue;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        let fields = columns.iter().cloned().zip(row.iter().map(|value| Value::String(value.to_owned()))).collect();
        add(list, line, &fields, reach, found);
    }
    Ok(())
}

fn from_jsonl(list: &Path, reach: &Reach, found: &mut Sources) -> Result<()> {
    let mut text = String::new();
    open_list(list)?.read_to_string(&mut text).map_err(Error::io(list, "read"))?;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(fields) => add(list, number, &fields, reach, found),
            Err(error) => {
                let reason = format!("not a JSON object: {error}");
                found
                    .problems
                    .push((list.to_owned(), Error::InvalidList { path: list.to_owned(), line: number, reason }));
            }
        }
    }
    Ok(())
}

/// Adds one line of a list.
fn add(list: &Path, line: u64, fields: &Map<String, Value>, reach: &Reach, found: &mut Sources) {
    let mut refuse = |reason: String| {
        found.problems.push((list.to_owned(), Error::InvalidList { path: list.to_owned(), line, reason }));
    };
    let given = PATH_NAMES.iter().find_map(|name| Some((*name, fields.get(*name).filter(|value| !value.is_null())?)));
    if let Some((name, value)) = given.filter(|(_, value)| !value.is_string()) {
        return refuse(format!("{name} is {}; it must be a string", shortened(&value.to_string())));
    }
    let Some(path) = text(fields, PATH_NAMES) else {
        return refuse(format!("no {}", PATH_NAMES.join(" or ")));
    };
    let folder = list.parent().unwrap_or(Path::new(""));
    let root = reach.list_root.as_deref().unwrap_or(folder);
    if climbs_out(folder, Path::new(&path), root) {
        return refuse(format!(
            "{path} leads out of {}, where a list may not reach; allow it with --list-root DIR",
            if root.as_os_str().is_empty() { Path::new(".") } else { root }.display()
        ));
    }
    let path = folder.join(path);
    found.sources.push(Source { path, publication: publication(fields) });
}

/// Whether a path that a list in `folder` names lies outside `root`, be it by its words or by links on the way.
fn climbs_out(folder: &Path, path: &Path, root: &Path) -> bool {
    let whole = folder.join(path);
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    match (whole.canonicalize(), root.canonicalize()) {
        (Ok(whole), Ok(root)) => !whole.starts_with(root),
        // What does not exist is told by its words alone, and cannot be opened anyway.
        _ => path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)),
    }
}

/// The beginning of a text that may be as long as somebody likes.
fn shortened(text: &str) -> String {
    let mut rest = text.chars();
    let head: String = rest.by_ref().take(40).collect();
    if rest.next().is_some() { head + "…" } else { head }
}

const PATH_NAMES: &[&str] = &["path", "file", "filename"];

fn publication(fields: &Map<String, Value>) -> Publication {
    Publication {
        url: text(fields, &["url", "webpage_url"]),
        title: text(fields, &["title"]),
        uploader: text(fields, &["uploader", "channel", "author"]),
        platform: text(fields, &["platform", "extractor_key", "extractor", "site"]),
        published_at: text(fields, &["published_at", "upload_date", "date"]).map(day),
    }
}

/// The first of the named fields that says something.
fn text(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match fields.get(*name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// `20240131` as `2024-01-31`.
fn day(text: String) -> String {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])
    } else {
        text
    }
}

/// Fills in what yt-dlp wrote beside the file. Its `url` is the address of the media file, which expires:
/// `webpage_url` comes first.
fn complete(source: &mut Source, links: Links) -> Result<()> {
    let side = source.path.with_extension("info.json");
    let file = match open_text(&side, links) {
        Ok(file) => file,
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let bytes = file.metadata().map_err(Error::io(&side, "open"))?.len();
    if bytes > SIDE_FILE_MAX {
        let reason =
            format!("{bytes} bytes, more than the {SIDE_FILE_MAX} that such a file may have; shorten or remove it");
        return Err(Error::InvalidList { path: side, line: 1, reason });
    }
    let mut reader = std::io::BufReader::new(file.take(SIDE_FILE_MAX));
    let mut stream = serde_json::Deserializer::from_reader(&mut reader);
    let mut fields = Map::deserialize(&mut stream).map_err(|error| Error::InvalidList {
        path: side.clone(),
        line: error.line() as u64,
        reason: format!("not a JSON object: {error}"),
    })?;
    if let Some(page) = fields.get("webpage_url").or_else(|| fields.get("original_url")).cloned() {
        fields.insert("url".to_owned(), page);
    }
    fill(&mut source.publication, publication(&fields));
    Ok(())
}

/// Takes what is not known from elsewhere.
fn fill(own: &mut Publication, other: Publication) {
    for (field, other) in [
        (&mut own.url, other.url),
        (&mut own.title, other.title),
        (&mut own.uploader, other.uploader),
        (&mut own.platform, other.platform),
        (&mut own.published_at, other.published_at),
    ] {
        if field.is_none() {
            *field = other;
        }
    }
}

/// Longest side file in bytes; those of long videos with comments have some megabytes.
const SIDE_FILE_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn names(found: &Sources) -> Vec<String> {
        found.sources.iter().map(|s| s.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_folder_gives_its_videos_by_name_to_the_bottom() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.MP4", "deep/er/a.webm", "notes.txt", "b.info.json", "c.mp4.part"] {
            write(folder.path(), name, "{}");
        }
        assert_eq!(names(&sources(&[folder.path().to_owned()]).unwrap()), ["b.MP4", "a.webm"]);
    }

    #[test]
    fn a_file_named_twice_is_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "a.mp4", "x");
        assert_eq!(sources(&[file.clone(), folder.path().to_owned(), file]).unwrap().sources.len(), 1);
    }

    #[test]
    fn what_a_list_says_of_a_file_counts_wherever_the_file_is_named_first() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.mp4", "x");
        let first = write(folder.path(), "first.csv", "file,title\na.mp4,Sea\n");
        let second = write(folder.path(), "second.csv", "file,title,uploader\na.mp4,Lake,Someone\n");
        let inputs = [folder.path().to_owned(), first, second];
        let found = sources(&inputs).unwrap().sources;
        assert_eq!(found.len(), 1);
        let known =
            Publication { title: Some("Sea".into()), uploader: Some("Someone".into()), ..Publication::default() };
        assert_eq!(found[0].publication, known);
    }

    #[test]
    fn lists_and_side_files_tell_of_the_publication() {
        let folder = tempfile::tempdir().unwrap();
        let csv = write(
            folder.path(),
            "list.csv",
            "file,title,upload_date,group\na.mp4,\"Sea, waves\",20240131,x\nsub/b.mp4,,,\n,none,,\n",
        );
        write(
            folder.path(),
            "sub/b.info.json",
            r#"{"title":"B","webpage_url":"https://v.example/b","url":"https://cdn.example/x?sig=1","channel":"C","extractor_key":"Vimeo","upload_date":"20230405"}"#,
        );
        let found = sources(&[csv]).unwrap();
        assert_eq!(names(&found), ["a.mp4", "b.mp4"]);
        let of = |i: usize| found.sources[i].publication.clone();
        assert_eq!((of(0).title.unwrap(), of(0).published_at.unwrap()), ("Sea, waves".into(), "2024-01-31".into()));
        assert_eq!(
            of(1),
            Publication {
                url: Some("https://v.example/b".into()),
                title: Some("B".into()),
                uploader: Some("C".into()),
                platform: Some("Vimeo".into()),
                published_at: Some("2023-04-05".into()),
            }
        );
        assert!(matches!(&found.problems[..], [(_, Error::InvalidList { line: 4, .. })]));
    }

    #[test]
    fn a_bad_line_of_jsonl_is_a_problem_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let list = write(
            folder.path(),
            "list.jsonl",
            "{\"path\":\"a.mp4\",\"url\":\"https://v.example/a\"}\n\n{oops\n{\"path\":\"b.mp4\"}\n",
        );
        let found = sources(&[list]).unwrap();
        assert_eq!(names(&found), ["a.mp4", "b.mp4"]);
        assert!(matches!(&found.problems[..], [(_, Error::InvalidList { line: 3, .. })]));
    }

    #[test]
    fn a_list_without_files_and_a_missing_input_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let list = write(folder.path(), "list.csv", "name,url\na,b\n");
        assert!(matches!(sources(&[list]), Err(Error::InvalidList { line: 1, .. })));
        assert!(matches!(sources(&[folder.path().join("gone")]), Err(Error::Io { .. })));
    }

    #[test]
    fn no_path_of_a_list_climbs_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let secret = write(folder.path(), "secret.mp4", "x");
        let inside = write(folder.path(), "lists/a.mp4", "x");
        let list = write(
            folder.path(),
            "lists/list.csv",
            &format!(
                "path\n../secret.mp4\n{}\n{}\n./a.mp4\nsub/../../secret.mp4\n../gone.mp4\n",
                secret.display(),
                inside.display()
            ),
        );
        let found = sources(std::slice::from_ref(&list)).unwrap();
        assert_eq!(names(&found), ["a.mp4"]);
        assert_eq!(found.problems.len(), 4, "{:?}", found.problems);
        assert!(found.problems[0].1.to_string().contains("--list-root"));
        let reach = Reach { list_root: Some(folder.path().to_owned()), ..Reach::default() };
        assert_eq!(names(&sources_within(&[list], &reach).unwrap()), ["secret.mp4", "a.mp4"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_folder_are_told_and_followed_only_on_request() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let secret = write(folder.path(), "out/secret.mp4", "x");
        let inside = folder.path().join("in");
        write(&inside, "a.mp4", "x");
        symlink(&secret, inside.join("b.mp4")).unwrap();
        symlink(secret.parent().unwrap(), inside.join("c")).unwrap();
        symlink(&secret, inside.join("note.txt")).unwrap();
        symlink(write(folder.path(), "out/a.json", r#"{"title":"secret"}"#), inside.join("a.info.json")).unwrap();
        let found = sources(std::slice::from_ref(&inside)).unwrap();
        assert_eq!(names(&found), ["a.mp4"]);
        assert_eq!(found.problems.len(), 3, "{:?}", found.problems);
        assert_eq!(found.sources[0].publication, Publication::default());
        let reach = Reach { links: Links::Follow, ..Reach::default() };
        let found = sources_within(&[inside], &reach).unwrap();
        assert_eq!(found.sources[0].publication.title.as_deref(), Some("secret"));
        assert!(found.problems.is_empty());
    }
}
