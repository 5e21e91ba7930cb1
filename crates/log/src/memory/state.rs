//! What a log in memory knows, behind its lock. Nothing in here blocks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tidings_model::{LogKind, Mark, Message, Record, Time, Topic};

use super::MemoryLimits;
use crate::{AppendError, Policy, Retention};

/// How many of the newest records keep their encodings. Live readers are within it; for those who
/// come later, encoding again costs less than keeping every form of every message.
const HOT_RECORDS: u64 = 1024;

/// Most topics whose age is checked in one tick; the next tick goes on where this one ended.
const AGED_MAX: usize = 4096;

pub(super) struct State {
    kind: LogKind,
    epoch: u32,
    limits: MemoryLimits,
    pub(super) end: u64,
    bytes: u64,
    pub(super) topics: HashMap<Topic, TopicState>,
    /// Every record by its offset: the order that wildcards are read in.
    pub(super) order: BTreeMap<u64, Arc<Record>>,
    /// How many trims there were.
    pub(super) trim_count: u64,
    /// The last trim of each topic, by its number among all trims: the topic and the offset.
    pub(super) trims: BTreeMap<u64, (Topic, u64)>,
    /// Every topic, in the order its age is looked at, and which was last.
    rounds: Vec<Topic>,
    next_aged: usize,
}

#[derive(Default)]
pub(super) struct TopicState {
    pub(super) records: VecDeque<Arc<Record>>,
    bytes: u64,
    /// The newest offset, also when its record is gone.
    pub(super) last: u64,
    /// The highest offset that retention removed.
    pub(super) trimmed: u64,
    /// The number of the trim that did.
    pub(super) trim: u64,
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
            let is_last = topic.records.len() == 1;
            let over = topic.records.len() as u64 > retention.messages_max.max(1)
                || (topic.bytes > retention.bytes_max && !is_last)
                || (oldest.message.time < horizon && !(is_last && retention.keep_last))
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
}
