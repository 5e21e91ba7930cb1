//! When to come back: advice to whoever polls, from nothing but how quiet it is.

use std::time::Duration;

use tidings_model::Time;

use crate::transport::Settings;

/// Whoever comes back after a tenth of the silence so far hears of an event late by a tenth of it
/// at most, and asks ten times for each time the silence grows by its own length.
const SHARE: u32 = 10;

/// How long to wait before asking again, in whole seconds: the quieter it is, the longer.
/// `newest` is when the newest event was published; nothing: there is none.
pub fn advice(settings: &Settings, newest: Option<Time>, now: Time) -> Duration {
    let (least, most) = (settings.poll_min, settings.poll_max.max(settings.poll_min));
    let wait = newest.map_or(most, |newest| now.since(newest) / SHARE).clamp(least, most);
    Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_silence_within_bounds() {
        let settings = Settings::default();
        let now = Time::from_millis(10_000_000);
        let after = |age: u64| {
            advice(&settings, Some(now.saturating_sub(Duration::from_secs(age))), now).as_secs()
        };
        assert_eq!([0, 5, 20, 21, 300, 600, 9000].map(after), [1, 1, 2, 3, 30, 60, 60]);
        assert_eq!(advice(&settings, None, now).as_secs(), 60);
        let newer = now + Duration::from_secs(5);
        assert_eq!(advice(&settings, Some(newer), now).as_secs(), 1, "clocks differ");
    }
}
