//! Uploads: a bad connection, a bad client or a full disk must cause no loss.

mod broken;
mod caps;
mod hostile;
mod once;
mod protocol;
mod tus_js;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::blocking::{RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use uniq::Decoding;
use uniq::ingest::{self, BuildOptions};

use crate::footage::scenes::tripod;
use crate::support::Service;

/// A client of one tenant.
struct Client<'a> {
    service: &'a Service,
    key: &'a str,
}

impl Client<'_> {
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.service
            .with_key(self.key, method, path)
            .header("Tus-Resumable", "1.0.0")
    }

    /// Requests an upload of `length` bytes.
    fn ask(&self, length: u64, metadata: &str) -> Response {
        let asked = self
            .request("POST", "/v1/uploads")
            .header("Upload-Length", length);
        asked.header("Upload-Metadata", metadata).send().unwrap()
    }

    /// Creates an upload, which must succeed, and returns its path.
    fn make(&self, length: u64) -> String {
        let made = self.ask(length, &by("ada"));
        assert_eq!(made.status(), 201, "{}", made.text().unwrap());
        header(&made, "location").unwrap()
    }

    fn head(&self, path: &str) -> Response {
        self.request("HEAD", path).send().unwrap()
    }

    /// Number of stored bytes, once nobody writes.
    fn offset(&self, path: &str) -> u64 {
        let begun = Instant::now();
        loop {
            let head = self.head(path);
            if head.status() != 423 {
                assert_eq!(head.status(), 200);
                assert_eq!(header(&head, "cache-control").unwrap(), "no-store");
                return header(&head, "upload-offset").unwrap().parse().unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "locked for ever");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn patching(&self, path: &str, offset: u64, body: &[u8]) -> RequestBuilder {
        let patch = self.request("PATCH", path).header("Upload-Offset", offset);
        patch
            .header("Content-Type", "application/offset+octet-stream")
            .body(body.to_owned())
    }

    fn patch(&self, path: &str, offset: u64, body: &[u8]) -> Response {
        self.patching(path, offset, body).send().unwrap()
    }

    /// A PATCH that waits until nobody else has the upload: at its start, the service checks
    /// leftovers.
    fn patch_at_last(&self, path: &str, offset: u64, body: &[u8]) -> Response {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.patch(path, offset, body);
            if answer.status() != 423 || begun.elapsed() > Duration::from_secs(10) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Begins a PATCH of `length` bytes, on a separate connection.
    fn begin_patch(&self, path: &str, offset: u64, length: u64, body: &[u8]) -> TcpStream {
        let headers = format!(
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n\
             Content-Length: {length}\r\n"
        );
        begin(
            self.service,
            &format!("PATCH {path}"),
            self.key,
            &headers,
            body,
        )
    }

    /// Uploads all bytes, and returns the response to the last ones.
    fn upload(&self, metadata: &str, bytes: &[u8]) -> Response {
        let made = self.ask(bytes.len() as u64, metadata);
        assert_eq!(made.status(), 201, "{}", made.text().unwrap());
        self.patch(&header(&made, "location").unwrap(), 0, bytes)
    }
}

/// Starts the service with a small corpus, which is built once.
fn start(settings: &str) -> Service {
    static CORPUS: OnceLock<TempDir> = OnceLock::new();
    let corpus = CORPUS.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let sources = ingest::sources(&[tripod(79, 1, 6)]).unwrap();
        let options = BuildOptions::new(Decoding::in_process());
        ingest::build(
            folder.path(),
            sources,
            &options,
            &|_| {},
            &AtomicBool::new(false),
        )
        .unwrap();
        folder
    });
    let service = Service::start_empty(settings);
    copy(corpus.path(), &service.data().join("index"));
    service
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, target) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.as_ref().unwrap().file_name()),
        );
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

/// Sends the head of a request and a part of its body, and leaves the connection open.
fn begin(service: &Service, request: &str, key: &str, headers: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(service.address.strip_prefix("http://").unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let head =
        format!("{request} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

/// What arrives on a connection until it is closed, or until nothing follows an answer.
fn heard(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until the file of an upload has this length.
fn wait_for_bytes(service: &Service, path: &str, length: u64) {
    let file = service.data().join("uploads").join(id_of(path));
    service.wait_until("the bytes of an upload", PATIENCE, || {
        fs::metadata(&file).map_or(0, |data| data.len()) >= length
    });
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn header(response: &Response, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
}

/// `Upload-Metadata` of a creator.
fn by(creator: &str) -> String {
    format!("creator {}", STANDARD.encode(creator))
}

/// Adds a pair to `Upload-Metadata`.
fn and(metadata: &str, key: &str, value: &str) -> String {
    format!("{metadata},{key} {}", STANDARD.encode(value))
}

fn submissions(service: &Service, key: &str) -> Vec<Value> {
    service.get(key, "/v1/submissions")["items"]
        .as_array()
        .unwrap()
        .clone()
}

/// Files in a folder of the service.
fn files(service: &Service, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(service.data().join(folder)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

/// Time for what the service does when it is told at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until this many uploads have a file.
fn wait_for_uploads(service: &Service, count: usize) {
    service.wait_until("the number of uploads", PATIENCE, || {
        files(service, "uploads").len() == count
    });
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
