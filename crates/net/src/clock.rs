//! The house's clock. Must never run back, whatever the machine's clock does.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidings_model::Time;

/// Wall time at the start, moved on by a clock that cannot be set.
///
/// When the machine's clock is stepped while the server runs, message times keep the old offset
/// until the next start; deadlines and order are never disturbed.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: u64,
    start: Instant,
}

impl Clock {
    /// A clock that shows the machine's time now.
    pub fn start() -> Clock {
        // Before 1970 the machine's clock is not set; zero keeps everything in order.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { base: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX), start: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Time::from_millis(self.base.saturating_add(elapsed))
    }

    /// The runtime's instant for a time, for sleeping until then.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        let after = time.since(Time::from_millis(self.base));
        (self.start + after).into()
    }
}
