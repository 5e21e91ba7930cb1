//! What makes many who ask the same be answered alike, where the operator lets caches keep answers:
//! all of it depends on the time of day and on nothing of the one who asks.

use std::time::Duration;

use tidings_model::{Position, Time};

/// When a wait ends: at the same time for all who wait so long, whenever they came.
pub(super) fn end_of_wait(wait: Duration, now: Time) -> Time {
    now + rest(wait, now)
}

/// Where to go on from after an answer without events: the place is the same, so the turn has to
/// make the next request another one, or it would be answered with this answer for as long as
/// caches keep it.
pub(super) fn next_turn(position: Position, wait: Duration, now: Time) -> String {
    position.with_turn(now.as_millis() / millis(wait))
}

/// How long caches may keep an answer: to the end of the present span of `keep`, in whole seconds, so
/// that all of them ask for a new one at once.
pub(super) fn kept(keep: Duration, now: Time) -> Duration {
    let seconds = millis(rest(keep, now)).div_ceil(1000);
    Duration::from_secs(seconds)
}

/// What is left of the present span of the day.
fn rest(span: Duration, now: Time) -> Duration {
    Duration::from_millis(millis(span) - now.as_millis() % millis(span))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_answered_at_the_same_time() {
        let wait = Duration::from_secs(20);
        let end = |now| end_of_wait(wait, Time::from_millis(now)).as_millis();
        assert_eq!([100_000, 100_001, 119_999].map(end), [120_000; 3]);
        assert_eq!(end(120_000), 140_000);
    }

    #[test]
    fn whoever_keeps_an_answer_drops_it_at_the_same_time() {
        let kept = |now| kept(Duration::from_secs(5), Time::from_millis(now)).as_secs();
        assert_eq!([10_000, 10_001, 12_000, 14_999].map(kept), [5, 5, 3, 1]);
    }
}
