//! Finds out which instructions the processor has. Only this module can make a [`Kernel`].

use std::fmt;
use std::sync::OnceLock;

/// Instructions of a scan, which this processor has.
///
/// The field is private, so that other files can only get kernels from [`Kernel::available`]. This
/// makes it safe to run them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

/// Instructions that a scan can use, fastest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Popcnt,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Kernel {
    /// The kernels of this processor, fastest first; never empty.
    pub(crate) fn available() -> Vec<Kernel> {
        Instructions::ALL
            .into_iter()
            .filter(|instructions| instructions.are_there())
            .map(Kernel)
            .collect()
    }

    /// The fastest kernel of this processor, unless another was chosen.
    pub(crate) fn detect() -> Kernel {
        *CHOSEN.get_or_init(|| Kernel::available()[0])
    }

    /// Chooses the named kernel, for benchmarks. Returns `false` if this processor lacks it or
    /// another one is already in use.
    pub(crate) fn choose(name: &str) -> bool {
        let named = Kernel::available()
            .into_iter()
            .find(|kernel| format!("{kernel:?}").eq_ignore_ascii_case(name));
        named.is_some_and(|named| CHOSEN.set(named).is_ok() || CHOSEN.get() == Some(&named))
    }

    /// The instructions, which this processor has.
    pub(super) fn instructions(self) -> Instructions {
        self.0
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Instructions {
    #[cfg(target_arch = "x86_64")]
    const ALL: [Instructions; 4] = [
        Instructions::Avx512,
        Instructions::Avx2,
        Instructions::Popcnt,
        Instructions::Portable,
    ];
    #[cfg(target_arch = "aarch64")]
    const ALL: [Instructions; 2] = [Instructions::Neon, Instructions::Portable];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const ALL: [Instructions; 1] = [Instructions::Portable];

    fn are_there(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vpopcntdq")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Popcnt => is_x86_feature_detected!("popcnt"),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Instructions::Portable => true,
        }
    }
}

static CHOSEN: OnceLock<Kernel> = OnceLock::new();

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_kernel_for_what_the_processor_has_and_none_for_what_it_lacks() {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = text.lines().find(|line| line.starts_with("flags")).unwrap();
        let has = |names: &[&str]| {
            names
                .iter()
                .all(|name| flags.split(' ').any(|flag| flag == *name))
        };
        for (instructions, expected) in [
            (
                Instructions::Avx512,
                has(&[
                    "avx512f",
                    "avx512bw",
                    "avx512vl",
                    "avx512_vpopcntdq",
                    "popcnt",
                ]),
            ),
            (Instructions::Avx2, has(&["avx2", "popcnt"])),
            (Instructions::Popcnt, has(&["popcnt"])),
            (Instructions::Portable, true),
        ] {
            assert_eq!(
                Kernel::available().contains(&Kernel(instructions)),
                expected,
                "{instructions:?}"
            );
        }
    }
}
