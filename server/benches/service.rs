//! What the service bears: status requests beside running checks, many clients at once, and memory
//! over many checks.
//!
//! Prints counts and ratios; `UNIQ_CHECKS` sets how many checks the memory is watched over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout
)]

#[path = "../tests/service/footage.rs"]
mod footage;
#[path = "../tests/service/support.rs"]
mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use footage::scenes::{moving, tripod};
use reqwest::blocking::Client;
use support::Service;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let id = service.submit(&key, "ada", &moving(701, 8))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    service.answer(&key, &id);
    let address = format!("{}/v1/submissions/{id}", service.address);
    let alone = asked(&address, &key, Duration::from_secs(15));
    let long = [moving(760, 60), moving(761, 60)];
    let running: Vec<String> = long
        .iter()
        .map(|clip| {
            service.submit(&key, "eve", clip)["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    let is_checked =
        |id: &&String| service.get(&key, &format!("/v1/submissions/{id}"))["state"] == "checking";
    let before = running.iter().filter(is_checked).count();
    let beside = asked(&address, &key, Duration::from_secs(15));
    let after = running.iter().filter(is_checked).count();
    println!("{RATE} status requests a second, from when each was due to its answer:");
    println!("  alone               {alone}");
    println!("  beside {before} checks, {after} at the end    {beside}");
    running.iter().for_each(|id| drop(service.answer(&key, id)));
    uploads(&service, &key);
    memory(&service, &key);
}

/// Latencies of a run.
struct Asked {
    answered: usize,
    wanted: usize,
    median_ms: f64,
    p99_ms: f64,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} answered, median {:.1} ms, 99 % within {:.1} ms",
            self.answered, self.wanted, self.median_ms, self.p99_ms
        )
    }
}

/// Asks at a steady rate from several threads.
fn asked(address: &str, key: &str, length: Duration) -> Asked {
    let wanted = RATE * length.as_secs() as usize;
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    let mut times: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let _ =
                        tokio_rustls::rustls::crypto::ring::default_provider().install_default();
                    let client = Client::builder()
                        .timeout(Duration::from_secs(10))
                        .build()
                        .unwrap();
                    let mut times = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= wanted {
                            return times;
                        }
                        let due = begun + Duration::from_secs_f64(number as f64 / RATE as f64);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let answer = client
                            .get(address)
                            .bearer_auth(key)
                            .send()
                            .and_then(|answer| answer.bytes());
                        if answer.is_ok() {
                            times.push(due.elapsed().as_secs_f64() * 1e3);
                        }
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        times
            .get((times.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    Asked {
        answered: times.len(),
        wanted,
        median_ms: at(0.5),
        p99_ms: at(0.99),
    }
}

/// Uploads of 200 clips by 20 clients at once.
fn uploads(service: &Service, key: &str) {
    let clips: Vec<PathBuf> = (0..5).map(|seed| moving(770 + seed, 4)).collect();
    let ids: Vec<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..20)
            .map(|client| {
                let clips = &clips;
                scope.spawn(move || {
                    let creator = |number: usize| format!("creator-{client}-{number}");
                    let sent = (0..10).map(|number| {
                        service.submit(key, &creator(number), &clips[number % clips.len()])
                    });
                    sent.map(|sent| sent["id"].as_str().unwrap().to_owned())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    let patience = Instant::now();
    let mut payable_s = 0.0;
    for id in &ids {
        loop {
            let now = service.get(key, &format!("/v1/submissions/{id}"));
            if !matches!(now["state"].as_str(), Some("queued" | "checking")) {
                assert_eq!(now["state"], "checked", "{now}");
                payable_s += now["payable_s"].as_f64().unwrap();
                break;
            }
            assert!(patience.elapsed() < Duration::from_secs(3600), "{now}");
            thread::sleep(Duration::from_millis(100));
        }
    }
    let length_s = 4.0 * clips.len() as f64;
    println!(
        "{} clips by 20 clients: all checked; {payable_s:.1} s paid of {length_s:.1} s of content",
        ids.len()
    );
}

/// Resident memory over many checks.
fn memory(service: &Service, key: &str) {
    let checks: usize = std::env::var("UNIQ_CHECKS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200);
    let clip = std::fs::read(moving(770, 4)).unwrap();
    let varied = service.folder().join("varied.mp4");
    let mut seen = Vec::new();
    for number in 0..checks {
        // Other bytes each time: a box that players pass over.
        let mut bytes = clip.clone();
        bytes.extend([0, 0, 0, 16]);
        bytes.extend(b"free");
        bytes.extend((number as u64).to_be_bytes());
        std::fs::write(&varied, bytes).unwrap();
        let id = service.submit(key, "ivy", &varied)["id"]
            .as_str()
            .unwrap()
            .to_owned();
        service.answer(key, &id);
        if number % (checks / 10).max(1) == 0 {
            seen.push(resident_mib(service));
        }
    }
    seen.push(resident_mib(service));
    let shown: Vec<String> = seen.iter().map(|mib| format!("{mib:.0}")).collect();
    println!(
        "resident memory over {checks} checks, in MiB: {}",
        shown.join(" ")
    );
}

fn resident_mib(service: &Service) -> f64 {
    let figures = service
        .request("GET", "/metrics")
        .send()
        .unwrap()
        .text()
        .unwrap();
    let line = figures
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.and_then(|bytes| bytes.parse::<f64>().ok())
        .unwrap_or(f64::NAN)
        / f64::from(1 << 20)
}

/// Status requests a second.
const RATE: usize = 1000;
/// Threads that ask.
const THREADS: usize = 20;
