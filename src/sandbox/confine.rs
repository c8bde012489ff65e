//! What a decoding process gives up before it looks at the first byte.
//!
//! In this order: descriptors that are not its own, life without its parent, the terminal,
//! capabilities, new privileges, the file system and network (Landlock), resources, and last all
//! system calls but a few ([`super::calls`]). Each step is tried alone, and what came of it is
//! reported; nothing is assumed from the kernel's version.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::Protections;

/// The steps that can be left out, for trials of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    All,
    /// Landlock, and neither filter nor limits: shows that it holds by itself.
    LandlockOnly,
    /// The filter of system calls, and neither Landlock nor limits.
    CallsOnly,
    /// Limits, and neither Landlock nor filter.
    LimitsOnly,
}

/// How much a process may still take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Bytes of address space beyond what the program itself takes.
    pub(super) memory: u64,
    /// Processor time.
    pub(super) time: Duration,
}

/// Gives up all that is not needed, and says what was given up; `parent` is the process that must
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
    // A session of its own has no terminal. This fails only for a leader of a group, which has no
    // use of it either.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    let no_capabilities = system::drop_capabilities();
    let no_new_privileges = system::no_new_privileges();
    // Asked of a file, which there soon are none of.
    let mapped = system::mapped();
    let landlock_version = match steps {
        Steps::All | Steps::LandlockOnly => system::landlock(),
        Steps::CallsOnly | Steps::LimitsOnly => 0,
    };
    // After the rule set, which is a descriptor for a moment.
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

/// Whether all of them hold now.
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
    // No descriptor beyond the three that it has, no byte written to a file, no core, no further
    // process.
    let few = set(Resource::Core, 0)
        & set(Resource::Fsize, 0)
        & set(Resource::Nproc, 0)
        & set(Resource::Nofile, 3);
    let seconds = allowance.time.as_secs().saturating_add(1);
    // A signal that can be caught first, then one that cannot.
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

    /// Closes what a careless parent left open; the three standard descriptors are the parent's
    /// choice.
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
            // SAFETY: this process has just begun and owns no descriptor but the standard ones and
            // the two that are spared, so that nobody else's is closed. A kernel without this call
            // closes nothing.
            unsafe {
                libc::syscall(libc::SYS_close_range, first + 1, last, 0);
            }
        }
    }

    /// Takes back the handlers with which Rust explains a stack overflow: a fault ends the process,
    /// and at once.
    #[allow(unsafe_code)]
    pub(super) fn die_of_faults() {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: the default action is no function of ours, and there is one thread.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }

    /// Asks the kernel for an end together with the parent; an error if that has ended already.
    pub(super) fn die_with_parent(parent: u32) -> Result<bool, String> {
        let signal = rustix::process::Signal::KILL;
        let set = rustix::process::set_parent_process_death_signal(Some(signal)).is_ok();
        // It may have ended before the call, and then nothing would come.
        let now = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
        if now.is_none_or(|now| i64::from(now.get()) != i64::from(parent)) {
            return Err("the parent is gone".to_owned());
        }
        Ok(set)
    }

    /// Gives up what makes root more than a user; whether nothing of it is left.
    ///
    /// The bounding set only matters to a program that is run, which the filter of system calls
    /// forbids; so that a user who may not empty it lacks nothing.
    pub(super) fn drop_capabilities() -> bool {
        use rustix::thread::{self, CapabilitySet, CapabilitySets};
        // First, since it takes a capability. The kernel refuses numbers beyond its last.
        for number in 0..u64::BITS {
            let _ = thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(
                1 << number,
            ));
        }
        // Older kernels than 4.3 have none.
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
        // Nor may another process of the same user look into this one.
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        rustix::thread::set_no_new_privs(true).is_ok()
            && rustix::thread::no_new_privs().unwrap_or(false)
    }

    /// Gives up the file system, and where the kernel can, TCP, abstract sockets and signals to
    /// others; the version of Landlock in force, 0 for none.
    pub(super) fn landlock() -> u8 {
        use landlock::{
            ABI, Access as _, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr as _,
            RulesetStatus, Scope,
        };
        // Whatever the running kernel does not know is left out by the crate.
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

    /// Bytes of address space that the program itself takes, with its libraries.
    pub(super) fn mapped() -> u64 {
        let pages = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        pages.map_or(PROGRAM_GUESS, |pages| {
            pages.saturating_mul(rustix::param::page_size() as u64)
        })
    }

    /// Where it cannot be asked: with FFmpeg's 135 libraries on Debian it is about 400 MB.
    const PROGRAM_GUESS: u64 = 1 << 30;
}

/// Limits and a process of its own; the rest belongs to Linux.
#[cfg(not(target_os = "linux"))]
mod system {
    use super::OwnedFd;

    pub(super) fn close_others(_: &OwnedFd, _: &OwnedFd) {}

    pub(super) fn die_of_faults() {}

    /// It notices at its next message, a tenth of a second later, that nobody reads them.
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
