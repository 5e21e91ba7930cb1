//! The topics a log knows, by their numbers. A topic once known stays known: its losses must be
//! told as long as somebody may ask.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use tidings_model::Topic;

use crate::{AppendError, Batch, Policy, Retention};

/// The topics a log knows.
#[derive(Default)]
pub(super) struct Topics {
    numbers: HashMap<Topic, u32>,
    list: Vec<TopicState>,
    /// What is kept of topics; most have it in common.
    retentions: Vec<Retention>,
}

/// What is known of a topic.
pub(super) struct TopicState {
    pub(super) name: Topic,
    /// The oldest record that is kept, if `count` is not 0.
    pub(super) first: u64,
    /// The newest record there ever was.
    pub(super) last: u64,
    /// Records that are kept, and their bytes.
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// The highest offset that retention removed, and the number of the loss.
    pub(super) trimmed: u64,
    pub(super) trim: u64,
    /// The highest of those that no file holds any more.
    pub(super) gone: u64,
    /// Which of the retentions is its own, once it was asked for.
    retention: Option<u32>,
}

/// A message's topic: its number, and its newest record so far, 0 when there never was one.
pub(super) struct Named {
    pub(super) topic: u32,
    pub(super) last: u64,
}

impl Topics {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TopicState> {
        self.list.iter()
    }

    pub(super) fn get(&self, number: u32) -> &TopicState {
        &self.list[number as usize]
    }

    pub(super) fn get_mut(&mut self, number: u32) -> &mut TopicState {
        &mut self.list[number as usize]
    }

    pub(super) fn find(&self, name: &Topic) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The numbers of topics, as far as there are such topics.
    pub(super) fn find_all(&self, names: &[Topic]) -> Vec<u32> {
        names.iter().filter_map(|name| self.find(name)).collect()
    }

    /// A topic's number, given if it has none.
    pub(super) fn number(&mut self, topic: &Topic) -> u32 {
        if let Some(number) = self.find(topic) {
            return number;
        }
        let number = self.list.len() as u32;
        self.numbers.insert(topic.clone(), number);
        self.list.push(TopicState {
            name: topic.clone(),
            first: 0,
            last: 0,
            count: 0,
            bytes: 0,
            trimmed: 0,
            trim: 0,
            gone: 0,
            retention: None,
        });
        number
    }

    /// The topics of a batch by their numbers; new ones are given theirs, unless there would be
    /// more than `most`.
    pub(super) fn name_all(
        &mut self,
        batch: &Batch,
        most: usize,
    ) -> Result<Vec<Named>, AppendError> {
        let topics = || batch.messages.iter().map(|message| &message.topic);
        let fresh: BTreeSet<_> = topics().filter(|topic| self.find(topic).is_none()).collect();
        if self.list.len() + fresh.len() > most {
            return Err(AppendError::TooManyTopics(self.list.len()));
        }
        let named = topics().map(|name| {
            let topic = self.number(name);
            Named { topic, last: self.get(topic).last }
        });
        Ok(named.collect())
    }

    /// What is kept of a topic. The policy is asked once for each.
    pub(super) fn retention(&mut self, number: u32, policy: &Policy) -> Retention {
        let topic = &mut self.list[number as usize];
        if let Some(own) = topic.retention {
            return self.retentions[own as usize];
        }
        let retention = policy(&topic.name);
        let known = self.retentions.iter().position(|known| *known == retention);
        let own = known.unwrap_or_else(|| {
            self.retentions.push(retention);
            self.retentions.len() - 1
        });
        topic.retention = Some(own as u32);
        retention
    }
}

/// Numbers of topics are small and given by the log itself: one multiplication spreads them.
#[derive(Clone, Copy, Default)]
pub(super) struct NumberHasher(u64);

/// Makes hashers of topics' numbers.
pub(super) type NumberHashing = BuildHasherDefault<NumberHasher>;

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
