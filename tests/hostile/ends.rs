//! Decoding processes that die, stall or lose their parent, and systems without one of the
//! protections.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::media_files::{footage, scene};
use crate::{UNIQ, command, index, said, shared, uniq};

/// A clip that takes a second or more to decode: two seconds, encoded once and repeated many times.
fn long() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = shared("long");
        let options = "-vf scale=1920:1080 -c:v libx264 -preset ultrafast -g 250 -pix_fmt yuv420p";
        let part = scene(&folder, "part.mp4", 2.0, options);
        footage(
            &folder,
            "long.mp4",
            &format!("-stream_loop 11 -i {} -c copy", part.display()),
        )
    })
}

/// Child processes of `parent`.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|process| parent_of(*process) == Some(parent))
        .collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    fields.next()?.parse().ok().filter(|_| state != "Z")
}

fn is_alive(process: u32) -> bool {
    parent_of(process).is_some()
}

fn is_confined(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/status"))
        .is_ok_and(|status| status.contains("Seccomp_filters:\t2"))
}

fn within(bound: Duration, what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < bound, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(process: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(process as i32).unwrap(), signal);
}

/// Starts a check and waits until its process decodes `long`; a process without a file ends by
/// itself.
fn start(args: &[&str], files: &[&Path]) -> (Child, u32) {
    let mut check = command(&["check", "--json", "-j", "1", "--index"]);
    started(check.arg(index()).args(args).args(files))
}

fn started(check: &mut Command) -> (Child, u32) {
    let child = check
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut worker = 0;
    within(Duration::from_secs(30), "a decoding process", || {
        let reads = |process: &u32| {
            let file = fs::read_link(format!("/proc/{process}/fd/0"));
            file.is_ok_and(|file| file == long().canonicalize().unwrap())
        };
        worker = children(child.id()).into_iter().find(reads).unwrap_or(0);
        worker != 0
    });
    // Waits until the process is prepared. The filter of system calls comes last; a kernel without
    // it needs a time limit.
    let begun = Instant::now();
    while !is_confined(worker) && begun.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    (child, worker)
}

fn answers(child: Child) -> (Vec<Value>, String, Option<i32>) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (lines, said(&output), output.status.code())
}

#[test]
fn a_decoding_process_has_given_up_everything() {
    let (mut child, worker) = start(&[], &[long()]);
    let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name}"));
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        (field("Seccomp:").as_str(), field("NoNewPrivs:").as_str()),
        ("2", "1"),
        "{status}"
    );
    assert_eq!(field("Seccomp_filters:"), "2");
    // Also for a process that root started. Only unprivileged users keep the bounding set, which
    // none of their programs can use.
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .unwrap();
    let may_empty = u64::from_str_radix(own.trim(), 16).unwrap() & (1 << 8) != 0;
    for name in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"]
        .into_iter()
        .chain(may_empty.then_some("CapBnd:"))
    {
        assert_eq!(field(name), "0000000000000000", "{name} {status}");
    }
    assert_eq!(field("Threads:"), "1");
    let environment = fs::read(format!("/proc/{worker}/environ")).unwrap_or_default();
    assert!(
        !String::from_utf8_lossy(&environment).contains("XDG_STATE_HOME="),
        "the environment was handed on"
    );
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    for (name, most) in [
        ("Max core file size", "0"),
        ("Max file size", "0"),
        ("Max open files", "3"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(
            line[name.len()..].split_whitespace().next(),
            Some(most),
            "{line}"
        );
    }
    // The file, the pipe, no standard streams, and the process's own copies of file and pipe.
    let mut open: Vec<PathBuf> = fs::read_dir(format!("/proc/{worker}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    open.sort();
    open.dedup();
    assert_eq!(open.len(), 3, "{open:?}");
    let session = rustix::process::getsid(Pid::from_raw(worker as i32)).unwrap();
    assert_eq!(session.as_raw_nonzero().get() as u32, worker);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn no_decoding_process_outlives_its_parent() {
    for (signal, what) in [
        (Signal::KILL, "killed"),
        (Signal::TERM, "asked to stop"),
        (Signal::INT, "interrupted"),
    ] {
        let (child, worker) = start(&[], &[long()]);
        send(child.id(), signal);
        within(
            Duration::from_secs(5),
            &format!("the end of a worker whose parent was {what}"),
            || !is_alive(worker),
        );
        child.wait_with_output().unwrap();
    }
}

#[test]
fn a_death_is_told_with_signal_and_time_the_batch_goes_on_and_the_second_one_quarantines() {
    let folder = shared("deaths");
    let journal = folder.join("journal.jsonl");
    let _ = fs::remove_file(&journal);
    let short = scene(&folder, "short.mp4", 0.4, "-c:v mpeg4 -pix_fmt yuv420p");
    let options = ["--journal", journal.to_str().unwrap()];
    for (signal, name) in [(Signal::SEGV, "SIGSEGV"), (Signal::ABORT, "SIGABRT")] {
        let (child, worker) = start(&options, &[long(), &short]);
        send(worker, signal);
        let (lines, words, code) = answers(child);
        let error = lines[0]["message"].as_str().unwrap();
        assert!(
            error.contains(name) && error.contains("s of video decoded"),
            "{error}"
        );
        assert!(lines[1]["message"].is_null(), "{lines:?}");
        assert!(words.contains(name) && code == Some(2), "{words}");
    }
    let copy = folder.join("another-name.mp4");
    fs::copy(long(), &copy).unwrap();
    let again = |extra: &[&str]| {
        let mut check = command(&["check", "--json", "--index"]);
        check
            .arg(index())
            .args(options)
            .args(extra)
            .args([&copy, &short]);
        let output = check.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let refused = again(&[]);
    assert!(
        refused.contains("quarantined") && refused.contains("--retry-quarantined"),
        "{refused}"
    );
    // All commands share one journal.
    let build = ["index", "build", "--journal", options[1], "--index"];
    let built = uniq(&build, &[&folder.join("index"), &copy]);
    assert!(said(&built).contains("quarantined"), "{}", said(&built));
    assert!(!again(&["--retry-quarantined"]).contains("quarantined"));
    assert!(
        !again(&[]).contains("quarantined"),
        "it was decoded to its end, and so is free"
    );
}

#[test]
fn a_process_that_is_killed_from_outside_is_replaced_and_nothing_held_against_the_file() {
    let journal = shared("stalls").join("journal.jsonl");
    let options = ["--journal", journal.to_str().unwrap()];
    let (child, _) = start(&options, &[long()]);
    let undisturbed = answers(child);
    let (child, worker) = start(&options, &[long()]);
    send(worker, Signal::KILL);
    let (lines, words, code) = answers(child);
    assert_eq!((words, code), (String::new(), undisturbed.2));
    for same in ["verdict", "seconds", "clip", "reasons", "spans"] {
        assert_eq!(lines[0][same], undisturbed.0[0][same]);
    }
    assert!(!is_alive(worker) && !journal.exists());
}

#[test]
fn whoever_kills_all_processes_of_a_file_is_told_so_and_does_not_quarantine_it() {
    let journal = shared("killer").join("journal.jsonl");
    let (child, mut worker) = start(&["--journal", journal.to_str().unwrap()], &[long()]);
    for more in [true, true, false] {
        send(worker, Signal::KILL);
        within(Duration::from_secs(30), "another decoding process", || {
            let other = children(child.id())
                .into_iter()
                .find(|process| *process != worker);
            worker = other.unwrap_or(worker);
            !more || other.is_some()
        });
    }
    let (lines, words, code) = answers(child);
    assert_eq!(
        (&lines[0]["code"], code),
        (&Value::from("worker_killed"), Some(2)),
        "{words}"
    );
    assert!(
        words.contains("from outside by signal 9 (SIGKILL")
            && words.contains("the file is not at fault"),
        "{words}"
    );
    assert!(!journal.exists());
}

#[test]
fn a_full_disk_under_the_journal_is_told_and_leaves_its_lines_whole() {
    let folder = shared("full");
    let journal = folder.join("journal.jsonl");
    let line = format!("{{\"note\":\"{}\"}}\n", "x".repeat(480));
    fs::write(&journal, &line).unwrap();
    // The process may write files of 512 bytes. Beyond that it gets an error, as from a full disk.
    let mut check = Command::new("sh");
    check
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 1; exec \"$@\"",
            "sh",
            UNIQ,
            "check",
            "--json",
            "--index",
        ])
        .arg(index());
    check
        .arg("--journal")
        .arg(&journal)
        .arg(long())
        .env("XDG_STATE_HOME", shared("state"));
    let (child, worker) = started(&mut check);
    send(worker, Signal::SEGV);
    let (lines, words, code) = answers(child);
    assert_eq!(
        (&lines[0]["code"], code),
        (&Value::from("worker_died"), Some(2)),
        "{words}"
    );
    let told = [
        "SIGSEGV",
        "could not be written to the journal",
        journal.to_str().unwrap(),
        "free some space",
    ];
    assert!(told.iter().all(|part| words.contains(part)), "{words}");
    assert_eq!(fs::read_to_string(&journal).unwrap(), line);
}

#[test]
fn a_kernel_without_landlock_is_told_of_once_and_refused_on_request() {
    let folder = shared("lacking");
    let clips: Vec<PathBuf> = (1..4)
        .map(|n| {
            scene(
                &folder,
                &format!("{n}.mp4"),
                0.4,
                "-c:v mpeg4 -pix_fmt yuv420p",
            )
        })
        .collect();
    let run = |args: &[&str]| {
        let mut check = command(&["check", "--json", "--index"]);
        check.arg(index()).args(args).args(&clips);
        without_landlock(&mut check);
        check.output().unwrap()
    };
    let output = run(&[]);
    assert_eq!(
        said(&output).matches("Landlock").count(),
        1,
        "{}",
        said(&output)
    );
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let refused = run(&["--require-sandbox"]);
    assert_eq!(refused.status.code(), Some(2));
    let error: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(
        error["message"].as_str().unwrap().contains("Landlock") && error["verdict"].is_null(),
        "{error}"
    );
    assert!(said(&refused).contains("Landlock"), "{}", said(&refused));
    let mut doctor = command(&["doctor", "--json", "--index"]);
    without_landlock(doctor.arg(index()));
    let output = doctor.output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (
            output.status.code(),
            &found["protections"]["landlock_version"]
        ),
        (Some(2), &Value::from(0))
    );
    assert_eq!(found["healthy"], false);
    let trial = found["trials"]
        .as_array()
        .unwrap()
        .iter()
        .find(|trial| trial["what"] == "open a file (Landlock)");
    assert_eq!(trial.unwrap()["refused"], false, "the trial does not try");
    let advice = found["advice"].to_string();
    assert!(advice.contains("Linux 5.13"), "{advice}");
}

#[test]
fn the_doctor_finds_every_protection_of_this_system_by_trying() {
    let mut doctor = command(&["doctor", "--json", "--index"]);
    let output = doctor.arg(index()).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.success(), found["healthy"] == true);
    assert_eq!(found["trials"].as_array().unwrap().len(), 8);
    assert_eq!(found["index"]["state"], "good");
    let refused = |what: &str| {
        let trials = found["trials"].as_array().unwrap();
        trials
            .iter()
            .any(|trial| trial["what"].as_str().unwrap().contains(what) && trial["refused"] == true)
    };
    // Every system has limits; the other protections depend on the kernel.
    assert!(refused("(limits)") && refused("memory"), "{found:#}");
    assert_eq!(
        refused("(Landlock)"),
        found["protections"]["landlock_version"] != 0
    );
    assert_eq!(
        refused("run another program"),
        found["protections"]["seccomp"] == true
    );
    let damaged = shared("doctor").join("index");
    let _ = fs::remove_dir_all(&damaged);
    fs::create_dir_all(&damaged).unwrap();
    fs::write(damaged.join("manifest"), b"nonsense").unwrap();
    let output = uniq(&["doctor", "--index"], &[&damaged]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.code() == Some(2) && text.contains("to do: the index cannot be used"),
        "{text}"
    );
}

/// Makes the kernel answer Landlock's system calls as if it did not know them.
#[allow(unsafe_code)]
fn without_landlock(command: &mut std::process::Command) {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
    let calls = [
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
    ];
    let rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let machine = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, unknown, machine).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    // SAFETY: between fork and exec it makes two system calls and allocates no memory.
    unsafe {
        command.pre_exec(move || {
            apply_filter(&program).map_err(|_| std::io::Error::from_raw_os_error(libc::EPERM))
        });
    }
}
