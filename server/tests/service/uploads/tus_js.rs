//! A foreign client: `tus-js-client`, through a connection that breaks.
//!
//! `scripts/test` installs it and names the folder in `UNIQ_FOREIGN`. Without it the test is
//! skipped, except with `CI` set.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::{files, read, start};
use crate::footage::scenes::moving;

#[test]
fn a_client_that_others_made_goes_on_over_a_line_that_breaks() {
    let packages = std::env::var_os("UNIQ_FOREIGN").map(|folder| PathBuf::from(folder).join("tus"));
    let packages = packages.filter(|folder| folder.is_dir());
    let has_node = Command::new("node")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    let Some(packages) = packages.filter(|_| has_node) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "node or tus-js-client is missing: scripts/test installs them"
        );
        return;
    };
    let service = start("");
    let key = service.key("acme", "submit,read");
    let ways = [
        ("whole", "false"),
        ("whole", "true"),
        ("90000", "false"),
        ("90000", "true"),
    ];
    for (seed, (chunk, early)) in (740..).zip(ways) {
        let clip = moving(seed, 8);
        let (line, broken) = breaking(&service.address, read(&clip).len() / 5);
        let output = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/uploads/tus_upload.cjs"))
            .arg(&packages)
            .arg(format!("http://{line}/v1/uploads"))
            .arg(&key)
            .arg(&clip)
            .args([chunk, early])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{chunk} {early}: {said}");
        let done: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(broken.load(Ordering::SeqCst), BREAKS, "{done}");
        let id = done["submission"]
            .as_str()
            .unwrap()
            .strip_prefix("/v1/submissions/")
            .unwrap();
        let known = service.get(&key, &format!("/v1/submissions/{id}"));
        assert_eq!(
            (&known["reference"], &known["bytes"]),
            (&"order 17".into(), &read(&clip).len().into()),
            "{known}"
        );
        assert_eq!(read(&service.data().join("clips").join(id)), read(&clip));
    }
    // An upload whose creation the client did not learn of remains until it expires.
    assert!(files(&service, "uploads").len() <= ways.len());
}

/// A proxy of the service. The first connections that carry many bytes break after `after` bytes.
/// Returns its address and a counter of breaks.
fn breaking(service: &str, after: usize) -> (String, Arc<AtomicUsize>) {
    let service = service.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let broken = Arc::new(AtomicUsize::new(0));
    let count = broken.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(&service)) else {
                continue;
            };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || carry(server, client, usize::MAX, None));
            let count = count.clone();
            thread::spawn(move || carry(from, to, after, Some(&count)));
        }
    });
    (address, broken)
}

fn carry(mut from: TcpStream, mut to: TcpStream, after: usize, broken: Option<&AtomicUsize>) {
    let (mut carried, mut buffer) = (0, [0; 4096]);
    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
        carried += bytes;
        if carried > after
            && broken.is_some_and(|broken| {
                broken
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                        (count < BREAKS).then_some(count + 1)
                    })
                    .is_ok()
            })
        {
            break;
        }
        if to.write_all(&buffer[..bytes]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Number of breaks.
const BREAKS: usize = 3;
