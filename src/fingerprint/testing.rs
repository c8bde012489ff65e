//! Pictures for tests.

/// Smooth noise of four octaves around 128 grey levels, with structure from 5 to 40 pixels; it
/// never repeats.
pub(super) fn texture(x: f32, y: f32, seed: u32) -> f32 {
    let mut level = 128.0;
    for (i, period) in [40.0_f32, 20.0, 10.0, 5.0].into_iter().enumerate() {
        level += 110.0 / (1 << i) as f32 * (value(x / period, y / period, seed + i as u32) - 0.5);
    }
    level.clamp(0.0, 255.0)
}

/// Noise in 0..=1 between random values at whole coordinates.
fn value(x: f32, y: f32, seed: u32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (ease(x - column), ease(y - row));
    let corner = |dx: i32, dy: i32| {
        let mut h = (column as i32 + dx).wrapping_mul(0x2545_f491)
            ^ (row as i32 + dy).wrapping_mul(0x6c62_272e);
        h = (h ^ seed.wrapping_mul(0x9e37_79b9) as i32).wrapping_mul(0x27d4_eb2f);
        h ^= h >> 15;
        h = h.wrapping_mul(0x2c1b_3c6d);
        ((h ^ (h >> 12)) & 0xffff) as f32 / 65535.0
    };
    let upper = corner(0, 0) + fx * (corner(1, 0) - corner(0, 0));
    let lower = corner(0, 1) + fx * (corner(1, 1) - corner(0, 1));
    upper + fy * (lower - upper)
}
