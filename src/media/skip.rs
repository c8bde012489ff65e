//! Decides which pictures the decoder may skip because no other picture refers to them (pure).

use ffmpeg_next::codec::discard::Discard;

/// Skips pictures to which no other picture refers, where enough others remain.
pub(super) struct SkipUnreferenced {
    /// The longest permitted gap in nanoseconds; `None` decodes everything.
    limit: Option<i64>,
    latest: Option<i64>,
    /// The step to the latest picture exceeds the gap, so the pictures in between are needed.
    wide: bool,
    /// The stream does not have the assumed structure, so every picture is needed.
    disproved: bool,
}

impl SkipUnreferenced {
    pub(super) fn new(limit: Option<i64>) -> SkipUnreferenced {
        SkipUnreferenced {
            limit,
            latest: None,
            wide: false,
            disproved: false,
        }
    }

    /// The decoder's setting for the next packet; `None` if it never changes.
    ///
    /// In decoding order, a picture later than all before it is nearly always a reference picture,
    /// and the following ones fill the step to it.
    pub(super) fn setting(&mut self, time: Option<i64>) -> Option<Discard> {
        let limit = self.limit?;
        if let Some(time) = time
            && self.latest.is_none_or(|latest| time > latest)
        {
            self.wide = self
                .latest
                .replace(time)
                .is_some_and(|latest| time - latest > limit);
        }
        Some(if self.wide || self.disproved || time.is_none() {
            Discard::Default
        } else {
            Discard::NonReference
        })
    }

    /// The longest gap that skipped pictures may leave, in nanoseconds.
    pub(super) fn tolerated(&self) -> i64 {
        self.limit.unwrap_or(0)
    }

    /// Notes the step between two candidates. A step that is too long disproves the assumption for
    /// this stream.
    pub(super) fn candidate(&mut self, step: i64) {
        if self.limit.is_some_and(|limit| step > limit) {
            self.disproved = true;
        }
    }
}
