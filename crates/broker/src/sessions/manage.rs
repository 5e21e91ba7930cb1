//! What is done with sessions from outside of them, and how they get into the log and out again.
//! Must never answer before what it says is stored.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tidings_access::Identity;
use tidings_log::{AppendError, Batch, Budget, Cursor, Level};
use tidings_model::{
    AckMode, EventType, Headers, LogKind, Manage, Managed, Manner, Mark, Message, Position,
    Refusal, Selection, SessionEnd, SessionInfo, SessionName, Time, Topic, TopicFilter,
};

use super::state::{Holder, State};
use super::{Entry, Eviction, Known, expires, stored};
use crate::broker::{Broker, lock, refusal};

/// What the topics of sessions begin with.
pub(crate) const TOPICS: &str = "$session";

/// How much is read at once when sessions are loaded.
const LOAD: Budget = Budget { records: 1024, bytes: 4 << 20 };

/// Told what became of a [`Manage`], on whatever thread.
pub type ManageDone = Box<dyn FnOnce(Result<Managed, Refusal>) + Send>;

/// Told whether a session was stored, on whatever thread.
pub type SaveDone = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// A session that has to be stored before its client is told that it is there.
#[must_use]
pub struct Unsaved(pub(super) Arc<Entry>);

impl Broker {
    /// Does something with sessions that are those of `by`; without anybody, with all.
    pub fn manage(&self, manage: Manage, by: Option<&Arc<Identity>>, now: Time, done: ManageDone) {
        let name = match manage {
            Manage::List(after, most) => return done(Ok(self.list_sessions(after, most, by))),
            Manage::Ack(ref name, _) | Manage::Show(ref name) | Manage::Delete(ref name) => name,
        };
        let entry = match self.sessions().entry(name, None, by) {
            Ok(entry) => entry,
            Err(refusal) => return done(Err(refusal)),
        };
        match manage {
            Manage::Ack(_, position) => self.ack_session(&entry, position, now, done),
            Manage::Delete(_) => self.delete_session(&entry, now, done),
            Manage::Show(_) | Manage::List(..) => {
                let info = info(&entry, &lock(&entry.state));
                done(Ok(Managed::Session(Box::new(info))));
            }
        }
    }

    /// Stores a session that a subscription has made or changed.
    pub fn save_session(&self, unsaved: Unsaved, now: Time, done: SaveDone) {
        let Unsaved(entry) = unsaved;
        let state = lock(&entry.state);
        // Deleted meanwhile: stored now it would be there again after a restart.
        if state.is_gone {
            return done(Err(Refusal::SessionUnknown(entry.name.clone())));
        }
        if state.is_passing() {
            self.store_nothing(&entry, now);
            return done(Ok(()));
        }
        let refused = Arc::clone(&entry);
        let done = Box::new(move |result: Result<(), Refusal>| {
            if result.is_err() && !refused.is_stored.load(Ordering::SeqCst) {
                refused.is_refused.store(true, Ordering::SeqCst);
            }
            done(result);
        });
        self.store(&entry, &state, now, done);
    }

    /// Stores what has changed of sessions. To be called about once a second, and at the end.
    pub fn save_sessions(&self, now: Time) {
        for entry in self.sessions().unsaved.take() {
            let state = lock(&entry.state);
            if state.is_gone || state.is_passing() {
                continue;
            }
            // Nothing of the broker's own: the log would be kept alive by what it has to do, and a
            // process that ends would not wait for it.
            let (unsaved, again) = (self.sessions().unsaved.clone(), Arc::clone(&entry));
            let done = Box::new(move |result: Result<(), Refusal>| {
                // The log has said why; the next time may be better.
                if result.is_err() {
                    unsaved.add(&again);
                }
            });
            self.store(&entry, &state, now, done);
        }
        self.save_shares(now);
    }

    /// Forgets the sessions that nobody was connected to for too long.
    pub(crate) fn expire_sessions(&self, now: Time) {
        for entry in self.sessions().next_aged() {
            let mut state = lock(&entry.state);
            if state.holder.is_none() && expires(&state).is_some_and(|at| at <= now) {
                let will = state.will.take();
                self.end_session(&entry, &mut state, now);
                drop(state);
                if let Some(will) = will {
                    self.publish_will(*will, now);
                }
            }
        }
    }

    /// Reads the sessions of an earlier life of the process. Must be done before anybody connects.
    pub(crate) fn load_sessions(&self, now: Time) {
        let end = self.log(LogKind::Durable).end();
        self.read_own(&format!("{TOPICS}/"), &mut |message| self.load_session(message, end, now));
    }

    /// Reads every message of the server's own whose topic begins so.
    pub(crate) fn read_own(&self, prefix: &str, each: &mut dyn FnMut(&Message)) {
        let log = self.log(LogKind::Durable);
        let Ok(filter) = TopicFilter::new(&format!("{prefix}**")) else { return };
        let wanted = Selection::new([filter]);
        let mut from = Cursor { offset: 0, told: log.trims() };
        let mut records = Vec::new();
        loop {
            // At the beginning of time nothing has expired: the ends of sessions are read too.
            let end = log.read(&wanted, from, Time::default(), LOAD, &mut records);
            for record in records.drain(..) {
                each(&record.message);
            }
            if end.caught_up {
                return;
            }
            from = Cursor { offset: end.through, told: end.told };
        }
    }

    fn load_session(&self, message: &Message, end: Mark, now: Time) {
        let name = message.topic.as_str().rsplit('/').next();
        let Some(Ok(name)) = name.map(SessionName::new) else { return };
        let mut known = lock(&self.sessions().known);
        known.remove(&name);
        if let Some((user, mut state)) = stored::decode(&message.payload) {
            // Whoever was connected when the process ended is not now.
            if state.left.is_none() && state.acks == AckMode::Noted {
                // How far it was sent is not known: perhaps all there is.
                state.was_sent(LogKind::Durable, end);
            }
            state.left = Some(state.left.unwrap_or(now).min(now));
            let has_will = state.will.is_some();
            let entry = Arc::new(Entry::new(name, user, state, false));
            entry.is_stored.store(true, Ordering::SeqCst);
            if has_will {
                self.sessions().wills.add(&entry);
            }
            known.insert(Known(entry));
        }
    }

    fn ack_session(&self, entry: &Arc<Entry>, position: Position, now: Time, done: ManageDone) {
        let mut state = lock(&entry.state);
        if state.is_gone {
            return done(Err(Refusal::SessionUnknown(entry.name.clone())));
        }
        let mut acked = state.acked;
        for log in LogKind::ALL {
            // What the session does not read is none of its business.
            let (Some(mark), Some(known)) = (position.get(log), state.acked.get(log)) else {
                continue;
            };
            // Before it is told that a log began anew, a session stands where it stood before.
            if mark == known {
                continue;
            }
            let Mark { epoch, offset } = self.log(log).end();
            if mark.epoch != epoch {
                return done(Err(Refusal::PositionForeign));
            }
            if mark.offset > offset {
                return done(Err(Refusal::PositionAhead));
            }
            acked = acked.advanced_by(Position::at(log, mark));
        }
        state.ack(acked);
        let done = Box::new(move |result: Result<(), Refusal>| {
            done(result.map(|()| Managed::Acked(acked)));
        });
        self.store(entry, &state, now, done);
    }

    fn list_sessions(
        &self,
        after: Option<SessionName>,
        most: usize,
        by: Option<&Arc<Identity>>,
    ) -> Managed {
        let known = lock(&self.sessions().known);
        let after = after.as_ref().map_or(Unbounded, Excluded);
        let rest = known.range::<SessionName, _>((after, Unbounded));
        let mut rest = rest.filter(|known| known.0.is_of(by));
        let entries: Vec<_> = rest.by_ref().take(most).map(|known| Arc::clone(&known.0)).collect();
        let more = rest.next().is_some();
        // A state's lock is never waited for with the list's held.
        drop(known);
        let list = entries.iter().map(|entry| info(entry, &lock(&entry.state))).collect();
        Managed::List(list, more)
    }

    fn delete_session(&self, entry: &Arc<Entry>, now: Time, done: ManageDone) {
        let mut state = lock(&entry.state);
        if state.is_gone {
            return done(Err(Refusal::SessionUnknown(entry.name.clone())));
        }
        let evicted = self.remove(entry, &mut state);
        self.leave_shares(&entry.name, now);
        let done = Box::new(move |result: Result<(), Refusal>| {
            done(result.map(|()| Managed::Deleted));
        });
        self.store_end(entry, now, done);
        drop(state);
        if let Some(eviction) = evicted {
            self.evict(eviction);
        }
    }

    /// Takes a session out of the list; returns who has to be told.
    fn remove(&self, entry: &Arc<Entry>, state: &mut State) -> Option<Eviction> {
        let end = SessionEnd::Deleted;
        let generation = state.generation;
        let holder = state.holder;
        state.let_go();
        self.sessions().forget(entry, state);
        let place = |Holder { shard, key }| (shard as usize, key as usize);
        holder.map(place).map(|(shard, key)| Eviction { shard, key, end, generation })
    }

    /// Forgets a session that nobody has, here and in the log.
    pub(super) fn end_session(&self, entry: &Arc<Entry>, state: &mut State, now: Time) {
        let _nobody = self.remove(entry, state);
        self.leave_shares(&entry.name, now);
        self.store_nothing(entry, now);
    }

    /// Has the log forget a session, if it has it.
    fn store_nothing(&self, entry: &Arc<Entry>, now: Time) {
        if entry.is_stored.swap(false, Ordering::SeqCst) {
            self.store_end(entry, now, Box::new(|_| {}));
        }
    }

    /// Stores messages and a session as it is: both or none, where they live in the same log.
    pub(super) fn store_with(
        &self,
        entry: &Arc<Entry>,
        state: &State,
        messages: Vec<Message>,
        now: Time,
        done: SaveDone,
    ) {
        if messages.is_empty() {
            return match state.is_passing() {
                true => done(Ok(())),
                false => self.store(entry, state, now, done),
            };
        }
        let session = (!state.is_passing()).then(|| message(entry, state, now)).flatten();
        self.publish_with(messages, session, now, Box::new(|result| done(result.map(drop))));
    }

    /// Appends a session as it is. Called with its lock held, so that the log has its states in
    /// order.
    fn store(&self, entry: &Arc<Entry>, state: &State, now: Time, done: SaveDone) {
        let stored = Arc::clone(entry);
        let done: SaveDone = Box::new(move |result: Result<(), Refusal>| {
            if result.is_ok() {
                stored.is_stored.store(true, Ordering::SeqCst);
            }
            done(result);
        });
        match message(entry, state, now) {
            Some(message) => self.append_own(message, done),
            None => done(Err(Refusal::SessionUnknown(entry.name.clone()))),
        }
    }

    /// Appends that a session is no more: a message that is worthless at once.
    fn store_end(&self, entry: &Entry, now: Time, done: SaveDone) {
        match own(entry, Bytes::new(), now, Some(now)) {
            Some(message) => self.append_own(message, done),
            None => done(Ok(())),
        }
    }

    fn append_own(&self, message: Message, done: SaveDone) {
        let appended = Box::new(move |result: Result<Mark, AppendError>| {
            done(result.map(drop).map_err(refusal));
        });
        let batch = Batch { messages: vec![message], token: None, level: Level::Fsync };
        self.log(LogKind::Durable).append(batch, appended);
    }
}

/// The message that a session is.
fn message(entry: &Entry, state: &State, now: Time) -> Option<Message> {
    own(entry, stored::encode(entry.user.as_deref(), state).into(), now, None)
}

fn own(entry: &Entry, payload: Bytes, now: Time, expires: Option<Time>) -> Option<Message> {
    Some(Message {
        // A session's name is a level of a topic by definition.
        topic: Topic::new(&format!("{TOPICS}/{}", entry.name)).ok()?,
        payload,
        content_type: "application/json".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: now,
        expires,
        manner: Manner::default(),
    })
}

fn info(entry: &Entry, state: &State) -> SessionInfo {
    SessionInfo {
        name: entry.name.clone(),
        filters: state.filters.to_vec(),
        acks: state.acks,
        position: state.acked,
        expiry: state.expiry(),
        connected: state.holder.is_some(),
        // Whoever sees it may rely on it, and so not before it is to be stored.
        expires: expires(state).filter(|_| !entry.is_unsaved.load(Ordering::SeqCst)),
    }
}
