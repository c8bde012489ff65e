//! `uniq index remove` and `benign remove`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::SystemTime;

use serde_json::{Value, json};
use uniq::index::{Index, Role, Selection, Video, Writer};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use super::{holdings, videos};
use crate::exit::Exit;
use crate::place::Place;
use crate::text::{count, grouped, hex};
use crate::{output, talk};

/// Removes the video that each selector names. A selector that matches none or several is an error;
/// the others still count.
pub(super) fn remove(
    selectors: &[OsString],
    role: Role,
    place: &Place,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let mut writer = Writer::open(&place.dir)?.with_clock(SystemTime::now);
    let mut removed: BTreeMap<String, Video> = BTreeMap::new();
    let mut refused: Vec<Value> = Vec::new();
    if let Some(index) = writer.committed() {
        for selector in selectors {
            // The index stores paths as text in which a replacement character stands for other
            // bytes.
            let selector = selector.to_string_lossy();
            match index.select(&selector, role) {
                Selection::One(video) => {
                    let video = index.video(video);
                    removed.insert(hex(&video.sha256), video.clone());
                }
                Selection::None => {
                    let why = not_there(index, &selector, role);
                    talk::say(&format!("{selector}: {why}"));
                    refused.push(json!({ "video": selector, "code": "not_there", "message": why, "candidates": [] }));
                }
                Selection::Several(found) => {
                    let found: Vec<&Video> =
                        found.into_iter().map(|video| index.video(video)).collect();
                    let named = found
                        .iter()
                        .take(CANDIDATES)
                        .map(|video| format!("{} ({})", video.id, video.path));
                    let more = match found.len().saturating_sub(CANDIDATES) {
                        0 => String::new(),
                        more => format!(" and {} more", grouped(more as u64)),
                    };
                    let named = named.collect::<Vec<_>>().join(", ");
                    let why = format!(
                        "matches {}; name one of them: {named}{more}",
                        count(found.len() as u64, "video")
                    );
                    talk::say(&format!("{selector}: {why}"));
                    let candidates: Vec<Value> = found
                        .iter()
                        .map(|video| json!({ "id": video.id, "path": video.path }))
                        .collect();
                    refused.push(
                        json!({ "video": selector, "code": "ambiguous", "message": why, "candidates": candidates }),
                    );
                }
            }
        }
    }
    for sha256 in removed.keys() {
        writer.remove_as(role, sha256)?;
    }
    let state = writer.commit()?;
    if !removed.is_empty() && !quiet {
        let number = count(removed.len() as u64, videos(role));
        talk::say(&format!(
            "removed {number}; the index has {}",
            holdings(&state)
        ));
    }
    if json {
        let removed: Vec<Value> = removed
            .values()
            .map(|video| json!({ "id": video.id, "path": video.path }))
            .collect();
        let object =
            json!({ "schema": SCHEMA, "removed": removed, "not_removed": refused, "index": state });
        output::print(format!("{}\n", json_line(&object)?).as_bytes())?;
    }
    Ok(if refused.is_empty() {
        Exit::Success
    } else {
        Exit::Error
    })
}

/// Maximum number of candidates named in a message.
const CANDIDATES: usize = 5;

/// Why nothing was removed, and what to do.
fn not_there(index: &Index, selector: &str, role: Role) -> &'static str {
    let (other, elsewhere, nowhere) = match role {
        Role::Source | Role::Submission => (
            Role::Benign,
            "benign material, not a source; remove it with: uniq index benign remove",
            "no such video in the index; see them with: uniq index list",
        ),
        Role::Benign => (
            Role::Source,
            "a source, not benign material; remove it with: uniq index remove",
            "no such benign material in the index; see it with: uniq index benign list",
        ),
    };
    if index.select(selector, other) == Selection::None {
        nowhere
    } else {
        elsewhere
    }
}
