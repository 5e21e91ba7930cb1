//! Turns for readers that are behind, so that many of them at once do not keep the others waiting.
//!
//! Whoever has read everything reads at once when there is something new. Whoever is behind waits
//! for a turn, of which few are given at a time, in the order they were asked for. A turn ends
//! when what was read in it is handed over; nobody may keep one while its connection is full.

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;
use tidings_log::{Found, ReadEnd};
use tidings_model::{LogKind, Record, Time};

use super::{Inbox, Owner};
use crate::broker::Broker;
use crate::subscription::Subscription;

/// Most turns at a time on one thread. A live reader waits for as many at most; more than one, so
/// that disk and network need not wait for each other.
const TURNS_MAX: usize = 4;

/// How a subscription stands with turns.
#[derive(Default)]
pub(crate) enum Pace {
    /// It has read everything; it reads when there is something new.
    #[default]
    Live,
    /// It needs a turn.
    Behind,
    /// It waits for one.
    Queued,
    /// It has one.
    Granted,
    /// What it reads in its turn comes from files; by this number it will know that it is its own.
    Loading(u64),
    /// And is here.
    Loaded(Box<Loaded>),
}

/// Messages that were read from files.
pub(crate) struct Loaded {
    pub(crate) log: LogKind,
    pub(crate) records: Vec<Arc<Record>>,
    pub(crate) end: ReadEnd,
}

/// What a loading thread leaves for a shard.
pub(crate) struct Arrival {
    key: usize,
    number: u64,
    loaded: Loaded,
}

/// The turns of one thread.
#[derive(Default)]
pub(super) struct CatchUp {
    queue: VecDeque<usize>,
    taken: usize,
    numbers: u64,
}

impl CatchUp {
    /// Whether a subscription may read now; if not, it is woken when it may.
    pub(super) fn may_read(&mut self, key: usize, pace: &mut Pace) -> bool {
        match pace {
            Pace::Live | Pace::Granted | Pace::Loaded(_) => true,
            Pace::Queued | Pace::Loading(_) => false,
            Pace::Behind if self.queue.is_empty() && self.taken < TURNS_MAX => {
                self.taken += 1;
                *pace = Pace::Granted;
                true
            }
            Pace::Behind => {
                self.queue.push_back(key);
                *pace = Pace::Queued;
                false
            }
        }
    }

    /// Ends a subscription's turn, if it has one. Says whether somebody waits for it.
    pub(super) fn end(&mut self, pace: &mut Pace, then: Pace) -> bool {
        let before = std::mem::replace(pace, then);
        let had_turn = matches!(before, Pace::Granted | Pace::Loading(_) | Pace::Loaded(_));
        self.taken -= usize::from(had_turn);
        had_turn && !self.queue.is_empty()
    }

    /// Gives turns to those who wait; wakes them.
    pub(super) fn grant(
        &mut self,
        subscriptions: &mut Slab<Subscription>,
        wake: &mut impl FnMut(Owner),
    ) {
        while self.taken < TURNS_MAX
            && let Some(key) = self.queue.pop_front()
        {
            // One that has gone, or been replaced under its number, waits no more.
            if let Some(subscription) = subscriptions.get_mut(key)
                && matches!(subscription.pace, Pace::Queued)
            {
                subscription.pace = Pace::Granted;
                self.taken += 1;
                wake(subscription.owner);
            }
        }
    }

    /// Has what was found loaded by another thread.
    pub(super) fn load(
        &mut self,
        broker: &Broker,
        inbox: &Arc<Inbox>,
        key: usize,
        (log, found): (LogKind, Found),
        now: Time,
    ) -> Pace {
        self.numbers += 1;
        let number = self.numbers;
        let inbox = Arc::clone(inbox);
        broker.load(Box::new(move || {
            let mut records = Vec::new();
            let end = found.load(now, &mut records);
            inbox.arrive(Arrival { key, number, loaded: Loaded { log, records, end } });
        }));
        Pace::Loading(number)
    }
}

/// Gives what was loaded to the subscription that asked for it, if it is still there; wakes it.
pub(super) fn arrive(
    arrival: Arrival,
    subscriptions: &mut Slab<Subscription>,
    wake: &mut impl FnMut(Owner),
) {
    let Arrival { key, number, loaded } = arrival;
    if let Some(subscription) = subscriptions.get_mut(key)
        && matches!(subscription.pace, Pace::Loading(waited_for) if waited_for == number)
    {
        subscription.pace = Pace::Loaded(Box::new(loaded));
        wake(subscription.owner);
    }
}
