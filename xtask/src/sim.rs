//! The simulator's command line: runs seeds and tells which of them fail.
//!
//! It must never know what is simulated; that is `tidings-testkit`.

use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::bail;

use crate::say;

/// How many seeds run when nothing else is asked for: always the same ones, so that a run that
/// fails fails again.
pub(crate) const SEEDS: u64 = 300;

/// Failures are shown in full up to this many; more of them say nothing new.
const SHOWN_MAX: usize = 3;

/// The seeds that `--seed` and `--seeds` ask for.
pub(crate) fn seeds(first: Option<u64>, count: Option<u64>) -> Range<u64> {
    let count = count.unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(0);
    first..first.saturating_add(count)
}

/// Runs every seed, on all cores.
pub(crate) fn run(seeds: Range<u64>) -> anyhow::Result<()> {
    if seeds.is_empty() {
        bail!("there is no seed to run");
    }
    let alone = seeds.end.saturating_sub(seeds.start) == 1;
    let began = Instant::now();
    let failures = run_with(seeds.clone(), &|seed| {
        let report = simulate(seed)?;
        if alone {
            println!("{report}");
        }
        Ok(())
    });
    for (_, failure) in failures.iter().take(SHOWN_MAX) {
        say::failure(failure);
    }
    let ran = seeds.end.saturating_sub(seeds.start);
    let failed = failures.len();
    let span = say::duration(began.elapsed());
    println!("seeds: {} passed, {failed} failed in {span}", ran.saturating_sub(failed as u64));
    match failures.as_slice() {
        [] => Ok(()),
        [(seed, _), ..] => bail!("{failed} of {ran} seeds failed, the first is {seed}"),
    }
}

/// One seed; a panic inside is a failure like any other.
fn simulate(seed: u64) -> Result<String, String> {
    match catch_unwind(|| tidings_testkit::sim::run(seed)) {
        Ok(Ok(report)) => Ok(report.to_string()),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(_) => Err(format!(
            "seed {seed} panics, see above\n  see it again: cargo xtask sim --seed {seed}"
        )),
    }
}

/// Gives the seeds that failed, in their order, whatever order they ran in.
fn run_with(
    seeds: Range<u64>,
    one: &(dyn Fn(u64) -> Result<(), String> + Sync),
) -> Vec<(u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            if let Err(failure) = one(seed) {
                // Nothing panics while the lock is held, so it is never poisoned.
                failures.lock().unwrap_or_else(|e| e.into_inner()).push((seed, failure));
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(|e| e.into_inner());
    failures.sort();
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_the_seeds() {
        assert_eq!(seeds(None, None), 0..SEEDS);
        assert_eq!(seeds(Some(7), None), 7..8);
        assert_eq!(seeds(None, Some(50)), 0..50);
        assert_eq!(seeds(Some(7), Some(3)), 7..10);
        assert_eq!(seeds(Some(u64::MAX), Some(3)), u64::MAX..u64::MAX);
    }

    #[test]
    fn every_seed_runs_once_and_failures_come_in_order() {
        let ran = Mutex::new(Vec::new());
        let failures = run_with(10..60, &|seed| {
            ran.lock().unwrap().push(seed);
            if seed % 20 == 0 { Err(format!("lost {seed}")) } else { Ok(()) }
        });
        let mut ran = ran.into_inner().unwrap();
        ran.sort();
        assert_eq!(ran, (10..60).collect::<Vec<_>>());
        assert_eq!(failures, [(20, "lost 20".to_owned()), (40, "lost 40".to_owned())]);
    }
}
