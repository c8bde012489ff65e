//! Turns Ctrl-C and a termination request into a flag that the library looks at.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::exit::Exit;
use crate::talk;

/// Signals that come so soon after the first are the same wish: `timeout` sends one to the process
/// and one to its group.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Installs the handler; the flag that comes back is set by the first signal, and a second one, a
/// second later or more, ends the process.
///
/// `finishing` is said when the first signal arrives.
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
        // An index is never half written (a commit is one rename), so that leaving here loses only
        // what is pending.
        Some(_) => process::exit(Exit::Error.number().into()),
    })?;
    Ok(flag)
}
