//! Tries in a decoding process what it must not be able to do, so that protections are tested and
//! not assumed.

use std::os::unix::process::CommandExt as _;

use serde::{Deserialize, Serialize};

use super::confine::Steps;
use super::message::Tried;

/// Something forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// Nothing: the process gives up what it can and reports it.
    Start,
    /// Open a file, with only Landlock in the way.
    OpenPastLandlock,
    /// Open a file, with only the system call filter in the way.
    OpenPastCalls,
    /// Open a network connection.
    Connect,
    /// Become another program.
    Execute,
    /// Trace another process.
    Trace,
    /// Take more memory than allowed.
    Memory,
    /// Open more files than allowed.
    Files,
    /// Leave a core file or write to a file.
    Write,
}

impl Trial {
    /// All trials of something forbidden.
    pub const ALL: [Trial; 8] = [
        Trial::OpenPastLandlock,
        Trial::OpenPastCalls,
        Trial::Connect,
        Trial::Execute,
        Trial::Trace,
        Trial::Memory,
        Trial::Files,
        Trial::Write,
    ];

    /// What is tried, for people.
    pub fn what(self) -> &'static str {
        match self {
            Trial::Start => "start a decoding process",
            Trial::OpenPastLandlock => "open a file (Landlock)",
            Trial::OpenPastCalls => "open a file (seccomp)",
            Trial::Connect => "connect to a network address (seccomp)",
            Trial::Execute => "run another program (seccomp)",
            Trial::Trace => "look into another process (seccomp)",
            Trial::Memory => "take too much memory (limits)",
            Trial::Files => "hold another file (limits)",
            Trial::Write => "write to a file or leave a core (limits)",
        }
    }

    /// The protections in force during the trial.
    pub(super) fn steps(self) -> Steps {
        match self {
            Trial::Start => Steps::All,
            Trial::OpenPastLandlock => Steps::LandlockOnly,
            Trial::OpenPastCalls | Trial::Connect | Trial::Execute | Trial::Trace => {
                Steps::CallsOnly
            }
            Trial::Memory | Trial::Files | Trial::Write => Steps::LimitsOnly,
        }
    }

    /// Runs the trial. Some trials end the process, which is a result as well.
    pub(super) fn run(self) -> Tried {
        // Only the expected refusal proves protection; another error, such as a missing file,
        // proves nothing.
        let outcome = |done: std::io::Result<()>| match done {
            Ok(()) => Tried {
                refused: false,
                how: "it was let".to_owned(),
            },
            Err(error) => {
                let too_many = rustix::io::Errno::MFILE.raw_os_error();
                let refused = match self {
                    Trial::Files => error.raw_os_error() == Some(too_many),
                    _ => error.kind() == std::io::ErrorKind::PermissionDenied,
                };
                Tried {
                    refused,
                    how: super::message::clean(&error.to_string()),
                }
            }
        };
        match self {
            Trial::Start => outcome(Ok(())),
            // The root folder exists everywhere, so a missing file cannot pass for protection.
            Trial::OpenPastLandlock | Trial::OpenPastCalls | Trial::Files => outcome(
                std::fs::File::open(if self == Trial::Files {
                    "/dev/null"
                } else {
                    "/"
                })
                .map(drop),
            ),
            Trial::Connect => outcome(std::net::UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
            Trial::Execute => outcome(Err(std::process::Command::new("/bin/sh")
                .args(["-c", ":"])
                .exec())),
            Trial::Trace => outcome(trace()),
            Trial::Memory => {
                let mut hoard = Vec::<u8>::new();
                let refused = hoard.try_reserve_exact(2 * MEMORY as usize).is_err();
                // Otherwise the unused allocation might be optimised away.
                hoard.extend(&b"x"[..usize::from(!refused)]);
                Tried {
                    refused,
                    how: format!("{} bytes were asked for, {MEMORY} are allowed", 2 * MEMORY),
                }
            }
            Trial::Write => {
                use rustix::process::{Resource, getrlimit};
                let most =
                    [Resource::Core, Resource::Fsize].map(|resource| getrlimit(resource).maximum);
                Tried {
                    refused: most == [Some(0); 2],
                    how: format!("bytes allowed: {most:?}"),
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn trace() -> std::io::Result<()> {
    // SAFETY: the request takes no pointers. If it is allowed, this process is traced by its parent
    // and ends soon.
    match unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn trace() -> std::io::Result<()> {
    Ok(())
}

/// Bytes of memory that a trial is allowed.
pub(super) const MEMORY: u64 = 64 << 20;
