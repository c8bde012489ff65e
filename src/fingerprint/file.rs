//! The fingerprint file: what leaves a creator's machine in place of the clip.
//!
//! All numbers are little-endian. Nothing is compressed, so that anybody can see what is handed
//! over. The file does not contain the clip's path; the digest, [`Fingerprint::digest`], identifies
//! it.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `UNIQFP\r\n` |
//! | 8 | 4 | version of this layout, [`FILE_VERSION`] |
//! | 12 | 4 | [`FINGERPRINT_VERSION`](super::FINGERPRINT_VERSION) |
//! | 16 | 8 | length of the body |
//! | 24 | 32 | digest: SHA-256 of the first 24 bytes and the body |
//! | 56 | 8 | length of the header in the body |
//! | 64 | | header: JSON object of the file's properties and keyframes |
//! | | 8 | length of the motion |
//! | | | motion, one picture a keyframe |
//! | | 8 | length of the pictures, 0 if they are not handed over |
//! | | | small pictures in order of time |
//! | | 404 each | keys |
//!
//! - Motion: columns and rows u16, side of a cell f32, number of pictures u32, their times in
//!   milliseconds u32 each, then their cells. A cell has 2 bits, row by row, and each picture
//!   begins at a new byte. 0 is still; 1 is brighter and 2 is darker than in the two seconds on
//!   either side.
//! - Small picture: time in nanoseconds u64, columns and rows u16, then a grey level u8 for each
//!   pixel, row by row.
//! - Key: keyframe u32, kind u8 (0 whole, 1 region), recurs u8, fine u8, a zero byte, and x, y and
//!   size f32. Then 32 bytes each for the key, the mirrored key, and the warped keys in the order
//!   of [`Warp::ALL`](super::Warp::ALL).

use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::parts::DURATION_MAX;
use super::small::PICTURES_MAX;
use super::{
    ClipKey, FINGERPRINT_VERSION, Fingerprint, Key, KeyKind, Keyframe, Motion, Parts, Place,
    Thumbnail, Warp, cancelled,
};
use crate::facts;
use crate::media::{
    Limit, Limits, Links, Source, StreamInfo, Undecoded, open_regular, small_area_max,
    small_side_max,
};
use crate::sample::CLIP_PICTURE_AREA;
use crate::sandbox::{self, Decoding};
use crate::{Error, Result};

/// Version of the layout.
pub(super) const FILE_VERSION: u32 = 9;

const MAGIC: &[u8; 8] = b"UNIQFP\r\n";
const HEAD: usize = 56;
/// Bytes before the digest, which it covers.
const DIGEST_AT: usize = 24;
const KEY_SIZE: usize = 84 + 32 * Warp::ALL.len();

/// The properties of a fingerprint, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    sha256: [u8; 32],
    info: StreamInfo,
    duration: Duration,
    interval: Duration,
    frames: u64,
    undecoded: Vec<Undecoded>,
    keyframes: Vec<Keyframe>,
}

impl Fingerprint {
    /// Writes the fingerprint file, without the small pictures. An existing file is replaced as a
    /// whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder cannot be written to, or if the path is a folder, device, pipe
    /// or socket, which the file would replace.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.write(path, &self.bytes(&[]))
    }

    /// As [`Fingerprint::save`], with the small pictures. Whoever has this file sees what the clip
    /// shows, and checking it finds the same as checking the clip.
    ///
    /// # Errors
    ///
    /// Those of [`Fingerprint::save`].
    pub fn save_with_pictures(&self, path: &Path) -> Result<()> {
        self.write(path, &self.to_bytes())
    }

    /// The fingerprint as if loaded from its file: a time without keyframes, as in a clip with few
    /// frames, is undecoded.
    ///
    /// # Errors
    ///
    /// What is wrong with it, if no clip can have it.
    pub fn kept(&self) -> Result<Fingerprint, String> {
        Ok(Fingerprint {
            path: self.path.clone(),
            ..Fingerprint::from_bytes(&self.to_bytes())?
        })
    }

    /// The digest of the file, with the small pictures if it has them; it identifies this
    /// fingerprint.
    pub fn digest(&self) -> [u8; 32] {
        let bytes = self.to_bytes();
        std::array::from_fn(|i| bytes[DIGEST_AT + i])
    }

    /// The digest in a fingerprint file's header; `None` if it is no fingerprint. Loading the file
    /// checks the digest.
    pub fn digest_of_file(path: &Path) -> Option<[u8; 32]> {
        let file = open_regular(path, OpenOptions::new().read(true)).ok()?;
        let mut head = [0; HEAD];
        file.take(HEAD as u64).read_exact(&mut head).ok()?;
        (&head[..8] == MAGIC).then(|| std::array::from_fn(|i| head[DIGEST_AT + i]))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let cause = std::io::Error::other(
                "it is a folder, device, pipe or socket; give the name of a file",
            );
            return Err(Error::io(path, "write")(cause));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        // The file is made to be handed over. As for any other file, the umask decides who may read
        // it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder
            .tempfile_in(folder)
            .map_err(Error::io(path, "create"))?;
        std::io::Write::write_all(&mut file, bytes).map_err(Error::io(path, "write"))?;
        file.as_file().sync_all().map_err(Error::io(path, "sync"))?;
        file.persist(path)
            .map_err(|error| Error::io(path, "rename")(error.error))?;
        Ok(())
    }

    /// Reads a fingerprint file in the process that decodes clips, and under the same limits.
    ///
    /// # Errors
    ///
    /// Those of [`Decoding::open`], [`Error::InvalidFingerprint`] for a file that is damaged, of
    /// another version, or impossible for a clip, [`Error::LimitExceeded`], and
    /// [`Error::Cancelled`] once `cancel` is set.
    pub fn load(
        path: &Path,
        decoding: &Decoding,
        cancel: Option<&AtomicBool>,
    ) -> Result<Fingerprint> {
        let stop = || cancelled(cancel);
        let source = decoding.open(path)?;
        let sha256 = source.sha256(&stop)?;
        let bytes = decoding.read(&source, &sha256, &canonical, &stop)?;
        // Parsed again, since the process that read it may lie.
        let invalid = |reason: String| Error::InvalidFingerprint {
            path: path.to_owned(),
            reason,
        };
        let fingerprint = Fingerprint::from_bytes(&bytes).map_err(invalid)?;
        within(&fingerprint, path, &decoding.limits)?;
        Ok(Fingerprint {
            path: path.to_string_lossy().into_owned(),
            ..fingerprint
        })
    }

    /// Returns whether a file begins like a fingerprint file; `false` also if it cannot be read.
    pub fn is_file(path: &Path, links: Links) -> bool {
        Source::open(
            path,
            links,
            &Limits {
                bytes: u64::MAX,
                ..Limits::default()
            },
        )
        .is_ok_and(|source| begins_like_one(&source))
    }

    /// The bytes of the fingerprint file, with the small pictures if it has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes(&self.pictures)
    }

    fn bytes(&self, pictures: &[Thumbnail]) -> Vec<u8> {
        let header = Header {
            sha256: self.sha256,
            info: self.info.clone(),
            duration: self.duration,
            interval: self.interval,
            frames: self.frames,
            undecoded: self.undecoded.clone(),
            keyframes: self.keyframes.clone(),
        };
        // A struct of strings and numbers always serialises.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let mut body = (header.len() as u64).to_le_bytes().to_vec();
        body.extend(&header);
        let motion = self.motion.to_bytes();
        body.extend((motion.len() as u64).to_le_bytes());
        body.extend(motion);
        let pictures = pictures_to_bytes(pictures);
        body.extend((pictures.len() as u64).to_le_bytes());
        body.extend(pictures);
        for key in &self.keys {
            body.extend(key.keyframe.to_le_bytes());
            body.extend([
                u8::from(key.kind == KeyKind::Region),
                u8::from(key.recurs),
                u8::from(key.fine),
                0,
            ]);
            for value in [key.place.x, key.place.y, key.place.size] {
                body.extend(value.to_le_bytes());
            }
            for bits in [key.key, key.mirrored].iter().chain(&key.warped) {
                body.extend(bits.to_bytes());
            }
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FILE_VERSION.to_le_bytes());
        bytes.extend(FINGERPRINT_VERSION.to_le_bytes());
        bytes.extend((body.len() as u64).to_le_bytes());
        let digest = digest_of(&bytes, &body);
        bytes.extend(digest);
        bytes.extend(body);
        bytes
    }

    /// Parses the bytes of a fingerprint file; the error says what is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Fingerprint, String> {
        if bytes.len() < HEAD || &bytes[..8] != MAGIC {
            return Err(NO_MAGIC.into());
        }
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        for (what, found, expected) in [
            ("layout", u32_at(8), FILE_VERSION),
            ("fingerprint version", u32_at(12), FINGERPRINT_VERSION),
        ] {
            if found != expected {
                return Err(format!("{what} is {found}, this program needs {expected}"));
            }
        }
        let body = &bytes[HEAD..];
        let length = u64_at(bytes, 16);
        if body.len() as u64 != length {
            return Err(format!(
                "its body has {} bytes instead of {length}",
                body.len()
            ));
        }
        if digest_of(&bytes[..DIGEST_AT], body) != bytes[DIGEST_AT..HEAD] {
            return Err("its digest does not match its content".into());
        }
        let Some((header, rest)) = split_part(body) else {
            return Err("its header is longer than the file".into());
        };
        let Some((motion, rest)) = split_part(rest) else {
            return Err("its motion is longer than the file".into());
        };
        let Some((pictures, keys)) = split_part(rest) else {
            return Err("its pictures are longer than the file".into());
        };
        let pictures = pictures_from_bytes(pictures)
            .ok_or("its pictures are truncated, out of order or impossible for a clip")?;
        let motion = Motion::from_bytes(motion).map_err(|error| format!("its motion: {error}"))?;
        let header: Header =
            serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;
        if keys.len() % KEY_SIZE != 0 {
            return Err("its last key is truncated".into());
        }
        let keys = keys
            .chunks_exact(KEY_SIZE)
            .map(read_key)
            .collect::<Option<Vec<_>>>();
        let fingerprint = Fingerprint::new(Parts {
            path: String::new(),
            sha256: header.sha256,
            info: header.info,
            duration: header.duration,
            interval: header.interval,
            frames: header.frames,
            undecoded: header.undecoded,
            keyframes: header.keyframes,
            keys: keys.ok_or("a key is out of range")?,
            motion,
        })?;
        Ok(fingerprint.with_pictures(pictures))
    }
}

fn digest_of(head: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(head)
        .chain_update(body)
        .finalize()
        .into()
}

fn pictures_to_bytes(pictures: &[Thumbnail]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for picture in pictures {
        // No time exceeds 30 days, and no side 288 pixels.
        bytes.extend((picture.time.as_nanos() as u64).to_le_bytes());
        bytes.extend((picture.width as u16).to_le_bytes());
        bytes.extend((picture.height as u16).to_le_bytes());
        bytes.extend(&picture.luma);
    }
    bytes
}

/// Parses small pictures; `None` if no clip gives them.
fn pictures_from_bytes(mut bytes: &[u8]) -> Option<Vec<Thumbnail>> {
    let mut pictures: Vec<Thumbnail> = Vec::new();
    while !bytes.is_empty() {
        let (time, rest) = bytes.split_first_chunk::<8>()?;
        let (width, rest) = rest.split_first_chunk::<2>()?;
        let (height, rest) = rest.split_first_chunk::<2>()?;
        let time = Duration::from_nanos(u64::from_le_bytes(*time));
        let [width, height] = [width, height].map(|side| usize::from(u16::from_le_bytes(*side)));
        let (luma, rest) = rest.split_at_checked(width * height)?;
        let sides = [width, height]
            .iter()
            .all(|side| (1..=small_side_max(CLIP_PICTURE_AREA)).contains(side))
            && width * height <= small_area_max(CLIP_PICTURE_AREA);
        let ascending = pictures.last().is_none_or(|last| last.time < time);
        if !sides || !ascending || time > DURATION_MAX || pictures.len() >= PICTURES_MAX {
            return None;
        }
        pictures.push(Thumbnail {
            time,
            width,
            height,
            luma: luma.to_vec(),
        });
        bytes = rest;
    }
    Some(pictures)
}

/// Runs the process that decodes a clip or reads a fingerprint; see `sandbox::serve`.
///
/// # Errors
///
/// Those of `sandbox::serve`.
#[cfg(unix)]
pub fn serve(job: &str, input: std::os::fd::OwnedFd, output: std::os::fd::OwnedFd) -> Result<()> {
    sandbox::serve(
        job,
        input,
        output,
        &canonical,
        &mut facts::Measuring::default(),
    )
}

/// Returns whether an open file begins like a fingerprint.
pub(super) fn begins_like_one(source: &Source) -> bool {
    source.begins_with(MAGIC)
}

/// Reads a fingerprint file and writes it again in this version's form; no fingerprint has other
/// content.
fn canonical(source: &Source, limits: &Limits) -> Result<Vec<u8>> {
    let invalid = |reason: String| Error::InvalidFingerprint {
        path: source.path().to_owned(),
        reason,
    };
    if !begins_like_one(source) {
        return Err(invalid(NO_MAGIC.to_owned()));
    }
    let fingerprint = Fingerprint::from_bytes(&source.read_all()?).map_err(invalid)?;
    within(&fingerprint, source.path(), limits)?;
    Ok(fingerprint.to_bytes())
}

/// Checks a fingerprint against the limits of a clip.
fn within(fingerprint: &Fingerprint, path: &Path, limits: &Limits) -> Result<()> {
    if fingerprint.duration > limits.duration {
        let found = format!("{:.1} s", fingerprint.duration.as_secs_f64());
        return Err(Limit::Duration.exceeded(path, limits, found));
    }
    if fingerprint.frames > limits.frames {
        return Err(Limit::Frames.exceeded(path, limits, fingerprint.frames.to_string()));
    }
    Ok(())
}

const NO_MAGIC: &str = "it does not begin with the magic bytes of a fingerprint";

/// Splits bytes into a part that begins with its length in 8 bytes, and the rest.
fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

fn read_key(bytes: &[u8]) -> Option<ClipKey> {
    let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    let key = |at: usize| Key::from_bytes(std::array::from_fn(|i| bytes[at + i]));
    let place = Place {
        x: f32::from_le_bytes(word(8)),
        y: f32::from_le_bytes(word(12)),
        size: f32::from_le_bytes(word(16)),
    };
    let kind = match bytes[4] {
        0 => KeyKind::Whole,
        1 => KeyKind::Region,
        _ => return None,
    };
    let sane = !(bytes[6] != 0 && kind == KeyKind::Whole);
    sane.then_some(ClipKey {
        keyframe: u32::from_le_bytes(word(0)),
        kind,
        place,
        key: key(20),
        mirrored: key(52),
        warped: std::array::from_fn(|i| key(84 + 32 * i)),
        recurs: bytes[5] != 0,
        fine: bytes[6] != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Content;

    fn fingerprint() -> Fingerprint {
        let key = |i: u64| Key([i, i << 20, !i, i * i]);
        Fingerprint {
            path: String::new(),
            sha256: [7; 32],
            info: StreamInfo {
                width: 1920,
                height: 1080,
                codec: "h264".into(),
                container: "mov".into(),
                pixel_format: "yuv420p".into(),
                declared: Some(Duration::from_millis(1500)),
            },
            duration: Duration::from_millis(1500),
            interval: Duration::from_millis(500),
            frames: 45,
            undecoded: vec![],
            keyframes: (0..3)
                .map(|i| Keyframe {
                    time: Duration::from_millis(500 * i),
                    content: Content::Searchable,
                    still_since: Duration::ZERO,
                    cut: false,
                    repeats: false,
                    panned: false,
                })
                .collect(),
            keys: (0..9)
                .map(|i| ClipKey {
                    keyframe: i / 3,
                    kind: if i % 3 == 0 {
                        KeyKind::Whole
                    } else {
                        KeyKind::Region
                    },
                    place: Place {
                        x: 0.8,
                        y: 0.5,
                        size: 0.3,
                    },
                    key: key(u64::from(i)),
                    mirrored: key(u64::from(i) + 99),
                    warped: std::array::from_fn(|warp| key(u64::from(i) + 199 + 100 * warp as u64)),
                    recurs: i == 3,
                    fine: i == 8,
                })
                .collect(),
            motion: {
                let mut motion = Motion::new(5, 3, 0.2);
                (0..3).for_each(|i| {
                    motion.push(Duration::from_millis(500 * i), &[1, -1, 0, 0, -1, 1])
                });
                motion
            },
            pictures: (0..4).map(|i| picture(100 * i)).collect(),
        }
    }

    fn picture(ms: u64) -> Thumbnail {
        Thumbnail {
            time: Duration::from_millis(ms),
            width: 3,
            height: 2,
            luma: vec![7; 6],
        }
    }

    #[test]
    fn a_file_gives_back_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.fp");
        let load = || Fingerprint::load(&path, &Decoding::in_process(), None).unwrap();
        let named = || Fingerprint {
            path: path.to_string_lossy().into_owned(),
            ..fingerprint()
        };
        fingerprint().save_with_pictures(&path).unwrap();
        assert!(Fingerprint::is_file(&path, Links::Refuse));
        assert_eq!((load(), load().digest()), (named(), fingerprint().digest()));
        // Pictures are handed over only on request.
        fingerprint().save(&path).unwrap();
        assert_eq!(load(), named().with_pictures(Vec::new()));
    }

    #[test]
    fn a_file_does_not_say_where_the_clip_lies_and_has_one_digest_wherever_that_is() {
        let elsewhere = Fingerprint {
            path: "/home/somebody/secret.mp4".into(),
            ..fingerprint()
        };
        assert_eq!(elsewhere.to_bytes(), fingerprint().to_bytes());
        assert_eq!(elsewhere.digest(), fingerprint().digest());
        assert_ne!(
            fingerprint().with_pictures(Vec::new()).digest(),
            fingerprint().digest()
        );
    }

    #[test]
    fn an_older_file_is_refused_with_what_to_do() {
        let mut old = fingerprint().to_bytes();
        old[8] = 8;
        let reason = Fingerprint::from_bytes(&old).unwrap_err();
        let error = Error::InvalidFingerprint {
            path: "old.uniq".into(),
            reason,
        }
        .to_string();
        assert!(
            error.contains("layout is 8, this program needs 9; make it again with"),
            "{error}"
        );
    }

    #[test]
    fn pictures_that_no_clip_has_are_refused() {
        for wrong in [
            vec![picture(200), picture(100)],
            vec![picture(100), picture(100)],
            vec![Thumbnail {
                width: 289,
                height: 1,
                luma: vec![0; 289],
                ..picture(0)
            }],
            vec![Thumbnail {
                width: 0,
                luma: vec![],
                ..picture(0)
            }],
            vec![Thumbnail {
                luma: vec![0; 5],
                ..picture(0)
            }],
            vec![Thumbnail {
                time: DURATION_MAX + Duration::from_millis(1),
                ..picture(0)
            }],
        ] {
            let refused = Fingerprint::from_bytes(&fingerprint().with_pictures(wrong).to_bytes())
                .unwrap_err();
            assert!(refused.contains("pictures"), "{refused}");
        }
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_refused() {
        let bytes = fingerprint().to_bytes();
        for length in 0..bytes.len() {
            assert!(
                Fingerprint::from_bytes(&bytes[..length]).is_err(),
                "cut to {length}"
            );
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(
                Fingerprint::from_bytes(&damaged).is_err(),
                "flipped at {at}"
            );
        }
    }

    #[test]
    fn a_key_or_motion_of_no_keyframe_is_refused() {
        let mut wrong = fingerprint();
        wrong.keys[5].keyframe = 3;
        assert!(
            Fingerprint::from_bytes(&wrong.to_bytes())
                .unwrap_err()
                .contains("keyframes")
        );
        let mut wrong = fingerprint();
        wrong.motion.push(Duration::from_secs(2), &[]);
        assert!(
            Fingerprint::from_bytes(&wrong.to_bytes())
                .unwrap_err()
                .contains("motion")
        );
    }
}
