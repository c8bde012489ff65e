//! Measures the size of sources' small pictures, and how close they are to the frames.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::bail;
use uniq::fingerprint::{PictureTrack, PictureTrackBuilder, Thumbnail};
use uniq::media::Frame;
use uniq::sample::{CORPUS_INTERVAL, Grid};

use crate::footage::{self, Clip};
use crate::statistics::{quantile, sorted};

/// Measures all videos of a folder and prints a few lines. Returns what could not be measured.
pub(crate) fn pictures(folder: &Path) -> anyhow::Result<Vec<String>> {
    let (clips, mut failed) = footage::read(folder)?;
    let mut all = Measured::default();
    for clip in &clips {
        if let Err(error) = measure(clip, &mut all) {
            failed.push(format!("{:#}", anyhow::Error::from(error)));
        }
    }
    if all.correlations.is_empty() {
        bail!(
            "{}: no video shows anything that moves for {PICTURES_MIN} pictures",
            folder.display()
        );
    }
    write!(io::stdout(), "{}", all.text())?;
    Ok(failed)
}

/// The measurements so far.
#[derive(Default)]
struct Measured {
    pictures: usize,
    bytes: usize,
    seconds: f64,
    /// Size for each video, in MB an hour.
    rates: Vec<f64>,
    /// Quality of each picture, in dB.
    psnr: Vec<f64>,
    /// Correlation in each window of ten seconds.
    correlations: Vec<f64>,
}

impl Measured {
    fn text(self) -> String {
        let rate = |bytes: usize, seconds: f64| bytes as f64 / seconds * 3600.0 / 1e6;
        let spread = |values: Vec<f64>| {
            let values = sorted(values);
            [0.01, 0.05, 0.5, 1.0].map(|ratio| quantile(&values, ratio).unwrap_or_default())
        };
        let windows = self.correlations.len();
        let (rates, psnr, correlations) = (
            spread(self.rates),
            spread(self.psnr),
            spread(self.correlations),
        );
        format!(
            "pictures     {} of {:.2} h, {:.2} a second\n\
             bytes        {:.2} MB an hour, {:.2} of the video that needs most\n\
             PSNR         {:.1} dB in the median, 5 % below {:.1}\n\
             correlation  {:.3} in the median of {windows} windows of 10 s, 5 % below {:.3}, 1 % below {:.3}\n",
            self.pictures,
            self.seconds / 3600.0,
            self.pictures as f64 / self.seconds,
            rate(self.bytes, self.seconds),
            rates[3],
            psnr[2],
            psnr[1],
            correlations[2],
            correlations[1],
            correlations[0],
        )
    }
}

/// Measures a video as a source.
fn measure(clip: &Clip, all: &mut Measured) -> uniq::Result<()> {
    let decoding = footage::decoding();
    let source = decoding.open(&clip.path)?;
    let sha256 = source.sha256(&|| false)?;
    let (mut builder, mut originals) = (PictureTrackBuilder::default(), Vec::new());
    let mut visit = |frame: Frame| {
        builder.push(&frame);
        originals.push(Thumbnail::of(&frame));
        ControlFlow::Continue(())
    };
    let decoded = decoding.decode(
        &source,
        &sha256,
        None,
        Grid::corpus(CORPUS_INTERVAL)?,
        &mut visit,
        &|| false,
    )?;
    let track = builder.finish();
    let (bytes, seconds) = (
        track.to_bytes().len(),
        decoded
            .duration
            .as_secs_f64()
            .max(CORPUS_INTERVAL.as_secs_f64()),
    );
    all.pictures += track.len();
    all.bytes += bytes;
    all.seconds += seconds;
    all.rates.push(bytes as f64 / seconds * 3600.0 / 1e6);
    compare(&originals, &track, all);
    Ok(())
}

/// Compares the pictures of a video with their decoded copies.
fn compare(originals: &[Thumbnail], track: &PictureTrack, all: &mut Measured) {
    let decoded: Vec<Thumbnail> = track.pictures(0..track.len()).collect();
    for (original, decoded) in originals.iter().zip(&decoded) {
        let square: f64 = original
            .luma
            .iter()
            .zip(&decoded.luma)
            .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
            .sum();
        all.psnr.push(
            10.0 * (255.0_f64.powi(2) * original.luma.len() as f64 / square.max(1.0)).log10(),
        );
    }
    let window = |i: usize| (originals[i].time.as_secs_f64() / WINDOW_S) as u64;
    let numbers: Vec<usize> = (0..originals.len()).collect();
    for part in numbers
        .chunk_by(|&a, &b| window(a) == window(b))
        .filter(|part| part.len() >= PICTURES_MIN)
    {
        let (first, end) = (part[0], part[0] + part.len());
        all.correlations
            .extend(correlation(&originals[first..end], &decoded[first..end]));
    }
}

/// The correlation of the most active cells' deviations from their mean over time; `None` if the
/// pictures' shape changes or nothing moves.
fn correlation(originals: &[Thumbnail], decoded: &[Thumbnail]) -> Option<f64> {
    let cells = originals.first()?.luma.len();
    let shape = |picture: &Thumbnail| (picture.width, picture.height);
    if originals
        .iter()
        .any(|picture| shape(picture) != shape(&originals[0]))
    {
        return None;
    }
    let mut deviations: Vec<[Vec<f64>; 2]> = (0..cells)
        .map(|cell| [originals, decoded].map(|pictures| deviation(pictures, cell)))
        .collect();
    let activity = |cell: &[Vec<f64>; 2]| product(&cell[0], &cell[0]);
    deviations.sort_by(|a, b| activity(b).total_cmp(&activity(a)));
    deviations.truncate(cells * ACTIVE_PERCENT / 100);
    let sum = |a: usize, b: usize| {
        deviations
            .iter()
            .map(|cell| product(&cell[a], &cell[b]))
            .sum::<f64>()
    };
    let (original, coded) = (sum(0, 0), sum(1, 1));
    (original > 0.0).then(|| {
        if coded > 0.0 {
            sum(0, 1) / (original * coded).sqrt()
        } else {
            0.0
        }
    })
}

fn deviation(pictures: &[Thumbnail], cell: usize) -> Vec<f64> {
    let levels = pictures.iter().map(|picture| f64::from(picture.luma[cell]));
    let mean = levels.clone().sum::<f64>() / pictures.len() as f64;
    levels.map(|level| level - mean).collect()
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Length of a window, in seconds.
const WINDOW_S: f64 = 10.0;

/// Share of the cells that are compared, in percent.
const ACTIVE_PERCENT: usize = 30;

/// Minimum number of pictures in a window.
const PICTURES_MIN: usize = 5;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A square that moves one pixel per picture, darker or brighter than its ground.
    fn pictures(gain: i32) -> Vec<Thumbnail> {
        let picture = |i: usize| {
            let inside = |at: usize| (i..i + 4).contains(&(at % 16)) && at / 16 < 4;
            let luma = (0..16 * 9)
                .map(|at| (100 + gain * i32::from(inside(at))) as u8)
                .collect();
            Thumbnail {
                time: Duration::from_millis(500 * i as u64),
                width: 16,
                height: 9,
                luma,
            }
        };
        (0..12).map(picture).collect()
    }

    #[test]
    fn deviations_of_one_course_agree_and_of_its_negative_oppose() {
        let of = |gain| correlation(&pictures(50), &pictures(gain)).unwrap();
        assert!((of(20) - 1.0).abs() < 1e-9 && (of(-20) + 1.0).abs() < 1e-9 && of(0) == 0.0);
        assert_eq!(correlation(&pictures(0), &pictures(50)), None);
    }
}
