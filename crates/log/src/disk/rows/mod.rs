//! What is known of the records of one segment without reading it: a row for each.

mod index;
mod names;
mod open;
mod packed;
mod sealed;

use std::ops::Range;
use std::sync::Arc;

use tidings_model::Time;

pub(super) use index::{Index, decode, encode, get_tokens, put_tokens};
pub(super) use names::NameList;
pub(super) use open::OpenRows;
pub(super) use packed::Packed;
pub(super) use sealed::{Columns, SealedRows};

/// What is known of one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Where it begins,
    pub(super) at: u32,
    /// and how long it is.
    pub(super) bytes: u32,
    /// Its topic's number.
    pub(super) topic: u32,
    pub(super) time: Time,
    pub(super) expires: Option<Time>,
}

/// The rows of a segment.
pub(super) enum Rows {
    /// Of the one that is written to.
    Open(OpenRows),
    /// Nothing is added any more, but they are not packed yet.
    Rolled(Arc<OpenRows>),
    Sealed(Arc<SealedRows>),
}

/// How one looks at rows.
#[derive(Clone, Copy)]
enum View<'a> {
    Open(&'a OpenRows),
    Sealed(&'a SealedRows),
}

impl Rows {
    fn view(&self) -> View<'_> {
        match self {
            Rows::Open(rows) => View::Open(rows),
            Rows::Rolled(rows) => View::Open(rows),
            Rows::Sealed(rows) => View::Sealed(rows),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self.view() {
            View::Open(rows) => rows.len(),
            View::Sealed(rows) => rows.len(),
        }
    }

    /// The offset of a row.
    pub(super) fn offset(&self, row: usize) -> u64 {
        match self.view() {
            View::Open(rows) => rows.base + row as u64,
            View::Sealed(rows) => rows.offset(row),
        }
    }

    /// The first row whose offset is not less; the number of rows when there is none.
    pub(super) fn row_from(&self, offset: u64) -> usize {
        match self.view() {
            View::Open(rows) => (offset.saturating_sub(rows.base) as usize).min(rows.len()),
            View::Sealed(rows) => rows.row_from(offset),
        }
    }

    /// The row with this offset.
    pub(super) fn row_of(&self, offset: u64) -> Option<usize> {
        Some(self.row_from(offset)).filter(|&row| row < self.len() && self.offset(row) == offset)
    }

    /// Where a row's record begins and ends in the file.
    pub(super) fn place(&self, row: usize) -> Range<u32> {
        match self.view() {
            View::Open(rows) => rows.at[row]..rows.at.get(row + 1).copied().unwrap_or(rows.end_at),
            View::Sealed(rows) => rows.place(row),
        }
    }

    /// The number of a row's topic.
    pub(super) fn topic(&self, row: usize) -> u32 {
        match self.view() {
            View::Open(rows) => rows.topic[row],
            View::Sealed(rows) => rows.topic(row),
        }
    }

    /// When a row's message was stored.
    pub(super) fn time(&self, row: usize) -> Time {
        Time::from_millis(match self.view() {
            View::Open(rows) => rows.time[row],
            View::Sealed(rows) => rows.time.get(row),
        })
    }

    /// When a row's message expires, if it does.
    pub(super) fn expires(&self, row: usize) -> Option<Time> {
        match self.view() {
            View::Open(rows) => rows.expires(row),
            View::Sealed(rows) => rows.expires(row),
        }
    }

    /// Where the last record ends.
    pub(super) fn end_at(&self) -> u32 {
        match self.view() {
            View::Open(rows) => rows.end_at,
            View::Sealed(rows) => rows.end_at,
        }
    }

    /// The rows of a topic in order, from those on that are not before `least`.
    pub(super) fn of_topic(&self, topic: u32, least: usize) -> TopicRows<'_> {
        match self.view() {
            View::Open(rows) => TopicRows::Open(rows, rows.first_from(topic, least)),
            View::Sealed(rows) => TopicRows::Sealed(rows, rows.rows_of(topic, least)),
        }
    }

    /// The row after this one in its topic, and where it stands in a list that knows such things.
    /// `hint` is where this one stands, or was when it was last asked for.
    pub(super) fn next(&self, row: usize, hint: u32) -> Option<(usize, u32)> {
        match self.view() {
            View::Open(rows) => rows.next(row).map(|next| (next, 0)),
            View::Sealed(rows) => {
                let index = rows.index_of(row, hint as usize);
                rows.next_of_topic(row, index).map(|next| (next, index as u32 + 1))
            }
        }
    }

    /// The rows of a topic, the last one first.
    pub(super) fn of_topic_backwards(&self, topic: u32) -> Backwards<'_> {
        Backwards(match self.view() {
            View::Open(rows) => TopicRows::Open(rows, rows.last(topic)),
            View::Sealed(rows) => TopicRows::Sealed(rows, rows.rows_of(topic, 0)),
        })
    }

    /// The numbers of all topics, where they are at hand.
    pub(super) fn topics(&self) -> Option<impl ExactSizeIterator<Item = u32>> {
        match self.view() {
            View::Open(_) => None,
            View::Sealed(rows) => Some(rows.topics.iter().map(|number| number as u32)),
        }
    }
}

/// The rows of one topic.
pub(super) enum TopicRows<'a> {
    Open(&'a OpenRows, Option<usize>),
    Sealed(&'a SealedRows, Range<usize>),
}

impl Iterator for TopicRows<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            TopicRows::Open(rows, next) => {
                let row = (*next)?;
                *next = rows.next(row);
                Some(row)
            }
            TopicRows::Sealed(rows, range) => Some(rows.row(range.next()?)),
        }
    }
}

/// The rows of one topic, the last one first.
pub(super) struct Backwards<'a>(TopicRows<'a>);

impl Iterator for Backwards<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match &mut self.0 {
            TopicRows::Open(rows, next) => {
                let row = (*next)?;
                *next = rows.before(row);
                Some(row)
            }
            TopicRows::Sealed(rows, range) => Some(rows.row(range.next_back()?)),
        }
    }
}
