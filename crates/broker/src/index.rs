//! Which subscriptions want a topic. Must answer in time that depends on the topic's depth and
//! the number of answers, not on how many subscriptions there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidings_model::{Selection, Topic, TopicFilter};

/// A subscription's number within its shard.
pub(crate) type Key = usize;

/// Topics and patterns, each with the subscriptions that want it.
#[derive(Default)]
pub(crate) struct Index {
    topics: HashMap<Topic, BTreeSet<Key>>,
    patterns: Node,
}

/// One level of the patterns.
#[derive(Default)]
struct Node {
    /// Subscriptions whose pattern ends here.
    here: BTreeSet<Key>,
    /// Subscriptions whose pattern goes on with `**`.
    rest: BTreeSet<Key>,
    /// The next level, by name; `*` stands for itself.
    next: BTreeMap<Box<str>, Node>,
}

impl Index {
    pub(crate) fn insert(&mut self, wanted: &Selection, key: Key) {
        for topic in wanted.topics() {
            self.topics.entry(topic.clone()).or_default().insert(key);
        }
        for pattern in wanted.patterns() {
            self.patterns.keys_mut(pattern).insert(key);
        }
    }

    pub(crate) fn remove(&mut self, wanted: &Selection, key: Key) {
        for topic in wanted.topics() {
            if let Some(keys) = self.topics.get_mut(topic) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.topics.remove(topic);
                }
            }
        }
        for pattern in wanted.patterns() {
            self.patterns.remove(pattern.as_str().split('/'), key);
        }
    }

    /// Anybody who wants the first topic that is `wanted`.
    pub(crate) fn anyone(&self, wanted: &Selection) -> Option<Key> {
        self.topics.get(wanted.topics().first()?)?.first().copied()
    }

    /// Calls `found` for every subscription that wants the topic; for one that wants it in
    /// several ways, perhaps several times.
    pub(crate) fn matching(&self, topic: &Topic, found: &mut impl FnMut(Key)) {
        for &key in self.topics.get(topic).into_iter().flatten() {
            found(key);
        }
        if !self.patterns.is_empty() {
            let wild_root = !topic.is_reserved();
            self.patterns.matching(topic.as_str().split('/'), wild_root, found);
        }
    }
}

impl Node {
    /// The place of a pattern's subscriptions, made if it is not there.
    fn keys_mut(&mut self, pattern: &TopicFilter) -> &mut BTreeSet<Key> {
        let mut node = self;
        for level in pattern.as_str().split('/') {
            if level == "**" {
                return &mut node.rest;
            }
            node = node.next.entry(level.into()).or_default();
        }
        &mut node.here
    }

    /// Removes a subscription, and every node that holds nothing any more.
    fn remove(&mut self, mut levels: std::str::Split<'_, char>, key: Key) {
        match levels.next() {
            None => {
                self.here.remove(&key);
            }
            Some("**") => {
                self.rest.remove(&key);
            }
            Some(level) => {
                if let Some(node) = self.next.get_mut(level) {
                    node.remove(levels, key);
                    if node.is_empty() {
                        self.next.remove(level);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.rest.is_empty() && self.next.is_empty()
    }

    fn matching(
        &self,
        mut levels: std::str::Split<'_, char>,
        wild: bool,
        found: &mut impl FnMut(Key),
    ) {
        if wild {
            self.rest.iter().for_each(|&key| found(key));
        }
        let Some(level) = levels.next() else {
            return self.here.iter().for_each(|&key| found(key));
        };
        if let Some(node) = self.next.get(level) {
            node.matching(levels.clone(), true, found);
        }
        if wild && let Some(node) = self.next.get("*") {
            node.matching(levels, true, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: [&str; 9] = ["a", "a/b", "a/*", "a/**", "**", "*", "*/b", "$s/**", "a/*/c"];

    /// The index says the same as asking every selection.
    #[test]
    fn agrees_with_matching_one_by_one() {
        let selections: Vec<Selection> =
            FILTERS.iter().map(|text| Selection::new([TopicFilter::new(text).unwrap()])).collect();
        let mut index = Index::default();
        for (key, selection) in selections.iter().enumerate() {
            index.insert(selection, key);
        }
        for name in ["a", "b", "a/b", "a/b/c", "c/b", "$s", "$s/x", "a/b/d", "x/y/z"] {
            let topic = Topic::new(name).unwrap();
            let mut found = BTreeSet::new();
            index.matching(&topic, &mut |key| {
                found.insert(key);
            });
            let expected: BTreeSet<Key> =
                (0..selections.len()).filter(|&key| selections[key].matches(&topic)).collect();
            assert_eq!(found, expected, "{name}");
        }
        for (key, selection) in selections.iter().enumerate() {
            index.remove(selection, key);
        }
        assert!(index.topics.is_empty() && index.patterns.is_empty());
    }
}
