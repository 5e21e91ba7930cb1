//! Finding what a reader wants in what the disk log knows. Changes nothing, and reads no file: what
//! lies on disk is found here and loaded when nothing is locked any more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use tidings_model::{GapReason, LogKind, Record, Selection};

use super::cold::Cold;
use super::segment::Segment;
use super::state::State;
use super::topics::NumberHashing;
use super::trims::Trim;
use crate::found::Hot;
use crate::{Budget, Cursor, Found, ReadEnd, Scan};

/// Most steps of one read: a step is a record or a topic that is looked at. Bounds how long the lock
/// is held.
pub(super) const LOOK_MAX: usize = 16_384;

/// So many topics that were looked at before count as one step.
const KNOWN_STEP: usize = 8;

/// What matches is rare when one topic of so many does, or one message of so many times as many as
/// there are topics.
const RARE_PART: usize = 4;

/// One read.
struct Search<'a> {
    state: &'a State,
    budget: Budget,
    bytes: usize,
    count: usize,
    steps: usize,
    cold: Cold,
    hot: Hot,
}

impl State {
    pub(super) fn find(
        &self,
        wanted: &Selection,
        from: Cursor,
        budget: Budget,
        kind: LogKind,
    ) -> Found {
        let lost = self.lost(wanted, from);
        let mut search = Search {
            state: self,
            budget,
            bytes: 0,
            count: 0,
            steps: 0,
            cold: Cold::new(kind, self.epoch),
            hot: Hot::new(),
        };
        let through = if wanted.patterns().is_empty() {
            search.topics(&self.topics.find_all(wanted.topics()), from.offset)
        } else {
            search.matching(wanted, from.offset)
        };
        let told = self.loss_count;
        let through = through.unwrap_or(self.end);
        let end = ReadEnd { through, lost, told, caught_up: through == self.end };
        let Search { cold, hot, .. } = search;
        Found::new(end, (!cold.is_empty()).then_some(cold), hot)
    }

    /// The highest wanted offset after the reader's that was lost and not told.
    fn lost(&self, wanted: &Selection, from: Cursor) -> Option<(u64, GapReason)> {
        if self.loss_count <= from.told {
            return None;
        }
        let lost = self.lost.range((Excluded(from.told), Unbounded)).map(|(_, &lost)| lost);
        let lost: Vec<_> = lost.filter(|(through, _)| *through > from.offset).collect();
        let reasons = [GapReason::Damaged, GapReason::Unflushed];
        let reason = reasons.into_iter().find(|reason| lost.iter().any(|(_, r)| r == reason));
        let trimmed = self.trimmed(wanted, from);
        let through = lost.into_iter().map(|(through, _)| through).chain(trimmed).max()?;
        Some((through, reason.unwrap_or(GapReason::Trimmed)))
    }

    /// The highest wanted offset after the reader's that was trimmed and not told.
    fn trimmed(&self, wanted: &Selection, from: Cursor) -> Option<u64> {
        if wanted.patterns().is_empty() {
            let numbers = self.topics.find_all(wanted.topics());
            let topics = numbers.into_iter().map(|number| self.topics.get(number));
            let untold = topics.filter(|t| t.trim > from.told && t.trimmed > from.offset);
            return untold.map(|topic| topic.trimmed).max();
        }
        let untold = self.trims_after(from);
        let matching = untold.filter(|trim| wanted.matches(&self.topics.get(trim.topic).name));
        matching.map(|trim| trim.offset).max()
    }

    fn trims_after(&self, from: Cursor) -> impl Iterator<Item = &Trim> {
        self.trims.after(from.told).filter(move |trim| {
            trim.offset > from.offset && self.topics.get(trim.topic).trim == trim.loss
        })
    }

    /// The record at this offset, if it is among the newest.
    pub(super) fn hot(&self, offset: u64) -> Option<&Arc<Record>> {
        let begins = self.end + 1 - self.hot.len() as u64;
        let index = usize::try_from(offset.checked_sub(begins)?).ok()?;
        self.hot.get(index).map(|(record, _)| record)
    }

    pub(super) fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor {
        let trimmed = self.trims_after(from).map(|trim| &self.topics.get(trim.topic).name);
        seen.trimmed.extend(trimmed.cloned());
        let mut looked_at = 0;
        for segment in self.segments.range(self.segment_from(from.offset + 1)..) {
            for row in segment.rows.row_from(from.offset + 1)..segment.rows.len() {
                if looked_at == most {
                    let offset = segment.rows.offset(row) - 1;
                    return Cursor { offset, told: self.loss_count };
                }
                looked_at += 1;
                if self.is_kept(segment, row) {
                    seen.push(&self.topics.get(segment.rows.topic(row)).name);
                }
            }
        }
        Cursor { offset: self.end.max(from.offset), told: self.loss_count }
    }
}

/// Each of these returns the offset it came to, if it did not come to the end.
impl Search<'_> {
    fn is_full(&self) -> bool {
        self.count >= self.budget.records || self.bytes >= self.budget.bytes
    }

    /// Takes the records of these topics.
    fn topics(&mut self, numbers: &[u32], after: u64) -> Option<u64> {
        let state = self.state;
        let is_wanted = |&&number: &&u32| {
            let topic = state.topics.get(number);
            topic.count > 0 && topic.last > after
        };
        let numbers: Vec<u32> = numbers.iter().filter(is_wanted).copied().collect();
        let first = |&number: &u32| state.topics.get(number).first.max(after + 1);
        let begin = state.segment_from(numbers.iter().map(first).min()?);
        for segment in state.segments.range(begin..) {
            if self.steps > 0 && self.steps + numbers.len() > LOOK_MAX {
                return Some(segment.header.base - 1);
            }
            self.steps += numbers.len();
            let came_to = self.merge(segment, &numbers, after);
            if came_to.is_some() {
                return came_to;
            }
        }
        None
    }

    /// Takes what one segment has of these topics.
    fn merge(&mut self, segment: &Segment, numbers: &[u32], after: u64) -> Option<u64> {
        let mut topics = Vec::with_capacity(numbers.len());
        for &number in numbers {
            let topic = self.state.topics.get(number);
            if topic.count > 0 && topic.last >= segment.header.base {
                let least = segment.rows.row_from(topic.first.max(after + 1));
                topics.push(segment.rows.of_topic(number, least));
            }
        }
        let mut heads: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
        let firsts = topics.iter_mut().enumerate();
        heads.extend(firsts.filter_map(|(index, rows)| Some(Reverse((rows.next()?, index)))));
        while let Some(Reverse((row, index))) = heads.pop() {
            if self.is_full() {
                return Some(segment.rows.offset(row) - 1);
            }
            self.take(segment, row);
            heads.extend(topics[index].next().map(|row| Reverse((row, index))));
        }
        None
    }

    /// Takes what matches, in the order of the log.
    fn matching(&mut self, wanted: &Selection, after: u64) -> Option<u64> {
        let state = self.state;
        let mut matches = Matches { wanted, state, known: HashMap::default(), asked: 0 };
        // Once a long way went by without a match, the next may be as long.
        let mut is_rare = false;
        for segment in state.segments.range(state.segment_from(after + 1)..) {
            if segment.live == 0 {
                continue;
            }
            if self.steps > LOOK_MAX {
                return Some(segment.header.base - 1);
            }
            let came_to = self.walk(segment, &mut matches, after, &mut is_rare);
            if came_to.is_some() {
                return came_to;
            }
        }
        None
    }

    /// Takes what matches of one segment: row by row as long as that finds something, else by its
    /// topics.
    fn walk(
        &mut self,
        segment: &Segment,
        matches: &mut Matches<'_>,
        after: u64,
        is_rare: &mut bool,
    ) -> Option<u64> {
        let mut topics = segment.rows.topics().filter(|topics| topics.len() <= LOOK_MAX);
        let rows = segment.rows.row_from(after + 1)..segment.rows.len();
        // Everything before this segment was looked at.
        let mut after = after.max(segment.header.base - 1);
        let mut in_vain = 0;
        for row in rows {
            let topic_count = topics.as_ref().map_or(usize::MAX, ExactSizeIterator::len);
            if (*is_rare || in_vain > topic_count / RARE_PART)
                && let Some(all) = topics.take()
            {
                *is_rare = true;
                let numbers: Vec<u32> = all.filter(|&number| matches.has(number)).collect();
                self.steps += matches.asked + topic_count / KNOWN_STEP;
                matches.asked = 0;
                if numbers.len() <= topic_count / RARE_PART {
                    return self.merge(segment, &numbers, after);
                }
            }
            let (offset, number) = (segment.rows.offset(row), segment.rows.topic(row));
            if self.steps > LOOK_MAX {
                return Some(after);
            }
            self.steps += 1;
            in_vain += 1;
            if self.state.topics.get(number).keeps(offset) && matches.has(number) {
                if self.is_full() {
                    return Some(offset - 1);
                }
                self.take(segment, row);
                (in_vain, *is_rare) = (0, false);
            }
            after = offset;
        }
        None
    }

    /// Takes the record of a row.
    fn take(&mut self, segment: &Segment, row: usize) {
        self.count += 1;
        if let Some(record) = self.state.hot(segment.rows.offset(row)) {
            self.bytes += record.message.payload.len();
            self.hot.push(Arc::clone(record));
            return;
        }
        let place = segment.place(row);
        self.bytes += place.bytes as usize;
        self.cold.push(&segment.file, segment.header.salt, place);
    }
}

/// Which topics match. Each is looked at once.
struct Matches<'a> {
    wanted: &'a Selection,
    state: &'a State,
    known: HashMap<u32, bool, NumberHashing>,
    /// How many were looked at.
    asked: usize,
}

impl Matches<'_> {
    fn has(&mut self, number: u32) -> bool {
        *self.known.entry(number).or_insert_with(|| {
            self.asked += 1;
            self.wanted.matches(&self.state.topics.get(number).name)
        })
    }
}
