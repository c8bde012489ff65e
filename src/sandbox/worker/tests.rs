//! Processes that are not `uniq` but send its messages, and end as each test needs.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::*;
use crate::media::{Frame, Links, StreamInfo, VideoStream};
use crate::sandbox::message::Message;
use crate::sandbox::{Decoding, Journal, Place, Quarantine};

const SECOND: Duration = Duration::from_secs(1);

/// A program that announces that it is ready, sends two frames, and then continues with `then`, in
/// which `$tries` counts its starts.
struct Fake {
    dir: tempfile::TempDir,
    decoding: Decoding,
}

impl Fake {
    fn new(then: &str) -> Fake {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("clip"), "no video, and never read").unwrap();
        let info = StreamInfo {
            width: 640,
            height: 360,
            codec: "h264".into(),
            container: "mov".into(),
            pixel_format: "yuv420p".into(),
            declared: None,
        };
        let stream = VideoStream {
            index: 0,
            codec: "h264".into(),
            width: 640,
            height: 360,
            cover: false,
            place: None,
        };
        let frame = |seconds| {
            Message::Frame(Frame {
                time: seconds * SECOND,
                width: 2,
                height: 1,
                luma: vec![7, 8],
            })
        };
        let said = |messages: &[Message]| -> Vec<u8> {
            messages.iter().flat_map(Message::to_bytes).collect()
        };
        let begun = [
            Message::Ready(Protections::default()),
            Message::Opened(info),
            frame(0),
            frame(1),
        ];
        std::fs::write(file("begun"), said(&begun)).unwrap();
        let done = [
            frame(2),
            Message::Stream(stream),
            Message::Origin(0, 0),
            Message::Done(3 * SECOND, 75),
        ];
        std::fs::write(file("done"), said(&done)).unwrap();
        let script = format!(
            "#!/bin/sh\ncd {0}\necho >>starts\ntries=$(($(wc -l <starts)))\ncat begun\n{then}\ncat done\n",
            dir.path().display()
        );
        // Written by another process: a program cannot run while some fork of this one holds it
        // open for writing.
        let mut writer = Command::new("sh");
        writer
            .args(["-c", "cat >\"$0\" && chmod +x \"$0\""])
            .arg(file("fake"));
        let mut child = writer.stdin(Stdio::piped()).spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
        let journal = Journal::open(&file("journal"), Quarantine::Keep, || UNIX_EPOCH).unwrap();
        let worker = Worker {
            program: file("fake"),
            environment: Vec::new(),
            demand: Demand::WhatThereIs,
        };
        let limits = Limits {
            stall: SECOND,
            ..Limits::default()
        };
        let place = Place::Worker(worker);
        let decoding = Decoding {
            place,
            limits,
            links: Links::Refuse,
            journal: Some(Arc::new(journal)),
        };
        Fake { dir, decoding }
    }

    /// Lets it report a clip, with small pictures before each frame and half a second after it.
    fn with_pictures(self) -> Fake {
        for name in ["begun", "done"] {
            let mut inbox = Inbox::default();
            inbox.push(&std::fs::read(self.file(name)).unwrap());
            let mut said = Vec::new();
            while let Some(message) = inbox.next().unwrap() {
                let Message::Frame(frame) = message.clone() else {
                    said.push(message);
                    continue;
                };
                let picture = |time| {
                    Message::Picture(Frame {
                        time,
                        ..frame.clone()
                    })
                };
                said.extend([
                    picture(frame.time),
                    message,
                    picture(frame.time + SECOND / 2),
                ]);
            }
            std::fs::write(
                self.file(name),
                said.iter().flat_map(Message::to_bytes).collect::<Vec<u8>>(),
            )
            .unwrap();
        }
        self
    }

    /// The result, and the times of the frames handed on.
    fn decode(&self, stop: &dyn Fn() -> bool) -> (Result<Decoded>, Vec<Duration>) {
        let source = self.decoding.open(&self.file("clip")).unwrap();
        let mut times = Vec::new();
        let mut visit = |frame: Frame| {
            times.push(frame.time);
            ControlFlow::Continue(())
        };
        let grid = Grid::corpus(SECOND).unwrap();
        let decoded = self
            .decoding
            .decode(&source, &[7; 32], None, grid, &mut visit, stop);
        (decoded, times)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.file("starts"))
            .unwrap()
            .lines()
            .count()
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.file("journal")).unwrap_or_default()
    }
}

#[test]
fn what_is_killed_from_outside_is_tried_again_and_gives_each_frame_once() {
    for signal in ["KILL", "TERM"] {
        let fake = Fake::new(&format!("[ $tries -lt 3 ] && kill -{signal} $$"));
        let (decoded, times) = fake.decode(&|| false);
        assert_eq!(decoded.unwrap().frames, 75);
        assert_eq!(times, [0, 1, 2].map(|seconds| seconds * SECOND), "{signal}");
        assert_eq!((fake.starts(), fake.journal()), (3, String::new()));
    }
}

#[test]
fn what_is_tried_again_gives_each_small_picture_of_a_clip_once_and_a_source_has_none() {
    let fake = Fake::new("[ $tries -lt 3 ] && kill -KILL $$").with_pictures();
    let source = fake.decoding.open(&fake.file("clip")).unwrap();
    let (mut frames, mut pictures) = (Vec::new(), Vec::new());
    let mut visit = |given: Given| {
        match given {
            Given::Keyframe(frame) => frames.push(frame.time),
            Given::Picture(picture) => pictures.push(picture.time),
            Given::Measured(_) => panic!("nobody asked for measurements"),
        }
        ControlFlow::Continue(())
    };
    let grid = Grid::query(SECOND, &[7; 32]).unwrap();
    fake.decoding
        .decode_all(&source, &[7; 32], None, grid, &mut visit, &|| false)
        .unwrap();
    assert_eq!(frames, [0, 1, 2].map(|seconds| seconds * SECOND));
    assert_eq!(
        pictures,
        [0, 1, 2, 3, 4, 5].map(|halves| halves * SECOND / 2)
    );
    assert_eq!((fake.starts(), fake.journal()), (3, String::new()));

    let Err(Error::WorkerDied { how, .. }) = fake.decode(&|| false).0 else {
        panic!()
    };
    assert!(how.contains("nobody asked for"), "{how}");
}

#[test]
fn whoever_kills_every_process_does_not_quarantine_the_file() {
    let fake = Fake::new("kill -9 $$");
    for run in 1..=3 {
        let Err(error @ Error::WorkerKilled { times: 3, .. }) = fake.decode(&|| false).0 else {
            panic!()
        };
        let text = error.to_string();
        assert!(
            text.contains("from outside by signal 9 (SIGKILL")
                && text.contains("the file is not at fault"),
            "{text}"
        );
        assert_eq!((fake.starts(), fake.journal()), (3 * run, String::new()));
    }
}

#[test]
fn a_process_that_is_stopped_from_outside_is_no_fault_of_the_file_and_one_that_sleeps_is() {
    let fake = Fake::new("[ $tries -lt 2 ] && kill -STOP $$");
    assert!(fake.decode(&|| false).0.is_ok());
    assert_eq!((fake.starts(), fake.journal()), (2, String::new()));
    let fake = Fake::new("sleep 60");
    let Err(Error::WorkerDied { how, .. }) = fake.decode(&|| false).0 else {
        panic!()
    };
    assert!(
        how.contains("stood still") && how.contains("--max-stall"),
        "{how}"
    );
    assert!(fake.starts() == 1 && fake.journal().contains("stood still"));
}

#[test]
fn what_the_process_did_itself_is_not_tried_again_and_the_second_time_quarantines() {
    for (end, name) in [
        ("kill -SEGV $$", "SIGSEGV"),
        ("kill -SYS $$", "SIGSYS"),
        ("exit 9", "code 9"),
    ] {
        let fake = Fake::new(end);
        for starts in 1..=2 {
            let Err(Error::WorkerDied {
                how, unnoted: None, ..
            }) = fake.decode(&|| false).0
            else {
                panic!()
            };
            assert!(how.contains(name), "{how}");
            assert_eq!(fake.starts(), starts);
        }
        assert!(
            matches!(
                fake.decode(&|| false).0,
                Err(Error::Quarantined { deaths: 2, .. })
            ),
            "{end}"
        );
    }
}

#[test]
fn nothing_is_tried_again_for_somebody_who_has_given_up() {
    let fake = Fake::new("sleep 0.5; kill -9 $$");
    let begun = Instant::now();
    let stop = || begun.elapsed() > Duration::from_millis(600);
    assert!(matches!(fake.decode(&stop).0, Err(Error::Cancelled)));
    assert_eq!(fake.starts(), 1);
}

#[test]
fn a_journal_that_cannot_be_written_is_told_and_the_file_is_known_all_the_same() {
    let fake = Fake::new("kill -SEGV $$");
    // The journal's parent is not a folder, so nobody can write there, whoever runs this.
    let path = fake.file("clip").join("journal");
    let journal = Journal::open(&path, Quarantine::Keep, || UNIX_EPOCH).unwrap();
    let fake = Fake {
        decoding: Decoding {
            journal: Some(Arc::new(journal)),
            ..fake.decoding.clone()
        },
        ..fake
    };
    for _ in 0..2 {
        let Err(error) = fake.decode(&|| false).0 else {
            panic!()
        };
        assert!(
            error
                .to_string()
                .contains("could not be written to the journal"),
            "{error}"
        );
        let Error::WorkerDied {
            unnoted: Some(unnoted),
            ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert!(
            unnoted.to_string().contains(path.to_str().unwrap()),
            "{unnoted}"
        );
    }
    assert!(matches!(
        fake.decode(&|| false).0,
        Err(Error::Quarantined { .. })
    ));
}
