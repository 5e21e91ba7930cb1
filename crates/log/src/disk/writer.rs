//! What writes: gathers whoever waits, writes them as one group, and syncs once.
//!
//! Must never say that something is stored before the disk has said that it is durable, and never
//! trust a disk again that failed to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidings_model::Time;

use super::Shared;
use super::active::Active;
use super::pending::Pending;
use super::publish::{Group, Step, Stored, refuse};
use super::unflushed::{self, UNSYNCED_MAX};
use crate::Level;

/// Most bytes written as one group: bounds memory, and how long the first waits for the last.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// A buffer that had to be larger than this is not kept.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// What the writer is told.
pub(super) enum Order {
    Append(Pending),
    Tick(Time),
}

/// The writing side of the log.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) active: Active,
    /// The last offset that was given.
    pub(super) end: u64,
    /// Of each topic, by its number, the last offset that was given.
    pub(super) newest: Vec<u64>,
    /// Whether it stands on the disk that messages may be visible which are not synced.
    is_marked: bool,
    unsynced: Unsynced,
    /// The newest time that is known.
    now: Time,
    /// Why nothing can be written any more.
    broken: Option<Arc<str>>,
    /// The group that is written.
    pub(super) buffer: Vec<u8>,
}

/// Takes the steps that the writer has made possible.
pub(super) type Show<'a> = &'a mut dyn FnMut(Step);

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, active: Active, is_marked: bool) -> Writer {
        let (end, newest) = {
            let state = shared.state();
            (state.end, state.topics.iter().map(|topic| topic.last).collect())
        };
        Writer {
            shared,
            active,
            end,
            newest,
            is_marked,
            unsynced: Unsynced::default(),
            now: Time::default(),
            broken: None,
            buffer: Vec::new(),
        }
    }

    /// Carries out what waits, as much of it as makes a group. Says whether a tick was among it.
    pub(super) fn turn(&mut self, next: &mut dyn FnMut() -> Option<Order>, show: Show<'_>) -> bool {
        let (mut group, mut bytes, mut ticked) = (Vec::new(), 0, None);
        while bytes < GROUP_BYTES_MAX
            && let Some(order) = next()
        {
            match order {
                Order::Append(pending) => {
                    bytes += pending.image.len();
                    group.push(pending);
                }
                Order::Tick(now) => ticked = Some(now),
            }
        }
        if !group.is_empty() {
            self.write(group, bytes, show);
        }
        if let Some(now) = ticked {
            self.now = self.now.max(now);
            self.shared.state().tick(now, &self.shared.policy);
        }
        if self.flush_in() == Some(Duration::ZERO) {
            self.flush(show);
        }
        ticked.is_some()
    }

    /// In which span there has to be a sync, if something waits for one.
    pub(super) fn flush_in(&self) -> Option<Duration> {
        let waited = self.now.since(self.unsynced.since);
        let waits = self.unsynced.count > 0 && self.broken.is_none();
        waits.then(|| self.shared.flush_within.saturating_sub(waited))
    }

    /// Syncs what is visible and not synced.
    pub(super) fn flush(&mut self, show: Show<'_>) {
        if self.unsynced.count == 0 || self.broken.is_some() {
            return;
        }
        match self.sync() {
            Ok(()) => show(Step::Synced),
            Err(error) => self.give_up(&error),
        }
    }

    /// Everything is synced before the log is closed in good order.
    pub(super) fn close(&mut self, show: Show<'_>) {
        self.flush(show);
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
        let count: usize = group.iter().map(|pending| pending.rows.len()).sum();
        if group.iter().any(|pending| pending.level == Level::Fsync)
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

    /// Writes one group of so many bytes; tells everyone in it how it ended.
    fn write(&mut self, group: Vec<Pending>, bytes: usize, show: Show<'_>) {
        if let Some(why) = &self.broken {
            return refuse(group.into_iter(), why);
        }
        let times = || group.iter().flat_map(|pending| &pending.rows).map(|row| row.time);
        let oldest = times().min().unwrap_or_default();
        let now = times().max().unwrap_or_default();
        self.now = self.now.max(now);
        if self.active.at + bytes as u64 > self.shared.segment_bytes
            && self.active.at > self.active.header.bytes()
            && let Err(error) = self.roll(now, show)
        {
            let why = format!("cannot begin a new segment: {error}").into();
            tracing::error!(%error, "cannot begin a new log segment; publishes are refused");
            return refuse(group.into_iter(), &why);
        }
        let level = self.level(&group);
        let (before, mut group) = (self.end, self.name(group));
        self.buffer.clear();
        group.iter_mut().for_each(|pending| self.place(pending));
        match self.store(level) {
            Ok(mut at) => {
                if level == Level::Os {
                    self.unsynced.add(self.end - before, oldest);
                }
                let stored = group.into_iter().map(|pending| {
                    let Pending { rows, records, image, token, done, .. } = pending;
                    let stored = Stored { at, rows, records, token, done };
                    at += image.len() as u32;
                    stored
                });
                show(Step::Stored(Group { stored: stored.collect(), level, now }));
            }
            Err(why) => {
                self.take_back(&group, before);
                refuse(group.into_iter(), &why);
            }
        }
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
    }

    /// Writes the buffer, and makes it durable if that is wanted; says where it begins, or why not.
    fn store(&mut self, level: Level) -> Result<u32, Arc<str>> {
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
        Ok(at as u32)
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
    fn roll(&mut self, now: Time, show: Show<'_>) -> io::Result<()> {
        // Only of the last segment the end may be in doubt.
        if self.unsynced.count > 0 {
            if let Err(error) = self.sync() {
                self.give_up(&error);
                return Err(error);
            }
            show(Step::Synced);
        }
        let (active, segment) = Active::begin(&self.shared, self.end + 1, now)?;
        self.active = active;
        show(Step::Begun(Box::new(segment)));
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
