//! Namespaces: which log a topic lives in, what is kept of it, and what clients may do there.

use std::sync::Arc;
use std::time::Duration;

use tidings_log::Retention;
use tidings_model::{Durability, LogKind, Readable, Refusal, Topic, TopicFilter};

/// The rules of all topics that a filter matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Which topics.
    pub topics: TopicFilter,
    /// What is true of a message when its publisher is answered; says too which log they live in.
    pub durability: Durability,
    /// What is kept of each of them.
    pub retention: Retention,
    /// Whether clients may publish.
    pub publish: bool,
    /// Whether clients may read.
    pub subscribe: bool,
}

/// All namespaces, in order: the first that matches a topic rules it.
#[derive(Clone, Debug)]
pub struct Namespaces {
    listed: Vec<Namespace>,
    /// What rules a topic that no listed one matches,
    otherwise: Namespace,
    /// and the server's own topics, which clients have nothing to do with.
    own: Namespace,
}

impl Namespaces {
    /// These namespaces; `otherwise` rules the topics that none of them matches.
    pub fn new(listed: Vec<Namespace>, otherwise: Namespace) -> Namespaces {
        let own = Namespace {
            topics: otherwise.topics.clone(),
            durability: Durability::Fsync,
            // The newest message of a topic is what it says now, and stands until it says otherwise.
            retention: Retention {
                messages_max: 1,
                bytes_max: u64::MAX,
                age_max: Duration::MAX,
                keep_last: true,
            },
            publish: false,
            subscribe: false,
        };
        Namespaces { listed, otherwise, own }
    }

    /// The namespace that rules a topic.
    pub fn of(&self, topic: &Topic) -> &Namespace {
        if topic.is_reserved() {
            return &self.own;
        }
        self.listed.iter().find(|ns| ns.topics.matches(topic)).unwrap_or(&self.otherwise)
    }

    /// Whether clients may publish to `topic`. What begins with `$` is the server's own.
    pub(crate) fn check_publish(&self, topic: &Topic) -> Result<Durability, Refusal> {
        let namespace = self.of(topic);
        if !namespace.publish {
            return Err(Refusal::PublishForbidden(topic.clone()));
        }
        Ok(namespace.durability)
    }

    /// Whether clients may read `filter`. A filter that lies in a forbidden namespace as a whole
    /// is refused; one that only touches it is not, and [`Namespaces::readable`] keeps them out.
    pub(crate) fn check_subscribe(&self, filter: &TopicFilter) -> Result<(), Refusal> {
        if filter.as_str().starts_with('$') {
            return Err(Refusal::SubscribeForbidden(filter.clone()));
        }
        let rules = match filter.as_topic() {
            Some(topic) => Some(self.of(&topic)),
            None => self.listed.iter().find(|ns| ns.topics.overlaps(filter)),
        };
        match rules {
            Some(ns) if !ns.subscribe && ns.topics.covers(filter) => {
                Err(Refusal::SubscribeForbidden(filter.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Which topics wildcards may reach; nothing when they may reach all.
    pub(crate) fn readable(self: &Arc<Self>) -> Option<Readable> {
        if self.listed.iter().all(|ns| ns.subscribe) {
            return None;
        }
        let namespaces = Arc::clone(self);
        Some(Arc::new(move |topic| namespaces.of(topic).subscribe))
    }

    /// Whether a reader of `filter` has to read `log`.
    pub(crate) fn reaches(&self, filter: &TopicFilter, log: LogKind) -> bool {
        match filter.as_topic() {
            Some(topic) => self.of(&topic).durability.log() == log,
            None => {
                let uncovered = !self.listed.iter().any(|ns| ns.topics.covers(filter));
                (uncovered && self.otherwise.durability.log() == log)
                    || self
                        .listed
                        .iter()
                        .any(|ns| ns.durability.log() == log && ns.topics.overlaps(filter))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    fn namespace(topics: &str, durability: Durability, subscribe: bool) -> Namespace {
        let retention = Retention::default();
        Namespace { topics: filter(topics), durability, retention, publish: true, subscribe }
    }

    fn namespaces() -> Arc<Namespaces> {
        Arc::new(Namespaces::new(
            vec![
                namespace("open/door", Durability::Os, true),
                namespace("secret/**", Durability::Fsync, false),
                namespace("fast/*", Durability::Volatile, true),
            ],
            namespace("**", Durability::Fsync, true),
        ))
    }

    #[test]
    fn forbidden_topics_cannot_be_reached() {
        let namespaces = namespaces();
        for (text, allowed) in [
            ("secret", false),
            ("secret/plan", false),
            ("secret/**", false),
            ("secret/*/x", false),
            ("**", true),
            ("*/plan", true),
            ("open/**", true),
        ] {
            assert_eq!(namespaces.check_subscribe(&filter(text)).is_ok(), allowed, "{text}");
        }
        let readable = namespaces.readable().unwrap();
        assert!(!readable(&Topic::new("secret/plan").unwrap()));
        assert!(readable(&Topic::new("open/door").unwrap()));
    }

    #[test]
    fn only_the_logs_that_can_matter_are_read() {
        let namespaces = namespaces();
        for (text, durable, volatile) in [
            ("a", true, false),
            ("fast/a", false, true),
            ("fast/*", false, true),
            ("fast/**", true, true),
            ("other/**", true, false),
        ] {
            assert_eq!(namespaces.reaches(&filter(text), LogKind::Durable), durable, "{text}");
            assert_eq!(namespaces.reaches(&filter(text), LogKind::Volatile), volatile, "{text}");
        }
    }

    #[test]
    fn the_servers_own_topics_are_not_published_to() {
        let topic = Topic::new("$server/x").unwrap();
        assert_eq!(
            namespaces().check_publish(&topic),
            Err(Refusal::PublishForbidden(topic.clone()))
        );
    }
}
