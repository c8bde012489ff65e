//! An S3 server for tests, if one is installed. The first test that needs it starts it, and it ends
//! with the process.
//!
//! `scripts/setup` installs it and names the folder in `UNIQ_FOREIGN`. Tests can reach its files
//! without S3, to change them in ways that nobody should.

#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The secret key for the server.
pub const SECRET: &str = "hidden-word-of-tests";
const KEY: &str = "AKIDOFTESTS";

/// A server that ends when the pipe to its shell is closed, at the latest at the end of this
/// process.
#[derive(Debug)]
pub struct Server {
    s3: u16,
    filer: u16,
    _shell: Child,
}

/// A bucket of a server, empty at first.
#[derive(Debug)]
pub struct Bucket {
    pub server: &'static Server,
    pub name: String,
}

/// A new bucket; `None` if no server is installed, which is an error if `CI` is set.
pub fn bucket() -> Option<Bucket> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(server) = SERVER.get_or_init(Server::start) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "no S3 server: scripts/setup installs it"
        );
        eprintln!("no S3 server is installed: what needs one is passed over");
        return None;
    };
    let name = format!("bucket{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let (status, answer) = server.ask("PUT", &format!("/buckets/{name}/.made"), b"x");
    assert!(
        status < 300,
        "{status}: {}",
        String::from_utf8_lossy(&answer)
    );
    Some(Bucket { server, name })
}

impl Bucket {
    /// The environment variables by which a program reaches it.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.server.s3);
        let variables = [
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ALLOW_HTTP", "true"),
        ];
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// The bytes of an object, read without S3.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let (status, bytes) = self.server.ask("GET", &self.path(name), b"");
        (status == 200).then_some(bytes)
    }

    /// Writes an object without S3.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let (status, answer) = self.server.ask("PUT", &self.path(name), bytes);
        assert!(
            status < 300,
            "{status}: {}",
            String::from_utf8_lossy(&answer)
        );
    }

    /// Deletes an object without S3.
    pub fn delete(&self, name: &str) {
        let (status, answer) = self.server.ask("DELETE", &self.path(name), b"");
        assert!(
            status < 300,
            "{status}: {}",
            String::from_utf8_lossy(&answer)
        );
    }

    /// The names in a folder, sorted.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let (status, bytes) =
            self.server
                .ask("GET", &format!("{}/?limit=10000", self.path(folder)), b"");
        if status == 404 {
            return Vec::new();
        }
        let listed: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let entries = listed["Entries"].as_array().cloned().unwrap_or_default();
        let name = |entry: &serde_json::Value| {
            Some(entry["FullPath"].as_str()?.rsplit('/').next()?.to_owned())
        };
        let mut names: Vec<String> = entries
            .iter()
            .filter_map(name)
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    fn path(&self, name: &str) -> String {
        format!("/buckets/{}/{name}", self.name)
    }
}

impl Server {
    fn start() -> Option<Server> {
        let program = PathBuf::from(std::env::var_os("UNIQ_FOREIGN")?).join("seaweedfs/bin/weed");
        if !program.is_file() {
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("uniq-s3-")
            .tempdir()
            .unwrap()
            .keep();
        fs::create_dir(folder.join("data")).unwrap();
        let identity = serde_json::json!({ "identities": [{
            "name": "tests",
            "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }] });
        fs::write(folder.join("s3.json"), identity.to_string()).unwrap();
        let [
            master,
            master_grpc,
            volume,
            volume_grpc,
            filer,
            filer_grpc,
            s3,
            s3_grpc,
        ] = free_ports();
        let options = [
            "server".to_owned(),
            "-s3".to_owned(),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            format!("-dir={}/data", folder.display()),
            format!("-master.port={master}"),
            format!("-master.port.grpc={master_grpc}"),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={volume_grpc}"),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={filer_grpc}"),
            format!("-s3.port={s3}"),
            format!("-s3.port.grpc={s3_grpc}"),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-s3.config={}/s3.json", folder.display()),
            // No limit except disk space, since each bucket takes several volumes.
            "-volume.max=0".to_owned(),
            "-master.volumeSizeLimitMB=64".to_owned(),
        ];
        let script = r#"program=$1 folder=$2; shift 2
            "$program" -logtostderr=true "$@" > "$folder/log" 2>&1 &
            server=$!; read _; kill -KILL $server; wait $server; rm -rf "$folder""#;
        let shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&program)
            .arg(&folder)
            .args(options)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server {
            s3,
            filer,
            _shell: shell,
        };
        let begun = Instant::now();
        // The server is ready once S3 answers and the file server accepts a file.
        while TcpStream::connect(("127.0.0.1", s3)).is_err() || !server.is_up() {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "the server does not start: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(server)
    }

    fn is_up(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.filer)) else {
            return false;
        };
        let asked = send(&mut stream, "PUT", "/buckets/first/file", b"x");
        asked.is_some_and(|(status, _)| status < 300)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.filer)).unwrap();
        send(&mut stream, method, path, body)
            .unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }
}

/// One request over plain HTTP 1.0, so that the answer has no chunks.
fn send(stream: &mut TcpStream, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\
        Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[..end])
        .ok()?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

/// Ports that are free now.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
