//! Appends that are written as one: how they become bytes, and how they become visible.

use std::collections::HashMap;
use std::sync::Arc;

use tidings_model::{Mark, Message, Record, Time};

use super::Shared;
use super::format::{self, BatchEnd, Group};
use super::rows::Row;
use super::topics::Named;
use crate::{AppendError, Appended, Batch, Level, Remembered, Token};

/// Most steps of retention for one message. What is left then goes with the next ones.
const RETAIN_STEPS_MAX: usize = 4096;

/// One append that waits.
pub(super) struct Pending {
    pub(super) batch: Batch,
    pub(super) done: Appended,
}

impl Pending {
    pub(super) fn bytes(&self) -> usize {
        self.batch.messages.iter().map(Message::size).sum()
    }
}

/// A record and where it was put.
struct Written {
    record: Record,
    topic: u32,
    at: u32,
    bytes: u32,
}

/// One append, encoded.
pub(super) struct Encoded {
    records: Vec<Written>,
    token: Option<Token>,
    pub(super) done: Appended,
}

/// Encodes a group into the buffer. Appends that cannot be taken are refused here.
pub(super) fn encode(
    shared: &Shared,
    place: Group,
    group: Vec<Pending>,
    buffer: &mut Vec<u8>,
) -> Vec<Encoded> {
    buffer.clear();
    let (named, mut offset, epoch) = {
        let mut state = shared.state();
        let most = shared.topics_max;
        let named: Vec<_> = group.iter().map(|p| state.topics.name_all(&p.batch, most)).collect();
        (named, state.end().offset, state.epoch)
    };
    // Of topics that come again in this group: their newest offset.
    let mut newest: HashMap<u32, u64> = HashMap::new();
    let mut encoded = Vec::with_capacity(group.len());
    for (Pending { batch: Batch { messages, token, .. }, done }, topics) in
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
            let from = buffer.len();
            let end = (index + 1 == count)
                .then_some(BatchEnd { count: count as u32, token: token.as_ref() });
            format::write_record(buffer, place, offset, previous, end, &message);
            let at = place.start + from as u32;
            let bytes = (buffer.len() - from) as u32;
            let mark = Mark { epoch, offset };
            let record = Record::new(shared.kind, mark, previous, Arc::new(message));
            records.push(Written { record, topic, at, bytes });
        }
        encoded.push(Encoded { records, token, done });
    }
    encoded
}

impl Encoded {
    /// How many messages it has.
    pub(super) fn count(&self) -> u64 {
        self.records.len() as u64
    }
}

/// Lets readers see a group, then answers its publishers.
pub(super) fn publish(shared: &Shared, group: Vec<Encoded>, now: Time, level: Level) {
    let mut answers = Vec::with_capacity(group.len());
    {
        let mut state = shared.state();
        state.now = state.now.max(now);
        for Encoded { records, token, done } in group {
            let count = records.len() as u32;
            let first = records.first().map(|written| Arc::clone(&written.record.message));
            for Written { record, topic, at, bytes } in records {
                let Message { time, expires, .. } = *record.message;
                state.push(Row { at, bytes, topic, time, expires });
                state.warm(Arc::new(record));
                // Age is looked at in turn, since most topics have nothing that is too old.
                let retention = state.topics.retention(topic, &shared.policy);
                if state.is_over(topic, retention) {
                    state.retain(topic, retention, now, &mut { RETAIN_STEPS_MAX });
                }
            }
            if let (Some(token), Some(first)) = (token, first) {
                let (topic, time) = (first.topic.clone(), first.time);
                let last = state.end();
                state.remember(Remembered { topic, token, time, last, count });
            }
            answers.push((done, state.end()));
        }
        if level == Level::Fsync {
            state.synced();
        }
    }
    for (done, end) in answers {
        done(Ok(end));
    }
    shared.ring();
}

/// Tells whoever waits why nothing of theirs was stored.
pub(super) fn refuse(waiting: impl Iterator<Item = Appended>, why: &Arc<str>) {
    for done in waiting {
        done(Err(AppendError::Storage(Arc::clone(why))));
    }
}
