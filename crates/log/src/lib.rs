//! The message log: one sequence of messages that any number of cursors read.
//!
//! A log knows messages, offsets and retention. It must never know who reads, over which protocol,
//! or what a subscription is.

mod disk;
mod found;
mod memory;
mod retention;

use std::sync::Arc;

use tidings_model::{GapReason, IdempotencyKey, Mark, Message, Record, Selection, Time, Topic};

pub use disk::{
    BackedUp, BackupStep, Checked, ClosedLog, Damage, Directory, Disk, DiskFile, DiskLog,
    DiskOptions, Exported, LogStats, Threads, TopicStats, backup, check,
};
pub use found::Found;
pub use memory::{MemoryLimits, MemoryLog};
pub use retention::Retention;

/// What a log does. Offsets strictly increase in the order messages become visible, and a
/// message that was once visible at an offset is never another one.
pub trait Log: Send + Sync {
    /// Stores the messages as one: all or none. `done` is called once what the log promises is
    /// true, perhaps before this returns, perhaps on another thread; only from then on do readers
    /// see them. It is given the place of the last one.
    fn append(&self, batch: Batch, done: Appended);

    /// The batches with a token that were stored before this process began, oldest first: as many
    /// as the log was asked to remember. Each is given once.
    fn remembered(&self) -> Vec<Remembered>;

    /// Calls `watcher` whenever messages became visible, possibly once for many.
    fn watch(&self, watcher: Box<dyn Fn() + Send + Sync>);

    /// The place of the newest visible message; offset 0 before the first.
    fn end(&self) -> Mark;

    /// How many times retention has removed something: a reader that begins now need not be told
    /// of those.
    fn trims(&self) -> u64;

    /// Finds what `wanted` matches after `from`, in order. Never waits for a disk: what is not in
    /// memory is read when it is loaded, on whatever thread.
    fn find(&self, wanted: &Selection, from: Cursor, budget: Budget) -> Found;

    /// Reads what `wanted` matches after `from` in order into `records`. May wait for a disk.
    fn read(
        &self,
        wanted: &Selection,
        from: Cursor,
        now: Time,
        budget: Budget,
        records: &mut Vec<Arc<Record>>,
    ) -> ReadEnd {
        self.find(wanted, from, budget).load(now, records)
    }

    /// Where the newest `count` messages are that `wanted` matches and that have not expired, and
    /// when they were stored, oldest first. Never waits for a disk, and so may know the time of
    /// an older message to the second only.
    fn last(&self, wanted: &Selection, count: usize, now: Time) -> Vec<(Mark, Time)>;

    /// Names the topics that got a message after `from`, of at most `most` messages, and those that
    /// lost one; for the one who tells others what to read. Returns where it came to.
    fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor;

    /// Lets retention by age do its work.
    fn tick(&self, now: Time);
}

/// Messages that are stored as one.
#[derive(Debug)]
pub struct Batch {
    /// In order.
    pub messages: Vec<Message>,
    /// What makes a retry of them known.
    pub token: Option<Token>,
    /// What has to be true before they are visible and answered.
    pub level: Level,
}

/// How safe a batch is when it becomes visible and is answered. A log in memory keeps no promise
/// for later and does not look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// On the disk: neither the process nor the system can lose it any more.
    #[default]
    Fsync,
    /// Handed to the system, which is to write it within [`DiskOptions::flush_within`]. The
    /// process can no longer lose it, however it ends; the system can for that span, and whoever
    /// saw what was lost is told by a gap.
    Os,
}

/// What makes a retry of a batch known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The publisher's word for it.
    pub key: IdempotencyKey,
    /// A hash of what was published, the same in every version.
    pub fingerprint: u64,
}

/// A batch of an earlier life of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its topic.
    pub topic: Topic,
    /// Its token.
    pub token: Token,
    /// When it was stored.
    pub time: Time,
    /// The place of its last message.
    pub last: Mark,
    /// How many messages it had.
    pub count: u32,
}

/// Told how an append ended; called exactly once.
pub type Appended = Box<dyn FnOnce(Result<Mark, AppendError>) + Send>;

/// Why nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// One more topic would be more than the log may keep.
    #[error("the log keeps {0} topics, which is the most it may")]
    TooManyTopics(usize),
    /// The disk did not take it.
    #[error("{0}")]
    Storage(Arc<str>),
}

/// What of which topic is kept.
pub type Policy = Box<dyn Fn(&Topic) -> Retention + Send + Sync>;

/// Where a reader stands in one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to and including this offset has been seen.
    pub offset: u64,
    /// So many of the log's trims have been looked at; see [`Log::trims`]. An offset would not do:
    /// what is trimmed later may lie before what was trimmed earlier.
    pub told: u64,
}

/// How much one read may return. Bounds the time a log is held and what is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most records.
    pub records: usize,
    /// Payload bytes after which to stop; one record always fits.
    pub bytes: usize,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadEnd {
    /// Everything wanted up to and including this offset was returned or does not exist.
    pub through: u64,
    /// The highest offset at which a wanted message that the reader had not seen was lost, when
    /// there is one that was not told yet, and why.
    pub lost: Option<(u64, GapReason)>,
    /// How many trims have been looked at now.
    pub told: u64,
    /// Whether there is nothing more to read now.
    pub caught_up: bool,
}

/// What a scan saw.
#[derive(Debug, Default)]
pub struct Scan {
    /// The topics of the messages after the place, in order; one after itself stands once.
    pub topics: Vec<Topic>,
    /// Topics that lost a message after it.
    pub trimmed: Vec<Topic>,
}

impl Scan {
    /// Adds the topic of one more message.
    pub(crate) fn push(&mut self, topic: &Topic) {
        if self.topics.last() != Some(topic) {
            self.topics.push(topic.clone());
        }
    }
}
