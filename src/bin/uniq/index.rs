//! `uniq index`: build, add, update, refresh, remove, benign, merge, upgrade, canaries, verify,
//! log, snapshot, prove, checkpoint, push, pull, open, list, stats.

mod canaries;
mod intake;
mod joining;
mod past;
#[cfg(feature = "remote")]
pub(crate) mod remote;
mod removal;

use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde::Serialize;
use uniq::Error;
use uniq::certificate::Checkpoint;
use uniq::index::{
    self, Expected, Index, IndexState, Publication, Role, Verification, Video, Watch, Writer,
};
use uniq::ingest::{self, Take};
#[cfg(feature = "remote")]
use uniq::remote::{OpenOptions, Prune};
use uniq::sandbox::json_line;
use uniq::search;

use crate::args::{BenignCommand, IndexCommand};
use crate::exit::Exit;
use crate::output;
use crate::place::Place;
use crate::progress::Progress;
use crate::text::{bytes, chain, clock, count, grouped, hex, hours, length, plain};
use crate::{signal, talk};

/// Runs one of the commands.
pub(crate) fn run(command: IndexCommand, quiet: bool) -> anyhow::Result<Exit> {
    match command {
        IndexCommand::Build(args) => {
            let place = Place::choose(args.index.dir.clone())?;
            intake::build(args, Role::Source, Take::All, &place, quiet)
        }
        IndexCommand::Add(args) => {
            let place = Place::to_change(args.index.dir.clone())?;
            intake::build(args, Role::Source, Take::All, &place, quiet)
        }
        IndexCommand::Update(args) => {
            let place = Place::to_change(args.index.dir.clone())?;
            intake::build(args.into(), Role::Source, Take::Known, &place, quiet)
        }
        IndexCommand::Refresh(args) => {
            let place = Place::to_change(args.index.dir.clone())?;
            intake::build(args.into(), Role::Source, Take::Pictures, &place, quiet)
        }
        IndexCommand::Remove {
            videos,
            json,
            index,
        } => removal::remove(
            &videos,
            Role::Source,
            &Place::to_change(index.dir)?,
            json,
            quiet,
        ),
        IndexCommand::Benign(BenignCommand::Add(args)) => {
            let place = Place::to_change(args.index.dir.clone())?;
            intake::build(args.into(), Role::Benign, Take::All, &place, quiet)
        }
        IndexCommand::Benign(BenignCommand::List { json, index }) => {
            list(&[Role::Benign], &Place::existing(index.dir)?, json)
        }
        IndexCommand::Benign(BenignCommand::Remove {
            videos,
            json,
            index,
        }) => removal::remove(
            &videos,
            Role::Benign,
            &Place::to_change(index.dir)?,
            json,
            quiet,
        ),
        IndexCommand::Merge { from, json, index } if !from.is_empty() => {
            joining::take_over(&from, &Place::choose(index.dir)?, json, quiet)
        }
        IndexCommand::Merge { index, .. } => merge(&Place::to_change(index.dir)?, quiet),
        IndexCommand::Upgrade { json, index } => {
            joining::upgrade(&Place::to_change(index.dir)?, json, quiet)
        }
        IndexCommand::Canaries {
            excerpts,
            json,
            index,
        } => canaries::measure(
            &Place::to_change(index.dir)?,
            excerpts as usize,
            json,
            quiet,
        ),
        IndexCommand::Verify {
            json,
            checkpoint,
            key,
            expectation,
            index,
        } => {
            let files = checkpoint.as_deref().zip(key.as_deref());
            let checkpoint = files
                .map(|(checkpoint, key)| past::signed(checkpoint, key))
                .transpose()?;
            verify(
                &Place::existing(index.dir)?,
                &(&expectation).into(),
                checkpoint.as_ref(),
                json,
                quiet,
            )
        }
        IndexCommand::Log { json, index } => past::log(&Place::existing(index.dir)?, json),
        IndexCommand::Snapshot {
            generation,
            dest,
            json,
            index,
        } => past::snapshot(&Place::existing(index.dir)?, generation, &dest, json),
        IndexCommand::Prove {
            sha256,
            absent,
            generation,
            index,
        } => past::prove(&Place::existing(index.dir)?, &sha256, absent, generation),
        IndexCommand::Checkpoint { index, signing } => {
            past::checkpoint(&Place::existing(index.dir)?, &signing)
        }
        #[cfg(feature = "remote")]
        IndexCommand::Push {
            store,
            prune,
            keep,
            min_age,
            json,
            index,
        } => {
            let prune = prune.then_some(Prune {
                keep: keep as usize,
                age_min: min_age,
            });
            remote::push(&store, &Place::to_change(index.dir)?, prune, json, quiet)
        }
        #[cfg(feature = "remote")]
        IndexCommand::Pull { store, json, index } => {
            remote::pull(&store, &Place::choose(index.dir)?, json, quiet)
        }
        #[cfg(feature = "remote")]
        IndexCommand::Open {
            store,
            verify,
            cache,
            cache_max,
            json,
        } => remote::open(
            &store,
            OpenOptions { verify },
            &remote::cache(cache, cache_max)?,
            json,
            quiet,
        ),
        IndexCommand::List { json, index } => list(
            &[Role::Source, Role::Submission, Role::Benign],
            &Place::existing(index.dir)?,
            json,
        ),
        IndexCommand::Stats {
            json,
            expectation,
            index,
        } => stats(&Place::existing(index.dir)?, &(&expectation).into(), json),
    }
}

/// What videos of a role are called.
pub(crate) fn videos(role: Role) -> &'static str {
    match role {
        Role::Source => "video",
        Role::Benign => "benign video",
        Role::Submission => "submission",
    }
}

/// Runs interruptible work that shows its progress.
fn watched<T>(progress: &Progress, cancel: &AtomicBool, run: impl FnOnce(Watch<'_>) -> T) -> T {
    run(Watch {
        cancel: &|| cancel.load(Ordering::Relaxed),
        progress: Some(&|what, share| progress.event(&ingest::Event::Maintaining { what, share })),
    })
}

/// Merges everything possible, and measures the recall of the cells if that is due.
fn put_in_order(writer: &mut Writer, watch: Watch<'_>) -> uniq::Result<()> {
    writer.compact(watch)?;
    search::measure_if_due(writer, watch)
}

/// Merges segments; an interruption keeps the finished steps.
fn merge(place: &Place, quiet: bool) -> anyhow::Result<Exit> {
    let cancel = signal::cancel_flag("stopping after this step; interrupt again to stop at once")?;
    let mut writer = Writer::open(&place.dir)?.with_clock(SystemTime::now);
    let before = writer.commit()?;
    let progress = Progress::new(quiet);
    let result = watched(&progress, &cancel, |watch| put_in_order(&mut writer, watch));
    progress.finish();
    let exit = match result {
        Ok(()) => Exit::Success,
        Err(uniq::Error::Cancelled) => {
            talk::say(
                "interrupted; finished steps are in the index: run the same command again for the rest",
            );
            Exit::Error
        }
        Err(error) => return Err(error.into()),
    };
    let after = writer.commit()?;
    if !quiet {
        let segments = count(after.segments.into(), "segment");
        if (after.segments, after.bytes, after.tombstones)
            == (before.segments, before.bytes, before.tombstones)
        {
            talk::say(&format!(
                "nothing to merge: {segments}, {}",
                bytes(after.bytes)
            ));
            talk::say(&format!("the index has {}", holdings(&after)));
            return Ok(exit);
        }
        // Report only what changed.
        let mut changes = Vec::new();
        if after.segments != before.segments {
            changes.push(format!(
                "{segments} instead of {}",
                grouped(before.segments.into())
            ));
        }
        if bytes(after.bytes) != bytes(before.bytes) {
            changes.push(format!(
                "{} instead of {}",
                bytes(after.bytes),
                bytes(before.bytes)
            ));
        }
        if after.tombstones < before.tombstones {
            changes.push(format!(
                "{} cleared out",
                count(before.tombstones - after.tombstones, "removed video")
            ));
        }
        if changes.is_empty() {
            changes.push(format!("{segments} rewritten"));
        }
        talk::say(&changes.join(", "));
        talk::say(&format!("the index has {}", holdings(&after)));
    }
    Ok(exit)
}

/// Checks every byte and prints the damage, which gives exit code 2.
fn verify(
    place: &Place,
    expected: &Expected,
    checkpoint: Option<&Checkpoint>,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let progress = Progress::new(quiet);
    let mut found = index::verify(&place.dir, &|read, of| progress.read(read, of), &|| {
        cancel.load(Ordering::Relaxed)
    });
    progress.finish();
    if let Ok(found) = &mut found {
        found.damage.extend(
            expected
                .check(&place.dir, &found.root, found.generation)
                .err(),
        );
        if let Some(checkpoint) = checkpoint {
            let fits = Index::open(&place.dir).and_then(|index| checkpoint.check(&index));
            found.damage.extend(fits.err());
        }
    }
    let mut out = output::stdout();
    if json {
        // For the reader, an unreadable manifest is damage like any other.
        let verified = match &found {
            Ok(found) => Verified::from(found),
            Err(error @ (Error::CorruptIndex { .. } | Error::IncompatibleIndex { .. })) => {
                Verified {
                    damage: vec![chain(error)],
                    ..Verified::default()
                }
            }
            Err(_) => return Ok(found.map(|_| Exit::Success)?),
        };
        writeln!(out, "{}", json_line(&verified)?)?;
        out.flush()?;
    }
    let found = match found {
        Ok(found) => found,
        Err(error) if json => {
            // The object has already been printed.
            talk::fail(&error);
            return Ok(Exit::Error);
        }
        Err(error) => return Err(error.into()),
    };
    if !json {
        for damage in &found.damage {
            writeln!(out, "{}", plain(&chain(damage)))?;
        }
        let files = count(found.files as u64, "file");
        let root: String = found.root.chars().take(12).collect();
        match found.damage.len() as u64 {
            0 => writeln!(out, "whole: {files}, {}, root {root}", bytes(found.bytes))?,
            wrong => writeln!(out, "damaged: {} of {files}, root {root}", grouped(wrong))?,
        }
        out.flush()?;
    }
    if !quiet && !found.unnamed.is_empty() {
        let files = count(found.unnamed.len() as u64, "file");
        talk::say(&format!(
            "{files} left over by a crash or a merge, harmless; delete them with: uniq index merge"
        ));
    }
    Ok(if found.damage.is_empty() {
        Exit::Success
    } else {
        Exit::Error
    })
}

/// The object of `verify --json`.
#[derive(Default, Serialize)]
struct Verified<'a> {
    /// `None` if the manifest cannot be read.
    root: Option<&'a str>,
    generation: Option<u64>,
    files: usize,
    bytes: u64,
    whole: bool,
    damage: Vec<String>,
    unnamed: Vec<String>,
}

impl<'a> From<&'a Verification> for Verified<'a> {
    fn from(found: &'a Verification) -> Verified<'a> {
        Verified {
            root: Some(&found.root),
            generation: Some(found.generation),
            files: found.files,
            bytes: found.bytes,
            whole: found.damage.is_empty(),
            damage: found.damage.iter().map(|damage| chain(damage)).collect(),
            unnamed: found
                .unnamed
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
        }
    }
}

fn list(roles: &[Role], place: &Place, json: bool) -> anyhow::Result<Exit> {
    let index = Index::open(&place.dir)?;
    let mut out = output::stdout();
    for &role in roles {
        for (reference, video) in index.in_role(role) {
            let (generation, added_at) = index.added(reference);
            if json {
                writeln!(
                    out,
                    "{}",
                    json_line(&Listed::new(video, role, generation, added_at.as_deref()))?
                )?;
            } else {
                out.write_all(row(video, role, added_at.as_deref()).as_bytes())?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn stats(place: &Place, expected: &Expected, json: bool) -> anyhow::Result<Exit> {
    let index = Index::open(&place.dir)?;
    index.check_expected(expected)?;
    let state = index.state();
    let committed_at = index.committed_at();
    let committed_at = committed_at.as_deref();
    let mut out = output::stdout();
    if json {
        writeln!(
            out,
            "{}",
            json_line(&Stated {
                state,
                committed_at
            })?
        )?;
    } else {
        writeln!(out, "index     {}", plain(&place.dir.to_string_lossy()))?;
        out.write_all(table(state, committed_at).as_bytes())?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// The object of `stats --json`.
#[derive(Serialize)]
struct Stated<'a> {
    #[serde(flatten)]
    state: &'a IndexState,
    committed_at: Option<&'a str>,
}

/// One video of `list --json`.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    sha256: String,
    path: &'a str,
    duration_s: f64,
    undecoded_s: f64,
    width: u32,
    height: u32,
    keyframes: u32,
    #[serde(flatten)]
    publication: &'a Publication,
    role: Role,
    added_generation: u64,
    added_at: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn new(
        video: &'a Video,
        role: Role,
        added_generation: u64,
        added_at: Option<&'a str>,
    ) -> Listed<'a> {
        Listed {
            id: &video.id,
            sha256: hex(&video.sha256),
            path: &video.path,
            duration_s: video.duration.as_secs_f64(),
            undecoded_s: video.undecoded.as_secs_f64(),
            width: video.width,
            height: video.height,
            keyframes: video.keyframes,
            publication: &video.publication,
            role,
            added_generation,
            added_at,
        }
    }
}

/// A line of the table: identifier, length, path, publication, and whether it is benign.
fn row(video: &Video, role: Role, added_at: Option<&str>) -> String {
    let publication = &video.publication;
    let mut line = format!(
        "{}  {:>11}  {}",
        plain(&video.id),
        clock(video.duration.as_secs_f64()),
        plain(&video.path)
    );
    for known in [
        &publication.title,
        &publication.published_at,
        &publication.url,
    ]
    .into_iter()
    .flatten()
    {
        line.push_str("  ");
        line.push_str(&plain(known));
    }
    if !video.undecoded.is_zero() {
        let _ = write!(
            line,
            "  ({} not decoded)",
            length(video.undecoded.as_secs_f64())
        );
    }
    if let Some(added_at) = added_at {
        let _ = write!(line, "  (added {added_at})");
    }
    if role == Role::Benign {
        line.push_str("  (benign)");
    }
    line.push('\n');
    line
}

pub(crate) fn holdings(state: &IndexState) -> String {
    let root: String = state.root.chars().take(12).collect();
    let benign = match state.benign_videos {
        0 => String::new(),
        number => format!(
            "{} ({}), ",
            count(number, videos(Role::Benign)),
            hours(state.benign_hours)
        ),
    };
    let (videos, keys) = (count(state.videos, "video"), count(state.keys, "key"));
    format!(
        "{videos} ({}), {keys}, {benign}root {root}",
        hours(state.hours)
    )
}

fn table(state: &IndexState, committed_at: Option<&str>) -> String {
    let commits = match committed_at {
        Some(at) => format!("{}, the last at {at}", grouped(state.generation)),
        None => grouped(state.generation),
    };
    let cells = match (state.cells, state.screening_recall) {
        (1, _) => "one; every key is compared".to_owned(),
        (cells, None) => format!(
            "{}; what a search by them finds is not measured yet",
            grouped(cells)
        ),
        (cells, Some(recall)) => {
            format!(
                "{}, by which {:.1} % of changed excerpts were found",
                grouped(cells),
                100.0 * recall
            )
        }
    };
    let pictures = match state.without_pictures {
        0 => "of all videos".to_owned(),
        number => format!(
            "missing for {}; make them with: uniq index refresh",
            count(number, "video")
        ),
    };
    let a_key = state
        .bytes_per_key
        .map_or(String::new(), |a_key| format!(", {a_key:.0} bytes a key"));
    let an_hour = state.bytes_per_hour.map_or(String::new(), |an_hour| {
        format!(", {} an hour", bytes(an_hour as u64))
    });
    let mut text = String::new();
    for (label, value) in [
        ("root", plain(&state.root).into_owned()),
        ("commits", commits),
        (
            "history",
            format!(
                "{} before the last, root {}",
                count(state.history_commits, "commit"),
                plain(&state.history_root)
            ),
        ),
        ("sources", format!("root {}", plain(&state.sources_root))),
        (
            "allowlist",
            format!("root {}", plain(&state.allowlist_root)),
        ),
        (
            "videos",
            format!("{} ({})", grouped(state.videos), hours(state.hours)),
        ),
        ("keys", grouped(state.keys)),
        (
            "benign",
            format!(
                "{} ({}), {}",
                count(state.benign_videos, "video"),
                hours(state.benign_hours),
                count(state.benign_keys, "key")
            ),
        ),
        (
            "interval",
            format!("at most {} s between keyframes", state.interval_s),
        ),
        ("cells", cells),
        ("pictures", pictures),
        ("segments", grouped(state.segments.into())),
        (
            "removed",
            format!("{} not yet cleared out", count(state.tombstones, "video")),
        ),
        ("size", format!("{}{a_key}{an_hour}", bytes(state.bytes))),
        (
            "versions",
            format!(
                "format {}, fingerprint {}, written by uniq {}",
                state.format_version,
                state.fingerprint_version,
                plain(&state.written_by)
            ),
        ),
    ] {
        let _ = writeln!(text, "{label:<9} {value}");
    }
    text
}
