//! Malicious files through both interfaces: nothing in them is paid, followed, or written
//! elsewhere.

use std::net::TcpListener;

use serde_json::Value;
use uniq::Decoding;

use super::{Client, and, by, files, header, id_of, read, start};
use crate::footage::scenes::moving;
use crate::support::{ok, problem};

#[test]
fn nothing_is_paid_for_files_made_to_do_harm() {
    let service = start("");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let clip = read(&moving(751, 8));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let secret = service.data().join("ledger.db");
    let lists = [
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n"
        ),
        format!(
            "ffconcat version 1.0\nfile '{}'\nduration 10\n",
            moving(751, 8).display()
        ),
        format!("ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/x.mp4'\n"),
        format!(
            "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\na={}\n",
            secret.display()
        ),
        format!("<?xml version=\"1.0\"?><MPD><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>"),
    ];
    let mut hostile: Vec<(&str, Vec<u8>)> = lists
        .into_iter()
        .map(|text| ("list", text.into_bytes()))
        .collect();
    // Dimensions whose frames would fill the memory.
    hostile.push((
        "vast",
        b"YUV4MPEG2 W65000 H65000 F25:1 C420jpeg\nFRAME\n\x10\x10\x10".to_vec(),
    ));
    let mut png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x01\x86\xa0\x00\x01\x86\xa0\x08\x02\x00\x00\x00".to_vec();
    png.extend([0; 64]);
    hostile.push(("bomb", png));
    hostile.push((
        "archive",
        [
            b"PK\x03\x04\x14\x00\x00\x00\x08\x00".as_slice(),
            &[0xff; 4000],
        ]
        .concat(),
    ));
    hostile.push(("cut", clip[..clip.len() / 10].to_vec()));
    hostile.push((
        "page",
        [b"<html><script>alert(1)</script>".as_slice(), &clip].concat(),
    ));
    hostile.push(("script", b"#!/bin/sh\ntouch /tmp/owned\n".to_vec()));
    hostile.push((
        "noise",
        (0..50_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect(),
    ));
    hostile.push(("byte", vec![0]));
    let mut ids: Vec<(String, &str)> = Vec::new();
    for (number, (what, bytes)) in hostile.iter().enumerate() {
        let creator = format!("creator{number}");
        let metadata = and(&by(&creator), "filename", "../../../clips/x.mp4");
        let last = client.upload(&metadata, bytes);
        ids.push((
            header(&last, "submission")
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned(),
            what,
        ));
        // The other interface leads to the same submission.
        let path = format!("/v1/submissions?creator={creator}&reference=..%2F..%2Fx");
        let plain = service
            .with_key(&key, "POST", &path)
            .body(bytes.clone())
            .send()
            .unwrap();
        assert_eq!(
            (plain.status().as_u16(), &ok(plain)["id"]),
            (200, &ids[number].0.as_str().into())
        );
    }
    for (id, what) in &ids {
        let answer = service.answer(&key, id);
        let payable = answer["payable_s"].as_f64().unwrap_or(0.0);
        assert_eq!(payable, 0.0, "{what}: {answer}");
        let is_honest = answer["state"] == "failed" || answer["verdict"] == "inconclusive";
        assert!(is_honest, "{what}: {answer}");
        let text = answer.to_string();
        assert!(
            !text.contains(&*service.data().to_string_lossy()) && !text.contains("/clips/"),
            "{what}: {text}"
        );
    }
    assert!(
        listener.accept().is_err(),
        "an address in a file was called"
    );
    assert!(files(&service, "uploads").is_empty());
    let mut kept = files(&service, "clips");
    kept.retain(|name| !ids.iter().any(|(id, _)| id == name));
    assert!(kept.is_empty(), "{kept:?}");
    // The service still works.
    let good = client.upload(&by("ada"), &clip);
    let answer = service.answer(&key, id_of(&header(&good, "submission").unwrap()));
    assert!(answer["payable_s"].as_f64().unwrap() > 4.0, "{answer}");
}

#[test]
fn a_fingerprint_is_taken_only_where_it_is_asked_for_by_name() {
    let service = start("");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    let fingerprint = uniq::fingerprint(&moving(752, 8), &Decoding::in_process(), None)
        .unwrap()
        .to_bytes();
    let clip = read(&moving(753, 8));
    let refusals =
        |answers: [reqwest::blocking::Response; 2]| answers.map(|answer| problem(422, answer));
    let plain = |kind: &str, bytes: &[u8]| {
        let path = format!("/v1/submissions?creator=ada&kind={kind}");
        service
            .with_key(&key, "POST", &path)
            .body(bytes.to_owned())
            .send()
            .unwrap()
    };
    let as_fingerprint = and(&by("ada"), "kind", "fingerprint");
    let mut wrong = fingerprint.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    let mut polyglot = fingerprint.clone();
    polyglot.extend(&clip);
    for said in [
        refusals([
            client.upload(&by("ada"), &fingerprint),
            plain("clip", &fingerprint),
        ]),
        refusals([
            client.upload(&by("ada"), &polyglot),
            plain("clip", &polyglot),
        ]),
        refusals([
            client.upload(&as_fingerprint, &clip),
            plain("fingerprint", &clip),
        ]),
        refusals([
            client.upload(&as_fingerprint, &wrong),
            plain("fingerprint", &wrong),
        ]),
        refusals([
            client.upload(&as_fingerprint, &fingerprint[..middle]),
            plain("fingerprint", &fingerprint[..middle]),
        ]),
        refusals([
            client.upload(&as_fingerprint, &polyglot),
            plain("fingerprint", &polyglot),
        ]),
    ]
    .concat()
    {
        assert!(
            !said
                .to_string()
                .contains(&*service.data().to_string_lossy()),
            "{said}"
        );
    }
    assert!(files(&service, "uploads").is_empty() && files(&service, "clips").is_empty());
    assert!(super::submissions(&service, &key).is_empty());
    // Asking again gives the reason again.
    let made = client.ask(fingerprint.len() as u64, &by("ada"));
    let path = header(&made, "location").unwrap();
    let said: Value = problem(422, client.patch(&path, 0, &fingerprint));
    assert_eq!(
        problem(422, client.patch(&path, fingerprint.len() as u64, b"")),
        said
    );
    assert_eq!(client.head(&path).status(), 422);
    let taken = client.upload(&as_fingerprint, &fingerprint);
    let answer = service.answer(&key, id_of(&header(&taken, "submission").unwrap()));
    assert_eq!(
        (&answer["state"], &answer["provisional"]),
        (&"checked".into(), &true.into()),
        "{answer}"
    );
    // Names that hide their content.
    for creator in ["a\u{202e}b", "\u{200b}", "a\nb", "", " a", &"x".repeat(401)] {
        problem(400, client.ask(3, &by(creator)));
    }
}
