//! Topic filters: the only place in the house where wildcards match.

use std::fmt;

use crate::topic::{Topic, TopicError, check_levels};

/// Which topics a reader wants: a topic name whose levels may be `*` (exactly one level) and
/// whose last level may be `**` (any number of levels, also none).
///
/// `a/*` matches `a/b`; `a/**` matches `a`, `a/b` and `a/b/c`. A wildcard in the first level does
/// not match topics that begin with `$` (as MQTT 5 section 4.7.2 has it). Other protocols' wildcards
/// are translated at their own edge.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Box<str>);

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not even the levels are right.
    #[error(transparent)]
    Levels(#[from] TopicError),
    /// `*` beside other characters in a level.
    #[error("`*` must be a whole level: `a/*`, not `a/b*`")]
    PartialWildcard,
    /// `**` before the last level.
    #[error("`**` must be the last level")]
    RestNotLast,
}

impl TopicFilter {
    /// Checks `text` and makes it a filter. Every topic name is also a filter, of itself.
    pub fn new(text: &str) -> Result<TopicFilter, FilterError> {
        check_levels(text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            match level {
                "*" => {}
                "**" if levels.peek().is_some() => return Err(FilterError::RestNotLast),
                "**" => {}
                _ if level.contains('*') => return Err(FilterError::PartialWildcard),
                _ => {}
            }
        }
        Ok(TopicFilter(text.into()))
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one topic this filter can match, when it has no wildcard.
    pub fn as_topic(&self) -> Option<Topic> {
        Topic::new(&self.0).ok()
    }

    /// Whether `topic` is wanted.
    pub fn matches(&self, topic: &Topic) -> bool {
        if topic.is_reserved() && self.0.starts_with('*') {
            return false;
        }
        let mut names = topic.as_str().split('/');
        for level in self.0.split('/') {
            match (level, names.next()) {
                ("**", _) => return true,
                (_, None) => return false,
                ("*", Some(_)) => {}
                (level, Some(name)) if level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }

    /// Whether some topic could match both filters.
    pub fn overlaps(&self, other: &TopicFilter) -> bool {
        fn overlap(mut a: std::str::Split<'_, char>, mut b: std::str::Split<'_, char>) -> bool {
            match (a.next(), b.next()) {
                (None, None) | (Some("**"), _) | (_, Some("**")) => true,
                (None, Some(_)) | (Some(_), None) => false,
                (Some(x), Some(y)) => (x == y || x == "*" || y == "*") && overlap(a, b),
            }
        }
        overlap(self.0.split('/'), other.0.split('/'))
    }
}

impl TopicFilter {
    /// Whether every topic that `other` matches is matched by this one too.
    pub fn covers(&self, other: &TopicFilter) -> bool {
        let mut theirs = other.0.split('/');
        for level in self.0.split('/') {
            match (level, theirs.next()) {
                ("**", _) => return true,
                ("*", Some(level)) if level != "**" => {}
                (level, Some(other)) if level == other => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }
}

impl From<&Topic> for TopicFilter {
    fn from(topic: &Topic) -> TopicFilter {
        TopicFilter(topic.as_str().into())
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    #[test]
    fn matching() {
        for (text, topic, wanted) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/*", "a/b", true),
            ("a/*", "a", false),
            ("a/*", "a/b/c", false),
            ("a/*/c", "a/b/c", true),
            ("a/**", "a", true),
            ("a/**", "a/b/c", true),
            ("a/**", "ab", false),
            ("**", "a/b", true),
            ("*", "a", true),
            ("**", "$server/load", false),
            ("*/load", "$server/load", false),
            ("$server/**", "$server/load", true),
        ] {
            assert_eq!(filter(text).matches(&Topic::new(topic).unwrap()), wanted, "{text} {topic}");
        }
    }

    #[test]
    fn texts_that_are_not_filters() {
        for (text, why) in [
            ("a/**/b", FilterError::RestNotLast),
            ("a/b*", FilterError::PartialWildcard),
            ("a/***", FilterError::PartialWildcard),
            ("a//b", FilterError::Levels(TopicError::EmptyLevel)),
        ] {
            assert_eq!(TopicFilter::new(text), Err(why), "{text}");
        }
    }

    #[test]
    fn overlapping() {
        for (a, b, both) in [
            ("a/b", "a/b", true),
            ("a/*", "a/b", true),
            ("a/*", "*/b", true),
            ("a/*", "b/*", false),
            ("a/**", "a", true),
            ("**", "x/y", true),
            ("a/*", "a", false),
        ] {
            assert_eq!(filter(a).overlaps(&filter(b)), both, "{a} {b}");
            assert_eq!(filter(b).overlaps(&filter(a)), both, "{b} {a}");
        }
    }

    #[test]
    fn covering() {
        for (a, b, all) in [
            ("a/**", "a/b/*", true),
            ("a/**", "a", true),
            ("a/*", "a/b", true),
            ("a/*", "a/**", false),
            ("a/b", "a/*", false),
            ("a", "a/**", false),
        ] {
            assert_eq!(filter(a).covers(&filter(b)), all, "{a} {b}");
        }
    }

    proptest::proptest! {
        /// Two filters that both match one topic overlap.
        #[test]
        fn a_common_topic_proves_an_overlap(
            a in "(a|b|\\*)(/(a|b|\\*)){0,3}(/\\*\\*)?",
            b in "(a|b|\\*)(/(a|b|\\*)){0,3}(/\\*\\*)?",
            topic in "(a|b)(/(a|b)){0,4}",
        ) {
            let (a, b, topic) = (filter(&a), filter(&b), Topic::new(&topic).unwrap());
            if a.matches(&topic) && b.matches(&topic) {
                proptest::prop_assert!(a.overlaps(&b));
            }
        }
    }
}
