//! Checks of clips and fingerprints, and the fingerprints themselves.

use std::path::PathBuf;
use std::time::SystemTime;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use uniq::fingerprint::KeyKind;
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Effort, Query, SearchMode};

use crate::decoding::Settings;
use crate::errors;
use crate::index::{Index, hex};
use crate::work::{self, Control};

/// Options of a check, as in the dataclass `uniq._options.CheckArguments`.
#[derive(Debug, FromPyObject)]
pub(crate) struct Arguments {
    pub(crate) effort: String,
    pub(crate) search: String,
    pub(crate) quality: bool,
    pub(crate) exclude: Vec<[u8; 32]>,
}

impl Arguments {
    /// The effort.
    pub(crate) fn effort(&self) -> PyResult<Effort> {
        effort(&self.effort)
    }

    /// Whether the search may be screened.
    pub(crate) fn search(&self) -> PyResult<SearchMode> {
        match &*self.search {
            "auto" => Ok(SearchMode::Auto),
            "exact" => Ok(SearchMode::Exact),
            "screened" => Ok(SearchMode::Screened),
            other => Err(errors::setting(&format!(
                "search is {other:?}; it must be \"auto\", \"exact\" or \"screened\""
            ))),
        }
    }
}

/// The effort with this name.
pub(crate) fn effort(name: &str) -> PyResult<Effort> {
    match name {
        "fast" => Ok(Effort::Fast),
        "standard" => Ok(Effort::Standard),
        "thorough" => Ok(Effort::Thorough),
        other => Err(errors::setting(&format!(
            "effort is {other:?}; it must be \"fast\", \"standard\" or \"thorough\""
        ))),
    }
}

/// The fingerprint of a clip.
#[pyclass(frozen, module = "uniq._uniq")]
pub(crate) struct Fingerprint {
    pub(crate) made: uniq::Fingerprint,
}

#[pymethods]
impl Fingerprint {
    /// The bytes of its file, with the small pictures if they are wanted and there are any.
    fn to_bytes<'py>(&self, py: Python<'py>, pictures: bool) -> Bound<'py, PyBytes> {
        let bytes = py.detach(|| self.kept(pictures).to_bytes());
        PyBytes::new(py, &bytes)
    }

    /// Writes its file.
    fn save(&self, py: Python<'_>, path: PathBuf, pictures: bool) -> PyResult<()> {
        let saved = py.detach(|| self.kept(pictures).save_with_pictures(&path));
        saved.map_err(|error| errors::raise(py, &error))
    }

    /// The keys of its keyframes.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let keyframes = self.made.keyframes();
        let keys: Vec<Value> = self
            .made
            .keys()
            .iter()
            .map(|key| {
                let time = keyframes
                    .get(key.keyframe as usize)
                    .map_or(0.0, |keyframe| keyframe.time.as_secs_f64());
                json!({
                    "time_s": time,
                    "kind": if key.kind == KeyKind::Whole { "whole" } else { "region" },
                    "x": f64::from(key.place.x),
                    "y": f64::from(key.place.y),
                    "size": f64::from(key.place.size),
                    "key": hex(&key.key.to_bytes()),
                })
            })
            .collect();
        json(py, &keys)
    }

    /// SHA-256 of the clip.
    fn sha256(&self) -> String {
        hex(self.made.sha256())
    }

    /// What names it.
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let digest = py.detach(|| self.kept(false).digest());
        PyBytes::new(py, &digest)
    }
}

impl Fingerprint {
    pub(crate) fn new(made: uniq::Fingerprint) -> Fingerprint {
        Fingerprint { made }
    }

    pub(crate) fn made(&self) -> &uniq::Fingerprint {
        &self.made
    }

    fn kept(&self, pictures: bool) -> uniq::Fingerprint {
        if pictures {
            self.made.clone()
        } else {
            self.made.clone().with_pictures(Vec::new())
        }
    }
}

/// Makes the fingerprint of a clip.
#[pyfunction]
pub(crate) fn fingerprint(
    py: Python<'_>,
    clip: PathBuf,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<Fingerprint> {
    let decoding = decoding.decoding(py)?;
    let made = work::run(py, &control, |cancel, _| {
        // Reads it again, so that its digest is that of its file.
        let invalid = |reason| uniq::Error::InvalidFingerprint {
            path: clip.clone(),
            reason,
        };
        uniq::fingerprint(&clip, &decoding, Some(cancel))?
            .kept()
            .map_err(invalid)
    })?;
    Ok(Fingerprint { made })
}

/// Reads a fingerprint file, where clips are decoded.
#[pyfunction]
pub(crate) fn load_fingerprint(
    py: Python<'_>,
    file: PathBuf,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<Fingerprint> {
    let decoding = decoding.decoding(py)?;
    let made = work::run(py, &control, |cancel, _| {
        uniq::Fingerprint::load(&file, &decoding, Some(cancel))
    })?;
    Ok(Fingerprint { made })
}

/// Reads the bytes of a fingerprint file in this process.
#[pyfunction]
pub(crate) fn fingerprint_of_bytes(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Fingerprint> {
    let made = py
        .detach(|| uniq::Fingerprint::from_bytes(&bytes))
        .map_err(|reason| {
            let message =
                format!("not a usable fingerprint: {reason}; make it again from the clip");
            errors::raise_as(py, "FingerprintError", &message, "invalid_fingerprint")
        })?;
    Ok(Fingerprint { made })
}

/// Checks a clip, and returns the report as JSON; `name` is the clip's path in it,
/// unless a fingerprint is to keep its own.
#[pyfunction]
pub(crate) fn check<'py>(
    py: Python<'py>,
    index: &Index,
    clip: Asked<'_>,
    name: Option<String>,
    arguments: Arguments,
    decoding: Settings,
    control: Control<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    let decoding = decoding.decoding(py)?;
    let (effort, search) = (arguments.effort()?, arguments.search()?);
    let clip = match &clip {
        Asked::Fingerprint(fingerprint) => Ok(&fingerprint.get().made),
        Asked::Clip(path) => Err(path.as_path()),
    };
    let report = work::run(py, &control, |cancel, _| {
        let options = CheckOptions {
            effort,
            search,
            exclude: &arguments.exclude,
            cancel: Some(cancel),
            now: Some(SystemTime::now()),
            quality: arguments.quality,
            ..CheckOptions::new(&decoding)
        };
        let index = index.current()?;
        let mut report = match clip {
            Ok(fingerprint) => uniq::check_fingerprint(&index, fingerprint, &options)?,
            Err(path) => uniq::check(&index, Query::Clip(path), &options)?,
        };
        if let Some(name) = name {
            report.clip.path = name;
        }
        Ok(report)
    })?;
    json(py, &report)
}

/// What to check.
#[derive(FromPyObject)]
pub(crate) enum Asked<'py> {
    /// A fingerprint in memory.
    Fingerprint(Bound<'py, Fingerprint>),
    /// A file.
    Clip(PathBuf),
}

/// A library value as JSON, as the program prints it.
pub(crate) fn json<'py>(
    py: Python<'py>,
    value: &impl serde::Serialize,
) -> PyResult<Bound<'py, PyBytes>> {
    match json_line(value) {
        Ok(line) => Ok(PyBytes::new(py, line.as_bytes())),
        Err(error) => Err(errors::internal(py, &error.to_string())),
    }
}
