//! Hands decoded pictures on, one late: asks for each, scales the wanted ones, and lets the observer see them.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ffmpeg_next::util::frame::{self, Video};

use super::geometry::Orientation;
use super::limits::Limits;
use super::luma::LumaScaler;
use super::open::{self, Stream};
use super::{Frame, Observer, Selector, clock};
use crate::{Error, Result};

/// A frame that waits for its successor's time.
pub(super) struct Held {
    pub(super) picture: Video,
    /// On the stream's own clock and from the first frame, in nanoseconds.
    pub(super) stamp: i64,
    pub(super) time: i64,
    pub(super) length: i64,
}

/// Where frames go: asked for, scaled and handed out one frame late, when the next one's time is known.
pub(super) struct Output<'a> {
    pub(super) path: &'a Path,
    pub(super) limits: &'a Limits,
    pub(super) started: Instant,
    pub(super) selector: &'a mut dyn Selector,
    pub(super) observer: &'a mut dyn Observer,
    scaler: LumaScaler,
    pub(super) held: Option<Held>,
    /// When the last wanted frame is shown, on the stream's own clock.
    pub(super) wanted: Option<i64>,
    /// Wanted frames that could not be scaled: start, end, reason.
    pub(super) unusable: Vec<(i64, i64, String)>,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        path: &'a Path,
        limits: &'a Limits,
        selector: &'a mut dyn Selector,
        observer: &'a mut dyn Observer,
    ) -> Output<'a> {
        Output {
            path,
            limits,
            started: Instant::now(),
            selector,
            observer,
            scaler: LumaScaler::default(),
            held: None,
            wanted: None,
            unusable: Vec::new(),
        }
    }

    /// Asks the selector for the held frame, and scales and hands it out if it is wanted.
    pub(super) fn offer(&mut self, next: Option<i64>, stream: &Stream) -> Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let time = clock::duration(held.time);
        if !self.selector.wants(time, next.map(clock::duration)) {
            return Ok(());
        }
        self.wanted = Some(held.stamp);
        let aspect = match stream.sample_aspect {
            (0, _) => open::aspect_pair(held.picture.aspect_ratio().into()),
            aspect => aspect,
        };
        let orientation = held
            .picture
            .side_data(frame::side_data::Type::DisplayMatrix)
            .and_then(|data| open::matrix(data.data()))
            .map_or(stream.orientation, |matrix| Orientation::from_matrix(&matrix));
        let mut held = held;
        let shown = stream.window.margins((held.picture.width(), held.picture.height()));
        if !shown.is_some_and(|margins| open::crop(&mut held.picture, margins)) {
            let end = next.unwrap_or(held.time.saturating_add(held.length));
            self.unusable.push((held.time, end, CROPPED.to_owned()));
            return Ok(());
        }
        match self.scaler.scale(&held.picture, aspect, orientation, self.selector.resolution()) {
            Ok(frame) => match self.observer.frame(Frame { time, ..frame }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Cancelled),
            },
            Err(reason) => {
                let end = next.unwrap_or(held.time.saturating_add(held.length));
                self.unusable.push((held.time, end, reason));
                Ok(())
            }
        }
    }
}

/// The reason for a picture of which nobody can tell how much is shown.
const CROPPED: &str = "the container crops the picture in a way that cannot be followed";
