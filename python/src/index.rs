//! The index: opening, building, and its state.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use uniq::index::{self, FORMAT_VERSION, Joined, Live, Role, Selection, Video, Watch, Writer};
use uniq::ingest::{self, BuildOptions, BuildSummary, Event, Outcome, Reach, Take};
use uniq::search;

use crate::check::json;
use crate::decoding::Settings;
use crate::errors;
use crate::work::{self, Control, Teller, duration};

/// An index that is searched, at its newest commit.
#[pyclass(frozen, module = "uniq._uniq")]
pub(crate) struct Index {
    live: Live,
}

impl Index {
    /// The newest commit, for one piece of work.
    pub(crate) fn current(&self) -> uniq::Result<Arc<index::Index>> {
        self.live.current()
    }
}

#[pymethods]
impl Index {
    /// Opens an index.
    #[staticmethod]
    fn open(py: Python<'_>, dir: PathBuf) -> PyResult<Index> {
        // A commit of this process must be searched at once.
        let opened = py
            .detach(|| Live::open(&dir))
            .map(|live| live.looking_every(Duration::ZERO));
        opened
            .map(|live| Index { live })
            .map_err(|error| errors::raise(py, &error))
    }

    /// Its folder.
    fn dir(&self) -> PathBuf {
        self.live.dir().to_owned()
    }

    /// Size and condition, as `uniq index stats --json` prints it.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let index = py
            .detach(|| self.current())
            .map_err(|error| errors::raise(py, &error))?;
        let mut state = serde_json::to_value(index.state()).unwrap_or_default();
        state["committed_at"] = index.committed_at().into();
        json(py, &state)
    }

    /// The videos of a role, as `uniq index list --json` prints them.
    fn videos<'py>(&self, py: Python<'py>, role: &str) -> PyResult<Bound<'py, PyBytes>> {
        let role = role_of(role)?;
        let index = py
            .detach(|| self.current())
            .map_err(|error| errors::raise(py, &error))?;
        let videos: Vec<Value> = index
            .in_role(role)
            .map(|(at, video)| listed(video, role, index.added(at)))
            .collect();
        json(py, &videos)
    }

    /// Removes what each selector names, or nothing if one names nothing or several videos.
    fn remove<'py>(
        &self,
        py: Python<'py>,
        videos: Vec<String>,
        role: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let role = role_of(role)?;
        let removed = py.detach(|| remove(self.live.dir(), &videos, role));
        match removed {
            Ok(Ok(removed)) => json(py, &removed),
            Ok(Err((code, message))) => Err(errors::raise_as(py, "CorpusError", &message, code)),
            Err(error) => Err(errors::raise(py, &error)),
        }
    }

    /// Merges small segments, after those of other indexes have been taken over.
    fn merge<'py>(
        &self,
        py: Python<'py>,
        others: Vec<PathBuf>,
        control: Control<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let merged = work::run(py, &control, |cancel, teller| {
            let others = others
                .iter()
                .map(|dir| index::Index::open(dir))
                .collect::<uniq::Result<Vec<_>>>()?;
            let mut writer = Writer::open(self.live.dir())?.with_clock(SystemTime::now);
            let watch = Watch {
                cancel: &|| cancel.load(Ordering::Relaxed),
                progress: Some(&|what, share| {
                    teller.tell(|| json!({ "kind": "maintaining", "what": what, "share": share }))
                }),
            };
            let mut sum = Joined::default();
            for other in &others {
                let joined = writer.take_over(other, watch)?;
                sum.taken += joined.taken;
                sum.already_there += joined.already_there;
                sum.conflicts.extend(joined.conflicts);
                if joined.cancelled {
                    return Err(uniq::Error::Cancelled);
                }
            }
            writer.compact(watch)?;
            search::measure_if_due(&mut writer, watch)?;
            let state = writer.commit()?;
            let conflicts: Vec<Value> = sum
                .conflicts
                .iter()
                .map(|conflict| json!({ "id": conflict.video.id, "path": conflict.video.path, "here": conflict.here, "there": conflict.there }))
                .collect();
            Ok(json!({
                "taken_over": sum.taken,
                "already_there": sum.already_there,
                "conflicts": conflicts,
                "index": state,
            }))
        })?;
        json(py, &merged)
    }

    /// The version of the format that this library writes.
    #[classattr]
    const FORMAT_VERSION: u32 = FORMAT_VERSION;
}

/// Options of a build, as in the dataclass `uniq._options.BuildArguments`.
#[derive(Debug, FromPyObject)]
pub(crate) struct Arguments {
    role: String,
    take: String,
    interval: Option<f64>,
    threads: Option<usize>,
    commit_every: f64,
    list_root: Option<PathBuf>,
}

/// Adds the sources to the index in `dir`, which is made if there is none; returns what became of
/// them.
#[pyfunction]
pub(crate) fn build<'py>(
    py: Python<'py>,
    dir: PathBuf,
    sources: Vec<PathBuf>,
    arguments: Arguments,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    let decoding = decoding.decoding(py)?;
    let take = match &*arguments.take {
        "all" => Take::All,
        "known" => Take::Known,
        "pictures" => Take::Pictures,
        other => {
            let expected = "\"all\", \"known\" or \"pictures\"";
            return Err(errors::setting(&format!(
                "take is {other:?}; it must be {expected}"
            )));
        }
    };
    let interval = arguments
        .interval
        .map(|seconds| duration("interval", seconds))
        .transpose()?;
    let reach = Reach {
        links: decoding.links,
        list_root: arguments.list_root,
    };
    let options = BuildOptions {
        role: role_of(&arguments.role)?,
        take,
        interval,
        threads: arguments.threads,
        commit_every: duration("commit_every", arguments.commit_every)?,
        clock: Some(SystemTime::now),
        ..BuildOptions::new(decoding)
    };
    let built = work::run(py, &control, |cancel, teller| {
        let mut found = ingest::sources_within(&sources, &reach)?;
        let no_videos = std::mem::take(&mut found.no_videos);
        if found.sources.is_empty() && found.problems.is_empty() {
            let given: Vec<_> = sources
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            return Err(uniq::Error::InvalidSetting {
                name: "the sources",
                found: format!("[{}]", given.join(", ")),
                expected: "a video, or a folder or list that holds one",
            });
        }
        let summary = ingest::build(&dir, found, &options, &|event| tell(teller, &event), cancel)?;
        Ok(summed(&summary, &no_videos))
    })?;
    json(py, &built)
}

/// Reports an event of a build.
fn tell(teller: &Teller, event: &Event<'_>) {
    teller.tell(|| match event {
        Event::Started { videos, bytes } => {
            json!({ "kind": "started", "videos": videos, "bytes": bytes })
        }
        Event::Advanced { video } => json!({ "kind": "advanced", "video_s": video.as_secs_f64() }),
        Event::Finished {
            path,
            bytes,
            outcome,
        } => {
            let (outcome, video, undecoded, error) = match outcome {
                Outcome::Added {
                    duration,
                    undecoded,
                } => ("added", *duration, *undecoded, None),
                Outcome::Refreshed { duration } => ("refreshed", *duration, Duration::ZERO, None),
                Outcome::AlreadyThere => ("already_there", Duration::ZERO, Duration::ZERO, None),
                Outcome::Corrected => ("corrected", Duration::ZERO, Duration::ZERO, None),
                Outcome::NotThere => ("not_there", Duration::ZERO, Duration::ZERO, None),
                Outcome::Benign => ("benign", Duration::ZERO, Duration::ZERO, None),
                Outcome::Failed(error) => ("failed", Duration::ZERO, Duration::ZERO, Some(*error)),
            };
            json!({
                "kind": "finished",
                "path": path.to_string_lossy(),
                "bytes": bytes,
                "outcome": outcome,
                "video_s": video.as_secs_f64(),
                "undecoded_s": undecoded.as_secs_f64(),
                "code": error.map(uniq::Error::code),
                "message": error.map(errors::chain),
            })
        }
        Event::Committed { videos, keys } => {
            json!({ "kind": "committed", "videos": videos, "keys": keys })
        }
        Event::Maintaining { what, share } => {
            json!({ "kind": "maintaining", "what": what, "share": share })
        }
        _ => json!({ "kind": "other" }),
    });
}

/// The result of a build.
fn summed(summary: &BuildSummary, no_videos: &[PathBuf]) -> Value {
    let name = |path: &Path| path.to_string_lossy().into_owned();
    let failed = |failed: &[(PathBuf, uniq::Error)]| -> Vec<Value> {
        let one = |(path, error): &(PathBuf, uniq::Error)| json!({ "path": name(path), "code": error.code(), "message": errors::chain(error) });
        failed.iter().map(one).collect()
    };
    let damaged: Vec<Value> = summary
        .damaged
        .iter()
        .map(|(path, undecoded)| json!({ "path": name(path), "undecoded_s": undecoded.as_secs_f64() }))
        .collect();
    json!({
        "added": summary.added,
        "corrected": summary.corrected,
        "refreshed": summary.refreshed,
        "already_there": summary.skipped,
        "benign": summary.benign,
        "not_there": summary.not_there.iter().map(|path| name(path)).collect::<Vec<_>>(),
        "no_videos": no_videos.iter().map(|path| name(path)).collect::<Vec<_>>(),
        "failed": failed(&summary.failed),
        "failed_before": failed(&summary.failed_before),
        "damaged": damaged,
        "video_s": summary.video.as_secs_f64(),
        "cancelled": summary.cancelled,
        "index": summary.state,
    })
}

/// One video, as `uniq index list --json` prints it.
fn listed(video: &Video, role: Role, (generation, added_at): (u64, Option<String>)) -> Value {
    let mut object = serde_json::to_value(&video.publication).unwrap_or_default();
    let more = json!({
        "id": video.id,
        "path": video.path,
        "sha256": hex(&video.sha256),
        "duration_s": video.duration.as_secs_f64(),
        "undecoded_s": video.undecoded.as_secs_f64(),
        "width": video.width,
        "height": video.height,
        "keyframes": video.keyframes,
        "role": role,
        "added_generation": generation,
        "added_at": added_at,
    });
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

/// Why videos were not removed: a code and a sentence.
type Refusal = (&'static str, String);

fn remove(dir: &Path, selectors: &[String], role: Role) -> uniq::Result<Result<Value, Refusal>> {
    let mut writer = Writer::open(dir)?.with_clock(SystemTime::now);
    let mut removed: Vec<Video> = Vec::new();
    if let Some(index) = writer.committed() {
        for selector in selectors {
            match index.select(selector, role) {
                Selection::One(video) => {
                    let video = index.video(video);
                    if removed.iter().all(|other| other.sha256 != video.sha256) {
                        removed.push(video.clone());
                    }
                }
                Selection::None => {
                    let message =
                        format!("{selector}: no such video in the index; see Index.videos");
                    return Ok(Err(("not_there", message)));
                }
                Selection::Several(found) => {
                    let named: Vec<&str> = found
                        .iter()
                        .take(5)
                        .map(|video| &*index.video(*video).id)
                        .collect();
                    let (number, named) = (found.len(), named.join(", "));
                    let message =
                        format!("{selector}: matches {number} videos; name one by its id: {named}");
                    return Ok(Err(("ambiguous", message)));
                }
            }
        }
    }
    for video in &removed {
        writer.remove_as(role, &hex(&video.sha256))?;
    }
    let state = writer.commit()?;
    let removed: Vec<Value> = removed
        .iter()
        .map(|video| json!({ "id": video.id, "path": video.path }))
        .collect();
    Ok(Ok(json!({ "removed": removed, "index": state })))
}

fn role_of(name: &str) -> PyResult<Role> {
    match name {
        "source" => Ok(Role::Source),
        "benign" => Ok(Role::Benign),
        "submission" => Ok(Role::Submission),
        other => Err(errors::setting(&format!(
            "role is {other:?}; it must be \"source\", \"benign\" or \"submission\""
        ))),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
