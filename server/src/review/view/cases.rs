//! The parts of a submission's page to decide about: matches, pairs, and the log.

use uniq::evidence_page::Text;
use uniq::ledger::PairKind;
use uniq::report::MatchKind;

use super::super::decide::millis;
use super::super::html::{bare, foreign};
use super::super::log::{Stand, Verb};
use super::super::session::Reviewer;
use super::super::words::Words;
use super::{Case, Choice, Fact, Row, Subject, at, time};
use crate::store::reviews::Review;

/// The parts of a page that a person decides about.
pub(super) struct Cases<'a> {
    pub(super) words: &'static Words,
    pub(super) subject: &'a Subject,
    pub(super) stand: &'a Stand<'a>,
}

impl Cases<'_> {
    pub(super) fn matches(&self) -> Vec<Case> {
        let found = self
            .subject
            .report
            .iter()
            .flat_map(|report| &report.matches)
            .enumerate();
        found
            .map(|(at, found)| self.of_match(at + 1, found))
            .collect()
    }

    fn of_match(&self, n: usize, found: &uniq::report::Match) -> Case {
        let (words, of) = (self.words, &found.alignment);
        let about = &of.source.publication;
        let source = about
            .title
            .as_deref()
            .map_or_else(|| Text::number(&of.source.id), foreign);
        let here = millis(&of.clip);
        let (class, kind) = match found.kind {
            MatchKind::Copy => ("published", words.kind_copy),
            MatchKind::SameScene => ("related", words.kind_same_scene),
            MatchKind::Undecided => ("near", words.kind_undecided),
        };
        let mut facts = vec![
            Fact {
                label: words.clip_time,
                value: self.between(of.clip.start_s, of.clip.end_s),
            },
            Fact {
                label: words.source_time,
                value: self.between(of.reference.start_s, of.reference.end_s),
            },
            Fact {
                label: words.probability,
                value: percent(of.probability),
            },
            Fact {
                label: words.evidence_bits,
                value: self.bits(of.evidence_bits),
            },
        ];
        let known = [
            (words.address, &about.url),
            (words.uploader, &about.uploader),
            (words.published_at, &about.published_at),
        ];
        facts.extend(known.into_iter().filter_map(|(label, text)| {
            Some(Fact {
                label,
                value: foreign(text.as_deref()?),
            })
        }));
        let notes = [
            (of.identical, words.identical),
            (of.mirrored, words.mirrored),
        ];
        let notes = notes
            .into_iter()
            .filter(|(is_so, _)| *is_so)
            .map(|(_, note)| Text::ours(note));
        let title = [
            Text::filled(words.match_n, &[("n", Text::number(n))]),
            Text::filled(words.of_source, &[("source", source)]),
        ];
        let holding = self.stand.on_match(&of.source.sha256, here);
        let waiting = |row: &&&Review| {
            row.source.as_deref() == Some(&of.source.sha256) && row.here == Some(here)
        };
        Case {
            anchor: format!("match-{n}"),
            class,
            kind,
            title: Text::joined(title.into_iter().chain(notes), " · "),
            address: None,
            facts,
            said: if holding.is_some() {
                self.said(holding)
            } else {
                self.said_elsewhere(&of.source.sha256, here)
            },
            waits: self.waits(self.stand.waiting.iter().find(waiting).copied()),
            hidden: vec![
                ("source", bare(&of.source.sha256)),
                ("start_ms", bare(&here.0.to_string())),
                ("end_ms", bare(&here.1.to_string())),
            ],
            choices: self.choices(&[Verb::Copy, Verb::SameScene, Verb::Allowed]),
        }
    }

    pub(super) fn pairs(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        for (pair, id, reference) in &self.subject.pairs {
            let words = self.words;
            let (class, kind) = match pair.kind {
                PairKind::Copy => ("published", words.kind_copy),
                PairKind::Undecided => ("near", words.kind_undecided),
                PairKind::SameScene => ("related", words.kind_same_scene),
            };
            let mut facts = vec![
                Fact {
                    label: words.clip_time,
                    value: self.between(pair.here.start_s(), pair.here.end_s()),
                },
                Fact {
                    label: words.other_time,
                    value: self.between(pair.there.start_s(), pair.there.end_s()),
                },
                Fact {
                    label: words.probability,
                    value: percent(f64::from(pair.probability_ppm) / 1e6),
                },
                Fact {
                    label: words.evidence_bits,
                    value: self.bits(pair.evidence_millibits as f64 / 1e3),
                },
            ];
            // Everything that two submissions share is decided together.
            if let Some(case) = cases
                .iter_mut()
                .find(|case| case.anchor == format!("pair-{}", pair.other))
            {
                case.facts.append(&mut facts);
                continue;
            }
            let title = Text::filled(words.pair_with, &[("number", Text::number(pair.other))]);
            let name = reference.as_deref().map(foreign);
            let waiting = |row: &&&Review| row.other == Some(pair.other);
            cases.push(Case {
                anchor: format!("pair-{}", pair.other),
                class,
                kind,
                title: Text::joined(std::iter::once(title).chain(name), " · "),
                address: Some(format!("/review/submissions/{id}")),
                facts,
                said: self.said(self.stand.on_pair(pair.other)),
                waits: self.waits(self.stand.waiting.iter().find(waiting).copied()),
                hidden: vec![("other", bare(id))],
                choices: self.choices(&[Verb::Same, Verb::Distinct]),
            });
        }
        cases
    }

    pub(super) fn deductions(&self) -> Vec<Text> {
        let said = self
            .subject
            .report
            .iter()
            .filter_map(|report| report.submission.as_ref());
        let deductions = said.flat_map(|said| &said.deductions);
        deductions
            .map(|of| {
                let holder = of.number.map(|number| {
                    Text::filled(
                        self.words.in_submission,
                        &[("number", Text::number(number))],
                    )
                });
                let parts = [
                    self.between(of.clip.start_s, of.clip.end_s),
                    Text::ours(self.words.deducted(&of.reason)),
                ];
                Text::joined(parts.into_iter().chain(holder), " · ")
            })
            .collect()
    }

    fn choices(&self, verbs: &[Verb]) -> Vec<Choice> {
        let choice = |verb: &Verb| Choice {
            value: verb.name(),
            label: self.words.verb(verb.name()),
            means: self.words.means(verb.name()),
            is_chosen: false,
        };
        verbs.iter().map(choice).collect()
    }

    fn said(&self, row: Option<&Review>) -> Text {
        row.map_or_else(Text::default, |row| {
            let values = [
                ("who", foreign(&row.name)),
                ("what", Text::ours(self.words.verb(&row.verb))),
                ("why", foreign(&row.why)),
            ];
            Text::filled(self.words.said, &values)
        })
    }

    /// The ledger's judgement of a match that was not made through the service.
    fn said_elsewhere(&self, source: &str, here: (u64, u64)) -> Text {
        let said = self
            .subject
            .report
            .iter()
            .filter_map(|report| report.submission.as_ref()?.review.as_ref());
        let mut of_match = said
            .flat_map(|review| &review.judgements)
            .filter(|of| of.source_sha256 == source && millis(&of.clip) == here);
        of_match.next_back().map_or_else(Text::default, |of| {
            let values = [
                ("who", foreign(&of.by)),
                ("what", Text::ours(self.words.verb(&of.verdict))),
                ("why", foreign(&of.why)),
            ];
            Text::filled(self.words.said, &values)
        })
    }

    fn waits(&self, row: Option<&Review>) -> Text {
        row.map_or_else(Text::default, |row| {
            let values = [("what", self.what(row)), ("who", foreign(&row.name))];
            Text::filled(self.words.waits_here, &values)
        })
    }

    pub(super) fn what(&self, row: &Review) -> Text {
        let verb = Text::ours(self.words.verb(&row.verb));
        if let Some(about) = row.about.as_deref() {
            let about = self.subject.log.iter().find(|of| of.id == about);
            let what = about.map_or_else(Text::default, |of| self.what(of));
            return Text::filled(self.words.of_row, &[("verb", verb), ("what", what)]);
        }
        if let (Some(source), Some((start, end))) = (&row.source, row.here) {
            let values = [
                ("what", verb),
                ("source", Text::number(source.get(..16).unwrap_or_default())),
                ("start", time(start)),
                ("end", time(end)),
            ];
            return Text::filled(self.words.of_match, &values);
        }
        match row.other {
            Some(other) => Text::filled(
                self.words.of_pair,
                &[("what", verb), ("number", Text::number(other))],
            ),
            None => verb,
        }
    }

    pub(super) fn row(&self, row: &Review, reviewer: &Reviewer) -> Row {
        let is_waiting = self.stand.waiting.iter().any(|of| of.id == row.id);
        let is_holding = self.stand.holding.iter().any(|of| of.id == row.id);
        let is_about = Verb::of(&row.verb).is_some_and(Verb::is_of_row) && !row.waits;
        Row {
            id: row.id.clone(),
            anchor: format!("row-{}", row.item),
            when: at(row.at_ms),
            who: foreign(&row.name),
            what: self.what(row),
            plain: self.words.verb(&row.verb),
            why: foreign(&row.why),
            now: match () {
                () if is_waiting => self.words.waits,
                () if is_holding => self.words.holds,
                () if is_about => "–",
                () => self.words.no_more,
            },
            is_own: row.actor == reviewer.actor.id,
            may_undo: self.stand.may_undo(&row.id).is_ok(),
        }
    }

    fn between(&self, start_s: f64, end_s: f64) -> Text {
        let ms = |seconds: f64| (seconds * 1e3).round().max(0.0) as u64;
        Text::filled(
            self.words.from_to,
            &[("start", time(ms(start_s))), ("end", time(ms(end_s)))],
        )
    }

    fn bits(&self, bits: f64) -> Text {
        Text::filled(
            self.words.bits,
            &[("n", Text::number(format!("{bits:.1}")))],
        )
    }
}

fn percent(probability: f64) -> Text {
    // Rounding must not suggest certainty.
    let shown = (probability * 100.0).clamp(0.0, 100.0);
    let text = match shown {
        100.0 | 0.0 => format!("{shown:.0} %"),
        _ if shown > 99.99 => ">99.99 %".to_owned(),
        _ if shown < 0.01 => "<0.01 %".to_owned(),
        _ => format!("{shown:.2} %"),
    };
    Text::number(text)
}
