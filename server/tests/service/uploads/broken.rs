//! Broken connections, and a killed service.

use std::fs;
use std::time::{Duration, Instant};

use super::{
    Client, files, header, id_of, read, start, submissions, wait_for_bytes, wait_for_uploads,
};
use crate::footage::scenes::moving;

#[test]
fn what_came_before_a_line_broke_need_not_come_again() {
    let service = start("");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let clip = read(&moving(732, 8));
    let length = clip.len() as u64;
    let path = client.make(length);
    let mut offset = 0;
    for part in 1..4 {
        let until = length * part / 5;
        let broken = client.begin_patch(
            &path,
            offset,
            length - offset,
            &clip[offset as usize..until as usize],
        );
        // Batches stay in memory until they are full or the connection breaks.
        std::thread::sleep(Duration::from_millis(100));
        drop(broken);
        offset = client.offset(&path);
        assert_eq!(offset, until);
    }
    let last = client.patch(&path, offset, &clip[offset as usize..]);
    assert!(header(&last, "submission").is_some());
    let answer = service.answer(&key, id_of(&path));
    assert_eq!(
        (&answer["state"], &answer["verdict"]),
        (&"checked".into(), &"unpublished".into()),
        "{answer}"
    );
    assert_eq!(answer["bytes"], length);
}

#[test]
fn a_plain_submission_that_breaks_leaves_nothing() {
    let service = start("");
    let key = service.key("acme", "submit,read");
    let broken = super::begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        "Content-Length: 1000000\r\n",
        &vec![1; 600_000],
    );
    wait_for_uploads(&service, 1);
    drop(broken);
    wait_for_uploads(&service, 0);
    assert!(submissions(&service, &key).is_empty() && files(&service, "clips").is_empty());
}

#[test]
fn a_kill_in_the_middle_of_a_patch_keeps_what_was_told() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    let clip = read(&moving(733, 8));
    let length = clip.len() as u64;
    let path = Client {
        service: &service,
        key: &key,
    }
    .make(length);
    let told = length / 4;
    assert_eq!(
        Client {
            service: &service,
            key: &key
        }
        .patch(&path, 0, &clip[..told as usize])
        .status(),
        204
    );
    let writing = Client {
        service: &service,
        key: &key,
    }
    .begin_patch(
        &path,
        told,
        length - told,
        &clip[told as usize..clip.len() - 1],
    );
    if length - told > 300_000 {
        wait_for_bytes(&service, &path, told + 1);
    }
    service.kill();
    drop(writing);
    service.run();
    let client = Client {
        service: &service,
        key: &key,
    };
    let offset = client.offset(&path);
    assert!((told..length).contains(&offset), "{offset}");
    assert_eq!(
        read(&service.data().join("uploads").join(id_of(&path))),
        clip[..offset as usize]
    );
    assert!(
        header(
            &client.patch_at_last(&path, offset, &clip[offset as usize..]),
            "submission"
        )
        .is_some()
    );
    assert_eq!(service.answer(&key, id_of(&path))["state"], "checked");
}

/// Each round kills at a different moment: before the last byte, between it and the number, and
/// after.
#[test]
fn a_kill_around_the_last_byte_loses_nothing_and_makes_nothing_twice() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    let mut paths = Vec::new();
    for round in 0..12_u8 {
        let bytes = vec![round; 3_000_000];
        let path = Client {
            service: &service,
            key: &key,
        }
        .make(bytes.len() as u64);
        let writing = Client {
            service: &service,
            key: &key,
        }
        .begin_patch(&path, 0, bytes.len() as u64, &bytes);
        std::thread::sleep(Duration::from_millis(u64::from(round) * 4));
        service.kill();
        drop(writing);
        service.run();
        let client = Client {
            service: &service,
            key: &key,
        };
        let offset = client.offset(&path);
        if offset < bytes.len() as u64 {
            let patched = client.patch_at_last(&path, offset, &bytes[offset as usize..]);
            assert!(
                header(&patched, "submission").is_some(),
                "round {round}: {patched:?}"
            );
        }
        let head = client.head(&path);
        assert_eq!(
            header(&head, "submission"),
            Some(format!("/v1/submissions/{}", id_of(&path))),
            "round {round}"
        );
        paths.push(path);
    }
    let mut found: Vec<String> = submissions(&service, &key)
        .iter()
        .map(|of| of["id"].as_str().unwrap().to_owned())
        .collect();
    let mut made: Vec<String> = paths.iter().map(|path| id_of(path).to_owned()).collect();
    found.sort();
    made.sort();
    assert_eq!(found, made);
    assert!(files(&service, "uploads").is_empty());
    for (round, path) in paths.iter().enumerate() {
        assert_eq!(
            read(&service.data().join("clips").join(id_of(path))),
            vec![round as u8; 3_000_000]
        );
    }
}

#[test]
fn a_whole_upload_is_accepted_after_a_crash_though_nobody_asks() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    let clips = [
        read(&moving(734, 8)),
        read(&moving(735, 8)),
        read(&moving(736, 8)),
    ];
    let paths: Vec<String> = clips
        .iter()
        .map(|clip| {
            Client {
                service: &service,
                key: &key,
            }
            .make(clip.len() as u64)
        })
        .collect();
    service.kill();
    let (uploads, kept) = (service.data().join("uploads"), service.data().join("clips"));
    // All bytes had arrived, or were being moved to their place.
    fs::write(uploads.join(id_of(&paths[0])), &clips[0]).unwrap();
    fs::write(uploads.join(id_of(&paths[1])), &clips[1]).unwrap();
    fs::rename(uploads.join(id_of(&paths[1])), kept.join(id_of(&paths[1]))).unwrap();
    // A file that lost bytes is not taken for a shorter upload.
    fs::remove_file(uploads.join(id_of(&paths[2]))).unwrap();
    service.run();
    let begun = Instant::now();
    while submissions(&service, &key).len() < 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            service.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    for path in &paths[..2] {
        let answer = service.answer(&key, id_of(path));
        assert_eq!(
            (&answer["state"], &answer["verdict"]),
            (&"checked".into(), &"unpublished".into()),
            "{answer}"
        );
    }
    let client = Client {
        service: &service,
        key: &key,
    };
    let gone = client.head(&paths[2]).status().as_u16();
    assert!(gone == 404 || gone == 410, "{gone}");
}

#[test]
fn a_stop_ends_an_upload_at_once_and_keeps_what_came() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    let path = Client {
        service: &service,
        key: &key,
    }
    .make(1_000_000);
    let writing = Client {
        service: &service,
        key: &key,
    }
    .begin_patch(&path, 0, 1_000_000, &[9; 500_001]);
    wait_for_bytes(&service, &path, 1);
    let begun = Instant::now();
    assert!(service.stop(), "{}", service.log());
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let said = super::heard(writing);
    assert!(
        said.starts_with("HTTP/1.1 503") && said.to_lowercase().contains("retry-after"),
        "{said}"
    );
    service.run();
    let client = Client {
        service: &service,
        key: &key,
    };
    assert_eq!(client.offset(&path), 500_001);
}
