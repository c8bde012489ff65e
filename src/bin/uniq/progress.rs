//! Shows the progress of long work: a bar on a terminal, otherwise occasional lines.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use uniq::dedup::{self, Stage};
use uniq::index::Upkeep;
use uniq::ingest::{Event, Outcome};

use crate::talk;
use crate::text::{bytes, count, grouped, hours, length};

/// Time between two lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Time between two updates of the bar's text, since events come many times a second.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// The progress of a build; events may come from any thread.
pub(crate) struct Progress {
    start: Instant,
    state: Mutex<State>,
    view: View,
}

/// How it is shown.
enum View {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

struct State {
    tally: Tally,
    shown: Instant,
}

impl Progress {
    /// Chooses the view: nothing if `quiet`, a bar if standard error is a terminal, else lines.
    pub(crate) fn new(quiet: bool) -> Progress {
        let view = if quiet {
            View::Nothing
        } else if io::stderr().is_terminal() {
            View::Bar(bar())
        } else {
            View::Lines
        };
        let start = Instant::now();
        let state = State {
            tally: Tally::default(),
            shown: start,
        };
        Progress {
            start,
            state: Mutex::new(state),
            view,
        }
    }

    /// Handles an event of a build.
    pub(crate) fn event(&self, event: &Event<'_>) {
        let mut state = self.state();
        state.tally.add(event);
        let due = match &self.view {
            View::Bar(_) => {
                state.shown.elapsed() >= REDRAW_EVERY || !matches!(event, Event::Advanced { .. })
            }
            View::Lines => state.shown.elapsed() >= LINE_EVERY,
            View::Nothing => false,
        };
        if !due {
            return;
        }
        state.shown = Instant::now();
        let line = state.tally.line(self.start.elapsed());
        match &self.view {
            View::Bar(bar) => {
                let (done, of) = state.tally.place();
                bar.set_length(of);
                bar.set_position(done);
                bar.set_message(line);
            }
            View::Lines => talk::say(&line),
            View::Nothing => {}
        }
    }

    /// Shows how many of the bytes have been read.
    pub(crate) fn read(&self, done: u64, of: u64) {
        if let View::Bar(bar) = &self.view {
            bar.set_length(of.max(1));
            bar.set_position(done);
            bar.set_message(format!("{} of {} read", bytes(done), bytes(of)));
        }
    }

    /// Shows the progress of a transfer.
    #[cfg(feature = "remote")]
    pub(crate) fn carried(&self, at: uniq::remote::Progress) {
        use uniq::remote::Stage;

        let what = match at.stage {
            Stage::Sending => "sent",
            Stage::Receiving => "fetched",
            Stage::Verifying => "compared",
        };
        let line = || format!("{} of {} {what}", bytes(at.done), bytes(at.of));
        match &self.view {
            View::Bar(bar) => {
                bar.set_length(at.of.max(1));
                bar.set_position(at.done);
                bar.set_message(line());
            }
            View::Lines => {
                let mut state = self.state();
                if state.shown.elapsed() >= LINE_EVERY {
                    state.shown = Instant::now();
                    talk::say(&line());
                }
            }
            View::Nothing => {}
        }
    }

    /// Removes the bar and returns the speed of the work, for the last line.
    pub(crate) fn finish(&self) -> String {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
        }
        let elapsed = self.start.elapsed();
        let tally = &self.state().tally;
        match tally.speed(elapsed) {
            Some(speed) => format!("{} at {speed}", length(elapsed.as_secs_f64())),
            None => length(elapsed.as_secs_f64()),
        }
    }

    /// The counts remain usable after a panic in another thread.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bar on a terminal that counts finished items.
pub(crate) struct Counter {
    bar: Option<ProgressBar>,
    noun: &'static str,
}

impl Counter {
    /// Shows nothing if `quiet`, or if standard error is no terminal.
    pub(crate) fn new(quiet: bool, of: usize, noun: &'static str) -> Counter {
        let bar = (!quiet && io::stderr().is_terminal()).then(bar);
        let counter = Counter { bar, noun };
        if let Some(bar) = &counter.bar {
            bar.set_length(of as u64);
            bar.set_message(counter.line(0, of as u64));
        }
        counter
    }

    /// Counts a finished item. `print` may write while the bar is hidden.
    pub(crate) fn done<T>(&self, print: impl FnOnce() -> T) -> T {
        let Some(bar) = &self.bar else { return print() };
        let printed = bar.suspend(print);
        bar.inc(1);
        bar.set_message(self.line(bar.position(), bar.length().unwrap_or(0)));
        printed
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, done: u64, of: u64) -> String {
        format!("{} of {} checked", grouped(done), count(of, self.noun))
    }
}

/// The progress of a search for duplicates: a bar on a terminal, otherwise occasional lines.
pub(crate) struct Stages {
    view: View,
    shown: Mutex<Instant>,
}

impl Stages {
    /// Shows nothing if `quiet`.
    pub(crate) fn new(quiet: bool) -> Stages {
        let view = match quiet {
            true => View::Nothing,
            false if io::stderr().is_terminal() => View::Bar(bar()),
            false => View::Lines,
        };
        Stages {
            view,
            shown: Mutex::new(Instant::now()),
        }
    }

    /// Handles an event of the search.
    pub(crate) fn event(&self, event: dedup::Event) {
        let dedup::Event { stage, done, of } = event;
        let what = match stage {
            Stage::Reading => "read",
            Stage::Decoding => "decoded",
            Stage::Indexing => "indexed",
            Stage::Searching => "searched for",
            Stage::Comparing => "compared",
        };
        let line = || {
            format!(
                "{} of {} {what}",
                grouped(done as u64),
                count(of as u64, "clip")
            )
        };
        match &self.view {
            View::Bar(bar) => {
                bar.set_length(of.max(1) as u64);
                bar.set_position(done as u64);
                bar.set_message(line());
            }
            View::Lines => {
                let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
                if shown.elapsed() >= LINE_EVERY {
                    *shown = Instant::now();
                    talk::say(&line());
                }
            }
            View::Nothing => {}
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
        }
    }
}

/// The counts that are shown.
#[derive(Debug, Default)]
struct Tally {
    videos: usize,
    bytes: u64,
    videos_done: usize,
    bytes_read: u64,
    bytes_skipped: u64,
    failed: usize,
    video: Duration,
    /// The current maintenance of the index, and its finished share.
    maintaining: Option<(Upkeep, f32)>,
}

impl Tally {
    fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { videos, bytes } => (self.videos, self.bytes) = (*videos, *bytes),
            Event::Advanced { video } => self.video += *video,
            Event::Finished { bytes, outcome, .. } => {
                self.videos_done += 1;
                match outcome {
                    Outcome::AlreadyThere
                    | Outcome::Corrected
                    | Outcome::NotThere
                    | Outcome::Benign => self.bytes_skipped += bytes,
                    Outcome::Added { .. } | Outcome::Refreshed { .. } => self.bytes_read += bytes,
                    Outcome::Failed(_) => {
                        self.bytes_read += bytes;
                        self.failed += 1;
                    }
                }
            }
            Event::Maintaining { what, share } => self.maintaining = Some((*what, *share)),
            _ => {}
        }
    }

    fn bytes_passed(&self) -> u64 {
        self.bytes_read + self.bytes_skipped
    }

    /// The position and the length of the bar.
    fn place(&self) -> (u64, u64) {
        match self.maintaining {
            Some((_, share)) => ((1000.0 * share) as u64, 1000),
            None => (self.bytes_passed(), self.bytes.max(1)),
        }
    }

    /// `12/48 videos, 3.2 hours, 84x real time, 2 min 5 s left`.
    fn line(&self, elapsed: Duration) -> String {
        let mut parts = Vec::new();
        if self.videos > 0 {
            parts.push(format!(
                "{}/{} videos, {}",
                self.videos_done,
                self.videos,
                hours(self.video.as_secs_f64() / 3600.0)
            ));
        }
        parts.extend(self.speed(elapsed));
        if let Some((what, share)) = self.maintaining {
            let what = match what {
                Upkeep::Merging => "merging segments",
                Upkeep::Training => "training cells",
                Upkeep::Sorting => "sorting keys by cell",
                Upkeep::Measuring => "measuring what a search finds",
                Upkeep::Upgrading => "writing the videos in the new format",
                Upkeep::Joining => "taking videos over",
            };
            parts.push(format!("{what}, {:.0} %", 100.0 * share));
        } else if let Some(left) = self.left(elapsed) {
            parts.push(format!("{} left", length(left.as_secs_f64())));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        parts.join(", ")
    }

    /// Seconds of video per second; `None` until there is enough to measure.
    fn speed(&self, elapsed: Duration) -> Option<String> {
        let (video, elapsed) = (self.video.as_secs_f64(), elapsed.as_secs_f64());
        (video > 0.0 && elapsed > 0.5).then(|| format!("{:.0}x real time", video / elapsed))
    }

    /// The remaining time. It is estimated by bytes, since the length of a video is unknown before
    /// it is opened. Skipped videos take no time.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let left = self.bytes.saturating_sub(self.bytes_passed());
        (self.bytes_read > 0 && left > 0).then(|| {
            Duration::try_from_secs_f64(
                elapsed.as_secs_f64() * left as f64 / self.bytes_read as f64,
            )
            .ok()
        })?
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1);
    // The template is constant; if it were invalid, the default style would be used.
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:16}] {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn time_left_counts_only_the_bytes_that_cost_time() {
        let mut tally = Tally::default();
        let path = Path::new("v.mp4");
        tally.add(&Event::Started {
            videos: 4,
            bytes: 1_000,
        });
        assert_eq!(tally.line(Duration::ZERO), "0/4 videos, 0 s");
        tally.add(&Event::Finished {
            path,
            bytes: 400,
            outcome: Outcome::AlreadyThere,
        });
        assert_eq!(tally.left(Duration::from_secs(10)), None);
        tally.add(&Event::Advanced {
            video: Duration::from_secs(1_800),
        });
        let added = Outcome::Added {
            duration: Duration::from_secs(1_800),
            undecoded: Duration::ZERO,
        };
        tally.add(&Event::Finished {
            path,
            bytes: 200,
            outcome: added,
        });
        assert_eq!(
            tally.line(Duration::from_secs(10)),
            "2/4 videos, 30 min 0 s, 180x real time, 20 s left"
        );
        tally.add(&Event::Finished {
            path,
            bytes: 100,
            outcome: Outcome::Failed(&uniq::Error::Cancelled),
        });
        tally.add(&Event::Maintaining {
            what: Upkeep::Merging,
            share: 0.9,
        });
        assert_eq!(
            tally.line(Duration::from_secs(20)),
            "3/4 videos, 30 min 0 s, 90x real time, merging segments, 90 %, 1 failed"
        );
        tally.add(&Event::Maintaining {
            what: Upkeep::Training,
            share: 0.254,
        });
        assert_eq!(
            tally.line(Duration::from_secs(20)),
            "3/4 videos, 30 min 0 s, 90x real time, training cells, 25 %, 1 failed"
        );
        assert_eq!(tally.place(), (254, 1000));
    }

    #[test]
    fn upkeep_alone_speaks_of_no_videos() {
        let mut tally = Tally::default();
        tally.add(&Event::Maintaining {
            what: Upkeep::Merging,
            share: 0.0,
        });
        assert_eq!(tally.line(Duration::from_secs(9)), "merging segments, 0 %");
    }
}
