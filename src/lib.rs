//! Decides whether any second of a video clip is already public, as far as an index of public
//! videos can tell.
//!
//! ```text
//! file -> media -> sample -> fingerprint -> index -> search -> align -> verdict -> report -> certificate
//!         Frame    Frame     Fingerprint   Segment  Hit       Alignment  Verdict   Report    Statement
//! ```
//!
//! Each arrow is plain data with public fields. A module knows only itself and what stands to its
//! left in
//!
//! ```text
//! error < media < sample < sandbox < facts < fingerprint < index < remote < evidence < search < align < verdict < report < rates < ingest < check < scatter < dedup < certificate < ledger < evidence_page
//! ```
//!
//! ARCHITECTURE.md says the same on one page, docs/how-it-works.md more about the method.
//!
//! The library never prints, exits or reads the environment; progress and cancellation are passed
//! in. A file gives the same keys, and a clip the same report from the same index, on every run.
//!
//! # How it works
//!
//! 1. [`media`] decodes a file to upright grey frames with a short side of 128 pixels, 256 for a
//!    clip.
//! 2. [`sample`] chooses keyframes: [`sample::CORPUS_INTERVAL`] apart at most in a source; of a
//!    clip, the frame that is shown at a moment drawn from each [`sample::QUERY_INTERVAL`], so that
//!    nobody can place frames where they are looked at.
//! 3. [`mod@fingerprint`] hashes each keyframe to 256-bit keys: one of the whole frame, and one of
//!    each *region*. Regions are squares around blobs, which stay on the same content when the
//!    picture is cropped, moved or covered in part; a clip has smaller ones too, for what it shows
//!    smaller than its source. A key that stays in its place for a while is kept once, with the
//!    times of its first and last sighting. Of a source a small grey picture of each keyframe is
//!    kept besides ([`fingerprint::PictureTrack`]), of a clip in memory one each
//!    [`sample::CLIP_PICTURE_INTERVAL`].
//! 4. [`index`] keeps the track of each video (keys with times and places, what moves, small
//!    pictures) and its keys by coarse cell in write-once, checksummed files. `remote` carries it
//!    to object storage and back.
//! 5. [`search`] first sets aside what the clip shows of material that was marked as benign
//!    ([`index::Role::Benign`]), and looks up each other key, plain and mirrored, and the strongest
//!    turned, tilted, stretched and inverted, among all keys of the sources, or, in a large index,
//!    among those of the videos that a look into few cells nominates. A key within
//!    [`search::RADIUS`] bits is a hit.
//! 6. [`align`] gathers hits of one source that agree on one time line and one geometry, and looks
//!    for the time lines that pictures and motion of such a part fit best, one after the other.
//! 7. [`evidence`] counts in bits what such an alignment is worth ([`evidence::by_chance`] says how
//!    rarely chance gives as many). The size of the index is paid for, and one thing seen twenty
//!    times counts once.
//! 8. [`align::dense`] compares the pictures of both sides where an alignment puts them: a copy
//!    agrees in all that moves, another take in what stands still only. [`verdict`] makes a
//!    probability of all that ([`verdict::Model`], fitted on real footage), and decides by what
//!    mistakes cost ([`verdict::Policy`]): a copy, the same scene at another moment, or undecided.
//!    Seconds in which a copy would hardly have been found ([`verdict::PowerModel`]) are
//!    unsearchable.
//! 9. [`report`] says all this in one serialisable value, down to the seconds that are published,
//!    unpublished and unsearchable. [`facts`] measures besides what makes the price, while the clip
//!    is decoded, and [`rates`] prices it by a card of classes.
//! 10. [`mod@certificate`] signs such an answer, so that others can verify it, run the search
//!     again, and hold it against what was published since.
//! 11. [`ledger`] keeps which creator offered which seconds first, so that what is unpublished is
//!     paid for once.
//!
//! # Limitations
//!
//! docs/tricks.md tells edit by edit what is found, docs/measurements.md how often.
//!
//! [`Verdict::Unpublished`] is a statement about the videos of one index, as
//! [`report::IndexSummary`] names it. It is no proof that a clip is nowhere public. Beyond that,
//! these copies are missed or not told apart:
//!
//! - Black, flat, frozen and still pictures hold nothing to search for; they are unsearchable,
//!   never unpublished. A clip of which less than 2 s can be searched, and nothing is found, is
//!   [`Verdict::Inconclusive`].
//! - Copied passages shorter than about 2 s inside other footage may be missed.
//! - So may be those that are cropped to about half of the width and height or less or to 9:16,
//!   shown in a small part of the picture, turned by more than about 30 degrees, stretched by more
//!   than a factor of two, or more than twice as fast or as slow. [`Effort::Fast`] does not look
//!   for quarter turns, turns by more than about 6 degrees, stretched pictures and negatives.
//! - Line drawings, slides and plain graphics have few distinctive regions.
//! - Water, foliage and other fine texture loses its detail under strong compression, and the keys
//!   with it.
//! - Slow scenes whose moments look alike cannot be told from another take. They are *undecided*,
//!   and so unsearchable, and the clip is inconclusive if they are the most of it, unless another
//!   part of it was published.
//! - A fingerprint that is handed over without pictures is judged by keys and motion alone.
//! - Damage that a decoder conceals without a word is not seen. Damage that it reports, and files
//!   that end early, are unsearchable for as long as they last.
//! - What is marked as benign counts for nothing, and so does what looks like it: copies of it are
//!   not found, and the seconds that show it are unsearchable. Of its quick or dark moments some
//!   may pass as unpublished.
//! - Sound is not looked at.
//! - Who knows this method can change a clip until it is not recognised. This finds reuse, not
//!   determined forgery.
//!
//! # False positives
//!
//! - Two recordings of one event from the same place can pass for one, most of all when little
//!   moves by itself.
//! - Footage that both videos took from a third (stock footage, an intro, a station's graphics) is
//!   a true match that says nothing about who had it first, unless it is in the index as benign
//!   material. Matches give source, times and geometry, so that a person can look.
//! - The chance of 2^-30 is a model's, from key distances measured between unrelated videos;
//!   corpora with many near duplicates differ.
//!
//! # Safety
//!
//! A file from a stranger may be made to crash, hang, exhaust or take over what decodes it.
//! [`Decoding::worker`] decodes each file in a process of its own that gives up the file system,
//! the network, other programs and all system calls but a few before it reads the first byte, is
//! held to [`media::Limits`], and is believed nothing unchecked; see [`sandbox`] for how, and for
//! what it cannot prevent. It takes the path of a program that calls [`serve`], such as `uniq`.
//! [`Decoding::in_process`] has none of this and is for files whose origin is known.
//!
//! Symbolic links, pipes, devices, and files of a list that lie outside its folder are refused
//! unless they are allowed by name. Text that comes from files and lists is kept as it is in
//! [`report::Report`] and the index: whoever shows it on a terminal or a page has to escape it, as
//! `uniq` does for the terminal and [`evidence_page`] for a page.
//!
//! # Example
//!
//! Builds an index of a folder, asks about a clip, and writes a fingerprint that can be checked in
//! the clip's place.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use uniq::ingest::{self, BuildOptions, Event};
//! use uniq::{CheckOptions, Decoding, Index, Query, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::process::Command;
//! # let folder = tempfile::tempdir()?;
//! # let (videos, dir) = (folder.path().join("videos"), folder.path().join("index"));
//! # let (clip, saved) = (folder.path().join("clip.mp4"), folder.path().join("clip.uniq"));
//! # std::fs::create_dir(&videos)?;
//! # // A flight into the Mandelbrot set, turning: rich, and never the same twice.
//! # let flight = "mandelbrot=s=480x480:r=12:start_scale=0.04:end_scale=0.0008:end_pts=336\
//! #     :start_x=-0.16070135:start_y=1.0375665,rotate=0.15*t,crop=426:240,hue=h=140";
//! # let film = videos.join("film.mp4");
//! # let ffmpeg = |args: &[&str], output: &std::path::Path| {
//! #     let mut command = Command::new("ffmpeg");
//! #     command.args(["-nostdin", "-loglevel", "error", "-y", "-cpuflags", "0"]).args(args);
//! #     // The same pictures on every processor.
//! #     command.args(["-pix_fmt", "yuv420p", "-threads", "1", "-x264-params", "cpu-independent=1"]).arg(output);
//! #     assert!(command.status().expect("the ffmpeg command is installed").success());
//! # };
//! # ffmpeg(&["-f", "lavfi", "-i", flight, "-t", "12"], &film);
//! # ffmpeg(&["-ss", "3", "-t", "6", "-i", film.to_str().ok_or("path")?, "-vf", "hflip,scale=320:180"], &clip);
//! // Other threads may set it, and the build stops with what is finished.
//! let cancel = AtomicBool::new(false);
//! let progress = |event: Event<'_>| {
//!     if let Event::Finished { path, outcome, .. } = event {
//!         println!("{}: {outcome:?}", path.display());
//!     }
//! };
//! // Our own files; those of strangers want Decoding::worker("/usr/bin/uniq").
//! let decoding = Decoding::in_process();
//! let sources = ingest::sources(&[videos])?;
//! let summary = ingest::build(&dir, sources, &BuildOptions::new(decoding.clone()), &progress, &cancel)?;
//! assert_eq!(summary.added, 1);
//!
//! // Open once, check often: any number of threads can share the index. One that grows meanwhile is
//! // followed by an `index::Live`.
//! let index = Index::open(&dir)?;
//! let report = uniq::check(&index, &clip, &CheckOptions::new(&decoding))?;
//! assert_eq!(report.verdict, Verdict::Published);
//! for found in &report.matches {
//!     let alignment = &found.alignment;
//!     println!("{:?} of {}: {:.0} bits", found.kind, alignment.source.path, alignment.evidence_bits);
//! }
//! # assert_eq!(report.matches.len(), 1);
//! # let alignment = &report.matches[0].alignment;
//! # assert!(alignment.mirrored && (alignment.reference.start_s - 3.0).abs() < 1.0, "{alignment:?}");
//!
//! // The clip's owner makes this file, and need not hand over the clip.
//! uniq::fingerprint(&clip, &decoding, Some(&cancel))?.save(&saved)?;
//! let again = uniq::check(&index, Query::Fingerprint(&saved), &CheckOptions::new(&decoding))?;
//! assert_eq!(again.verdict, report.verdict);
//! # Ok(())
//! # }
//! ```

pub mod align;
pub mod certificate;
mod check;
pub mod dedup;
pub mod error;
pub mod evidence;
pub mod evidence_page;
pub mod facts;
pub mod fingerprint;
pub mod index;
pub mod ingest;
pub mod ledger;
pub mod media;
pub mod rates;
#[cfg(feature = "remote")]
pub mod remote;
pub mod report;
pub mod sample;
pub mod sandbox;
pub mod scatter;
pub mod search;
pub mod verdict;

pub use check::{CheckOptions, Query, alignments, check, check_fingerprint, check_pictures};
pub use error::{Error, Result};
#[cfg(unix)]
pub use fingerprint::serve;
pub use fingerprint::{Fingerprint, of_clip as fingerprint};
pub use index::{Index, SearchMode};
pub use report::{Effort, Report};
pub use sandbox::Decoding;
pub use verdict::Verdict;

// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
