//! Finding what a reader wants in what the disk log knows. Changes nothing, and reads no file: what
//! lies on disk is found here and loaded when nothing is locked any more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use tidings_model::{GapReason, LogKind, Mark, Record, Selection, Time, Topic};

use super::cold::Cold;
use super::state::State;
use crate::{Budget, Cursor, Found, ReadEnd, Scan};

/// Most records one read or scan looks at. Bounds how long the lock is held.
const LOOK_MAX: usize = 16_384;

/// What a read has taken so far.
struct Taken {
    budget: Budget,
    bytes: usize,
    count: usize,
    cold: Cold,
    hot: Vec<Arc<Record>>,
}

impl Taken {
    fn is_full(&self) -> bool {
        self.count >= self.budget.records || self.bytes >= self.budget.bytes
    }
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
        let cold = Cold::new(kind, self.epoch);
        let mut taken = Taken { budget, bytes: 0, count: 0, cold, hot: Vec::new() };
        let through = if wanted.patterns().is_empty() {
            self.find_topics(wanted.topics(), from.offset, &mut taken)
        } else {
            self.find_in_order(wanted, from.offset, &mut taken)
        };
        let told = self.loss_count;
        let end = ReadEnd { through, lost, told, caught_up: through == self.end };
        let Taken { cold, hot, .. } = taken;
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
            let numbers = wanted.topics().iter().filter_map(|name| self.numbers.get(name));
            let topics = numbers.map(|&number| &self.topics[number as usize]);
            let untold = topics.filter(|t| t.trim > from.told && t.trimmed > from.offset);
            return untold.map(|topic| topic.trimmed).max();
        }
        let untold = self.trims_after(from);
        let matching =
            untold.filter(|(number, _)| wanted.matches(&self.topics[*number as usize].name));
        matching.map(|&(_, offset)| offset).max()
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
    fn find_topics(&self, names: &[Topic], after: u64, taken: &mut Taken) -> u64 {
        let numbers = names.iter().filter_map(|name| self.numbers.get(name));
        let mut heads: BinaryHeap<Reverse<u64>> =
            numbers.filter_map(|&number| self.first_after(number, after)).map(Reverse).collect();
        while let Some(Reverse(offset)) = heads.pop() {
            if taken.is_full() {
                return offset - 1;
            }
            self.take(offset, taken);
            heads.extend(self.next(offset).map(Reverse));
        }
        self.end
    }

    /// Walks the whole log in order and takes what matches and is kept.
    fn find_in_order(&self, wanted: &Selection, after: u64, taken: &mut Taken) -> u64 {
        let begin = self.segments.front().map_or(after, |first| first.header.base - 1).max(after);
        let mut matches: HashMap<u32, bool> = HashMap::new();
        for (looked_at, offset) in (begin + 1..=self.end).enumerate() {
            if looked_at == LOOK_MAX {
                return offset - 1;
            }
            let Some(number) = self.kept_topic(offset) else { continue };
            let topic = &self.topics[number as usize];
            if !*matches.entry(number).or_insert_with(|| wanted.matches(&topic.name)) {
                continue;
            }
            if taken.is_full() {
                return offset - 1;
            }
            self.take(offset, taken);
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

    /// The record at this offset, if it is among the newest.
    fn hot(&self, offset: u64) -> Option<&Arc<Record>> {
        let begins = self.end + 1 - self.hot.len() as u64;
        self.hot.get(usize::try_from(offset.checked_sub(begins)?).ok()?)
    }

    /// Adds a record to what was taken.
    fn take(&self, offset: u64, taken: &mut Taken) {
        taken.count += 1;
        if let Some(record) = self.hot(offset) {
            taken.bytes += record.message.payload.len();
            taken.hot.push(Arc::clone(record));
            return;
        }
        let segment = &self.segments[self.segment_of(offset)];
        let place = segment.place(offset);
        taken.bytes += place.bytes as usize;
        taken.cold.push(&segment.file, segment.header.salt, place);
    }

    /// Where the newest `count` kept records are that are wanted, oldest first.
    pub(super) fn last(&self, wanted: &Selection, count: usize, now: Time) -> Vec<(Mark, Time)> {
        let fresh = |offset: &u64| self.expires(*offset).is_none_or(|expires| expires > now);
        let mut offsets: Vec<u64> = Vec::new();
        if wanted.patterns().is_empty() {
            for number in wanted.topics().iter().filter_map(|name| self.numbers.get(name)) {
                offsets.extend(self.newest_of(*number, count, fresh));
            }
        } else {
            let begin = self.segments.front().map_or(1, |first| first.header.base);
            let matching = (begin..=self.end).rev().filter(fresh).filter(|&offset| {
                self.kept_topic(offset)
                    .is_some_and(|number| wanted.matches(&self.topics[number as usize].name))
            });
            offsets.extend(matching.take(count));
        }
        offsets.sort_unstable();
        let newest = offsets.split_off(offsets.len().saturating_sub(count));
        let place = |offset| (Mark { epoch: self.epoch, offset }, self.time(offset));
        newest.into_iter().map(place).collect()
    }

    fn newest_of(&self, number: u32, count: usize, fresh: impl Fn(&u64) -> bool) -> VecDeque<u64> {
        let topic = &self.topics[number as usize];
        let mut newest = VecDeque::new();
        let mut next = (topic.count > 0).then_some(topic.first);
        while let Some(offset) = next {
            newest.extend(Some(offset).filter(&fresh));
            if newest.len() > count {
                newest.pop_front();
            }
            next = self.next(offset);
        }
        newest
    }

    /// When a record was stored.
    fn time(&self, offset: u64) -> Time {
        if let Some(record) = self.hot(offset) {
            return record.message.time;
        }
        let segment = &self.segments[self.segment_of(offset)];
        segment.time(segment.index_of(offset))
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
