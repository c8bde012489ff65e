//! A small endpoint that answers as told, and records what it receives.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A received message.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Came {
    pub(super) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// This status, followed by this header and body.
    Status(u16, String),
    /// No answer for this time.
    Nothing(Duration),
}

pub(super) struct Receiver {
    pub(super) port: u16,
    came: Arc<Mutex<Vec<Came>>>,
    says: Arc<Mutex<Vec<Says>>>,
}

impl Receiver {
    /// An endpoint that gives these answers in order, and then 200.
    pub(super) fn start(says: Vec<Says>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Receiver {
            port,
            came: Arc::default(),
            says: Arc::new(Mutex::new(says)),
        };
        let (came, says) = (receiver.came.clone(), receiver.says.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (came, says) = (came.clone(), says.clone());
                std::thread::spawn(move || answer(stream, &came, &says));
            }
        });
        receiver
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The messages so far.
    pub(super) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// Replaces the answers.
    pub(super) fn say(&self, says: Vec<Says>) {
        *self.says.lock().unwrap() = says;
    }

    /// Waits until `number` messages as wanted have arrived.
    pub(super) fn wait(&self, number: usize, is_wanted: impl Fn(&Came) -> bool) -> Vec<Came> {
        let began = Instant::now();
        loop {
            let found: Vec<Came> = self
                .came()
                .into_iter()
                .filter(|came| is_wanted(came))
                .collect();
            if found.len() >= number {
                return found;
            }
            assert!(
                began.elapsed() < Duration::from_secs(90),
                "{number}: {:?}",
                self.came()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn answer(mut stream: TcpStream, came: &Mutex<Vec<Came>>, says: &Mutex<Vec<Says>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let says = {
        let mut says = says.lock().unwrap();
        if says.is_empty() {
            Says::Status(200, String::new())
        } else {
            says.remove(0)
        }
    };
    let body = String::from_utf8(body).unwrap();
    came.lock().unwrap().push(Came {
        path,
        headers,
        body,
    });
    match says {
        Says::Status(status, more) => {
            let more = if more.is_empty() {
                "content-length: 0\r\n\r\n".to_owned()
            } else {
                more
            };
            let _ = stream.write_all(format!("HTTP/1.1 {status} Said\r\n{more}").as_bytes());
        }
        Says::Nothing(time) => std::thread::sleep(time),
    }
}
