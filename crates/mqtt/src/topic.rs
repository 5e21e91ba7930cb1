//! Topic names and topic filters (sections 4.7 and 4.8). Must never match one against the other:
//! that is the broker's.

use crate::FIELD_BYTES_MAX;

/// What is wrong with a topic name or a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TopicError {
    /// It has no character \[MQTT-4.7.3-1\].
    #[error("is empty")]
    Empty,
    /// It has more than 65,535 bytes \[MQTT-4.7.3-3\].
    #[error("is longer than 65,535 bytes")]
    TooLong,
    /// It has U+0000 \[MQTT-4.7.3-2\].
    #[error("contains U+0000")]
    NullCharacter,
    /// A topic name has `+` or `#` \[MQTT-4.7.0-1\].
    #[error("is a topic name with a wildcard")]
    Wildcard,
    /// A topic filter has `#` elsewhere than alone in its last level \[MQTT-4.7.1-1\].
    #[error("has a `#` that is not alone in the last level")]
    MultiLevelWildcard,
    /// A topic filter has `+` in a level with something else \[MQTT-4.7.1-2\].
    #[error("has a `+` that is not alone in its level")]
    SingleLevelWildcard,
    /// A shared subscription has no share name \[MQTT-4.8.2-1\].
    #[error("is a shared subscription without a share name")]
    NoShareName,
    /// A share name has `+` or `#` \[MQTT-4.8.2-2\].
    #[error("is a shared subscription with a wildcard in its share name")]
    ShareNameWildcard,
    /// A share name is not followed by `/` and a topic filter \[MQTT-4.8.2-2\].
    #[error("is a shared subscription without a topic filter")]
    NoSharedFilter,
}

/// Checks a topic name, which is what a message is published to.
///
/// Errors: [`TopicError::Empty`], [`TooLong`](TopicError::TooLong),
/// [`NullCharacter`](TopicError::NullCharacter), [`Wildcard`](TopicError::Wildcard).
pub fn check_topic_name(name: &str) -> Result<(), TopicError> {
    check_length(name)?;
    // One pass without branches, because it is made for every message.
    let found = name.bytes().fold(0, |found, byte| {
        found | u8::from(byte == 0) | u8::from(byte == b'+' || byte == b'#') << 1
    });
    match found {
        0 => Ok(()),
        2 => Err(TopicError::Wildcard),
        _ => Err(TopicError::NullCharacter),
    }
}

/// Checks a topic filter, which is what is subscribed to. What [`Shared::parse`] checks is not
/// looked at.
///
/// Errors: all of [`TopicError`] but those of topic names and shared subscriptions.
pub fn check_topic_filter(filter: &str) -> Result<(), TopicError> {
    check_length(filter)?;
    if filter.as_bytes().contains(&0) {
        return Err(TopicError::NullCharacter);
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicError::MultiLevelWildcard);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::SingleLevelWildcard);
        }
    }
    Ok(())
}

fn check_length(topic: &str) -> Result<(), TopicError> {
    match topic.len() {
        0 => Err(TopicError::Empty),
        1..=FIELD_BYTES_MAX => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

/// A shared subscription's topic filter, `$share/NAME/FILTER` (section 4.8.2). Since MQTT 5.0; on
/// 3.1.1 it is a topic filter as any other, and a server may read it in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared<'a> {
    /// Who shares. Not empty, without `/`, `+` and `#`.
    pub name: &'a str,
    /// What is subscribed to. Not empty; otherwise as [`check_topic_filter`] left it.
    pub filter: &'a str,
}

impl<'a> Shared<'a> {
    /// Takes a topic filter apart, or returns `None` when it is none of a shared subscription.
    ///
    /// Errors: it begins with `$share/` and does not go on as it has to:
    /// [`TopicError::NoShareName`], [`ShareNameWildcard`](TopicError::ShareNameWildcard),
    /// [`NoSharedFilter`](TopicError::NoSharedFilter).
    pub fn parse(filter: &'a str) -> Result<Option<Shared<'a>>, TopicError> {
        let Some(rest) = filter.strip_prefix("$share/") else { return Ok(None) };
        let (name, filter) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            return Err(TopicError::NoShareName);
        }
        if name.contains(['+', '#']) {
            return Err(TopicError::ShareNameWildcard);
        }
        if filter.is_empty() {
            return Err(TopicError::NoSharedFilter);
        }
        Ok(Some(Shared { name, filter }))
    }
}
