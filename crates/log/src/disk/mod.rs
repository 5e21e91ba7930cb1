//! The log on disk: segments of records in the order they were stored, one sync for many
//! publishers, and an honest account of whatever is lost. `docs/log-format.md` defines the files.
//!
//! Must never show a message before it is durable, and never lose one that was shown without
//! telling.

mod active;
mod backup;
mod check;
mod cold;
mod copy;
mod export;
mod files;
mod format;
mod header;
mod identity;
mod keeper;
mod manner;
mod marks;
mod newest;
mod ordered;
mod pending;
mod pieces;
mod placing;
mod publish;
mod reading;
mod recover;
mod retain;
mod rows;
mod scan;
mod segment;
mod state;
mod stats;
mod topics;
mod trims;
mod unflushed;
mod waste;
mod window;
mod worker;
mod writer;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tidings_model::{LogKind, Mark, Selection, Time};

use crate::{AppendError, Appended, Batch, Budget, Cursor, Found, Log, Policy, Remembered, Scan};
use active::Active;
use identity::Identity;
use keeper::Keeper;
use marks::Marks;
use pending::Pending;
use recover::{Loaded, Purpose};
use state::State;
use topics::Names;
use unflushed::Settled;
use waste::Waste;
use worker::Worker;
use writer::{Order, Writer};

pub use backup::{BackedUp, BackupStep, backup};
pub use check::{Checked, check};
pub(crate) use cold::Cold;
pub use export::{ClosedLog, Exported};
pub use files::{Directory, Disk, DiskFile};
pub use recover::Damage;
pub use stats::{LogStats, TopicStats};
pub use worker::Threads;

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
    /// On which threads the log does its work.
    pub threads: Threads,
}

/// A log on disk.
pub struct DiskLog {
    shared: Arc<Shared>,
    worker: Worker,
}

/// What the log's two sides share.
struct Shared {
    kind: LogKind,
    epoch: u32,
    /// The same as the state's, which need not be locked for it.
    names: Arc<Names>,
    waste: Waste,
    disk: Box<dyn Disk>,
    state: Mutex<State>,
    policy: Policy,
    watcher: OnceLock<Box<dyn Fn() + Send + Sync>>,
    topics_max: usize,
    segment_bytes: u64,
    flush_within: Duration,
    remember: Duration,
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
        let (epoch, mut marks) = identify(&*disk, options.fresh_epoch)?;
        let mut state = State::new(epoch);
        let threads = match options.threads {
            Threads::Own => std::thread::available_parallelism().map_or(1, usize::from),
            Threads::Callers => 1,
        };
        let Loaded { damages, is_open } =
            recover::load(&*disk, Purpose::Open, &marks, threads, &mut state)?;
        let settled = unflushed::settle(&*disk, &mut marks, &mut state)?;
        state.now = now;
        state.synced = state.end;
        state.retain_all(now, &options.policy);
        let since = now.saturating_sub(options.remember);
        marks.remember([], since);
        state.remembered.extend(marks.tokens.iter().cloned());
        state.remembered.retain(|remembered| remembered.time >= since);
        state.remembered.sort_by_key(|remembered| remembered.last.offset);
        state.remembered.dedup_by_key(|remembered| remembered.last.offset);
        let shared = Arc::new(Shared {
            kind: options.kind,
            epoch,
            names: Arc::clone(&state.topics.names),
            waste: Waste::default(),
            disk,
            state: Mutex::new(state),
            policy: options.policy,
            watcher: OnceLock::new(),
            topics_max: options.topics_max,
            segment_bytes: options.segment_bytes.unwrap_or(SEGMENT_BYTES),
            salt: options.salt,
            flush_within: options.flush_within,
            remember: options.remember,
        });
        let active = Active::new(&shared, is_open, now)?;
        if settled == Settled::Skipped {
            // A segment begins after the offsets that are skipped: nothing can bring them back.
            unflushed::clear(&*shared.disk)?;
        }
        let is_marked = settled == Settled::Marked;
        let writer = Writer::new(Arc::clone(&shared), active, is_marked);
        let keeper = Keeper::new(Arc::clone(&shared), marks);
        let worker = Worker::new(&shared, options.threads, writer, keeper)?;
        Ok((DiskLog { shared, worker }, damages))
    }

    /// Gives an order to the writer; it takes orders for as long as the log lives.
    fn order(&self, order: Order) {
        if let Err(Order::Append(Pending { done, .. })) = self.worker.order(order) {
            done(Err(AppendError::Storage("the log's writer has stopped".into())));
        }
    }
}

/// The epoch of the log in `disk`, and what is remembered of what no segment tells any more. One of
/// an older format becomes one of this.
fn identify(disk: &dyn Disk, fresh_epoch: u32) -> io::Result<(u32, Marks)> {
    let found = identity::read(disk)?;
    let epoch = found.map_or(fresh_epoch, |found| found.epoch);
    let mut marks = Marks::load(disk, epoch)?;
    if found.is_some_and(|found| found.format == 1) {
        recover::from_format_1(disk, &mut marks)?;
        marks.save(disk)?;
    }
    if found.is_none_or(|found| found.format != identity::FORMAT) {
        identity::write(disk, Identity { format: identity::FORMAT, epoch })?;
    }
    Ok((epoch, marks))
}

impl Log for DiskLog {
    fn append(&self, batch: Batch, done: Appended) {
        if let Some(pending) = Pending::new(&self.shared, batch, done) {
            self.order(Order::Append(pending));
        }
        self.shared.waste.drop_some();
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
        let state = self.shared.state();
        if wanted.patterns().is_empty() {
            return state.last_of(&state.topics.find_all(wanted.topics()), count, now);
        }
        if let Some(last) = state.last_matching(wanted, count, now) {
            return last;
        }
        drop(state);
        // There may be very many topics, and others shall have their turn in between.
        let (mut numbers, mut from) = (Vec::new(), Some(0));
        while let Some(next) = from {
            from = self.shared.state().topics_matching(wanted, next, &mut numbers);
        }
        self.shared.state().last_of(&numbers, count, now)
    }

    fn scan(&self, from: Cursor, most: usize, seen: &mut Scan) -> Cursor {
        self.shared.state().scan(from, most, seen)
    }

    fn tick(&self, now: Time) {
        self.order(Order::Tick(now));
    }
}
