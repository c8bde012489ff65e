//! `uniq intake add`: numbers clips in their order, works on several at a time, and answers in
//! their order.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::SystemTime;

use serde_json::json;
use uniq::certificate::Signer;
use uniq::index::Index;
use uniq::ledger::{Answer, Intake, Kind, Ledger, Notice, Offer};
use uniq::report::{Report, SCHEMA, Verdict};
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Error, evidence_page};

use super::place::Found;
use super::{LEASE, render};
use crate::args::IntakeAdd;
use crate::exit::Exit;
use crate::html::{Page, Pages};
use crate::output::{self, Paint};
use crate::place::Place;
use crate::{certificate, guard, inputs, render as report, signal, signer, talk};

/// Adds the clips.
pub(super) fn add(args: &IntakeAdd, quiet: bool) -> anyhow::Result<Exit> {
    let books = Found::choose(&args.place)?;
    let place = Place::existing(args.index.dir.clone())?;
    let card = crate::check::card(args.rates.as_deref(), args.effort)?;
    let clips = inputs::named(&args.clips, &args.guard, args.list_root.clone())?;
    if !quiet && !clips.no_videos.is_empty() {
        talk::say(&crate::check::not_looked_at(&clips.no_videos));
    }
    let mut answers = Answers {
        json: args.json,
        paint: Paint::for_stdout(),
        exit: Exit::Success,
        shown: 0,
    };
    for (path, error) in &clips.problems {
        answers.print(path, Err(error), None)?;
    }
    let clips = clips.clips;
    if args.confirms.is_some() {
        anyhow::ensure!(
            clips.len() == 1,
            "--for takes one clip; add the clips one by one"
        );
    }
    let seal = seal_of(args, &clips)?;
    let pages = args
        .page
        .html
        .as_deref()
        .map(|page| Pages::plan(page, &clips))
        .transpose()?;
    let decoding = guard::decoding(&args.guard, quiet)?;
    let threads = args.threads.count.map_or_else(
        || thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    // The search inside a check uses rayon's global pool. Opening the index is its first use, which
    // fixes its size.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let index = Index::open(&place.dir)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let options = CheckOptions {
        effort: args.effort.into(),
        search: args.search.into(),
        cancel: Some(&cancel),
        now: Some(SystemTime::now()),
        ..CheckOptions::new(&decoding)
    };
    let notice = |notice: Notice<'_>| {
        if !quiet {
            render::notice(notice);
        }
    };
    let intake = Intake {
        books: books.books(),
        index: &index,
        shards: None,
        options: &options,
        lease: LEASE,
        notice: &notice,
        takes_over: &|_| true,
        slots: None,
    };
    let terms = seal.as_ref().map(|_| signer::terms(&args.signing));
    let offer = |file| Offer {
        file,
        kind: if args.fingerprint {
            Kind::Fingerprint
        } else {
            Kind::Clip
        },
        by: &args.by,
        reference: args.reference.as_deref(),
    };
    // With a mistyped name, a new ledger would begin, and everything would be paid for again.
    if !quiet && books.is_new() {
        talk::say(&format!(
            "{}: making a new ledger, since there is none of this name",
            books.shown()
        ));
    }
    let ledger = intake.open()?;
    let sealed = |answer: Answer| -> uniq::Result<Report> {
        if let (Some((files, signer)), Some(certified)) = (&seal, answer.certified) {
            certificate::seal(certified, Some(&**signer), files, &args.extras)?;
        }
        Ok(crate::check::priced(answer.report, card.as_ref()))
    };
    // A recorded answer is valid, even if its page fails.
    let shown = |clip: &Path, answer: &uniq::Result<Report>| -> Page {
        let (pages, report) = (pages.as_ref()?, answer.as_ref().ok()?);
        let options = evidence_page::Options {
            lang: args.page.lang.into(),
            cancel: Some(&*cancel),
            ..evidence_page::Options::new(&decoding)
        };
        pages.write(clip, report, &index, &options)
    };
    if let (Some(number), [clip]) = (args.confirms, &clips[..]) {
        let mut ledger = ledger;
        let answer = intake
            .confirm(&mut ledger, number, &offer(clip), terms.as_ref())
            .and_then(sealed);
        let page = shown(clip, &answer);
        answers.print(clip, answer.as_ref(), page)?;
        return Ok(answers.exit);
    }
    // The next clip, and the connection that numbers the clips one after the other.
    let receipt = Mutex::new((0_usize, ledger));
    let (sender, receiver) = mpsc::channel();
    let written = thread::scope(|scope| {
        for _ in 0..threads.min(clips.len()) {
            let sender = sender.clone();
            let (receipt, clips, intake, offer, terms, sealed, shown, cancel) = (
                &receipt, &clips, &intake, &offer, &terms, &sealed, &shown, &cancel,
            );
            scope.spawn(move || {
                let mut own: Option<Ledger> = None;
                loop {
                    let (at, received) = {
                        let mut receipt = receipt.lock().unwrap_or_else(PoisonError::into_inner);
                        let at = receipt.0;
                        let Some(clip) = clips.get(at) else { return };
                        receipt.0 += 1;
                        let stopped = cancel.load(std::sync::atomic::Ordering::Relaxed);
                        let received = if stopped {
                            Err(Error::Cancelled)
                        } else {
                            intake.receive(&mut receipt.1, &offer(clip))
                        };
                        (at, received)
                    };
                    let answer = received.and_then(|received| {
                        let ledger = match &mut own {
                            Some(ledger) => ledger,
                            None => own.insert(intake.books.open(false)?),
                        };
                        intake.answer(ledger, &received, terms.as_ref())
                    });
                    let answer = answer.and_then(sealed);
                    let page = shown(&clips[at], &answer);
                    if sender.send((at, (answer, page))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut early, mut turn) = (BTreeMap::new(), 0);
        for (at, answer) in receiver {
            early.insert(at, answer);
            while let Some((answer, page)) = early.remove(&turn) {
                let printed = answers.print(&clips[turn], answer.as_ref(), page);
                if let Err(error) = printed {
                    cancel.store(true, std::sync::atomic::Ordering::SeqCst);
                    return Err(error);
                }
                turn += 1;
            }
        }
        Ok(())
    });
    match written {
        // Nobody reads the output any more. Answers are recorded and can be shown later.
        Err(error) if output::is_broken_pipe(&error) => Ok(answers.exit.worst(Exit::Inconclusive)),
        other => other.map(|()| answers.exit),
    }
}

type Seal = (certificate::Files, Box<dyn Signer + Sync>);

/// Path and signer of the certificate of the one clip, if one is requested.
fn seal_of(args: &IntakeAdd, clips: &[PathBuf]) -> anyhow::Result<Option<Seal>> {
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
        "--certificate takes one clip; add the clips one by one"
    );
    let files = certificate::files_of(file);
    certificate::are_free(&files)?;
    Ok(Some((files, signer::required(&args.signing)?)))
}

/// Prints answers and keeps the worst exit code.
struct Answers {
    json: bool,
    paint: Paint,
    exit: Exit,
    /// Number of reports printed for a person; an empty line separates them.
    shown: usize,
}

impl Answers {
    fn print(
        &mut self,
        clip: &Path,
        answer: Result<&Report, &Error>,
        page: Page,
    ) -> anyhow::Result<()> {
        self.exit = self.exit.worst(answer.map_or(Exit::Error, exit));
        if let Some(Err(error)) = &page {
            self.exit = self.exit.worst(Exit::Error);
            talk::fail_about(clip, error);
        }
        let mut out = output::stdout();
        match answer {
            Ok(found) if self.json => writeln!(out, "{}", json_line(found)?)?,
            Ok(found) => {
                if self.shown > 0 {
                    writeln!(out)?;
                }
                self.shown += 1;
                report::report(&mut out, found, self.paint)?;
                render::submission(&mut out, found)?;
                if let Some(Ok(page)) = page {
                    report::page(&mut out, &page)?;
                }
            }
            Err(error) => {
                talk::fail_about(clip, error);
                if self.json {
                    let object = json!({
                        "schema": SCHEMA,
                        "clip": { "path": clip.to_string_lossy() },
                        "code": error.code(),
                        "message": talk::about(clip, error),
                    });
                    writeln!(out, "{}", json_line(&object)?)?;
                }
            }
        }
        // Flush each answer, so that a reader sees it as soon as it is durable.
        out.flush()?;
        Ok(())
    }
}

/// The exit code of an answer: success if all unpublished seconds are payable.
fn exit(report: &Report) -> Exit {
    let deductions = report.submission.iter().flat_map(|said| &said.deductions);
    let mut reasons = deductions
        .map(|deduction| deduction.reason.as_str())
        .peekable();
    match report.verdict {
        Verdict::Unpublished if reasons.peek().is_none() => Exit::Success,
        Verdict::Unpublished
            if reasons.all(|reason| matches!(reason, "undecided" | "remainder")) =>
        {
            Exit::Inconclusive
        }
        Verdict::Unpublished => Exit::Published,
        verdict => verdict.into(),
    }
}
