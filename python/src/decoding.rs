//! Converts `uniq.Decoding` into the library's options of decoding.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use uniq::media::{Limits, Links};
use uniq::sandbox::{Decoding, Demand, Journal, Place, Quarantine, Worker};

use crate::errors;
use crate::work::duration;

/// The fields of the dataclass `uniq.Decoding`.
#[derive(Debug, FromPyObject)]
pub(crate) struct Settings {
    program: PathBuf,
    sandbox: String,
    follow_links: bool,
    journal: Option<PathBuf>,
    retry_quarantined: bool,
    max_pixels: Option<u64>,
    max_frames: Option<u64>,
    max_duration: Option<f64>,
    max_bytes: Option<u64>,
    min_time: Option<f64>,
    time_ratio: Option<u32>,
    max_time: Option<f64>,
    max_stall: Option<f64>,
    max_memory: Option<u64>,
}

impl Settings {
    /// The library's options.
    pub(crate) fn decoding(&self, py: Python<'_>) -> PyResult<Decoding> {
        let demand = match &*self.sandbox {
            "available" => Some(Demand::WhatThereIs),
            "required" => Some(Demand::Everything),
            "off" => None,
            other => {
                let expected = "\"available\", \"required\" or \"off\"";
                return Err(errors::setting(&format!(
                    "sandbox is {other:?}; it must be {expected}"
                )));
            }
        };
        let place = match demand {
            None => Place::InProcess,
            Some(demand) => {
                let worker = Worker {
                    program: self.program.clone(),
                    environment: kept(),
                    demand,
                };
                Place::Worker(worker)
            }
        };
        let quarantine = if self.retry_quarantined {
            Quarantine::Retry
        } else {
            Quarantine::Keep
        };
        let journal = match &self.journal {
            Some(path) => {
                let opened = Journal::open(path, quarantine, SystemTime::now);
                Some(Arc::new(opened.map_err(|error| errors::raise(py, &error))?))
            }
            None => None,
        };
        let links = if self.follow_links {
            Links::Follow
        } else {
            Links::Refuse
        };
        Ok(Decoding {
            place,
            limits: self.limits()?,
            links,
            journal,
        })
    }

    fn limits(&self) -> PyResult<Limits> {
        let usual = Limits::default();
        let time = |name, seconds: Option<f64>, usual| match seconds {
            Some(seconds) => duration(name, seconds),
            None => Ok(usual),
        };
        Ok(Limits {
            frame_pixels: self.max_pixels.unwrap_or(usual.frame_pixels),
            frames: self.max_frames.unwrap_or(usual.frames),
            duration: time("max_duration", self.max_duration, usual.duration)?,
            bytes: self.max_bytes.unwrap_or(usual.bytes),
            time_floor: time("min_time", self.min_time, usual.time_floor)?,
            time_ratio: self.time_ratio.unwrap_or(usual.time_ratio),
            time_ceiling: time("max_time", self.max_time, usual.time_ceiling)?,
            stall: time("max_stall", self.max_stall, usual.stall)?,
            memory: self.max_memory.unwrap_or(usual.memory),
        })
    }
}

/// Environment variables that the loader may need to find FFmpeg. Decoding processes get no others.
fn kept() -> Vec<(OsString, OsString)> {
    let names = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
    names
        .iter()
        .filter_map(|name| Some((OsString::from(name), env::var_os(name)?)))
        .collect()
}
