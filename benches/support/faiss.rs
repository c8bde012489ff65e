//! FAISS in a child process, so that its rounds alternate with ours.
//!
//! Its Python environment is created on first use, in cargo's folder for temporary files, with
//! exactly the packages of `benches/faiss/requirements.txt`. Without Python or the network there is
//! no FAISS, and a bench continues without it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use uniq::fingerprint::Key;

/// A running child, which ends when this is dropped.
pub struct Faiss {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: TempDir,
    /// Version, and instructions in use.
    pub version: String,
}

impl Faiss {
    /// Starts FAISS. If that fails, prints why and returns `None`.
    pub fn start() -> Option<Faiss> {
        match environment().and_then(|python| Faiss::spawn(&python)) {
            Ok(faiss) => Some(faiss),
            Err(reason) => {
                println!("no comparison with FAISS: {reason}");
                None
            }
        }
    }

    fn spawn(python: &Path) -> Result<Faiss, String> {
        let mut child = Command::new(python)
            .arg(Path::new(SOURCES).join("server.py"))
            // Otherwise its BLAS would start a thread for each core.
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", python.display()))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut faiss = Faiss {
            child,
            input,
            output,
            folder: super::corpus::scratch(),
            version: String::new(),
        };
        faiss.version = faiss.request("version")?.join(" ");
        Ok(faiss)
    }

    /// Passes keys and queries.
    pub fn load(&mut self, keys: &[Key], queries: &[Key]) {
        for (name, keys) in [("keys", keys), ("queries", queries)] {
            let path = self.folder.path().join(name);
            let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_bytes()).collect();
            fs::write(&path, bytes).expect("there is space on the disk");
            self.ask(&format!("{name} {}", path.display()));
        }
    }

    /// Sends a request as in `server.py`, and returns the numbers of the answer.
    pub fn ask(&mut self, request: &str) -> Vec<f64> {
        let words = self
            .request(request)
            .unwrap_or_else(|reason| panic!("FAISS: {request}: {reason}"));
        words
            .iter()
            .map(|word| word.parse().expect("FAISS answers with numbers"))
            .collect()
    }

    fn request(&mut self, request: &str) -> Result<Vec<String>, String> {
        let input = self.input.as_mut().ok_or("no input")?;
        writeln!(input, "{request}")
            .and_then(|()| input.flush())
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        match line.trim_end().split_once(' ') {
            Some(("ok", rest)) => Ok(rest.split(' ').map(str::to_owned).collect()),
            Some((_, reason)) => Err(reason.to_owned()),
            None => Err("it ended".to_owned()),
        }
    }
}

impl Drop for Faiss {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// Finds or makes the Python environment and gives its interpreter.
fn environment() -> Result<PathBuf, String> {
    let requirements = Path::new(SOURCES).join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faiss");
    let python = folder.join("bin/python");
    // Written last, so that an incomplete environment is created again.
    let stamp = folder.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    println!(
        "making a Python environment for FAISS in {}",
        folder.display()
    );
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
    ];
    run(Command::new(&python).args(pip).arg("-r").arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}",
        words.lines().last().unwrap_or("failed without a word")
    ))
}

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/faiss");
