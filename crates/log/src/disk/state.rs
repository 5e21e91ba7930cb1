//! What the disk log knows, behind its lock: where every record lies, what of each topic is kept,
//! and the newest records themselves. Nothing in here reads or writes a file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidings_model::{GapReason, Mark, Record, Time, Topic};

use super::rows::{Packed, Row, Rows, SealedRows};
use super::segment::Segment;
use super::topics::{TopicState, Topics};
use super::trims::{Trim, Trims};
use super::waste::Heap;
use crate::Remembered;

/// How many of the newest records are kept in memory, where live readers find them,
const HOT_RECORDS: usize = 8192;

/// and how many bytes of them at most.
const HOT_BYTES: u64 = 16 << 20;

pub(super) struct State {
    pub(super) epoch: u32,
    /// In the order of their offsets. There may be offsets between them that no segment stands
    /// for.
    pub(super) segments: VecDeque<Segment>,
    /// The last offset that was given,
    pub(super) end: u64,
    /// and the last one that was synced.
    pub(super) synced: u64,
    /// The newest time that is known.
    pub(super) now: Time,
    pub(super) topics: Topics,
    /// The newest records, and what each of them costs to keep.
    pub(super) hot: VecDeque<(Arc<Record>, u32)>,
    hot_bytes: u64,
    pub(super) loss_count: u64,
    /// The last trim of each topic.
    pub(super) trims: Trims,
    /// Ranges that were lost whatever their topics, by their number among all losses: the last
    /// offset of each, and why.
    pub(super) lost: BTreeMap<u64, (u64, GapReason)>,
    pub(super) next_aged: usize,
    /// Tokens of an earlier life, until somebody asks for them.
    pub(super) remembered: Vec<Remembered>,
    /// Whether the keeper has something to do.
    pub(super) is_due: bool,
    /// Whether it has to wait with that for a sync.
    pub(super) waits_for_sync: bool,
}

impl State {
    pub(super) fn new(epoch: u32) -> State {
        State {
            epoch,
            segments: VecDeque::new(),
            end: 0,
            synced: 0,
            now: Time::default(),
            topics: Topics::default(),
            hot: VecDeque::new(),
            hot_bytes: 0,
            loss_count: 0,
            trims: Trims::default(),
            lost: BTreeMap::new(),
            next_aged: 0,
            remembered: Vec::new(),
            is_due: false,
            waits_for_sync: false,
        }
    }

    pub(super) fn end(&self) -> Mark {
        Mark { epoch: self.epoch, offset: self.end }
    }

    pub(super) fn losses(&self) -> u64 {
        self.loss_count
    }

    /// The segment whose first offset this is.
    pub(super) fn segment_mut(&mut self, base: u64) -> Option<&mut Segment> {
        let found = self.segments.binary_search_by_key(&base, |segment| segment.header.base);
        self.segments.get_mut(found.ok()?)
    }

    /// Begins a segment after all others; what comes next goes there.
    pub(super) fn begin_segment(&mut self, segment: Segment) {
        if let Some(last) = self.segments.back_mut()
            && let Rows::Open(rows) = &mut last.rows
        {
            last.rows = Rows::Rolled(Arc::new(std::mem::take(rows)));
            self.is_due = true;
        }
        self.end = self.end.max(segment.through);
        self.segments.push_back(segment);
    }

    /// Offsets up to this one are taken, though nothing stands for them.
    pub(super) fn skip_to(&mut self, offset: u64) {
        self.end = self.end.max(offset);
    }

    /// Adds the record after the last one.
    pub(super) fn push(&mut self, row: Row) {
        let Some(segment) = self.segments.back_mut() else { return };
        let Rows::Open(rows) = &mut segment.rows else { return };
        rows.push(row);
        self.end += 1;
        segment.through = self.end;
        segment.live += 1;
        segment.live_bytes += u64::from(row.bytes);
        self.topics.get_mut(row.topic).keep(self.end, 1, row.bytes.into(), self.end);
    }

    /// Adds a segment of an earlier life after all others. Its topics have their numbers; `bytes`
    /// are those of each topic's records.
    pub(super) fn add_sealed(&mut self, mut segment: Segment, rows: SealedRows, bytes: &Packed) {
        for ((number, range), bytes) in rows.topics().zip(bytes.iter()) {
            let topic = self.topics.get_mut(number);
            // What no file was to hold any more must not come back.
            let gone = range.clone().take_while(|&i| rows.offset_of(i) <= topic.gone);
            let (gone, gone_bytes) = gone.fold((0, 0), |(count, bytes), index| {
                let place = rows.place(rows.row(index));
                (count + 1, bytes + u64::from(place.end - place.start))
            });
            let kept = range.start + gone..range.end;
            if !kept.is_empty() {
                let bytes = bytes.saturating_sub(gone_bytes);
                let ends = (rows.offset_of(kept.start), rows.offset_of(kept.end - 1));
                topic.keep(ends.0, kept.len() as u64, bytes, ends.1);
                segment.live += kept.len() as u64;
                segment.live_bytes += bytes;
            }
        }
        segment.rows = Rows::Sealed(Arc::new(rows));
        self.end = self.end.max(segment.through);
        self.is_due |= segment.is_due() || !segment.is_indexed;
        self.segments.push_back(segment);
    }

    /// The batch that was just pushed has a token. It stands in its segment's index.
    pub(super) fn remember(&mut self, remembered: Remembered) {
        if let Some(segment) = self.segments.back_mut() {
            segment.tokens.push(remembered);
        }
    }

    /// Whether something has come up for the keeper since this was last asked.
    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// Everything that is visible is durable.
    pub(super) fn synced(&mut self) {
        self.synced = self.end;
        self.is_due |= std::mem::take(&mut self.waits_for_sync);
    }

    /// Keeps a record that was just pushed where live readers find it. Those that are no longer
    /// among the newest are `cooled`.
    pub(super) fn warm(&mut self, record: Arc<Record>, size: u32, cooled: &mut Heap) {
        self.hot_bytes += u64::from(size);
        self.hot.push_back((record, size));
        while self.hot.len() > HOT_RECORDS || self.hot_bytes > HOT_BYTES {
            let Some((record, size)) = self.hot.pop_front() else { return };
            self.hot_bytes -= u64::from(size);
            cooled.push(record, size);
        }
    }

    /// Messages of whatever topic up to `through` were lost.
    pub(super) fn lose(&mut self, through: u64, reason: GapReason) {
        self.loss_count += 1;
        self.lost.insert(self.loss_count, (through, reason));
    }

    /// A topic lost everything up to `offset` in an earlier life of the process.
    pub(super) fn remember_trim(&mut self, topic: &Topic, offset: u64) {
        let number = self.topics.number(topic);
        self.note_trim(number, offset);
        let topic = self.topics.get_mut(number);
        topic.last = topic.last.max(offset);
        topic.gone = topic.gone.max(offset);
    }

    pub(super) fn note_trim(&mut self, number: u32, offset: u64) {
        self.loss_count += 1;
        let topic = self.topics.get_mut(number);
        topic.trim = self.loss_count;
        topic.trimmed = topic.trimmed.max(offset);
        self.trims.push(Trim { loss: topic.trim, topic: number, offset: topic.trimmed });
        let topics = &self.topics;
        self.trims.tidy(topics.len(), |trim| topics.get(trim.topic).trim == trim.loss);
    }

    /// The first segment that stands for this offset or a later one.
    pub(super) fn segment_from(&self, offset: u64) -> usize {
        match self.segments.back() {
            // Mostly it is the last that is asked for.
            Some(last) if last.header.base <= offset && offset <= last.through => {
                self.segments.len() - 1
            }
            _ => self.segments.partition_point(|segment| segment.through < offset),
        }
    }

    /// Whether the record of a row is kept.
    pub(super) fn is_kept(&self, segment: &Segment, row: usize) -> bool {
        self.topics.get(segment.rows.topic(row)).keeps(segment.rows.offset(row))
    }
}

impl TopicState {
    /// Whether the record at this offset, which is one of its own, is kept.
    pub(super) fn keeps(&self, offset: u64) -> bool {
        self.count > 0 && offset >= self.first
    }

    /// Keeps so many more records from `first` to `last`, after all others.
    fn keep(&mut self, first: u64, count: u64, bytes: u64, last: u64) {
        if self.count == 0 {
            self.first = first;
        }
        self.count += count;
        self.bytes += bytes;
        self.last = self.last.max(last);
    }
}
