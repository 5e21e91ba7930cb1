//! When which seat is to be looked at. A deadline that moves on costs nothing until its old time
//! comes: connections are heard all the time, and each time is a new deadline.
//!
//! What is kept for a seat's number outlives its holder, so that however fast holders follow each
//! other on it, none leaves an entry behind that the next one does not use.

use std::collections::BTreeMap;

use tidings_model::Time;

/// Deadlines are looked at together that lie in the same so many milliseconds.
const TICK_MS: u64 = 16;

/// A time that never comes.
pub(crate) const NEVER: Time = Time::from_millis(u64::MAX);

/// Which seats are looked at when, by their numbers.
#[derive(Default)]
pub(crate) struct Timers {
    ticks: BTreeMap<Time, Vec<u32>>,
    /// When each is looked at next.
    next: Vec<Time>,
}

impl Timers {
    /// Has the seat looked at when `time` has come, or before. Says when, if that is news.
    pub(crate) fn watch(&mut self, seat: usize, time: Time) -> Option<Time> {
        if self.next.len() <= seat {
            self.next.resize(seat + 1, NEVER);
        }
        // A time that never comes has no tick after it.
        let tick = time.as_millis().checked_next_multiple_of(TICK_MS).map(Time::from_millis)?;
        if tick >= self.next[seat] {
            return None;
        }
        self.next[seat] = tick;
        // There are never as many seats as this has numbers.
        self.ticks.entry(tick).or_default().push(seat as u32);
        Some(tick)
    }

    /// The next time at which there is something to look at.
    pub(crate) fn next(&self) -> Option<Time> {
        self.ticks.first_key_value().map(|(&tick, _)| tick)
    }

    /// Takes the seats that are to be looked at in the first tick that has come.
    pub(crate) fn take(&mut self, now: Time) -> Option<Vec<u32>> {
        let first = self.ticks.first_entry().filter(|first| *first.key() <= now)?;
        let (tick, mut seats) = first.remove_entry();
        // Others were looked at before, for a deadline that was nearer.
        seats.retain(|&seat| {
            let next = &mut self.next[seat as usize];
            std::mem::replace(next, if *next == tick { NEVER } else { *next }) == tick
        });
        Some(seats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn nobody_is_looked_at_before_the_time() {
        let mut timers = Timers::default();
        assert_eq!(timers.watch(1, at(100)), Some(at(112)));
        assert_eq!(timers.watch(2, at(112)), Some(at(112)));
        assert_eq!(timers.watch(3, at(16)), Some(at(16)));
        assert_eq!(timers.next(), Some(at(16)));
        assert_eq!(timers.take(at(15)), None);
        assert_eq!(timers.take(at(120)), Some(vec![3]));
        assert_eq!(timers.take(at(120)), Some(vec![1, 2]));
        assert_eq!((timers.take(at(120)), timers.next()), (None, None));
    }

    #[test]
    fn a_deadline_that_moves_on_is_one_entry() {
        let mut timers = Timers::default();
        assert!(timers.watch(7, at(100)).is_some());
        assert!((101..10_000).all(|millis| timers.watch(7, at(millis)).is_none()));
        assert_eq!(timers.take(at(200)), Some(vec![7]));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_nearer_deadline_is_looked_at_once() {
        let mut timers = Timers::default();
        timers.watch(7, at(160));
        assert_eq!(timers.watch(7, at(48)), Some(at(48)));
        assert_eq!(timers.take(at(48)), Some(vec![7]));
        assert_eq!(timers.take(at(160)), Some(vec![]), "its deadline was another by then");
        assert_eq!(timers.watch(7, at(176)), Some(at(176)));
    }
}
