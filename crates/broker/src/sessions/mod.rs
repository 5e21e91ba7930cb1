//! Durable sessions: readers that are remembered by name, so that what they read and how far they
//! have come outlives connections and restarts.
//!
//! A session is a cursor, never a queue: an absent one costs a few hundred bytes, however much is
//! published. Two connections never are the same session at once.

mod manage;
mod state;
mod stored;

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tidings_model::{
    AckMode, LogKind, Position, Refusal, SessionEnd, SessionName, SessionOptions, Since,
    SubscribeOptions, Time, Topic, TopicFilter,
};

use crate::broker::lock;
pub(crate) use manage::TOPICS;
pub use manage::{ManageDone, Unsaved};
pub(crate) use state::Stairs;
use state::{Holder, State};

/// Most sessions whose expiry is looked at in one tick.
const AGED_MAX: usize = 4096;

/// Every session.
pub(crate) struct Sessions {
    limits: SessionLimits,
    known: Mutex<BTreeMap<SessionName, Arc<Entry>>>,
    unsaved: Later,
    /// Whose expiry was looked at last.
    aged: Mutex<Option<SessionName>>,
    /// Connections that became a session so far.
    connections: AtomicU64,
}

/// Sessions that are to be stored when there is time.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<Vec<Arc<Entry>>>>);

impl Later {
    fn add(&self, entry: &Arc<Entry>) {
        if !entry.is_unsaved.swap(true, Ordering::SeqCst) {
            lock(&self.0).push(Arc::clone(entry));
        }
    }

    fn take(&self) -> Vec<Arc<Entry>> {
        let entries = std::mem::take(&mut *lock(&self.0));
        for entry in &entries {
            entry.is_unsaved.store(false, Ordering::SeqCst);
        }
        entries
    }
}

/// What sessions may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Most sessions.
    pub sessions_max: usize,
    /// How long one is kept while nobody is connected to it, when it does not say.
    pub expiry: Duration,
    /// The longest it may say.
    pub expiry_max: Duration,
}

impl Default for SessionLimits {
    fn default() -> SessionLimits {
        SessionLimits {
            sessions_max: 100_000,
            expiry: Duration::from_secs(24 * 60 * 60),
            expiry_max: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// One session.
pub(crate) struct Entry {
    name: SessionName,
    topic: Topic,
    state: Mutex<State>,
    is_unsaved: AtomicBool,
    /// Whether the log has it at all.
    is_stored: AtomicBool,
    /// Whether the log would not take it when it was to begin.
    is_refused: AtomicBool,
}

/// A connection that has a session, and has to be told that it has it no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Eviction {
    pub(crate) shard: usize,
    pub(crate) key: usize,
    pub(crate) end: SessionEnd,
    /// Which connection it was. Its place may be another's by the time it is told, so no two
    /// connections have the same number, whatever their sessions.
    pub(crate) generation: u64,
}

/// A subscription's hold of its session.
pub(crate) struct Attached {
    entry: Arc<Entry>,
    pub(crate) generation: u64,
    /// How often what comes now was sent before.
    pub(crate) earlier: Stairs,
    /// Why it is the session no longer.
    pub(crate) ended: Option<SessionEnd>,
}

/// A session that a subscription is about to become; nobody else can meanwhile.
pub(crate) struct Claim<'a> {
    entry: &'a Arc<Entry>,
    state: MutexGuard<'a, State>,
    is_new: bool,
}

impl Sessions {
    pub(crate) fn new(limits: SessionLimits) -> Sessions {
        Sessions {
            limits,
            known: Mutex::default(),
            unsaved: Later::default(),
            aged: Mutex::default(),
            connections: AtomicU64::new(0),
        }
    }

    /// The session of a name, made if it is not there and `make` says so.
    pub(crate) fn entry(&self, name: &SessionName, make: bool) -> Result<Arc<Entry>, Refusal> {
        let mut known = lock(&self.known);
        if let Some(entry) = known.get(name) {
            return Ok(Arc::clone(entry));
        }
        if !make {
            return Err(Refusal::SessionUnknown(name.clone()));
        }
        if known.len() >= self.limits.sessions_max {
            return Err(Refusal::TooManySessions(known.len()));
        }
        let entry = Arc::new(Entry::new(name.clone(), State::new(self.limits.expiry))?);
        known.insert(name.clone(), Arc::clone(&entry));
        Ok(entry)
    }

    /// Forgets a session, if it is still the one of its name.
    fn forget(&self, entry: &Arc<Entry>, state: &mut State) {
        state.is_gone = true;
        let mut known = lock(&self.known);
        if known.get(&entry.name).is_some_and(|other| Arc::ptr_eq(other, entry)) {
            known.remove(&entry.name);
        }
    }

    /// The next sessions in turn whose expiry is to be looked at.
    fn next_aged(&self) -> Vec<Arc<Entry>> {
        let mut aged = lock(&self.aged);
        let known = lock(&self.known);
        let after = aged.as_ref().map_or(Unbounded, Excluded);
        let next: Vec<_> =
            known.range((after, Unbounded)).take(AGED_MAX).map(|(_, e)| Arc::clone(e)).collect();
        *aged = next.last().filter(|_| next.len() == AGED_MAX).map(|entry| entry.name.clone());
        next
    }
}

impl Entry {
    fn new(name: SessionName, state: State) -> Result<Entry, Refusal> {
        // A session's name is a level of a topic by definition.
        let topic = Topic::new(&format!("{TOPICS}/{name}"))
            .map_err(|_| Refusal::SessionUnknown(name.clone()))?;
        Ok(Entry {
            name,
            topic,
            state: Mutex::new(state),
            is_unsaved: AtomicBool::new(false),
            is_stored: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
        })
    }

    /// Takes the session for a subscription; nothing when it was deleted in this moment, and then it
    /// is in the list no more.
    pub(crate) fn claim(self: &Arc<Self>) -> Option<Claim<'_>> {
        let state = lock(&self.state);
        let is_new = state.filters.is_empty();
        (!state.is_gone).then_some(Claim { entry: self, state, is_new })
    }
}

impl Claim<'_> {
    /// What is to be read and from where, by what was asked and what is remembered.
    pub(crate) fn resume(&self, options: &SubscribeOptions) -> (Vec<TopicFilter>, Since) {
        if self.is_new {
            return (options.filters.clone(), options.since.unwrap_or(options.otherwise));
        }
        let filters =
            if options.filters.is_empty() { &self.state.filters } else { &options.filters };
        let since = match (self.acks(options.session.as_ref()), options.since) {
            // A client that knows how far it has come knows better than we do.
            (AckMode::Automatic, Some(since @ Since::After(_))) => since,
            _ => Since::After(self.state.acked),
        };
        (filters.clone(), since)
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

    /// Makes a subscription the session. Returns its hold, whom it takes the session from, and what
    /// is to be stored before the client is told.
    pub(crate) fn attach(
        mut self,
        sessions: &Sessions,
        options: &SubscribeOptions,
        filters: Vec<TopicFilter>,
        position: Position,
        (shard, key): (usize, usize),
    ) -> (Attached, Option<Eviction>, Option<Unsaved>) {
        let acks = self.acks(options.session.as_ref());
        let asked = options.session.as_ref().and_then(|session| session.expiry);
        let state = &mut *self.state;
        let expiry = asked.unwrap_or(state.expiry).min(sessions.limits.expiry_max);
        let before = state.holder.map(|Holder { shard, key }| Eviction {
            shard,
            key,
            end: SessionEnd::TakenOver,
            generation: state.generation,
        });
        state.let_go();
        // In a log that it reads for the first time it has come to where it begins; in one that it
        // does not read now it stays where it was.
        let acked = match acks {
            AckMode::Explicit if !self.is_new => completed(state.acked, position),
            _ => completed(position, state.acked),
        };
        // One that is being stored just now is not there yet for this connection either.
        let changed = !self.entry.is_stored.load(Ordering::SeqCst)
            || (acks == AckMode::Explicit && state.acked != acked)
            || (&state.filters, state.slow, state.acks, state.expiry)
                != (&filters, options.slow, acks, expiry);
        (state.filters, state.slow, state.acks, state.expiry) =
            (filters, options.slow, acks, expiry);
        (state.acked, state.sent) = (acked, acked);
        state.holder = Some(Holder { shard, key });
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
        (attached, before, unsaved)
    }
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
        if events {
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

    /// The connection is gone.
    pub(crate) fn detach(&self, sessions: &Sessions) {
        let mut state = lock(&self.entry.state);
        if state.generation != self.generation {
            return;
        }
        state.let_go();
        if self.entry.is_refused.load(Ordering::SeqCst) {
            // Nobody was told that it is there.
            sessions.forget(&self.entry, &mut state);
        } else {
            sessions.unsaved.add(&self.entry);
        }
    }
}

/// `position`, with the places of `other` in logs in which it has none.
fn completed(position: Position, other: Position) -> Position {
    LogKind::ALL.into_iter().fold(position, |all, log| match (all.get(log), other.get(log)) {
        (None, Some(mark)) => all.with(log, mark),
        _ => all,
    })
}

/// When a session will be forgotten.
fn expires(state: &State) -> Option<Time> {
    state.left.map(|left| left + state.expiry)
}
