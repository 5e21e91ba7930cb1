//! Reading what a log in memory holds. Changes nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use tidings_model::{GapReason, Mark, Record, Selection, Time, Topic};

use super::state::{State, TopicState};
use crate::found::Hot;
use crate::{Budget, Cursor, Found, ReadEnd, Scan};

/// Most records one read looks at, matching or not. Bounds how long the lock is held.
const SCAN_MAX: usize = 16_384;

impl State {
    pub(super) fn find(&self, wanted: &Selection, from: Cursor, budget: Budget) -> Found {
        let lost = self.lost(wanted, from).map(|offset| (offset, GapReason::Trimmed));
        let mut taking = Taking { budget, bytes: 0, records: Hot::new(), full_at: None };
        let through = if wanted.patterns().is_empty() {
            self.read_topics(wanted.topics(), from.offset, &mut taking)
        } else {
            self.read_order(wanted, from.offset, &mut taking)
        };
        let told = self.trim_count;
        let end = ReadEnd { through, lost, told, caught_up: through == self.end };
        Found::new(end, None, taking.records)
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
    fn read_topics(&self, names: &[Topic], after: u64, taking: &mut Taking) -> u64 {
        // Nothing has to be merged of one topic, which is what most readers read.
        if let [name] = names {
            let Some(topic) = self.topics.get(name).filter(|topic| topic.last > after) else {
                return self.end;
            };
            let index = topic.records.partition_point(|record| record.mark.offset <= after);
            let all_taken = topic.records.range(index..).all(|record| taking.take(record));
            return if all_taken { self.end } else { taking.full_at.unwrap_or(self.end) };
        }
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
    fn read_order(&self, wanted: &Selection, after: u64, taking: &mut Taking) -> u64 {
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

    pub(super) fn last(&self, wanted: &Selection, count: usize, now: Time) -> Vec<(Mark, Time)> {
        let fresh = |record: &&Arc<Record>| !record.message.is_expired(now);
        let mut newest: Vec<&Arc<Record>> = if wanted.patterns().is_empty() {
            let topics = wanted.topics().iter().filter_map(|name| self.topics.get(name));
            topics.flat_map(|t| t.records.iter().rev().filter(fresh).take(count)).collect()
        } else {
            let matching = self.order.values().rev().filter(|r| wanted.matches(&r.message.topic));
            matching.filter(fresh).take(count).collect()
        };
        newest.sort_unstable_by_key(|record| record.mark.offset);
        let newest = newest.split_off(newest.len().saturating_sub(count));
        newest.into_iter().map(|record| (record.mark, record.message.time)).collect()
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
struct Taking {
    budget: Budget,
    bytes: usize,
    records: Hot,
    /// The offset before the first record that did not fit.
    full_at: Option<u64>,
}

impl Taking {
    /// Takes the record; says no when the budget is used up.
    fn take(&mut self, record: &Arc<Record>) -> bool {
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
