//! A subscription's hold of the session that it is. Whatever one does that has it no longer changes
//! nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidings_model::{AckMode, Keep, Position, Refusal, SessionEnd, Time, TopicFilter};

use super::manage::SaveDone;
use super::{Entry, Sessions, Stairs};
use crate::broker::{Broker, lock};

/// A subscription's hold of its session.
pub(crate) struct Attached {
    pub(super) entry: Arc<Entry>,
    pub(crate) generation: u64,
    /// How often what comes now was sent before.
    pub(crate) earlier: Stairs,
    /// Why it is the session no longer.
    pub(crate) ended: Option<SessionEnd>,
}

impl Attached {
    /// The connection is to be given everything up to `position`. Says whether it may be: one that
    /// has the session no longer is given nothing more, or it would go to two as if it were new.
    #[must_use]
    pub(crate) fn sent(&self, sessions: &Sessions, position: Position, events: bool) -> bool {
        let mut state = lock(&self.entry.state);
        if state.generation != self.generation {
            return false;
        }
        state.sent = position;
        if events && !state.is_passing() {
            sessions.unsaved.add(&self.entry);
        }
        true
    }

    /// The connection has taken everything it was given.
    pub(crate) fn taken(&self) {
        let mut state = lock(&self.entry.state);
        if state.generation == self.generation && state.acks == AckMode::Automatic {
            let sent = state.sent;
            state.ack(sent);
        }
    }

    /// It reads something else from now on. Not stored before the next [`Attached::keep`].
    pub(crate) fn reads(&self, filters: Vec<TopicFilter>) {
        let mut state = lock(&self.entry.state);
        if state.generation == self.generation && !state.is_passing() {
            state.filters = filters.into();
        }
    }

    /// Keeps what the machine says. It is stored at once when somebody waits for it, otherwise when
    /// there is time.
    pub(crate) fn keep(&self, broker: &Broker, keep: Keep, now: Time, done: Option<SaveDone>) {
        let mut state = lock(&self.entry.state);
        if state.generation != self.generation {
            if let Some(done) = done {
                done(Err(Refusal::SessionUnknown(self.entry.name.clone())));
            }
            return;
        }
        let Keep { position, notes, expiry, without_will, messages } = keep;
        state.ack(position);
        state.notes = notes[..].into();
        if let Some(expiry) = expiry {
            state.set_expiry(expiry.min(broker.sessions().limits.expiry_max));
        }
        if without_will {
            state.will = None;
        }
        match done {
            Some(done) => broker.store_with(&self.entry, &state, messages, now, done),
            None if state.is_passing() => {}
            None => broker.sessions().unsaved.add(&self.entry),
        }
    }

    /// The connection is gone.
    pub(crate) fn detach(&self, broker: &Broker, now: Time) {
        let sessions = broker.sessions();
        let mut state = lock(&self.entry.state);
        if state.generation != self.generation {
            return;
        }
        state.let_go();
        state.left = Some(now);
        let is_over = state.is_passing() || self.entry.is_refused.load(Ordering::SeqCst);
        let is_due = |delay: std::time::Duration| is_over || delay.is_zero();
        let will = state.will.take_if(|will| is_due(will.delay));
        if state.will.is_some() {
            sessions.wills.add(&self.entry);
        }
        if is_over {
            // Of one that was refused nobody was told that it is there.
            broker.end_session(&self.entry, &mut state, now);
        } else {
            sessions.unsaved.add(&self.entry);
        }
        drop(state);
        if let Some(will) = will {
            broker.publish_will(*will, now);
        }
    }
}
