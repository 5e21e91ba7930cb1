//! What should be true: an independent and much simpler account of what was published, trimmed
//! and expired.

use std::collections::{BTreeMap, VecDeque};

use tidings_model::{LogKind, Time, Topic};

/// The topics there are, with the log each lives in and how many messages are kept of it. The
/// first matching namespace of [`super::world`] says the same in its own words.
pub(crate) const TOPICS: [(&str, LogKind, usize); 7] = [
    ("a", LogKind::Durable, 40),
    ("b", LogKind::Durable, 40),
    ("c/1", LogKind::Durable, 3),
    ("c/2", LogKind::Durable, 3),
    ("fast/1", LogKind::Volatile, 12),
    ("fast/2", LogKind::Volatile, 12),
    ("fast/x/deep", LogKind::Volatile, 12),
];

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) expires: Option<Time>,
    /// Whether retention removed it while it was still worth something.
    pub(crate) trimmed: bool,
}

/// Everything published in this life of the logs.
#[derive(Default)]
pub(crate) struct Oracle {
    topics: BTreeMap<&'static str, Account>,
}

/// One topic: its messages, numbered from 1, and which of them are kept.
#[derive(Default)]
struct Account {
    entries: Vec<Entry>,
    kept: VecDeque<usize>,
}

impl Entry {
    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Oracle {
    /// How many messages of a topic there were.
    pub(crate) fn count(&self, topic: &str) -> u64 {
        self.topics.get(topic).map_or(0, |account| account.entries.len() as u64)
    }

    /// The `number`-th message of a topic.
    pub(crate) fn entry(&self, topic: &str, number: u64) -> Option<&Entry> {
        self.topics.get(topic)?.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Every message of a topic with its number.
    pub(crate) fn entries(&self, topic: &str) -> impl Iterator<Item = (u64, &Entry)> {
        let entries = self.topics.get(topic).into_iter().flat_map(|account| &account.entries);
        (1..).zip(entries)
    }

    pub(crate) fn published(
        &mut self,
        topic: &'static str,
        offset: u64,
        expires: Option<Time>,
        now: Time,
    ) {
        let account = self.topics.entry(topic).or_default();
        account.kept.push_back(account.entries.len());
        account.entries.push(Entry { offset, expires, trimmed: false });
        account.retain(keep(topic), now);
    }

    /// Time has passed and the house was told so.
    pub(crate) fn ticked(&mut self, now: Time) {
        for (topic, account) in &mut self.topics {
            account.retain(keep(topic), now);
        }
    }
}

impl Account {
    fn retain(&mut self, keep: usize, now: Time) {
        while let Some(&oldest) = self.kept.front() {
            let expired = self.entries[oldest].is_expired(now);
            if self.kept.len() <= keep && !expired {
                break;
            }
            self.entries[oldest].trimmed = !expired;
            self.kept.pop_front();
        }
    }
}

fn keep(topic: &str) -> usize {
    TOPICS.iter().find(|(name, ..)| *name == topic).map_or(0, |&(_, _, keep)| keep)
}

/// The log a topic lives in.
pub(crate) fn log_of(topic: &Topic) -> LogKind {
    let known = TOPICS.iter().find(|(name, ..)| *name == topic.as_str());
    known.map_or(LogKind::Durable, |&(_, log, _)| log)
}
