//! Searches an index whose segments are open in several processes.
//!
//! What processes send to each other passes as the library's sealed bytes.

use std::path::PathBuf;
use std::time::SystemTime;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use uniq::index::{self, ShardHoldings, State};
use uniq::scatter::{self, Candidates, Merged, Needs, Question};
use uniq::{CheckOptions, Query};

use crate::check::{Arguments, Asked, json};
use crate::decoding::Settings;
use crate::errors;
use crate::index::Index;
use crate::work::{self, Control};

/// The segments of an index as JSON, in the order of its manifest.
#[pyfunction]
pub(crate) fn parts<'py>(py: Python<'py>, dir: PathBuf) -> PyResult<Bound<'py, PyBytes>> {
    let parts = py
        .detach(|| index::parts(&dir))
        .map_err(|error| errors::raise(py, &error))?;
    json(py, &parts)
}

/// The state of an index from the holdings of its shards, as sealed bytes.
#[pyfunction]
pub(crate) fn state_of_shards<'py>(
    py: Python<'py>,
    dir: PathBuf,
    holdings: Vec<Vec<u8>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let made = py.detach(|| {
        let holdings = holdings
            .iter()
            .map(|bytes| ShardHoldings::from_bytes(bytes));
        State::of_shards(&dir, &holdings.collect::<uniq::Result<Vec<_>>>()?)?.to_bytes()
    });
    sealed(py, made)
}

/// The state of an index that is open as a whole, as sealed bytes.
#[pyfunction]
pub(crate) fn state_of_index<'py>(py: Python<'py>, index: &Index) -> PyResult<Bound<'py, PyBytes>> {
    let made = py.detach(|| State::of(&*index.current()?).to_bytes());
    sealed(py, made)
}

/// What sealed bytes say of an index, as `Index.state` gives it.
#[pyfunction]
pub(crate) fn describe_state<'py>(
    py: Python<'py>,
    state: Vec<u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let state = py
        .detach(|| State::from_bytes(&state))
        .map_err(|error| errors::raise(py, &error))?;
    let mut described = serde_json::to_value(state.index()).unwrap_or_default();
    described["committed_at"] = state.committed_at().into();
    json(py, &described)
}

/// Some segments of an index, opened for searching.
#[pyclass(frozen, module = "uniq._uniq")]
pub(crate) struct Shard {
    shard: index::Shard,
}

#[pymethods]
impl Shard {
    /// Opens segments by their numbers.
    #[new]
    fn new(py: Python<'_>, dir: PathBuf, numbers: Vec<u64>) -> PyResult<Shard> {
        let opened = py.detach(|| index::Shard::open(&dir, &numbers));
        opened
            .map(|shard| Shard { shard })
            .map_err(|error| errors::raise(py, &error))
    }

    /// What it holds, as sealed bytes.
    fn holdings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let made = py.detach(|| self.shard.holdings().to_bytes());
        sealed(py, made)
    }

    /// Reads what a check needs of these segments, as sealed bytes.
    #[pyo3(signature = (question, state, needs, decoding, control))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        question: Vec<u8>,
        state: Vec<u8>,
        needs: Option<Vec<u8>>,
        decoding: Settings,
        control: Control<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let decoding = decoding.decoding(py)?;
        let found = work::run(py, &control, |cancel, _| {
            let (question, state) = (Question::from_bytes(&question)?, State::from_bytes(&state)?);
            let needs = needs
                .as_deref()
                .map_or_else(|| Ok(Needs::first()), Needs::from_bytes)?;
            let options = CheckOptions {
                cancel: Some(cancel),
                ..CheckOptions::new(&decoding)
            };
            scatter::search(&self.shard, &question, &state, &needs, &options)?.to_bytes()
        })?;
        Ok(PyBytes::new(py, &found))
    }
}

/// A clip that was decoded, to be asked about.
#[pyclass(frozen, module = "uniq._uniq")]
pub(crate) struct Request {
    request: scatter::Request,
}

#[pymethods]
impl Request {
    /// Decodes a clip, or takes a fingerprint; `name` is the clip's path in the report.
    #[new]
    fn new(
        py: Python<'_>,
        clip: Asked<'_>,
        name: Option<String>,
        arguments: Arguments,
        decoding: Settings,
        control: Control<'_>,
    ) -> PyResult<Request> {
        let decoding = decoding.decoding(py)?;
        let (effort, search) = (arguments.effort()?, arguments.search()?);
        let clip = match &clip {
            Asked::Fingerprint(fingerprint) => Ok(fingerprint.get().made.clone()),
            Asked::Clip(path) => Err(path.clone()),
        };
        let request = work::run(py, &control, |cancel, _| {
            let options = CheckOptions {
                effort,
                search,
                exclude: &arguments.exclude,
                cancel: Some(cancel),
                quality: arguments.quality,
                ..CheckOptions::new(&decoding)
            };
            let request = match clip {
                Ok(fingerprint) => {
                    let path = PathBuf::from(fingerprint.path());
                    scatter::Request::of_fingerprint(fingerprint, &path, &options)?
                }
                Err(path) => scatter::Request::new(Query::Clip(&path), &options)?,
            };
            Ok(match name {
                Some(name) => request.named(name.as_ref()),
                None => request,
            })
        })?;
        Ok(Request { request })
    }

    /// What to send to the shards, as sealed bytes.
    fn question<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let made = py.detach(|| self.request.question().to_bytes());
        sealed(py, made)
    }

    /// Merges what the shards have read: the report as JSON, or what they have to read besides, as
    /// sealed bytes.
    #[pyo3(signature = (state, candidates, decoding, control))]
    fn merge<'py>(
        &self,
        py: Python<'py>,
        state: Vec<u8>,
        candidates: Vec<Vec<u8>>,
        decoding: Settings,
        control: Control<'_>,
    ) -> PyResult<Merge<'py>> {
        let decoding = decoding.decoding(py)?;
        let merged = work::run(py, &control, |cancel, _| {
            let state = State::from_bytes(&state)?;
            let candidates = candidates
                .iter()
                .map(|bytes| Candidates::from_bytes(bytes))
                .collect::<uniq::Result<Vec<_>>>()?;
            let options = CheckOptions {
                cancel: Some(cancel),
                now: Some(SystemTime::now()),
                ..CheckOptions::new(&decoding)
            };
            match scatter::merge(&self.request, &state, &candidates, &options)? {
                Merged::Report(report) => Ok(Ok(report)),
                Merged::Needs(needs) => needs.to_bytes().map(Err),
            }
        })?;
        Ok(match merged {
            Ok(report) => (Some(json(py, &report)?), None),
            Err(needs) => (None, Some(PyBytes::new(py, &needs))),
        })
    }
}

/// The report, or what is missing for it.
type Merge<'py> = (Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>);

fn sealed(py: Python<'_>, made: uniq::Result<Vec<u8>>) -> PyResult<Bound<'_, PyBytes>> {
    let bytes = made.map_err(|error| errors::raise(py, &error))?;
    Ok(PyBytes::new(py, &bytes))
}
