//! What changes of a subscription while it lives.

use std::sync::Arc;

use tidings_access::{Identity, Reach};
use tidings_log::Cursor;
use tidings_model::{Exposure, Keep, LogKind, Mark, PerLog, Position, Refusal, Time, TopicFilter};

use super::subscribe::{may_read, split};
use super::{Shard, SubKey};
use crate::sessions::SaveDone;
use crate::subscription::Place;

impl Shard {
    /// Has a subscription read what `reader` may of these instead of what it reads. Whatever it did
    /// not read before it reads from where it stands; the position says from where on that is news.
    /// A session changes with its subscription, but is not stored.
    /// Nothing when there is no such subscription.
    pub fn select(
        &mut self,
        key: SubKey,
        filters: Vec<TopicFilter>,
        reader: Option<&Arc<Identity>>,
    ) -> Option<(Position, Vec<(TopicFilter, Refusal)>)> {
        let namespaces = Arc::clone(self.broker.namespaces());
        let (allowed, refused) = split(filters, |filter| {
            namespaces.check_subscribe(filter, Exposure::Private)?;
            may_read(reader, filter, Reach::Part)
        });
        let reads = PerLog::from_fn(|log| allowed.iter().any(|f| namespaces.reaches(f, log)));
        let selection = self.selection(&allowed, reader, Exposure::Private);
        let end = self.broker.end();
        let subscription = self.subscriptions.get_mut(key.0)?;
        for log in LogKind::ALL.into_iter().filter(|&log| reads[log]) {
            if subscription.places[log].is_none()
                && let Some(Mark { epoch, offset }) = end.get(log)
            {
                let told = self.broker.log(log).trims();
                subscription.places[log] = Some(Place { epoch, cursor: Cursor { offset, told } });
            }
        }
        if let Some(attached) = &subscription.attached {
            attached.reads(allowed);
        }
        let before = std::mem::replace(&mut subscription.selection, Arc::clone(&selection));
        self.index.remove(&before, key.0);
        self.index.insert(&selection, key.0);
        Some((end, refused))
    }

    /// Lets so many more events be read for a subscription; it is ready again.
    pub fn allow(&mut self, key: SubKey, events: u32) {
        let Some(subscription) = self.subscriptions.get_mut(key.0) else { return };
        match &subscription.membership {
            None => subscription.left = Some(events),
            Some(membership) => {
                membership.allow(events);
                self.broker.deal(membership);
            }
        }
    }

    /// A message that was dealt out to a member of a share has arrived.
    pub fn settle(&mut self, key: SubKey, log: LogKind, mark: Mark) {
        let subscription = self.subscriptions.get(key.0);
        if let Some(membership) = subscription.and_then(|s| s.membership.as_ref()) {
            membership.settle(&self.broker, log, mark);
        }
    }

    /// A member of a share goes for good: its session is a member no longer, either.
    pub fn part(&mut self, key: SubKey, now: Time) {
        if let Some(subscription) = self.subscriptions.get_mut(key.0)
            && let Some(membership) = subscription.membership.take()
        {
            membership.leave(&self.broker, true, now);
        }
    }

    /// Keeps what a machine says of the session that a subscription is.
    pub fn keep(&mut self, key: SubKey, keep: Keep, now: Time, done: Option<SaveDone>) {
        let attached = self.subscriptions.get(key.0).and_then(|s| s.attached.as_ref());
        if let Some(attached) = attached {
            attached.keep(&self.broker, keep, now, done);
        }
    }
}
