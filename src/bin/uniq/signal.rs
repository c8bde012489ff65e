//! Turns Ctrl-C and termination requests into a flag that the library checks.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::exit::Exit;
use crate::talk;

/// Time after the first signal during which others count as the same request: `timeout` sends one
/// to the process and one to its group.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Installs the handler. The first signal sets the returned flag; a second one, at least a second
/// later, ends the process.
///
/// `finishing` is printed when the first signal arrives.
pub(crate) fn cancel_flag(finishing: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&flag);
    let mut first: Option<Instant> = None;
    ctrlc::set_handler(move || match first {
        None => {
            first = Some(Instant::now());
            shared.store(true, Ordering::SeqCst);
            talk::say_over(finishing);
        }
        Some(first) if first.elapsed() < SAME_WISH => {}
        // A commit is one rename, so the index is never half written, and only pending work is lost
        // here.
        Some(_) => process::exit(Exit::Error.number().into()),
    })?;
    Ok(flag)
}
