//! Work on many things at once, whose results are wanted in order.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many results there may be beside each other for each thread. Bounds memory.
const AHEAD_MAX: usize = 2;

/// How far everyone is.
struct Progress<T> {
    begun: usize,
    taken: usize,
    results: Vec<Option<T>>,
    /// Whether nothing more is wanted, or somebody has panicked.
    is_over: bool,
}

struct Shared<T> {
    progress: Mutex<Progress<T>>,
    changed: Condvar,
}

/// Has `work` done on each item by so many threads, and gives `take` each item and its result in
/// order on this one, until that fails. The last item is begun first.
pub(super) fn in_order<I: Sync, T: Send, E>(
    items: &[I],
    threads: usize,
    work: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(&I, T) -> Result<(), E>,
) -> Result<(), E> {
    if threads.min(items.len()) < 2 {
        return items.iter().try_for_each(|item| take(item, work(item)));
    }
    let results = items.iter().map(|_| None).collect();
    let progress = Progress { begun: 0, taken: 0, results, is_over: false };
    let shared = Shared { progress: Mutex::new(progress), changed: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _over = Over { shared: &shared, is_worker: true };
                while let Some(index) = shared.begin(threads * AHEAD_MAX) {
                    shared.finish(index, work(&items[index]));
                }
            });
        }
        let _over = Over { shared: &shared, is_worker: false };
        for (index, item) in items.iter().enumerate() {
            // Without a result somebody has panicked, which ends the scope with the same.
            let Some(result) = shared.take(index) else { return Ok(()) };
            take(item, result)?;
        }
        Ok(())
    })
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Progress<T>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next item to work on, once there is room for its result.
    fn begin(&self, ahead: usize) -> Option<usize> {
        let progress = self.lock();
        let must_wait = |progress: &mut Progress<T>| {
            !progress.is_over && progress.begun > progress.taken + ahead
        };
        let waited = self.changed.wait_while(progress, must_wait);
        let mut progress = waited.unwrap_or_else(PoisonError::into_inner);
        let (count, begun) = (progress.results.len(), progress.begun);
        if progress.is_over || begun == count {
            return None;
        }
        progress.begun += 1;
        Some(begun.checked_sub(1).unwrap_or(count - 1))
    }

    fn finish(&self, index: usize, result: T) {
        self.lock().results[index] = Some(result);
        self.changed.notify_all();
    }

    /// The result of an item, once it is there.
    fn take(&self, index: usize) -> Option<T> {
        let progress = self.lock();
        let must_wait =
            |progress: &mut Progress<T>| !progress.is_over && progress.results[index].is_none();
        let waited = self.changed.wait_while(progress, must_wait);
        let mut progress = waited.unwrap_or_else(PoisonError::into_inner);
        progress.taken += 1;
        self.changed.notify_all();
        progress.results[index].take()
    }
}

/// Lets everyone go: when a worker panics, and when nobody takes results any more.
struct Over<'a, T> {
    shared: &'a Shared<T>,
    is_worker: bool,
}

impl<T> Drop for Over<'_, T> {
    fn drop(&mut self) {
        self.shared.lock().is_over |= !self.is_worker || std::thread::panicking();
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whoever_is_first() {
        let items: Vec<u64> = (0..200).collect();
        for threads in [1, 2, 5] {
            let mut taken = Vec::new();
            let work = |item: &u64| (0..(item * 7919) % 1000).fold(*item, |sum, n| sum + n % 2);
            let result = in_order(&items, threads, work, |item, result| {
                assert_eq!(result, work(item));
                taken.push(*item);
                Ok::<(), ()>(())
            });
            assert_eq!((result, &taken), (Ok(()), &items));
        }
    }

    #[test]
    fn an_error_and_a_panic_end_it() {
        let items: Vec<u64> = (0..100).collect();
        let result = in_order(&items, 3, |item| *item, |_, n| if n == 9 { Err(n) } else { Ok(()) });
        assert_eq!(result, Err(9));
        let panicked = std::panic::catch_unwind(|| {
            let work = |item: &u64| assert_ne!(*item, 50);
            in_order(&items, 3, work, |_, ()| Ok::<(), ()>(()))
        });
        assert!(panicked.is_err());
    }
}
