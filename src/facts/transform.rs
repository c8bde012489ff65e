//! The Fourier transforms of the measurements, forward and in single precision (pure).
//!
//! They are chosen by hand. rustfft's planner would compile all its algorithms into this crate, a
//! seventh of its code. On a computer with AVX it would choose another algorithm, which rounds
//! differently.

use std::sync::Arc;

use rustfft::algorithm::butterflies::{
    Butterfly5, Butterfly7, Butterfly8, Butterfly9, Butterfly16,
};
use rustfft::algorithm::{MixedRadix, Radix4};
use rustfft::{Fft, FftDirection::Forward};

/// For a length that is a power of two.
pub(super) fn of_power_of_two(length: usize) -> Radix4<f32> {
    Radix4::new(length, Forward)
}

/// For length 2520, a multiple of all periods of resampling traces, or for twice that.
pub(super) fn of_2520(twice: bool) -> MixedRadix<f32> {
    let eight: Arc<dyn Fft<f32>> = if twice {
        Arc::new(Butterfly16::new(Forward))
    } else {
        Arc::new(Butterfly8::new(Forward))
    };
    let nine = Arc::new(Butterfly9::new(Forward));
    let (five, seven) = (
        Arc::new(Butterfly5::new(Forward)),
        Arc::new(Butterfly7::new(Forward)),
    );
    MixedRadix::new(
        Arc::new(MixedRadix::new(eight, nine)),
        Arc::new(MixedRadix::new(five, seven)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustfft::num_complex::Complex;

    /// Only the wave's own frequency has an amplitude: half the length for a cosine of amplitude 1.
    #[test]
    fn a_wave_has_its_frequency_and_no_other() {
        let transforms: [Box<dyn Fft<f32>>; 3] = [
            Box::new(of_power_of_two(128)),
            Box::new(of_2520(false)),
            Box::new(of_2520(true)),
        ];
        for (transform, length) in transforms.iter().zip([128, 2520, 5040]) {
            assert_eq!(transform.len(), length);
            for frequency in [1, 5, length / 3, length / 2 - 1] {
                let mut buffer: Vec<Complex<f32>> = (0..length)
                    .map(|at| {
                        let turns = (at * frequency % length) as f32 / length as f32;
                        Complex::new((turns * std::f32::consts::TAU).cos(), 0.0)
                    })
                    .collect();
                transform.process(&mut buffer);
                for (at, value) in buffer.iter().take(length / 2).enumerate() {
                    let expected = if at == frequency {
                        length as f32 / 2.0
                    } else {
                        0.0
                    };
                    assert!(
                        (value.norm() - expected).abs() < 1e-4 * length as f32,
                        "{length}, {frequency}: {at} has {value}"
                    );
                }
            }
        }
    }
}
