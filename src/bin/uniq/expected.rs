//! Options that require a state of the index: its root, or a minimum generation.

use std::fmt::Write as _;

use clap::Args;
use uniq::index::Expected;

/// Options that refuse another state of the index.
#[derive(Debug, Clone, Args)]
pub(crate) struct Expectation {
    /// Refuse an index with another root
    ///
    /// The root has 64 hexadecimal digits; `uniq index stats --json` prints it.
    #[arg(long, hide_short_help = true, visible_alias = "root", value_name = "HEX", value_parser = root)]
    expect_root: Option<[u8; 32]>,
    /// Refuse an index older than this generation, such as an old copy that was put back
    #[arg(long, hide_short_help = true, value_name = "N")]
    min_generation: Option<u64>,
}

impl From<&Expectation> for Expected {
    fn from(options: &Expectation) -> Expected {
        Expected {
            root: options.expect_root,
            generation_min: options.min_generation,
        }
    }
}

/// Parses a SHA-256 in hexadecimal.
pub(crate) fn root(text: &str) -> Result<[u8; 32], String> {
    let mut root = [0; 32];
    if text.len() != 2 * root.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let mut expected = format!("give {} hexadecimal digits", 2 * root.len());
        if !text.is_empty() && text.len() < 2 * root.len() {
            let _ = write!(expected, ", not only {}", text.chars().count());
        }
        return Err(expected);
    }
    for (byte, digits) in root.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digits.iter().fold(0, |byte, digit| {
            byte << 4 | (*digit as char).to_digit(16).unwrap_or(0) as u8
        });
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::root;

    #[test]
    fn a_root_is_all_its_digits_and_nothing_else() {
        assert_eq!(
            root(&"0aF0".repeat(16)).unwrap()[..4],
            [0x0a, 0xf0, 0x0a, 0xf0]
        );
        for wrong in [
            "",
            "0a",
            &"g".repeat(64),
            &"0".repeat(63),
            &"0".repeat(65),
            &"+0".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(
                root(wrong).unwrap_err().contains("64 hexadecimal digits"),
                "{wrong}"
            );
        }
    }
}
