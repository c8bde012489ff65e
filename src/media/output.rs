//! Hands decoded pictures on with a delay of one: asks the selector about each, scales the wanted
//! ones, and passes them to the observer.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use ffmpeg_next::util::frame::{self, Video};

use super::geometry::Orientation;
use super::limits::Limits;
use super::luma::LumaScaler;
use super::open::{self, Stream};
use super::{Frame, Observer, Selector, Still, clock, inspect};
use crate::{Error, Result};

/// A frame that waits for its successor's time.
pub(super) struct Held {
    pub(super) picture: Video,
    /// On the stream's own clock and counted from the first frame, in nanoseconds.
    pub(super) stamp: i64,
    pub(super) time: i64,
    pub(super) length: i64,
}

/// Receives frames, asks the selector, and hands wanted frames out, scaled and one frame late, when
/// the next frame's time is known.
pub(super) struct Output<'a> {
    pub(super) path: &'a Path,
    pub(super) limits: &'a Limits,
    pub(super) started: Instant,
    pub(super) selector: &'a mut dyn Selector,
    pub(super) observer: &'a mut dyn Observer,
    scaler: LumaScaler,
    /// The scaler for small pictures.
    shrinker: LumaScaler,
    /// The scaler for colour stills.
    colourer: LumaScaler,
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
            shrinker: LumaScaler::default(),
            colourer: LumaScaler::default(),
            held: None,
            wanted: None,
            unusable: Vec::new(),
        }
    }

    /// Asks the selector about the held frame; scales it and hands it out if it is wanted.
    pub(super) fn offer(&mut self, next: Option<i64>, stream: &Stream) -> Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let time = clock::duration(held.time);
        let area = self.selector.wants_picture(time);
        let wanted = self.selector.wants(time, next.map(clock::duration));
        let side = self.selector.wants_still(time, next.map(clock::duration));
        if wanted {
            self.wanted = Some(held.stamp);
        } else if area.is_none() && side.is_none() && self.observer.inspector().is_none() {
            return Ok(());
        }
        let aspect = match stream.sample_aspect {
            (0, _) => open::aspect_pair(held.picture.aspect_ratio().into()),
            aspect => aspect,
        };
        let orientation = held
            .picture
            .side_data(frame::side_data::Type::DisplayMatrix)
            .and_then(|data| open::matrix(data.data()))
            .map_or(stream.orientation, |matrix| {
                Orientation::from_matrix(&matrix)
            });
        let mut held = held;
        let shown = stream
            .window
            .margins((held.picture.width(), held.picture.height()));
        if !shown.is_some_and(|margins| open::crop(&mut held.picture, margins)) {
            if wanted {
                let end = next.unwrap_or(held.time.saturating_add(held.length));
                self.unusable.push((held.time, end, CROPPED.to_owned()));
            }
            return Ok(());
        }
        let going_on = |answer: ControlFlow<()>| match answer {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        };
        if let Some(inspector) = self.observer.inspector() {
            inspector.frame(&inspect::view(&held.picture, time, orientation));
        }
        // Missing luma is reported only for wanted frames, below.
        if let Some(area) = area
            && let Ok(small) = self
                .shrinker
                .shrink(&held.picture, aspect, orientation, area)
        {
            going_on(self.observer.picture(Frame { time, ..small }))?;
        }
        if let Some(side) = side
            && let Ok((width, height, rgb)) =
                self.colourer
                    .colour(&held.picture, aspect, orientation, side)
        {
            let until = clock::duration(next.unwrap_or(held.time.saturating_add(held.length)));
            let origin_ns = held.stamp.saturating_sub(held.time);
            going_on(self.observer.still(Still {
                time,
                until,
                origin_ns,
                width,
                height,
                rgb,
            }))?;
        }
        if !wanted {
            return Ok(());
        }
        match self.scaler.scale(
            &held.picture,
            aspect,
            orientation,
            self.selector.resolution(),
        ) {
            Ok(frame) => going_on(self.observer.frame(Frame { time, ..frame })),
            Err(reason) => {
                let end = next.unwrap_or(held.time.saturating_add(held.length));
                self.unusable.push((held.time, end, reason));
                Ok(())
            }
        }
    }
}

/// The reason for a picture whose shown part is unknown.
const CROPPED: &str = "the container crops the picture in a way that cannot be followed";
