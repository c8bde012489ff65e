//! Compares the made keys of the other benches with real footage by the same statistics.
//!
//! `cargo bench --bench footage -- [DIR]`, where DIR holds a `manifest.csv`; without it
//! `$UNIQ_CLIPS`. Without both, only the made keys are shown, beside the library's own table of
//! chances.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "../tests/support/mod.rs"]
mod footage_files;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Parser;
use footage_files::clips;
use support::footage::Footage;
use uniq::Decoding;
use uniq::Index;
use uniq::evidence;
use uniq::fingerprint::{Key, KeyKind, Run};
use uniq::ingest::{self, BuildOptions};

#[derive(Parser)]
#[command(about = "Compares the made keys of the benches with those of real footage")]
struct Args {
    /// Folder of clips with a manifest.csv
    folder: Option<PathBuf>,
    /// Made keys for the chances of unrelated pairs; the time grows with the square
    #[arg(long, default_value_t = 60_000)]
    keys: usize,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// A video's keys and its group.
struct Source {
    /// Sources of one group may show the same content.
    group: usize,
    duration: Duration,
    runs: Vec<Run>,
}

/// The statistics.
struct Figures {
    videos: usize,
    hours: f64,
    runs: usize,
    distinct: usize,
    whole: f64,
    lasting: f64,
    lasting_s: f64,
    recurring: f64,
    keys_an_hour: Vec<f64>,
    /// Histogram of the distances between region keys of different groups.
    unrelated: Vec<u64>,
    /// Distance of each region key to the nearest other one of its video.
    nearest_own: Vec<f64>,
    /// The same to other groups.
    nearest_other: Vec<f64>,
    /// Number of other region keys of its video within the radius.
    crowd: Vec<f64>,
}

fn main() {
    let args = Args::parse();
    let real = clips::folder(args.folder.clone()).map(|folder| read(&folder));
    let lengths: Vec<(usize, Duration)> = match &real {
        Some(real) => real
            .iter()
            .map(|source| (source.runs.len(), source.duration))
            .collect(),
        None => vec![(160, Duration::from_secs(19)); 51],
    };
    // Made videos equal the real ones in number and length, because the nearest of many keys is
    // nearer than that of few.
    let mut footage = Footage::new(1);
    let made = |footage: &mut Footage| -> Vec<Source> {
        let source = |(group, &(count, duration)): (usize, &(usize, Duration))| Source {
            group,
            duration,
            runs: footage.runs(count, duration),
        };
        lengths.iter().enumerate().map(source).collect()
    };
    let made = figures(&made(&mut footage));
    let real = real.map(|real| figures(&real));
    println!("| | real footage | made |\n|---|---|---|");
    row("videos", real.as_ref(), &made, |f| f.videos.to_string());
    row("length, h", real.as_ref(), &made, |f| {
        format!("{:.3}", f.hours)
    });
    row("keys (postings)", real.as_ref(), &made, |f| {
        f.runs.to_string()
    });
    row("distinct keys", real.as_ref(), &made, |f| {
        f.distinct.to_string()
    });
    row("distinct keys an hour", real.as_ref(), &made, |f| {
        format!("{:.0}", f.distinct as f64 / f.hours)
    });
    row(
        "keys an hour of a video, 10/50/90 %",
        real.as_ref(),
        &made,
        |f| parts(&f.keys_an_hour, &[0.1, 0.5, 0.9]),
    );
    row("postings a key", real.as_ref(), &made, |f| {
        format!("{:.4}", f.runs as f64 / f.distinct as f64)
    });
    row("whole-frame keys", real.as_ref(), &made, |f| {
        percent(f.whole)
    });
    row("keys that last", real.as_ref(), &made, |f| {
        percent(f.lasting)
    });
    row("... mean, s", real.as_ref(), &made, |f| {
        format!("{:.1}", f.lasting_s)
    });
    row("keys that recur", real.as_ref(), &made, |f| {
        percent(f.recurring)
    });
    row(
        "nearest in its video, 1/5/10/20/30/50/90 %",
        real.as_ref(),
        &made,
        |f| parts(&f.nearest_own, &[0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.9]),
    );
    row(
        "nearest in other groups, 1/5/10/50/90 %",
        real.as_ref(),
        &made,
        |f| parts(&f.nearest_other, &[0.01, 0.05, 0.1, 0.5, 0.9]),
    );
    row(
        "others of its video within 72, mean",
        real.as_ref(),
        &made,
        |f| format!("{:.2}", f.crowd.iter().sum::<f64>() / f.crowd.len() as f64),
    );
    row("... 80/90/95/99 %", real.as_ref(), &made, |f| {
        parts(&f.crowd, &[0.8, 0.9, 0.95, 0.99])
    });
    row("unrelated pairs", real.as_ref(), &made, |f| {
        format!("{:.1e}", f.unrelated.iter().sum::<u64>() as f64)
    });
    row("... mean, deviation", real.as_ref(), &made, |f| {
        moments(&f.unrelated)
    });

    let started = Instant::now();
    let keys: Vec<Key> = (0..args.keys).map(|_| footage.key()).collect();
    let mut counts = vec![0; 257];
    for (number, a) in keys.iter().enumerate() {
        keys[..number]
            .iter()
            .for_each(|b| counts[a.distance(*b) as usize] += 1);
    }
    println!(
        "\nchance of unrelated region keys to be within so many bits; library: its table, from 7.5e10 pairs of real \
         footage; made: {:.1e} pairs ({:.0} s)\n",
        counts.iter().sum::<u64>() as f64,
        started.elapsed().as_secs_f64()
    );
    println!("| bits | library | these clips | made |\n|---|---|---|---|");
    for bits in [40, 48, 56, 64, 72, 80, 88, 96, 100, 104, 112, 120] {
        let library = if bits <= 80 {
            format!(
                "{:.1e}",
                (-f64::from(evidence::self_information(KeyKind::Region, bits))).exp2()
            )
        } else {
            String::new()
        };
        let here = real
            .as_ref()
            .map_or(String::new(), |real| chance(&real.unrelated, bits));
        println!(
            "| {bits} | {library} | {here} | {} |",
            chance(&counts, bits)
        );
    }

    let started = Instant::now();
    let made: usize = footage.videos(2_000_000).map(|(_, runs)| runs.len()).sum();
    println!(
        "\n{:.1} million keys made a second",
        made as f64 / started.elapsed().as_secs_f64() / 1e6
    );
}

/// Indexes the clips of a folder and reads their keys back.
fn read(folder: &Path) -> Vec<Source> {
    let clips = clips::read(folder);
    let dir = support::corpus::scratch();
    let paths: Vec<PathBuf> = clips.iter().map(|clip| clip.path.clone()).collect();
    let sources = ingest::sources(&paths).expect("the clips are files");
    let cancel = AtomicBool::new(false);
    ingest::build(
        dir.path(),
        sources,
        &BuildOptions::new(Decoding::in_process()),
        &|_| {},
        &cancel,
    )
    .expect("the index is ours alone");
    let index = Index::open(dir.path()).expect("the index was just written");
    let mut groups: Vec<&str> = clips.iter().map(|clip| clip.group.as_str()).collect();
    groups.sort_unstable();
    let sources = index.videos().map(|(video, about)| {
        let clip = clips
            .iter()
            .find(|clip| clip.path == Path::new(&about.path))
            .expect("every video is one of the clips");
        let group = groups.partition_point(|name| *name < clip.group.as_str());
        Source {
            group,
            duration: about.duration,
            runs: index.runs(video).unwrap(),
        }
    });
    sources.collect()
}

fn figures(sources: &[Source]) -> Figures {
    let all: Vec<&Run> = sources.iter().flat_map(|source| &source.runs).collect();
    let mut distinct: Vec<Key> = all.iter().map(|run| run.key).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let lasting: Vec<f64> = all
        .iter()
        .map(|run| (run.last - run.first).as_secs_f64())
        .filter(|seconds| *seconds > 0.0)
        .collect();
    let share = |count: usize| count as f64 / all.len() as f64;

    let keys: Vec<(Key, usize, usize)> = sources
        .iter()
        .enumerate()
        .flat_map(|(video, source)| {
            let regions = source.runs.iter().filter(|run| run.kind == KeyKind::Region);
            regions.map(move |run| (run.key, video, source.group))
        })
        .collect();
    let mut figures = Figures {
        videos: sources.len(),
        hours: sources
            .iter()
            .map(|source| source.duration.as_secs_f64())
            .sum::<f64>()
            / 3600.0,
        runs: all.len(),
        distinct: distinct.len(),
        whole: share(all.iter().filter(|run| run.kind == KeyKind::Whole).count()),
        lasting: share(lasting.len()),
        lasting_s: lasting.iter().sum::<f64>() / lasting.len() as f64,
        recurring: share(all.iter().filter(|run| run.recurs).count()),
        keys_an_hour: sources
            .iter()
            .map(|s| s.runs.len() as f64 / s.duration.as_secs_f64() * 3600.0)
            .collect(),
        unrelated: vec![0; 257],
        nearest_own: Vec::new(),
        nearest_other: Vec::new(),
        crowd: Vec::new(),
    };
    for (number, &(key, video, group)) in keys.iter().enumerate() {
        let (mut own, mut other, mut crowd) = (256, 256, 0);
        for (place, &(there, its_video, its_group)) in keys.iter().enumerate() {
            let distance = key.distance(there);
            if video == its_video && number != place {
                own = own.min(distance);
                crowd += u32::from(distance <= support::RADIUS);
            } else if group != its_group {
                other = other.min(distance);
                // Counts each pair once.
                figures.unrelated[distance as usize] += u64::from(number < place);
            }
        }
        figures.nearest_own.push(f64::from(own));
        figures.nearest_other.push(f64::from(other));
        figures.crowd.push(f64::from(crowd));
    }
    figures
}

fn row(name: &str, real: Option<&Figures>, made: &Figures, value: impl Fn(&Figures) -> String) {
    println!(
        "| {name} | {} | {} |",
        real.map_or_else(String::new, &value),
        value(made)
    );
}

/// The quantiles for the given shares.
fn parts(values: &[f64], shares: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let part = |share: &f64| format!("{:.0}", sorted[(share * sorted.len() as f64) as usize]);
    shares.iter().map(part).collect::<Vec<_>>().join(" / ")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn moments(counts: &[u64]) -> String {
    let total = counts.iter().sum::<u64>() as f64;
    let mean_of = |value: &dyn Fn(f64) -> f64| {
        (0..)
            .zip(counts)
            .map(|(distance, &count)| value(f64::from(distance)) * count as f64)
            .sum::<f64>()
            / total
    };
    let mean = mean_of(&|distance| distance);
    format!(
        "{mean:.1}, {:.1}",
        mean_of(&|distance| (distance - mean).powi(2)).sqrt()
    )
}

fn chance(counts: &[u64], bits: u32) -> String {
    let within: u64 = counts[..=bits as usize].iter().sum();
    format!(
        "{:.1e} ({within})",
        within as f64 / counts.iter().sum::<u64>() as f64
    )
}
