//! How a subscription becomes a session: nobody else can meanwhile.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use bytes::Bytes;
use tidings_model::{
    AckMode, LogKind, Position, Resumed, SessionEnd, SessionOptions, Since, SubscribeOptions, Time,
    TopicFilter, Will,
};

use super::state::{Holder, State};
use super::{Attached, Entry, Eviction, Sessions, Unsaved, expires};
use crate::broker::lock;

/// A session that a subscription is about to become.
pub(crate) struct Claim<'a> {
    entry: &'a Arc<Entry>,
    state: MutexGuard<'a, State>,
    is_new: bool,
    /// What was to be published for the client of an earlier session of this name.
    will: Option<Box<Will>>,
}

/// A subscription that has become a session.
pub(crate) struct Attachment {
    /// Its hold.
    pub(crate) attached: Attached,
    /// Whom it took the session from.
    pub(crate) evicted: Option<Eviction>,
    /// What is to be stored before the client is told.
    pub(crate) unsaved: Option<Unsaved>,
    /// What is to be published for the connection before it.
    pub(crate) will: Option<Box<Will>>,
    /// What is known of it, if it was there.
    pub(crate) notes: Option<Resumed>,
}

impl Entry {
    /// Takes the session for a subscription; nothing when it was deleted in this moment, and then it
    /// is in the list no more.
    pub(crate) fn claim(self: &Arc<Self>, is_fresh: bool, now: Time) -> Option<Claim<'_>> {
        let mut state = lock(&self.state);
        if state.is_gone {
            return None;
        }
        let is_over = match state.holder {
            None => expires(&state).is_some_and(|at| at <= now),
            // One that is not kept after its connection ends with it, also when that is taken over.
            Some(_) => state.is_passing(),
        };
        let mut will = None;
        if state.has_begun && (is_fresh || is_over) {
            will = state.will.take();
            state.begin_anew();
        }
        let is_new = !state.has_begun;
        Some(Claim { entry: self, state, is_new, will })
    }
}

impl Claim<'_> {
    /// What is to be read and from where, by what was asked and what is remembered.
    pub(crate) fn resume(&self, options: &SubscribeOptions) -> (Vec<TopicFilter>, Since) {
        if self.is_new {
            return (options.filters.clone(), options.since.unwrap_or(options.otherwise));
        }
        let filters = match options.filters.is_empty() {
            true => &self.state.filters,
            false => &options.filters[..],
        };
        let since = match (self.acks(options.session.as_ref()), options.since) {
            // A client that knows how far it has come knows better than we do.
            (AckMode::Automatic, Some(since @ Since::After(_))) => since,
            _ => Since::After(self.state.acked),
        };
        (filters.to_vec(), since)
    }

    /// Whether it may be a session that reads nothing.
    pub(crate) fn may_be_empty(&self, options: &SubscribeOptions) -> bool {
        self.acks(options.session.as_ref()) == AckMode::Noted
    }

    fn acks(&self, wanted: Option<&SessionOptions>) -> AckMode {
        wanted.and_then(|wanted| wanted.acks).unwrap_or(self.state.acks)
    }

    /// Gives up a session that was only made for a subscription that is none.
    pub(crate) fn cancel(mut self, sessions: &Sessions) {
        if self.is_new {
            sessions.forget(self.entry, &mut self.state);
        }
    }

    /// Makes a subscription the session.
    pub(crate) fn attach(
        mut self,
        sessions: &Sessions,
        options: &SubscribeOptions,
        filters: &[TopicFilter],
        position: Position,
        (shard, key): (usize, usize),
        end: Position,
    ) -> Attachment {
        let acks = self.acks(options.session.as_ref());
        let asked = options.session.as_ref().and_then(|session| session.expiry);
        let state = &mut *self.state;
        let expiry = asked.unwrap_or(state.expiry()).min(sessions.limits.expiry_max);
        let evicted = state.holder.map(|Holder { shard, key }| Eviction {
            shard: shard as usize,
            key: key as usize,
            end: SessionEnd::TakenOver,
            generation: state.generation,
        });
        // A client that comes back in time is not lost; one that is replaced is, if it was to be
        // told at once.
        let replaced = state.will.take().filter(|will| evicted.is_some() && will.delay.is_zero());
        state.will = options.session.as_ref().and_then(|session| session.will.clone());
        state.let_go();
        // In a log that it reads for the first time it has come to where it begins; in one that it
        // does not read now it stays where it was.
        let acked = match acks {
            AckMode::Explicit | AckMode::Noted if !self.is_new => completed(state.acked, position),
            _ => completed(position, state.acked),
        };
        // One that is being stored just now is not there yet for this connection either.
        let changed = !self.entry.is_stored.load(Ordering::SeqCst)
            || state.will.is_some()
            || (acks != AckMode::Automatic && state.acked != acked)
            || (&state.filters, state.slow, state.acks, state.expiry())
                != (&filters.into(), options.slow, acks, expiry);
        state.set_expiry(expiry);
        (state.filters, state.slow, state.acks) = (filters.into(), options.slow, acks);
        (state.acked, state.sent) = (acked, acked);
        state.has_begun = true;
        if !expiry.is_zero() {
            sessions.stays(self.entry);
        }
        // Threads and connections are far fewer.
        state.holder = Some(Holder { shard: shard as u32, key: key as u32 });
        state.generation = sessions.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let attached = Attached {
            entry: Arc::clone(self.entry),
            generation: state.generation,
            earlier: state.earlier.clone(),
            ended: None,
        };
        if state.left.take().is_some() {
            // Or it would seem after a crash that nobody had come back.
            sessions.unsaved.add(self.entry);
        }
        let unsaved = changed.then(|| Unsaved(Arc::clone(self.entry)));
        let notes =
            (!self.is_new).then(|| Resumed { notes: Bytes::copy_from_slice(&state.notes), end });
        Attachment { attached, evicted, unsaved, will: self.will.or(replaced), notes }
    }
}

/// `position`, with the places of `other` in logs in which it has none.
fn completed(position: Position, other: Position) -> Position {
    LogKind::ALL.into_iter().fold(position, |all, log| match (all.get(log), other.get(log)) {
        (None, Some(mark)) => all.with(log, mark),
        _ => all,
    })
}
