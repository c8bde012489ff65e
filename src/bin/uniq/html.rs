//! Paths of evidence pages, and checks of these paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use uniq::evidence_page::{self, Lang};
use uniq::report::Report;
use uniq::{Error, Index};

use crate::args;

impl From<args::Lang> for Lang {
    fn from(lang: args::Lang) -> Lang {
        match lang {
            args::Lang::En => Lang::En,
            args::Lang::Ar => Lang::Ar,
        }
    }
}

/// The page of a clip, if one is requested: where it is, or why it could not be written.
pub(crate) type Page = Option<uniq::Result<PathBuf>>;

/// The page of each clip.
#[derive(Debug)]
pub(crate) struct Pages {
    of_clips: BTreeMap<PathBuf, PathBuf>,
}

impl Pages {
    /// Plans the pages before the work: a file for one clip, or a folder with a file for each clip.
    pub(crate) fn plan(target: &Path, clips: &[PathBuf]) -> anyhow::Result<Pages> {
        let mut of_clips = BTreeMap::new();
        match clips {
            [clip] if !target.is_dir() => {
                let _ = of_clips.insert(clip.clone(), target.to_owned());
            }
            _ => {
                let ends_in = |ending| {
                    let extension = target.extension();
                    extension.is_some_and(|of| of.eq_ignore_ascii_case(ending))
                };
                let names_a_page = ends_in("html") || ends_in("htm");
                anyhow::ensure!(
                    target.is_dir() || !target.exists() && !names_a_page,
                    "{}: one page, but there are {} clips; name a folder, so that each gets a page",
                    target.display(),
                    clips.len()
                );
                fs::create_dir_all(target).map_err(failed(target, "create"))?;
                let mut taken = BTreeSet::new();
                for clip in clips {
                    let name = clip
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    let named = |n: u32| {
                        if n == 1 {
                            format!("{name}.html")
                        } else {
                            format!("{name}-{n}.html")
                        }
                    };
                    let free = (1..)
                        .map(named)
                        .find(|name| taken.insert(name.to_lowercase()));
                    of_clips
                        .entry(clip.clone())
                        .or_insert_with(|| target.join(free.unwrap_or_default()));
                }
            }
        }
        for page in of_clips.values() {
            check(page)?;
        }
        Ok(Pages { of_clips })
    }

    /// Writes the page of the report about a clip.
    pub(crate) fn write(
        &self,
        clip: &Path,
        report: &Report,
        index: &Index,
        options: &evidence_page::Options<'_>,
    ) -> Page {
        let page = self.of_clips.get(clip)?;
        let html = evidence_page::of_report(report, Some(clip), Some(index), options);
        Some(
            html.and_then(|html| write(page, &html))
                .map(|()| page.clone()),
        )
    }
}

/// Refuses a path that cannot hold a page, before the work.
pub(crate) fn check(page: &Path) -> anyhow::Result<()> {
    let folder = page
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        anyhow::bail!(
            "{}: its folder {} does not exist; make it first",
            page.display(),
            folder.display()
        );
    }
    anyhow::ensure!(
        !page.is_dir(),
        "{0}: a folder; name a file in it, such as {0}/page.html",
        page.display()
    );
    // An earlier page may be replaced; any other file must not be lost.
    let other = page.exists() && !is_page(page);
    anyhow::ensure!(
        !other,
        "{}: the file exists and is not a page; name another file",
        page.display()
    );
    Ok(())
}

/// Writes a page, as a whole or not at all.
pub(crate) fn write(page: &Path, html: &str) -> uniq::Result<()> {
    let folder = page
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Use the usual permissions, so the umask decides who may read it.
    #[cfg(unix)]
    builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    let mut file = builder
        .tempfile_in(folder)
        .map_err(failed(page, "create"))?;
    file.write_all(html.as_bytes())
        .map_err(failed(page, "write"))?;
    file.persist(page)
        .map_err(|error| failed(page, "rename")(error.error))?;
    Ok(())
}

/// Whether a file begins like a page; an empty file also counts.
fn is_page(page: &Path) -> bool {
    let mut first = [0; START.len()];
    let read = File::open(page).and_then(|mut file| {
        if file.metadata()?.len() == 0 {
            return Ok(true);
        }
        file.read_exact(&mut first)?;
        Ok(first.eq_ignore_ascii_case(START))
    });
    page.is_file() && read.unwrap_or(false)
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        path,
        doing,
        source,
    }
}

const START: &[u8] = b"<!doctype html>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_takes_the_place_of_a_clip() {
        let dir = tempfile::tempdir().unwrap();
        let clip = dir.path().join("clip.mp4");
        fs::write(&clip, b"\0\0\0\x20ftypisom and more").unwrap();
        assert!(Pages::plan(&clip, std::slice::from_ref(&clip)).is_err());
        let page = dir.path().join("page.html");
        write(&page, "<!DOCTYPE html>\n<title>x</title>").unwrap();
        let again = Pages::plan(&page, std::slice::from_ref(&clip)).unwrap();
        write(&again.of_clips[&clip], "<!DOCTYPE html>\nnew").unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "<!DOCTYPE html>\nnew");
        assert!(
            Pages::plan(
                &dir.path().join("none/page.html"),
                std::slice::from_ref(&clip)
            )
            .is_err()
        );
    }

    #[test]
    fn several_clips_get_a_page_each_and_none_takes_anothers() {
        let dir = tempfile::tempdir().unwrap();
        let clips: Vec<PathBuf> = ["a/x.mp4", "b/x.mp4", "c/X.mp4"]
            .map(PathBuf::from)
            .to_vec();
        let pages = Pages::plan(&dir.path().join("pages"), &clips).unwrap();
        let names: BTreeSet<String> = pages
            .of_clips
            .values()
            .map(|page| page.file_name().unwrap().to_string_lossy().to_lowercase())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        write(&dir.path().join("file"), "<!DOCTYPE html>").unwrap();
        for one in ["file", "new.html", "new.HTM"].map(|name| dir.path().join(name)) {
            let refused = Pages::plan(&one, &clips).unwrap_err().to_string();
            assert!(refused.contains("name a folder"), "{refused}");
            assert!(!one.is_dir());
        }
        let folder = dir.path().join("folder.html");
        fs::create_dir(&folder).unwrap();
        assert!(Pages::plan(&folder, &clips).is_ok());
    }
}
