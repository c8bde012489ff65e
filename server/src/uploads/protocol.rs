//! Parses and writes the headers of tus 1.0.0 (pure).
//!
//! Core protocol with creation, creation-with-upload, expiration, termination and checksum.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// The version of the protocol.
pub const VERSION: &str = "1.0.0";

/// The supported extensions. Concatenation and deferred length are not supported.
pub const EXTENSIONS: &str = "creation,creation-with-upload,expiration,termination,checksum";

/// The algorithms of checksums.
pub const ALGORITHMS: &str = "sha1,sha256";

/// The type of a body that holds bytes of an upload.
pub const CONTENT_TYPE: &str = "application/offset+octet-stream";

/// A requested upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Creation {
    /// Its length in bytes; not 0.
    pub length: u64,
    /// Its creator.
    pub creator: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// `clip` or `fingerprint`.
    pub kind: &'static str,
    /// `Upload-Metadata` as it was sent.
    pub metadata: String,
}

/// The offset of bytes to append, and their checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// Number of bytes before them.
    pub offset: u64,
    /// Their checksum.
    pub checksum: Option<Checksum>,
}

/// A checksum of the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// SHA-1.
    Sha1(Vec<u8>),
    /// SHA-256.
    Sha256(Vec<u8>),
}

/// Computes a checksum.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Checksum,
    sha1: Sha1,
    sha256: Sha256,
}

impl Checksum {
    /// The verifier of this checksum.
    pub fn verifier(self) -> Verifier {
        Verifier {
            expected: self,
            sha1: Sha1::new(),
            sha256: Sha256::new(),
        }
    }
}

impl Verifier {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self.expected {
            Checksum::Sha1(_) => self.sha1.update(bytes),
            Checksum::Sha256(_) => self.sha256.update(bytes),
        }
    }

    /// Whether the bytes match the checksum.
    pub fn is_right(self) -> bool {
        match self.expected {
            Checksum::Sha1(expected) => self.sha1.finalize().as_slice() == expected,
            Checksum::Sha256(expected) => self.sha256.finalize().as_slice() == expected,
        }
    }
}

/// Fails unless the client speaks this version.
///
/// # Errors
/// 412.
pub fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    if one(headers, "tus-resumable")? == Some(VERSION) {
        return Ok(());
    }
    let title = "This version of the protocol is not supported";
    let detail = format!("Tus-Resumable: send {VERSION}");
    Err(Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "version",
        title,
        detail,
    ))
}

/// Parses the headers that create an upload.
///
/// # Errors
/// 400 for missing or unsupported headers, 413 above `most` bytes, and 422 for an empty upload.
pub fn creation(headers: &HeaderMap, most: u64) -> Result<Creation, Problem> {
    for (name, what) in [
        ("upload-concat", "concatenation"),
        ("upload-defer-length", "deferring the length"),
    ] {
        if headers.contains_key(name) {
            return Err(Problem::invalid(format!(
                "{what} is not supported; give the file's length in Upload-Length"
            )));
        }
    }
    let length = number(headers, "upload-length")?
        .ok_or_else(|| Problem::invalid("Upload-Length: send the length of the file in bytes"))?;
    if length > most {
        return Err(too_large(most));
    }
    if length == 0 {
        return Err(empty());
    }
    let metadata = one(headers, "upload-metadata")?.unwrap_or_default();
    let Known {
        creator,
        reference,
        kind,
    } = known(metadata)?;
    let creator =
        creator.ok_or_else(|| Problem::invalid("Upload-Metadata: name the creator, in base64"))?;
    crate::accept::check_names(&creator, reference.as_deref())?;
    Ok(Creation {
        length,
        creator,
        reference,
        kind: kind.unwrap_or("clip"),
        metadata: metadata.to_owned(),
    })
}

/// Parses the headers that append bytes.
///
/// # Errors
/// 400, and 415 for a body of another type.
pub fn append(headers: &HeaderMap) -> Result<Append, Problem> {
    if !is_bytes(headers) {
        return Err(wrong_type());
    }
    let offset = number(headers, "upload-offset")?.ok_or_else(|| {
        Problem::invalid(
            "Upload-Offset: send the number of bytes already received; HEAD returns it",
        )
    })?;
    Ok(Append {
        offset,
        checksum: checksum(headers)?,
    })
}

/// Whether the body holds bytes of an upload.
pub fn is_bytes(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case(CONTENT_TYPE))
}

/// Parses the checksum of the body.
///
/// # Errors
/// 400.
pub fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
    let Some(value) = one(headers, "upload-checksum")? else {
        return Ok(None);
    };
    let wrong = || {
        Problem::invalid(
            "Upload-Checksum: send sha1 or sha256, a space, and the checksum of the body in base64",
        )
    };
    let (algorithm, digest) = value.trim().split_once(' ').ok_or_else(wrong)?;
    let digest = STANDARD.decode(digest.trim()).map_err(|_| wrong())?;
    match (algorithm, digest.len()) {
        ("sha1", 20) => Ok(Some(Checksum::Sha1(digest))),
        ("sha256", 32) => Ok(Some(Checksum::Sha256(digest))),
        _ => Err(wrong()),
    }
}

/// The file is too long.
pub fn too_large(most: u64) -> Problem {
    let detail = format!("the file is longer than the maximum of {most} bytes; send a shorter one");
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        "The file is too long",
        detail,
    )
}

/// The file has no bytes.
pub fn empty() -> Problem {
    let detail = "the file has no bytes; send the clip, or its fingerprint";
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "empty",
        "The file is empty",
        detail,
    )
}

/// The body has the wrong content type.
pub fn wrong_type() -> Problem {
    let title = "The body is of another type";
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_type",
        title,
        format!("Content-Type: send {CONTENT_TYPE}"),
    )
}

/// The bytes do not match their checksum.
pub fn mismatch() -> Problem {
    // tus defines 460.
    let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
    let detail = "the bytes do not match Upload-Checksum and were discarded; send them again";
    Problem::new(
        status,
        "checksum_mismatch",
        "The checksum does not match",
        detail,
    )
}

struct Known {
    creator: Option<String>,
    reference: Option<String>,
    kind: Option<&'static str>,
}

/// The known keys of the metadata, which are pairs of a key and a value in base64. Clients may use
/// other keys.
fn known(metadata: &str) -> Result<Known, Problem> {
    if metadata.len() > METADATA_MAX {
        return Err(Problem::invalid(format!(
            "Upload-Metadata: send at most {METADATA_MAX} bytes"
        )));
    }
    let mut seen: Vec<&str> = Vec::new();
    let mut known = Known {
        creator: None,
        reference: None,
        kind: None,
    };
    for pair in metadata
        .split(',')
        .map(str::trim)
        .filter(|_| !metadata.trim().is_empty())
    {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if key.is_empty() || seen.contains(&key) {
            return Err(Problem::invalid("Upload-Metadata: name each key once"));
        }
        seen.push(key);
        let wrong = || {
            let key: String = key.chars().take(40).collect();
            Problem::invalid(format!("Upload-Metadata: {key}: send UTF-8 in base64"))
        };
        let bytes = STANDARD.decode(value.trim()).map_err(|_| wrong())?;
        if !["creator", "reference", "kind"].contains(&key) {
            continue;
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        match key {
            "creator" => known.creator = Some(text),
            "reference" => known.reference = Some(text),
            _ => {
                let kind = ["clip", "fingerprint"]
                    .into_iter()
                    .find(|kind| *kind == text);
                let kind = kind.ok_or_else(|| {
                    Problem::invalid("Upload-Metadata: kind: send clip or fingerprint")
                })?;
                known.kind = Some(kind);
            }
        }
    }
    Ok(known)
}

/// A header that may occur once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    text.map(Some)
        .ok_or_else(|| Problem::invalid(format!("{name}: send it once, in ASCII")))
}

fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Problem> {
    let Some(text) = one(headers, name)? else {
        return Ok(None);
    };
    let digits = Some(text)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits
        .and_then(|text| text.parse().ok())
        .filter(|number| *number <= i64::MAX as u64);
    number
        .map(Some)
        .ok_or_else(|| Problem::invalid(format!("{name}: send a number of bytes")))
}

/// Maximum length of `Upload-Metadata`, in bytes; it is stored.
const METADATA_MAX: usize = 8192;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        headers
    }

    fn status<T: std::fmt::Debug>(result: Result<T, Problem>) -> u16 {
        result.map_or_else(|problem| problem.status, |_| 0)
    }

    #[test]
    fn what_is_not_understood_is_refused_and_never_guessed() {
        let ada = "creator YWRh";
        let made = creation(
            &headers(&[
                ("upload-length", "7"),
                ("upload-metadata", "filename Lg==,creator YWRh"),
            ]),
            9,
        );
        let made = made.unwrap();
        assert_eq!(
            (made.length, &*made.creator, made.kind, made.reference),
            (7, "ada", "clip", None)
        );
        for (length, metadata, expected) in [
            ("10", ada, 413),
            ("0", ada, 422),
            ("-1", ada, 400),
            ("+1", ada, 400),
            ("1e3", ada, 400),
            ("", ada, 400),
            ("99999999999999999999999", ada, 400),
            ("7", "", 400),
            ("7", "creator", 400),
            ("7", "creator YWRh,creator Ym9i", 400),
            ("7", "creator YWR", 400),
            ("7", "creator /w==", 400),
            ("7", "creator YWRh,,", 400),
            ("7", "creator YWRh,kind Y2xpcHM=", 400),
            ("7", "creator IGFkYQ==", 400),
            ("7", "creator YWRh,reference ", 400),
        ] {
            let given = headers(&[("upload-length", length), ("upload-metadata", metadata)]);
            assert_eq!(status(creation(&given, 9)), expected, "{length} {metadata}");
        }
        let twice = headers(&[
            ("upload-length", "7"),
            ("upload-length", "8"),
            ("upload-metadata", ada),
        ]);
        assert_eq!(status(creation(&twice, 9)), 400);
        for name in ["upload-concat", "upload-defer-length"] {
            let given = headers(&[
                ("upload-length", "7"),
                ("upload-metadata", ada),
                (name, "1"),
            ]);
            assert_eq!(status(creation(&given, 9)), 400, "{name}");
        }
        assert_eq!(status(check_version(&headers(&[]))), 412);
        assert_eq!(
            status(check_version(&headers(&[("tus-resumable", "0.2.2")]))),
            412
        );
    }

    #[test]
    fn only_bytes_with_the_right_checksum_are_right() {
        // SHA-1 of "abc".
        let given = headers(&[
            ("content-type", CONTENT_TYPE),
            ("upload-offset", "3"),
            ("upload-checksum", "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        ]);
        let append = append(&given).unwrap();
        for (bytes, is_right) in [("abc", true), ("abd", false), ("", false)] {
            let mut verifier = append.checksum.clone().unwrap().verifier();
            bytes.bytes().for_each(|byte| verifier.update(&[byte]));
            assert_eq!(verifier.is_right(), is_right, "{bytes}");
        }
        for wrong in [
            "md5 kAFQmDzST7DWlj99KOF/cg==",
            "sha1",
            "sha1 ",
            "sha256 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
        ] {
            assert_eq!(
                status(checksum(&headers(&[("upload-checksum", wrong)]))),
                400,
                "{wrong}"
            );
        }
    }
}
