//! Decides whether any second of a video clip is already public, as far as an index of public
//! videos can tell.
//!
//! ```text
//! file -> media -> sample -> fingerprint -> index -> search -> align -> verdict -> report -> certificate
//!         Frame    Frame     Fingerprint   Segment  Hit       Alignment  Verdict   Report    Statement
//! ```
//!
//! Each arrow is plain data with public fields. A module imports only itself and modules to its
//! left in
//!
//! ```text
//! error < media < sample < sandbox < facts < fingerprint < index < remote < evidence < search < align < verdict < report < rates < ingest < check < scatter < dedup < certificate < ledger < evidence_page
//! ```
//!
//! ARCHITECTURE.md shows the same on one page; docs/how-it-works.md explains the method.
//!
//! The library never prints, exits or reads the environment; progress and cancellation are passed
//! in. The same file always gives the same keys, and the same clip and index the same report.
//!
//! # How it works
//!
//! 1. [`media`] decodes a file to upright grey frames with a short side of 128 pixels, 256 for a
//!    clip.
//! 2. [`sample`] chooses keyframes. In a source they are at most [`sample::CORPUS_INTERVAL`] apart.
//!    In a clip, one moment is drawn from each [`sample::QUERY_INTERVAL`], and the frame shown at
//!    that moment is used. So nobody can predict which frames are sampled.
//! 3. [`mod@fingerprint`] hashes each keyframe to 256-bit keys: one of the whole frame, and one of
//!    each *region*. Regions are squares around blobs, which stay on the same content when the
//!    picture is cropped, moved or partly covered. A clip also has smaller regions, for content
//!    that it shows smaller than its source does. A key that lasts is kept once, with its first and
//!    last time. Small grey pictures are kept as well ([`fingerprint::PictureTrack`]): of a source
//!    one per keyframe, of a clip one per [`sample::CLIP_PICTURE_INTERVAL`], in memory.
//! 4. [`index`] stores write-once, checksummed files: the track of each video (keys with times and
//!    places, motion, small pictures), and all keys by coarse cell. `remote` carries an index to
//!    object storage and back.
//! 5. [`search`] first filters benign material out of the clip ([`index::Role::Benign`]). It looks
//!    up every other key, plain and mirrored, and the strongest keys turned, tilted, stretched and
//!    inverted. In a small index it compares all keys of the sources; in a large one, only those of
//!    the videos that a search of few cells nominates. A key within [`search::RADIUS`] bits is a
//!    hit.
//! 6. [`align`] groups hits on one source that agree on one temporal mapping and one geometry. It
//!    then finds, one after the other, the mappings that pictures and motion fit best.
//! 7. [`evidence`] scores such an alignment in bits ([`evidence::by_chance`] gives the share of
//!    clips that reach a score by chance). It deducts the size of the index, and counts one thing
//!    seen twenty times once.
//! 8. [`align::dense`] compares the pictures of both sides along an alignment. A copy agrees in
//!    everything that moves, another take only where nothing moves. [`verdict`] turns all of this
//!    into a probability ([`verdict::Model`], fitted on real footage). By the cost of mistakes
//!    ([`verdict::Policy`]) it decides: a copy, the same scene at another moment, or undecided.
//!    Seconds in which a copy would hardly have been found ([`verdict::PowerModel`]) are
//!    unsearchable.
//! 9. [`report`] is the answer as one serialisable value, down to the seconds that are published,
//!    unpublished and unsearchable. While the clip is decoded, [`facts`] measures what determines
//!    its price, and [`rates`] prices it by a rate card.
//! 10. [`mod@certificate`] signs such an answer, so that others can verify it, run the search
//!     again, and recheck it against later sources.
//! 11. [`ledger`] records which creator offered which seconds first, so that unpublished seconds
//!     are paid for once.
//!
//! # Limitations
//!
//! docs/tricks.md lists what is found, edit by edit; docs/measurements.md gives the rates.
//!
//! [`Verdict::Unpublished`] is a statement about the videos of one index, which
//! [`report::IndexSummary`] identifies. It does not prove that a clip is nowhere public. In
//! addition, these copies are missed or not recognised as copies:
//!
//! - Black, flat, frozen and still pictures contain nothing to search for. They are unsearchable,
//!   never unpublished. If less than 2 s of a clip can be searched and nothing is found, it is
//!   [`Verdict::Inconclusive`].
//! - Copied passages shorter than about 2 s inside other footage may be missed.
//! - Passages may also be missed that are cropped to about half of the width and height or less or
//!   to 9:16, shown in a small part of the picture, turned by more than about 30 degrees, stretched
//!   by more than a factor of two, or more than twice as fast or as slow. [`Effort::Fast`] does not
//!   look for quarter turns, turns by more than about 6 degrees, stretched pictures and negatives.
//! - Line drawings, slides and plain graphics have few distinctive regions.
//! - Water, foliage and other fine texture lose their detail under strong compression, and so their
//!   keys.
//! - Slow scenes whose moments look alike cannot be told from another take. They are *undecided*,
//!   and so unsearchable. If they exceed the unpublished time, the clip is inconclusive, unless
//!   another part of it was published.
//! - A fingerprint without pictures is judged by keys and motion alone.
//! - Damage that a decoder conceals silently is not noticed. Damage that it reports, and the
//!   missing rest of a file, are unsearchable.
//! - Benign material counts for nothing, and neither does whatever looks like it: copies of it are
//!   not found, and the seconds that show it are unsearchable. Some of its quick or dark moments
//!   may pass as unpublished.
//! - Sound is not examined.
//! - Somebody who knows this method can edit a clip until it is not recognised. It finds reuse, not
//!   determined forgery.
//!
//! # False positives
//!
//! - Two recordings of one event from the same place can pass for one, especially when little moves
//!   by itself.
//! - If both videos took footage from a third (stock footage, an intro, a station's graphics), the
//!   match is real but does not say who had it first. To avoid such matches, mark the footage as
//!   benign. Matches give source, times and geometry, so that a person can look.
//! - The score of a chance agreement comes from key distances measured between unrelated videos;
//!   corpora with many near duplicates differ.
//!
//! # Safety
//!
//! A malicious file may crash, hang, exhaust or take over its decoder. [`Decoding::worker`]
//! therefore decodes each file in a separate process. Before it reads the first byte, this process
//! gives up the file system, the network, other programs and all but a few system calls. It is held
//! to [`media::Limits`], and everything it says is checked. [`sandbox`] explains how, and what it
//! cannot prevent. The worker is a program that calls [`serve`], such as `uniq`.
//! [`Decoding::in_process`] has none of this protection; use it only for files of known origin.
//!
//! Symbolic links, pipes, devices, and files of a list outside its folder are refused unless the
//! caller allows them explicitly. [`report::Report`] and the index keep text from files and lists
//! unchanged. Whoever shows it must escape it, as `uniq` does for a terminal and [`evidence_page`]
//! for a page.
//!
//! # Example
//!
//! Builds an index of a folder, checks a clip, and writes a fingerprint that can be checked in
//! place of the clip.
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
