//! When which seat is to be woken. A deadline that moves on costs nothing until its old time comes:
//! connections are heard all the time, and each time is a new deadline.

use std::collections::BTreeMap;

use tidings_broker::Owner;
use tidings_model::Time;

/// Deadlines are looked at together that lie in the same so many milliseconds.
const TICK_MS: u64 = 16;

/// A time that never comes.
pub(crate) const NEVER: Time = Time::from_millis(u64::MAX);

/// Who is looked at when.
#[derive(Default)]
pub(crate) struct Timers(BTreeMap<Time, Vec<Owner>>);

impl Timers {
    /// Has `owner` looked at when `time` has come, and says when that will be.
    pub(crate) fn add(&mut self, time: Time, owner: Owner) -> Time {
        let tick = Time::from_millis(time.as_millis().next_multiple_of(TICK_MS));
        self.0.entry(tick).or_default().push(owner);
        tick
    }

    /// The next time at which there is something to look at.
    pub(crate) fn next(&self) -> Option<Time> {
        self.0.first_key_value().map(|(&tick, _)| tick)
    }

    /// Takes those of the first tick that has come, and the tick.
    pub(crate) fn take(&mut self, now: Time) -> Option<(Time, Vec<Owner>)> {
        let first = self.0.first_entry().filter(|first| *first.key() <= now)?;
        Some(first.remove_entry())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_looked_at_before_the_time() {
        let (mut timers, at) = (Timers::default(), Time::from_millis);
        assert_eq!(timers.add(at(100), 1), at(112));
        assert_eq!(timers.add(at(112), 2), at(112));
        assert_eq!(timers.add(at(16), 3), at(16));
        assert_eq!(timers.next(), Some(at(16)));
        assert_eq!(timers.take(at(15)), None);
        assert_eq!(timers.take(at(120)), Some((at(16), vec![3])));
        assert_eq!(timers.take(at(120)), Some((at(112), vec![1, 2])));
        assert_eq!(timers.next(), None);
    }
}
