//! The rows of a segment that nothing is added to any more, packed. Never changed.

use std::ops::Range;

use tidings_model::Time;

use super::Row;
use super::open::OpenRows;
use super::packed::Packed;

/// The rows of a segment that is sealed.
///
/// Its topics have numbers of their own, since those of the log differ from one life of the
/// process to the next.
pub(in crate::disk) struct SealedRows {
    /// The offset of each row.
    pub(super) offsets: Offsets,
    /// Where each record begins, and where the last one ends.
    pub(super) at: Packed,
    pub(in crate::disk) end_at: u32,
    /// The own number of each row's topic.
    pub(super) topic: Packed,
    /// When each was stored, in milliseconds.
    pub(super) time: Packed,
    /// Rows that expire, in order, and when, in milliseconds.
    pub(super) expiring: Packed,
    pub(super) expires: Packed,
    /// The rows of each topic in order, one topic after the other,
    pub(super) by_topic: Packed,
    /// and where in that each topic begins, and the last one ends.
    pub(super) starts: Packed,
    /// The log's number of each topic.
    pub(super) topics: Packed,
    /// The own numbers in the order of the log's, where that is another.
    pub(super) order: Option<Packed>,
}

/// The offsets of rows.
pub(super) enum Offsets {
    /// So many, one after the other from this one on.
    Dense(u64, usize),
    /// Some are missing.
    Sparse(Packed),
}

/// What rows are made of: of each column a number for each row.
pub(in crate::disk) struct Columns<'a> {
    /// The offset of the first, and of each if some are missing.
    pub(in crate::disk) base: u64,
    pub(in crate::disk) offsets: Option<&'a [u64]>,
    pub(in crate::disk) at: &'a [u32],
    pub(in crate::disk) end_at: u32,
    /// Own numbers, each less than `topic_count`.
    pub(in crate::disk) topic: &'a [u32],
    pub(in crate::disk) topic_count: usize,
    pub(in crate::disk) time: &'a [u64],
    pub(in crate::disk) expires: &'a [(u32, u64)],
}

impl SealedRows {
    /// Packs rows. Their topics have no numbers of the log yet; see [`SealedRows::number`].
    pub(in crate::disk) fn new(columns: &Columns<'_>) -> SealedRows {
        let narrow = |column: &'_ [u32]| Packed::new(column.iter().map(|&number| number.into()));
        let (starts, by_topic) = by_topic(columns.topic, columns.topic_count);
        let offsets = match columns.offsets {
            None => Offsets::Dense(columns.base, columns.at.len()),
            Some(offsets) => Offsets::Sparse(Packed::new(offsets.iter().copied())),
        };
        SealedRows {
            offsets,
            at: narrow(columns.at),
            end_at: columns.end_at,
            topic: narrow(columns.topic),
            time: Packed::new(columns.time.iter().copied()),
            expiring: Packed::new(columns.expires.iter().map(|(row, _)| u64::from(*row))),
            expires: Packed::new(columns.expires.iter().map(|(_, time)| *time)),
            by_topic: narrow(&by_topic),
            starts: narrow(&starts),
            topics: narrow(&[]),
            order: None,
        }
    }

    /// Packs the rows of a segment that was written to until now.
    pub(in crate::disk) fn pack(rows: &OpenRows) -> SealedRows {
        let topics: Vec<u32> = rows.topics().collect();
        let own = |topic: &u32| topics.binary_search(topic).map_or(0, |own| own as u32);
        let topic: Vec<u32> = rows.topic.iter().map(own).collect();
        let mut packed = SealedRows::new(&Columns {
            base: rows.base,
            offsets: None,
            at: &rows.at,
            end_at: rows.end_at,
            topic: &topic,
            topic_count: topics.len(),
            time: &rows.time,
            expires: &rows.expires,
        });
        packed.number(&topics);
        packed
    }

    /// Gives the topics the log's numbers, in the order of their own.
    pub(in crate::disk) fn number(&mut self, topics: &[u32]) {
        debug_assert_eq!(topics.len() + 1, self.starts.len());
        self.topics = Packed::new(topics.iter().map(|&topic| topic.into()));
        self.order = (!topics.is_sorted()).then(|| {
            // Both in one number, which is sorted fastest.
            let both = topics.iter().zip(0_u64..).map(|(&topic, own)| u64::from(topic) << 32 | own);
            let mut both: Vec<u64> = both.collect();
            both.sort_unstable();
            Packed::new(both.into_iter().map(|both| both & u64::from(u32::MAX)))
        });
    }

    /// A topic's own number.
    fn own(&self, topic: u32) -> Option<usize> {
        let count = self.topics.len();
        let own =
            |place: usize| self.order.as_ref().map_or(place, |order| order.get(place) as usize);
        let (mut begin, mut end) = (0, count);
        while begin < end {
            let middle = begin + (end - begin) / 2;
            if self.topics.get(own(middle)) < topic.into() {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        let found = (begin < count).then(|| own(begin))?;
        (self.topics.get(found) == topic.into()).then_some(found)
    }

    /// How many there are.
    pub(in crate::disk) fn len(&self) -> usize {
        self.at.len()
    }

    pub(in crate::disk) fn offset(&self, row: usize) -> u64 {
        match &self.offsets {
            Offsets::Dense(base, _) => base + row as u64,
            Offsets::Sparse(offsets) => offsets.get(row),
        }
    }

    /// The first row whose offset is not less; the number of rows when there is none.
    pub(super) fn row_from(&self, offset: u64) -> usize {
        match &self.offsets {
            Offsets::Dense(base, count) => (offset.saturating_sub(*base) as usize).min(*count),
            Offsets::Sparse(offsets) => offsets.lower_bound(0..offsets.len(), offset),
        }
    }

    pub(super) fn topic(&self, row: usize) -> u32 {
        self.topics.get(self.topic.get(row) as usize) as u32
    }

    pub(super) fn expires(&self, row: usize) -> Option<Time> {
        let index = self.expiring.lower_bound(0..self.expiring.len(), row as u64);
        let found = index < self.expiring.len() && self.expiring.get(index) == row as u64;
        found.then(|| Time::from_millis(self.expires.get(index)))
    }

    /// Where in `by_topic` the rows of a topic are that are not before `least`.
    pub(super) fn rows_of(&self, topic: u32, least: usize) -> Range<usize> {
        let Some(own) = self.own(topic) else { return 0..0 };
        let all = self.range(own);
        self.by_topic.lower_bound(all.clone(), least as u64)..all.end
    }

    /// The log's number of each topic, in the order of their own, and where in the list of rows by
    /// topic its own are.
    pub(in crate::disk) fn topics(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        let topics = self.topics.iter().enumerate();
        topics.map(|(own, topic)| (topic as u32, self.range(own)))
    }

    /// Where in the list of rows by topic a topic's rows are.
    fn range(&self, own: usize) -> Range<usize> {
        self.starts.get(own) as usize..self.starts.get(own + 1) as usize
    }

    /// The row at a place of the list of rows by topic,
    pub(in crate::disk) fn row(&self, index: usize) -> usize {
        self.by_topic.get(index) as usize
    }

    /// and its offset.
    pub(in crate::disk) fn offset_of(&self, index: usize) -> u64 {
        self.offset(self.row(index))
    }

    /// The first place in a topic's part of that list whose offset is not less; the part's end when
    /// there is none.
    pub(in crate::disk) fn lower_bound(&self, range: Range<usize>, offset: u64) -> usize {
        self.by_topic.lower_bound(range, self.row_from(offset) as u64)
    }

    /// Where a row stands in the list of rows by topic, which is perhaps at `hint`.
    pub(super) fn index_of(&self, row: usize, hint: usize) -> usize {
        let is_there = hint < self.by_topic.len() && self.row(hint) == row;
        if is_there { hint } else { self.rows_of(self.topic(row), row).start }
    }

    /// The row behind this one in its topic, of which that is the place.
    pub(super) fn next_of_topic(&self, row: usize, index: usize) -> Option<usize> {
        let next = (index + 1 < self.by_topic.len()).then(|| self.row(index + 1))?;
        (self.topic.get(next) == self.topic.get(row)).then_some(next)
    }

    /// Where a row's record begins and ends in the file.
    pub(in crate::disk) fn place(&self, row: usize) -> Range<u32> {
        let end = if row + 1 < self.len() { self.at.get(row + 1) as u32 } else { self.end_at };
        self.at.get(row) as u32..end
    }

    /// All that is known of a row.
    pub(in crate::disk) fn get(&self, row: usize) -> Row {
        let place = self.place(row);
        Row {
            at: place.start,
            bytes: place.end - place.start,
            topic: self.topic(row),
            time: Time::from_millis(self.time.get(row)),
            expires: self.expires(row),
        }
    }

    /// Bytes of each topic's records, in the order of their own numbers.
    pub(in crate::disk) fn topic_bytes(&self) -> Packed {
        let mut bytes = vec![0; self.starts.len() - 1];
        for row in 0..self.len() {
            let place = self.place(row);
            bytes[self.topic.get(row) as usize] += u64::from(place.end - place.start);
        }
        Packed::new(bytes.into_iter())
    }
}

/// The rows of each topic, one topic after the other, and where each begins.
fn by_topic(topic: &[u32], topic_count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0; topic_count + 1];
    for &own in topic {
        starts[own as usize + 1] += 1;
    }
    for own in 0..topic_count {
        starts[own + 1] += starts[own];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; topic.len()];
    for (row, &own) in topic.iter().enumerate() {
        rows[next[own as usize] as usize] = row as u32;
        next[own as usize] += 1;
    }
    (starts, rows)
}
