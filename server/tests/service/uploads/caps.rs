//! Limits and back-pressure: who may send, how much, and how slowly.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::blocking::Response;

use super::{Client, begin, by, copy, files, header, heard, id_of, start, wait_for_uploads};
use crate::support::{Service, problem};

fn plain(service: &Service, key: &str, bytes: usize) -> Response {
    service
        .with_key(key, "POST", "/v1/submissions?creator=ada")
        .body(vec![0; bytes])
        .send()
        .unwrap()
}

#[test]
fn a_file_that_is_too_long_is_refused_before_it_comes() {
    let service = start("[uploads]\nmax_bytes = 1000\n");
    let key = service.key("acme", "submit,read");
    let client = Client {
        service: &service,
        key: &key,
    };
    problem(413, client.ask(1001, &by("ada")));
    assert_eq!(client.ask(1000, &by("ada")).status(), 201);
    problem(413, plain(&service, &key, 1001));
    assert_eq!(plain(&service, &key, 1000).status(), 202);
    // Also without a length.
    let chunked = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    let body = format!("400\r\n{}\r\n0\r\n\r\n", "x".repeat(1024));
    let long = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        chunked,
        body.as_bytes(),
    );
    assert!(heard(long).starts_with("HTTP/1.1 413"));
    // An empty body creates nothing.
    problem(422, plain(&service, &key, 0));
    assert_eq!(files(&service, "clips").len(), 1);
}

#[test]
fn one_tenant_cannot_hold_more_uploads_than_it_may() {
    let service = start("[uploads]\nmax_open = 2\n");
    let (acme, other) = (
        service.key("acme", "submit,read"),
        service.key("umbrella", "submit,read"),
    );
    let client = Client {
        service: &service,
        key: &acme,
    };
    let (first, _second) = (client.make(10), client.make(10));
    let refused = client.ask(10, &by("ada"));
    assert!(header(&refused, "retry-after").is_some());
    problem(429, refused);
    problem(429, plain(&service, &acme, 10));
    Client {
        service: &service,
        key: &other,
    }
    .make(10);
    assert_eq!(
        client.request("DELETE", &first).send().unwrap().status(),
        204
    );
    // A whole file counts while it is being sent.
    let sending = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &acme,
        "Content-Length: 10\r\n",
        b"01234",
    );
    wait_for_uploads(&service, 3);
    problem(429, client.ask(10, &by("ada")));
    drop(sending);
    wait_for_uploads(&service, 2);
    let third = client.make(10);
    // A finished upload is no longer open.
    assert_eq!(client.patch(&third, 0, b"0123456789").status(), 204);
    client.make(10);
}

#[test]
fn nothing_more_is_taken_while_answers_do_not_keep_up() {
    let service = start("[uploads]\nmax_queue = 0\n");
    let key = service.key("acme", "submit,read");
    for refused in [
        Client {
            service: &service,
            key: &key,
        }
        .ask(10, &by("ada")),
        plain(&service, &key, 10),
    ] {
        assert!(
            header(&refused, "retry-after")
                .unwrap()
                .parse::<u64>()
                .unwrap()
                > 0
        );
        problem(503, refused);
    }
    assert!(files(&service, "uploads").is_empty() && files(&service, "clips").is_empty());
}

#[test]
fn room_that_was_promised_is_not_promised_again() {
    let free = |folder: &std::path::Path| {
        let stat = rustix::fs::statvfs(folder).unwrap();
        stat.f_bavail * stat.f_frsize
    };
    let unlimited = u64::MAX >> 1;
    let service = start(&format!("[uploads]\nmin_free_bytes = {unlimited}\n"));
    let key = service.key("acme", "submit,read");
    problem(
        507,
        Client {
            service: &service,
            key: &key,
        }
        .ask(10, &by("ada")),
    );
    problem(507, plain(&service, &key, 10));

    // Each tenant may announce up to half of the free space. Other tests write to the same disk,
    // but less.
    let service = start(&format!(
        "[uploads]\nmin_free_bytes = 1000000\nmax_bytes = {unlimited}\n"
    ));
    let key = service.key("acme", "submit,read");
    let others = ["umbrella", "initech"].map(|tenant| service.key(tenant, "submit,read"));
    let client = Client {
        service: &service,
        key: &key,
    };
    problem(507, client.ask(free(service.folder()) / 3 * 2, &by("ada")));
    let most = free(service.folder()) / 5 * 2;
    let path = client.make(most);
    problem(507, client.ask(most, &by("ada")));
    Client {
        service: &service,
        key: &others[0],
    }
    .make(most);
    problem(
        507,
        Client {
            service: &service,
            key: &others[1],
        }
        .ask(most, &by("bob")),
    );
    assert_eq!(
        client.request("DELETE", &path).send().unwrap().status(),
        204
    );
    client.make(most);
}

#[test]
fn a_file_that_the_disk_has_no_room_for_can_go_on_when_it_has() {
    let mut service = start("");
    let key = service.key("acme", "submit,read");
    service.kill();
    // Limits files to 4 MiB.
    service.file_blocks = Some(8192);
    service.run();
    let bytes = vec![5; 6 << 20];
    let client = Client {
        service: &service,
        key: &key,
    };
    let path = client.make(bytes.len() as u64);
    let full = client.patch(&path, 0, &bytes);
    assert!(header(&full, "retry-after").is_some());
    let said = problem(507, full);
    assert!(
        !said
            .to_string()
            .contains(&*service.data().to_string_lossy()),
        "{said}"
    );
    let offset = client.offset(&path);
    assert_eq!(offset, 4 << 20, "what came is kept");
    problem(507, plain(&service, &key, 6 << 20));
    assert_eq!(files(&service, "uploads"), [id_of(&path)]);
    service.kill();
    service.file_blocks = None;
    service.run();
    let client = Client {
        service: &service,
        key: &key,
    };
    assert!(
        header(
            &client.patch(&path, offset, &bytes[offset as usize..]),
            "submission"
        )
        .is_some()
    );
}

/// Where small disks cannot be made, the test before must do.
#[test]
fn a_disk_that_others_fill_up_stops_an_upload_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mount = |verb: &str, options: &[&str]| {
        Command::new(verb)
            .args(options)
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=24m", "tmpfs"]) {
        return;
    }
    {
        let mut service = start("[uploads]\nmin_free_bytes = 0\n");
        service.kill();
        // From now on its data is on the small disk.
        let data = folder.path().join("data");
        let settings = service.folder().join("serve.toml");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(
            &settings,
            text.replace(&format!("{:?}", service.data()), &format!("{data:?}")),
        )
        .unwrap();
        copy(&service.data().join("index"), &data.join("index"));
        service.run();
        let key = service.key("acme", "submit,read");
        let client = Client {
            service: &service,
            key: &key,
        };
        let bytes = vec![6; 8 << 20];
        let path = client.make(bytes.len() as u64);
        fs::write(folder.path().join("filler"), vec![0; 18 << 20]).unwrap();
        problem(507, client.patch(&path, 0, &bytes));
        fs::remove_file(folder.path().join("filler")).unwrap();
        let offset = client.offset(&path);
        assert!((1 << 20..8 << 20).contains(&offset), "{offset}");
        let last = client.patch(&path, offset, &bytes[offset as usize..]);
        assert!(
            header(&last, "submission").is_some(),
            "{}",
            last.text().unwrap()
        );
        assert_eq!(
            fs::read(data.join("clips").join(id_of(&path))).unwrap(),
            bytes
        );
        assert!(service.stop());
    }
    assert!(mount("umount", &[]));
}

#[test]
fn a_body_that_stands_still_is_given_up_and_kept() {
    let service = start("[limits]\nidle_seconds = 1\n");
    let key = service.key("acme", "submit,read,admin");
    let client = Client {
        service: &service,
        key: &key,
    };
    let path = client.make(100_000);
    let idle = client.begin_patch(&path, 0, 100_000, &[1; 50_000]);
    assert!(heard(idle).starts_with("HTTP/1.1 408"));
    assert_eq!(client.offset(&path), 50_000);
    for request in ["POST /v1/submissions?creator=ada", "POST /v1/keys"] {
        let headers = "Content-Type: application/json\r\nContent-Length: 100000\r\n";
        let said = heard(begin(&service, request, &key, headers, b"{"));
        assert!(
            said.starts_with("HTTP/1.1 408") && said.contains("application/problem+json"),
            "{request}: {said}"
        );
    }
    // A byte now and then does not count as progress.
    let mut drip = begin(
        &service,
        "POST /v1/submissions?creator=ada",
        &key,
        "Content-Length: 100000\r\n",
        b"",
    );
    drip.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let begun = Instant::now();
    let mut said = [0; 12];
    while drip.read(&mut said).unwrap_or(0) == 0 {
        let _ = drip.write_all(b"x");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "a byte now and then holds a connection"
        );
    }
    assert_eq!(&said, b"HTTP/1.1 408");
    assert_eq!(files(&service, "uploads"), [id_of(&path)]);
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out() {
    let service = start("[limits]\nheader_seconds = 1\nconnections = 4\n");
    let key = service.key("acme", "submit,read");
    let address = service.address.strip_prefix("http://").unwrap().to_owned();
    let slow: Vec<TcpStream> = (0..12)
        .map(|number| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            // Some of them send nothing at all.
            let _ = stream.write_all(&b"GET / HTTP/1.1\r\nX: "[..number % 3 * 9]);
            stream
        })
        .collect();
    let begun = Instant::now();
    assert!(service.get(&key, "/v1/submissions")["items"].is_array());
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    for mut stream in slow {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(!said.starts_with(b"HTTP/1.1 2"));
    }
}
