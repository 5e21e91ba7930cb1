//! Shared subscriptions: several readers that get each message once between them (MQTT 5 section
//! 4.8.2).
//!
//! A share is one cursor, as any reader is. What it reads is dealt out to its members in turn, as
//! much to each as it has room for; what a member has not settled when it goes is dealt out again.
//! Must never hold more messages than its members have room for.

mod keep;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tidings_log::Budget;
use tidings_model::{Delivery, LogKind, Mark, Refusal, Selection, SessionName, Share, Time};

use crate::broker::{Broker, lock};
use crate::shard::SubKey;
use state::{Dealing, State};

/// Most payload bytes that are dealt out at once.
const BYTES_MAX: usize = 1 << 20;

/// Most messages that are dealt out at once.
const RECORDS_MAX: usize = 256;

/// Every share.
#[derive(Default)]
pub(crate) struct Shares(Mutex<BTreeMap<Share, Arc<Entry>>>);

/// One share.
pub(crate) struct Entry {
    share: Share,
    state: Mutex<State>,
}

/// A subscription's part in a share.
pub(crate) struct Membership {
    entry: Arc<Entry>,
    member: u64,
    /// The session that stays a member when its connection goes.
    session: Option<SessionName>,
}

impl Broker {
    /// Makes a subscription a member of a share. A new share begins with what comes from now on.
    ///
    /// # Errors
    /// There are as many shares as there may be sessions.
    pub(crate) fn join(
        &self,
        share: Share,
        session: Option<SessionName>,
        selection: &Arc<Selection>,
        place: (usize, SubKey),
        now: Time,
    ) -> Result<Membership, Refusal> {
        let mut known = lock(&self.shares().0);
        let most = self.limits().sessions.sessions_max;
        if known.len() >= most && !known.contains_key(&share) {
            return Err(Refusal::TooManySessions(most));
        }
        let entry = Arc::clone(known.entry(share).or_insert_with_key(|share| {
            Arc::new(Entry { share: share.clone(), state: Mutex::new(State::new(self.end())) })
        }));
        // Held, so that nobody forgets the share meanwhile.
        let mut state = lock(&entry.state);
        drop(known);
        // What may be read may have changed since.
        state.selection = Some(Arc::clone(selection));
        let member = state.join(place);
        if let Some(session) = &session
            && state.sessions.insert(session.clone())
        {
            self.store_share(&entry, &mut state, now);
        }
        drop(state);
        Ok(Membership { entry, member, session })
    }

    /// Deals out what there is to read, as far as members have room.
    pub(crate) fn deal(&self, membership: &Membership) {
        self.deal_of(&membership.entry);
    }

    fn deal_of(&self, entry: &Arc<Entry>) {
        let mut state = lock(&entry.state);
        state.deal_returned();
        while let Some(room) = state.room() {
            let Some(selection) = state.selection.clone() else { break };
            let budget = Budget { records: room.min(RECORDS_MAX), bytes: BYTES_MAX };
            let Some(dealing) = self.find(&state, &selection, budget) else { break };
            match dealing.is_hot() {
                true => {
                    let records = dealing.load();
                    state.deal(records);
                }
                false => {
                    // What lies in files is read elsewhere; nobody else reads on meanwhile.
                    state.is_loading = true;
                    let (broker, entry) = (self.clone(), Arc::clone(entry));
                    self.load(Box::new(move || {
                        let records = dealing.load();
                        let mut state = lock(&entry.state);
                        state.is_loading = false;
                        state.deal(records);
                        drop(state);
                        broker.deal_of(&entry);
                    }));
                }
            }
        }
        let awake = state.take_awake();
        drop(state);
        for (shard, key) in awake {
            self.wake(shard, key);
        }
    }

    /// Finds what comes next in the first log that has something.
    fn find(&self, state: &State, selection: &Selection, budget: Budget) -> Option<Dealing> {
        LogKind::ALL.into_iter().find_map(|log| {
            let from = state.cursor(log, self.log(log));
            let found = self.log(log).find(selection, from, budget);
            let dealing = Dealing::new(log, self.log(log).end().epoch, found);
            (!dealing.is_nothing_after(from)).then_some(dealing)
        })
    }
}

impl Membership {
    /// Takes what was dealt out to the member.
    pub(crate) fn take(&self, deliveries: &mut Vec<Delivery>) {
        lock(&self.entry.state).take(self.member, deliveries);
    }

    /// The member has room for so many messages.
    pub(crate) fn allow(&self, events: u32) {
        lock(&self.entry.state).allow(self.member, events as usize);
    }

    /// A message has arrived at the member.
    pub(crate) fn settle(&self, broker: &Broker, log: LogKind, mark: Mark) {
        let mut state = lock(&self.entry.state);
        state.settle(log, mark);
        if !state.sessions.is_empty() {
            broker.share_changed(&self.entry, &mut state);
        }
    }

    /// The member goes; for good when it has unsubscribed. Whatever it has not settled is dealt out
    /// again.
    pub(crate) fn leave(&self, broker: &Broker, for_good: bool, now: Time) {
        let mut state = lock(&self.entry.state);
        state.leave(self.member);
        if for_good && let Some(session) = &self.session {
            state.sessions.remove(session);
        }
        broker.forget_if_empty(&self.entry, state, now);
        broker.deal_of(&self.entry);
    }
}
