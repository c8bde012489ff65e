//! Round trips of messages, and invalid bytes.

use super::*;
use proptest::prelude::*;

use crate::media::small_size;

fn messages() -> Vec<Message> {
    let second = Duration::from_secs(1);
    vec![
        Message::Ready(Protections {
            landlock_version: 7,
            seccomp: true,
            ..Protections::default()
        }),
        Message::Opened(StreamInfo {
            width: 1920,
            height: 1080,
            codec: "h264".into(),
            container: "mov,mp4".into(),
            pixel_format: "yuv420p".into(),
            declared: Some(second),
        }),
        Message::Frame(Frame {
            time: second,
            width: 4,
            height: 2,
            luma: vec![9; 8],
        }),
        Message::Picture(Frame {
            time: second,
            width: 2,
            height: 3,
            luma: vec![7; 6],
        }),
        Message::Measured(b"{}".to_vec()),
        Message::Progress(second, 25),
        Message::Missing(Undecoded {
            start: second,
            end: 2 * second,
            reason: "corrupt data".into(),
        }),
        Message::Stream(VideoStream {
            index: 2,
            codec: "hevc".into(),
            width: 64,
            height: 48,
            cover: true,
            place: Some((7, 1 << 40)),
        }),
        Message::Origin(2, -5),
        Message::Done(second, 25),
        Message::Failed(Failure {
            kind: 3,
            number: 5,
            text: "no".into(),
        }),
        Message::Tried(Tried {
            refused: true,
            how: "é".into(),
        }),
        Message::Still(Still {
            time: second,
            until: 2 * second,
            origin_ns: -40,
            width: 2,
            height: 1,
            rgb: vec![1, 2, 3, 4, 5, 6],
        }),
        Message::Shown,
        Message::Bytes(vec![0, 255, 7]),
        Message::Read,
    ]
}

#[test]
fn messages_come_back_however_they_are_cut() {
    let all: Vec<u8> = messages().iter().flat_map(Message::to_bytes).collect();
    for step in [1, 2, 7, all.len()] {
        let (mut inbox, mut found) = (Inbox::default(), Vec::new());
        for part in all.chunks(step) {
            inbox.push(part);
            while let Some(message) = inbox.next().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, messages());
        assert!(!inbox.is_torn());
    }
}

#[test]
fn a_length_is_refused_before_its_body_is_there() {
    for (tag, length) in [
        (1_u8, 17_u32),
        (3, 17 + (1 << 20)),
        (4, 17),
        (11, 1 + (1 << 16)),
        (12, 1),
        (13, 17 + PICTURE_AREA_MAX as u32),
        (14, 33 + 3 * (STILL_SIDE_MAX * STILL_LONG_MAX) as u32),
        (15, 1),
        (16, 1),
        (0, 1),
        (7, u32::MAX),
    ] {
        let mut inbox = Inbox::default();
        inbox.push(&[&[tag][..], &length.to_le_bytes()].concat());
        assert!(inbox.next().is_err(), "{tag} {length}");
    }
}

#[test]
fn wrong_sizes_truths_texts_and_rests_are_refused() {
    let frame = Message::Frame(Frame {
        time: Duration::ZERO,
        width: 4,
        height: 2,
        luma: vec![9; 8],
    })
    .to_bytes();
    let refused = |bytes: &[u8]| {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        inbox.next().is_err()
    };
    assert!(!refused(&frame));
    for (at, value) in [(13, 5), (13, 0), (17, 0), (15, 1), (0, 4), (0, 200)] {
        let mut wrong = frame.clone();
        wrong[at] = value;
        assert!(refused(&wrong), "{at} {value}");
    }
    let mut escape = Message::Failed(Failure {
        kind: 1,
        number: 0,
        text: "ab".into(),
    })
    .to_bytes();
    *escape.last_mut().unwrap() = 0x1b;
    assert!(refused(&escape));
    *escape.last_mut().unwrap() = 0xff;
    assert!(refused(&escape));
    let mut truth = Message::Tried(Tried {
        refused: true,
        how: String::new(),
    })
    .to_bytes();
    truth[5] = 2;
    assert!(refused(&truth));
}

#[test]
fn a_picture_with_more_pixels_or_longer_sides_than_any_is_refused() {
    let taken = |width: usize, height: usize| {
        let mut inbox = Inbox::default();
        let picture = Frame {
            time: Duration::ZERO,
            width,
            height,
            luma: vec![0; width * height],
        };
        inbox.push(&Message::Picture(picture).to_bytes());
        inbox.next().is_ok()
    };
    let longest = small_side_max(CLIP_PICTURE_AREA);
    let (width, height) = small_size(1920, 1080, CLIP_PICTURE_AREA);
    assert!(
        taken(width, height) && taken(height, width) && taken(longest, CLIP_PICTURE_AREA / longest)
    );
    assert!(!taken(longest + 1, 1) && !taken(1, longest + 1) && !taken(0, height));
    assert!(!taken(PICTURE_AREA_MAX / 64 + 1, 64), "beyond the area");
}

#[test]
fn a_still_with_longer_sides_than_any_or_a_wrong_length_or_an_end_before_its_start_is_refused() {
    let still = |width: usize, height: usize| Still {
        time: Duration::ZERO,
        until: Duration::ZERO,
        origin_ns: 0,
        width,
        height,
        rgb: vec![0; 3 * width * height],
    };
    let taken = |still: Still| {
        let mut inbox = Inbox::default();
        inbox.push(&Message::Still(still).to_bytes());
        inbox.next().is_ok()
    };
    let (short, long) = (STILL_SIDE_MAX, STILL_LONG_MAX);
    assert!(taken(still(short, long)) && taken(still(long, short)) && taken(still(1, 1)));
    assert!(
        !taken(still(short + 1, short + 1))
            && !taken(still(long + 1, 1))
            && !taken(still(1, long + 1))
    );
    assert!(!taken(still(0, 5)) && !taken(still(5, 0)));
    assert!(
        !taken(Still {
            rgb: vec![0; 11],
            ..still(2, 2)
        }) && !taken(Still {
            rgb: vec![0; 13],
            ..still(2, 2)
        })
    );
    assert!(!taken(Still {
        time: Duration::from_secs(1),
        ..still(2, 2)
    }));
}

#[test]
fn texts_lose_control_characters_and_length() {
    assert_eq!(clean("a\u{1b}[2J\n"), "a?[2J?");
    let long = clean(&"ä".repeat(TEXT_MAX));
    assert!(long.len() <= TEXT_MAX && long.ends_with('…'));
}

proptest! {
    #[test]
    fn any_bytes_are_messages_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), tag in 0_u8..16) {
        let mut inbox = Inbox::default();
        inbox.push(&[&[tag][..], &(bytes.len() as u32).to_le_bytes(), &bytes].concat());
        if let Ok(Some(message)) = inbox.next() {
            let again = message.to_bytes();
            prop_assert_eq!(again[0], tag);
        }
    }
}
