//! Namespaces: which log a topic lives in, what is kept of it, and what clients may do there.

use std::sync::Arc;
use std::time::Duration;

use tidings_log::Retention;
use tidings_model::{Durability, Exposure, LogKind, Readable, Refusal, Topic, TopicFilter};

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
    /// Whether clients may read by scripts, which any web page may load.
    pub jsonp: bool,
    /// How long caches may keep what is read of them without asking; zero: not at all.
    pub cache: Duration,
}

impl Namespace {
    /// Whether answers that are exposed so may be read.
    fn may_read(&self, exposure: Exposure) -> bool {
        self.subscribe && (exposure == Exposure::Private || self.jsonp)
    }
}

/// All namespaces, in order: the first that matches a topic rules it.
#[derive(Clone, Debug)]
pub struct Namespaces {
    listed: Vec<Namespace>,
    /// What rules a topic that no listed one matches,
    otherwise: Namespace,
    /// the server's own topics, which clients have nothing to do with,
    own: Namespace,
    /// those of them that go with the process,
    own_volatile: Namespace,
    /// and what it says of itself.
    system: Namespace,
}

/// What the topics begin with that keep what other topics say to whoever begins to read them: as
/// much as the topic itself follows.
pub const RETAINED: &str = "$retained/";

/// What the topics begin with in which the server says how it is, as MQTT's do.
pub const SYSTEM: &str = "$SYS/";

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
            jsonp: false,
            cache: Duration::ZERO,
        };
        let own_volatile = Namespace { durability: Durability::Volatile, ..own.clone() };
        let system = Namespace { subscribe: true, ..own_volatile.clone() };
        Namespaces { listed, otherwise, own, own_volatile, system }
    }

    /// The namespace that rules a topic.
    pub fn of(&self, topic: &Topic) -> &Namespace {
        if topic.is_reserved() {
            return self.of_own(topic.as_str());
        }
        self.listed.iter().find(|ns| ns.topics.matches(topic)).unwrap_or(&self.otherwise)
    }

    fn of_own(&self, topic: &str) -> &Namespace {
        if topic.starts_with(SYSTEM) {
            return &self.system;
        }
        match topic.strip_prefix(RETAINED).map(Topic::new) {
            // It lives where the topic lives.
            Some(Ok(topic)) if self.of(&topic).durability.log() == LogKind::Volatile => {
                &self.own_volatile
            }
            _ => &self.own,
        }
    }

    /// Whether clients may publish to `topic`. What begins with `$` is the server's own.
    pub(crate) fn check_publish(&self, topic: &Topic) -> Result<Durability, Refusal> {
        let namespace = self.of(topic);
        if !namespace.publish {
            return Err(Refusal::PublishForbidden(topic.clone()));
        }
        Ok(namespace.durability)
    }

    /// Whether clients may read `filter` in answers that are exposed so. A filter that reaches only
    /// forbidden topics is refused; one that reaches others too is not, and
    /// [`Namespaces::readable`] keeps them out.
    pub(crate) fn check_subscribe(
        &self,
        filter: &TopicFilter,
        exposure: Exposure,
    ) -> Result<(), Refusal> {
        if filter.as_str().starts_with(SYSTEM) {
            return Ok(());
        }
        if filter.as_str().starts_with('$') || !self.reaches_any(filter, Exposure::Private) {
            return Err(Refusal::SubscribeForbidden(filter.clone()));
        }
        if !self.reaches_any(filter, exposure) {
            return Err(Refusal::ScriptForbidden(filter.clone()));
        }
        Ok(())
    }

    /// Whether `filter` reaches a topic that may be read so.
    fn reaches_any(&self, filter: &TopicFilter, exposure: Exposure) -> bool {
        self.ruling(filter).any(|namespace| namespace.may_read(exposure))
    }

    /// Every namespace that may rule a topic which `filter` matches.
    fn ruling<'a>(&'a self, filter: &'a TopicFilter) -> impl Iterator<Item = &'a Namespace> {
        let topic = filter.as_topic();
        let covering = self.listed.iter().position(|ns| ns.topics.covers(filter));
        // What comes after one that rules all of it rules nothing of it.
        let (listed, otherwise) = match covering {
            Some(index) => (&self.listed[..=index], None),
            None => (&self.listed[..], Some(&self.otherwise)),
        };
        let touches = move |namespace: &&Namespace| match &topic {
            Some(topic) => namespace.topics.matches(topic),
            None => namespace.topics.overlaps(filter),
        };
        listed.iter().filter(touches).chain(otherwise)
    }

    /// Which topics wildcards may reach; nothing when they may reach all.
    pub(crate) fn readable(self: &Arc<Self>, exposure: Exposure) -> Option<Readable> {
        if self.listed.iter().chain([&self.otherwise]).all(|ns| ns.may_read(exposure)) {
            return None;
        }
        let namespaces = Arc::clone(self);
        Some(Arc::new(move |topic| namespaces.of(topic).may_read(exposure)))
    }

    /// How long caches may keep an answer that holds what these filters match without asking;
    /// nothing when they may not.
    pub fn cache(&self, filters: &[TopicFilter]) -> Option<Duration> {
        let rules = filters.iter().flat_map(|filter| self.ruling(filter));
        rules.map(|namespace| namespace.cache).min().filter(|span| !span.is_zero())
    }

    /// Whether a reader of `filter` has to read `log`.
    pub(crate) fn reaches(&self, filter: &TopicFilter, log: LogKind) -> bool {
        if filter.as_str().starts_with(SYSTEM) {
            return self.system.durability.log() == log;
        }
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
        let (jsonp, cache) = (topics.starts_with("open/"), Duration::ZERO);
        let topics = filter(topics);
        Namespace { topics, durability, retention, publish: true, subscribe, jsonp, cache }
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
            let checked = namespaces.check_subscribe(&filter(text), Exposure::Private);
            assert_eq!(checked.is_ok(), allowed, "{text}");
        }
        let readable = namespaces.readable(Exposure::Private).unwrap();
        assert!(!readable(&Topic::new("secret/plan").unwrap()));
        assert!(readable(&Topic::new("open/door").unwrap()));
    }

    #[test]
    fn scripts_reach_only_what_allows_them() {
        let namespaces = namespaces();
        for (text, allowed) in [
            ("open/door", true),
            ("open/window", false),
            ("fast/a", false),
            ("fast/*", false),
            ("open/**", true),
            ("**", true),
        ] {
            let expected =
                if allowed { Ok(()) } else { Err(Refusal::ScriptForbidden(filter(text))) };
            let checked = namespaces.check_subscribe(&filter(text), Exposure::AnyPage);
            assert_eq!(checked, expected, "{text}");
        }
        let secret = filter("secret/plan");
        let refusal = Refusal::SubscribeForbidden(secret.clone());
        assert_eq!(namespaces.check_subscribe(&secret, Exposure::AnyPage), Err(refusal));
        let readable = namespaces.readable(Exposure::AnyPage).unwrap();
        for (topic, allowed) in [("open/door", true), ("open/window", false), ("a", false)] {
            assert_eq!(readable(&Topic::new(topic).unwrap()), allowed, "{topic}");
        }
    }

    #[test]
    fn caches_keep_what_everything_that_is_read_allows() {
        let mut namespaces = Namespaces::clone(&namespaces());
        namespaces.listed[0].cache = Duration::from_secs(5);
        namespaces.listed[2].cache = Duration::from_secs(2);
        let cache = |texts: &[&str]| {
            let filters: Vec<_> = texts.iter().map(|text| filter(text)).collect();
            namespaces.cache(&filters).map(|span| span.as_secs())
        };
        for (texts, expected) in [
            (&["open/door"][..], Some(5)),
            (&["fast/*"], Some(2)),
            (&["open/door", "fast/a"], Some(2)),
            (&["open/door", "a"], None),
            (&["open/*"], None),
            (&["**"], None),
            (&[], None),
        ] {
            assert_eq!(cache(texts), expected, "{texts:?}");
        }
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
