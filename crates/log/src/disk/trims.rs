//! The last trim of each topic, in the order they happened, so that a reader can be told of those it
//! has not looked at.

use std::collections::VecDeque;

/// One trim.
#[derive(Clone, Copy)]
pub(super) struct Trim {
    /// Its number among all losses.
    pub(super) loss: u64,
    /// The topic's number.
    pub(super) topic: u32,
    /// The highest offset that was removed.
    pub(super) offset: u64,
}

/// Trims in order. An earlier one of the same topic counts no more; it is taken out when there are
/// many of those, since to find each at once costs more than the trim itself.
#[derive(Default)]
pub(super) struct Trims(VecDeque<Trim>);

/// So many outdated trims are never too many.
const OUTDATED_MIN: usize = 1024;

impl Trims {
    pub(super) fn push(&mut self, trim: Trim) {
        self.0.push_back(trim);
    }

    /// Takes out what does not count any more, when it is more than there can be topics.
    pub(super) fn tidy(&mut self, topics: usize, counts: impl Fn(&Trim) -> bool) {
        if self.0.len() > 2 * topics + OUTDATED_MIN {
            self.0.retain(counts);
        }
    }

    /// All trims after so many losses, those that count no more among them.
    pub(super) fn after(&self, losses: u64) -> impl Iterator<Item = &Trim> {
        self.0.range(self.0.partition_point(|trim| trim.loss <= losses)..)
    }
}
