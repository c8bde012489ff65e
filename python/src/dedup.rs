//! Duplicates among clips.

use std::collections::HashMap;
use std::path::PathBuf;
use std::thread;
use std::time::SystemTime;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use uniq::Effort;
use uniq::dedup::{DedupOptions, Input, Keep, Stage};
use uniq::ingest::{self, Reach};
use uniq::verdict::Policy;

use crate::check::{effort, json};
use crate::decoding::Settings;
use crate::errors;
use crate::work::{self, Control};

/// Options, as in the dataclass `uniq._options.DedupArguments`.
#[derive(Debug, FromPyObject)]
pub(crate) struct Arguments {
    effort: String,
    keep: String,
    threads: Option<usize>,
    work: PathBuf,
}

/// Finds duplicates among clips, and returns them as `uniq dedup --json` prints them.
#[pyfunction]
pub(crate) fn dedup<'py>(
    py: Python<'py>,
    clips: Vec<PathBuf>,
    references: Vec<PathBuf>,
    arguments: Arguments,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    let decoding = decoding.decoding(py)?;
    // The same choice as in the program.
    let (candidates, effort) = match effort(&arguments.effort)? {
        Effort::Fast => (Effort::Fast, Effort::Fast),
        Effort::Standard => (Effort::Fast, Effort::Standard),
        Effort::Thorough => (Effort::Standard, Effort::Standard),
    };
    let keep = match &*arguments.keep {
        "first" => Keep::First,
        "longest" => Keep::Longest,
        "quality" => Keep::Quality,
        other => {
            let expected = "\"first\", \"longest\" or \"quality\"";
            return Err(errors::setting(&format!(
                "keep is {other:?}; it must be {expected}"
            )));
        }
    };
    if arguments.threads == Some(0) {
        return Err(errors::setting("threads is 0; it must be at least 1"));
    }
    let threads = arguments
        .threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let found = work::run(py, &control, |cancel, teller| {
        let reach = Reach {
            links: decoding.links,
            list_root: None,
        };
        let (clips, mut failed) = files(&clips, false, &reach);
        let (references, more) = files(&references, true, &reach);
        failed.extend(more);
        let options = DedupOptions {
            decoding: &decoding,
            work: &arguments.work,
            candidates,
            effort,
            policy: Policy {
                false_published: FALSE_COPY,
                ..Policy::default()
            },
            keep,
            threads,
            progress: &|event| {
                let stage = match event.stage {
                    Stage::Reading => "reading",
                    Stage::Decoding => "decoding",
                    Stage::Indexing => "indexing",
                    Stage::Searching => "searching",
                    Stage::Comparing => "comparing",
                };
                teller.tell(|| json!({ "kind": "stage", "what": stage, "done": event.done, "total": event.of }));
            },
            cancel: Some(cancel),
            now: Some(SystemTime::now()),
            processor_time: None,
        };
        let mut found = uniq::dedup::dedup(&each_once(&clips, &references), &options)?;
        found.failed.splice(0..0, failed);
        Ok(found)
    })?;
    json(py, &found)
}

/// The files that these inputs name, and unreadable folders, lists and lines.
fn files(
    inputs: &[PathBuf],
    reference: bool,
    reach: &Reach,
) -> (Vec<PathBuf>, Vec<uniq::dedup::Failure>) {
    let failure = |path: &PathBuf, error: &uniq::Error| uniq::dedup::Failure {
        path: path.to_string_lossy().into_owned(),
        reference,
        code: error.code(),
        message: errors::chain(error),
    };
    let (mut files, mut failed) = (Vec::new(), Vec::new());
    for input in inputs {
        let is_several = input.is_dir() || ingest::is_list(input) && input.is_file();
        if !is_several {
            // Its error is reported when it is read.
            files.push(input.clone());
            continue;
        }
        match ingest::files_within(std::slice::from_ref(input), reach) {
            Ok(found) => {
                files.extend(found.sources.into_iter().map(|source| source.path));
                failed.extend(
                    found
                        .problems
                        .iter()
                        .map(|(path, error)| failure(path, error)),
                );
            }
            Err(error) => failed.push(failure(input, &error)),
        }
    }
    (files, failed)
}

/// Each file once, under any name. A file that is named as a reference is a reference.
fn each_once(clips: &[PathBuf], references: &[PathBuf]) -> Vec<Input> {
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut inputs: Vec<Input> = Vec::new();
    let all = clips
        .iter()
        .map(|path| (path, false))
        .chain(references.iter().map(|path| (path, true)));
    for (path, reference) in all {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let place = *places.entry(real).or_insert(inputs.len());
        match inputs.get_mut(place) {
            Some(input) => input.reference |= reference,
            None => inputs.push(Input {
                path: path.clone(),
                reference,
            }),
        }
    }
    inputs
}

/// Cost of a false copy, as for `uniq dedup`: somebody may delete a clip because of it.
const FALSE_COPY: f32 = 20.0;
