//! Which instructions the processor has; nothing else can make a [`Kernel`].

use std::fmt;

/// The instructions of a scan, which this processor has.
///
/// The field is private, so that outside of this file there are only those that [`Kernel::available`] gives: on that rests that
/// they may be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kernel(Instructions);

/// Instructions that a scan can be made of, fastest first.
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
    /// Those that this processor has, fastest first; never empty.
    pub(crate) fn available() -> Vec<Kernel> {
        Instructions::ALL.into_iter().filter(|instructions| instructions.are_there()).map(Kernel).collect()
    }

    /// The fastest one of this processor.
    pub(crate) fn detect() -> Kernel {
        Kernel::available()[0]
    }

    /// The instructions, of which the processor has been asked.
    pub(super) fn instructions(self) -> Instructions {
        self.0
    }

    /// Estimated time of a batch, for choosing between scan and graph; nanoseconds on one core.
    pub(crate) fn estimate_ns(self, keys: usize, queries: usize) -> f64 {
        let pair_ns = match self.0 {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => AVX512_NS,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => AVX2_NS,
            #[cfg(target_arch = "x86_64")]
            Instructions::Popcnt => POPCNT_NS,
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => NEON_NS,
            Instructions::Portable => PORTABLE_NS,
        };
        keys as f64 * (MEMORY_NS + queries as f64 * pair_ns)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Instructions {
    #[cfg(target_arch = "x86_64")]
    const ALL: [Instructions; 4] =
        [Instructions::Avx512, Instructions::Avx2, Instructions::Popcnt, Instructions::Portable];
    #[cfg(target_arch = "aarch64")]
    const ALL: [Instructions; 2] = [Instructions::Neon, Instructions::Portable];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const ALL: [Instructions; 1] = [Instructions::Portable];

    fn are_there(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vpopcntdq")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt"),
            #[cfg(target_arch = "x86_64")]
            Instructions::Popcnt => is_x86_feature_detected!("popcnt"),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Instructions::Portable => true,
        }
    }
}

// Nanoseconds a pair on one core, for `Kernel::estimate_ns` only: 1 000 000 random keys, 504 queries, radius 72, on an
// AMD EPYC (family 25, model 17) while others worked on it.
#[cfg(target_arch = "x86_64")]
const AVX512_NS: f64 = 0.16;
#[cfg(target_arch = "x86_64")]
const AVX2_NS: f64 = 0.49;
#[cfg(target_arch = "x86_64")]
const POPCNT_NS: f64 = 1.2;
const PORTABLE_NS: f64 = 2.0;
/// Counted from the instructions and not measured: about as many as AVX2 needs for twice the keys.
#[cfg(target_arch = "aarch64")]
const NEON_NS: f64 = 0.7;
/// Nanoseconds to bring a key into the cache, at about 10 GB/s.
const MEMORY_NS: f64 = 3.0;

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_kernel_for_what_the_processor_has_and_none_for_what_it_lacks() {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = text.lines().find(|line| line.starts_with("flags")).unwrap();
        let has = |names: &[&str]| names.iter().all(|name| flags.split(' ').any(|flag| flag == *name));
        for (instructions, expected) in [
            (Instructions::Avx512, has(&["avx512f", "avx512_vpopcntdq", "popcnt"])),
            (Instructions::Avx2, has(&["avx2", "popcnt"])),
            (Instructions::Popcnt, has(&["popcnt"])),
            (Instructions::Portable, true),
        ] {
            assert_eq!(Kernel::available().contains(&Kernel(instructions)), expected, "{instructions:?}");
        }
    }
}
