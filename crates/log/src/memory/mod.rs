//! The log in memory: everything visible at once, everything gone with the process.
//!
//! Must never hold more than it was allowed to, and never forget silently: whatever retention
//! removes, it remembers the offset of.

mod reading;
mod state;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tidings_model::{LogKind, Mark, Selection, Time};

use crate::{Appended, Batch, Budget, Cursor, Found, Log, Policy, Remembered, Scan};
use state::State;

/// How much a log in memory may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Bytes of all messages together; over that the oldest are trimmed, whatever their topic.
    pub bytes_max: u64,
    /// Topics that are known. A topic stays known when its last message is gone, since otherwise
    /// its loss could not be told.
    pub topics_max: usize,
}

impl Default for MemoryLimits {
    fn default() -> MemoryLimits {
        MemoryLimits { bytes_max: 1 << 30, topics_max: 1_000_000 }
    }
}

/// A log in memory.
pub struct MemoryLog {
    state: Mutex<State>,
    policy: Policy,
    watcher: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl MemoryLog {
    /// An empty log. `epoch` must differ from that of every earlier life of the same log, or old
    /// positions would be taken for new ones.
    pub fn new(kind: LogKind, epoch: u32, limits: MemoryLimits, policy: Policy) -> MemoryLog {
        let state = Mutex::new(State::new(kind, epoch, limits));
        MemoryLog { state, policy, watcher: OnceLock::new() }
    }

    /// Bytes of messages held now.
    pub fn bytes(&self) -> u64 {
        self.state().bytes()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a bug that has been reported; every step leaves the
        // state usable, so the others go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn append(&self, batch: Batch, done: Appended) {
        let result = self.state().append(batch.messages, &self.policy);
        let stored = result.is_ok();
        done(result);
        if stored && let Some(watcher) = self.watcher.get() {
            watcher();
        }
    }

    fn remembered(&self) -> Vec<Remembered> {
        Vec::new()
    }

    fn watch(&self, watcher: Box<dyn Fn() + Send + Sync>) {
        // One broker watches a log for its whole life; a second watcher would be a second broker.
        let first = self.watcher.set(watcher).is_ok();
        debug_assert!(first, "a log has one watcher");
    }

    fn end(&self) -> Mark {
        self.state().end()
    }

    fn trims(&self) -> u64 {
        self.state().trims()
    }

    fn find(&self, wanted: &Selection, from: Cursor, budget: Budget) -> Found {
        self.state().find(wanted, from, budget)
    }

    fn last(&self, wanted: &Selection, count: usize, now: Time) -> Vec<(Mark, Time)> {
        self.state().last(wanted, count, now)
    }

    fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor {
        self.state().scan(from, most, seen)
    }

    fn tick(&self, now: Time) {
        self.state().tick(now, &self.policy);
    }
}
