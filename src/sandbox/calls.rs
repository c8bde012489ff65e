//! The system calls that a decoding process may still make, and why.
//!
//! There are two filters. The first allows what decoding needs and answers everything else with
//! "not permitted", since a library may try harmless calls and do without them. The second kills
//! the process for calls that only an attacker makes: to reach another program, the network, or
//! other processes.

#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
mod filters {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq,
        SeccompCmpOp::MaskedEq, SeccompCondition, SeccompFilter, SeccompRule,
    };

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// Installs both filters for good; returns whether the kernel accepted them.
    pub(crate) fn apply(input: i32, output: i32) -> bool {
        let Some((few, fatal)) = few(input, output).zip(fatal()) else {
            return false;
        };
        // The second filter comes first: installing a filter is itself a call that the first one
        // refuses.
        seccompiler::apply_filter(&fatal).is_ok() && seccompiler::apply_filter(&few).is_ok()
    }

    fn few(input: i32, output: i32) -> Option<BpfProgram> {
        let mut rules = Rules::new();
        for call in PLAIN.iter().flat_map(|(_, calls)| *calls) {
            rules.insert(*call, Vec::new());
        }
        // It may read the file and write the pipe, and use no other descriptor.
        let only = |descriptor: i32| rule(0, Eq, u64::from(descriptor.unsigned_abs()));
        for call in [libc::SYS_pread64, libc::SYS_read] {
            rules.insert(call, vec![only(input)?]);
        }
        rules.insert(libc::SYS_write, vec![only(output)?]);
        // It may allocate and free memory, but never make it executable.
        let no_code = || rule(2, MaskedEq(libc::PROT_EXEC as u64), 0);
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![no_code()?]);
        }
        // It may end itself with SIGABRT, as the C library does on heap corruption. It may send no
        // other signal, so that its end cannot look like somebody else's act.
        let abort = SeccompRule::new(vec![
            SeccompCondition::new(0, Dword, Eq, u64::from(std::process::id())).ok()?,
            SeccompCondition::new(2, Dword, Eq, libc::SIGABRT as u64).ok()?,
        ]);
        rules.insert(libc::SYS_tgkill, vec![abort.ok()?]);
        compiled(
            rules,
            SeccompAction::Errno(libc::EPERM as u32),
            SeccompAction::Allow,
        )
    }

    fn fatal() -> Option<BpfProgram> {
        let rules = FATAL
            .iter()
            .flat_map(|(_, calls)| *calls)
            .map(|call| (*call, Vec::new()))
            .collect();
        compiled(rules, SeccompAction::Allow, SeccompAction::KillProcess)
    }

    fn compiled(
        rules: Rules,
        otherwise: SeccompAction,
        matched: SeccompAction,
    ) -> Option<BpfProgram> {
        #[cfg(target_arch = "x86_64")]
        let machine = seccompiler::TargetArch::x86_64;
        #[cfg(target_arch = "aarch64")]
        let machine = seccompiler::TargetArch::aarch64;
        #[cfg(target_arch = "riscv64")]
        let machine = seccompiler::TargetArch::riscv64;
        SeccompFilter::new(rules, otherwise, matched, machine)
            .ok()?
            .try_into()
            .ok()
    }

    fn rule(argument: u8, operator: seccompiler::SeccompCmpOp, value: u64) -> Option<SeccompRule> {
        SeccompRule::new(vec![
            SeccompCondition::new(argument, Dword, operator, value).ok()?,
        ])
        .ok()
    }

    /// Calls allowed with any arguments, by reason.
    const PLAIN: &[(&str, &[i64])] = &[
        (
            "memory is given back, moved and grown",
            &[
                libc::SYS_brk,
                libc::SYS_munmap,
                libc::SYS_mremap,
                libc::SYS_madvise,
            ],
        ),
        (
            "locks within the process",
            &[libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_rseq],
        ),
        (
            "the clock, for progress and time limits",
            &[
                libc::SYS_clock_gettime,
                libc::SYS_gettimeofday,
                libc::SYS_clock_nanosleep,
                libc::SYS_nanosleep,
                libc::SYS_sched_yield,
            ],
        ),
        (
            "questions about itself: hash seeds, thread, cores",
            &[
                libc::SYS_getrandom,
                libc::SYS_getpid,
                libc::SYS_gettid,
                libc::SYS_sched_getaffinity,
            ],
        ),
        (
            "its own signals, for an orderly end",
            &[
                libc::SYS_rt_sigaction,
                libc::SYS_rt_sigprocmask,
                libc::SYS_rt_sigreturn,
                libc::SYS_sigaltstack,
            ],
        ),
        ("its descriptors are closed", &[libc::SYS_close]),
        (
            "the end",
            &[
                libc::SYS_exit,
                libc::SYS_exit_group,
                libc::SYS_restart_syscall,
            ],
        ),
    ];

    /// Calls that kill the process, by reason.
    const FATAL: &[(&str, &[i64])] = &[
        ("other programs", &[libc::SYS_execve, libc::SYS_execveat]),
        (
            "the network",
            &[
                libc::SYS_socket,
                libc::SYS_socketpair,
                libc::SYS_connect,
                libc::SYS_bind,
                libc::SYS_listen,
                libc::SYS_accept,
                libc::SYS_accept4,
                libc::SYS_sendto,
                libc::SYS_sendmsg,
                libc::SYS_sendmmsg,
            ],
        ),
        (
            "other processes",
            &[
                libc::SYS_ptrace,
                libc::SYS_process_vm_readv,
                libc::SYS_process_vm_writev,
                libc::SYS_kill,
                libc::SYS_tkill,
                libc::SYS_pidfd_open,
                libc::SYS_pidfd_getfd,
                libc::SYS_pidfd_send_signal,
            ],
        ),
        (
            "the kernel",
            &[
                libc::SYS_bpf,
                libc::SYS_perf_event_open,
                libc::SYS_userfaultfd,
                libc::SYS_io_uring_setup,
                libc::SYS_init_module,
                libc::SYS_finit_module,
                libc::SYS_keyctl,
                libc::SYS_add_key,
                libc::SYS_request_key,
            ],
        ),
        (
            "another view of the file system",
            &[
                libc::SYS_mount,
                libc::SYS_umount2,
                libc::SYS_pivot_root,
                libc::SYS_chroot,
                libc::SYS_setns,
                libc::SYS_unshare,
            ],
        ),
    ];
}

#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
pub(super) use filters::apply;

/// There is no filter for this architecture.
#[cfg(all(
    target_os = "linux",
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    ))
))]
pub(super) fn apply(_: i32, _: i32) -> bool {
    false
}
