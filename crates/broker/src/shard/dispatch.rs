//! Following the logs: who has something to read. Must never read a message for anyone.

use tidings_model::{LogKind, Topic};

use super::{Owner, Shard, catch_up};
use crate::broker::lock;
use crate::sessions::Eviction;

/// Most records looked at in one dispatch, so that those who were woken get their turn.
const DISPATCH_RECORDS: usize = 1024;

impl Shard {
    /// Looks at what the logs have got since the last time and calls `wake` for the owners of
    /// subscriptions that became ready. Says whether there is more to look at.
    pub fn dispatch(&mut self, mut wake: impl FnMut(Owner)) -> bool {
        let mut more = false;
        for Eviction { key, end, generation, .. } in
            std::mem::take(&mut *lock(&self.inbox.evictions))
        {
            if let Some(subscription) = self.subscriptions.get_mut(key)
                && let Some(attached) = &mut subscription.attached
                && attached.generation == generation
            {
                attached.ended = Some(end);
                wake(subscription.owner);
            }
        }
        for key in std::mem::take(&mut *lock(&self.inbox.woken)) {
            if let Some(subscription) = self.subscriptions.get_mut(key.0)
                && subscription.membership.is_some()
            {
                subscription.ready = true;
                wake(subscription.owner);
            }
        }
        if self.is_empty() {
            return false;
        }
        for arrival in std::mem::take(&mut *lock(&self.inbox.arrivals)) {
            catch_up::arrive(arrival, &mut self.subscriptions, &mut wake);
        }
        self.catch_up.grant(&mut self.subscriptions, &mut wake);
        for log in LogKind::ALL {
            let mut scan = std::mem::take(&mut self.scan);
            let messages = self.broker.log(log);
            let came_to = messages.scan(self.dispatched[log], DISPATCH_RECORDS, &mut scan);
            more |= came_to.offset < messages.end().offset;
            self.dispatched[log] = came_to;
            for topic in scan.trimmed.drain(..).chain(scan.topics.drain(..)) {
                self.mark(&topic, &mut wake);
            }
            self.scan = scan;
        }
        more
    }

    fn mark(&mut self, topic: &Topic, wake: &mut impl FnMut(Owner)) {
        let (subscriptions, broker) = (&mut self.subscriptions, &self.broker);
        self.index.matching(topic, &mut |key| {
            let Some(subscription) = subscriptions.get_mut(key) else { return };
            if let Some(membership) = &subscription.membership {
                broker.deal(membership);
            } else if !subscription.ready {
                subscription.ready = true;
                wake(subscription.owner);
            }
        });
    }
}
