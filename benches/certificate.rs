//! The cost of certificates: certifying compared with checking, verifying, and rechecking many
//! against a new hour.
//!
//! `cargo bench --bench certificate -- [--hours N] [--certificates N]`. Certifying and checking a
//! made clip alternate; the result is the median of the ratios. For rechecking, certificates refer
//! to an index of made keys, which then gets another hour. A certificate is rechecked N times, and
//! its fingerprint is read from the disk each time. The cost of 10 000 is compared with that of
//! checking the hour, which is estimated from the made clip. Goals: 5 % more than a check, 10 ms,
//! and three checks of the hour.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used
)]

#[path = "../tests/support/mod.rs"]
mod media;
mod support;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use media::scenes;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use support::footage::Footage;
use support::{grouped, verdict};
use uniq::certificate::{
    self, Envelope, KeyKind, Keyring, PrivateKey, Recheck, Signer as _, Terms,
};
use uniq::fingerprint::FINGERPRINT_VERSION;
use uniq::index::{IndexConfig, Writer};
use uniq::{CheckOptions, Decoding, Fingerprint, Index, SearchMode};

#[derive(Parser)]
#[command(about = "Measures certifying, verifying and rechecking")]
struct Args {
    /// Hours of made-up sources before the new one
    #[arg(long, default_value_t = 9)]
    hours: u64,
    /// How often the certificate is rechecked
    #[arg(long, default_value_t = 100)]
    certificates: usize,
    /// How often certifying and checking are measured
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// Length of the made clip, in seconds.
const SECONDS: u32 = 10;
const TERMS: Terms<'static> = Terms {
    name: "bench",
    policy_uri: None,
};

fn main() {
    let args = Args::parse();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dir = folder.path().join("index");
    let mut footage = Footage::new(7);
    grow(&dir, &mut footage, args.hours);
    let index = Index::open(&dir).unwrap();
    let clip = scenes::moving(901, SECONDS);
    let decoding = Decoding::in_process();
    let options = CheckOptions {
        search: SearchMode::Exact,
        now: Some(SystemTime::now()),
        ..CheckOptions::new(&decoding)
    };
    println!(
        "index of {} keys, {} h; clip of {SECONDS} s",
        grouped(index.state().keys),
        args.hours
    );

    let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
    let file = folder.path().join("clip.uniq");
    let certify = || {
        let certified = certificate::certify(&index, &clip, &options, &TERMS).unwrap();
        certified.fingerprint.save_with_pictures(&file).unwrap();
        (
            Envelope::sign(certified.statement.to_bytes(), &key).unwrap(),
            certified.statement,
        )
    };
    let mut pairs: Vec<(f64, f64)> = (0..args.runs.max(1))
        .map(|_| {
            let checked = timed(|| drop(uniq::check(&index, &clip, &options).unwrap()));
            (timed(|| drop(certify())) / checked, checked)
        })
        .collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, check_s) = pairs[pairs.len() / 2];
    println!(
        "certify  {ratio:.3} times a check of {check_s:.2} s; at most 1.05: {}",
        verdict(ratio <= 1.05)
    );

    let (envelope, statement) = certify();
    let (bytes, keyring) = (envelope.to_json(), Keyring::of(key.public_key().clone()));
    let verify = || {
        let envelope = Envelope::parse(&bytes).unwrap();
        certificate::verify(&envelope, &keyring, SystemTime::now()).unwrap();
    };
    let verify_ms = timed(|| (0..100).for_each(|_| verify())) * 10.0;
    println!(
        "verify   {verify_ms:.3} ms of {} bytes; at most 10: {}",
        grouped(bytes.len() as u64),
        verdict(verify_ms <= 10.0)
    );

    grow(&dir, &mut footage, 1);
    let index = Index::open(&dir).unwrap();
    let against = Recheck::against(&index);
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    let recheck_s = timed(|| {
        (0..args.certificates).into_par_iter().for_each(|_| {
            let fingerprint = Fingerprint::load(&file, &decoding, None).unwrap();
            let done = against
                .recheck(&statement, sha256, &fingerprint, &options, &TERMS)
                .unwrap();
            assert!(done.in_full.is_none() && done.added > 0);
            Envelope::sign(done.statement.to_bytes(), &key).unwrap();
        });
    }) / args.certificates as f64;
    let hour_s = check_s * 3600.0 / f64::from(SECONDS);
    let ratio = 10_000.0 * recheck_s / hour_s;
    println!(
        "recheck  {:.1} ms a certificate against one new hour: 10 000 take {:.0} s, {ratio:.2} checks of the hour ({hour_s:.0} s); at most 3: {}",
        1e3 * recheck_s,
        1e4 * recheck_s,
        verdict(ratio <= 3.0)
    );
}

/// Adds this many hours of made videos.
fn grow(dir: &Path, footage: &mut Footage, hours: u64) {
    let config = IndexConfig {
        fingerprint_version: FINGERPRINT_VERSION,
        interval: uniq::sample::CORPUS_INTERVAL,
    };
    let mut writer = Writer::open_or_create(dir, config)
        .unwrap()
        .with_clock(SystemTime::now);
    for _ in 0..hours * 12 {
        let (video, runs) = footage.video_of(Duration::from_secs(300));
        writer.add(video, runs).unwrap();
    }
    writer.commit().unwrap();
}

/// Elapsed seconds of `work`.
fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
