//! Works on many items at once, and returns the results in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::Result;

/// Calls `work` for each item on `threads` threads. After each, `done` gets the number of finished
/// items. After an error no further item is begun.
///
/// This uses plain threads, not rayon's. A rayon thread that waits for a part of one search would
/// start the next item meanwhile, and hold the memory of both.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: &(dyn Fn(&T) -> Result<R> + Sync),
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<R>> {
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<Option<Result<R>>>> = Mutex::new(items.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    if result.is_err() {
                        next.store(items.len(), Ordering::Relaxed);
                    }
                    if let Some(place) = results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_mut(at)
                    {
                        *place = Some(result);
                    }
                    done(finished.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    // If some are missing, there is an error.
    results
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn results_come_in_the_order_of_the_items_and_an_error_stops_the_rest() {
        let items: Vec<usize> = (0..200).collect();
        for threads in [1, 3, 500] {
            let twice = each(&items, threads, &|item| Ok(2 * item), &|_| {}).unwrap();
            assert_eq!(twice, items.iter().map(|item| 2 * item).collect::<Vec<_>>());
        }
        let begun = AtomicUsize::new(0);
        let failing = |item: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 5 {
                Err(Error::Cancelled)
            } else {
                Ok(())
            }
        };
        assert!(matches!(
            each(&items, 1, &failing, &|_| {}),
            Err(Error::Cancelled)
        ));
        assert_eq!(begun.into_inner(), 6);
        assert!(
            each(&[] as &[u8], 4, &|_| Ok(()), &|_| {})
                .unwrap()
                .is_empty()
        );
    }
}
