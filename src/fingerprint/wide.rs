//! Lets hot loops use wide registers where the processor has them.

/// Makes a function that runs an `#[inline(always)]` one compiled for AVX2 where the processor has it, and as it is elsewhere. Both
/// do the same operations on each number in the same order, and no multiplication is fused with an addition, so that all
/// processors give the same bits.
macro_rules! widened {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:path;) => {
        $(#[$doc])*
        $vis fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                #[target_feature(enable = "avx2")]
                fn wide($($arg: $type),*) {
                    $body($($arg),*);
                }
                // SAFETY: the processor was found to have it.
                #[allow(unsafe_code)]
                return unsafe { wide($($arg),*) };
            }
            $body($($arg),*);
        }
    };
}

pub(super) use widened;
