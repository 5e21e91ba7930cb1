//! How a subscription comes about: what of it is allowed, where it begins, and which session it is.
//! Must never let a reader have what either its namespace or its own grants refuse.

use std::sync::Arc;
use std::time::Duration;

use tidings_access::{Identity, Reach};
use tidings_model::{
    AckMode, Exposure, PerLog, Readable, Refusal, Selection, SessionOptions, Share, Since,
    SubscribeOptions, Time, TopicFilter,
};

use super::{Owner, Pace, Shard, SubKey, Subscribed};
use crate::sessions::{Claim, Make};
use crate::subscription::{Subscription, Window};

/// Who wants to read what.
struct Wanted<'a> {
    owner: Owner,
    options: &'a SubscribeOptions,
    reader: Option<&'a Arc<Identity>>,
    now: Time,
}

/// Filters that are refused, each with the reason.
type Refused = Vec<(TopicFilter, Refusal)>;

impl Shard {
    /// Begins to read what `reader` may; it is ready at once. Without a reader everybody may do
    /// everything.
    pub fn subscribe(
        &mut self,
        owner: Owner,
        options: SubscribeOptions,
        reader: Option<&Arc<Identity>>,
        now: Time,
    ) -> Subscribed {
        let wanted = Wanted { owner, options: &options, reader, now };
        let Some(session) = &options.session else {
            let since = options.since.unwrap_or(options.otherwise);
            return self.read_from(&wanted, options.filters.clone(), since, None);
        };
        let broker = self.broker.clone();
        let mut entry;
        let claim = loop {
            entry = match broker.sessions().entry(&session.name, make(&options, session), reader) {
                Ok(entry) => entry,
                Err(refusal) => return Subscribed::refused(refusal, Vec::new()),
            };
            // It may have been deleted in this very moment; the next is another.
            if let Some(claim) = entry.claim(session.fresh, now) {
                break claim;
            }
        };
        let (filters, since) = claim.resume(&options);
        if filters.is_empty() && !claim.may_be_empty(&options) {
            let unknown = Refusal::SessionUnknown(session.name.clone());
            return Subscribed::refused(unknown, Vec::new());
        }
        self.read_from(&wanted, filters, since, Some(claim))
    }

    /// Begins to read what is allowed of `filters`; of a session, all or nothing.
    fn read_from(
        &mut self,
        wanted: &Wanted<'_>,
        filters: Vec<TopicFilter>,
        since: Since,
        claim: Option<Claim<'_>>,
    ) -> Subscribed {
        let &Wanted { owner, options, reader, now } = wanted;
        let sessions = self.broker.clone();
        let give_up = |claim: Option<Claim<'_>>, refusal, refused| {
            if let Some(claim) = claim {
                claim.cancel(sessions.sessions());
            }
            Subscribed::refused(refusal, refused)
        };
        let namespaces = Arc::clone(self.broker.namespaces());
        let (allowed, refused) = split(filters, |filter| {
            namespaces.check_subscribe(filter, options.exposure)?;
            // What one member may not have another would have to, so all have to have all.
            let least = if options.share.is_some() { Reach::Whole } else { Reach::Part };
            may_read(reader, filter, least)
        });
        // A session whose machine keeps account itself goes on with what is left.
        let all_or_nothing = claim.as_ref().is_some_and(|claim| !claim.may_be_empty(options));
        if let Some((_, first)) = refused.first()
            && (all_or_nothing || claim.is_none() && allowed.is_empty())
        {
            return give_up(claim, first.clone(), refused);
        }
        self.listen();
        let reads = PerLog::from_fn(|log| allowed.iter().any(|f| namespaces.reaches(f, log)));
        let selection = self.selection(&allowed, reader, options.exposure);
        let (places, opening_gap) = match self.begin(&selection, reads, since, now) {
            Ok(begin) => begin,
            Err(refusal) => return give_up(claim, refusal, refused),
        };
        let window = options.window.map(|size| Box::new(Window::new(size as usize)));
        let mut subscription = Subscription {
            owner,
            selection: Arc::clone(&selection),
            places,
            slow: options.slow,
            opening_gap: opening_gap.map(Box::new),
            ready: true,
            pace: Pace::default(),
            window,
            left: options.limit,
            attached: None,
            membership: None,
        };
        let position = subscription.position();
        let vacant = self.subscriptions.vacant_entry();
        let key = vacant.key();
        if let (Some(sharing), [filter]) = (&options.share, &allowed[..]) {
            let share = Share { name: sharing.name.clone(), filter: filter.clone() };
            let (session, place) = (sharing.session.clone(), (self.number, SubKey(key)));
            match self.broker.join(share, session, &selection, place, now) {
                Ok(membership) => subscription.membership = Some(Box::new(membership)),
                Err(refusal) => return Subscribed::refused(refusal, refused),
            }
            subscription.places = PerLog::default();
        }
        let (mut unsaved, mut resumed) = (None, None);
        if let Some(claim) = claim {
            let holder = (self.number, key);
            let (sessions, end) = (self.broker.sessions(), self.broker.end());
            let attachment = claim.attach(sessions, options, &allowed, position, holder, end);
            subscription.attached = Some(Box::new(attachment.attached));
            (unsaved, resumed) = (attachment.unsaved, attachment.notes);
            if let Some(eviction) = attachment.evicted {
                self.broker.evict(eviction);
            }
            if let Some(will) = attachment.will {
                self.broker.publish_will(*will, now);
            }
        }
        vacant.insert(subscription);
        self.index.insert(&selection, key);
        Subscribed { result: Ok((SubKey(key), position)), refused, unsaved, resumed }
    }

    /// The selection of filters that are allowed, which reaches no more than namespaces and `reader`'s
    /// grants do.
    pub(super) fn selection(
        &self,
        allowed: &[TopicFilter],
        reader: Option<&Arc<Identity>>,
        exposure: Exposure,
    ) -> Arc<Selection> {
        let granted = reader.and_then(|reader| reader.readable(allowed));
        let readable = both(self.broker.namespaces().readable(exposure), granted);
        self.shared(Selection::new(allowed.iter().cloned()).reaching(readable))
    }

    /// A selection as others have it, if they do: many who read one topic hold it once.
    fn shared(&self, selection: Selection) -> Arc<Selection> {
        let same = self.index.anyone(&selection).and_then(|key| self.subscriptions.get(key));
        match same {
            Some(other) if other.selection.has_same_topics(&selection) => {
                Arc::clone(&other.selection)
            }
            _ => Arc::new(selection),
        }
    }
}

/// What kind of session is made for this subscription, if it is not there.
fn make(options: &SubscribeOptions, session: &SessionOptions) -> Option<Make> {
    match session.acks {
        Some(AckMode::Noted) if session.expiry == Some(Duration::ZERO) => Some(Make::Passing),
        Some(AckMode::Noted) => Some(Make::Lasting),
        _ => (!options.filters.is_empty()).then_some(Make::Lasting),
    }
}

/// The filters that are allowed, and those that are not.
pub(super) fn split(
    filters: Vec<TopicFilter>,
    check: impl Fn(&TopicFilter) -> Result<(), Refusal>,
) -> (Vec<TopicFilter>, Refused) {
    let (mut allowed, mut refused) = (Vec::with_capacity(filters.len()), Vec::new());
    for filter in filters {
        match check(&filter) {
            Ok(()) => allowed.push(filter),
            Err(refusal) => refused.push((filter, refusal)),
        }
    }
    (allowed, refused)
}

/// Whether so much of `filter` at least is granted to `reader`.
pub(super) fn may_read(
    reader: Option<&Arc<Identity>>,
    filter: &TopicFilter,
    least: Reach,
) -> Result<(), Refusal> {
    match reader {
        Some(reader) if reader.reach(filter) < least => {
            Err(Refusal::SubscribeForbidden(filter.clone()))
        }
        _ => Ok(()),
    }
}

/// What wildcards may reach where two have a say in it; nothing when they may reach all.
fn both(one: Option<Readable>, other: Option<Readable>) -> Option<Readable> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Arc::new(move |topic| one(topic) && other(topic))),
        (one, other) => one.or(other),
    }
}
