//! Starts this test's program again as another process, and tells a process its role.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use uniq::fingerprint::FINGERPRINT_VERSION;
use uniq::index::{IndexConfig, IndexState, Writer};

use crate::model::{Model, Step, Upkeep, video};

pub(crate) const CONFIG: IndexConfig = IndexConfig {
    fingerprint_version: FINGERPRINT_VERSION,
    interval: uniq::sample::CORPUS_INTERVAL,
};

/// The task of a process that a test started; the test itself has no role.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// Selects the list of steps.
    pub(crate) seed: u64,
    /// Number of steps done before; for a reader, its own number.
    pub(crate) number: u64,
}

impl Role {
    /// The role of this process, if a test started it.
    pub(crate) fn own() -> Option<Role> {
        let text = std::env::var(VARIABLE).ok()?;
        let mut fields = text.splitn(4, ' ');
        let mut field = || fields.next().expect("four fields").to_owned();
        let (name, seed, number) = (field(), field().parse().unwrap(), field().parse().unwrap());
        Some(Role {
            name,
            dir: PathBuf::from(field()),
            seed,
            number,
        })
    }

    /// Starts a process that runs the test `test` in this role.
    pub(crate) fn start(&self, test: &str) -> Other {
        let role = format!(
            "{} {} {} {}",
            self.name,
            self.seed,
            self.number,
            self.dir.display()
        );
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(VARIABLE, role);
        Other::start(command)
    }
}

/// Another process and its output lines.
pub(crate) struct Other {
    pub(crate) child: Child,
    pub(crate) lines: Receiver<String>,
}

impl Other {
    fn start(mut command: Command) -> Other {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in said.lines() {
                // An incomplete last line comes from a killed process and is ignored.
                if let Some(line) = line
                    .as_deref()
                    .ok()
                    .and_then(|line| line.strip_prefix(MARK)?.strip_suffix(END))
                {
                    let _ = send.send(line.to_owned());
                }
            }
        });
        Other { child, lines }
    }

    /// Kills the process and waits for its end. Returns whether it was still running.
    pub(crate) fn kill(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal() == Some(9)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // A failed test leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints a line for the test that started this process. If the test has ended, it fails and so
/// ends the process.
pub(crate) fn say(line: &dyn Display) {
    // The test runner may have begun a line of its own.
    let line = format!("\n{MARK}{line}{END}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Opens the index and writes for ever, one step after another, with a line before and after each.
///
/// `begin STEP WORK` comes before the step's first change, `done STEP GENERATION ROOT` when all of
/// it is committed.
pub(crate) fn write(dir: &Path, seed: u64, done: u64, stop: &dyn Fn() -> bool) {
    let mut model = Model::after(seed, done);
    say(&"open");
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    while !stop() {
        let step = model.advance();
        say(&format_args!("begin {} {}", model.done, step.work.name()));
        let state = perform(&mut writer, seed, &step);
        say(&format_args!(
            "done {} {} {}",
            model.done, state.generation, state.root
        ));
    }
}

/// Does one step.
fn perform(writer: &mut Writer, seed: u64, step: &Step) -> IndexState {
    for selector in &step.remove {
        assert_eq!(writer.remove(selector).unwrap(), 1, "{selector}");
    }
    for &number in &step.add {
        assert!(
            writer
                .add(video(seed, number), crate::model::runs(seed, number))
                .unwrap()
        );
    }
    match step.upkeep {
        Upkeep::None => drop(writer.commit().unwrap()),
        Upkeep::WhenDue => writer.maintain(&|| false).unwrap(),
        Upkeep::ByCells(cells) => writer.sort_by_cells(cells, &|| false).unwrap(),
        Upkeep::All => writer.compact(&|| false).unwrap(),
    }
    // With nothing waiting, this commits nothing and returns the state.
    writer.commit().unwrap()
}

const VARIABLE: &str = "UNIQ_CRASH_TEST_ROLE";
const MARK: &str = "crash-test: ";
const END: &str = " .";
