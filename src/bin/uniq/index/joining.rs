//! `uniq index upgrade` and `uniq index merge --from`: brings videos of other indexes into one of
//! the current format.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use serde_json::{Value, json};
use uniq::index::{self, FORMAT_VERSION, Index, IndexState, Joined, Role, Writer};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use super::{holdings, put_in_order, watched};
use crate::exit::Exit;
use crate::place::Place;
use crate::progress::Progress;
use crate::text::{count, grouped};
use crate::{output, signal, talk};

/// Upgrades an index of the previous format.
pub(super) fn upgrade(place: &Place, json: bool, quiet: bool) -> anyhow::Result<Exit> {
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    if !quiet {
        talk::say(&place.describe());
    }
    let progress = Progress::new(quiet);
    let upgraded = watched(&progress, &cancel, |watch| {
        index::upgrade(&place.dir, Some(SystemTime::now), watch)
    });
    progress.finish();
    let upgraded = match upgraded {
        Err(uniq::Error::Cancelled) => {
            talk::say("interrupted; the index is unchanged: run the same command again");
            return Ok(Exit::Error);
        }
        other => other?,
    };
    let state = &upgraded.state;
    if !quiet {
        if upgraded.from == FORMAT_VERSION {
            talk::say(&format!(
                "nothing to do: the index already has format {FORMAT_VERSION}"
            ));
        } else {
            talk::say(&format!(
                "upgraded from format {} to {}",
                upgraded.from, state.format_version
            ));
        }
        if state.without_pictures > 0 {
            let without = count(state.without_pictures, "video");
            talk::say(&format!(
                "{without} without pictures; make them from the files with: uniq index refresh"
            ));
        }
        talk::say(&format!("the index has {}", holdings(state)));
    }
    if upgraded.cancelled {
        talk::say("interrupted after the upgrade; finish it with: uniq index merge");
    }
    if json {
        let object = json!({
            "schema": SCHEMA,
            "from_format": upgraded.from,
            "to_format": state.format_version,
            "cancelled": upgraded.cancelled,
            "index": state,
        });
        output::print(format!("{}\n", json_line(&object)?).as_bytes())?;
    }
    Ok(if upgraded.cancelled {
        Exit::Error
    } else {
        Exit::Success
    })
}

/// Takes over the videos of other indexes, then merges segments.
pub(super) fn take_over(
    from: &[PathBuf],
    place: &Place,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let cancel = signal::cancel_flag("stopping after this step; interrupt again to stop at once")?;
    if !quiet {
        talk::say(&place.describe());
    }
    // Open all of them before any write, so that a wrong name changes nothing.
    let others = from
        .iter()
        .map(|dir| Index::open(dir))
        .collect::<uniq::Result<Vec<Index>>>()?;
    let config = others
        .first()
        .map(Index::config)
        .context("no index to take videos from")?;
    let writer = if Index::exists(&place.dir) {
        Writer::open(&place.dir)
    } else {
        Writer::open_or_create(&place.dir, config)
    };
    let mut writer = writer?.with_clock(SystemTime::now);
    let progress = Progress::new(quiet);
    let mut sum = Joined::default();
    let mut conflicts: Vec<Value> = Vec::new();
    for other in &others {
        let joined = watched(&progress, &cancel, |watch| writer.take_over(other, watch))?;
        for conflict in &joined.conflicts {
            let video = &conflict.video;
            talk::say(&format!(
                "{}: {} in {}, but {} here; left unchanged here",
                video.path,
                called(conflict.there),
                other.dir().display(),
                called(conflict.here)
            ));
            conflicts.push(json!({
                "id": video.id,
                "path": video.path,
                "from": other.dir().to_string_lossy(),
                "here": conflict.here,
                "there": conflict.there,
            }));
        }
        sum.taken += joined.taken;
        sum.already_there += joined.already_there;
        sum.conflicts.extend(joined.conflicts);
        sum.cancelled = joined.cancelled;
        if sum.cancelled {
            break;
        }
    }
    if !sum.cancelled {
        match watched(&progress, &cancel, |watch| put_in_order(&mut writer, watch)) {
            Err(uniq::Error::Cancelled) => sum.cancelled = true,
            other => other?,
        }
    }
    let effort = progress.finish();
    let state = writer.commit()?;
    if !quiet {
        talk::say(&told(&sum, &others, &effort));
        talk::say(&format!("the index has {}", holdings(&state)));
    }
    if sum.cancelled {
        talk::say(
            "interrupted; finished videos are in the index: run the same command again for the rest",
        );
    }
    if json {
        output::print(format!("{}\n", json_line(&object(&sum, &conflicts, &state))?).as_bytes())?;
    }
    Ok(match (sum.cancelled, sum.conflicts.is_empty()) {
        (true, _) => Exit::Error,
        (false, true) => Exit::Success,
        (false, false) => Exit::Incomplete,
    })
}

fn told(sum: &Joined, others: &[Index], effort: &str) -> String {
    let names: Vec<String> = others
        .iter()
        .map(|other| Path::display(other.dir()).to_string())
        .collect();
    let conflicts = match sum.conflicts.len() {
        0 => String::new(),
        number => format!(", {} here in another role", grouped(number as u64)),
    };
    let (taken, there) = (count(sum.taken, "video"), grouped(sum.already_there));
    format!(
        "took over {taken} from {}, {there} already there{conflicts}, in {effort}",
        names.join(", ")
    )
}

/// The object of `--json`.
fn object(sum: &Joined, conflicts: &[Value], state: &IndexState) -> Value {
    json!({
        "schema": SCHEMA,
        "taken_over": sum.taken,
        "already_there": sum.already_there,
        "conflicts": conflicts,
        "cancelled": sum.cancelled,
        "index": state,
    })
}

fn called(role: Role) -> &'static str {
    match role {
        Role::Source => "a source",
        Role::Benign => "benign material",
        Role::Submission => "a submission",
    }
}
