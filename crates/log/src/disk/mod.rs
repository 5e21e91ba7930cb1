//! The log on disk: segments of records in the order they were stored, one sync for many
//! publishers, and an honest account of whatever is lost. `docs/log-format.md` defines the files.
//!
//! Must never show a message before it is durable, and never lose one that was shown without
//! telling.

mod active;
mod backup;
mod check;
mod cold;
mod export;
mod files;
mod format;
mod group;
mod identity;
mod marks;
mod reading;
mod recover;
mod segment;
mod state;
mod stats;
mod unflushed;
mod writer;

use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidings_model::{LogKind, Mark, Selection, Time};

use crate::{AppendError, Appended, Batch, Budget, Cursor, Found, Log, Policy, Remembered, Scan};
use active::Active;
use group::Pending;
use marks::Marks;
use recover::{Loaded, Purpose};
use state::State;
use unflushed::Settled;
use writer::{Order, Writer};

pub use backup::{BackedUp, BackupStep, backup};
pub use check::{Checked, check};
pub(crate) use cold::Cold;
pub use export::{ClosedLog, Exported};
pub use files::{Directory, Disk, DiskFile};
pub use recover::Damage;
pub use stats::{LogStats, TopicStats};

/// The size at which a segment is full.
const SEGMENT_BYTES: u64 = 64 << 20;

/// How a disk log is opened.
pub struct DiskOptions {
    /// Which log it is.
    pub kind: LogKind,
    /// The epoch of a log that is made now. One that is there keeps its own.
    pub fresh_epoch: u32,
    /// Most topics that are known.
    pub topics_max: usize,
    /// What is kept of which topic.
    pub policy: Policy,
    /// How long ago a batch may have been stored whose token is still of use.
    pub remember: Duration,
    /// Numbers by chance, to tell segments apart.
    pub salt: Box<dyn Fn() -> u32 + Send + Sync>,
    /// The size at which a segment is full; `None` for the usual one.
    pub segment_bytes: Option<u64>,
    /// How long messages of [`Level::Os`](crate::Level::Os) may be visible before they are synced.
    pub flush_within: Duration,
}

/// A log on disk.
pub struct DiskLog {
    shared: Arc<Shared>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// What the log's two sides share.
struct Shared {
    kind: LogKind,
    disk: Box<dyn Disk>,
    state: Mutex<State>,
    policy: Policy,
    watcher: OnceLock<Box<dyn Fn() + Send + Sync>>,
    topics_max: usize,
    segment_bytes: u64,
    flush_within: Duration,
    salt: Box<dyn Fn() -> u32 + Send + Sync>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a bug that has been reported; readers go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher();
        }
    }
}

impl DiskLog {
    /// Opens the log in `disk`, or makes one there. Returns what was found damaged; it is told to
    /// readers as gaps, and the rest is served.
    ///
    /// # Errors
    /// When the directory cannot be read or written, is of a newer format, or its identity or
    /// marks are damaged.
    pub fn open(
        disk: Box<dyn Disk>,
        options: DiskOptions,
        now: Time,
    ) -> io::Result<(DiskLog, Vec<Damage>)> {
        let epoch = identity::read_or_make(&*disk, options.fresh_epoch)?;
        let mut state = State::new(epoch);
        let mut marks = Marks::load(&*disk)?;
        let Loaded { damages, is_open } = recover::load(&*disk, Purpose::Open, &marks, &mut state)?;
        let settled = unflushed::settle(&*disk, &mut marks, &mut state)?;
        state.retain_all(now, &options.policy);
        let since = now.saturating_sub(options.remember);
        state.remembered.retain(|remembered| remembered.time >= since);
        let shared = Arc::new(Shared {
            kind: options.kind,
            disk,
            state: Mutex::new(state),
            policy: options.policy,
            watcher: OnceLock::new(),
            topics_max: options.topics_max,
            segment_bytes: options.segment_bytes.unwrap_or(SEGMENT_BYTES),
            salt: options.salt,
            flush_within: options.flush_within,
        });
        let active = Active::new(&shared, is_open, now)?;
        if settled == Settled::Skipped {
            // A segment begins after the offsets that are skipped: nothing can bring them back.
            unflushed::clear(&*shared.disk)?;
        }
        let is_marked = settled == Settled::Marked;
        let writer = Writer::new(Arc::clone(&shared), active, marks, is_marked);
        let (orders, thread) = writer.start()?;
        Ok((DiskLog { shared, orders: Some(orders), thread: Some(thread) }, damages))
    }

    /// Gives an order to the writer; it takes orders for as long as the log lives.
    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders
            && let Err(undelivered) = orders.send(order)
            && let Order::Append(Pending { done, .. }) = undelivered.0
        {
            done(Err(AppendError::Storage("the log's writer has stopped".into())));
        }
    }
}

impl Log for DiskLog {
    fn append(&self, batch: Batch, done: Appended) {
        self.order(Order::Append(Pending { batch, done }));
    }

    fn remembered(&self) -> Vec<Remembered> {
        std::mem::take(&mut self.shared.state().remembered)
    }

    fn watch(&self, watcher: Box<dyn Fn() + Send + Sync>) {
        // One broker watches a log for its whole life; a second watcher would be a second broker.
        let first = self.shared.watcher.set(watcher).is_ok();
        debug_assert!(first, "a log has one watcher");
    }

    fn end(&self) -> Mark {
        self.shared.state().end()
    }

    fn trims(&self) -> u64 {
        self.shared.state().losses()
    }

    fn find(&self, wanted: &Selection, from: Cursor, budget: Budget) -> Found {
        self.shared.state().find(wanted, from, budget, self.shared.kind)
    }

    fn last(&self, wanted: &Selection, count: usize, now: Time) -> Vec<(Mark, Time)> {
        self.shared.state().last(wanted, count, now)
    }

    fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor {
        self.shared.state().scan(from, most, seen)
    }

    fn tick(&self, now: Time) {
        self.order(Order::Tick(now));
    }
}

impl Drop for DiskLog {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been reported by itself.
            let _ = thread.join();
        }
    }
}
