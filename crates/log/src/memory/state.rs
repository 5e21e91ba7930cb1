//! What a log in memory knows, behind its lock. Nothing in here blocks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use tidings_model::{GapReason, LogKind, Mark, Message, Record, Selection, Time, Topic};

use super::MemoryLimits;
use crate::{AppendError, Budget, Cursor, Policy, ReadEnd, Retention, Scan};

/// How many of the newest records keep their encodings. Live readers are within it; for those who
/// come later, encoding again costs less than keeping every form of every message.
const HOT_RECORDS: u64 = 1024;

/// Most records one read looks at, matching or not. Bounds how long the lock is held.
const SCAN_MAX: usize = 16_384;

/// Most topics whose age is checked in one tick; the next tick goes on where this one ended.
const AGED_MAX: usize = 4096;

pub(super) struct State {
    kind: LogKind,
    epoch: u32,
    limits: MemoryLimits,
    end: u64,
    bytes: u64,
    topics: HashMap<Topic, TopicState>,
    /// Every record by its offset: the order that wildcards are read in.
    order: BTreeMap<u64, Arc<Record>>,
    /// How many trims there were.
    trim_count: u64,
    /// The last trim of each topic, by its number among all trims: the topic and the offset.
    trims: BTreeMap<u64, (Topic, u64)>,
    /// Every topic, in the order its age is looked at, and which was last.
    rounds: Vec<Topic>,
    next_aged: usize,
}

#[derive(Default)]
struct TopicState {
    records: VecDeque<Arc<Record>>,
    bytes: u64,
    /// The newest offset, also when its record is gone.
    last: u64,
    /// The highest offset that retention removed.
    trimmed: u64,
    /// The number of the trim that did.
    trim: u64,
}

impl State {
    pub(super) fn new(kind: LogKind, epoch: u32, limits: MemoryLimits) -> State {
        State {
            kind,
            epoch,
            limits,
            end: 0,
            bytes: 0,
            topics: HashMap::new(),
            order: BTreeMap::new(),
            trim_count: 0,
            trims: BTreeMap::new(),
            rounds: Vec::new(),
            next_aged: 0,
        }
    }

    pub(super) fn end(&self) -> Mark {
        Mark { epoch: self.epoch, offset: self.end }
    }

    pub(super) fn trims(&self) -> u64 {
        self.trim_count
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn append(
        &mut self,
        messages: Vec<Message>,
        policy: &Policy,
    ) -> Result<Mark, AppendError> {
        let mut fresh: Vec<&Topic> = messages.iter().map(|message| &message.topic).collect();
        fresh.sort_unstable();
        fresh.dedup();
        fresh.retain(|topic| !self.topics.contains_key(*topic));
        if self.topics.len() + fresh.len() > self.limits.topics_max {
            return Err(AppendError::TooManyTopics(self.topics.len()));
        }
        self.rounds.extend(fresh.into_iter().cloned());
        let mut now = Time::default();
        for message in messages {
            let retention = policy(&message.topic);
            now = message.time;
            let topic = message.topic.clone();
            self.push(message);
            self.retain(&topic, retention, now);
        }
        while self.bytes > self.limits.bytes_max
            && self.order.len() > 1
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            let topic = oldest.message.topic.clone();
            self.trim_first(&topic, now);
        }
        Ok(self.end())
    }

    fn push(&mut self, message: Message) {
        self.end += 1;
        let size = message.size() as u64;
        let topic = self.topics.entry(message.topic.clone()).or_default();
        let mark = Mark { epoch: self.epoch, offset: self.end };
        let record = Arc::new(Record::new(self.kind, mark, topic.last, Arc::new(message)));
        topic.last = self.end;
        topic.bytes += size;
        topic.records.push_back(Arc::clone(&record));
        self.bytes += size;
        self.order.insert(self.end, record);
        self.cool(self.end.saturating_sub(HOT_RECORDS));
    }

    /// Lets go of the encodings of the record at `offset`.
    fn cool(&mut self, offset: u64) {
        let Some(slot) = self.order.get_mut(&offset).filter(|record| record.has_encodings()) else {
            return;
        };
        let bare = Arc::new(slot.without_encodings());
        *slot = Arc::clone(&bare);
        if let Some(topic) = self.topics.get_mut(&bare.message.topic)
            && let Ok(index) = topic.records.binary_search_by_key(&offset, |r| r.mark.offset)
        {
            topic.records[index] = bare;
        }
    }

    /// Trims one topic to what is to be kept of it.
    fn retain(&mut self, name: &Topic, retention: Retention, now: Time) {
        let horizon = now.saturating_sub(retention.age_max);
        while let Some(topic) = self.topics.get(name)
            && let Some(oldest) = topic.records.front()
        {
            let over = topic.records.len() as u64 > retention.messages_max.max(1)
                || (topic.bytes > retention.bytes_max && topic.records.len() > 1)
                || oldest.message.time < horizon
                || oldest.message.is_expired(now);
            if !over {
                break;
            }
            self.trim_first(name, now);
        }
    }

    /// Removes the oldest record of a topic. It is remembered as lost unless it had expired at
    /// `now`: nobody was to have it any more.
    fn trim_first(&mut self, name: &Topic, now: Time) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        let Some(record) = topic.records.pop_front() else { return };
        let (offset, size) = (record.mark.offset, record.message.size() as u64);
        self.order.remove(&offset);
        self.bytes -= size;
        topic.bytes -= size;
        if !record.message.is_expired(now) {
            self.trims.remove(&topic.trim);
            self.trim_count += 1;
            topic.trim = self.trim_count;
            topic.trimmed = offset;
            self.trims.insert(topic.trim, (name.clone(), offset));
        }
    }

    pub(super) fn tick(&mut self, now: Time, policy: &Policy) {
        for _ in 0..AGED_MAX.min(self.rounds.len()) {
            self.next_aged = (self.next_aged + 1) % self.rounds.len();
            let name = self.rounds[self.next_aged].clone();
            let retention = policy(&name);
            self.retain(&name, retention, now);
        }
    }

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
