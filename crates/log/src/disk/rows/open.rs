//! The rows of the segment that is written to. Their offsets have no holes.

use tidings_model::Time;

use super::Row;

/// In place of a row: there is none.
const NONE: u32 = u32::MAX;

/// The rows of the segment that is written to, or was until just now.
#[derive(Default)]
pub(in crate::disk) struct OpenRows {
    /// The offset of the first.
    pub(super) base: u64,
    /// Where the last record ends.
    pub(super) end_at: u32,
    /// Of each row: where its record begins,
    pub(super) at: Vec<u32>,
    /// its topic's number,
    pub(super) topic: Vec<u32>,
    /// the rows of the same topic before and after it,
    before: Vec<u32>,
    next: Vec<u32>,
    /// and when it was stored, in milliseconds.
    pub(super) time: Vec<u64>,
    /// Rows that expire, in order, and when, in milliseconds.
    pub(super) expires: Vec<(u32, u64)>,
    /// Of each topic number the first and the last row.
    ends: Vec<(u32, u32)>,
}

impl OpenRows {
    /// No rows yet; the first will have this offset and its record begin at this place.
    pub(in crate::disk) fn new(base: u64, at: u32) -> OpenRows {
        OpenRows { base, end_at: at, ..OpenRows::default() }
    }

    /// Adds a row behind the last one.
    pub(in crate::disk) fn push(&mut self, row: Row) {
        let index = self.at.len() as u32;
        let topic = row.topic as usize;
        if self.ends.len() <= topic {
            self.ends.resize(topic + 1, (NONE, NONE));
        }
        let (first, last) = &mut self.ends[topic];
        self.before.push(*last);
        self.next.push(NONE);
        match *last {
            NONE => *first = index,
            last => self.next[last as usize] = index,
        }
        *last = index;
        self.at.push(row.at);
        self.topic.push(row.topic);
        self.time.push(row.time.as_millis());
        if let Some(expires) = row.expires {
            self.expires.push((index, expires.as_millis()));
        }
        self.end_at = row.at + row.bytes;
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    pub(super) fn expires(&self, row: usize) -> Option<Time> {
        let index = self.expires.binary_search_by_key(&(row as u32), |(row, _)| *row).ok()?;
        Some(Time::from_millis(self.expires[index].1))
    }

    /// The numbers of all topics that have rows, in order.
    pub(super) fn topics(&self) -> impl Iterator<Item = u32> {
        let ends = self.ends.iter().enumerate();
        ends.filter(|(_, ends)| ends.0 != NONE).map(|(topic, _)| topic as u32)
    }

    /// The first row of a topic that is not before `least`. Looks along the topic from both ends
    /// and along the log at once, so that neither a rare topic nor a busy one, neither an early
    /// row nor a late one is far.
    pub(super) fn first_from(&self, topic: u32, least: usize) -> Option<usize> {
        let &(mut early, mut late) = self.ends.get(topic as usize)?;
        if early == NONE || (late as usize) < least {
            return None;
        }
        let mut along = least;
        loop {
            if early as usize >= least {
                return Some(early as usize);
            }
            match self.before[late as usize] {
                before if before == NONE || (before as usize) < least => {
                    return Some(late as usize);
                }
                before => late = before,
            }
            if self.topic[along] == topic {
                return Some(along);
            }
            (early, along) = (self.next[early as usize], along + 1);
        }
    }

    /// The next row of the same topic.
    pub(super) fn next(&self, row: usize) -> Option<usize> {
        Some(self.next[row]).filter(|&row| row != NONE).map(|row| row as usize)
    }

    /// The last row of a topic.
    pub(super) fn last(&self, topic: u32) -> Option<usize> {
        let &(_, last) = self.ends.get(topic as usize)?;
        Some(last).filter(|&row| row != NONE).map(|row| row as usize)
    }

    /// The row of the same topic before.
    pub(super) fn before(&self, row: usize) -> Option<usize> {
        Some(self.before[row]).filter(|&row| row != NONE).map(|row| row as usize)
    }
}
