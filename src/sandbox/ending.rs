//! Decides why a decoding process ended, and whether the file is to blame.
//!
//! Only acts of the process itself count against its file: a crash, a limit that it reached, a
//! forbidden call. The memory killer and an operator send SIGKILL and SIGTERM, which say nothing
//! about the file. The process cannot send these to itself: its system call filter only allows
//! SIGABRT.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

/// Who ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It ended itself.
    Itself,
    /// Something else ended it.
    Outside,
}

/// Who ended a process with this status.
pub(super) fn cause(status: ExitStatus) -> Cause {
    match status.signal() {
        Some(number) if !OWN.iter().any(|(signal, _)| signal.as_raw() == number) => Cause::Outside,
        _ => Cause::Itself,
    }
}

/// How a process ended, for people.
pub(super) fn ending(status: ExitStatus) -> String {
    let Some(number) = status.signal() else {
        return match status.code() {
            Some(code) => format!("ended with code {code}"),
            None => "ended".to_owned(),
        };
    };
    let name = |known: &[(Signal, &'static str)]| {
        known
            .iter()
            .find(|(signal, _)| signal.as_raw() == number)
            .map_or("", |(_, name)| *name)
    };
    match cause(status) {
        Cause::Itself => format!("was killed by signal {number}{}", name(&OWN)),
        Cause::Outside => format!(
            "was killed from outside by signal {number}{}",
            name(&FOREIGN)
        ),
    }
}

/// What holds up a running process from outside, if anything does.
#[cfg(target_os = "linux")]
pub(super) fn held_up(process: u32) -> Option<&'static str> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The process's name may contain anything, but the last parenthesis ends it.
    match stat.rsplit_once(')')?.1.trim_start().chars().next()? {
        'T' | 't' => Some("stopped from outside"),
        'D' => Some("waiting for a disk that does not answer"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn held_up(_: u32) -> Option<&'static str> {
    None
}

/// Signals that a process causes itself, by a fault, a forbidden call, or a limit.
const OWN: [(Signal, &str); 9] = [
    (
        Signal::ABORT,
        " (SIGABRT: memory limit --max-memory reached, or heap corruption detected)",
    ),
    (Signal::BUS, " (SIGBUS)"),
    (Signal::FPE, " (SIGFPE)"),
    (Signal::ILL, " (SIGILL)"),
    (Signal::SEGV, " (SIGSEGV)"),
    (Signal::SYS, " (SIGSYS: it tried a forbidden system call)"),
    (Signal::TRAP, " (SIGTRAP)"),
    (Signal::XCPU, " (SIGXCPU: its processor time is used up)"),
    (Signal::XFSZ, " (SIGXFSZ: it wrote to a file)"),
];
/// The usual signals from outside.
const FOREIGN: [(Signal, &str); 2] = [
    (
        Signal::KILL,
        " (SIGKILL, which the system sends when memory runs out)",
    ),
    (Signal::TERM, " (SIGTERM)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_process_did_itself_speaks_against_its_file() {
        let by = |signal: Signal| ExitStatus::from_raw(signal.as_raw());
        for signal in [
            Signal::SEGV,
            Signal::ABORT,
            Signal::BUS,
            Signal::ILL,
            Signal::FPE,
            Signal::SYS,
            Signal::XCPU,
        ] {
            assert_eq!(cause(by(signal)), Cause::Itself, "{signal:?}");
        }
        for signal in [
            Signal::KILL,
            Signal::TERM,
            Signal::INT,
            Signal::HUP,
            Signal::QUIT,
            Signal::USR1,
            Signal::PIPE,
        ] {
            assert_eq!(cause(by(signal)), Cause::Outside, "{signal:?}");
            assert!(ending(by(signal)).contains("from outside"));
        }
        assert_eq!(cause(ExitStatus::from_raw(1 << 8)), Cause::Itself);
    }
}
