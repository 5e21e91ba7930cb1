//! Finding what a reader wants in what the disk log knows. Changes nothing, and reads no file: what
//! lies on disk is found here and loaded when nothing is locked any more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use tidings_model::{GapReason, Record, Selection, Topic};

use super::segment::Cold;
use super::state::State;
use crate::{Budget, Cursor, ReadEnd, Scan};

/// Most records one read or scan looks at. Bounds how long the lock is held.
const LOOK_MAX: usize = 16_384;

/// A record that a read has found.
pub(super) enum Found {
    Hot(Arc<Record>),
    Cold(Cold),
}

impl State {
    pub(super) fn find(
        &self,
        wanted: &Selection,
        from: Cursor,
        budget: Budget,
        found: &mut Vec<Found>,
    ) -> ReadEnd {
        let lost = self.lost(wanted, from);
        let through = if wanted.patterns().is_empty() {
            self.find_topics(wanted.topics(), from.offset, budget, found)
        } else {
            self.find_in_order(wanted, from.offset, budget, found)
        };
        ReadEnd { through, lost, told: self.loss_count, caught_up: through == self.end }
    }

    /// The highest wanted offset after the reader's that was lost and not told.
    fn lost(&self, wanted: &Selection, from: Cursor) -> Option<(u64, GapReason)> {
        if self.loss_count <= from.told {
            return None;
        }
        let damaged = self.damages.range((Excluded(from.told), Unbounded));
        let damaged = damaged.map(|(_, &through)| through).filter(|&t| t > from.offset).max();
        if let Some(through) = damaged {
            return Some((through, GapReason::Damaged));
        }
        let trimmed = if wanted.patterns().is_empty() {
            let numbers = wanted.topics().iter().filter_map(|name| self.numbers.get(name));
            let topics = numbers.map(|&number| &self.topics[number as usize]);
            topics
                .filter(|topic| topic.trim > from.told && topic.trimmed > from.offset)
                .map(|topic| topic.trimmed)
                .max()
        } else {
            let untold = self.trims_after(from);
            let matching =
                untold.filter(|(number, _)| wanted.matches(&self.topics[*number as usize].name));
            matching.map(|&(_, offset)| offset).max()
        };
        trimmed.map(|offset| (offset, GapReason::Trimmed))
    }

    fn trims_after(&self, from: Cursor) -> impl Iterator<Item = &(u32, u64)> {
        let untold = self.trims.range((Excluded(from.told), Unbounded)).map(|(_, trim)| trim);
        untold.filter(move |(_, offset)| *offset > from.offset)
    }

    /// The first kept record of a topic after an offset. Looks from both sides at once: along the
    /// topic from its oldest record, and along the log from the offset.
    fn first_after(&self, number: u32, after: u64) -> Option<u64> {
        let topic = &self.topics[number as usize];
        if topic.count == 0 || topic.last <= after {
            return None;
        }
        let (mut along_topic, mut along_log) = (topic.first, after + 1);
        while along_topic <= after {
            let segment = &self.segments[self.segment_of(along_log)];
            if segment.topic[segment.index_of(along_log)] == number {
                return Some(along_log);
            }
            along_log += 1;
            along_topic = self.next(along_topic)?;
        }
        Some(along_topic)
    }

    /// Merges the topics' own sequences.
    fn find_topics(
        &self,
        names: &[Topic],
        after: u64,
        budget: Budget,
        found: &mut Vec<Found>,
    ) -> u64 {
        let numbers = names.iter().filter_map(|name| self.numbers.get(name));
        let mut heads: BinaryHeap<Reverse<u64>> =
            numbers.filter_map(|&number| self.first_after(number, after)).map(Reverse).collect();
        let mut bytes = 0;
        while let Some(Reverse(offset)) = heads.pop() {
            if found.len() >= budget.records || bytes >= budget.bytes {
                return offset - 1;
            }
            bytes += self.take(offset, found);
            heads.extend(self.next(offset).map(Reverse));
        }
        self.end
    }

    /// Walks the whole log in order and takes what matches and is kept.
    fn find_in_order(
        &self,
        wanted: &Selection,
        after: u64,
        budget: Budget,
        found: &mut Vec<Found>,
    ) -> u64 {
        let begin = self.segments.front().map_or(after, |first| first.header.base - 1).max(after);
        let mut matches: HashMap<u32, bool> = HashMap::new();
        let mut bytes = 0;
        for (looked_at, offset) in (begin + 1..=self.end).enumerate() {
            if looked_at == LOOK_MAX {
                return offset - 1;
            }
            let Some(number) = self.kept_topic(offset) else { continue };
            let topic = &self.topics[number as usize];
            if !*matches.entry(number).or_insert_with(|| wanted.matches(&topic.name)) {
                continue;
            }
            if found.len() >= budget.records || bytes >= budget.bytes {
                return offset - 1;
            }
            bytes += self.take(offset, found);
        }
        self.end
    }

    /// The topic of a record, if there is such a record and it is kept.
    fn kept_topic(&self, offset: u64) -> Option<u32> {
        let segment = self.segments.get(self.segment_of(offset))?;
        let number = *segment.topic.get(segment.index_of(offset))?;
        let topic = self.topics.get(number as usize)?;
        (topic.count > 0 && offset >= topic.first).then_some(number)
    }

    /// Adds a record to what was found; returns its size.
    fn take(&self, offset: u64, found: &mut Vec<Found>) -> usize {
        let hot_begins = self.end + 1 - self.hot.len() as u64;
        if offset >= hot_begins
            && let Some(record) = self.hot.get((offset - hot_begins) as usize)
        {
            found.push(Found::Hot(Arc::clone(record)));
            return record.message.payload.len();
        }
        let segment = &self.segments[self.segment_of(offset)];
        found.push(Found::Cold(segment.cold(offset)));
        segment.bytes(segment.index_of(offset)) as usize
    }

    /// The newest `count` kept records that are wanted, newest first.
    pub(super) fn find_last(&self, wanted: &Selection, count: usize, found: &mut Vec<Found>) {
        let mut offsets: Vec<u64> = Vec::new();
        if wanted.patterns().is_empty() {
            for number in wanted.topics().iter().filter_map(|name| self.numbers.get(name)) {
                let topic = &self.topics[*number as usize];
                let mut next = (topic.count > 0).then_some(topic.first);
                for _ in 0..topic.count.saturating_sub(count as u64) {
                    next = next.and_then(|offset| self.next(offset));
                }
                while let Some(offset) = next {
                    offsets.push(offset);
                    next = self.next(offset);
                }
            }
        } else {
            let begin = self.segments.front().map_or(1, |first| first.header.base);
            let matching = (begin..=self.end).rev().filter(|&offset| {
                self.kept_topic(offset)
                    .is_some_and(|number| wanted.matches(&self.topics[number as usize].name))
            });
            offsets.extend(matching.take(count));
        }
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        for offset in offsets.into_iter().take(count) {
            self.take(offset, found);
        }
    }

    pub(super) fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor {
        seen.trimmed.extend(self.trims_after(from).map(|(n, _)| self.name(*n)));
        let begin =
            self.segments.front().map_or(from.offset, |s| s.header.base - 1).max(from.offset);
        let end = self.end.min(begin.saturating_add(most as u64));
        for offset in begin + 1..=end {
            if let Some(number) = self.kept_topic(offset) {
                seen.push(&self.topics[number as usize].name);
            }
        }
        Cursor { offset: end.max(from.offset), told: self.loss_count }
    }
}
