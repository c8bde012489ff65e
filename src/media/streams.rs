//! The video streams of a file, and which of them continue where others stop (pure).
//!
//! If a file has several streams, the player chooses which one to show. But if the picture of a
//! recording moves to another stream halfway, as in transport streams when a programme changes,
//! both streams are one picture.

use super::{Decoded, Undecoded};

/// A video stream of a file, as its container lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoStream {
    /// Its number among all streams of the file, from 0.
    pub index: u32,
    /// The codec's short name.
    pub codec: String,
    /// Stored columns; 0 if the container does not say.
    pub width: u32,
    /// Stored rows; 0 if the container does not say.
    pub height: u32,
    /// It is a cover: one picture that stands for the file and is not part of its video.
    pub cover: bool,
    /// Where its first and last packets begin in the file; `None` if unknown.
    pub place: Option<(u64, u64)>,
}

impl Decoded {
    /// The streams that a player may show, by number, in groups. The streams of a group follow each
    /// other in the file and form one picture. The group of the decoded stream comes first.
    pub fn pictures(&self) -> Vec<Vec<u32>> {
        let mut streams: Vec<&VideoStream> =
            self.streams.iter().filter(|stream| !stream.cover).collect();
        streams
            .sort_by_key(|stream| (stream.place.map_or(u64::MAX, |place| place.0), stream.index));
        let mut groups: Vec<(Option<u64>, Vec<u32>)> = Vec::new();
        for stream in streams {
            let first = stream.place.map(|place| place.0);
            let follows =
                |end: Option<u64>| matches!((end, first), (Some(end), Some(first)) if end < first);
            let last = stream.place.map(|place| place.1);
            match groups.iter_mut().find(|(end, _)| follows(*end)) {
                Some((end, group)) => {
                    *end = last;
                    group.push(stream.index);
                }
                None => groups.push((last, vec![stream.index])),
            }
        }
        let mut groups: Vec<Vec<u32>> = groups.into_iter().map(|(_, group)| group).collect();
        groups.sort_by_key(|group| (!group.contains(&self.stream), group[0]));
        groups
    }

    /// Combines the result with `next`, which is shown after it.
    pub fn followed_by(mut self, next: Decoded) -> Decoded {
        let offset = self.duration;
        self.undecoded
            .extend(next.undecoded.into_iter().map(|part| Undecoded {
                start: part.start.saturating_add(offset),
                end: part.end.saturating_add(offset),
                reason: part.reason,
            }));
        Decoded {
            duration: offset.saturating_add(next.duration),
            frames: self.frames.saturating_add(next.frames),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::StreamInfo;

    /// Number of a stream, start and end of its packets, and whether it is a cover.
    type Shown = (u32, Option<(u64, u64)>, bool);

    fn decoded(stream: u32, places: &[Shown]) -> Decoded {
        let info = StreamInfo {
            width: 64,
            height: 48,
            codec: "h264".into(),
            container: "mpegts".into(),
            pixel_format: "yuv420p".into(),
            declared: None,
        };
        let listed = |&(index, place, cover): &(u32, Option<(u64, u64)>, bool)| VideoStream {
            index,
            codec: "h264".into(),
            width: 64,
            height: 48,
            cover,
            place,
        };
        Decoded {
            info,
            duration: Duration::from_secs(2),
            frames: 50,
            undecoded: vec![],
            stream,
            origin_ns: 0,
            streams: places.iter().map(listed).collect(),
        }
    }

    #[test]
    fn streams_that_follow_each_other_are_one_picture_and_others_are_not() {
        let at = |start, end| Some((start, end));
        for (stream, places, groups) in [
            (0, vec![(0, at(0, 90), false)], vec![vec![0]]),
            (
                0,
                vec![(0, None, false), (2, None, false)],
                vec![vec![0], vec![2]],
            ),
            (
                2,
                vec![(0, None, false), (2, None, false)],
                vec![vec![2], vec![0]],
            ),
            (
                0,
                vec![(0, at(0, 90), false), (1, at(100, 190), false)],
                vec![vec![0, 1]],
            ),
            (
                1,
                vec![(0, at(100, 190), false), (1, at(0, 90), false)],
                vec![vec![1, 0]],
            ),
            (
                0,
                vec![(0, at(0, 90), false), (1, at(90, 190), false)],
                vec![vec![0], vec![1]],
            ),
            (
                0,
                vec![
                    (0, at(0, 90), false),
                    (1, at(100, 190), false),
                    (2, at(5, 150), false),
                ],
                vec![vec![0, 1], vec![2]],
            ),
            (0, vec![(0, None, false), (1, None, true)], vec![vec![0]]),
        ] {
            assert_eq!(decoded(stream, &places).pictures(), groups, "{places:?}");
        }
    }

    #[test]
    fn what_follows_keeps_its_missing_parts() {
        let part = |start, end| Undecoded {
            start: Duration::from_secs(start),
            end: Duration::from_secs(end),
            reason: "corrupt data".into(),
        };
        let first = Decoded {
            undecoded: vec![part(1, 2)],
            ..decoded(0, &[])
        };
        let next = Decoded {
            undecoded: vec![part(0, 1)],
            ..decoded(1, &[])
        };
        let both = first.followed_by(next);
        assert_eq!((both.duration, both.frames), (Duration::from_secs(4), 100));
        assert_eq!(both.undecoded, [part(1, 2), part(2, 3)]);
    }
}
