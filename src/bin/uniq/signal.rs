//! Turns Ctrl-C and a termination request into a flag that the library looks at.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;
use crate::talk;

/// Installs the handler; the flag that comes back is set by the first signal, and a second one ends the process.
///
/// `finishing` is said when the first signal arrives.
pub(crate) fn cancel_flag(finishing: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if shared.swap(true, Ordering::SeqCst) {
            // An index is never half written (a commit is one rename), so that leaving here loses only what is pending.
            process::exit(Exit::Error.number().into());
        }
        talk::say(finishing);
    })?;
    Ok(flag)
}
