//! Appends that wait to be written. What can be done before it is known where they go is done on
//! the thread that appends, beside what the writer does.

use std::sync::Arc;

use tidings_model::{Mark, Record, Time};

use super::Shared;
use super::format::{self, BODY_BYTES_MAX, BatchEnd};
use super::topics::UNKNOWN;
use crate::{AppendError, Appended, Batch, Level, Token};

/// Most bytes of one batch, so that places in a segment stay 32-bit numbers.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// One append that waits.
pub(super) struct Pending {
    pub(super) rows: Vec<Prepared>,
    /// The records, but for their places.
    pub(super) records: Vec<Arc<Record>>,
    /// The same as bytes, one after the other, but for what depends on their places.
    pub(super) image: Vec<u8>,
    pub(super) token: Option<Token>,
    pub(super) level: Level,
    pub(super) done: Appended,
}

/// What has to be known of a record to store it, all in one place.
#[derive(Clone, Copy)]
pub(super) struct Prepared {
    /// Bytes in the file.
    pub(super) bytes: u32,
    /// What the message costs to keep in memory.
    pub(super) size: u32,
    /// Its topic's number, if it has one.
    pub(super) topic: u32,
    pub(super) time: Time,
    pub(super) expires: Option<Time>,
}

impl Pending {
    /// Prepares a batch. One that cannot be stored is answered at once.
    pub(super) fn new(shared: &Shared, batch: Batch, done: Appended) -> Option<Pending> {
        let Batch { messages, token, level } = batch;
        let count = messages.len();
        let mut rows: Vec<Prepared> = Vec::with_capacity(count);
        // Most messages of a batch are as long as the first.
        let mut image = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let end = (index + 1 == count)
                .then_some(BatchEnd { count: count as u32, token: token.as_ref() });
            let bytes = format::write_record(&mut image, end, message);
            if index == 0 {
                image.reserve(bytes * (count - 1));
            }
            if bytes > BODY_BYTES_MAX as usize || image.len() > BATCH_BYTES_MAX {
                done(Err(AppendError::Storage("the batch is too large".into())));
                return None;
            }
            let (size, topic) = (message.size() as u32, UNKNOWN);
            let (bytes, time, expires) = (bytes as u32, message.time, message.expires);
            rows.push(Prepared { bytes, size, topic, time, expires });
        }
        let topics = messages.iter().zip(&mut rows);
        shared.names.look_up(topics.map(|(message, row)| (&message.topic, &mut row.topic)));
        let mark = Mark { epoch: shared.epoch, offset: 0 };
        let record = |message| Arc::new(Record::new(shared.kind, mark, 0, Arc::new(message)));
        let records = messages.into_iter().map(record).collect();
        Some(Pending { rows, records, image, token, level, done })
    }
}
