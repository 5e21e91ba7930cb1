//! How long to wait before trying again. Must never make many clients come back at one moment.

use std::time::Duration;

/// First wait, unless the server names another.
const FIRST: Duration = Duration::from_millis(200);

/// Longest wait: what a person waits for a server that is back.
const LONGEST: Duration = Duration::from_secs(10);

/// Exponential backoff: each wait is about twice the one before, of which a random half is taken
/// away.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    failures: u32,
}

impl Backoff {
    /// As if nothing had failed yet.
    pub(crate) fn new() -> Backoff {
        Backoff { first: FIRST, failures: 0 }
    }

    /// Something went well: the next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The server names the first wait (the `retry` field of an event stream).
    pub(crate) fn set_first(&mut self, first: Duration) {
        self.first = first.min(LONGEST);
    }

    /// How long to wait after one more failure.
    pub(crate) fn wait(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        doubled.min(LONGEST).mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::new();
        for most in [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000] {
            let wait = backoff.wait().as_millis();
            assert!((most / 2..=most).contains(&wait), "{wait} of {most}");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(200));
        backoff.set_first(Duration::from_secs(3600));
        backoff.reset();
        assert!(backoff.wait() <= LONGEST && backoff.failures == 1);
    }
}
