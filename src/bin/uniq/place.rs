//! Chooses the folder of the index: the option, the environment, the current folder, the user's
//! data folder.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
#[cfg(feature = "remote")]
use std::sync::atomic::{AtomicBool, Ordering};

use etcetera::BaseStrategy;
use uniq::index::Index;

/// The environment variable that names the index.
pub(crate) const INDEX_VARIABLE: &str = "UNIQ_INDEX";
/// Name of an index in the current folder.
const LOCAL_FOLDER: &str = "index-data";

/// No index was found; the text says where it was expected, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Absent(String);

/// The folder of the index, and the rule that chose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// The rule that chose it; earlier rules did not apply.
    pub(crate) origin: Origin,
}

/// The rule that chose the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `--index`.
    Option,
    /// `$UNIQ_INDEX`.
    Variable,
    /// `index-data` in the current folder, which holds an index.
    Local,
    /// The user's data folder, because nothing else was given or found.
    UserData,
}

impl Place {
    /// Applies the rules in order. Fails if nothing was given and the user has no data folder, or
    /// if object storage was given.
    pub(crate) fn choose(option: Option<PathBuf>) -> anyhow::Result<Place> {
        let place = Place::located(option)?;
        if let Some(address) = place.address() {
            anyhow::bail!(
                "{address}: object storage, but this command needs a folder; fetch the index with: uniq index pull {address} \
                --index DIR, and send changes back with: uniq index push {address} --index DIR"
            );
        }
        Ok(place)
    }

    /// As [`Place::choose`], but fetches an index in object storage into the cache.
    pub(crate) fn to_read(option: Option<PathBuf>) -> anyhow::Result<Place> {
        let place = Place::located(option)?;
        match place.address() {
            Some(address) => fetched(address, place.origin),
            None => Ok(place),
        }
    }

    fn located(option: Option<PathBuf>) -> anyhow::Result<Place> {
        let named = option.map(|dir| Place {
            dir,
            origin: Origin::Option,
        });
        if let Some(place) = named.or_else(|| {
            variable().map(|dir| Place {
                dir,
                origin: Origin::Variable,
            })
        }) {
            if place.address().is_none() && place.dir.exists() && !place.dir.is_dir() {
                let (dir, what) = (place.dir.display(), place.why());
                anyhow::bail!(
                    "{dir}: not a folder; name the folder of an index, or a new one, with {what}"
                );
            }
            return Ok(place);
        }
        let local = Path::new(LOCAL_FOLDER);
        if Index::exists(local) {
            return Ok(Place {
                dir: local.to_owned(),
                origin: Origin::Local,
            });
        }
        let strategy = etcetera::choose_base_strategy().map_err(|_| {
            anyhow::anyhow!(
                "no folder for the index, because there is no home folder; name one with --index DIR"
            )
        })?;
        Ok(Place {
            dir: strategy.data_dir().join("uniq").join("index"),
            origin: Origin::UserData,
        })
    }

    /// As [`Place::to_read`], for commands that read an existing index.
    pub(crate) fn existing(option: Option<PathBuf>) -> anyhow::Result<Place> {
        Place::to_read(option)?.if_it_exists()
    }

    /// As [`Place::choose`], for commands that change an existing index.
    pub(crate) fn to_change(option: Option<PathBuf>) -> anyhow::Result<Place> {
        Place::choose(option)?.if_it_exists()
    }

    fn if_it_exists(self) -> anyhow::Result<Place> {
        if Index::exists(&self.dir) {
            Ok(self)
        } else {
            Err(Absent(self.absence()).into())
        }
    }

    /// The address, if it is one of object storage.
    fn address(&self) -> Option<&str> {
        let is_given = matches!(self.origin, Origin::Option | Origin::Variable);
        self.dir
            .to_str()
            .filter(|text| is_given && is_address(text))
    }

    /// The place of the index, for a person.
    pub(crate) fn describe(&self) -> String {
        format!("index {} ({})", self.dir.display(), self.why())
    }

    fn why(&self) -> &'static str {
        match self.origin {
            Origin::Option => "--index",
            Origin::Variable => "$UNIQ_INDEX",
            Origin::Local => "found in the current folder",
            Origin::UserData => "the user's data folder",
        }
    }

    /// A message with the places searched, in order, and how to build an index.
    fn absence(&self) -> String {
        let mut text = String::from("no index found; looked at ");
        let dir = self.dir.display();
        let _ = match self.origin {
            Origin::Option => write!(text, "{dir} (--index)"),
            Origin::Variable => write!(text, "{dir} (${INDEX_VARIABLE})"),
            Origin::Local | Origin::UserData => {
                write!(
                    text,
                    "${INDEX_VARIABLE} (not set), then {LOCAL_FOLDER} in the current folder, then {dir}"
                )
            }
        };
        text.push_str("; build one with: uniq index build FOLDER");
        if self.origin == Origin::Option {
            let _ = write!(text, " --index {dir}");
        }
        text
    }
}

/// Sets whether fetching shows its progress.
#[cfg(feature = "remote")]
pub(crate) fn keep_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

#[cfg(feature = "remote")]
static QUIET: AtomicBool = AtomicBool::new(false);

#[cfg(feature = "remote")]
fn fetched(address: &str, origin: Origin) -> anyhow::Result<Place> {
    let snapshot = crate::index::remote::fetched(address, QUIET.load(Ordering::Relaxed))?;
    let dir = snapshot.dir().to_owned();
    // The snapshot is in use until the process ends.
    std::mem::forget(snapshot);
    Ok(Place { dir, origin })
}

#[cfg(feature = "remote")]
use uniq::remote::is_address;

/// Without the feature, an address is taken for a folder, which does not exist.
#[cfg(not(feature = "remote"))]
fn is_address(_: &str) -> bool {
    false
}

#[cfg(not(feature = "remote"))]
fn fetched(address: &str, _: Origin) -> anyhow::Result<Place> {
    anyhow::bail!(
        "{address}: this uniq was built without object storage; build it with the feature remote, or name a folder"
    )
}

/// The variable's value; an empty one counts as unset.
fn variable() -> Option<PathBuf> {
    env::var_os(INDEX_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
