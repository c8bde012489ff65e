//! Reads two assertions of C2PA manifests: how the picture was made, and whether it may be used for
//! training (pure).
//!
//! A manifest store is a tree of JUMBF boxes. Each superbox (`jumb`) begins with its description
//! (`jumd`: type, toggles, label), and contains other superboxes or content. Only assertions of
//! these two kinds are read; hashes and signatures are not verified. Depth, boxes and items are
//! bounded.

mod value;

#[cfg(test)]
pub(super) mod written;

use super::{Generated, Training};
use value::Value;

/// What the manifests of a store declare; `None` if it is no such tree.
pub(super) fn claims(store: &[u8]) -> Option<(Option<Generated>, Option<Training>)> {
    let mut walk = Walk {
        budget: BOXES_MAX,
        generated: None,
        training: None,
        assertions: 0,
    };
    let mut boxes = 0;
    for part in Boxes(store) {
        let (kind, body) = part?;
        if kind == *b"jumb" {
            boxes += 1;
            walk.superbox(body, 0)?;
        }
    }
    (boxes > 0).then_some((walk.generated, walk.training))
}

struct Walk {
    budget: u32,
    generated: Option<Generated>,
    training: Option<Training>,
    assertions: u32,
}

impl Walk {
    fn superbox(&mut self, body: &[u8], depth: u32) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut label = "";
        for (number, part) in Boxes(body).enumerate() {
            self.budget = self.budget.checked_sub(1)?;
            let (kind, body) = part?;
            match &kind {
                b"jumd" if number == 0 => label = description(body)?,
                _ if number == 0 => return None,
                b"jumb" => self.superbox(body, depth + 1)?,
                b"cbor" => self.assertion(label, || Value::of_cbor(body))?,
                b"json" => self.assertion(label, || Value::of_json(body))?,
                _ => {}
            }
        }
        Some(())
    }

    /// Reads an assertion of either kind; if its content is unreadable, so is the whole store.
    fn assertion(&mut self, label: &str, content: impl FnOnce() -> Option<Value>) -> Option<()> {
        // Two underscores separate the number of an instance, `.v` that of a version.
        let name = label.split("__").next().unwrap_or(label);
        let name = name.split(".v").next().unwrap_or(name);
        match name {
            "c2pa.actions" => {
                self.assertions += 1;
                self.generated = self.generated.max(generated(&content()?));
            }
            "c2pa.training-mining" | "cawg.training-mining" => {
                self.assertions += 1;
                self.training = self.training.max(training(&content()?));
            }
            _ => {}
        }
        Some(())
    }
}

/// The strongest use of a model among the source types of the actions.
fn generated(actions: &Value) -> Option<Generated> {
    let mut found = None;
    actions.each_text(&mut |key, text| {
        if key == "digitalSourceType" {
            found = found.max(match text.rsplit(['/', ':']).next().unwrap_or_default() {
                "trainedAlgorithmicMedia" => Some(Generated::Wholly),
                "compositeWithTrainedAlgorithmicMedia" | "compositeSynthetic" => {
                    Some(Generated::Partly)
                }
                _ => None,
            });
        }
    });
    found
}

/// The strictest permission of the entries that concern training and mining.
fn training(entries: &Value) -> Option<Training> {
    let Value::Map(parts) = entries.get("entries")? else {
        return None;
    };
    let of = |(name, entry): &(String, Value)| {
        let concerns = name.ends_with("training") || name.ends_with("data_mining");
        match (concerns, entry.get("use")?) {
            (true, Value::Text(text)) => match text.as_str() {
                "notAllowed" => Some(Training::NotAllowed),
                "constrained" => Some(Training::Constrained),
                "allowed" => Some(Training::Allowed),
                _ => None,
            },
            _ => None,
        }
    };
    parts.iter().filter_map(of).max()
}

/// The label of a superbox; empty if it has none.
fn description(body: &[u8]) -> Option<&str> {
    let toggles = *body.get(16)?;
    if toggles & LABELLED == 0 {
        return Some("");
    }
    let label = &body[17..];
    let end = label.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&label[..end]).ok()
}

/// Iterates over boxes as kind and content. A box that does not fit gives `None` and ends the
/// iteration.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = Option<([u8; 4], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = |bytes: &'a [u8]| {
            let (size, rest) = bytes.split_first_chunk::<4>()?;
            let (kind, rest) = rest.split_first_chunk::<4>()?;
            let (body, next) = match u32::from_be_bytes(*size) {
                0 => (rest, &rest[rest.len()..]),
                1 => {
                    let (size, rest) = rest.split_first_chunk::<8>()?;
                    rest.split_at_checked(
                        usize::try_from(u64::from_be_bytes(*size).checked_sub(16)?).ok()?,
                    )?
                }
                size => rest.split_at_checked((size as usize).checked_sub(8)?)?,
            };
            Some(((*kind, body), next))
        };
        match read(self.0) {
            Some((found, next)) => {
                self.0 = next;
                Some(Some(found))
            }
            None => {
                self.0 = &[];
                Some(None)
            }
        }
    }
}

/// Bit of a description's toggles: the description has a label.
const LABELLED: u8 = 2;
/// Maximum nesting of superboxes; a manifest has four levels.
const DEPTH_MAX: u32 = 16;
/// Maximum number of boxes to read.
const BOXES_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;
