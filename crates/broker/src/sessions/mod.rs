//! Durable sessions: readers that are remembered by name, so that what they read and how far they
//! have come outlives connections and restarts.
//!
//! A session is a cursor, never a queue: an absent one costs a few hundred bytes, however much is
//! published. Two connections never are the same session at once.

mod attached;
mod claim;
mod manage;
mod state;
mod stored;
mod stored_will;
mod wills;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering as Memory};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_access::Identity;
use tidings_model::{Refusal, SessionEnd, SessionName, Time};

use crate::broker::lock;
pub(crate) use attached::Attached;
pub(crate) use claim::Claim;
pub use manage::{ManageDone, SaveDone, Unsaved};
pub(crate) use state::Stairs;
use state::State;
use wills::Wills;

/// Most sessions whose expiry is looked at in one tick.
const AGED_MAX: usize = 4096;

/// Every session.
pub(crate) struct Sessions {
    limits: SessionLimits,
    known: Mutex<BTreeSet<Known>>,
    unsaved: Later,
    wills: Wills,
    /// How many of them are gone when their connections are.
    passing: AtomicUsize,
    /// Whose expiry was looked at last.
    aged: Mutex<Option<SessionName>>,
    /// Connections that became a session so far.
    connections: AtomicU64,
}

/// A session by its name.
struct Known(Arc<Entry>);

impl Borrow<SessionName> for Known {
    fn borrow(&self) -> &SessionName {
        &self.0.name
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Known) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Known {}

impl PartialOrd for Known {
    fn partial_cmp(&self, other: &Known) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Known {
    fn cmp(&self, other: &Known) -> Ordering {
        self.0.name.cmp(&other.0.name)
    }
}

/// Sessions that are to be stored when there is time.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<Vec<Arc<Entry>>>>);

impl Later {
    fn add(&self, entry: &Arc<Entry>) {
        if !entry.is_unsaved.swap(true, Memory::SeqCst) {
            lock(&self.0).push(Arc::clone(entry));
        }
    }

    fn take(&self) -> Vec<Arc<Entry>> {
        let entries = std::mem::take(&mut *lock(&self.0));
        for entry in &entries {
            entry.is_unsaved.store(false, Memory::SeqCst);
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
    /// Who made it; nothing when that was anybody.
    user: Option<Arc<str>>,
    state: Mutex<State>,
    is_unsaved: AtomicBool,
    /// Whether the log has it at all.
    is_stored: AtomicBool,
    /// Whether the log would not take it when it was to begin.
    is_refused: AtomicBool,
    /// Whether it counts as one that is gone when its connection is.
    is_passing: AtomicBool,
}

/// What kind of session is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// One that is remembered.
    Lasting,
    /// One that is gone when its connection is.
    Passing,
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

impl Sessions {
    pub(crate) fn new(limits: SessionLimits) -> Sessions {
        Sessions {
            limits,
            known: Mutex::default(),
            unsaved: Later::default(),
            wills: Wills::default(),
            passing: AtomicUsize::new(0),
            aged: Mutex::default(),
            connections: AtomicU64::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.known).len()
    }

    /// The session of a name, made `by` somebody if it is not there and `make` says so.
    pub(crate) fn entry(
        &self,
        name: &SessionName,
        make: Option<Make>,
        by: Option<&Arc<Identity>>,
    ) -> Result<Arc<Entry>, Refusal> {
        let mut known = lock(&self.known);
        if let Some(Known(entry)) = known.get(name) {
            return match entry.is_of(by) {
                true => Ok(Arc::clone(entry)),
                false => Err(Refusal::SessionForbidden(name.clone())),
            };
        }
        let Some(make) = make else { return Err(Refusal::SessionUnknown(name.clone())) };
        // Those that pass with their connections are as many as connections at most.
        let passing = self.passing.load(Memory::Relaxed);
        let is_passing = make == Make::Passing;
        if !is_passing && known.len() >= self.limits.sessions_max + passing {
            return Err(Refusal::TooManySessions(self.limits.sessions_max));
        }
        self.passing.fetch_add(usize::from(is_passing), Memory::Relaxed);
        let (user, state) = (by.and_then(|by| by.user().cloned()), State::new(self.limits.expiry));
        let entry = Arc::new(Entry::new(name.clone(), user, state, is_passing));
        known.insert(Known(Arc::clone(&entry)));
        Ok(entry)
    }

    /// Forgets a session, if it is still the one of its name.
    fn forget(&self, entry: &Arc<Entry>, state: &mut State) {
        state.is_gone = true;
        let mut known = lock(&self.known);
        if known.get(&entry.name).is_some_and(|other| Arc::ptr_eq(&other.0, entry)) {
            known.remove(&entry.name);
            self.stays(entry);
        }
    }

    /// A session does not pass with its connection, or is no more.
    fn stays(&self, entry: &Entry) {
        if entry.is_passing.swap(false, Memory::Relaxed) {
            self.passing.fetch_sub(1, Memory::Relaxed);
        }
    }

    /// The next sessions in turn whose expiry is to be looked at.
    fn next_aged(&self) -> Vec<Arc<Entry>> {
        let mut aged = lock(&self.aged);
        let known = lock(&self.known);
        let after = aged.as_ref().map_or(Unbounded, Excluded);
        let next: Vec<_> = known
            .range::<SessionName, _>((after, Unbounded))
            .take(AGED_MAX)
            .map(|known| Arc::clone(&known.0))
            .collect();
        *aged = next.last().filter(|_| next.len() == AGED_MAX).map(|entry| entry.name.clone());
        next
    }
}

impl Entry {
    fn new(name: SessionName, user: Option<Arc<str>>, state: State, is_passing: bool) -> Entry {
        Entry {
            name,
            user,
            state: Mutex::new(state),
            is_unsaved: AtomicBool::new(false),
            is_stored: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            is_passing: AtomicBool::new(is_passing),
        }
    }

    /// Whether it is the session of `somebody`. Where nobody has to say who they are, all are.
    fn is_of(&self, somebody: Option<&Arc<Identity>>) -> bool {
        somebody.is_none_or(|identity| identity.user() == self.user.as_ref())
    }
}

/// When a session will be forgotten.
fn expires(state: &State) -> Option<Time> {
    state.left.map(|left| left + state.expiry())
}
