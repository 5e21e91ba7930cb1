//! Reading what a log in memory holds. Changes nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use tidings_model::{GapReason, Record, Selection, Time, Topic};

use super::state::{State, TopicState};
use crate::{Budget, Cursor, ReadEnd, Scan};

/// Most records one read looks at, matching or not. Bounds how long the lock is held.
const SCAN_MAX: usize = 16_384;

impl State {
    pub(super) fn read(
        &self,
        wanted: &Selection,
        from: Cursor,
        now: Time,
        budget: Budget,
        records: &mut Vec<Arc<Record>>,
    ) -> ReadEnd {
        let lost = self.lost(wanted, from).map(|offset| (offset, GapReason::Trimmed));
        let mut taking = Taking { budget, now, bytes: 0, records, full_at: None };
        let through = if wanted.patterns().is_empty() {
            self.read_topics(wanted.topics(), from.offset, &mut taking)
        } else {
            self.read_order(wanted, from.offset, &mut taking)
        };
        ReadEnd { through, lost, told: self.trim_count, caught_up: through == self.end }
    }

    /// The highest wanted offset after the reader's that was trimmed and not told.
    fn lost(&self, wanted: &Selection, from: Cursor) -> Option<u64> {
        if self.trim_count <= from.told {
            return None;
        }
        if wanted.patterns().is_empty() {
            let topics = wanted.topics().iter().filter_map(|name| self.topics.get(name));
            let untold = topics.filter(|t| t.trim > from.told && t.trimmed > from.offset);
            return untold.map(|topic| topic.trimmed).max();
        }
        let untold = self.trims_after(from).filter(|(name, _)| wanted.matches(name));
        untold.map(|&(_, offset)| offset).max()
    }

    /// The topics' last trims that a reader at `from` has not looked at and that took something
    /// it has not seen.
    fn trims_after(&self, from: Cursor) -> impl Iterator<Item = &(Topic, u64)> {
        let untold = self.trims.range((Excluded(from.told), Unbounded)).map(|(_, trim)| trim);
        untold.filter(move |(_, offset)| *offset > from.offset)
    }

    /// Merges the topics' own sequences; what other topics hold costs nothing.
    fn read_topics(&self, names: &[Topic], after: u64, taking: &mut Taking<'_>) -> u64 {
        let mut heads = BinaryHeap::with_capacity(names.len());
        for topic in names.iter().filter_map(|name| self.topics.get(name)) {
            if topic.last <= after {
                continue;
            }
            let index = topic.records.partition_point(|record| record.mark.offset <= after);
            if let Some(record) = topic.records.get(index) {
                heads.push(Reverse((record.mark.offset, index, TopicRef(topic))));
            }
        }
        while let Some(Reverse((_, index, TopicRef(topic)))) = heads.pop() {
            if !taking.take(&topic.records[index]) {
                return taking.full_at.unwrap_or(self.end);
            }
            if let Some(next) = topic.records.get(index + 1) {
                heads.push(Reverse((next.mark.offset, index + 1, TopicRef(topic))));
            }
        }
        self.end
    }

    /// Walks the whole log in order and takes what matches.
    fn read_order(&self, wanted: &Selection, after: u64, taking: &mut Taking<'_>) -> u64 {
        for (looked_at, (&offset, record)) in
            self.order.range((Excluded(after), Unbounded)).enumerate()
        {
            if looked_at == SCAN_MAX {
                return offset - 1;
            }
            if wanted.matches(&record.message.topic) && !taking.take(record) {
                return taking.full_at.unwrap_or(self.end);
            }
        }
        self.end
    }

    pub(super) fn last(&self, wanted: &Selection, count: usize, now: Time) -> Vec<Arc<Record>> {
        let fresh = |record: &&Arc<Record>| !record.message.is_expired(now);
        let mut newest: Vec<Arc<Record>> = if wanted.patterns().is_empty() {
            let topics = wanted.topics().iter().filter_map(|name| self.topics.get(name));
            topics.flat_map(|t| t.records.iter().rev().filter(fresh).take(count)).cloned().collect()
        } else {
            let matching = self.order.values().rev().filter(|r| wanted.matches(&r.message.topic));
            matching.filter(fresh).take(count).cloned().collect()
        };
        newest.sort_unstable_by_key(|record| record.mark.offset);
        newest.split_off(newest.len().saturating_sub(count))
    }

    pub(super) fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor {
        seen.trimmed.extend(self.trims_after(from).map(|(name, _)| name.clone()));
        let mut offset = self.end;
        for (looked_at, (&next, record)) in
            self.order.range((Excluded(from.offset), Unbounded)).enumerate()
        {
            if looked_at == most {
                offset = next - 1;
                break;
            }
            seen.push(&record.message.topic);
        }
        Cursor { offset, told: self.trim_count }
    }
}

/// Records on their way to one reader, until the budget is used up.
struct Taking<'a> {
    budget: Budget,
    now: Time,
    bytes: usize,
    records: &'a mut Vec<Arc<Record>>,
    /// The offset before the first record that did not fit.
    full_at: Option<u64>,
}

impl Taking<'_> {
    /// Takes the record, unless it has expired; says no when the budget is used up.
    fn take(&mut self, record: &Arc<Record>) -> bool {
        if record.message.is_expired(self.now) {
            return true;
        }
        if self.records.len() >= self.budget.records || self.bytes >= self.budget.bytes {
            self.full_at = Some(record.mark.offset - 1);
            return false;
        }
        self.bytes += record.message.payload.len();
        self.records.push(Arc::clone(record));
        true
    }
}

/// A topic in the merge; never compared, since offsets differ.
struct TopicRef<'a>(&'a TopicState);

impl PartialEq for TopicRef<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for TopicRef<'_> {}

impl PartialOrd for TopicRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TopicRef<'_> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
