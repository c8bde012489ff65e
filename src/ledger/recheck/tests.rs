#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::report::Reason;

/// A clip second by second; each letter is the state of one second.
fn spans(letters: &str) -> Vec<Span> {
    let state = |letter| match letter {
        'u' => (SpanState::Unpublished, None),
        'p' => (SpanState::Published, None),
        'b' => (SpanState::Unsearchable, Some(ReasonCode::Beside)),
        'd' => (SpanState::Unsearchable, Some(ReasonCode::Undecided)),
        _ => (SpanState::Unsearchable, Some(ReasonCode::Black)),
    };
    letters
        .chars()
        .enumerate()
        .map(|(second, letter)| {
            let (state, code) = state(letter);
            let reason = code.map(|code| Reason {
                code,
                seconds: Some(1.0),
                text: "why".to_owned(),
            });
            Span {
                start_s: second as f64,
                end_s: second as f64 + 1.0,
                state,
                reason,
            }
        })
        .collect()
}

fn letters(spans: &[Span]) -> String {
    let letter = |span: &Span| match (span.state, span.reason.as_ref().map(|why| why.code)) {
        (SpanState::Unpublished, _) => "u",
        (SpanState::Published, _) => "p",
        (_, Some(ReasonCode::Beside)) => "b",
        (_, Some(ReasonCode::Undecided)) => "d",
        _ => "x",
    };
    spans
        .iter()
        .map(|span| letter(span).repeat((span.end_s - span.start_s).round() as usize))
        .collect()
}

#[test]
fn only_what_matches_makes_a_moment_worse() {
    let worse = |before, found| letters(&worse_spans(&spans(before), &spans(found)));
    assert_eq!(worse("uuuuuu", "uupppu"), "uupppu");
    assert_eq!(worse("uuuuuu", "xxbdux"), "uubduu");
    assert_eq!(worse("ppxxbd", "uuuuuu"), "ppxxbd");
    assert_eq!(worse("xxbdpu", "pdpppp"), "pxpppp");
    // If one answer is shorter, the rest stays.
    assert_eq!(worse("uuuu", "pp"), "ppuu");
    assert_eq!(worse("uu", "pppp"), "pp");
}

proptest! {
    #[test]
    fn no_moment_becomes_better_and_the_same_again_changes_nothing(
        before in "[upbdx]{1,12}",
        found in "[upbdx]{0,12}",
    ) {
        let once = worse_spans(&spans(&before), &spans(&found));
        let told = letters(&once);
        prop_assert_eq!(told.len(), before.len());
        for (old, new) in spans(&before).iter().zip(spans(&told)) {
            prop_assert!(severity(new.state) >= severity(old.state));
        }
        prop_assert!(once.windows(2).all(|pair| pair[0].end_s == pair[1].start_s));
        prop_assert_eq!(letters(&worse_spans(&once, &spans(&found))), told);
    }
}
