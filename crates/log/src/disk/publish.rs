//! Letting readers see what was stored, and answering who stored it, in the order it was written.

use std::sync::Arc;

use tidings_model::{Mark, Record, Time};

use super::Shared;
use super::pending::{Pending, Prepared};
use super::rows::Row;
use super::segment::Segment;
use super::state::State;
use super::waste::Heap;
use crate::{AppendError, Appended, Level, Remembered, Token};

/// Most steps of retention for one message. What is left then goes with the next ones.
const RETAIN_STEPS_MAX: usize = 4096;

/// What has become of the log.
pub(super) enum Step {
    /// Another segment is written to.
    Begun(Box<Segment>),
    /// A group is where its level wants it.
    Stored(Group),
    /// Everything before is durable.
    Synced,
}

/// Appends that were written as one.
pub(super) struct Group {
    pub(super) stored: Vec<Stored>,
    pub(super) level: Level,
    pub(super) now: Time,
}

/// One append that was written.
pub(super) struct Stored {
    /// Where its first record lies.
    pub(super) at: u32,
    pub(super) rows: Vec<Prepared>,
    pub(super) records: Vec<Arc<Record>>,
    pub(super) token: Option<Token>,
    pub(super) done: Appended,
}

impl Step {
    /// How much there is to do for it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Step::Stored(group) => group.stored.iter().map(|stored| stored.rows.len()).sum(),
            Step::Begun(_) | Step::Synced => 1,
        }
    }

    /// Takes the step. Says whether something has come up for the keeper.
    pub(super) fn take(self, shared: &Shared) -> bool {
        let mut state = shared.state();
        match self {
            Step::Begun(segment) => state.begin_segment(*segment),
            Step::Synced => state.synced(),
            Step::Stored(group) => {
                drop(state);
                group.show(shared);
                state = shared.state();
            }
        }
        state.take_due()
    }
}

impl Group {
    /// Lets readers see it, then answers its publishers.
    fn show(self, shared: &Shared) {
        let mut answers = Vec::with_capacity(self.stored.len());
        let mut cooled = Heap::default();
        {
            let mut state = shared.state();
            state.now = state.now.max(self.now);
            for stored in self.stored {
                answers.push(stored.show(shared, &mut state, self.now, &mut cooled));
            }
            if self.level == Level::Fsync {
                state.synced();
            }
        }
        for (done, end) in answers {
            done(Ok(end));
        }
        shared.ring();
        shared.waste.give(cooled);
    }
}

impl Stored {
    fn show(
        self,
        shared: &Shared,
        state: &mut State,
        now: Time,
        cooled: &mut Heap,
    ) -> (Appended, Mark) {
        let Stored { mut at, rows, records, token, done } = self;
        let count = rows.len() as u32;
        let first = token.and_then(|token| Some((token, records.first()?.message.clone())));
        for (row, record) in rows.into_iter().zip(records) {
            let Prepared { bytes, size, topic, time, expires } = row;
            state.push(Row { at, bytes, topic, time, expires });
            state.warm(record, size, cooled);
            at += bytes;
            // Age is looked at in turn, since most topics have nothing that is too old.
            let retention = state.topics.retention(topic, &shared.policy);
            if state.is_over(topic, retention) {
                state.retain(topic, retention, now, &mut { RETAIN_STEPS_MAX });
            }
        }
        if let Some((token, message)) = first {
            let (topic, time, last) = (message.topic.clone(), message.time, state.end());
            state.remember(Remembered { topic, token, time, last, count });
        }
        (done, state.end())
    }
}

/// Tells whoever waits why nothing of theirs was stored.
pub(super) fn refuse(waiting: impl Iterator<Item = Pending>, why: &Arc<str>) {
    for pending in waiting {
        (pending.done)(Err(AppendError::Storage(Arc::clone(why))));
    }
}
