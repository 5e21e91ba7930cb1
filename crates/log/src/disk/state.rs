//! What the disk log knows, behind its lock: where every record lies, what of each topic is kept,
//! and the newest records themselves. Nothing in here reads or writes a file.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tidings_model::{GapReason, Mark, Record, Time, Topic};

use super::segment::{Entry, HOLE, Segment};
use crate::{AppendError, Batch, Policy, Remembered, Retention};

/// How many of the newest records are kept in memory, where live readers find them,
const HOT_RECORDS: usize = 8192;

/// and how many bytes of them at most.
const HOT_BYTES: usize = 16 << 20;

/// Most topics whose age is checked in one tick.
const AGED_MAX: usize = 4096;

pub(super) struct State {
    pub(super) epoch: u32,
    pub(super) segments: VecDeque<Segment>,
    pub(super) end: u64,
    pub(super) numbers: HashMap<Topic, u32>,
    pub(super) topics: Vec<TopicState>,
    expires: HashMap<u64, Time>,
    pub(super) hot: VecDeque<Arc<Record>>,
    hot_bytes: usize,
    pub(super) loss_count: u64,
    /// The last trim of each topic, by its number among all losses: the topic and the offset.
    pub(super) trims: BTreeMap<u64, (u32, u64)>,
    /// Ranges that were lost whatever their topics, by their number among all losses: the last
    /// offset of each, and why.
    pub(super) lost: BTreeMap<u64, (u64, GapReason)>,
    next_aged: usize,
    /// Tokens of an earlier life, until somebody asks for them.
    pub(super) remembered: Vec<Remembered>,
}

pub(super) struct TopicState {
    pub(super) name: Topic,
    /// The oldest and newest record that are kept; none when `count` is 0.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u64,
    bytes: u64,
    /// The highest offset that retention removed, and the number of the loss.
    pub(super) trimmed: u64,
    pub(super) trim: u64,
}

/// A message's topic: its number, and its newest record so far, 0 when there never was one.
pub(super) struct Named {
    pub(super) topic: u32,
    pub(super) last: u64,
}

impl State {
    pub(super) fn new(epoch: u32) -> State {
        State {
            epoch,
            segments: VecDeque::new(),
            end: 0,
            numbers: HashMap::new(),
            topics: Vec::new(),
            expires: HashMap::new(),
            hot: VecDeque::new(),
            hot_bytes: 0,
            loss_count: 0,
            trims: BTreeMap::new(),
            lost: BTreeMap::new(),
            next_aged: 0,
            remembered: Vec::new(),
        }
    }

    pub(super) fn end(&self) -> Mark {
        Mark { epoch: self.epoch, offset: self.end }
    }

    pub(super) fn topic_count(&self) -> usize {
        self.topics.len()
    }

    pub(super) fn losses(&self) -> u64 {
        self.loss_count
    }

    pub(super) fn name(&self, number: u32) -> Topic {
        self.topics[number as usize].name.clone()
    }

    pub(super) fn expires(&self, offset: u64) -> Option<Time> {
        self.expires.get(&offset).copied()
    }

    /// The topics of a batch by their numbers; new ones are given theirs, unless there would be
    /// more than `most`.
    pub(super) fn name_all(
        &mut self,
        batch: &Batch,
        most: usize,
    ) -> Result<Vec<Named>, AppendError> {
        let topics = || batch.messages.iter().map(|message| &message.topic);
        let fresh: BTreeSet<_> =
            topics().filter(|topic| !self.numbers.contains_key(*topic)).collect();
        if self.topics.len() + fresh.len() > most {
            return Err(AppendError::TooManyTopics(self.topics.len()));
        }
        let named = topics().map(|name| {
            let topic = self.number(name);
            Named { topic, last: self.topics[topic as usize].last }
        });
        Ok(named.collect())
    }

    /// A topic's number, given if it has none.
    pub(super) fn number(&mut self, topic: &Topic) -> u32 {
        if let Some(&number) = self.numbers.get(topic) {
            return number;
        }
        let number = self.topics.len() as u32;
        self.numbers.insert(topic.clone(), number);
        self.topics.push(TopicState {
            name: topic.clone(),
            first: 0,
            last: 0,
            count: 0,
            bytes: 0,
            trimmed: 0,
            trim: 0,
        });
        number
    }

    /// Begins a segment; what comes next goes there.
    pub(super) fn begin_segment(&mut self, segment: Segment) {
        self.fill_hole(segment.header.base);
        self.end = self.end.max(segment.header.base.saturating_sub(1));
        self.segments.push_back(segment);
    }

    /// Offsets that no record stands for any more, so that those after it keep their places.
    fn fill_hole(&mut self, base: u64) {
        while let Some(last) = self.segments.back()
            && last.end() < base
        {
            let (at, end) = (last.end_at, self.end);
            self.push(at, HOLE, Time::default(), None, 0);
            self.end = end;
        }
    }

    /// Offsets up to this one are taken, though nothing stands for them.
    pub(super) fn skip_to(&mut self, offset: u64) {
        self.end = self.end.max(offset);
    }

    /// Adds the record after the last one. `bytes` is its size in the file.
    pub(super) fn push(
        &mut self,
        at: u32,
        topic: u32,
        time: Time,
        expires: Option<Time>,
        bytes: u32,
    ) {
        let Some(segment) = self.segments.back_mut() else { return };
        segment.push(Entry { at, topic, time });
        segment.end_at = at + bytes;
        self.end += 1;
        if topic == HOLE {
            return;
        }
        segment.live += 1;
        let offset = self.end;
        if let Some(expires) = expires {
            self.expires.insert(offset, expires);
        }
        let state = &mut self.topics[topic as usize];
        let before = std::mem::replace(&mut state.last, offset);
        state.count += 1;
        state.bytes += u64::from(bytes);
        if state.count == 1 {
            state.first = offset;
        } else {
            self.link(before, offset);
        }
    }

    /// The batch that was just pushed has a token. It stands in its segment's index.
    pub(super) fn remember(&mut self, remembered: Remembered) {
        if let Some(segment) = self.segments.back_mut() {
            segment.tokens.push(remembered);
        }
    }

    /// Keeps a record that was just pushed where live readers find it.
    pub(super) fn warm(&mut self, record: Arc<Record>) {
        self.hot_bytes += record.message.size();
        self.hot.push_back(record);
        while self.hot.len() > HOT_RECORDS || self.hot_bytes > HOT_BYTES {
            let Some(record) = self.hot.pop_front() else { return };
            self.hot_bytes -= record.message.size();
        }
    }

    /// Messages of whatever topic up to `through` were lost.
    pub(super) fn lose(&mut self, through: u64, reason: GapReason) {
        self.loss_count += 1;
        self.lost.insert(self.loss_count, (through, reason));
    }

    /// A topic lost everything up to `offset` in an earlier life of the process.
    pub(super) fn remember_trim(&mut self, topic: &Topic, offset: u64) {
        let number = self.number(topic);
        self.note_trim(number, offset);
        let state = &mut self.topics[number as usize];
        state.last = state.last.max(offset);
    }

    /// What has to be remembered of topics when their records' segments are gone.
    pub(super) fn all_trims(&self) -> Vec<(Topic, u64)> {
        let trimmed = self.topics.iter().filter(|topic| topic.trimmed > 0);
        trimmed.map(|topic| (topic.name.clone(), topic.trimmed)).collect()
    }

    fn note_trim(&mut self, number: u32, offset: u64) {
        self.loss_count += 1;
        let state = &mut self.topics[number as usize];
        self.trims.remove(&state.trim);
        state.trim = self.loss_count;
        state.trimmed = state.trimmed.max(offset);
        self.trims.insert(state.trim, (number, state.trimmed));
    }

    pub(super) fn segment_of(&self, offset: u64) -> usize {
        self.segments.partition_point(|segment| segment.header.base <= offset).saturating_sub(1)
    }

    fn link(&mut self, before: u64, offset: u64) {
        let number = match self.segments.back() {
            Some(last) if last.header.base <= before => self.segments.len() - 1,
            _ => self.segment_of(before),
        };
        let segment = &mut self.segments[number];
        let index = segment.index_of(before);
        segment.next[index] = (offset - before) as u32;
    }

    /// The record of the same topic that comes after, if there is one.
    pub(super) fn next(&self, offset: u64) -> Option<u64> {
        let segment = &self.segments[self.segment_of(offset)];
        match segment.next[segment.index_of(offset)] {
            0 => None,
            distance => Some(offset + u64::from(distance)),
        }
    }

    /// Whether a topic has more messages or bytes than are to be kept.
    pub(super) fn is_over(&self, number: u32, retention: Retention) -> bool {
        let topic = &self.topics[number as usize];
        topic.count > retention.messages_max.max(1)
            || (topic.bytes > retention.bytes_max && topic.count > 1)
    }

    /// Trims one topic to what is to be kept of it.
    pub(super) fn retain(&mut self, number: u32, retention: Retention, now: Time) {
        let horizon = now.saturating_sub(retention.age_max);
        loop {
            let topic = &self.topics[number as usize];
            if topic.count == 0 {
                return;
            }
            let first = topic.first;
            let expired = self.expires.get(&first).is_some_and(|&expires| expires <= now);
            let segment = &self.segments[self.segment_of(first)];
            let over = self.is_over(number, retention)
                || expired
                || segment.time(segment.index_of(first)) < horizon;
            if !over {
                return;
            }
            self.trim_first(number, expired);
        }
    }

    fn trim_first(&mut self, number: u32, expired: bool) {
        let first = self.topics[number as usize].first;
        let next = self.next(first);
        let holder = self.segment_of(first);
        let segment = &mut self.segments[holder];
        segment.live -= 1;
        let bytes = u64::from(segment.bytes(segment.index_of(first)));
        let topic = &mut self.topics[number as usize];
        topic.count -= 1;
        topic.bytes -= bytes;
        topic.first = next.unwrap_or(0);
        self.expires.remove(&first);
        if !expired {
            self.note_trim(number, first);
        }
    }

    /// Retention of topics in turn, a bounded number at once.
    pub(super) fn tick(&mut self, now: Time, policy: &Policy) {
        for _ in 0..AGED_MAX.min(self.topics.len()) {
            self.next_aged = (self.next_aged + 1) % self.topics.len();
            let retention = policy(&self.topics[self.next_aged].name);
            self.retain(self.next_aged as u32, retention, now);
        }
    }

    pub(super) fn retain_all(&mut self, now: Time, policy: &Policy) {
        for number in 0..self.topics.len() {
            let retention = policy(&self.topics[number].name);
            self.retain(number as u32, retention, now);
        }
    }

    /// Takes out the segments of which nothing is kept, but the one that is written to.
    pub(super) fn take_dead(&mut self) -> Vec<Segment> {
        let mut dead = Vec::new();
        while self.segments.len() > 1
            && let Some(segment) = self.segments.pop_front_if(|segment| segment.live == 0)
        {
            dead.push(segment);
        }
        dead
    }

    /// Whether [`State::take_dead`] would find something.
    pub(super) fn has_dead(&self) -> bool {
        self.segments.len() > 1 && self.segments.front().is_some_and(|segment| segment.live == 0)
    }
}
