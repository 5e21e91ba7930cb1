//! The topics a log knows, by their numbers. A topic once known stays known: its losses must be
//! told as long as somebody may ask.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tidings_model::Topic;

use super::rows::NameList;
use crate::{Policy, Retention};

/// How far ahead a topic is looked for among those of another segment.
const AHEAD_MAX: usize = 8;

/// In place of a number: there is none yet.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// The topics a log knows.
#[derive(Default)]
pub(super) struct Topics {
    pub(super) names: Arc<Names>,
    list: Vec<TopicState>,
    /// What is kept of topics; most have it in common.
    retentions: Vec<Retention>,
}

/// The numbers of topics by their names. Looked up by whoever appends or reads, so it has a lock of
/// its own.
#[derive(Default)]
pub(super) struct Names(RwLock<HashMap<Name, u32>>);

/// A topic that is found by its text.
#[derive(PartialEq, Eq)]
pub(super) struct Name(pub(super) Topic);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // As that of the text it is found by.
        self.0.as_str().hash(hasher);
    }
}

impl Names {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Name, u32>> {
        // It is changed by one insertion at a time; a panic elsewhere leaves it whole.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of names, as far as they have some. `before` are other names and their numbers,
    /// of which most are the same, and mostly in the same order.
    fn find_all(&self, names: &NameList, before: (&NameList, &[u32])) -> Vec<u32> {
        let known = self.read();
        let (mut other_names, mut other_numbers) = (before.0.iter().peekable(), before.1);
        let mut numbers = Vec::with_capacity(names.len());
        for name in names.iter() {
            if let [number, rest @ ..] = other_numbers
                && other_names.next_if_eq(&name).is_some()
            {
                numbers.push(*number);
                other_numbers = rest;
                continue;
            }
            let number = known.get(name).copied().unwrap_or(UNKNOWN);
            numbers.push(number);
            // What the others have and these have not.
            let mut ahead = other_numbers.iter().take(AHEAD_MAX);
            if let Some(skipped) = ahead.position(|&ahead| ahead == number) {
                other_names.nth(skipped);
                other_numbers = &other_numbers[skipped + 1..];
            }
        }
        numbers
    }

    /// Gives each topic its number, if it has one.
    pub(super) fn look_up<'a>(&self, topics: impl Iterator<Item = (&'a Topic, &'a mut u32)>) {
        let names = self.read();
        let mut before: Option<(&Topic, u32)> = None;
        for (topic, number) in topics {
            // Messages of one topic mostly come together.
            let known = before.filter(|(name, _)| *name == topic).map(|(_, number)| number);
            *number = known.or_else(|| names.get(topic.as_str()).copied()).unwrap_or(UNKNOWN);
            before = Some((topic, *number));
        }
    }
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
    /// Where in its segment's list of rows by topic the first record is, perhaps.
    pub(super) hint: u32,
    /// Which of the retentions is its own, once it was asked for.
    retention: u32,
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
        self.names.read().get(name.as_str()).copied()
    }

    /// The numbers of topics, as far as there are such topics.
    pub(super) fn find_all(&self, names: &[Topic]) -> Vec<u32> {
        let known = self.names.read();
        names.iter().filter_map(|name| known.get(name.as_str()).copied()).collect()
    }

    /// The names of topics.
    pub(super) fn list(&self, numbers: impl Iterator<Item = u32>) -> NameList {
        let mut names = NameList::default();
        numbers.for_each(|number| names.push(self.get(number).name.as_str()));
        names
    }

    /// A topic's number, given if it has none.
    pub(super) fn number(&mut self, topic: &Topic) -> u32 {
        if let Some(number) = self.find(topic) {
            return number;
        }
        let number = self.list.len() as u32;
        self.list.push(TopicState {
            name: topic.clone(),
            first: 0,
            last: 0,
            count: 0,
            bytes: 0,
            trimmed: 0,
            trim: 0,
            gone: 0,
            hint: 0,
            retention: UNKNOWN,
        });
        // Whoever finds the number finds what belongs to it.
        let mut names = self.names.0.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(Name(topic.clone()), number);
        number
    }

    /// The numbers of the topics of a segment, given if they have none; nothing if one is no topic.
    /// `before` are those of the segment that was numbered before: mostly they are the same ones.
    pub(super) fn number_all(
        &mut self,
        names: &NameList,
        before: (&NameList, &[u32]),
    ) -> Option<Vec<u32>> {
        let mut numbers = self.names.find_all(names, before);
        for (name, number) in names.iter().zip(&mut numbers) {
            if *number == UNKNOWN {
                *number = self.number(&Topic::new(name).ok()?);
            }
        }
        Some(numbers)
    }

    /// Whether there would be no more than `most` topics with these.
    pub(super) fn has_room(&self, topics: &BTreeSet<&Topic>, most: usize) -> bool {
        let fresh = topics.iter().filter(|topic| self.find(topic).is_none()).count();
        self.list.len() + fresh <= most
    }

    /// What is kept of a topic. The policy is asked once for each.
    pub(super) fn retention(&mut self, number: u32, policy: &Policy) -> Retention {
        let topic = &mut self.list[number as usize];
        if topic.retention != UNKNOWN {
            return self.retentions[topic.retention as usize];
        }
        let retention = policy(&topic.name);
        let known = self.retentions.iter().position(|known| *known == retention);
        let own = known.unwrap_or_else(|| {
            self.retentions.push(retention);
            self.retentions.len() - 1
        });
        topic.retention = own as u32;
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
