//! Topic names. A `Topic` is valid by construction; nothing else may check a name again.

use std::fmt;
use std::sync::Arc;

use crate::limits::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};

/// A `/`-separated UTF-8 name that messages are published to, such as `chat/room1`.
///
/// Cheap to clone. Levels are never empty, never `.` or `..` (browsers rewrite those in URLs),
/// and hold no `*` (the wildcard) and no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// Why a name is not a topic or filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// The whole name is empty.
    #[error("the topic is empty")]
    Empty,
    /// Two slashes in a row, or one at an end.
    #[error("the topic has an empty level (a `/` at an end, or two in a row)")]
    EmptyLevel,
    /// Longer than [`TOPIC_BYTES_MAX`].
    #[error("the topic is {0} bytes long; at most {TOPIC_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// More levels than [`TOPIC_LEVELS_MAX`].
    #[error("the topic has more than {TOPIC_LEVELS_MAX} levels")]
    TooDeep,
    /// A control character, which no protocol could carry safely.
    #[error("the topic holds the control character U+{:04X}", *.0 as u32)]
    ControlCharacter(char),
    /// A `.` or `..` level, which URL handling would rewrite.
    #[error("the topic has a level `.` or `..`, which browsers rewrite in URLs")]
    DotLevel,
    /// A wildcard where only one topic can be meant.
    #[error("the topic holds `*`, which is a wildcard and names no single topic")]
    Wildcard,
}

impl Topic {
    /// Checks `name` and makes it a topic.
    pub fn new(name: &str) -> Result<Topic, TopicError> {
        check_levels(name)?;
        if name.contains('*') {
            return Err(TopicError::Wildcard);
        }
        Ok(Topic(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name belongs to the server itself: its first level begins with `$`. Such
    /// topics are not published to by clients, and wildcards at the root do not match them.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('$')
    }
}

/// What topics and filters have in common: length, depth, and no level that cannot travel.
pub(crate) fn check_levels(name: &str) -> Result<(), TopicError> {
    if name.is_empty() {
        return Err(TopicError::Empty);
    }
    if name.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong(name.len()));
    }
    if let Some(control) = name.chars().find(|c| c.is_control()) {
        return Err(TopicError::ControlCharacter(control));
    }
    let mut levels = 0;
    for level in name.split('/') {
        levels += 1;
        match level {
            "" => return Err(TopicError::EmptyLevel),
            "." | ".." => return Err(TopicError::DotLevel),
            _ => {}
        }
    }
    if levels > TOPIC_LEVELS_MAX {
        return Err(TopicError::TooDeep);
    }
    Ok(())
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl std::borrow::Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_topics() {
        for name in ["a", "chat/room1", "städte/köln", "a b/c", "$server/load", "c++/x.y", "..."]
        {
            assert_eq!(Topic::new(name).map(|t| t.as_str().to_owned()), Ok(name.to_owned()));
        }
        assert!(Topic::new("$server").unwrap().is_reserved());
    }

    #[test]
    fn names_that_are_not() {
        let deep = vec!["x"; TOPIC_LEVELS_MAX + 1].join("/");
        let long = "x".repeat(TOPIC_BYTES_MAX + 1);
        for (name, why) in [
            ("", TopicError::Empty),
            ("/a", TopicError::EmptyLevel),
            ("a/", TopicError::EmptyLevel),
            ("a//b", TopicError::EmptyLevel),
            ("a/../b", TopicError::DotLevel),
            ("a\nb", TopicError::ControlCharacter('\n')),
            ("a\u{85}b", TopicError::ControlCharacter('\u{85}')),
            ("a/*", TopicError::Wildcard),
            ("a/b*", TopicError::Wildcard),
            (&deep, TopicError::TooDeep),
            (&long, TopicError::TooLong(long.len())),
        ] {
            assert_eq!(Topic::new(name), Err(why), "{name:?}");
        }
    }
}
