//! The library as a service uses it: one opened index, many threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::scenes;
use uniq::ingest::{self, BuildOptions, Event};
use uniq::media::Limits;
use uniq::{CheckOptions, Decoding, Error, Fingerprint, Index, Report, Verdict};

#[test]
fn what_a_service_keeps_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Index>();
    shared::<Report>();
    shared::<Fingerprint>();
    shared::<Error>();
    shared::<CheckOptions<'static>>();
    shared::<BuildOptions>();
}

#[test]
fn one_opened_index_serves_several_threads() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    let film = scenes::moving(1, 24);
    let sources = ingest::sources(std::slice::from_ref(&film)).unwrap();
    let (started, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let progress = |event: Event<'_>| match event {
        Event::Started { .. } => _ = started.fetch_add(1, Ordering::Relaxed),
        Event::Finished { .. } => _ = finished.fetch_add(1, Ordering::Relaxed),
        _ => {}
    };
    let summary = ingest::build(
        &dir,
        sources,
        &BuildOptions::new(Decoding::in_process()),
        &progress,
        &AtomicBool::new(false),
    )
    .unwrap();
    assert_eq!(
        (summary.added, summary.failed.len(), summary.cancelled),
        (1, 0, false)
    );
    assert_eq!((started.into_inner(), finished.into_inner()), (1, 1));

    let index = Arc::new(Index::open(&dir).unwrap());
    let clips = [
        scenes::excerpt(&film, 6.0, 6.0),
        scenes::excerpt(&scenes::moving(2, 16), 3.0, 6.0),
        scenes::black(4),
    ];
    let verdicts = [
        Verdict::Published,
        Verdict::Unpublished,
        Verdict::Inconclusive,
    ];
    let alone: Vec<Report> = clips.iter().map(|clip| ask(&index, clip)).collect();
    assert_eq!(
        alone
            .iter()
            .map(|report| report.verdict)
            .collect::<Vec<_>>(),
        verdicts
    );

    // Each thread begins with another clip, so that different clips are checked at the same time.
    let threads = (0..2 * clips.len()).map(|first| {
        let index = Arc::clone(&index);
        let mut clips: Vec<(usize, PathBuf)> = clips.iter().cloned().enumerate().collect();
        clips.rotate_left(first % verdicts.len());
        thread::spawn(move || {
            clips
                .into_iter()
                .map(|(n, clip)| (n, ask(&index, &clip)))
                .collect::<Vec<_>>()
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        for (number, report) in thread.join().unwrap() {
            assert_eq!(report, alone[number]);
        }
    }
}

#[test]
fn a_check_and_a_build_stop_when_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    let film = scenes::moving(1, 24);
    let stop = AtomicBool::new(true);
    let sources = ingest::sources(std::slice::from_ref(&film)).unwrap();
    let summary = ingest::build(
        &dir,
        sources,
        &BuildOptions::new(Decoding::in_process()),
        &|_| {},
        &stop,
    )
    .unwrap();
    assert_eq!(
        (summary.added, summary.cancelled, summary.state.videos),
        (0, true, 0)
    );

    let index = Index::open(&dir).unwrap();
    let decoding = Decoding::in_process();
    let options = CheckOptions {
        cancel: Some(&stop),
        ..CheckOptions::new(&decoding)
    };
    assert!(matches!(
        uniq::check(&index, &film, &options),
        Err(Error::Cancelled)
    ));
}

#[test]
fn a_search_ends_when_it_is_told_to_and_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("index");
    let film = scenes::moving(1, 24);
    let (decoding, go_on) = (Decoding::in_process(), AtomicBool::new(false));
    let sources = ingest::sources(std::slice::from_ref(&film)).unwrap();
    ingest::build(
        &dir,
        sources,
        &BuildOptions::new(Decoding::in_process()),
        &|_| {},
        &go_on,
    )
    .unwrap();
    let index = Index::open(&dir).unwrap();
    let clip = uniq::fingerprint(&film, &decoding, None).unwrap();
    let stop = AtomicBool::new(true);
    let options = CheckOptions {
        cancel: Some(&stop),
        ..CheckOptions::new(&decoding)
    };
    assert!(matches!(
        uniq::check_fingerprint(&index, &clip, &options),
        Err(Error::Cancelled)
    ));

    let limits = Limits {
        time_floor: Duration::ZERO,
        time_ratio: 0,
        ..Limits::default()
    };
    let hurried = Decoding {
        limits,
        ..Decoding::in_process()
    };
    let late = uniq::check_fingerprint(&index, &clip, &CheckOptions::new(&hurried)).unwrap_err();
    let Error::LimitExceeded { limit, option, .. } = &late else {
        panic!("{late}")
    };
    assert!(*limit == "time" && option.contains("--max-time"), "{late}");
    assert!(
        late.to_string().contains("the search has not finished"),
        "{late}"
    );
}

fn ask(index: &Index, clip: &Path) -> Report {
    let decoding = Decoding::in_process();
    let options = CheckOptions {
        quality: false,
        ..CheckOptions::new(&decoding)
    };
    uniq::check(index, clip, &options).unwrap()
}
