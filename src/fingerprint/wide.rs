//! Lets hot loops use wide registers if the processor has them.

/// Makes a function that runs an `#[inline(always)]` one, compiled for AVX2 if the processor has
/// it. Both variants do the same operations on each number in the same order, and no multiplication
/// is fused with an addition. So all processors give the same bits.
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
                // SAFETY: the processor was found to support it.
                #[allow(unsafe_code)]
                return unsafe { wide($($arg),*) };
            }
            $body($($arg),*);
        }
    };
}

pub(super) use widened;

/// Truncates a non-negative number. Casting to an integer and back would do the same, but is not
/// vectorised.
#[inline(always)]
pub(super) fn whole(number: f32) -> f32 {
    let rounded = (number + SCALE) - SCALE;
    if rounded > number {
        rounded - 1.0
    } else {
        rounded
    }
}

/// Converts a whole number 0..=2^22 to an integer.
#[inline(always)]
pub(super) fn integer(whole: f32) -> u32 {
    (whole + SCALE).to_bits() - SCALE.to_bits()
}

/// 2^23: from here to twice as much, neighbouring numbers are one apart.
const SCALE: f32 = 8_388_608.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_of_casts() {
        for number in (0..4000)
            .chain(4_190_000..4_194_304)
            .map(|number| number as f32)
        {
            for number in [
                number,
                number.next_up(),
                number + 0.5,
                number + 0.99,
                (number + 1.0).next_down(),
            ] {
                let cast = number as u32;
                assert_eq!(
                    (whole(number), integer(whole(number))),
                    (cast as f32, cast),
                    "{number:?}"
                );
            }
        }
    }
}
