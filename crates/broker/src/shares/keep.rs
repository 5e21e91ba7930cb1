//! Shares as the log keeps them, where sessions are members: the newest message of the topic
//! `$share/NAME/FILTER`, beside those of sessions (decision 0009).

use std::sync::{Arc, MutexGuard};

use serde::{Deserialize, Serialize};
use tidings_log::{Batch, Level};
use tidings_model::{
    EventType, Headers, LogKind, Manner, Message, SessionName, Share, Time, Topic, TopicFilter,
};

use super::{Entry, State};
use crate::broker::{Broker, lock};

/// What the topics of shares begin with.
const TOPICS: &str = "$share/";

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    filter: String,
    /// Everything up to here has arrived at some member.
    position: String,
    sessions: Vec<String>,
}

impl Broker {
    /// Stores a share that has changed, unless it was stored before its members saw that.
    pub(crate) fn save_shares(&self, now: Time) {
        let entries: Vec<_> = lock(&self.shares().0).values().map(Arc::clone).collect();
        for entry in entries {
            let mut state = lock(&entry.state);
            if std::mem::take(&mut state.is_unsaved) && !state.is_gone {
                self.store_share(&entry, &mut state, now);
            }
        }
    }

    pub(super) fn share_changed(&self, _: &Entry, state: &mut State) {
        state.is_unsaved = true;
    }

    /// A session is no more: it is no member of anything.
    pub(crate) fn leave_shares(&self, session: &SessionName, now: Time) {
        let entries: Vec<_> = lock(&self.shares().0).values().map(Arc::clone).collect();
        for entry in entries {
            let mut state = lock(&entry.state);
            if state.sessions.remove(session) {
                self.forget_if_empty(&entry, state, now);
            }
        }
    }

    /// Forgets a share that has no members any more.
    pub(super) fn forget_if_empty(
        &self,
        entry: &Arc<Entry>,
        mut state: MutexGuard<'_, State>,
        now: Time,
    ) {
        if !state.is_empty() {
            state.is_unsaved = !state.sessions.is_empty();
            return;
        }
        drop(state);
        // In the order in which whoever joins has them.
        let mut known = lock(&self.shares().0);
        let mut state = lock(&entry.state);
        if state.is_empty() && !state.is_gone {
            state.is_gone = true;
            known.remove(&entry.share);
            if state.is_stored {
                self.append_share(entry, Vec::new(), now, Some(now));
            }
        }
    }

    pub(super) fn store_share(&self, entry: &Entry, state: &mut State, now: Time) {
        state.is_stored = true;
        let stored = Stored {
            name: entry.share.name.clone().into(),
            filter: entry.share.filter.as_str().to_owned(),
            position: state.settled().to_string(),
            sessions: state.sessions.iter().map(|name| name.as_str().to_owned()).collect(),
        };
        // Texts always have a JSON form.
        let payload = serde_json::to_vec(&stored).unwrap_or_default();
        self.append_share(entry, payload, now, None);
    }

    fn append_share(&self, entry: &Entry, payload: Vec<u8>, now: Time, expires: Option<Time>) {
        let Some(topic) = topic(&entry.share) else { return };
        let message = Message {
            topic,
            payload: payload.into(),
            content_type: "application/json".into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: now,
            expires,
            manner: Manner::default(),
        };
        let batch = Batch { messages: vec![message], token: None, level: Level::Fsync };
        // What follows it in the log is answered after it; if it fails, what it says is older.
        self.log(LogKind::Durable).append(batch, Box::new(|_| {}));
    }

    /// Reads the shares of an earlier life of the process. Must be done before anybody connects.
    pub(crate) fn load_shares(&self) {
        let mut found = Vec::new();
        self.read_own(TOPICS, &mut |message| found.push(message.payload.clone()));
        let mut known = lock(&self.shares().0);
        for payload in found {
            let Some((share, state)) = decode(&payload) else { continue };
            let entry = Entry { share: share.clone(), state: state.into() };
            known.insert(share, Arc::new(entry));
        }
    }
}

fn decode(payload: &[u8]) -> Option<(Share, State)> {
    let stored: Stored = serde_json::from_slice(payload).ok()?;
    let share = Share { name: stored.name.into(), filter: TopicFilter::new(&stored.filter).ok()? };
    let mut state = State::new(stored.position.parse().ok()?);
    let sessions = stored.sessions.iter().filter_map(|name| SessionName::new(name).ok());
    state.sessions = sessions.collect();
    state.is_stored = true;
    (!state.sessions.is_empty()).then_some((share, state))
}

/// The topic that keeps a share.
pub(crate) fn topic(share: &Share) -> Option<Topic> {
    let text = format!("{TOPICS}{}/{}", share.name, share.filter);
    Topic::new(&text.replace('*', "%2A")).ok()
}
