//! An adaptive binary range coder in integer arithmetic. One trait serves both directions, so that
//! writer and reader are the same function and cannot differ.

/// Codes bits. The writer stores the given bit and returns it; the reader ignores it and returns
/// the bit read.
pub(super) trait Coder {
    /// Codes a bit with its model's probability.
    fn bit(&mut self, model: &mut Model, bit: bool) -> bool;
    /// Codes a bit that is 0 or 1 with equal probability.
    fn even(&mut self, bit: bool) -> bool;
}

/// The probability that a bit is 0: the mean of a fast and a slow estimate, each in 65536ths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    quick: u16,
    slow: u16,
}

impl Default for Model {
    fn default() -> Model {
        Model {
            quick: 1 << 15,
            slow: 1 << 15,
        }
    }
}

impl Model {
    /// The probability in 4096ths, never 0 nor 1.
    fn zero(self) -> u32 {
        ((u32::from(self.quick) + u32::from(self.slow)) >> 5).clamp(1, (1 << PRECISION) - 1)
    }

    fn learn(&mut self, bit: bool) {
        if bit {
            self.quick -= self.quick >> QUICK;
            self.slow -= self.slow >> SLOW;
        } else {
            self.quick += (u16::MAX - self.quick) >> QUICK;
            self.slow += (u16::MAX - self.slow) >> SLOW;
        }
    }
}

/// Bits of a probability.
const PRECISION: u32 = 12;

/// Each bit moves the estimates by a 16th and a 64th of the way, which are usual values.
const QUICK: u32 = 4;
const SLOW: u32 = 6;

/// Minimum range, so that any probability can divide it.
const RANGE_MIN: u32 = 1 << 24;

/// Writes bits.
#[derive(Debug)]
pub(super) struct Writer {
    low: u64,
    range: u32,
    /// The last byte that a carry could still change, and how many bytes of 255 follow it.
    last: Option<u8>,
    full: usize,
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Writer {
        Writer {
            low: 0,
            range: u32::MAX,
            last: None,
            full: 0,
            bytes: Vec::new(),
        }
    }

    /// The code without trailing zeros, since the reader reads zeros after the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for _ in 0..5 {
            self.shift();
        }
        let length = self
            .bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        self.bytes.truncate(length);
        self.bytes
    }

    fn shift(&mut self) {
        let carry = (self.low >> 32) as u8;
        if carry == 0 && self.low >= 0xff00_0000 {
            self.full += 1;
        } else {
            self.bytes
                .extend(self.last.map(|last| last.wrapping_add(carry)));
            self.bytes
                .resize(self.bytes.len() + self.full, 0xff_u8.wrapping_add(carry));
            self.full = 0;
            self.last = Some((self.low >> 24) as u8);
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    fn take(&mut self, part: u32, bit: bool) -> bool {
        if bit {
            self.low += u64::from(part);
            self.range -= part;
        } else {
            self.range = part;
        }
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
        bit
    }
}

impl Coder for Writer {
    fn bit(&mut self, model: &mut Model, bit: bool) -> bool {
        let part = (self.range >> PRECISION) * model.zero();
        model.learn(bit);
        self.take(part, bit)
    }

    fn even(&mut self, bit: bool) -> bool {
        self.take(self.range >> 1, bit)
    }
}

/// Reads bits from any bytes; after their end it reads zeros.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    value: u32,
    range: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        let mut reader = Reader {
            bytes: bytes.iter(),
            value: 0,
            range: u32::MAX,
        };
        for _ in 0..4 {
            reader.shift();
        }
        reader
    }

    fn shift(&mut self) {
        self.value = self.value << 8 | u32::from(self.bytes.next().copied().unwrap_or(0));
    }

    fn take(&mut self, part: u32) -> bool {
        let bit = self.value >= part;
        if bit {
            self.value -= part;
            self.range -= part;
        } else {
            self.range = part;
        }
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
        bit
    }
}

impl Coder for Reader<'_> {
    fn bit(&mut self, model: &mut Model, _: bool) -> bool {
        let bit = self.take((self.range >> PRECISION) * model.zero());
        model.learn(bit);
        bit
    }

    fn even(&mut self, _: bool) -> bool {
        self.take(self.range >> 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(bits: &[(bool, usize)]) -> Vec<u8> {
        let (mut writer, mut models) = (Writer::new(), [Model::default(); 3]);
        for &(bit, model) in bits {
            match models.get_mut(model) {
                Some(model) => writer.bit(model, bit),
                None => writer.even(bit),
            };
        }
        writer.finish()
    }

    #[test]
    fn what_is_likely_costs_little() {
        let bits: Vec<_> = (0..8000).map(|i| (i % 100 == 0, 0)).collect();
        assert!(written(&bits).len() < 120, "{} bytes", written(&bits).len());
    }

    proptest! {
        #[test]
        fn bits_come_back(bits in prop::collection::vec((any::<bool>(), 0_usize..4), 0..2000), bias in 0_usize..2000) {
            // The first bits are equal, so that models reach their extremes and carries propagate.
            let bits: Vec<_> = (0..bias).map(|i| (bias % 2 == 0, i % 3)).chain(bits).collect();
            let bytes = written(&bits);
            let (mut reader, mut models) = (Reader::new(&bytes), [Model::default(); 3]);
            for &(bit, model) in &bits {
                let read = match models.get_mut(model) {
                    Some(model) => reader.bit(model, !bit),
                    None => reader.even(!bit),
                };
                prop_assert_eq!(read, bit);
            }
        }
    }
}
