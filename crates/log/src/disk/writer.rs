//! The thread that writes: gathers whoever waits, writes them as one group, and syncs once.
//!
//! Must never answer before the disk has said that it is durable, and never trust a disk again
//! that failed to.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tidings_model::{Mark, Message, Record, Time};

use super::Shared;
use super::files::DiskFile;
use super::format::{self, BatchEnd, Group, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::segment::Segment;
use super::state::Named;
use crate::{AppendError, Appended, Batch, Remembered, Token};

/// Most bytes written as one group: bounds memory, and how long the first waits for the last.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// One append that waits.
pub(super) struct Pending {
    pub(super) batch: Batch,
    pub(super) done: Appended,
}

impl Pending {
    fn bytes(&self) -> usize {
        self.batch.messages.iter().map(Message::size).sum()
    }
}

/// What the thread is told.
pub(super) enum Order {
    Append(Pending),
    Tick(Time),
}

/// The writing side of the log.
pub(super) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    /// Why nothing can be written any more.
    broken: Option<Arc<str>>,
    buffer: Vec<u8>,
}

/// The segment that is written to.
struct Active {
    file: Arc<dyn DiskFile>,
    header: SegmentHeader,
    /// Where the next group begins.
    at: u64,
}

/// A record and where it was put.
struct Written {
    record: Record,
    topic: u32,
    at: u32,
    bytes: u32,
}

/// One append, encoded.
struct Encoded {
    records: Vec<Written>,
    token: Option<Token>,
    done: Appended,
}

impl Writer {
    /// Starts the thread; it ends when the sender is dropped.
    pub(super) fn start(
        shared: Arc<Shared>,
        is_open: bool,
        now: Time,
    ) -> io::Result<(Sender<Order>, std::thread::JoinHandle<()>)> {
        let last = shared.state().segments.back().filter(|_| is_open).map(|last| Active {
            file: Arc::clone(&last.file),
            header: last.header,
            at: last.end_at.into(),
        });
        let active = match last {
            Some(active) => active,
            None => begin_segment(&shared, now)?,
        };
        let (sender, receiver) = channel();
        let writer = Writer { shared, active, broken: None, buffer: Vec::new() };
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok((sender, thread))
    }

    fn run(mut self, receiver: &Receiver<Order>) {
        // While one group is being synced the next one gathers; there is no timer.
        while let Ok(first) = receiver.recv() {
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
                self.shared.state().tick(now, &self.shared.policy);
            }
            self.remove_dead();
        }
    }

    /// Writes one group; tells everyone in it how it ended.
    fn write(&mut self, group: Vec<Pending>) {
        if let Some(why) = &self.broken {
            return refuse(group.into_iter().map(|pending| pending.done), why);
        }
        let newest =
            group.iter().flat_map(|p| &p.batch.messages).map(|m| m.time).max().unwrap_or_default();
        let bytes: usize = group.iter().map(Pending::bytes).sum();
        if self.active.at + bytes as u64 > self.shared.segment_bytes
            && self.active.at > SEGMENT_HEADER_BYTES
            && let Err(error) = self.roll(newest)
        {
            let why = format!("cannot begin a new segment: {error}").into();
            tracing::error!(%error, "cannot begin a new log segment; publishes are refused");
            return refuse(group.into_iter().map(|pending| pending.done), &why);
        }
        let encoded = self.encode(group);
        match self.store() {
            Ok(()) => self.publish(encoded, newest),
            Err(why) => refuse(encoded.into_iter().map(|encoded| encoded.done), &why),
        }
    }

    /// Encodes a group into the buffer. Appends that cannot be taken are refused here.
    fn encode(&mut self, group: Vec<Pending>) -> Vec<Encoded> {
        self.buffer.clear();
        let place = Group { salt: self.active.header.salt, start: self.active.at as u32 };
        let (named, mut offset, epoch) = {
            let mut state = self.shared.state();
            let most = self.shared.topics_max;
            let named: Vec<_> = group.iter().map(|p| state.name_all(&p.batch, most)).collect();
            (named, state.end().offset, state.epoch)
        };
        // Of topics that come again in this group: their newest offset.
        let mut newest: HashMap<u32, u64> = HashMap::new();
        let mut encoded = Vec::with_capacity(group.len());
        for (Pending { batch: Batch { messages, token }, done }, topics) in
            group.into_iter().zip(named)
        {
            let topics = match topics {
                Ok(topics) => topics,
                Err(error) => {
                    done(Err(error));
                    continue;
                }
            };
            let count = messages.len();
            let mut records = Vec::with_capacity(count);
            for (index, (message, Named { topic, last })) in
                messages.into_iter().zip(topics).enumerate()
            {
                offset += 1;
                let previous = newest.insert(topic, offset).unwrap_or(last);
                let from = self.buffer.len();
                let end = (index + 1 == count)
                    .then_some(BatchEnd { count: count as u32, token: token.as_ref() });
                format::write_record(&mut self.buffer, place, offset, previous, end, &message);
                let at = place.start + from as u32;
                let bytes = (self.buffer.len() - from) as u32;
                let mark = Mark { epoch, offset };
                let record = Record::new(self.shared.kind, mark, previous, Arc::new(message));
                records.push(Written { record, topic, at, bytes });
            }
            encoded.push(Encoded { records, token, done });
        }
        encoded
    }

    /// Makes the buffer durable; says why not.
    fn store(&mut self) -> Result<(), Arc<str>> {
        let at = self.active.at;
        if let Err(error) = self.active.file.write_at(&self.buffer, at) {
            tracing::error!(%error, "cannot write the log; publishes are refused");
            // What was written in part must not be met again. If even that fails, the file's end
            // is unknown, and nothing more can be put there.
            if let Err(error) = self.active.file.set_size(at).and_then(|()| self.active.file.sync())
            {
                self.give_up(&error);
            }
            return Err(format!("cannot write: {error}").into());
        }
        if let Err(error) = self.active.file.sync() {
            // The system may have dropped what it could not write, and a second sync would not
            // say so. Only reading the file anew can tell what is there.
            self.give_up(&error);
            return Err(format!("cannot make it durable: {error}").into());
        }
        self.active.at = at + self.buffer.len() as u64;
        Ok(())
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::error!(%error, "the log can no longer be trusted to be durable: publishes are refused until the server is restarted");
        self.broken = Some(format!("the log failed and needs a restart: {error}").into());
    }

    /// Lets readers see a group, then answers its publishers.
    fn publish(&mut self, group: Vec<Encoded>, now: Time) {
        let mut answers = Vec::with_capacity(group.len());
        {
            let mut state = self.shared.state();
            for Encoded { records, token, done } in group {
                let count = records.len() as u32;
                let first = records.first().map(|written| Arc::clone(&written.record.message));
                for Written { record, topic, at, bytes } in records {
                    let message = &record.message;
                    state.push(at, topic, message.time, message.expires, bytes);
                    let retention = (self.shared.policy)(&message.topic);
                    state.warm(Arc::new(record));
                    // Age is looked at in turn, since most topics have nothing that is too old.
                    if state.is_over(topic, retention) {
                        state.retain(topic, retention, now);
                    }
                }
                if let (Some(token), Some(first)) = (token, first) {
                    let (topic, time) = (first.topic.clone(), first.time);
                    let last = state.end();
                    state.remember(Remembered { topic, token, time, last, count });
                }
                answers.push((done, state.end()));
            }
        }
        for (done, end) in answers {
            done(Ok(end));
        }
        self.shared.ring();
    }

    /// Seals the segment and begins another.
    fn roll(&mut self, now: Time) -> io::Result<()> {
        let active = begin_segment(&self.shared, now)?;
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
        let trims = self.shared.state().all_trims();
        if let Err(error) = super::marks::save(&*self.shared.disk, &trims) {
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

/// Makes the next segment's file and lets the state know.
fn begin_segment(shared: &Shared, time: Time) -> io::Result<Active> {
    let base = shared.state().end().offset + 1;
    let header = SegmentHeader { salt: (shared.salt)(), base, time };
    let name = Segment::name(base);
    let file = shared.disk.create(&name, shared.segment_bytes)?;
    if let Err(error) = file.write_at(&header.encode(), 0).and_then(|()| file.sync()) {
        // An empty file of that name would be in the way of the next try.
        let _ = shared.disk.remove(&name);
        return Err(error);
    }
    shared.state().begin_segment(Segment::new(header, Arc::clone(&file)));
    Ok(Active { file, header, at: SEGMENT_HEADER_BYTES })
}

fn refuse(waiting: impl Iterator<Item = Appended>, why: &Arc<str>) {
    for done in waiting {
        done(Err(AppendError::Storage(Arc::clone(why))));
    }
}
