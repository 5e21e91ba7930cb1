//! Time as the house knows it: one number, always passed in, never read here.

use std::ops::Add;
use std::time::Duration;

/// Milliseconds since the Unix epoch, from a clock that never runs back.
///
/// Only `net` and `server` own a clock; every other room is handed a `Time`. Because it is both
/// the wall time that messages carry and the base of every deadline, whoever owns the clock must
/// hold it still rather than let it step back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// A time from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time `span` before this one, not before the Unix epoch.
    pub fn saturating_sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(millis(span)))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(millis(span)))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
