//! Describes in words which part of the published frame covers which part of the clip's.

use uniq::report::{Geometry, Rectangle};

/// Minimum length that counts as the whole side, as the geometry is accurate to a few per cent.
const WHOLE_SIDE: f64 = 0.95;
/// Minimum distance from the centre, as a share of the possible distance, at which a part is called
/// left, right, upper or lower.
const OFF_CENTRE: f64 = 1.0 / 3.0;

/// Describes the geometry.
pub(super) fn words(geometry: &Geometry) -> String {
    let (clip, reference) = (&geometry.clip, &geometry.reference);
    match (is_whole(clip), is_whole(reference)) {
        (true, true) => "the whole published frame fills the whole clip".to_owned(),
        (true, false) => format!("the clip shows {} of the published frame", part(reference)),
        (false, true) => format!("the whole published frame fills {} of the clip", part(clip)),
        (false, false) => format!(
            "{} of the published frame fills {} of the clip",
            part(reference),
            part(clip)
        ),
    }
}

fn is_whole(rectangle: &Rectangle) -> bool {
    rectangle.width >= WHOLE_SIDE && rectangle.height >= WHOLE_SIDE
}

/// For example `the middle 60 %`, `the upper left quarter`, `the left 32 % of the width`, `the
/// lower right part (60 % of width, 40 % of height)`.
fn part(rectangle: &Rectangle) -> String {
    let (width, height) = (percent(rectangle.width), percent(rectangle.height));
    let side = |centre, length, low, high| {
        off_centre(centre, length).map(|is_low| if is_low { low } else { high })
    };
    let across = side(
        rectangle.x + rectangle.width / 2.0,
        rectangle.width,
        "left",
        "right",
    );
    let down = side(
        rectangle.y + rectangle.height / 2.0,
        rectangle.height,
        "upper",
        "lower",
    );
    let place = match (down, across) {
        (Some(down), Some(across)) => format!("{down} {across}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "middle".to_owned(),
    };
    if rectangle.height >= WHOLE_SIDE {
        format!("the {place} {width} % of the width")
    } else if rectangle.width >= WHOLE_SIDE {
        format!("the {place} {height} % of the height")
    } else if (45..=55).contains(&width) && (45..=55).contains(&height) {
        format!("the {place} quarter ({width} % of width, {height} % of height)")
    } else if width.abs_diff(height) <= 3 {
        format!("the {place} {} % of width and height", (width + height) / 2)
    } else {
        format!("the {place} part ({width} % of width, {height} % of height)")
    }
}

/// Whether a part is towards the low end (`Some(true)`), the high end (`Some(false)`), or in the
/// middle (`None`).
fn off_centre(centre: f64, length: f64) -> Option<bool> {
    let room = (1.0 - length) / 2.0;
    if length >= WHOLE_SIDE || (centre - 0.5).abs() <= OFF_CENTRE * room {
        None
    } else {
        Some(centre < 0.5)
    }
}

fn percent(fraction: f64) -> u32 {
    (fraction.clamp(0.0, 1.0) * 100.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Rectangle = Rectangle {
        x: 0.0,
        y: 0.0,
        width: 1.0,
        height: 1.0,
    };

    fn rectangle(x: f64, y: f64, width: f64, height: f64) -> Rectangle {
        Rectangle {
            x,
            y,
            width,
            height,
        }
    }

    fn said(clip: Rectangle, reference: Rectangle) -> String {
        words(&Geometry {
            clip,
            reference,
            scale: 1.0,
        })
    }

    #[test]
    fn names_the_usual_edits_as_a_person_would() {
        assert_eq!(
            said(WHOLE, rectangle(0.01, 0.0, 0.97, 0.99)),
            "the whole published frame fills the whole clip"
        );
        assert_eq!(
            said(WHOLE, rectangle(0.2, 0.2, 0.6, 0.6)),
            "the clip shows the middle 60 % of width and height of the published frame"
        );
        assert_eq!(
            said(WHOLE, rectangle(0.2, 0.0, 0.8, 0.8)),
            "the clip shows the upper right 80 % of width and height of the published frame"
        );
        assert_eq!(
            said(WHOLE, rectangle(0.0, 0.0, 0.32, 1.0)),
            "the clip shows the left 32 % of the width of the published frame"
        );
        assert_eq!(
            said(rectangle(0.5, 0.5, 0.5, 0.5), WHOLE),
            "the whole published frame fills the lower right quarter (50 % of width, 50 % of height) of the clip"
        );
        assert_eq!(
            said(rectangle(0.0, 0.12, 1.0, 0.76), WHOLE),
            "the whole published frame fills the middle 76 % of the height of the clip"
        );
        assert_eq!(
            said(rectangle(0.0, 0.3, 1.0, 0.4), rectangle(0.1, 0.5, 0.3, 0.5)),
            "the lower left part (30 % of width, 50 % of height) of the published frame fills \
             the middle 40 % of the height of the clip"
        );
    }
}
