//! What one subscription wants to read: topics and filters as one set.

use std::fmt;
use std::sync::Arc;

use crate::filter::TopicFilter;
use crate::topic::Topic;

/// A set of topics and filters. A message that several of them match is wanted once.
#[derive(Clone, Default)]
pub struct Selection {
    topics: Vec<Topic>,
    patterns: Vec<TopicFilter>,
    readable: Option<Readable>,
}

/// Which topics wildcards may reach.
pub type Readable = Arc<dyn Fn(&Topic) -> bool + Send + Sync>;

/// The part of a selection one filter stands for: filters without wildcard are plain topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Exactly this topic.
    Topic(Topic),
    /// Every topic that matches.
    Pattern(TopicFilter),
}

impl From<TopicFilter> for Interest {
    fn from(filter: TopicFilter) -> Interest {
        match filter.as_topic() {
            Some(topic) => Interest::Topic(topic),
            None => Interest::Pattern(filter),
        }
    }
}

impl Selection {
    /// The selection of every filter given; doubles count once.
    pub fn new(filters: impl IntoIterator<Item = TopicFilter>) -> Selection {
        let mut selection = Selection::default();
        for filter in filters {
            match Interest::from(filter) {
                Interest::Topic(topic) => selection.topics.push(topic),
                Interest::Pattern(pattern) => selection.patterns.push(pattern),
            }
        }
        selection.topics.sort();
        selection.topics.dedup();
        selection.patterns.sort();
        selection.patterns.dedup();
        selection
    }

    /// The same selection, whose wildcards reach only topics that are `readable`. Plain topics are
    /// checked once, before they are selected.
    #[must_use]
    pub fn reaching(mut self, readable: Option<Readable>) -> Selection {
        self.readable = readable;
        self
    }

    /// The plain topics, sorted.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The filters with wildcards, sorted.
    pub fn patterns(&self) -> &[TopicFilter] {
        &self.patterns
    }

    /// Whether both are the same plain topics and nothing else.
    pub fn has_same_topics(&self, other: &Selection) -> bool {
        self.topics == other.topics && self.patterns.is_empty() && other.patterns.is_empty()
    }

    /// How many topics and filters.
    pub fn len(&self) -> usize {
        self.topics.len() + self.patterns.len()
    }

    /// Whether nothing at all is wanted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether messages of `topic` are wanted.
    pub fn matches(&self, topic: &Topic) -> bool {
        self.topics.binary_search(topic).is_ok()
            || (self.patterns.iter().any(|pattern| pattern.matches(topic))
                && self.readable.as_ref().is_none_or(|readable| readable(topic)))
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.topics).entries(&self.patterns).finish()
    }
}
