//! Searches the index on a Ray cluster instead of in this process.
//!
//! The service still decodes clips. For everything in the segments it asks a helper, a Python
//! process that is connected to the cluster (`helper`). The parts are merged here, so that the
//! report equals that of a search in this process. A part that is missing, damaged or of another
//! commit is an error: the submission waits and is checked again.
//!
//! A helper that ends or does not answer is restarted. Until it works, no check begins.

mod frames;
mod helper;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use uniq::index::State;
use uniq::scatter::{Candidates, Needs, Question, Shards};
use uniq::{CheckOptions, Error, Result};

use crate::config::RayConfig;
use helper::{Helper, Outcome};

/// A cluster that searches the index.
#[derive(Debug)]
pub struct Ray {
    config: RayConfig,
    index: PathBuf,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    helper: Option<Arc<Helper>>,
    /// Why it cannot be used, if so.
    wrong: Option<String>,
}

impl Ray {
    /// A cluster that is not connected yet.
    pub fn new(config: RayConfig, index: &Path) -> Ray {
        Ray {
            config,
            index: index.to_owned(),
            now: Mutex::new(Now {
                helper: None,
                wrong: Some("its helper was not started".to_owned()),
            }),
        }
    }

    /// Connects to the cluster, and stays connected until `stopping` is set.
    ///
    /// # Errors
    /// A message with the fault and the remedy.
    pub fn start(self: &Arc<Ray>, stopping: Arc<AtomicBool>) -> anyhow::Result<JoinHandle<()>> {
        let helper = Helper::start(&self.config, &self.index, &|| false)
            .map_err(|wrong| anyhow::anyhow!("ray: {wrong}"))?;
        self.set(Some(Arc::new(helper)), None);
        let kept = Arc::clone(self);
        Ok(thread::Builder::new()
            .name("ray".to_owned())
            .spawn(move || kept.keep(&stopping))?)
    }

    /// Whether checks can be made now.
    pub fn is_up(&self) -> bool {
        self.now().wrong.is_none()
    }

    /// Watches and restarts the helper.
    fn keep(&self, stopping: &AtomicBool) {
        let is_stopping = || stopping.load(Ordering::Relaxed);
        let mut failing: Option<Instant> = None;
        while !is_stopping() {
            let helper = self.now().helper.clone();
            let Some(helper) = helper else {
                match Helper::start(&self.config, &self.index, &is_stopping) {
                    // It counts as working once it has answered.
                    Ok(helper) => {
                        let wrong = self.now().wrong.clone();
                        self.set(Some(Arc::new(helper)), wrong);
                    }
                    Err(wrong) => {
                        self.set(None, Some(wrong));
                        wait(REST, &is_stopping);
                    }
                }
                continue;
            };
            let (wrong, is_lost) = match helper.ask("ready", &[], LOOK_MAX, &is_stopping) {
                Outcome::Answered(_) => (None, false),
                Outcome::Cancelled => break,
                Outcome::Wrong(wrong) => {
                    let since = failing.get_or_insert_with(Instant::now).elapsed();
                    (Some(wrong.message), since > FAILING_MAX)
                }
                Outcome::Late => (Some("its helper does not answer".to_owned()), true),
                Outcome::Ended(why) => (Some(format!("its helper is lost: {why}")), true),
            };
            if wrong.is_none() {
                failing = None;
            }
            if is_lost {
                failing = None;
                self.set(None, wrong);
                // Tells all that still wait that no answer will come.
                helper.end(Duration::ZERO);
                wait(REST, &is_stopping);
            } else {
                self.set(Some(helper), wrong);
                wait(LOOK_EVERY, &is_stopping);
            }
        }
        let helper = self.now().helper.take();
        if let Some(helper) = helper {
            helper.end(GRACE);
        }
    }

    fn set(&self, helper: Option<Arc<Helper>>, wrong: Option<String>) {
        let mut now = self.now();
        match (&now.wrong, &wrong) {
            (Some(_), None) => tracing::info!("the Ray cluster answers"),
            (before, Some(wrong)) if before.as_ref() != Some(wrong) => {
                tracing::error!(
                    error = wrong,
                    "the Ray cluster does not answer; submissions wait until it does"
                );
            }
            _ => {}
        }
        *now = Now { helper, wrong };
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error that leaves a submission unchanged.
    fn lacking(&self, why: &str) -> Error {
        Error::IncompleteAnswer {
            path: self.index.clone(),
            reason: format!("the Ray cluster does not answer ({why}); try again when it does"),
        }
    }
}

impl Shards for Ray {
    fn search(
        &self,
        question: &Question,
        state: &State,
        needs: &Needs,
        options: &CheckOptions<'_>,
    ) -> Result<Vec<Candidates>> {
        let (helper, wrong) = {
            let now = self.now();
            (now.helper.clone(), now.wrong.clone())
        };
        let helper = helper.ok_or_else(|| self.lacking(&wrong.unwrap_or_default()))?;
        let sent = [question.to_bytes()?, state.to_bytes()?, needs.to_bytes()?];
        let is_cancelled = || {
            options
                .cancel
                .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
        };
        let at_most = Duration::from_secs(self.config.time_out_seconds);
        let parts = sent.each_ref().map(Vec::as_slice);
        match helper.ask("search", &parts, at_most, &is_cancelled) {
            Outcome::Answered(parts) => parts
                .iter()
                .map(|part| Candidates::from_bytes(part))
                .collect(),
            Outcome::Cancelled => Err(Error::Cancelled),
            // The clip itself takes too long, and would again.
            Outcome::Wrong(wrong) if wrong.code == "limit_exceeded" => Err(Error::LimitExceeded {
                path: PathBuf::new(),
                limit: "time",
                found: "a machine of the cluster did not finish the search in time".to_owned(),
                allowed: format!(
                    "{} s at most",
                    options.decoding.limits.time_ceiling.as_secs()
                ),
                option: "--max-time",
            }),
            Outcome::Wrong(wrong) => Err(self.lacking(&wrong.message)),
            Outcome::Late => {
                let seconds = self.config.time_out_seconds;
                Err(self.lacking(&format!(
                    "no answer after {seconds} s; ray.time_out_seconds allows more"
                )))
            }
            Outcome::Ended(why) => Err(self.lacking(&format!("its helper is lost: {why}"))),
        }
    }
}

/// Waits, but stops with the service.
fn wait(at_most: Duration, is_stopping: &dyn Fn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < at_most && !is_stopping() {
        thread::sleep(PAUSE);
    }
}

/// Time between two checks of the helper.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Time limit for a helper to report the state of the cluster. The helper waits 5 s for the
/// cluster; the rest is for a busy host.
const LOOK_MAX: Duration = Duration::from_secs(20);

/// Time without a sound cluster after which the helper is restarted. Ray replaces actors and
/// machines by itself in less.
const FAILING_MAX: Duration = Duration::from_secs(30);

/// Pause before a helper is started again.
const REST: Duration = Duration::from_secs(2);

/// Time for a helper to end by itself.
const GRACE: Duration = Duration::from_secs(8);

/// Time between two checks whether the service stops.
const PAUSE: Duration = Duration::from_millis(50);
