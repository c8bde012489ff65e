//! `uniq intake recheck`: compares submissions with sources that were added after their answers.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;
use uniq::fingerprint::Fingerprint;
use uniq::index::Index;
use uniq::ledger::{
    self, ClaimState, Intake, Intervals, Ledger, Rechecked, Rechecks, Seen, Standing,
    UNKNOWN_CREATOR,
};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Error};

use super::LEASE;
use super::place::Found;
use crate::args::IntakeRecheck;
use crate::exit::Exit;
use crate::place::Place;
use crate::text::{count, interval, plain, tenths};
use crate::{guard, inputs, output, signal, talk};

/// Rechecks submissions.
pub(super) fn recheck(args: &IntakeRecheck, quiet: bool) -> anyhow::Result<Exit> {
    let books = Found::choose(&args.place)?;
    let place = Place::existing(args.index.dir.clone())?;
    let decoding = guard::decoding(&args.guard, quiet)?;
    let index = Index::open(&place.dir)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let options = CheckOptions {
        cancel: Some(&cancel),
        now: Some(SystemTime::now()),
        ..CheckOptions::new(&decoding)
    };
    let intake = Intake {
        books: books.books(),
        index: &index,
        shards: None,
        options: &options,
        lease: LEASE,
        notice: &|_| (),
        takes_over: &|_| false,
        slots: None,
    };
    let mut ledger = books.books().open(false)?;
    ledger::check_step(&mut ledger, &books.books())?;
    let numbers = if args.numbers.is_empty() {
        unsold(&mut ledger)?
    } else {
        args.numbers.clone()
    };
    let kept = Kept::of(args, &options)?;
    let against = Rechecks::of(&intake);
    let (mut exit, mut held) = (Exit::Success, 0);
    let mut out = output::stdout();
    for number in numbers {
        let by = kept.of_submission(&mut ledger, number)?;
        match against.recheck(&mut ledger, number, by) {
            Ok(done) => {
                if done.changed {
                    exit = exit.worst(Exit::Published);
                }
                let said = ledger::submission(&ledger.standings(number)?);
                let payable = said.payable_minutes + said.provisional_minutes;
                if args.json {
                    writeln!(out, "{}", json_line(&told(&done, payable))?)?;
                } else if done.changed {
                    writeln!(out, "{}", line(&done, payable))?;
                } else {
                    held += 1;
                }
            }
            Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
            Err(error) => {
                exit = exit.worst(Exit::Error);
                talk::say_over(&format!(
                    "submission {number}: {}",
                    plain(&error.to_string())
                ));
                if args.json {
                    let object = json!({
                        "schema": SCHEMA, "number": number, "code": error.code(), "message": error.to_string(),
                    });
                    writeln!(out, "{}", json_line(&object)?)?;
                }
            }
        }
        // Flush each answer, which is already durable.
        out.flush()?;
    }
    if !args.json && held > 0 {
        writeln!(
            out,
            "{}: nothing more of them is public",
            count(held, "submission")
        )?;
        out.flush()?;
    }
    Ok(exit)
}

/// Submissions that stand and are not sold.
fn unsold(ledger: &mut Ledger) -> anyhow::Result<Vec<u64>> {
    let (mut numbers, mut last) = (Vec::new(), 0);
    loop {
        let submissions = ledger.submissions_after(last)?;
        let Some(end) = submissions.last() else {
            return Ok(numbers);
        };
        last = end.number;
        for of in submissions
            .iter()
            .filter(|of| of.standing == Standing::Decided && of.by != UNKNOWN_CREATOR)
        {
            let claims = ledger.claims(of.number)?;
            let has = |state| claims.iter().any(|claim| claim.state == state);
            if has(ClaimState::Offered) || !has(ClaimState::Sold) {
                numbers.push(of.number);
            }
        }
    }
}

/// Fingerprints and clips from `--from`, by the SHA-256 of their clips.
struct Kept {
    fingerprints: HashMap<[u8; 32], PathBuf>,
    clips: HashMap<String, PathBuf>,
}

impl Kept {
    fn of(args: &IntakeRecheck, options: &CheckOptions<'_>) -> anyhow::Result<Kept> {
        let mut kept = Kept {
            fingerprints: HashMap::new(),
            clips: HashMap::new(),
        };
        if args.from.is_empty() {
            return Ok(kept);
        }
        for place in &args.from {
            for entry in walkdir::WalkDir::new(place).sort_by_file_name() {
                let entry = entry?;
                if entry.file_type().is_file()
                    && entry.path().extension().is_some_and(|name| name == "uniq")
                {
                    let path = entry.path();
                    match Fingerprint::load(path, options.decoding, options.cancel) {
                        Ok(fingerprint) => drop(
                            kept.fingerprints
                                .insert(*fingerprint.sha256(), path.to_owned()),
                        ),
                        Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
                        // It matters only if a submission needs it.
                        Err(error) => talk::fail_about(path, &error),
                    }
                }
            }
        }
        let is_clip = |path: &&PathBuf| path.extension().is_none_or(|name| name != "uniq");
        let places: Vec<PathBuf> = args.from.iter().filter(is_clip).cloned().collect();
        if !places.is_empty() {
            let found = match inputs::named(&places, &args.guard, None) {
                // Without clips, the fingerprints are enough.
                Err(_) if !kept.fingerprints.is_empty() => inputs::Clips::default(),
                other => other?,
            };
            let cancelled = || {
                options
                    .cancel
                    .is_some_and(|flag| flag.load(std::sync::atomic::Ordering::Relaxed))
            };
            for clip in found.clips {
                match options
                    .decoding
                    .open(&clip)
                    .and_then(|file| file.sha256(&cancelled))
                {
                    Ok(sha256) => drop(kept.clips.insert(crate::text::hex(&sha256), clip)),
                    Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
                    Err(error) => talk::fail_about(&clip, &error),
                }
            }
        }
        Ok(kept)
    }

    /// What to search a submission with; `None` for the ledger's own data.
    fn of_submission(&self, ledger: &mut Ledger, number: u64) -> anyhow::Result<Option<Seen<'_>>> {
        if self.fingerprints.is_empty() && self.clips.is_empty() {
            return Ok(None);
        }
        let sha256 = ledger.submission(number)?.sha256;
        let fingerprint = self
            .fingerprints
            .iter()
            .find(|(of, _)| crate::text::hex(&of[..]) == sha256);
        let clip = self
            .clips
            .get(&sha256)
            .map(|path| Seen::Clip(Path::new(path)));
        Ok(fingerprint.map(|(_, path)| Seen::File(path)).or(clip))
    }
}

fn told(done: &Rechecked, payable_minutes: f64) -> serde_json::Value {
    let spans = |of: &Intervals| -> Vec<_> {
        of.iter()
            .map(|interval| json!({ "start_s": interval.start_s(), "end_s": interval.end_s() }))
            .collect()
    };
    json!({
        "schema": SCHEMA,
        "number": done.number,
        "changed": done.changed,
        "added": done.added,
        "in_full": done.in_full,
        "published": spans(&done.published),
        "sold": spans(&done.sold),
        "payable_minutes": payable_minutes,
        "resettled": done.resettled,
    })
}

fn line(done: &Rechecked, payable_minutes: f64) -> String {
    let seconds = |of: &Intervals| tenths(of.total_ms() as f64 / 1e3);
    let spans: Vec<String> = done
        .published
        .iter()
        .map(|span| interval(span.start_s(), span.end_s()))
        .collect();
    let mut says = match spans.is_empty() {
        true => format!("submission {}: a new source may show it", done.number),
        false => {
            format!(
                "submission {}: {} s more are public ({})",
                done.number,
                seconds(&done.published),
                spans.join(", ")
            )
        }
    };
    says += &format!("; now {} s payable", tenths(payable_minutes * 60.0));
    if !done.sold.is_empty() {
        says += &format!(
            ", including {} s that were already sold and could no longer be offered",
            seconds(&done.sold)
        );
    }
    for other in done.resettled.iter().filter(|other| **other != done.number) {
        says += &format!("; the claims of submission {other} changed");
    }
    says
}
