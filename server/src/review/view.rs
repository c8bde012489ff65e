//! Views of the queue and of a submission.

mod cases;

use askama::Template;
use uniq::evidence_page::{self, Lang, Text};
use uniq::ledger::{Ledger, Mode, Pair};
use uniq::report::Report;

use self::cases::Cases;
use super::html::{bare, foreign};
use super::log::{Stand, Verb};
use super::session::{Reviewer, Visit, lang_name};
use super::words::{self, Words};
use crate::answer;
use crate::app::App;
use crate::database::moment;
use crate::store::queue::Queued;
use crate::store::reviews::{self, Opening, Review};
use crate::store::submissions::{self, Listed};

/// The beginning and end of every page.
pub(super) struct Shell {
    pub(super) words: &'static Words,
    pub(super) title: Text,
    pub(super) is_queue: bool,
    pub(super) other_address: String,
    pub(super) other_code: &'static str,
    pub(super) other_name: &'static str,
    pub(super) reviewer: Option<Person>,
}

pub(super) struct Person {
    pub(super) says: Text,
    pub(super) csrf: String,
}

impl Shell {
    pub(super) fn new(visit: &Visit, reviewer: Option<&Reviewer>, title: &Text) -> Shell {
        let words = words::of(visit.lang);
        let other = if visit.lang == Lang::Ar {
            Lang::En
        } else {
            Lang::Ar
        };
        let joint = if visit.address.contains('?') {
            '&'
        } else {
            '?'
        };
        let person = reviewer.map(|of| Person {
            says: Text::filled(
                words.logged_in,
                &[
                    ("name", foreign(&of.actor.name)),
                    ("tenant", Text::number(&of.tenant)),
                ],
            ),
            csrf: of.csrf.clone(),
        });
        Shell {
            words,
            title: Text::joined([title.clone(), Text::ours(words.brand)], " · "),
            is_queue: visit.address == "/review" || visit.address.starts_with("/review?"),
            other_address: format!("{}{joint}lang={}", visit.address, lang_name(other)),
            other_code: lang_name(other),
            other_name: if other == Lang::Ar {
                "العربية"
            } else {
                "English"
            },
            reviewer: person,
        }
    }
}

/// States of submissions in the queue, as the filter names them.
pub(super) const STANDS: [&str; 6] = ["open", "waiting", "disputed", "accepted", "closed", "all"];

/// The verdicts, as the filter names them.
pub(super) const VERDICTS: [&str; 4] = [
    "unpublished",
    "partly_published",
    "published",
    "inconclusive",
];

/// The part of the queue to show.
pub(super) struct Shown<'a> {
    pub(super) stand: &'a str,
    pub(super) verdict: &'a str,
    pub(super) page: u64,
    pub(super) pages: u64,
}

#[derive(Template)]
#[template(path = "queue.html")]
pub(super) struct Queue {
    shell: Shell,
    says: Text,
    is_weighing: bool,
    states: Vec<Choice>,
    verdicts: Vec<Choice>,
    items: Vec<Item>,
    pages: u64,
    page_says: Text,
    page_says_plain: Text,
    previous: Option<String>,
    next: Option<String>,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    means: &'static str,
    is_chosen: bool,
}

struct Item {
    id: String,
    name: Text,
    creator: Text,
    length: Text,
    verdict: &'static str,
    verdict_class: &'static str,
    stand: &'static str,
    stake: Text,
    doubt: Text,
    doubt_percent: u64,
    why: Text,
    received: Text,
    opened: Text,
}

pub(super) fn queue(
    reviewer: &Reviewer,
    shown: &Shown<'_>,
    count: u64,
    items: &[Queued],
    currency: Option<&str>,
    is_weighing: bool,
) -> Queue {
    let words = words::of(reviewer.visit.lang);
    let option = |value: &'static str, label: &'static str, chosen: &str| Choice {
        value,
        label,
        means: "",
        is_chosen: value == chosen,
    };
    let address = |page: u64| {
        let verdict = if shown.verdict.is_empty() {
            String::new()
        } else {
            format!("&verdict={}", shown.verdict)
        };
        format!("/review?state={}{verdict}&page={page}", shown.stand)
    };
    let all = std::iter::once(option("", words.all, shown.verdict));
    let page_says =
        |page: Text, pages: Text| Text::filled(words.page_of, &[("page", page), ("pages", pages)]);
    Queue {
        shell: Shell::new(&reviewer.visit, Some(reviewer), &Text::ours(words.queue)),
        says: match count {
            0 => Text::default(),
            1 => Text::ours(words.queue_says_one),
            _ => Text::filled(words.queue_says, &[("count", Text::number(count))]),
        },
        is_weighing,
        states: STANDS
            .into_iter()
            .map(|name| option(name, words.stand(name), shown.stand))
            .collect(),
        verdicts: all
            .chain(
                VERDICTS
                    .into_iter()
                    .map(|name| option(name, words.verdict_name(name), shown.verdict)),
            )
            .collect(),
        items: items
            .iter()
            .map(|of| item(words, reviewer, of, currency))
            .collect(),
        pages: shown.pages,
        page_says: page_says(Text::number(shown.page), Text::number(shown.pages)),
        page_says_plain: page_says(
            Text::ours(&shown.page.to_string()),
            Text::ours(&shown.pages.to_string()),
        ),
        previous: (shown.page > 1).then(|| address(shown.page - 1)),
        next: (shown.page < shown.pages).then(|| address(shown.page + 1)),
    }
}

fn item(words: &Words, reviewer: &Reviewer, of: &Queued, currency: Option<&str>) -> Item {
    let number = || Text::filled(words.submission, &[("number", Text::number(of.number))]);
    let stake = match currency {
        Some(currency) => Text::number(money(of.weight.cents, currency)),
        None => minutes(words, of.weight.stake_ms),
    };
    let percent = of.weight.doubt_ppm as f64 / 1e4;
    let why = of.weight.why.split(' ').filter(|name| !name.is_empty());
    Item {
        id: of.weight.submission.clone(),
        name: of.reference.as_deref().map_or_else(number, foreign),
        creator: foreign(&of.creator),
        length: time(of.duration_ms),
        verdict: words.verdict_name(&of.verdict),
        verdict_class: class_of(&of.verdict),
        stand: words.stand(&of.weight.stand),
        stake,
        doubt: Text::number(if percent > 0.0 && percent < 1.0 {
            "<1 %".to_owned()
        } else {
            format!("{percent:.0} %")
        }),
        doubt_percent: percent.round() as u64,
        why: Text::joined(
            why.map(|name| Text::ours(words.doubt_name(name))),
            if words.code == "ar" { "، " } else { ", " },
        ),
        received: at(of.received_ms),
        opened: match &of.opened {
            Some((actor, _, until)) if *actor == reviewer.actor.id => Text::filled(
                words.until,
                &[("name", Text::ours(words.you)), ("time", clock(*until))],
            ),
            Some((_, name, until)) => Text::filled(
                words.until,
                &[("name", foreign(name)), ("time", clock(*until))],
            ),
            None => Text::ours("–"),
        },
    }
}

/// Everything known about a submission under review.
pub(super) struct Subject {
    of: Listed,
    report: Option<Report>,
    log: Vec<Review>,
    pairs: Vec<(Pair, String, Option<String>)>,
    opened: Option<Opening>,
}

impl Subject {
    /// Reads it.
    pub(super) fn read(
        app: &App,
        ledger: &mut Ledger,
        of: Listed,
        opened: Option<Opening>,
    ) -> uniq::Result<Subject> {
        let report = answer::report(app, ledger, &of.tenant, &of.id, of.number)?;
        let log =
            ledger.transaction(Mode::Read, |tables| reviews::of_submission(tables, &of.id))?;
        let mut pairs = Vec::new();
        if report.is_some() {
            let standings = ledger.standings(of.number)?;
            for pair in standings.pairs {
                let found = ledger.transaction(Mode::Read, |tables| {
                    let other = submissions::of_number(tables, pair.other)?;
                    let Some((id, _)) = other.filter(|(_, tenant)| *tenant == of.tenant) else {
                        return Ok(None);
                    };
                    submissions::find(tables, &of.tenant, &id)
                })?;
                if let Some(other) = found {
                    pairs.push((pair, other.id, other.reference));
                }
            }
        }
        Ok(Subject {
            of,
            report,
            log,
            pairs,
            opened,
        })
    }
}

#[derive(Template)]
#[template(path = "submission.html")]
pub(super) struct Submission {
    shell: Shell,
    id: String,
    csrf: String,
    done: Option<Text>,
    eyebrow: Text,
    name: Text,
    verdict: &'static str,
    verdict_class: &'static str,
    stand: &'static str,
    sums: Vec<Fact>,
    reasons: Vec<Text>,
    held_by: Option<Text>,
    mine_until: Option<Text>,
    may_decide: bool,
    has_answer: bool,
    waiting: Vec<Row>,
    matches: Vec<Case>,
    pairs: Vec<Case>,
    deductions: Vec<Text>,
    whole_choices: Vec<Choice>,
    no_hidden: Vec<(&'static str, Text)>,
    log: Vec<Row>,
    facts: Vec<Fact>,
}

struct Fact {
    label: &'static str,
    value: Text,
}

/// A match or a pair with its form.
struct Case {
    anchor: String,
    class: &'static str,
    kind: &'static str,
    title: Text,
    address: Option<String>,
    facts: Vec<Fact>,
    said: Text,
    waits: Text,
    hidden: Vec<(&'static str, Text)>,
    choices: Vec<Choice>,
}

/// A row of the log.
struct Row {
    id: String,
    anchor: String,
    when: Text,
    who: Text,
    what: Text,
    plain: &'static str,
    why: Text,
    now: &'static str,
    is_own: bool,
    may_undo: bool,
}

pub(super) fn submission(
    app: &App,
    reviewer: &Reviewer,
    subject: &Subject,
    done: Option<&str>,
) -> Submission {
    let words = words::of(reviewer.visit.lang);
    let of = &subject.of;
    let stand = Stand::of(&subject.log);
    let is_mine = subject
        .opened
        .as_ref()
        .is_some_and(|opened| opened.actor == reviewer.actor.id);
    let has_answer = subject.report.is_some() && of.standing == "decided";
    let may_decide = is_mine && has_answer;
    let number = Text::filled(words.submission, &[("number", Text::number(of.number))]);
    let name = of
        .reference
        .as_deref()
        .map_or_else(|| number.clone(), foreign);
    let title = of.reference.as_deref().map_or_else(
        || {
            Text::filled(
                words.submission,
                &[("number", Text::ours(&of.number.to_string()))],
            )
        },
        bare,
    );
    let verdict = of.verdict.as_deref().unwrap_or_default();
    let opened = subject.opened.as_ref().filter(|_| has_answer);
    let case = Cases {
        words,
        subject,
        stand: &stand,
    };
    let reasons = subject
        .report
        .iter()
        .flat_map(|report| &report.reasons)
        .map(|why| evidence_page::reason(why, reviewer.visit.lang));
    let done = done
        .and_then(|id| subject.log.iter().find(|row| row.id == id))
        .map(|row| {
            let sentence = if row.waits {
                words.done_waits
            } else {
                words.done
            };
            Text::filled(sentence, &[("what", case.what(row))])
        });
    let whole = |verb: Verb| Choice {
        value: verb.name(),
        label: words.verb(verb.name()),
        means: words.means(verb.name()),
        is_chosen: false,
    };
    let name_of_stand = match () {
        () if of.standing != "decided" => "closed",
        () if !stand.waiting.is_empty() => "waiting",
        () if stand.is_disputed() => "disputed",
        () if stand.is_accepted() => "accepted",
        () => "open",
    };
    Submission {
        shell: Shell::new(&reviewer.visit, Some(reviewer), &title),
        id: of.id.clone(),
        csrf: reviewer.csrf.clone(),
        done,
        eyebrow: Text::joined(
            [
                number,
                Text::filled(words.by, &[("creator", foreign(&of.creator))]),
            ],
            " · ",
        ),
        name,
        verdict: words.verdict_name(verdict),
        verdict_class: class_of(verdict),
        stand: words.stand(name_of_stand),
        sums: sums(app, words, subject),
        reasons: reasons.collect(),
        held_by: opened.filter(|_| !is_mine).map(|opened| {
            let values = [
                ("name", foreign(&opened.name)),
                ("time", clock(opened.until_ms)),
            ];
            Text::filled(words.opened_elsewhere, &values)
        }),
        mine_until: opened
            .filter(|_| is_mine)
            .map(|opened| Text::filled(words.opened_here, &[("time", clock(opened.until_ms))])),
        may_decide,
        has_answer,
        waiting: stand
            .waiting
            .iter()
            .map(|row| case.row(row, reviewer))
            .collect(),
        matches: case.matches(),
        pairs: case.pairs(),
        deductions: case.deductions(),
        whole_choices: [Verb::Accept, Verb::Dispute, Verb::Sold, Verb::Withdraw]
            .into_iter()
            .filter(|verb| *verb != Verb::Sold || of.offered_ms > 0)
            .filter(|verb| *verb != Verb::Withdraw || of.sold_ms == 0)
            .map(whole)
            .collect(),
        no_hidden: Vec::new(),
        log: subject
            .log
            .iter()
            .rev()
            .map(|row| case.row(row, reviewer))
            .collect(),
        facts: facts(words, subject),
    }
}

fn sums(app: &App, words: &'static Words, subject: &Subject) -> Vec<Fact> {
    let of = &subject.of;
    let ms = of.offered_ms + of.sold_ms;
    let label = if of.provisional {
        words.provisional
    } else {
        words.payable
    };
    let mut sums = vec![Fact {
        label,
        value: minutes(words, ms),
    }];
    let amount = subject
        .report
        .as_ref()
        .and_then(|report| report.amount.as_ref());
    if let (Some(amount), Some(_)) = (amount, &app.card) {
        let cents = if amount.payable {
            amount.payable_cents
        } else {
            amount.withheld_cents
        };
        sums.push(Fact {
            label: words.amount,
            value: Text::number(money(cents, &amount.currency)),
        });
    }
    if of.sold_ms > 0 {
        sums.push(Fact {
            label: words.sold,
            value: minutes(words, of.sold_ms),
        });
    }
    sums.push(Fact {
        label: words.length,
        value: time(of.duration_ms),
    });
    sums
}

fn facts(words: &'static Words, subject: &Subject) -> Vec<Fact> {
    let of = &subject.of;
    let mut facts = vec![
        Fact {
            label: words.creator,
            value: foreign(&of.creator),
        },
        Fact {
            label: words.received,
            value: at(of.received_ms),
        },
        Fact {
            label: words.kind,
            value: Text::ours(if of.kind == "fingerprint" {
                words.kind_fingerprint
            } else {
                words.kind_clip
            }),
        },
        Fact {
            label: words.size,
            value: Text::filled(words.bytes, &[("n", Text::number(of.bytes))]),
        },
        Fact {
            label: words.sha256,
            value: Text::number(&of.sha256),
        },
        Fact {
            label: words.certificate,
            value: Text::ours(if of.certificates > 0 {
                words.issued
            } else {
                words.not_issued
            }),
        },
    ];
    if let Some(reference) = &of.reference {
        facts.insert(
            1,
            Fact {
                label: words.reference,
                value: foreign(reference),
            },
        );
    }
    facts
}

fn class_of(verdict: &str) -> &'static str {
    match verdict {
        "unpublished" => "unpublished",
        "published" => "published",
        "partly_published" => "related",
        _ => "unsearchable",
    }
}

fn money(cents: u64, currency: &str) -> String {
    format!("{}.{:02} {currency}", cents / 100, cents % 100)
}

fn minutes(words: &Words, ms: u64) -> Text {
    Text::filled(
        words.minutes,
        &[("n", Text::number(format!("{:.2}", ms as f64 / 6e4)))],
    )
}

/// Minutes, seconds and tenths.
fn time(ms: u64) -> Text {
    let tenths = (ms + 50) / 100;
    Text::number(format!(
        "{}:{:02}.{}",
        tenths / 600,
        tenths / 10 % 60,
        tenths % 10
    ))
}

/// Day and minute, UTC.
fn at(ms: u64) -> Text {
    let text = moment(ms);
    Text::number(format!(
        "{} {} UTC",
        text.get(..10).unwrap_or_default(),
        text.get(11..16).unwrap_or_default()
    ))
}

/// The minute, UTC.
fn clock(ms: u64) -> Text {
    Text::number(format!(
        "{} UTC",
        moment(ms).get(11..16).unwrap_or_default()
    ))
}
