//! Starts the service, and talks to it.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use uniq::Decoding;
use uniq::ingest::{self, BuildOptions};

/// A running service.
pub struct Service {
    folder: TempDir,
    child: Option<Child>,
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    client: Client,
    /// Limit of file sizes for the service, in blocks of 512 bytes.
    pub file_blocks: Option<u32>,
}

impl Service {
    /// Starts it with further settings in TOML and a corpus of these videos.
    pub fn start(settings: &str, sources: &[PathBuf]) -> Service {
        let folder = TempDir::new().unwrap();
        let mut options = BuildOptions::new(Decoding::in_process());
        options.threads = Some(2);
        let sources = ingest::sources(sources).unwrap();
        ingest::build(
            &folder.path().join("data/index"),
            sources,
            &options,
            &|_| {},
            &AtomicBool::new(false),
        )
        .unwrap();
        Service::in_folder(folder, settings)
    }

    /// The same without a corpus.
    pub fn start_empty(settings: &str) -> Service {
        Service::in_folder(TempDir::new().unwrap(), settings)
    }

    fn in_folder(folder: TempDir, settings: &str) -> Service {
        // The lines before the first section, and the sections.
        let (top, sections) =
            settings.split_at(settings.find("\n[").map_or(settings.len(), |at| at + 1));
        let (top, sections) = if settings.starts_with('[') {
            ("", settings)
        } else {
            (top, sections)
        };
        let data = folder.path().join("data");
        let text = format!("listen = \"127.0.0.1:0\"\ndata = {data:?}\n{top}\n{sections}\n");
        std::fs::write(folder.path().join("serve.toml"), text).unwrap();
        // With the features of the whole workspace, reqwest uses the process's default provider.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none());
        let mut service = Service {
            folder,
            child: None,
            address: String::new(),
            client: client.build().unwrap(),
            file_blocks: None,
        };
        service.run();
        service
    }

    /// The folder that holds its settings and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_uniq-serve");
        let mut command = Command::new(self.file_blocks.map_or(program, |_| "sh"));
        if let Some(blocks) = self.file_blocks {
            // Then writing beyond the limit is an error and does not kill the process.
            command
                .arg("-c")
                .arg(format!(
                    "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
                ))
                .arg(program);
        }
        command
            .arg("--config")
            .arg(self.folder.path().join("serve.toml"))
            .env_remove("RUST_LOG");
        command
    }

    /// Starts the program again, after it has ended.
    pub fn run(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}{}", self.log()));
        self.address = address.to_owned();
        self.child = Some(child);
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end, and waits. Returns whether it ended without an error.
    pub fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else {
            return false;
        };
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        child.wait().unwrap().success()
    }

    /// Its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts it on an existing data folder.
    pub fn on(data: &Path) -> Service {
        let folder = TempDir::new().unwrap();
        std::fs::rename(data, folder.path().join("data")).unwrap();
        Service::in_folder(folder, "")
    }

    /// Runs the program with other arguments than those that start the service.
    pub fn tool(&self, args: &[&str]) -> std::process::Output {
        self.command().args(args).output().unwrap()
    }

    /// Creates a key.
    pub fn key(&self, tenant: &str, scopes: &str) -> String {
        let mut command = self.command();
        // A different person each time.
        static KEYS: AtomicUsize = AtomicUsize::new(1);
        let name = format!("key {}", KEYS.fetch_add(1, Ordering::Relaxed));
        command
            .args([
                "key", "--tenant", tenant, "--name", &name, "--scopes", scopes,
            ])
            .stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut secret = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut secret)
            .unwrap();
        assert!(child.wait().unwrap().success());
        secret.trim().to_owned()
    }

    /// A request.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client
            .request(method.parse().unwrap(), format!("{}{path}", self.address))
    }

    /// A request with a key.
    pub fn with_key(&self, key: &str, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(key)
    }

    /// The response to a GET, which must succeed.
    pub fn get(&self, key: &str, path: &str) -> Value {
        ok(self.with_key(key, "GET", path).send().unwrap())
    }

    /// Submits a file, which must succeed.
    pub fn submit(&self, key: &str, creator: &str, file: &Path) -> Value {
        let body = std::fs::read(file).unwrap();
        ok(self
            .with_key(key, "POST", &format!("/v1/submissions?creator={creator}"))
            .body(body)
            .send()
            .unwrap())
    }

    /// Waits until something is so; panics with `what` and the log if it takes longer than `within`.
    pub fn wait_until(&self, what: &str, within: Duration, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < within, "{what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a submission has its answer or has ended without one.
    pub fn answer(&self, key: &str, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get(key, &format!("/v1/submissions/{id}"));
            if !matches!(now["state"].as_str(), Some("queued" | "checking")) {
                return now;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "{now}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// The body of a successful response.
pub fn ok(response: Response) -> Value {
    let status = response.status();
    let text = response.text().unwrap();
    assert!(status.is_success(), "{status}: {text}");
    if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap()
    }
}

/// The body of a response that must be a problem with this status.
pub fn problem(status: u16, response: Response) -> Value {
    let (found, kind) = (
        response.status().as_u16(),
        response.headers().get("content-type").cloned(),
    );
    let text = response.text().unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.unwrap(), "application/problem+json", "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["status"], status);
    value
}
