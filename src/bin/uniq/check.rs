//! `uniq check` and `uniq fingerprint`: checks clips in parallel, and answers in the order of the
//! clips.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::SystemTime;

use serde_json::json;
use uniq::certificate::Signer;
use uniq::evidence_page;
use uniq::index::Index;
use uniq::rates::{self, RateCard};
use uniq::report::{Report, SCHEMA};
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Error, Query};

use crate::args::{Check, Extras, Fingerprint};
use crate::exit::Exit;
use crate::html::{Page, Pages};
use crate::output::{self, Paint};
use crate::place::Place;
use crate::progress::Counter;
use crate::text::{count, grouped, hex};
use crate::{certificate, guard, inputs, render, signal, signer, talk};

/// Checks the clips.
pub(crate) fn check(args: &Check, quiet: bool) -> anyhow::Result<Exit> {
    let place = Place::existing(args.index.dir.clone())?;
    let card = card(args.rates.as_deref(), args.effort)?;
    let clips = inputs::clips(args)?;
    if !quiet && !clips.no_videos.is_empty() {
        talk::say(&not_looked_at(&clips.no_videos));
    }
    let mut answers = Answers {
        json: args.json,
        paint: Paint::for_stdout(),
        exit: Exit::Success,
        answered: 0,
        shown: 0,
        stopped: 0,
    };
    for (path, error) in &clips.problems {
        answers.problem(path, error)?;
    }
    let clips = clips.clips;
    let certificate = certificate_of(args, &clips)?;
    let pages = args
        .page
        .html
        .as_deref()
        .map(|page| Pages::plan(page, &clips))
        .transpose()?;
    let decoding = guard::decoding(&args.guard, quiet)?;
    let threads = match args.threads.count {
        Some(count) => count.get(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    // The search inside a check uses rayon's global pool. Opening the index is its first use, which
    // fixes its size.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let index = Index::open(&place.dir)?;
    index.check_expected(&(&args.expectation).into())?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let answer = |clip: &Path, options: &CheckOptions<'_>| {
        if let Some((file, signer)) = &certificate {
            let terms = signer::terms(&args.signing);
            let (files, extras) = (
                certificate::files_of(file),
                Extras {
                    sigstore_bundle: false,
                    timestamp_command: None,
                },
            );
            let written = certificate::issue(
                &index,
                clip,
                options,
                Some(&**signer),
                &terms,
                &files,
                &extras,
            )?;
            return Ok(written.report);
        }
        let query = if args.fingerprint {
            Query::Fingerprint(clip)
        } else {
            Query::Clip(clip)
        };
        uniq::check(&index, query, options)
    };
    let ask = |clip: &Path| {
        let options = CheckOptions {
            effort: args.effort.into(),
            search: args.search.into(),
            cancel: Some(&cancel),
            now: Some(SystemTime::now()),
            quality: !args.no_quality,
            ..CheckOptions::new(&decoding)
        };
        let answer = answer(clip, &options).map(|report| priced(report, card.as_ref()));
        let page = match (&answer, &pages) {
            (Ok(report), Some(pages)) => {
                let options = evidence_page::Options {
                    lang: args.page.lang.into(),
                    cancel: Some(&*cancel),
                    ..evidence_page::Options::new(&decoding)
                };
                pages.write(clip, report, &index, &options)
            }
            _ => None,
        };
        (answer, page)
    };
    let counter = Counter::new(quiet, clips.len(), "clip");
    let mut take = |clip: &Path, (answer, page)| counter.done(|| answers.print(clip, answer, page));
    let written = in_order(&clips, threads, &cancel, &ask, &mut take);
    counter.finish();
    if let Err(error) = written {
        if !output::is_broken_pipe(&error) {
            return Err(error);
        }
        // A closed pipe is no failure, but nothing can be said about the remaining clips.
        let unanswered = clips.len() > answers.answered;
        return Ok(if unanswered {
            answers.exit.worst(Exit::Inconclusive)
        } else {
            answers.exit
        });
    }
    if answers.stopped > 0 {
        let all = count(clips.len() as u64, "clip");
        let message = format!(
            "interrupted; {} of {all} not checked",
            grouped(answers.stopped as u64)
        );
        talk::say(&message);
        if args.json {
            output::error_object(&Error::Cancelled.code(), &message)?;
        }
    }
    Ok(answers.exit)
}

/// Reads the rate card, if one is given.
pub(crate) fn card(
    file: Option<&Path>,
    effort: crate::args::Effort,
) -> anyhow::Result<Option<RateCard>> {
    let fast = matches!(effort, crate::args::Effort::Fast);
    anyhow::ensure!(
        file.is_none() || !fast,
        "--rates needs measurements, which --effort fast leaves out; choose --effort standard"
    );
    Ok(file.map(RateCard::open).transpose()?)
}

/// Adds the amount by the rate card.
pub(crate) fn priced(report: Report, card: Option<&RateCard>) -> Report {
    let amount = card.map(|card| rates::amount(card, &report));
    Report { amount, ..report }
}

/// Path and signer of the certificate of the one clip, if one is requested.
fn certificate_of(
    args: &Check,
    clips: &[PathBuf],
) -> anyhow::Result<Option<(PathBuf, Box<dyn Signer + Sync>)>> {
    let Some(file) = &args.certificate else {
        let unused = args.signing.key.is_some() || args.signing.signer_command.is_some();
        anyhow::ensure!(
            !unused,
            "a key but nothing to sign; name the certificate with --certificate FILE"
        );
        return Ok(None);
    };
    anyhow::ensure!(
        clips.len() == 1,
        "--certificate takes one clip; sign several with: uniq certify"
    );
    Ok(Some((file.clone(), signer::required(&args.signing)?)))
}

/// The message about files that are no videos.
pub(crate) fn not_looked_at(no_videos: &[PathBuf]) -> String {
    let endings = uniq::ingest::endings(no_videos);
    let mut kinds: Vec<String> = endings
        .iter()
        .take(KINDS_NAMED)
        .map(|(ending, files)| match ending.as_str() {
            "" => format!("{} without ending", grouped(*files as u64)),
            ending => format!("{} .{ending}", grouped(*files as u64)),
        })
        .collect();
    let others: usize = endings
        .iter()
        .skip(KINDS_NAMED)
        .map(|(_, files)| files)
        .sum();
    if others > 0 {
        kinds.push(format!("{} others", grouped(others as u64)));
    }
    let example = no_videos.first().map_or(String::new(), |path| {
        format!(", such as {}", path.display())
    });
    let files = count(no_videos.len() as u64, "file");
    format!(
        "{files} skipped, not a video by name or content: {}{example}",
        kinds.join(", ")
    )
}

/// Maximum number of extensions named in that message.
const KINDS_NAMED: usize = 6;

/// Writes the fingerprint of a clip.
pub(crate) fn fingerprint(args: &Fingerprint, quiet: bool) -> anyhow::Result<Exit> {
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same(&args.clip, &args.output) {
        anyhow::bail!(
            "{}: the fingerprint would overwrite the clip; name another file",
            args.output.display()
        );
    }
    // Fail before the decoding, which may take long.
    let folder = args
        .output
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        anyhow::bail!(
            "{}: its folder {} does not exist; make it first",
            args.output.display(),
            folder.display()
        );
    }
    if args.output.is_dir() {
        anyhow::bail!(
            "{0}: a folder; name a file in it, such as {0}/clip.uniq",
            args.output.display()
        );
    }
    let decoding = guard::decoding(&args.guard, quiet)?;
    // A damaged, old or empty fingerprint may be replaced. If the path is no file, writing fails.
    let taken = args
        .output
        .metadata()
        .is_ok_and(|there| there.is_file() && there.len() > 0);
    if taken && !uniq::Fingerprint::is_file(&args.output, decoding.links) {
        anyhow::bail!(
            "{}: the file exists and is not a fingerprint; name another file, or remove it first",
            args.output.display()
        );
    }
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    // Use the fingerprint as if loaded from its file, so that its digest is that of a certificate.
    let invalid = |reason| Error::InvalidFingerprint {
        path: args.clip.clone(),
        reason,
    };
    let fingerprint = uniq::fingerprint(&args.clip, &decoding, Some(&cancel))?
        .kept()
        .map_err(invalid)?;
    let fingerprint = if args.pictures {
        fingerprint
    } else {
        fingerprint.with_pictures(Vec::new())
    };
    fingerprint.save_with_pictures(&args.output)?;
    if !quiet {
        talk::say(&format!(
            "wrote {}, digest {}",
            args.output.display(),
            hex(&fingerprint.digest())
        ));
    }
    Ok(Exit::Success)
}

/// Prints answers and keeps the worst exit code.
struct Answers {
    json: bool,
    paint: Paint,
    exit: Exit,
    /// Number of clips handled so far.
    answered: usize,
    /// Number of reports printed for a person; an empty line separates them.
    shown: usize,
    /// Number of cancelled clips.
    stopped: usize,
}

impl Answers {
    fn print(
        &mut self,
        clip: &Path,
        answer: uniq::Result<Report>,
        page: Page,
    ) -> anyhow::Result<()> {
        if let Some(Err(error)) = &page {
            // The answer is valid, but its page is missing.
            self.exit = self.exit.worst(Exit::Error);
            talk::fail_about(clip, error);
        }
        let exit = match &answer {
            Ok(report) => report.verdict.into(),
            Err(_) => Exit::Error,
        };
        // Before the writing, so that a closed pipe does not change the exit code.
        self.exit = self.exit.worst(exit);
        self.answered += 1;
        let mut out = output::stdout();
        match &answer {
            Ok(report) if self.json => {
                writeln!(out, "{}", json_line(report)?)?;
            }
            Ok(report) => {
                if self.shown > 0 {
                    writeln!(out)?;
                }
                self.shown += 1;
                render::report(&mut out, report, self.paint)?;
                if let Some(Ok(page)) = page {
                    render::page(&mut out, &page)?;
                }
            }
            Err(error) => {
                if matches!(error, Error::Cancelled) {
                    // One line at the end reports all of them.
                    self.stopped += 1;
                    return Ok(());
                }
                talk::fail_about(clip, error);
                if self.json {
                    writeln!(out, "{}", unanswered(clip, error)?)?;
                }
            }
        }
        out.flush()?;
        Ok(())
    }

    /// Reports a folder, list or line that gave no clip.
    fn problem(&mut self, path: &Path, error: &Error) -> anyhow::Result<()> {
        self.exit = self.exit.worst(Exit::Error);
        talk::fail_about(path, error);
        if self.json {
            output::print(format!("{}\n", unanswered(path, error)?).as_bytes())?;
        }
        Ok(())
    }
}

/// The JSON object of a clip that could not be checked.
fn unanswered(clip: &Path, error: &Error) -> serde_json::Result<String> {
    json_line(&json!({
        "schema": SCHEMA,
        "clip": { "path": clip.to_string_lossy() },
        "code": error.code(),
        "message": talk::about(clip, error),
    }))
}

/// Checks clips on `threads` threads and passes each answer on in the order of the clips, as soon
/// as possible.
///
/// It uses plain threads. A rayon thread that waits for a part of one search would start the next
/// clip meanwhile, and so delay the first answer. If `take` fails, the remaining clips are not
/// checked.
fn in_order<A: Send>(
    clips: &[PathBuf],
    threads: usize,
    cancel: &AtomicBool,
    ask: &(dyn Fn(&Path) -> A + Sync),
    take: &mut dyn FnMut(&Path, A) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(clips.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((at, clip)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    clips.get(at).map(|clip| (at, clip))
                } {
                    if sender.send((at, ask(clip))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut turn = 0;
        for (at, answer) in receiver {
            early.insert(at, answer);
            while let Some(answer) = early.remove(&turn) {
                if let Err(error) = take(&clips[turn], answer) {
                    cancel.store(true, Ordering::SeqCst);
                    next.store(clips.len(), Ordering::SeqCst);
                    return Err(error);
                }
                turn += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::time::Duration;

    use super::*;

    fn clips(number: usize) -> Vec<PathBuf> {
        (0..number).map(|i| PathBuf::from(i.to_string())).collect()
    }

    fn number(clip: &Path) -> u64 {
        clip.to_str().and_then(|name| name.parse().ok()).unwrap()
    }

    #[test]
    fn answers_come_in_the_order_of_the_clips_whatever_takes_longest() {
        let ask = |clip: &Path| {
            thread::sleep(Duration::from_millis((20 - number(clip)) % 7));
            number(clip)
        };
        let mut taken = Vec::new();
        let mut take = |_: &Path, answer| {
            taken.push(answer);
            Ok(())
        };
        in_order(&clips(20), 4, &AtomicBool::new(false), &ask, &mut take).unwrap();
        assert_eq!(taken, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_is_handed_on_while_later_clips_are_still_being_checked() {
        // The second clip waits until the first answer was taken. If answers were held back, this
        // would never end.
        let first_taken = Barrier::new(2);
        let ask = |clip: &Path| {
            if number(clip) == 1 {
                first_taken.wait();
            }
        };
        let mut turn = 0;
        let mut take = |_: &Path, ()| {
            if turn == 0 {
                first_taken.wait();
            }
            turn += 1;
            Ok(())
        };
        in_order(&clips(2), 2, &AtomicBool::new(false), &ask, &mut take).unwrap();
        assert_eq!(turn, 2);
    }

    #[test]
    fn a_reader_that_went_away_stops_the_work() {
        let asked = AtomicUsize::new(0);
        let cancel = AtomicBool::new(false);
        let ask = |_: &Path| {
            asked.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
        };
        let mut take = |_: &Path, ()| Err(anyhow::anyhow!("gone"));
        in_order(&clips(1_000), 2, &cancel, &ask, &mut take).unwrap_err();
        assert!(cancel.load(Ordering::SeqCst));
        assert!(asked.load(Ordering::SeqCst) < 100);
    }
}
