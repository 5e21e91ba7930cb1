//! Giving the messages of a group their topics' numbers, their offsets and their places.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidings_model::Mark;

use super::format::Stamp;
use super::pending::{Pending, Prepared};
use super::topics::UNKNOWN;
use super::writer::Writer;
use crate::AppendError;

impl Writer {
    /// Gives every topic of a group its number. Appends with more new topics than there may be are
    /// refused.
    pub(super) fn name(&mut self, mut group: Vec<Pending>) -> Vec<Pending> {
        let is_named = |pending: &Pending| pending.rows.iter().all(|row| row.topic != UNKNOWN);
        if group.iter().all(is_named) {
            return group;
        }
        let mut refused = Vec::new();
        {
            let mut state = self.shared.state();
            let most = self.shared.topics_max;
            group = group
                .into_iter()
                .filter_map(|mut pending| {
                    let topics = pending.records.iter().map(|record| &record.message.topic);
                    let unknown = topics.clone().zip(&pending.rows);
                    let unknown = unknown.filter(|(_, row)| row.topic == UNKNOWN);
                    let unknown: BTreeSet<_> = unknown.map(|(topic, _)| topic).collect();
                    if !state.topics.has_room(&unknown, most) {
                        refused.push((pending.done, state.topics.len()));
                        return None;
                    }
                    for (topic, row) in topics.zip(&mut pending.rows) {
                        if row.topic == UNKNOWN {
                            row.topic = state.topics.number(topic);
                        }
                    }
                    Some(pending)
                })
                .collect();
            self.newest.resize(state.topics.len(), 0);
        }
        for (done, most) in refused {
            done(Err(AppendError::TooManyTopics(most)));
        }
        group
    }

    /// Gives the records of an append their places, and puts them into the buffer.
    pub(super) fn place(&mut self, pending: &mut Pending) {
        let mut from = self.buffer.len();
        self.buffer.extend_from_slice(&pending.image);
        let (start, durable) = (self.active.at, self.active.synced as u32);
        let salt = self.active.header.salt;
        for (row, record) in pending.rows.iter().zip(&mut pending.records) {
            let &Prepared { bytes, topic, .. } = row;
            self.end += 1;
            let offset = self.end;
            let previous = std::mem::replace(&mut self.newest[topic as usize], offset);
            let to = from + bytes as usize;
            let stamp = Stamp { salt, at: start + from as u64, durable, offset, previous };
            stamp.set(&mut self.buffer[from..to]);
            from = to;
            // Nobody else has it yet.
            if let Some(record) = Arc::get_mut(record) {
                record.mark = Mark { offset, ..record.mark };
                record.previous = previous;
            }
        }
    }

    /// As if the offsets of a group had never been given.
    pub(super) fn take_back(&mut self, group: &[Pending], end: u64) {
        self.end = end;
        for pending in group.iter().rev() {
            for (row, record) in pending.rows.iter().zip(&pending.records).rev() {
                self.newest[row.topic as usize] = record.previous;
            }
        }
    }
}
