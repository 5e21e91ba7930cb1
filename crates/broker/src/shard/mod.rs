//! The subscriptions of one thread. Follows the logs with a cursor of its own and says which of
//! its subscriptions have something to read.

mod begin;
mod catch_up;
mod change;
mod dispatch;
mod inbox;
mod subscribe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use slab::Slab;
use tidings_log::{Budget, Cursor, Scan};
use tidings_model::{
    Delivery, LogKind, PerLog, Position, Record, Refusal, Resumed, SessionEnd, Time, TopicFilter,
};

use crate::broker::Broker;
use crate::index::Index;
use crate::sessions::Unsaved;
use crate::subscription::{Read, Step, Subscription};
use catch_up::CatchUp;
pub(crate) use catch_up::{Loaded, Pace};
pub(crate) use inbox::Inbox;

/// Whoever a subscription belongs to, by the driver's own numbering.
pub type Owner = u64;

/// A subscription of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubKey(usize);

/// What became of a wish to subscribe.
pub struct Subscribed {
    /// The subscription and where it begins; `Err` when there is none.
    pub result: Result<(SubKey, Position), Refusal>,
    /// The filters that were refused.
    pub refused: Vec<(TopicFilter, Refusal)>,
    /// The session that has to be stored first.
    pub unsaved: Option<Unsaved>,
    /// What is known of the session, if it was there.
    pub resumed: Option<Resumed>,
}

impl Subscribed {
    fn refused(refusal: Refusal, refused: Vec<(TopicFilter, Refusal)>) -> Subscribed {
        Subscribed { result: Err(refusal), refused, unsaved: None, resumed: None }
    }
}

/// The subscriptions of one thread.
pub struct Shard {
    broker: Broker,
    /// Its number among all.
    number: usize,
    listening: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    /// How far each log has been dispatched: whoever is not ready has seen all that it wants up
    /// to here.
    dispatched: PerLog<Cursor>,
    subscriptions: Slab<Subscription>,
    index: Index,
    catch_up: CatchUp,
    scan: Scan,
    records: Vec<Arc<Record>>,
}

impl Shard {
    pub(crate) fn new(
        broker: Broker,
        number: usize,
        listening: Arc<AtomicBool>,
        inbox: Arc<Inbox>,
    ) -> Shard {
        Shard {
            broker,
            number,
            listening,
            inbox,
            dispatched: PerLog::default(),
            subscriptions: Slab::new(),
            index: Index::default(),
            catch_up: CatchUp::default(),
            scan: Scan::default(),
            records: Vec::new(),
        }
    }

    /// How many subscriptions there are.
    pub fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.subscriptions.is_empty()
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, key: SubKey, now: Time) {
        if let Some(mut subscription) = self.subscriptions.try_remove(key.0) {
            self.index.remove(&subscription.selection, key.0);
            self.end_turn(&mut subscription.pace, Pace::Live);
            if let Some(attached) = &subscription.attached {
                attached.detach(&self.broker, now);
            }
            if let Some(membership) = &subscription.membership {
                membership.leave(&self.broker, false, now);
            }
        }
        if self.subscriptions.is_empty() {
            self.listening.store(false, Ordering::SeqCst);
        }
    }

    /// The most subscriptions one owner may have.
    pub fn subscriptions_max(&self) -> usize {
        self.broker.limits().subscriptions_max
    }

    /// Whether a subscription may have something to read.
    pub fn is_ready(&self, key: SubKey) -> bool {
        self.subscriptions.get(key.0).is_some_and(|subscription| subscription.ready)
    }

    /// Reads what there is for a subscription, at most `budget`, into `deliveries`. Nothing when its
    /// session is another's by now, which it will be told.
    pub fn read(
        &mut self,
        key: SubKey,
        now: Time,
        budget: Budget,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<Read> {
        let subscription = self.subscriptions.get_mut(key.0)?;
        if let Some(membership) = &subscription.membership {
            membership.take(deliveries);
            subscription.ready = false;
            let position = subscription.position();
            return Some(Read { position, caught_up: true, waits: false });
        }
        if !self.catch_up.may_read(key.0, &mut subscription.pace) {
            return Some(subscription.waits());
        }
        let broker = &self.broker;
        let step =
            subscription.read(|log| broker.log(log), now, budget, &mut self.records, deliveries);
        let read = match step {
            Step::Read(read) => read,
            Step::Load(log, found) => {
                if matches!(subscription.pace, Pace::Live) {
                    subscription.pace = Pace::Behind;
                }
                if self.catch_up.may_read(key.0, &mut subscription.pace) {
                    let what = (log, found);
                    subscription.pace = self.catch_up.load(broker, &self.inbox, key.0, what, now);
                }
                return Some(subscription.waits());
            }
        };
        if let (Some(attached), false) = (&subscription.attached, read.waits)
            && !attached.sent(broker.sessions(), read.position, !deliveries.is_empty())
        {
            deliveries.clear();
            self.step_back(key);
            return None;
        }
        if read.waits && matches!(subscription.pace, Pace::Live) {
            return Some(read);
        }
        let then = if read.caught_up { Pace::Live } else { Pace::Behind };
        if self.catch_up.end(&mut subscription.pace, then) {
            self.inbox.ring();
        }
        Some(read)
    }

    /// The connection is full: whatever turn the subscription has is another's.
    pub fn step_back(&mut self, key: SubKey) {
        if let Some(subscription) = self.subscriptions.get_mut(key.0)
            && !matches!(subscription.pace, Pace::Live)
            && self.catch_up.end(&mut subscription.pace, Pace::Behind)
        {
            self.inbox.ring();
        }
    }

    fn end_turn(&mut self, pace: &mut Pace, then: Pace) {
        if self.catch_up.end(pace, then) {
            self.inbox.ring();
        }
    }

    /// The connection has taken everything that was read for it: where its session acknowledges
    /// automatically, it has arrived.
    pub fn taken(&mut self, key: SubKey) {
        let subscription = self.subscriptions.get(key.0);
        if let Some(attached) = subscription.and_then(|s| s.attached.as_ref()) {
            attached.taken();
        }
    }

    /// Why a subscription is its session no longer, if so.
    pub fn ended(&self, key: SubKey) -> Option<SessionEnd> {
        self.subscriptions.get(key.0)?.attached.as_ref()?.ended
    }

    /// Where a subscription stands. One that has read everything stands where the shard stands,
    /// since nothing it wants lies in between.
    pub fn position(&mut self, key: SubKey) -> Option<Position> {
        let subscription = self.subscriptions.get_mut(key.0)?;
        if !subscription.ready && subscription.window.is_none() {
            for log in LogKind::ALL {
                if let Some(place) = &mut subscription.places[log] {
                    place.cursor.offset = place.cursor.offset.max(self.dispatched[log].offset);
                }
            }
        }
        Some(subscription.position())
    }

    /// Takes an acknowledgement: everything up to `position` has arrived.
    pub fn ack(&mut self, key: SubKey, position: Position) {
        if let Some(subscription) = self.subscriptions.get_mut(key.0) {
            subscription.ack(position);
        }
    }

    /// From now on the broker rings for this shard. What was there before the first subscription
    /// need not be dispatched.
    fn listen(&mut self) {
        if self.is_empty() {
            self.listening.store(true, Ordering::SeqCst);
            for log in LogKind::ALL {
                let messages = self.broker.log(log);
                let (told, end) = (messages.trims(), messages.end());
                self.dispatched[log] = Cursor { offset: end.offset, told };
            }
        }
    }
}
