//! Frames between the service and its helper: a line of JSON, and then as many bytes as it
//! announces.
//!
//! `python/uniq/questions.py` describes the whole protocol.

use std::io::{self, BufRead, Read as _};

use serde::{Deserialize, Serialize};

/// The JSON line of a frame from the service.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) ask: &'static str,
    /// Time limit for the answer, in seconds.
    pub(super) seconds: f64,
    pub(super) sizes: Vec<usize>,
}

/// The JSON line of a frame from the helper.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Answer {
    /// Id of the question; absent in the first frame.
    pub(super) id: Option<u64>,
    /// The version of the protocol, in the first frame.
    pub(super) speaks: Option<u32>,
    /// The version of the Python package, in the first frame.
    pub(super) version: Option<String>,
    pub(super) error: Option<Wrong>,
    sizes: Vec<u64>,
}

/// An error reported by the helper.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Wrong {
    /// A code as in [`uniq::Error::code`].
    pub(super) code: String,
    pub(super) message: String,
}

/// Reads a frame; `None` at the end.
///
/// # Errors
/// If it is cut, malformed or too long, and those of the system.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<(Answer, Vec<Vec<u8>>)>> {
    let mut line = Vec::new();
    input.take(LINE_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(invalid("it is truncated"));
    }
    let answer: Answer =
        serde_json::from_slice(&line).map_err(|error| invalid(&error.to_string()))?;
    let whole = answer
        .sizes
        .iter()
        .try_fold(0_u64, |sum, size| sum.checked_add(*size));
    if whole.is_none_or(|whole| whole > PARTS_MAX) {
        return Err(invalid("it is longer than any answer"));
    }
    let mut parts = Vec::with_capacity(answer.sizes.len());
    for size in &answer.sizes {
        // The length is not trusted: the buffer grows as bytes arrive.
        let mut part = Vec::new();
        input.take(*size).read_to_end(&mut part)?;
        if part.len() as u64 != *size {
            return Err(invalid("it is truncated"));
        }
        parts.push(part);
    }
    Ok(Some((answer, parts)))
}

/// The bytes of a frame.
pub(super) fn write(id: u64, ask: &'static str, seconds: f64, parts: &[&[u8]]) -> Vec<u8> {
    let sizes = parts.iter().map(|part| part.len()).collect();
    let question = Question {
        id,
        ask,
        seconds,
        sizes,
    };
    let mut frame = serde_json::to_vec(&question).unwrap_or_default();
    frame.push(b'\n');
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    frame
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Maximum length of the line, in bytes; thousands of parts fit.
const LINE_MAX: u64 = 1 << 20;

/// Maximum length of all parts in bytes.
const PARTS_MAX: u64 = 4 << 30;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_or_an_error() {
        let whole = b"{\"id\": 7, \"sizes\": [2, 0, 3]}\nabxyz{\"sizes\": []}\n";
        let mut input = &whole[..];
        let (answer, parts) = read(&mut input).unwrap().unwrap();
        assert_eq!(answer.id, Some(7));
        assert_eq!(parts, [b"ab".to_vec(), Vec::new(), b"xyz".to_vec()]);
        assert!(read(&mut input).unwrap().is_some() && read(&mut input).unwrap().is_none());
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 6;
        for cut in 1..first {
            assert!(read(&mut &whole[..cut]).is_err(), "cut at {cut}");
        }
        for wrong in [
            "no frame\n",
            "{}\n",
            "{\"sizes\": [18446744073709551615, 2]}\n",
            "{\"sizes\": [9999999999]}\n",
        ] {
            assert!(read(&mut wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_question_says_how_long_its_parts_are() {
        let frame = write(3, "search", 600.0, &[b"ab", b"c"]);
        assert_eq!(
            String::from_utf8(frame).unwrap(),
            "{\"id\":3,\"ask\":\"search\",\"seconds\":600.0,\"sizes\":[2,1]}\nabc"
        );
    }
}
