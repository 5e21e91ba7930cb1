//! Who somebody is, once proved, and what that lets them do. Immutable: what is granted at the login
//! stands until the identity ends.

use std::sync::Arc;

use tidings_model::{Readable, Time, Topic, TopicFilter};

/// Whoever is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: Option<Arc<str>>,
    expires: Option<Time>,
    grants: Grants,
}

/// What may be published to and read. Whatever no filter here covers is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Topics that may be published to.
    pub publish: Vec<TopicFilter>,
    /// Topics that may be read.
    pub subscribe: Vec<TopicFilter>,
}

/// How much may be read of what a filter matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// No topic.
    Nothing,
    /// Some topics perhaps.
    Part,
    /// Every topic.
    Whole,
}

impl Identity {
    /// An identity; without a user it is an anonymous one.
    pub fn new(user: Option<Arc<str>>, expires: Option<Time>, grants: Grants) -> Identity {
        Identity { user, expires, grants }
    }

    /// One who may do nothing, and whom nothing belongs to: no user has the empty name.
    pub fn nobody() -> Identity {
        Identity::new(Some("".into()), None, Grants::default())
    }

    /// The user's name; nothing for who brought no credentials.
    pub fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }

    /// From when on the identity is worth nothing.
    pub fn expires(&self) -> Option<Time> {
        self.expires
    }

    /// Whether it is worth nothing any more.
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether `topic` may be published to.
    pub fn may_publish(&self, topic: &Topic) -> bool {
        self.grants.publish.iter().any(|filter| filter.matches(topic))
    }

    /// Whether anything that `filter` matches may be read.
    pub fn may_subscribe(&self, filter: &TopicFilter) -> bool {
        self.reach(filter) != Reach::Nothing
    }

    /// How much of what `filter` matches may be read.
    pub fn reach(&self, filter: &TopicFilter) -> Reach {
        let granted = &self.grants.subscribe;
        if granted.iter().any(|grant| grant.covers(filter)) {
            return Reach::Whole;
        }
        // Of one topic there is no part.
        if filter.as_topic().is_none() && granted.iter().any(|grant| grant.overlaps(filter)) {
            return Reach::Part;
        }
        Reach::Nothing
    }

    /// Which topics the wildcards of `filters` may reach; nothing when they may reach all they match.
    pub fn readable(self: &Arc<Self>, filters: &[TopicFilter]) -> Option<Readable> {
        if filters.iter().all(|filter| self.reach(filter) == Reach::Whole) {
            return None;
        }
        let identity = Arc::clone(self);
        Some(Arc::new(move |topic| {
            identity.grants.subscribe.iter().any(|grant| grant.matches(topic))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    fn identity(subscribe: &[&str]) -> Arc<Identity> {
        let subscribe = subscribe.iter().map(|text| filter(text)).collect();
        let publish = vec![filter("in/*")];
        Arc::new(Identity::new(None, None, Grants { publish, subscribe }))
    }

    #[test]
    fn a_filter_reaches_what_is_granted_of_it() {
        let identity = identity(&["chat/*", "ann/**"]);
        for (text, reach) in [
            ("chat/a", Reach::Whole),
            ("chat/*", Reach::Whole),
            ("chat/**", Reach::Part),
            ("**", Reach::Part),
            ("*/a", Reach::Part),
            ("ann/inbox/**", Reach::Whole),
            ("chat/a/b", Reach::Nothing),
            ("chat", Reach::Nothing),
            ("bob/**", Reach::Nothing),
        ] {
            assert_eq!(identity.reach(&filter(text)), reach, "{text}");
        }
    }

    #[test]
    fn wildcards_reach_granted_topics_only() {
        let identity = identity(&["chat/*", "ann/**"]);
        assert!(identity.readable(&[filter("chat/*"), filter("ann/x")]).is_none());
        let readable = identity.readable(&[filter("chat/*"), filter("**")]).unwrap();
        for (topic, may) in [("chat/a", true), ("chat/a/b", false), ("ann", true), ("bob", false)] {
            assert_eq!(readable(&Topic::new(topic).unwrap()), may, "{topic}");
        }
    }

    #[test]
    fn what_may_be_read_may_not_therefore_be_published_to() {
        let identity = identity(&["chat/*"]);
        assert!(identity.may_publish(&Topic::new("in/a").unwrap()));
        assert!(!identity.may_publish(&Topic::new("chat/a").unwrap()));
        assert!(!identity.may_subscribe(&filter("in/a")));
    }

    proptest::proptest! {
        /// A topic is read through a filter exactly if the filter matches it and it is granted.
        #[test]
        fn reach_is_what_readable_says(
            grant in "(a|b|\\*)(/(a|b|\\*)){0,2}(/\\*\\*)?",
            asked in "(a|b|\\*)(/(a|b|\\*)){0,2}(/\\*\\*)?",
            topic in "(a|b)(/(a|b)){0,3}",
        ) {
            let identity = identity(&[&grant]);
            let (asked, topic) = (filter(&asked), Topic::new(&topic).unwrap());
            let granted = filter(&grant).matches(&topic);
            if asked.matches(&topic) {
                let is_read = match identity.reach(&asked) {
                    Reach::Nothing => false,
                    _ => identity.readable(&[asked]).is_none_or(|readable| readable(&topic)),
                };
                proptest::prop_assert_eq!(is_read, granted);
            }
        }
    }
}
