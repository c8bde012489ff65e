//! Further facts of a report on a clip: submission, amount, quality, file and streams.

use super::check::STREAMS_MAX;
use super::text::{Text, clock_of, interval};
use super::view::{Fact, Section};
use super::words::Words;
use crate::facts::{Finding, Generated, Manifest, Quality, RateState, ResolutionState, Training};
use crate::report::{Amount, Report, Submission};

/// The sections with further facts about the clip.
pub(super) fn of(words: &'static Words, report: &Report) -> Vec<Section> {
    let clip = &report.clip;
    let fact = |name, value| Fact { name, value };
    let clip = Section {
        title: words.the_clip,
        facts: vec![
            fact(words.file, Text::foreign(&clip.path)),
            fact(words.length, Text::number(clock_of(clip.duration_s))),
            fact(
                words.picture_size,
                Text::number(format!("{} × {}", clip.width, clip.height)),
            ),
            fact(
                words.format,
                Text::foreign(&format!("{} / {}", clip.codec, clip.container)),
            ),
            fact(words.sha256, Text::number(Text::bare(&clip.sha256))),
        ],
    };
    let mut sections = Vec::from_iter(
        report
            .submission
            .as_ref()
            .map(|submission| submitted(words, submission)),
    );
    sections.extend(report.amount.as_ref().map(|amount| priced(words, amount)));
    sections.extend(
        report
            .quality
            .as_ref()
            .map(|quality| measured(words, quality)),
    );
    sections.push(clip);
    if report.streams.len() > 1 {
        let facts = report.streams.iter().take(STREAMS_MAX).map(|stream| {
            let verdict = stream
                .verdict
                .map(|verdict| Text::ours(words.verdict(verdict)));
            let value = verdict
                .or(stream.reason.as_deref().map(Text::foreign))
                .unwrap_or_else(|| Text::ours(words.unknown));
            let size = Text::number(format!("{} × {}", stream.width, stream.height));
            let number = Text::filled(words.stream, &[("n", Text::number(stream.index))]);
            fact(
                words.picture_size,
                Text::joined([number, size, value], words.comma),
            )
        });
        sections.push(Section {
            title: words.streams,
            facts: facts.collect(),
        });
    }
    sections
}

/// The ledger's answer about the clip.
fn submitted(words: &'static Words, submission: &Submission) -> Section {
    let fact = |name, value| Fact { name, value };
    let minutes = |minutes: f64| {
        Text::filled(
            words.minutes,
            &[("n", Text::number(format!("{minutes:.2}")))],
        )
    };
    let text = |text: &Option<String>| {
        text.as_deref()
            .map_or(Text::ours(words.unknown), Text::foreign)
    };
    let mut facts = vec![
        fact(words.number, Text::number(submission.number)),
        fact(words.creator, Text::foreign(&submission.by)),
        fact(words.title, text(&submission.reference)),
        fact(words.state, Text::foreign(&submission.state)),
        fact(words.received_at, text(&submission.received_at)),
        fact(words.payable, minutes(submission.payable_minutes)),
    ];
    if submission.provisional {
        facts.push(fact(
            words.provisional,
            minutes(submission.provisional_minutes),
        ));
    }
    if submission.sold_minutes > 0.0 {
        facts.push(fact(words.sold, minutes(submission.sold_minutes)));
    }
    for deduction in submission.deductions.iter().take(DEDUCTIONS_MAX) {
        let reason = match deduction.reason.as_str() {
            "already_offered" => Text::ours(words.deducted_already_offered),
            "disputed" => Text::ours(words.deducted_disputed),
            "undecided" => Text::ours(words.deducted_undecided),
            "published" => Text::ours(words.deducted_published),
            "sold" => Text::ours(words.deducted_sold),
            "remainder" => Text::ours(words.deducted_remainder),
            other => Text::foreign(other),
        };
        let times = interval(deduction.clip.start_s, deduction.clip.end_s);
        let mut values = vec![("interval", times), ("reason", reason)];
        let sentence = match (deduction.number, &deduction.by) {
            (Some(number), Some(by)) => {
                values.extend([("number", Text::number(number)), ("by", Text::foreign(by))]);
                words.deduction_of
            }
            _ => words.deduction,
        };
        facts.push(fact(words.deducted, Text::filled(sentence, &values)));
    }
    if !submission.related.is_empty() {
        facts.push(fact(
            words.related_submissions,
            Text::number(submission.related.len()),
        ));
    }
    Section {
        title: words.submission,
        facts,
    }
}

/// The amount by a rate card.
fn priced(words: &'static Words, amount: &Amount) -> Section {
    let fact = |name, value| Fact { name, value };
    let mut facts = vec![fact(
        words.amount,
        money(amount.payable_cents, &amount.currency),
    )];
    if amount.withheld_cents > 0 {
        facts.push(fact(
            words.withheld,
            money(amount.withheld_cents, &amount.currency),
        ));
    }
    for span in amount.spans.iter().take(PRICED_MAX) {
        let class = span
            .class
            .as_deref()
            .map_or(Text::ours(words.no_class), Text::foreign);
        let rate = Text::number(format!("{:.2} min × {:.2}", span.minutes, span.per_minute));
        let cents = money(span.cents, &amount.currency);
        let value = Text::joined(
            [interval(span.start_s, span.end_s), class, rate, cents],
            words.comma,
        );
        facts.push(fact(words.priced_part, value));
    }
    facts.extend(
        amount
            .reasons
            .iter()
            .take(PRICED_MAX)
            .map(|why| fact(words.reason, Text::foreign(why))),
    );
    facts.push(fact(
        words.rate_card,
        Text::number(Text::bare(&amount.card_sha256)),
    ));
    Section {
        title: words.amount,
        facts,
    }
}

/// An amount of money.
pub(super) fn money(cents: u64, currency: &str) -> Text {
    let sum = Text::number(format!("{}.{:02}", cents / 100, cents % 100));
    Text::joined([sum, Text::foreign(currency)], " ")
}

/// What was measured on the frames, and what the file claims.
fn measured(words: &'static Words, quality: &Quality) -> Section {
    let fact = |name, value| Fact { name, value };
    let number = |number: f64| Text::number(format!("{number:.2}"));
    let percent = |share: Option<f64>| {
        share.map_or(Text::ours(words.unknown), |share| {
            Text::number(format!("{:.0} %", 100.0 * share))
        })
    };
    let resolution = &quality.resolution;
    let lines = |lines: u32| Text::number(lines);
    let native = resolution
        .native_lines
        .map_or(Text::ours(words.unknown), lines);
    let sentence = match resolution.state {
        ResolutionState::Native => words.resolution_native,
        ResolutionState::Upscaled => words.resolution_upscaled,
        ResolutionState::Undecided => words.resolution_undecided,
    };
    let sure = percent(Some(resolution.confidence));
    let lines = [
        ("lines", lines(resolution.lines)),
        ("native", native),
        ("sure", sure),
    ];
    let rate = &quality.frame_rate;
    let sentence_of_rate = match rate.state {
        RateState::Full => words.rate_full,
        RateState::Undecided => words.rate_undecided,
        _ => words.rate_fewer,
    };
    let distinct = rate.distinct.map_or(Text::ours(words.unknown), number);
    let rates = [("stored", number(rate.stored)), ("distinct", distinct)];
    let overlays = match quality.overlays.state {
        Finding::None => Text::ours(words.edit_none),
        Finding::Found => Text::number(quality.overlays.found.len()),
        Finding::Undecided => Text::ours(words.unknown),
    };
    let declared = &quality.declared;
    let mut claims = vec![Text::ours(match declared.manifest {
        Manifest::NoDeclaration => words.no_declaration,
        Manifest::Unverified => words.declaration_unverified,
        Manifest::Unreadable => words.declaration_unreadable,
    })];
    claims.extend(declared.generated.map(|generated| match generated {
        Generated::Partly => Text::ours(words.generated_partly),
        Generated::Wholly => Text::ours(words.generated_wholly),
    }));
    claims.extend(declared.training.map(|training| match training {
        Training::Allowed => Text::ours(words.training_allowed),
        Training::Constrained => Text::ours(words.training_constrained),
        Training::NotAllowed => Text::ours(words.training_not_allowed),
    }));
    let shares = &quality.shares;
    let mut facts = vec![
        fact(words.resolution, Text::filled(sentence, &lines)),
        fact(words.frame_rate, Text::filled(sentence_of_rate, &rates)),
        fact(words.overlays, overlays),
        fact(words.dark, percent(shares.dark)),
        fact(words.blurred, percent(shares.blurred)),
        fact(words.shaken, percent(shares.shaken)),
        fact(words.frozen, percent(shares.frozen)),
        fact(words.declared, Text::joined(claims, words.comma)),
    ];
    let camera = [&quality.capture.make, &quality.capture.model]
        .into_iter()
        .flatten();
    let camera: Vec<Text> = camera.map(|name| Text::foreign(name)).collect();
    if !camera.is_empty() {
        facts.push(fact(words.camera, Text::joined(camera, " ")));
    }
    if let Some(time) = &quality.capture.recorded_at {
        facts.push(fact(words.recorded_at, Text::foreign(time)));
    }
    Section {
        title: words.quality,
        facts,
    }
}

/// Maximum number of deductions of a submission shown.
const DEDUCTIONS_MAX: usize = 100;
/// Maximum number of priced parts, and of reasons of an amount, shown.
const PRICED_MAX: usize = 100;
