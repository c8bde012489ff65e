//! `uniq index push`, `pull` and `open`: an index in object storage.

use std::env;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use anyhow::Context as _;
use etcetera::BaseStrategy as _;
use serde_json::{Value, json};
use uniq::Error;
use uniq::remote::{self, Author, Cache, OpenOptions, Prune, PushOptions, Snapshot, Store, Watch};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use crate::exit::Exit;
use crate::place::Place;
use crate::progress::Progress;
use crate::text::{bytes, count, plain};
use crate::{args, output, signal, talk};

/// Pushes an index from its folder into the store.
pub(super) fn push(
    address: &str,
    place: &Place,
    prune: Option<Prune>,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let store = store(address)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let author = Author {
        host,
        process: std::process::id(),
        at: Some(SystemTime::now()),
    };
    let options = PushOptions { author, prune };
    let Some(pushed) = carried(quiet, &cancel, |watch| {
        remote::push(&store, &place.dir, &options, watch)
    })?
    else {
        talk::say(
            "interrupted; nothing is visible in the store: run the same command again to go on",
        );
        return Ok(Exit::Error);
    };
    if !quiet {
        let files = count(pushed.files, "file");
        talk::say(&match (pushed.committed, pushed.files) {
            (true, _) => format!(
                "{files} sent, {}; {} there already",
                bytes(pushed.bytes),
                pushed.already_there
            ),
            (false, 0) => "nothing to send: the store already has this state".to_owned(),
            (false, _) => format!(
                "{files} sent again, which the store had lost, {}",
                bytes(pushed.bytes)
            ),
        });
        if pushed.pruned > 0 {
            talk::say(&format!(
                "{} deleted, which no recent commit needs",
                count(pushed.pruned, "object")
            ));
        }
        talk::say(&state(&store, pushed.generation, &pushed.root));
    }
    let object = json!({
        "schema": SCHEMA,
        "store": store.address(),
        "generation": pushed.generation,
        "root": pushed.root,
        "committed": pushed.committed,
        "files": pushed.files,
        "bytes": pushed.bytes,
        "already_there": pushed.already_there,
        "pruned": pushed.pruned,
    });
    print(json, &object)
}

/// Pulls the newest index of the store into a folder.
pub(super) fn pull(address: &str, place: &Place, json: bool, quiet: bool) -> anyhow::Result<Exit> {
    let store = store(address)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    if !quiet {
        talk::say(&place.describe());
    }
    let Some(pulled) = carried(quiet, &cancel, |watch| {
        remote::pull(&store, &place.dir, watch)
    })?
    else {
        talk::say("interrupted; the folder is unchanged: run the same command again to go on");
        return Ok(Exit::Error);
    };
    if !quiet {
        let files = count(pulled.files, "file");
        talk::say(&match (pulled.changed, pulled.files) {
            (false, 0) => "nothing to fetch: the folder already has this state".to_owned(),
            _ => format!(
                "{files} fetched, {}; {} there already",
                bytes(pulled.bytes),
                pulled.already_there
            ),
        });
        talk::say(&state(&store, pulled.generation, &pulled.root));
    }
    let object = json!({
        "schema": SCHEMA,
        "store": store.address(),
        "generation": pulled.generation,
        "root": pulled.root,
        "changed": pulled.changed,
        "files": pulled.files,
        "bytes": pulled.bytes,
        "already_there": pulled.already_there,
    });
    print(json, &object)
}

/// Makes sure that the newest index is in the cache, and prints its folder.
pub(super) fn open(
    address: &str,
    options: OpenOptions,
    cache: &Cache,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let store = store(address)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let Some(snapshot) = carried(quiet, &cancel, |watch| {
        remote::open(&store, cache, options, watch)
    })?
    else {
        talk::say("interrupted; run the same command again to go on");
        return Ok(Exit::Error);
    };
    let (files, fetched) = snapshot.fetched();
    if !quiet {
        if files > 0 {
            talk::say(&format!(
                "{} fetched, {}",
                count(files, "file"),
                bytes(fetched)
            ));
        }
        talk::say(&state(&store, snapshot.generation(), snapshot.root()));
    }
    if !json {
        output::print(format!("{}\n", plain(&snapshot.dir().to_string_lossy())).as_bytes())?;
        return Ok(Exit::Success);
    }
    let object = json!({
        "schema": SCHEMA,
        "store": store.address(),
        "dir": snapshot.dir().to_string_lossy(),
        "generation": snapshot.generation(),
        "root": snapshot.root(),
        "files": files,
        "bytes": fetched,
    });
    print(true, &object)
}

/// The newest index of a store through the cache, for a command that reads it.
pub(crate) fn fetched(address: &str, quiet: bool) -> anyhow::Result<Snapshot> {
    let (store, cache) = (store(address)?, cache(None, None)?);
    // A signal ends the process; what was fetched stays.
    let cancel = AtomicBool::new(false);
    let opened = carried(quiet, &cancel, |watch| {
        remote::open(&store, &cache, OpenOptions::default(), watch)
    })?;
    opened.ok_or_else(|| Error::Cancelled.into())
}

/// The cache that options or the environment name.
pub(super) fn cache(dir: Option<PathBuf>, bytes_max: Option<u64>) -> anyhow::Result<Cache> {
    let named = dir.or_else(|| {
        env::var_os(CACHE_VARIABLE)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    });
    let dir = match named {
        Some(dir) => dir,
        None => {
            let none = || {
                format!(
                    "no folder for the cache, because there is no home folder; name one with {CACHE_VARIABLE}"
                )
            };
            etcetera::choose_base_strategy()
                .ok()
                .with_context(none)?
                .cache_dir()
                .join("uniq")
        }
    };
    let bytes_max = match (bytes_max, env::var(SIZE_VARIABLE)) {
        (Some(bytes), _) => bytes,
        (None, Ok(text)) if !text.is_empty() => {
            args::size(&text).map_err(|reason| anyhow::anyhow!("{SIZE_VARIABLE}: {reason}"))?
        }
        (None, _) => CACHE_MAX,
    };
    // The path is printed for use from any folder, so make it absolute.
    let dir = std::path::absolute(&dir).with_context(|| {
        format!(
            "{}: no such folder; make it first, or name another one with --cache",
            dir.display()
        )
    })?;
    Ok(Cache::new(dir, bytes_max))
}

fn store(address: &str) -> anyhow::Result<Store> {
    // No relevant variable has a value that is not UTF-8.
    let variables = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Store::open(address, variables)?)
}

/// Runs an interruptible transfer that shows its progress; `None` if it was interrupted.
fn carried<T>(
    quiet: bool,
    cancel: &AtomicBool,
    run: impl FnOnce(Watch<'_>) -> uniq::Result<T>,
) -> anyhow::Result<Option<T>> {
    let progress = Progress::new(quiet);
    let result = run(Watch {
        cancel: &|| cancel.load(Ordering::Relaxed),
        progress: Some(&|at| progress.carried(at)),
    });
    progress.finish();
    match result {
        Err(Error::Cancelled) => Ok(None),
        other => Ok(Some(other?)),
    }
}

fn state(store: &Store, generation: u64, root: &str) -> String {
    let root: String = root.chars().take(12).collect();
    format!(
        "{} is at generation {generation}, root {root}",
        store.address()
    )
}

fn print(json: bool, object: &Value) -> anyhow::Result<Exit> {
    if json {
        output::print(format!("{}\n", json_line(object)?).as_bytes())?;
    }
    Ok(Exit::Success)
}

const CACHE_VARIABLE: &str = "UNIQ_CACHE";
const SIZE_VARIABLE: &str = "UNIQ_CACHE_MAX";
/// Default maximum size of the cache, in bytes.
const CACHE_MAX: u64 = 64 << 30;
