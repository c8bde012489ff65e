//! Opens a file, refuses it if it is not a video, and picks the stream that a player would show.
//!
//! The bytes reach the demuxer through our own file handle. FFmpeg never gets a path, so a playlist
//! or a reference inside the file cannot make it open another file, and any file name works. Only
//! the containers and codecs of [`super::accepted`] are tried, and external references inside an
//! MP4 are not followed.

use std::cmp::Reverse;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, Once, PoisonError};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use ffmpeg::format::context::{Input, StreamIo};
use ffmpeg::format::stream::Disposition;

use super::accepted::{self, DECODERS, DEMUXERS};
use super::avi;
use super::clock::Ticks;
use super::geometry::{Orientation, displayed_size};
use super::limits::{Limit, Limits, STREAMS_MAX};
use super::source::{Source, SourceReader};
use super::window::{self, Margins, Window};
use super::{StreamInfo, VideoStream, clock, sniff};
use crate::{Error, Result};

/// An open file and its chosen stream, with their properties.
pub(super) struct Opened {
    pub(super) input: Input,
    pub(super) decoder: ffmpeg::decoder::Video,
    pub(super) stream: Stream,
    pub(super) info: StreamInfo,
    /// The operating system's first read error; the demuxer may mistake it for the end of the file.
    pub(super) read_error: ReadError,
}

/// The chosen stream's properties needed for decoding.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) index: usize,
    pub(super) ticks: Ticks,
    /// The nominal length of a frame in nanoseconds.
    pub(super) frame_length: i64,
    /// The stream's own start and length in nanoseconds, if the container declares them.
    pub(super) declared: Option<i64>,
    /// The container is MP4 or a relative, whose index locates each sample. Other containers are
    /// read in file order.
    pub(super) indexed: bool,
    /// The container is a transport stream, which pads its packets.
    pub(super) padded: bool,
    /// The container gives each packet a time stamp. Packets without one precede its time zero and
    /// are not shown.
    pub(super) stamped: bool,
    /// The whole file's length in nanoseconds, if the container declares it.
    pub(super) container_declared: Option<i64>,
    /// Ratio of missing bytes to present ones, if the container shows that the file is cut off.
    pub(super) missing_share: Option<f64>,
    /// The container's sample aspect, which takes precedence over the frame's; (0, 1) if there is
    /// none.
    pub(super) sample_aspect: (u32, u32),
    pub(super) orientation: Orientation,
    /// The part of the stored picture that the container wants to be shown.
    pub(super) window: Window,
    pub(super) codec: ffmpeg::codec::Id,
}

/// Opens a file's container, chooses its video stream (`wanted`, if given), and opens the decoder.
pub(super) fn open(source: &Source, wanted: Option<u32>, limits: &Limits) -> Result<Opened> {
    silence();
    let path = source.path();
    let (mut input, read_error) = open_container(source, limits)?;
    let index = match wanted {
        Some(wanted) => await_stream(path, &mut input, wanted as usize)?,
        None => choose(&input).ok_or_else(|| Error::NoVideo {
            path: path.to_owned(),
            found: contents(&input),
        })?,
    };
    let (mut stream, mut decoder) = open_decoder(path, &input, index, limits)?;
    stream.window = window(source, &input, index);
    if input.format().name() == "avi" {
        avi::correct_length(&mut stream, &input, &mut source.reader(), source.bytes());
    }
    if let Some(aspect) = stream
        .window
        .sample_aspect((decoder.width(), decoder.height()))
    {
        stream.sample_aspect = aspect;
    }
    for declared in [stream.declared, stream.container_declared]
        .into_iter()
        .flatten()
        .map(clock::duration)
    {
        if declared > limits.duration {
            let found = format!("{:.1} s are declared", declared.as_secs_f64());
            return Err(Limit::Duration.exceeded(path, limits, found));
        }
    }
    decoder.set_packet_time_base(stream.ticks.time_base());
    // Other streams show whether the whole file or just the picture ends early, and where bytes
    // were lost. A file with a complete index needs neither, and skipping them saves time.
    if stream.declared.is_some() && stream.indexed {
        for mut other in input.streams_mut().filter(|other| other.index() != index) {
            discard(&mut other);
        }
    }
    let info = info(&input, &stream, &decoder);
    Ok(Opened {
        input,
        decoder,
        stream,
        info,
        read_error,
    })
}

/// Silences FFmpeg's log, and registers the texts of its errors.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
        // Without this its errors have no text.
        ffmpeg::util::error::register_all();
    });
}

fn open_container(source: &Source, limits: &Limits) -> Result<(Input, ReadError)> {
    let path = source.path();
    let mut head = Vec::new();
    source
        .reader()
        .take(HEAD_LENGTH)
        .read_to_end(&mut head)
        .map_err(Error::io(path, "read"))?;
    if sniff::is_animated_webp(&head) {
        return Err(Error::NoDecoder {
            path: path.to_owned(),
            codec: ANIMATED_WEBP.to_owned(),
        });
    }
    let read_error = ReadError::default();
    let watched = Watched {
        reader: source.reader(),
        error: read_error.clone(),
    };
    let mut options = ffmpeg::Dictionary::new();
    options.set("format_whitelist", &accepted::joined(DEMUXERS));
    options.set("codec_whitelist", &accepted::joined(DECODERS));
    // The file is read through a handle, so no protocol is needed, not even `file`.
    options.set("protocol_whitelist", "none");
    // An MP4 may refer to samples in another file. FFmpeg's default refuses that; this does not
    // rely on the default.
    options.set("enable_drefs", "0");
    options.set("max_streams", &STREAMS_MAX.to_string());
    let opened = StreamIo::from_read_seek(watched)
        .and_then(|io| ffmpeg::format::input_from_stream(io, None, Some(options)));
    match opened {
        Ok(input) => Ok((input, read_error)),
        Err(error) => Err(match read_error.take() {
            Some(cause) => Error::io(path, "read")(cause),
            None if is_out_of_memory(error) => {
                Limit::Streams.exceeded(path, limits, "its header asks for more".to_owned())
            }
            None => Error::NotMedia {
                path: path.to_owned(),
                reason: explain(&head, error),
            },
        }),
    }
}

/// Returns whether FFmpeg was refused memory, or refused a demuxer another stream: both give the
/// same error.
pub(super) fn is_out_of_memory(error: ffmpeg::Error) -> bool {
    matches!(error, ffmpeg::Error::Other { errno } if errno == ffi::ENOMEM)
}

/// Explains in a sentence why the demuxer refused the file, and what to do.
fn explain(head: &[u8], error: ffmpeg::Error) -> String {
    if head.get(4..8) == Some(b"ftyp") {
        return format!(
            "an MP4 or MOV whose index (moov) is missing or damaged, as after an interrupted recording or download ({error}); copy or download it again"
        );
    }
    let why = match error {
        ffmpeg::Error::Other { errno } if errno == ffi::EINVAL => {
            "a playlist, or a container that uniq does not accept".to_owned()
        }
        ffmpeg::Error::Eof | ffmpeg::Error::InvalidData => {
            format!("no known container was recognised ({error})")
        }
        error => format!("its header asks for something that FFmpeg refuses ({error})"),
    };
    format!("{why}; give a video such as .mp4, .mov, .mkv or .webm")
}

/// The video stream that a player shows: the default one, then the largest, then the first; never a
/// cover.
fn choose(input: &Input) -> Option<usize> {
    input
        .streams()
        .filter(|stream| {
            stream.parameters().medium() == ffmpeg::media::Type::Video && !is_cover(stream)
        })
        .max_by_key(|stream| {
            let (width, height) = stored_size(stream);
            (
                stream.disposition().contains(Disposition::DEFAULT),
                u64::from(width) * u64::from(height),
                Reverse(stream.index()),
            )
        })
        .map(|stream| stream.index())
}

/// Returns whether a stream is a cover: one picture that stands for the file. A track that another
/// track uses for its chapters is flagged like a cover, but may be a video that players show.
fn is_cover(stream: &ffmpeg::Stream) -> bool {
    let disposition = stream.disposition();
    if disposition.contains(Disposition::from_bits_retain(TIMED_THUMBNAILS)) {
        return stream.frames() == 1;
    }
    disposition.contains(Disposition::ATTACHED_PIC) && stream.frames() <= 1
}

/// The video streams of a file, as far as it was read; `places` says where each stream's packets
/// are.
pub(super) fn video_streams(input: &Input, places: &[Option<(u64, u64)>]) -> Vec<VideoStream> {
    let videos = input
        .streams()
        .filter(|stream| stream.parameters().medium() == ffmpeg::media::Type::Video);
    videos
        .map(|stream| {
            let (width, height) = stored_size(&stream);
            VideoStream {
                index: stream.index() as u32,
                codec: codec_name(&stream.parameters()),
                width,
                height,
                cover: is_cover(&stream),
                place: places.get(stream.index()).copied().flatten(),
            }
        })
        .collect()
}

/// Reads until the stream with this number is known, since streams may begin anywhere in a file,
/// and seeks back to the start.
#[allow(unsafe_code)]
fn await_stream(path: &Path, input: &mut Input, wanted: usize) -> Result<usize> {
    let known = |input: &Input| {
        input
            .stream(wanted)
            .is_some_and(|stream| stream.parameters().id() != ffmpeg::codec::Id::None)
    };
    if known(input) {
        return Ok(wanted);
    }
    let undecodable = |reason: &str| Error::Undecodable {
        path: path.to_owned(),
        reason: format!("stream {wanted} {reason}"),
    };
    let mut refusals = 0;
    while !known(input) {
        match ffmpeg::Packet::empty().read(input) {
            Ok(()) => {}
            Err(ffmpeg::Error::InvalidData) if refusals < 100 => refusals += 1,
            Err(_) => return Err(undecodable("was not found again")),
        }
    }
    // SAFETY: the context is alive and open for reading; seeking by bytes has no other condition.
    let answer = unsafe { ffi::av_seek_frame(input.as_mut_ptr(), -1, 0, ffi::AVSEEK_FLAG_BYTE) };
    if answer < 0 {
        Err(undecodable(
            "begins late, and the file cannot be read from its start again",
        ))
    } else {
        Ok(wanted)
    }
}

/// The part of the picture that the container wants to be shown.
fn window(source: &Source, input: &Input, index: usize) -> Window {
    let (mut file, length) = (
        std::io::BufReader::with_capacity(WINDOW_BLOCK, source.reader()),
        source.bytes(),
    );
    let name = input.format().name().to_owned();
    let Some(stream) = input.stream(index) else {
        return Window::Unclear;
    };
    if name.split(',').any(|name| name == "mov") {
        return window::of_mp4(&mut file, length, stream.id());
    }
    if name.split(',').any(|name| name == "matroska") {
        let tracks = || {
            input.streams().filter(|stream| {
                let video = stream.parameters().medium() == ffmpeg::media::Type::Video;
                video && !stream.disposition().contains(Disposition::ATTACHED_PIC)
            })
        };
        let place = tracks()
            .take_while(|stream| stream.index() != index)
            .count();
        return window::of_matroska(&mut file, length, place, tracks().count());
    }
    Window::Whole
}

/// Names the streams of a file without video.
fn contents(input: &Input) -> String {
    let names: Vec<String> = input
        .streams()
        .map(|stream| {
            let parameters = stream.parameters();
            let kind = match parameters.medium() {
                ffmpeg::media::Type::Video => "cover picture",
                ffmpeg::media::Type::Audio => "audio",
                ffmpeg::media::Type::Subtitle => "subtitles",
                ffmpeg::media::Type::Attachment => "attachment",
                _ => "data",
            };
            format!("{kind} {}", codec_name(&parameters))
        })
        .collect();
    if names.is_empty() {
        "no stream at all".to_owned()
    } else {
        format!("only {}", names.join(", "))
    }
}

#[allow(unsafe_code)]
fn open_decoder(
    path: &Path,
    input: &Input,
    index: usize,
    limits: &Limits,
) -> Result<(Stream, ffmpeg::decoder::Video)> {
    let undecodable = |error: ffmpeg::Error| match is_out_of_memory(error) {
        true => Limit::Memory.exceeded(path, limits, "the decoder asks for more".to_owned()),
        false => Error::Undecodable {
            path: path.to_owned(),
            reason: format!("opening the decoder: {error}"),
        },
    };
    let stream = input
        .stream(index)
        .ok_or_else(|| undecodable(ffmpeg::Error::StreamNotFound))?;
    let parameters = stream.parameters();
    let Some(codec) = ffmpeg::decoder::find(parameters.id()) else {
        return Err(Error::NoDecoder {
            path: path.to_owned(),
            codec: codec_name(&parameters),
        });
    };
    if !accepted::is_decoder(codec.name()) {
        return Err(Error::NotAccepted {
            path: path.to_owned(),
            codec: codec_name(&parameters),
        });
    }
    check_pixels(path, limits, stored_size(&stream))?;
    let properties = properties(input, &stream);
    let mut context = ffmpeg::codec::Context::from_parameters(parameters).map_err(undecodable)?;
    context.set_threading(ffmpeg::threading::Config::count(1));
    // SAFETY: the context is alive and not open yet, and the field is a plain setting. With it the
    // decoder refuses larger pictures, which a stream may bring at any time, before it asks for
    // memory.
    unsafe {
        (*context.as_mut_ptr()).max_pixels = i64::try_from(limits.frame_pixels).unwrap_or(i64::MAX);
    }
    let decoder = context
        .decoder()
        .open_as(codec)
        .and_then(ffmpeg::decoder::Opened::video)
        .map_err(undecodable)?;
    Ok((properties, decoder))
}

/// Returns an error for a frame that is too large.
pub(super) fn check_pixels(
    path: &Path,
    limits: &Limits,
    (width, height): (u32, u32),
) -> Result<()> {
    if u64::from(width) * u64::from(height) > limits.frame_pixels {
        return Err(Limit::FramePixels.exceeded(path, limits, format!("{width} x {height}")));
    }
    Ok(())
}

#[allow(unsafe_code)]
fn properties(input: &Input, stream: &ffmpeg::Stream) -> Stream {
    let ticks = Ticks::new(stream.time_base());
    let rate = [stream.avg_frame_rate(), stream.rate()]
        .into_iter()
        .find_map(clock::frame_length);
    let frame_length = rate.unwrap_or(clock::DEFAULT_FRAME_LENGTH);
    let positive = |time: i64| (time > 0).then_some(time);
    let format = input.format();
    // The demuxer limits an AVI's duration to what is present, but keeps the number of frames,
    // which all have one length.
    let counted = positive(stream.frames())
        .filter(|_| format.name() == "avi")
        .map(|frames| frames.saturating_mul(frame_length).min(clock::LONGEST));
    // SAFETY: both contexts are alive as long as `input`, and only plain fields are read.
    let (from_bit_rate, aspect) = unsafe {
        let method = (*input.as_ptr()).duration_estimation_method;
        (
            method != ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_STREAM,
            (*stream.as_ptr()).sample_aspect_ratio,
        )
    };
    let indexed = format.name().split(',').any(|name| name == "mov");
    let container =
        positive(input.duration()).map(|duration| Ticks::microseconds().nanos(duration));
    // For a stream that begins late, FFmpeg reports the container's duration as the stream's own.
    let own = positive(stream.duration()).map(|duration| ticks.nanos(duration));
    let own = own.filter(|&own| {
        indexed || container.is_none_or(|container| own.abs_diff(container) > ROUNDING)
    });
    Stream {
        index: stream.index(),
        ticks,
        frame_length,
        padded: format.name() == "mpegts",
        stamped: format.name().split(',').any(|name| name == "matroska"),
        indexed,
        declared: own.filter(|_| !from_bit_rate).max(counted),
        container_declared: container.filter(|_| !from_bit_rate),
        missing_share: None,
        sample_aspect: aspect_pair(aspect),
        orientation: stream
            .side_data()
            .find(|data| data.kind() == ffmpeg::codec::packet::side_data::Type::DisplayMatrix)
            .and_then(|data| matrix(data.data()))
            .map_or(Orientation::UPRIGHT, |matrix| {
                Orientation::from_matrix(&matrix)
            }),
        window: Window::Whole,
        codec: stream.parameters().id(),
    }
}

/// Converts a sample aspect to unsigned numbers; (0, 1) if it is unknown or invalid.
pub(super) fn aspect_pair(aspect: ffi::AVRational) -> (u32, u32) {
    match (u32::try_from(aspect.num), u32::try_from(aspect.den)) {
        (Ok(num), Ok(den)) if num > 0 && den > 0 => (num, den),
        _ => (0, 1),
    }
}

/// Reads a display matrix from the bytes of side data.
pub(super) fn matrix(bytes: &[u8]) -> Option<[i32; 9]> {
    let mut matrix = [0; 9];
    let mut words = bytes.chunks_exact(4);
    for value in &mut matrix {
        *value = i32::from_ne_bytes(words.next()?.try_into().ok()?);
    }
    Some(matrix)
}

fn info(input: &Input, stream: &Stream, decoder: &ffmpeg::decoder::Video) -> StreamInfo {
    let aspect = match stream.sample_aspect {
        (0, _) => aspect_pair(decoder.aspect_ratio().into()),
        aspect => aspect,
    };
    let stored = (decoder.width(), decoder.height());
    let (width, height) = stream
        .window
        .margins(stored)
        .map_or(stored, |margins| margins.rest(stored));
    let (width, height) = displayed_size(width, height, aspect, stream.orientation);
    StreamInfo {
        width,
        height,
        codec: stream.codec.name().to_owned(),
        container: input.format().name().to_owned(),
        pixel_format: decoder
            .format()
            .descriptor()
            .map_or("unknown", |descriptor| descriptor.name())
            .to_owned(),
        declared: stream
            .declared
            .or(stream.container_declared)
            .map(clock::duration),
    }
}

/// Crops a picture to what is shown; returns whether that succeeded.
#[allow(unsafe_code)]
pub(super) fn crop(picture: &mut ffmpeg::frame::Video, margins: Margins) -> bool {
    if margins == Margins::default() {
        return true;
    }
    let expected = margins.rest((picture.width(), picture.height()));
    // SAFETY: the frame is alive and holds the data that its fields describe. The library checks
    // the margins against its size, and moves the pointers of planes that the frame still owns.
    let answer = unsafe {
        let frame = picture.as_mut_ptr();
        (*frame).crop_left = margins.left as usize;
        (*frame).crop_top = margins.top as usize;
        (*frame).crop_right = margins.right as usize;
        (*frame).crop_bottom = margins.bottom as usize;
        ffi::av_frame_apply_cropping(frame, ffi::AV_FRAME_CROP_UNALIGNED as i32)
    };
    answer >= 0 && (picture.width(), picture.height()) == expected
}

#[allow(unsafe_code)]
fn stored_size(stream: &ffmpeg::Stream) -> (u32, u32) {
    // SAFETY: a stream always has codec parameters, which live as long as the stream.
    let (width, height) = unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        ((*parameters).width, (*parameters).height)
    };
    (width.max(0) as u32, height.max(0) as u32)
}

/// The codec's short name, or its four-character tag when FFmpeg does not know it.
#[allow(unsafe_code)]
fn codec_name(parameters: &ffmpeg::codec::Parameters) -> String {
    let id = parameters.id();
    if id != ffmpeg::codec::Id::None {
        return id.name().to_owned();
    }
    // SAFETY: the parameters are alive and the tag is a plain number.
    let tag = unsafe { (*parameters.as_ptr()).codec_tag };
    if tag == 0 {
        return "unknown".to_owned();
    }
    let tag: String = tag
        .to_le_bytes()
        .iter()
        .flat_map(|&byte| std::ascii::escape_default(byte))
        .map(char::from)
        .collect();
    format!("with tag {tag}")
}

#[allow(unsafe_code)]
fn discard(stream: &mut ffmpeg::StreamMut) {
    // SAFETY: the stream belongs to an input that is borrowed mutably, and the field is a plain
    // setting.
    unsafe {
        (*stream.as_mut_ptr()).discard = ffi::AVDiscard::AVDISCARD_ALL;
    }
}

/// Where the reader stores the operating system's first error.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadError(Arc<Mutex<Option<std::io::Error>>>);

impl ReadError {
    /// Takes the error out, if there is one.
    pub(super) fn take(&self) -> Option<std::io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::Interrupted {
            return;
        }
        let copy = match error.raw_os_error() {
            Some(code) => std::io::Error::from_raw_os_error(code),
            None => std::io::Error::new(error.kind(), error.to_string()),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(copy);
    }
}

/// A reader that remembers its first error.
struct Watched {
    reader: SourceReader,
    error: ReadError,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader
            .read(buffer)
            .inspect_err(|error| self.error.note(error))
    }
}

impl Seek for Watched {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.reader.seek(position)
    }
}

/// Bytes read at a time when looking for a crop in the container; the reads are close together.
const WINDOW_BLOCK: usize = 256;

/// Durations that differ by less than this, in nanoseconds, count as equal: containers round to
/// milliseconds.
const ROUNDING: u64 = 2_000_000;
/// Bytes at the file's start that are used to explain a refusal.
const HEAD_LENGTH: u64 = 32;
/// The name of a codec that FFmpeg cannot decode.
const ANIMATED_WEBP: &str = "animated WebP";

/// The disposition of a video stream that holds thumbnails of another one.
const TIMED_THUMBNAILS: i32 = ffi::AV_DISPOSITION_TIMED_THUMBNAILS;
