//! What a decoding process gives up before it reads the first byte.
//!
//! The order is: inherited descriptors, life without its parent, the terminal, capabilities, new
//! privileges, the file system and network (Landlock), resources, and last all system calls but a
//! few ([`super::calls`]). Each step is tried and reported separately; nothing is assumed from the
//! kernel's version.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::Protections;

/// Which steps to take; trials leave some out to test the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    All,
    /// Landlock without filter and limits: shows that it works alone.
    LandlockOnly,
    /// The system call filter without Landlock and limits.
    CallsOnly,
    /// Limits without Landlock and filter.
    LimitsOnly,
}

/// How much a process may still use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Bytes of address space beyond the program's own.
    pub(super) memory: u64,
    /// Processor time.
    pub(super) time: Duration,
}

/// Gives up everything not needed, and returns what was given up. `parent` is the process that must
/// be the parent.
pub(super) fn confine(
    input: &OwnedFd,
    output: &OwnedFd,
    parent: u32,
    allowance: Allowance,
    steps: Steps,
) -> Result<Protections, String> {
    system::close_others(input, output);
    system::die_of_faults();
    let dies_with_parent = system::die_with_parent(parent)?;
    // A new session has no terminal. This fails only for a group leader, which has no use for one
    // either.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    let no_capabilities = system::drop_capabilities();
    let no_new_privileges = system::no_new_privileges();
    // Read from a file, and files soon become inaccessible.
    let mapped = system::mapped();
    let landlock_version = match steps {
        Steps::All | Steps::LandlockOnly => system::landlock(),
        Steps::CallsOnly | Steps::LimitsOnly => 0,
    };
    // After the rule set, which briefly needs a descriptor.
    let limits = match steps {
        Steps::All | Steps::LimitsOnly => limit_resources(allowance, mapped),
        Steps::LandlockOnly | Steps::CallsOnly => false,
    };
    let seccomp = match steps {
        Steps::All | Steps::CallsOnly => system::allow_few_calls(input, output),
        Steps::LandlockOnly | Steps::LimitsOnly => false,
    };
    Ok(Protections {
        landlock_version,
        seccomp,
        no_capabilities,
        no_new_privileges,
        limits,
        dies_with_parent,
    })
}

/// Returns whether all limits are in force.
fn limit_resources(allowance: Allowance, mapped: u64) -> bool {
    let set = |resource: Resource, most: u64| {
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )
        .is_ok()
    };
    // No descriptor beyond its three, no byte written to a file, no core file, no further process.
    let few = set(Resource::Core, 0)
        & set(Resource::Fsize, 0)
        & set(Resource::Nproc, 0)
        & set(Resource::Nofile, 3);
    let seconds = allowance.time.as_secs().saturating_add(1);
    // First a signal that can be caught, then one that cannot.
    let time = setrlimit(
        Resource::Cpu,
        Rlimit {
            current: Some(seconds),
            maximum: Some(seconds + 5),
        },
    )
    .is_ok();
    few & time & set(Resource::As, mapped.saturating_add(allowance.memory))
}

#[cfg(target_os = "linux")]
mod system {
    use super::{AsRawFd, OwnedFd};
    use crate::sandbox::calls;

    /// Closes descriptors that a careless parent left open; the three standard ones are the
    /// parent's choice.
    #[allow(unsafe_code)]
    pub(super) fn close_others(input: &OwnedFd, output: &OwnedFd) {
        let mut kept = [2, input.as_raw_fd() as u32, output.as_raw_fd() as u32];
        kept.sort_unstable();
        let ends = [kept[1], kept[2], u32::MAX];
        for (first, end) in kept.into_iter().zip(ends) {
            let last = if end == u32::MAX {
                end
            } else {
                end.saturating_sub(1)
            };
            if first + 1 > last {
                continue;
            }
            // SAFETY: this process has just begun and owns only the standard descriptors and the
            // two that are spared, so nobody else's is closed. A kernel without this call closes
            // nothing.
            unsafe {
                libc::syscall(libc::SYS_close_range, first + 1, last, 0);
            }
        }
    }

    /// Removes the handlers with which Rust explains a stack overflow, so that a fault ends the
    /// process at once.
    #[allow(unsafe_code)]
    pub(super) fn die_of_faults() {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: the default action is no function of ours, and there is one thread.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }

    /// Asks the kernel to end this process when its parent ends; an error if the parent has ended
    /// already.
    pub(super) fn die_with_parent(parent: u32) -> Result<bool, String> {
        let signal = rustix::process::Signal::KILL;
        let set = rustix::process::set_parent_process_death_signal(Some(signal)).is_ok();
        // If the parent ended before the call, no signal would come.
        let now = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
        if now.is_none_or(|now| i64::from(now.get()) != i64::from(parent)) {
            return Err("the parent is gone".to_owned());
        }
        Ok(set)
    }

    /// Gives up the capabilities that distinguish root from a user; returns whether none is left.
    ///
    /// The bounding set only matters when a program is executed, which the system call filter
    /// forbids. So a user who may not empty it lacks nothing.
    pub(super) fn drop_capabilities() -> bool {
        use rustix::thread::{self, CapabilitySet, CapabilitySets};
        // This comes first, since it needs a capability. The kernel refuses numbers beyond its
        // last.
        for number in 0..u64::BITS {
            let _ = thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(
                1 << number,
            ));
        }
        // Kernels before 4.3 have no ambient set.
        let _ = thread::clear_ambient_capability_set();
        let empty = CapabilitySet::empty();
        let none = CapabilitySets {
            effective: empty,
            permitted: empty,
            inheritable: empty,
        };
        thread::set_capabilities(None, none).is_ok()
            && thread::capabilities(None).is_ok_and(|left| left == none)
    }

    pub(super) fn no_new_privileges() -> bool {
        // Other processes of the same user may not read this one either.
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        rustix::thread::set_no_new_privs(true).is_ok()
            && rustix::thread::no_new_privs().unwrap_or(false)
    }

    /// Gives up the file system and, if the kernel can, TCP, abstract sockets and signals to
    /// others. Returns the version of Landlock in force, 0 for none.
    pub(super) fn landlock() -> u8 {
        use landlock::{
            ABI, Access as _, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr as _,
            RulesetStatus, Scope,
        };
        // The crate leaves out what the running kernel does not support.
        let newest = ABI::V7;
        let status = Ruleset::default()
            .handle_access(AccessFs::from_all(newest))
            .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
            .and_then(|rules| rules.scope(Scope::from_all(newest)))
            .and_then(Ruleset::create)
            // No rule is added: nothing is allowed.
            .and_then(landlock::RulesetCreated::restrict_self);
        match status {
            Ok(status) if status.ruleset != RulesetStatus::NotEnforced => match status.landlock {
                LandlockStatus::Available { effective_abi, .. } => effective_abi as u8,
                _ => 0,
            },
            _ => 0,
        }
    }

    pub(super) fn allow_few_calls(input: &OwnedFd, output: &OwnedFd) -> bool {
        calls::apply(input.as_raw_fd(), output.as_raw_fd())
    }

    /// Bytes of address space of the program itself and its libraries.
    pub(super) fn mapped() -> u64 {
        let pages = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        pages.map_or(PROGRAM_GUESS, |pages| {
            pages.saturating_mul(rustix::param::page_size() as u64)
        })
    }

    /// Used if it cannot be read: with FFmpeg's 135 libraries on Debian it is about 400 MB.
    const PROGRAM_GUESS: u64 = 1 << 30;
}

/// Resource limits in a separate process; the other protections exist only on Linux.
#[cfg(not(target_os = "linux"))]
mod system {
    use super::OwnedFd;

    pub(super) fn close_others(_: &OwnedFd, _: &OwnedFd) {}

    pub(super) fn die_of_faults() {}

    /// It notices at its next message, within a tenth of a second, that nobody reads.
    pub(super) fn die_with_parent(_: u32) -> Result<bool, String> {
        Ok(false)
    }

    pub(super) fn drop_capabilities() -> bool {
        false
    }

    pub(super) fn no_new_privileges() -> bool {
        false
    }

    pub(super) fn landlock() -> u8 {
        0
    }

    pub(super) fn allow_few_calls(_: &OwnedFd, _: &OwnedFd) -> bool {
        false
    }

    pub(super) fn mapped() -> u64 {
        1 << 30
    }
}
