//! Identifies the process that works on a submission, and tells whether it still lives.

use std::fs;

use crate::{Error, Result};

/// A process that works on submissions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Worker {
    name: String,
}

impl Worker {
    /// A new worker in this process; each call gives another one.
    ///
    /// # Errors
    /// [`Error::Io`] if the system has no random numbers.
    pub fn new() -> Result<Worker> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(|error| Error::Io {
            path: "random numbers".into(),
            doing: "read",
            source: std::io::Error::other(error.to_string()),
        })?;
        let pid = std::process::id();
        let host = host().unwrap_or_else(|| "-".to_owned());
        let started = started(pid).unwrap_or(0);
        Ok(Worker {
            name: format!("{host} {pid} {started} {:016x}", u64::from_le_bytes(nonce)),
        })
    }

    /// Its name in the ledger: host, process, start time of the process, and a random number.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether another worker was on this host and its process has ended.
    pub(super) fn knows_is_gone(&self, other: &str) -> bool {
        let mut here = self.name.split(' ');
        let mut there = other.split(' ');
        let (Some(host), Some(other_host)) = (here.next(), there.next()) else {
            return false;
        };
        if host == "-" || host != other_host {
            return false;
        }
        let (Some(Ok(pid)), Some(Ok(began))) = (
            there.next().map(str::parse),
            there.next().map(str::parse::<u64>),
        ) else {
            return false;
        };
        // A process number may be reused by a process that started later.
        began != 0 && started(pid) != Some(began)
    }
}

/// Identifies the host's process numbers: by its boot and its process namespace.
fn host() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace: String = namespace
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(format!("{}.{namespace}", boot.trim()))
}

/// When a process started, in ticks since boot; `None` if it does not exist or is a zombie.
fn started(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    let mut fields = status[status.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(started)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_host_that_has_ended_is_known_to_be_gone() {
        let here = Worker::new().unwrap();
        assert_ne!(here, Worker::new().unwrap());
        assert!(!here.knows_is_gone(here.name()), "a living process");
        let fields: Vec<&str> = here.name().split(' ').collect();
        let (host, pid, began) = (fields[0], fields[1], fields[2]);
        assert!(
            here.knows_is_gone(&format!("{host} {pid} 1 00")),
            "another process of the same number"
        );
        assert!(
            here.knows_is_gone(&format!("{host} 4194304 {began} 00")),
            "no such process"
        );
        assert!(
            !here.knows_is_gone(&format!("elsewhere 4194304 {began} 00")),
            "another host"
        );
        for other in ["", "x", "- 1 2 3", &format!("{host} x y z")] {
            assert!(!here.knows_is_gone(other), "{other}");
        }
    }
}
