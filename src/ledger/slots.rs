//! Limits how many pieces of work run at a time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::{Error, Result};

/// Limits how many threads work at a time, while others wait or do what costs little.
#[derive(Debug)]
pub struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// The right to work, released when dropped.
#[derive(Debug)]
pub struct Slot<'a>(&'a Slots);

impl Slots {
    /// Allows `number` at a time, at least one.
    pub fn new(number: usize) -> Slots {
        Slots {
            free: Mutex::new(number.max(1)),
            freed: Condvar::new(),
        }
    }

    /// Waits until a slot is free.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once `is_cancelled` says so.
    pub fn take(&self, is_cancelled: &dyn Fn() -> bool) -> Result<Slot<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if is_cancelled() {
                return Err(Error::Cancelled);
            }
            if *free > 0 {
                *free -= 1;
                return Ok(Slot(self));
            }
            (free, _) = self
                .freed
                .wait_timeout(free, LOOK)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// Time between two checks for cancellation.
const LOOK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_than_the_slots_run_at_a_time() {
        let (slots, running, most) = (Slots::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let _slot = slots.take(&|| false).unwrap();
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn who_waits_can_be_stopped() {
        let slots = Slots::new(0);
        let held = slots.take(&|| false).unwrap();
        assert!(matches!(slots.take(&|| true), Err(Error::Cancelled)));
        drop(held);
        assert!(slots.take(&|| false).is_ok());
    }
}
