//! The thread that writes: gathers whoever waits, writes them as one group, and syncs once.
//!
//! Must never answer before the disk has said that it is durable, and never trust a disk again
//! that failed to.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tidings_model::Time;

use super::Shared;
use super::active::Active;
use super::format::{Group, SEGMENT_HEADER_BYTES};
use super::group::{Encoded, Pending, encode, publish, refuse};
use super::marks::Marks;
use super::segment::Segment;
use super::unflushed::{self, UNSYNCED_MAX};
use crate::Level;

/// Most bytes written as one group: bounds memory, and how long the first waits for the last.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// What the thread is told.
pub(super) enum Order {
    Append(Pending),
    Tick(Time),
}

/// The writing side of the log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    /// What is remembered of segments that are gone.
    marks: Marks,
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
    pub(super) fn new(
        shared: Arc<Shared>,
        active: Active,
        marks: Marks,
        is_marked: bool,
    ) -> Writer {
        Writer {
            shared,
            active,
            marks,
            is_marked,
            unsynced: Unsynced::default(),
            now: Time::default(),
            broken: None,
            buffer: Vec::new(),
        }
    }

    /// Starts the thread; it ends when the sender is dropped.
    pub(super) fn start(self) -> io::Result<(Sender<Order>, std::thread::JoinHandle<()>)> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || self.run(&receiver))?;
        Ok((sender, thread))
    }

    fn run(mut self, receiver: &Receiver<Order>) {
        // While one group is being synced the next one gathers; for that there is no timer.
        loop {
            let first = match self.flush_in() {
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(span) => receiver.recv_timeout(span),
            };
            match first {
                Ok(order) => self.turn(order, receiver),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    /// Carries out an order, and with it whatever else waits.
    fn turn(&mut self, first: Order, receiver: &Receiver<Order>) {
        let (mut group, mut bytes, mut ticked) = (Vec::new(), 0, None);
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Append(pending) => {
                    bytes += pending.bytes();
                    group.push(pending);
                }
                Order::Tick(now) => ticked = Some(now),
            }
            next = if bytes < GROUP_BYTES_MAX { receiver.try_recv().ok() } else { None };
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
        self.remove_dead();
    }

    /// In which span there has to be a sync, if something waits for one.
    fn flush_in(&self) -> Option<Duration> {
        let waited = self.now.since(self.unsynced.since);
        let waits = self.unsynced.count > 0 && self.broken.is_none();
        waits.then(|| self.shared.flush_within.saturating_sub(waited))
    }

    /// Syncs what is visible and not synced.
    fn flush(&mut self) {
        if self.unsynced.count > 0
            && self.broken.is_none()
            && let Err(error) = self.sync()
        {
            self.give_up(&error);
        }
    }

    /// Everything is synced before the log is closed in good order.
    fn close(&mut self) {
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
            && self.active.at > SEGMENT_HEADER_BYTES
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
                publish(&self.shared, encoded, newest);
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

    /// Seals the segment and begins another.
    fn roll(&mut self, now: Time) -> io::Result<()> {
        // Only of the last segment the end may be in doubt.
        if self.unsynced.count > 0
            && let Err(error) = self.sync()
        {
            self.give_up(&error);
            return Err(error);
        }
        let active = Active::begin(&self.shared, now)?;
        let before = std::mem::replace(&mut self.active, active);
        // What was reserved beyond the end is given back; the index saves the next start a scan.
        // Neither is needed for what is stored to be there.
        let sealed = before.file.set_size(before.at).and_then(|()| {
            let (base, index) = {
                let state = self.shared.state();
                let segment = &state.segments[state.segments.len() - 2];
                let index = segment.encode_index(|n| state.name(n), |offset| state.expires(offset));
                (segment.header.base, index)
            };
            self.shared.disk.replace(&Segment::index_name(base), &index)
        });
        if let Err(error) = sealed {
            tracing::warn!(%error, "cannot write a segment's index; the next start has to scan it");
        }
        Ok(())
    }

    /// Removes segments of which nothing is kept. What they held is remembered first, so that its
    /// loss can be told.
    fn remove_dead(&mut self) {
        if !self.shared.state().has_dead() {
            return;
        }
        self.marks.trims = self.shared.state().all_trims();
        let saved = self.marks.save(&*self.shared.disk);
        self.marks.trims = Vec::new();
        if let Err(error) = saved {
            tracing::warn!(%error, "cannot remember what is trimmed; old segments are kept");
            return;
        }
        let dead = self.shared.state().take_dead();
        for segment in dead {
            let base = segment.header.base;
            for name in [Segment::name(base), Segment::index_name(base)] {
                if let Err(error) = self.shared.disk.remove(&name)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(%error, name, "cannot remove a trimmed segment");
                }
            }
        }
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
