//! Ledgers of honest processes and of liars.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn info() -> StreamInfo {
    StreamInfo {
        width: 640,
        height: 360,
        codec: "h264".into(),
        container: "mov".into(),
        pixel_format: "yuv420p".into(),
        declared: None,
    }
}

fn stream(index: u32) -> VideoStream {
    VideoStream {
        index,
        codec: "h264".into(),
        width: 640,
        height: 360,
        cover: index > 1,
        place: None,
    }
}

fn frame(time: Duration) -> Message {
    Message::Frame(Frame {
        time,
        width: 2,
        height: 2,
        luma: vec![0; 4],
    })
}

fn part(start: u32, end: u32) -> Message {
    Message::Missing(Undecoded {
        start: start * SECOND,
        end: end * SECOND,
        reason: "corrupt data".into(),
    })
}

/// Sends that it is ready and what it decodes, then the messages; returns the last answer or the
/// first error.
fn said(messages: Vec<Message>) -> Result<Step, String> {
    let limits = Limits {
        duration: 100 * SECOND,
        frames: 1000,
        ..Limits::default()
    };
    let mut ledger = Ledger::new(&limits, SECOND);
    ledger.take(Message::Ready(Protections::default()))?;
    ledger.take(Message::Opened(info()))?;
    ledger.take(Message::Stream(stream(0)))?;
    let mut last = Ok(Step::Noted);
    for message in messages {
        last = Ok(ledger.take(message)?);
    }
    last
}

#[test]
fn an_honest_account_is_taken() {
    let messages = vec![
        frame(Duration::ZERO),
        Message::Progress(SECOND, 25),
        frame(SECOND),
        part(2, 4),
        part(4, 5),
        Message::Done(5 * SECOND, 50),
    ];
    let Ok(Step::Done(decoded)) = said(messages) else {
        panic!()
    };
    assert_eq!(
        (decoded.duration, decoded.frames, decoded.undecoded.len()),
        (5 * SECOND, 50, 2)
    );
}

#[test]
fn small_pictures_come_in_order_and_apart_and_only_of_a_clip() {
    let picture = |millis: u64| {
        let time = Duration::from_millis(millis);
        Message::Picture(Frame {
            time,
            width: 2,
            height: 2,
            luma: vec![0; 4],
        })
    };
    let limits = Limits {
        duration: 100 * SECOND,
        frames: 1000,
        ..Limits::default()
    };
    let said = |mut ledger: Ledger, messages: Vec<Message>| {
        ledger.take(Message::Ready(Protections::default()))?;
        ledger.take(Message::Opened(info()))?;
        ledger.take(Message::Stream(stream(0)))?;
        messages
            .into_iter()
            .map(|message| ledger.take(message))
            .collect::<Result<Vec<_>, _>>()
    };
    let of_clip = |messages| said(Ledger::of_clip(&limits, SECOND), messages);
    let at = Duration::from_millis;
    let honest = vec![
        picture(0),
        frame(at(0)),
        frame(at(40)),
        picture(80),
        picture(170),
        Message::Done(SECOND, 25),
    ];
    assert!(of_clip(honest).is_ok());
    for (why, messages) in [
        ("too close", vec![picture(0), picture(32)]),
        ("twice", vec![picture(80), picture(80)]),
        ("back in time", vec![picture(800), picture(400)]),
        (
            "before a frame that came",
            vec![frame(SECOND), picture(900)],
        ),
        (
            "a frame before a picture that came",
            vec![picture(900), frame(at(800))],
        ),
        ("beyond the limit", vec![picture(100_001)]),
        (
            "more than frames",
            vec![picture(0), picture(80), Message::Done(SECOND, 1)],
        ),
        (
            "behind the end",
            vec![picture(1080), Message::Done(SECOND, 25)],
        ),
    ] {
        assert!(of_clip(messages).is_err(), "{why}");
    }
    assert!(said(Ledger::new(&limits, SECOND), vec![picture(0)]).is_err());
    let mut early = Ledger::of_clip(&limits, SECOND);
    early.take(Message::Ready(Protections::default())).unwrap();
    assert!(early.take(picture(0)).is_err());
}

#[test]
fn of_a_file_that_is_read_no_more_comes_than_its_length_allows() {
    let read = |messages: Vec<Message>| {
        let mut ledger = Ledger::of_reading(&Limits::default(), 5);
        ledger.take(Message::Ready(Protections::default())).unwrap();
        messages
            .into_iter()
            .map(|message| ledger.take(message))
            .collect::<Result<Vec<_>, _>>()
    };
    let part = |length: usize| Message::Bytes(vec![7; length]);
    assert_eq!(
        read(vec![part(3), part(2), Message::Read]).unwrap().last(),
        Some(&Step::Read)
    );
    assert!(read(vec![part(3), part(3)]).is_err());
    assert!(read(vec![Message::Read, part(1)]).is_err());
    assert!(
        read(vec![Message::Opened(info())]).is_err()
            && read(vec![Message::Done(SECOND, 1)]).is_err()
    );
}

#[test]
fn lies_are_refused() {
    for (why, messages) in [
        ("back in time", vec![frame(SECOND), frame(SECOND / 2)]),
        ("beyond the limit", vec![frame(101 * SECOND)]),
        (
            "progress beyond the limit",
            vec![Message::Progress(101 * SECOND, 1)],
        ),
        ("too many frames", vec![Message::Progress(SECOND, 1001)]),
        ("a flood of keyframes", vec![frame(SECOND); 20]),
        ("parts that overlap", vec![part(1, 3), part(2, 4)]),
        ("a part that ends before it starts", vec![part(3, 1)]),
        ("a part beyond the limit", vec![part(1, 300)]),
        ("a flood of parts", vec![part(1, 1); UNDECODED_MAX + 1]),
        (
            "fewer frames than were sent",
            vec![
                frame(Duration::ZERO),
                frame(SECOND),
                Message::Done(SECOND, 1),
            ],
        ),
        (
            "an end before the last frame",
            vec![frame(5 * SECOND), Message::Done(SECOND, 10)],
        ),
        ("nothing decoded", vec![Message::Done(SECOND, 0)]),
        (
            "a second end",
            vec![Message::Done(SECOND, 1), Message::Done(SECOND, 1)],
        ),
        (
            "a stream that it did not list",
            vec![Message::Origin(1, 0), Message::Done(SECOND, 1)],
        ),
        (
            "a cover",
            vec![
                Message::Stream(stream(2)),
                Message::Origin(2, 0),
                Message::Done(SECOND, 1),
            ],
        ),
        (
            "a flood of streams",
            vec![Message::Stream(stream(1)); VIDEO_STREAMS_MAX],
        ),
        (
            "a second beginning",
            vec![Message::Ready(Protections::default())],
        ),
        ("bytes in place of frames", vec![Message::Bytes(vec![0])]),
        ("the end of another task", vec![Message::Read]),
    ] {
        assert!(said(messages).is_err(), "{why}");
    }
    let mut early = Ledger::new(&Limits::default(), SECOND);
    assert!(early.take(Message::Opened(info())).is_err());
    early.take(Message::Ready(Protections::default())).unwrap();
    assert!(early.take(frame(SECOND)).is_err() && early.take(part(0, 1)).is_err());
    assert!(early.take(Message::Done(SECOND, 1)).is_err());
}

#[test]
fn stills_come_in_order_in_their_number_and_only_where_they_were_asked_for() {
    let still = |time| {
        Message::Still(Still {
            time,
            until: time,
            origin_ns: 0,
            width: 1,
            height: 1,
            rgb: vec![0; 3],
        })
    };
    let said_of_stills = |asked, messages: Vec<Message>| -> Result<Step, String> {
        let limits = Limits {
            duration: 100 * SECOND,
            frames: 1000,
            ..Limits::default()
        };
        let mut ledger = Ledger::of_stills(&limits, asked);
        ledger.take(Message::Ready(Protections::default()))?;
        ledger.take(Message::Opened(info()))?;
        let mut last = Ok(Step::Noted);
        for message in messages {
            last = Ok(ledger.take(message)?);
        }
        last
    };
    let honest = vec![
        still(SECOND),
        Message::Progress(SECOND, 25),
        still(2 * SECOND),
        Message::Shown,
    ];
    assert_eq!(said_of_stills(2, honest.clone()), Ok(Step::Shown));
    assert!(
        said_of_stills(1, honest)
            .unwrap_err()
            .contains("more stills")
    );
    assert!(said_of_stills(2, vec![still(SECOND), still(Duration::ZERO)]).is_err());
    assert!(said_of_stills(2, vec![still(101 * SECOND)]).is_err());
    assert!(said_of_stills(2, vec![Message::Shown, still(SECOND)]).is_err());
    for foreign in [
        frame(SECOND),
        part(1, 2),
        Message::Done(SECOND, 1),
        Message::Bytes(vec![1]),
        Message::Read,
    ] {
        assert!(
            said_of_stills(2, vec![foreign])
                .unwrap_err()
                .contains("another task")
        );
    }
    assert!(said(vec![still(SECOND)]).is_err() && said(vec![Message::Shown]).is_err());
}

#[test]
fn measurements_come_once_and_only_if_asked_for() {
    let limits = Limits::default();
    let begun = |measures: bool| {
        let mut ledger = Ledger::new(&limits, SECOND);
        if measures {
            ledger.allow_measures();
        }
        ledger.take(Message::Ready(Protections::default())).unwrap();
        ledger
    };
    let measured = || Message::Measured(vec![1, 2]);
    let mut early = begun(true);
    assert!(early.take(measured()).is_err());
    let mut asked = begun(true);
    asked.take(Message::Opened(info())).unwrap();
    assert_eq!(asked.take(measured()), Ok(Step::Measured(vec![1, 2])));
    assert!(asked.take(measured()).is_err());
    let mut unasked = begun(false);
    unasked.take(Message::Opened(info())).unwrap();
    assert!(unasked.take(measured()).is_err());
}
