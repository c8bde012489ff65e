//! Reads from a container which part of the stored picture is shown (bounds-checked, reads headers
//! only).
//!
//! Players crop the picture to the clean aperture of an MP4 or MOV and to the crop of a Matroska
//! file. The FFmpeg libraries leave that to their callers, and older versions do not even report
//! it. Cropping within H.264 and HEVC is done by the decoder.
//!
//! If the file has a crop that cannot be assigned to the stream with certainty, the answer is
//! [`Window::Unclear`].

use std::io::{Read, Seek, SeekFrom};

/// Which part of the stored picture is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Window {
    /// All of it.
    Whole,
    /// A window of this size, with the offset of its centre from the picture's centre, in pixels.
    Aperture {
        width: f64,
        height: f64,
        right: f64,
        down: f64,
    },
    /// All but these pixels at each edge. `display` is the size to which the rest is stretched, if
    /// the container states it.
    Edges {
        left: u32,
        top: u32,
        right: u32,
        bottom: u32,
        display: Option<(u32, u32)>,
    },
    /// The file crops something, but it is unknown what.
    Unclear,
}

/// Pixels to crop at each edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Margins {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) right: u32,
    pub(super) bottom: u32,
}

impl Margins {
    /// The size of a picture after cropping.
    pub(super) fn rest(self, (width, height): (u32, u32)) -> (u32, u32) {
        (
            width.saturating_sub(self.left + self.right),
            height.saturating_sub(self.top + self.bottom),
        )
    }
}

impl Window {
    /// The margins to crop from a picture of this size; `None` if the window does not fit into the
    /// picture or is unknown.
    pub(super) fn margins(self, (width, height): (u32, u32)) -> Option<Margins> {
        let margins = match self {
            Window::Whole => Margins::default(),
            Window::Unclear => return None,
            Window::Edges {
                left,
                top,
                right,
                bottom,
                ..
            } => Margins {
                left,
                top,
                right,
                bottom,
            },
            Window::Aperture {
                width: across,
                height: down_,
                right,
                down,
            } => {
                let edges = |all: u32, shown: f64, offset: f64| {
                    let before = ((f64::from(all) - shown) / 2.0 + offset).round();
                    let after = f64::from(all) - shown.round() - before;
                    // Rounding may move an aperture half a pixel beyond the picture; players show
                    // the part inside.
                    let fits = |edge: f64| {
                        (-1.0..f64::from(all))
                            .contains(&edge)
                            .then_some(edge.max(0.0) as u32)
                    };
                    Some((fits(before)?, fits(after)?))
                };
                let (left, right) = edges(width, across, right)?;
                let (top, bottom) = edges(height, down_, down)?;
                Margins {
                    left,
                    top,
                    right,
                    bottom,
                }
            }
        };
        let fits = |before: u32, after: u32, all: u32| {
            u64::from(before) + u64::from(after) < u64::from(all)
        };
        let fits =
            fits(margins.left, margins.right, width) && fits(margins.top, margins.bottom, height);
        fits.then_some(margins)
    }

    /// The aspect of a pixel, if the container sets the size to which the window is stretched.
    pub(super) fn sample_aspect(self, size: (u32, u32)) -> Option<(u32, u32)> {
        let Window::Edges { display, .. } = self else {
            return None;
        };
        let (width, height) = self.margins(size)?.rest(size);
        let Some((across, down)) = display else {
            return Some((1, 1));
        };
        let (num, den) = (
            u64::from(across) * u64::from(height),
            u64::from(down) * u64::from(width),
        );
        let excess = (num.max(den) >> 31)
            .checked_ilog2()
            .map_or(0, |bits| bits + 1);
        Some(((num >> excess) as u32, (den >> excess) as u32))
    }
}

/// The window of the track with this number in an MP4 or MOV of `length` bytes.
pub(super) fn of_mp4(file: &mut (impl Read + Seek), length: u64, track: i32) -> Window {
    let mut boxes = Boxes {
        file,
        budget: ELEMENTS_MAX,
        depth: 0,
    };
    let mut found = Vec::new();
    let whole = boxes.children(0, length, &mut |boxes, kind, start, end| {
        if kind == *b"moov" {
            boxes.children(start, end, &mut |boxes, kind, start, end| {
                if kind == *b"trak" {
                    let mut trak = Trak::default();
                    boxes.trak(start, end, &mut trak)?;
                    found.push(trak);
                }
                // A compressed header could hold anything.
                if kind == *b"cmov" { None } else { Some(()) }
            })?;
        }
        Some(())
    });
    if whole.is_none() {
        return Window::Unclear;
    }
    let cropped = found
        .iter()
        .any(|trak| trak.windows.iter().any(|window| *window != Window::Whole));
    let mut mine = found
        .iter()
        .filter(|trak| i64::from(trak.id) == i64::from(track));
    match (mine.next(), mine.next()) {
        _ if !cropped => Window::Whole,
        (Some(trak), None) => match trak.windows.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => *first,
            Some(_) => Window::Unclear,
            None => Window::Whole,
        },
        _ => Window::Unclear,
    }
}

/// What is read of a track of an MP4.
#[derive(Default)]
struct Trak {
    id: u32,
    /// One per sample description.
    windows: Vec<Window>,
}

/// Walks the boxes of an MP4.
struct Boxes<'a, F> {
    file: &'a mut F,
    /// How many more boxes may be read.
    budget: u32,
    /// Current nesting depth.
    depth: u32,
}

/// Called for a box, with its kind and the start and end of its content.
type Visit<'a, B> = dyn FnMut(&mut B, [u8; 4], u64, u64) -> Option<()> + 'a;

impl<F: Read + Seek> Boxes<'_, F> {
    /// Calls `visit` with kind, start and end of the content of each box from `start` to `end`;
    /// returns `None` if `visit` does or a limit is reached.
    fn children(&mut self, start: u64, end: u64, visit: &mut Visit<'_, Self>) -> Option<()> {
        self.depth = self
            .depth
            .checked_add(1)
            .filter(|depth| *depth <= DEPTH_MAX)?;
        let seen = self.each(start, end, visit);
        self.depth -= 1;
        seen
    }

    fn each(&mut self, start: u64, end: u64, visit: &mut Visit<'_, Self>) -> Option<()> {
        let mut at = start;
        while at.checked_add(8)? <= end {
            self.budget = self.budget.checked_sub(1)?;
            // Truncation is an error that the demuxer reports.
            let Some(head) = read::<8>(self.file, at) else {
                break;
            };
            let [a, b, c, d, kind @ ..] = head;
            let (size, content) = match u32::from_be_bytes([a, b, c, d]) {
                0 => (end - at, 8),
                1 => match read::<8>(self.file, at + 8) {
                    Some(size) => (u64::from_be_bytes(size), 16),
                    None => break,
                },
                size => (u64::from(size), 8),
            };
            if size < content {
                break;
            }
            let next = at.saturating_add(size);
            visit(self, kind, at + content, next.min(end))?;
            at = next;
        }
        Some(())
    }

    fn trak(&mut self, start: u64, end: u64, trak: &mut Trak) -> Option<()> {
        self.children(start, end, &mut |boxes, kind, start, end| match &kind {
            b"tkhd" => {
                let version = read::<1>(boxes.file, start).map_or(0, |[version]| version);
                let id = read::<4>(boxes.file, start + if version == 1 { 20 } else { 12 });
                trak.id = id.map_or(0, u32::from_be_bytes);
                Some(())
            }
            b"mdia" | b"minf" | b"stbl" => boxes.trak(start, end, trak),
            // A version and a count precede the descriptions.
            b"stsd" => boxes.children(start.saturating_add(8), end, &mut |boxes, _, start, end| {
                let mut window = Window::Whole;
                boxes.children(
                    start.saturating_add(VISUAL_ENTRY),
                    end,
                    &mut |boxes, kind, start, _| {
                        if kind == *b"clap" {
                            window = read::<32>(boxes.file, start)
                                .map_or(Window::Unclear, |body| aperture(&body));
                        }
                        Some(())
                    },
                )?;
                trak.windows.push(window);
                Some(())
            }),
            _ => Some(()),
        })
    }
}

/// Parses the eight numbers of a clean aperture: width, height, and the centre's offsets, each a
/// fraction.
fn aperture(body: &[u8; 32]) -> Window {
    let number =
        |at: usize| i32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    let fraction = |at: usize| match number(at + 4) {
        0 => None,
        below => Some(f64::from(number(at)) / f64::from(below)),
    };
    let (Some(width), Some(height), Some(right), Some(down)) =
        (fraction(0), fraction(8), fraction(16), fraction(24))
    else {
        return Window::Unclear;
    };
    if width < 1.0 || height < 1.0 {
        Window::Unclear
    } else {
        Window::Aperture {
            width,
            height,
            right,
            down,
        }
    }
}

/// The window of the video track at index `place` among the `tracks` video tracks of a Matroska
/// file of `length` bytes.
pub(super) fn of_matroska(
    file: &mut (impl Read + Seek),
    length: u64,
    place: usize,
    tracks: usize,
) -> Window {
    let mut elements = Elements {
        file,
        budget: ELEMENTS_MAX,
        tracks: Vec::new(),
        listed: false,
    };
    let understood = elements.walk(0, length, Level::Top).is_some() && elements.listed;
    let found = elements.tracks;
    if understood && found.iter().all(|window| *window == Window::Whole) {
        return Window::Whole;
    }
    match found.get(place) {
        Some(window) if understood && found.len() == tracks => *window,
        _ => Window::Unclear,
    }
}

/// The level of the elements being read.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Top,
    Segment,
    Tracks,
}

/// Walks the elements of a Matroska file.
struct Elements<'a, F> {
    file: &'a mut F,
    budget: u32,
    tracks: Vec<Window>,
    /// A list of tracks was found.
    listed: bool,
}

impl<F: Read + Seek> Elements<'_, F> {
    fn walk(&mut self, start: u64, end: u64, level: Level) -> Option<()> {
        let mut at = start;
        while at < end {
            self.budget = self.budget.checked_sub(1)?;
            let Some((id, size, content)) = self.head(at) else {
                break;
            };
            // Segments and clusters may have an unknown length, which means up to the end. Nothing
            // is needed after such a cluster.
            let next = size.map_or(end, |size| content.saturating_add(size).min(end));
            match (level, id) {
                (Level::Top, SEGMENT) => self.walk(content, next, Level::Segment)?,
                (Level::Segment, TRACKS) => {
                    self.listed = true;
                    self.walk(content, next, Level::Tracks)?;
                }
                (Level::Segment, CLUSTER) if self.listed => return Some(()),
                (Level::Tracks, TRACK_ENTRY) => {
                    let track = self.track(content, next)?;
                    self.tracks.extend(track);
                }
                _ => {}
            }
            // A track list after the first segment belongs to content that a player does not reach.
            if level == Level::Top && id == SEGMENT && self.listed {
                return Some(());
            }
            at = next;
        }
        Some(())
    }

    /// The window of a video track; `Some(None)` for other tracks, and `None` if it is unknown.
    fn track(&mut self, start: u64, end: u64) -> Option<Option<Window>> {
        let mut video = false;
        let mut numbers = [0_u32; 7];
        let mut at = start;
        while at < end {
            self.budget = self.budget.checked_sub(1)?;
            let (id, size, content) = self.head(at)?;
            let next = content.checked_add(size?).filter(|next| *next <= end)?;
            match id {
                TRACK_TYPE => video = self.number(content, size?)? == VIDEO_TYPE,
                VIDEO => {
                    let mut at = content;
                    while at < next {
                        self.budget = self.budget.checked_sub(1)?;
                        let (id, size, content) = self.head(at)?;
                        if let Some(place) = VIDEO_NUMBERS.iter().position(|number| *number == id) {
                            numbers[place] = self.number(content, size?)?;
                        }
                        at = content.checked_add(size?)?;
                    }
                }
                _ => {}
            }
            at = next;
        }
        let [left, top, right, bottom, across, down, unit] = numbers;
        let window = if [left, top, right, bottom] == [0; 4] {
            Window::Whole
        } else {
            let display =
                (across > 0 && down > 0 && unit != UNIT_UNKNOWN).then_some((across, down));
            Window::Edges {
                left,
                top,
                right,
                bottom,
                display,
            }
        };
        Some(video.then_some(window))
    }

    /// Number, length (`None` if unknown) and content position of the element at `at`.
    fn head(&mut self, at: u64) -> Option<(u32, Option<u64>, u64)> {
        let (id, id_bytes) = self.varint(at, 4, false)?;
        let (size, size_bytes) = self.varint(at.checked_add(id_bytes)?, 8, true)?;
        let unknown = size == (1 << (7 * size_bytes)) - 1;
        Some((
            u32::try_from(id).ok()?,
            (!unknown).then_some(size),
            at.checked_add(id_bytes + size_bytes)?,
        ))
    }

    /// A number whose first byte states its length, and that length; `plain` removes the length
    /// marker.
    fn varint(&mut self, at: u64, longest: u32, plain: bool) -> Option<(u64, u64)> {
        let [first] = read::<1>(self.file, at)?;
        let more = first.leading_zeros();
        if more >= longest {
            return None;
        }
        let mut value = u64::from(if plain {
            first & (0xff_u8 >> more >> 1)
        } else {
            first
        });
        for i in 0..u64::from(more) {
            let [byte] = read::<1>(self.file, at.checked_add(1 + i)?)?;
            value = value << 8 | u64::from(byte);
        }
        Some((value, u64::from(more) + 1))
    }

    fn number(&mut self, at: u64, size: u64) -> Option<u32> {
        let mut value = 0_u64;
        for i in 0..Some(size).filter(|size| *size <= 8)? {
            let [byte] = read::<1>(self.file, at.checked_add(i)?)?;
            value = value << 8 | u64::from(byte);
        }
        u32::try_from(value).ok()
    }
}

/// Bytes at an offset; `None` beyond the end.
fn read<const N: usize>(file: &mut (impl Read + Seek), at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Maximum nesting depth of boxes; a film has six levels.
const DEPTH_MAX: u32 = 16;

/// Maximum number of boxes or elements read; a film in fragments of a second has about ten
/// thousand.
const ELEMENTS_MAX: u32 = 1_000_000;
/// Bytes of a visual sample description before its boxes, excluding its header.
const VISUAL_ENTRY: u64 = 78;

/// Element numbers, RFC 9559.
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const VIDEO_TYPE: u32 = 1;
const VIDEO: u32 = 0xe0;
/// PixelCropLeft, -Top, -Right, -Bottom, DisplayWidth, DisplayHeight, DisplayUnit.
const VIDEO_NUMBERS: [u32; 7] = [0x54cc, 0x54bb, 0x54dd, 0x54aa, 0x54b0, 0x54ba, 0x54b2];
/// The display unit for which the display size has no meaning.
const UNIT_UNKNOWN: u32 = 4;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(8 + body.len() as u32).to_be_bytes()[..], kind, body].concat()
    }

    fn trak(id: u32, clap: Option<[i32; 8]>) -> Vec<u8> {
        let clap = clap
            .map(|clap| boxed(b"clap", &clap.map(i32::to_be_bytes).concat()))
            .unwrap_or_default();
        let entry = boxed(b"avc1", &[vec![0; 78], clap].concat());
        let stsd = boxed(b"stsd", &[vec![0, 0, 0, 0, 0, 0, 0, 1], entry].concat());
        let tkhd = boxed(
            b"tkhd",
            &[&[0; 12][..], &id.to_be_bytes(), &[0; 68]].concat(),
        );
        let mdia = boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &stsd)));
        boxed(b"trak", &[tkhd, mdia].concat())
    }

    fn mp4(traks: &[Vec<u8>], track: i32) -> Window {
        let bytes = [
            boxed(b"ftyp", b"isom"),
            boxed(b"mdat", &[9; 50]),
            boxed(b"moov", &traks.concat()),
        ]
        .concat();
        for end in 0..bytes.len() {
            // No truncation may make it panic.
            of_mp4(&mut Cursor::new(&bytes[..end]), end as u64, track);
        }
        of_mp4(&mut Cursor::new(&bytes), bytes.len() as u64, track)
    }

    const CLAP: [i32; 8] = [100, 1, 60, 1, -20, 1, 15, 2];

    #[test]
    fn a_clean_aperture_belongs_to_the_track_that_has_it() {
        assert_eq!(mp4(&[trak(1, None)], 1), Window::Whole);
        let window = Window::Aperture {
            width: 100.0,
            height: 60.0,
            right: -20.0,
            down: 7.5,
        };
        assert_eq!(mp4(&[trak(1, None), trak(2, Some(CLAP))], 2), window);
        assert_eq!(mp4(&[trak(1, None), trak(2, Some(CLAP))], 1), Window::Whole);
        let margins = Margins {
            left: 10,
            top: 28,
            right: 50,
            bottom: 12,
        };
        assert_eq!(window.margins((160, 100)), Some(margins));
        assert_eq!(margins.rest((160, 100)), (100, 60));
    }

    #[test]
    fn a_clean_aperture_that_cannot_be_assigned_is_unclear() {
        for traks in [
            vec![trak(2, Some(CLAP)), trak(2, None)],
            vec![trak(1, None), trak(3, Some(CLAP))],
            vec![trak(2, Some([100, 0, 60, 1, 0, 1, 0, 1]))],
            vec![trak(2, Some([0, 1, 60, 1, 0, 1, 0, 1]))],
            vec![boxed(b"cmov", &[0; 20]), trak(2, None)],
        ] {
            assert_eq!(mp4(&traks, 2), Window::Unclear);
        }
        for window in [
            Window::Aperture {
                width: 200.0,
                height: 60.0,
                right: 0.0,
                down: 0.0,
            },
            Window::Aperture {
                width: 100.0,
                height: 60.0,
                right: 60.0,
                down: 0.0,
            },
            Window::Edges {
                left: 100,
                top: 0,
                right: 60,
                bottom: 0,
                display: None,
            },
            Window::Edges {
                left: u32::MAX,
                top: 0,
                right: u32::MAX,
                bottom: 0,
                display: None,
            },
            Window::Unclear,
        ] {
            assert_eq!(window.margins((160, 100)), None, "{window:?}");
        }
    }

    fn element(id: u32, body: &[u8]) -> Vec<u8> {
        let id: Vec<u8> = id
            .to_be_bytes()
            .into_iter()
            .skip_while(|byte| *byte == 0)
            .collect();
        let size = (body.len() as u64 | 1 << 56).to_be_bytes();
        [&id[..], &size, body].concat()
    }

    fn track(kind: u8, numbers: &[(u32, u8)]) -> Vec<u8> {
        let video: Vec<u8> = numbers
            .iter()
            .flat_map(|(id, value)| element(*id, &[*value]))
            .collect();
        element(
            TRACK_ENTRY,
            &[element(TRACK_TYPE, &[kind]), element(VIDEO, &video)].concat(),
        )
    }

    fn matroska(tracks: &[Vec<u8>], place: usize, number: usize) -> Window {
        let content = [
            element(0xec, &[0; 9]),
            element(TRACKS, &tracks.concat()),
            element(CLUSTER, &[0; 40]),
        ]
        .concat();
        let bytes = [element(0x1a45_dfa3, &[0; 5]), element(SEGMENT, &content)].concat();
        for end in 0..bytes.len() {
            of_matroska(&mut Cursor::new(&bytes[..end]), end as u64, place, number);
        }
        of_matroska(&mut Cursor::new(&bytes), bytes.len() as u64, place, number)
    }

    #[test]
    fn a_crop_of_matroska_belongs_to_the_video_track_that_has_it() {
        let tracks = [
            track(2, &[]),
            track(1, &[]),
            track(1, &[(0x54cc, 20), (0x54aa, 10), (0x54b0, 70), (0x54ba, 90)]),
        ];
        assert_eq!(matroska(&tracks, 0, 2), Window::Whole);
        let window = Window::Edges {
            left: 20,
            top: 0,
            right: 0,
            bottom: 10,
            display: Some((70, 90)),
        };
        assert_eq!(matroska(&tracks, 1, 2), window);
        // 140 x 90 pixels, shown as 70 x 90.
        assert_eq!(window.sample_aspect((160, 100)), Some((70 * 90, 90 * 140)));
        assert_eq!(matroska(&tracks, 1, 3), Window::Unclear);
        assert_eq!(matroska(&tracks[..2], 0, 7), Window::Whole);
    }
}
