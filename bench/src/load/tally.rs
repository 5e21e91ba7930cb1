//! Whether a subscriber got every message once and in order.

use super::mark::Mark;

/// How far behind the newest a message may come and still be told from one that came twice.
const WINDOW: u32 = u64::BITS;

/// What was wrong, of many subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Messages that never came. While some are under way it is too large.
    pub(crate) lost: i64,
    /// Messages that came again.
    pub(crate) duplicated: u64,
    /// Messages that came behind a later one of their stream.
    pub(crate) reordered: u64,
    /// Messages that were meant for somebody else.
    pub(crate) foreign: u64,
}

/// What one subscriber has seen of the streams it listens to.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The first of them.
    base: u32,
    streams: Box<[Seen]>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The number that comes next.
    next: u32,
    /// Which of the numbers before it came, the nearest in the lowest bit.
    recent: u64,
}

impl Tally {
    /// Of so many streams from `base` on.
    pub(crate) fn new(base: u32, count: u32) -> Tally {
        let streams = vec![Seen { next: 0, recent: u64::MAX }; count as usize];
        Tally { base, streams: streams.into() }
    }

    /// Expects only what is published from now on, given how much of each stream was.
    pub(crate) fn begin(&mut self, published: &[u32]) {
        for (index, seen) in self.streams.iter_mut().enumerate() {
            let published = published.get(self.base as usize + index).copied().unwrap_or(0);
            *seen = Seen { next: published, recent: u64::MAX };
        }
    }

    /// A message came.
    pub(crate) fn note(&mut self, mark: Mark, faults: &mut Faults) {
        let index = mark.stream.wrapping_sub(self.base) as usize;
        let Some(seen) = self.streams.get_mut(index) else {
            faults.foreign += 1;
            return;
        };
        if mark.number >= seen.next {
            let missing = mark.number - seen.next;
            faults.lost += i64::from(missing);
            seen.recent = seen.recent.checked_shl(missing + 1).unwrap_or(0) | 1;
            seen.next = mark.number + 1;
            return;
        }
        let back = seen.next - 1 - mark.number;
        if back < WINDOW && seen.recent & (1 << back) == 0 {
            seen.recent |= 1 << back;
            faults.lost -= 1;
            faults.reordered += 1;
        } else {
            faults.duplicated += 1;
        }
    }

    /// How many messages have not come behind the newest that did, given how many of each stream
    /// were published.
    pub(crate) fn missing(&self, published: &[u32]) -> u64 {
        let streams = self.streams.iter().enumerate();
        streams
            .map(|(index, seen)| {
                let published = published.get(self.base as usize + index).copied().unwrap_or(0);
                u64::from(published.saturating_sub(seen.next))
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u32]) -> (Tally, Faults) {
        let (mut tally, mut faults) = (Tally::new(5, 2), Faults::default());
        for number in numbers {
            tally.note(Mark { stream: 6, number: *number, time: 0 }, &mut faults);
        }
        (tally, faults)
    }

    #[test]
    fn losses_copies_and_order_are_told_apart() {
        assert_eq!(after(&[0, 1, 2]).1, Faults::default());
        assert_eq!(after(&[0, 3]).1, Faults { lost: 2, ..Faults::default() });
        assert_eq!(after(&[0, 3, 1]).1, Faults { lost: 1, reordered: 1, ..Faults::default() });
        assert_eq!(after(&[0, 1, 1, 0]).1, Faults { duplicated: 2, ..Faults::default() });
        assert_eq!(after(&[0, 500, 2]).1.duplicated, 1, "too far back to know");
        let (mut tally, mut faults) = after(&[]);
        tally.note(Mark { stream: 4, number: 0, time: 0 }, &mut faults);
        tally.note(Mark { stream: 7, number: 0, time: 0 }, &mut faults);
        assert_eq!(faults, Faults { foreign: 2, ..Faults::default() });
    }

    #[test]
    fn what_is_still_missing_is_counted_by_stream() {
        let (mut tally, mut faults) = after(&[0, 1]);
        assert_eq!(tally.missing(&[9, 9, 9, 9, 9, 3, 4]), 3 + 2);
        tally.begin(&[9, 9, 9, 9, 9, 3, 4]);
        assert_eq!(tally.missing(&[9, 9, 9, 9, 9, 3, 4]), 0);
        tally.note(Mark { stream: 6, number: 4, time: 0 }, &mut faults);
        tally.note(Mark { stream: 6, number: 3, time: 0 }, &mut faults);
        assert_eq!(faults, Faults { duplicated: 1, ..Faults::default() });
    }
}
