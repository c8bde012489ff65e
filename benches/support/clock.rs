//! Measures processor time on one core, and private memory.
//!
//! The machine is shared, so the benches use the processor time of the working thread, and the best
//! of several rounds.

use std::fs;
use std::sync::OnceLock;
use std::time::Instant;

/// Runs `work` on a rayon pool with a single thread.
pub fn one_core<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .expect("a thread starts")
    });
    pool.install(work)
}

/// Runs `work` on one core and returns its processor seconds and its result.
///
/// On Linux they are accurate to a few milliseconds. Elsewhere these are elapsed seconds.
pub fn once<T: Send>(work: impl FnOnce() -> T + Send) -> (f64, T) {
    one_core(|| {
        let (started, before) = (Instant::now(), thread_seconds());
        let result = work();
        let seconds = match (before, thread_seconds()) {
            (Some(before), Some(after)) => after - before,
            _ => started.elapsed().as_secs_f64(),
        };
        (seconds, result)
    })
}

/// Processor seconds of all threads for long work that may start threads, and its result.
pub fn of_process<T: Send>(work: impl FnOnce() -> T + Send) -> (f64, T) {
    let (started, before) = (Instant::now(), process_seconds());
    let result = one_core(work);
    let seconds = match (before, process_seconds()) {
        (Some(before), Some(after)) => after - before,
        _ => started.elapsed().as_secs_f64(),
    };
    (seconds, result)
}

/// Processor seconds of one run of short work on one core. It is repeated for [`LEAST_S`], so that
/// the clock's resolution does not matter.
pub fn often<T: Send>(work: impl Fn() -> T + Send + Sync) -> (f64, T) {
    let (seconds, (runs, result)) = once(|| {
        let started = Instant::now();
        let mut runs = 1;
        let mut result = work();
        while started.elapsed().as_secs_f64() < LEAST_S {
            result = work();
            runs += 1;
        }
        (runs, result)
    });
    (seconds / f64::from(runs), result)
}

/// Processor seconds of this process so far, of all threads, in steps of 10 ms; `None` without
/// `/proc`.
pub fn process_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, up to the last parenthesis, may contain blanks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_A_SECOND)
}

/// Bytes of memory that belong only to this process, and how many of them no file backs; `None`
/// without `/proc`.
pub fn private_memory() -> Option<(u64, u64)> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let kilobytes = |name: &str| -> Option<u64> {
        let line = rollup.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((
        1024 * kilobytes("Private_Dirty:")?,
        1024 * kilobytes("Anonymous:")?,
    ))
}

/// The processor's own name.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .map_or("?", |(_, value)| value.trim())
            .to_owned()
    };
    let widest = ["avx512_vpopcntdq", "avx2", "popcnt"]
        .into_iter()
        .find(|flag| field("flags").contains(flag));
    format!(
        "{} (family {}, model {}), {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        widest.unwrap_or("?")
    )
}

fn thread_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// Minimum elapsed time over which short work is repeated, in seconds.
const LEAST_S: f64 = 0.3;
/// Clock ticks a second of Linux, on all its architectures.
const TICKS_A_SECOND: f64 = 100.0;
