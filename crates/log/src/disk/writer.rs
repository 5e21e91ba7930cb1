//! What writes: gathers whoever waits, writes them as one group, and syncs once.
//!
//! Must never answer before the disk has said that it is durable, and never trust a disk again
//! that failed to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidings_model::Time;

use super::Shared;
use super::active::Active;
use super::format::Group;
use super::group::{Encoded, Pending, encode, publish, refuse};
use super::unflushed::{self, UNSYNCED_MAX};
use crate::Level;

/// Most bytes written as one group: bounds memory, and how long the first waits for the last.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// What the writer is told.
pub(super) enum Order {
    Append(Pending),
    Tick(Time),
}

/// The writing side of the log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    /// Whether it stands on the disk that messages may be visible which are not synced.
    is_marked: bool,
    unsynced: Unsynced,
    /// The newest time that is known.
    now: Time,
    /// Why nothing can be written any more.
    broken: Option<Arc<str>>,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, active: Active, is_marked: bool) -> Writer {
        Writer {
            shared,
            active,
            is_marked,
            unsynced: Unsynced::default(),
            now: Time::default(),
            broken: None,
            buffer: Vec::new(),
        }
    }

    /// Carries out what waits, as much of it as makes a group.
    /// Says whether a tick was among it.
    pub(super) fn turn(&mut self, next: &mut dyn FnMut() -> Option<Order>) -> bool {
        let (mut group, mut bytes, mut ticked) = (Vec::new(), 0, None);
        while bytes < GROUP_BYTES_MAX
            && let Some(order) = next()
        {
            match order {
                Order::Append(pending) => {
                    bytes += pending.bytes();
                    group.push(pending);
                }
                Order::Tick(now) => ticked = Some(now),
            }
        }
        if !group.is_empty() {
            self.write(group);
        }
        if let Some(now) = ticked {
            self.now = self.now.max(now);
            self.shared.state().tick(now, &self.shared.policy);
        }
        if self.flush_in() == Some(Duration::ZERO) {
            self.flush();
        }
        ticked.is_some()
    }

    /// Whether something has come up for the keeper.
    pub(super) fn take_due(&self) -> bool {
        self.shared.state().take_due()
    }

    /// In which span there has to be a sync, if something waits for one.
    pub(super) fn flush_in(&self) -> Option<Duration> {
        let waited = self.now.since(self.unsynced.since);
        let waits = self.unsynced.count > 0 && self.broken.is_none();
        waits.then(|| self.shared.flush_within.saturating_sub(waited))
    }

    /// Syncs what is visible and not synced.
    pub(super) fn flush(&mut self) {
        if self.unsynced.count == 0 || self.broken.is_some() {
            return;
        }
        match self.sync() {
            Ok(()) => self.shared.state().synced(),
            Err(error) => self.give_up(&error),
        }
    }

    /// Everything is synced before the log is closed in good order.
    pub(super) fn close(&mut self) {
        self.flush();
        if self.is_marked && self.broken.is_none() {
            let cleared = unflushed::clear(&*self.shared.disk);
            if let Err(error) = cleared {
                tracing::warn!(%error, "cannot say that everything is synced; the next start may tell of a loss that was none");
            }
        }
    }

    /// Makes everything that was written durable.
    fn sync(&mut self) -> io::Result<()> {
        self.active.file.sync()?;
        self.active.synced = self.active.at;
        self.unsynced = Unsynced::default();
        Ok(())
    }

    /// How safe a group has to be before it is visible: one that asks for more decides for all.
    fn level(&mut self, group: &[Pending]) -> Level {
        let batches = || group.iter().map(|pending| &pending.batch);
        let count: usize = batches().map(|batch| batch.messages.len()).sum();
        if batches().any(|batch| batch.level == Level::Fsync)
            || self.unsynced.count + count as u64 > UNSYNCED_MAX
        {
            return Level::Fsync;
        }
        if !self.is_marked
            && let Err(error) = unflushed::set(&*self.shared.disk)
        {
            tracing::warn!(%error, "cannot note that messages are not synced; so they are");
            return Level::Fsync;
        }
        self.is_marked = true;
        Level::Os
    }

    /// Writes one group; tells everyone in it how it ended.
    fn write(&mut self, group: Vec<Pending>) {
        if let Some(why) = &self.broken {
            return refuse(group.into_iter().map(|pending| pending.done), why);
        }
        let times = || group.iter().flat_map(|p| &p.batch.messages).map(|message| message.time);
        let oldest = times().min().unwrap_or_default();
        let newest = times().max().unwrap_or_default();
        self.now = self.now.max(newest);
        let bytes: usize = group.iter().map(Pending::bytes).sum();
        if self.active.at + bytes as u64 > self.shared.segment_bytes
            && self.active.at > self.active.header.bytes()
            && let Err(error) = self.roll(newest)
        {
            let why = format!("cannot begin a new segment: {error}").into();
            tracing::error!(%error, "cannot begin a new log segment; publishes are refused");
            return refuse(group.into_iter().map(|pending| pending.done), &why);
        }
        let level = self.level(&group);
        let place = Group {
            salt: self.active.header.salt,
            start: self.active.at as u32,
            durable: self.active.synced as u32,
        };
        let encoded = encode(&self.shared, place, group, &mut self.buffer);
        match self.store(level) {
            Ok(()) => {
                if level == Level::Os {
                    let count = encoded.iter().map(Encoded::count).sum();
                    self.unsynced.add(count, oldest);
                }
                publish(&self.shared, encoded, newest, level);
            }
            Err(why) => refuse(encoded.into_iter().map(|encoded| encoded.done), &why),
        }
    }

    /// Writes the buffer, and makes it durable if that is wanted; says why not.
    fn store(&mut self, level: Level) -> Result<(), Arc<str>> {
        let at = self.active.at;
        if let Err(error) = self.active.file.write_at(&self.buffer, at) {
            tracing::error!(%error, "cannot write the log; publishes are refused");
            // What was written in part must not be met again. If even that fails, the file's end
            // is unknown, and nothing more can be put there.
            if let Err(error) = self.active.file.set_size(at).and_then(|()| self.sync()) {
                self.give_up(&error);
            }
            return Err(format!("cannot write: {error}").into());
        }
        self.active.at = at + self.buffer.len() as u64;
        if level == Level::Fsync
            && let Err(error) = self.sync()
        {
            // The system may have dropped what it could not write, and a second sync would not
            // say so. Only reading the file anew can tell what is there.
            self.give_up(&error);
            return Err(format!("cannot make it durable: {error}").into());
        }
        Ok(())
    }

    fn give_up(&mut self, error: &io::Error) {
        if self.unsynced.count > 0
            && let Err(error) = unflushed::set_lost(&*self.shared.disk)
        {
            tracing::error!(%error, "cannot note that messages may be lost");
        }
        tracing::error!(%error, "the log can no longer be trusted to be durable: publishes are refused until the server is restarted");
        self.broken = Some(format!("the log failed and needs a restart: {error}").into());
    }

    /// Begins another segment. The keeper sees to the one before.
    fn roll(&mut self, now: Time) -> io::Result<()> {
        // Only of the last segment the end may be in doubt.
        if self.unsynced.count > 0
            && let Err(error) = self.sync()
        {
            self.give_up(&error);
            return Err(error);
        }
        self.active = Active::begin(&self.shared, now)?;
        Ok(())
    }
}

/// Messages that are visible and not synced.
#[derive(Clone, Copy, Default)]
struct Unsynced {
    count: u64,
    /// The time of the oldest of them.
    since: Time,
}

impl Unsynced {
    fn add(&mut self, count: u64, oldest: Time) {
        if self.count == 0 {
            self.since = oldest;
        }
        self.count += count;
    }
}
