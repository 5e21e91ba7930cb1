//! A message as its publisher meant it, before a log has given it a place.

use std::borrow::Cow;

use bytes::Bytes;

use crate::limits::{EVENT_TYPE_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX};
use crate::manner::Manner;
use crate::time::Time;
use crate::topic::Topic;

/// What was published: immutable once it is handed to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published to.
    pub topic: Topic,
    /// The body, exactly as sent.
    pub payload: Bytes,
    /// The body's media type (RFC 9110 section 8.3).
    pub content_type: Box<str>,
    /// What kind of event it is, to its readers.
    pub event_type: EventType,
    /// Sender-set headers, carried as they are.
    pub headers: Headers,
    /// Who sent it, when the server knows; never what a client merely claims.
    pub from: Option<Box<str>>,
    /// Conflation key: a reader that asks for the latest only may skip an older message of the
    /// same topic and key.
    pub key: Option<Box<str>>,
    /// When the server accepted it.
    pub time: Time,
    /// From when on it is worthless and no longer delivered.
    pub expires: Option<Time>,
    /// How it is to be delivered.
    pub manner: Manner,
}

impl Message {
    /// What the message costs to keep, in bytes: all its parts, without any overhead.
    pub fn size(&self) -> usize {
        self.payload.len()
            + self.topic.as_str().len()
            + self.content_type.len()
            + self.event_type.as_str().len()
            + self.headers.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>()
            + self.from.as_ref().map_or(0, |from| from.len())
            + self.key.as_ref().map_or(0, |k| k.len())
            + self.manner.reply.as_ref().map_or(0, |r| r.size())
    }

    /// Whether the message has expired at `now`.
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// An event's type: what SSE's `event:` field and a DOM listener are named by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType(Cow<'static, str>);

/// Why a type, key or header is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Over its limit.
    #[error("it is {0} bytes long; at most {1} are allowed")]
    TooLong(usize, usize),
    /// A line break, NUL or other control character, which would break a framing.
    #[error("it holds a control character")]
    ControlCharacter,
    /// A type the server itself sends.
    #[error("`{0}` is a type the server itself sends")]
    Reserved(String),
    /// More headers than [`HEADERS_MAX`].
    #[error("there are more than {HEADERS_MAX} headers")]
    TooMany,
}

impl EventType {
    /// The type of a message whose publisher named none.
    pub const MESSAGE: EventType = EventType(Cow::Borrowed("message"));

    /// Types that only the server sends, or that browsers' `EventSource` raises by itself.
    pub const RESERVED: [&'static str; 6] =
        ["ready", "heartbeat", "gap", "goodbye", "open", "error"];

    /// Checks `name` and makes it an event type.
    pub fn new(name: &str) -> Result<EventType, NameError> {
        if EventType::RESERVED.contains(&name) {
            return Err(NameError::Reserved(name.to_owned()));
        }
        check_name(name, EVENT_TYPE_BYTES_MAX)?;
        match name {
            "message" => Ok(EventType::MESSAGE),
            _ => Ok(EventType(Cow::Owned(name.to_owned()))),
        }
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Sender-set headers, in the order they were set. A name may stand several times, and hold whatever
/// text, where its protocol lets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, Box<str>)>);

impl Headers {
    /// Sets one header; a name that is there already gets the new value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), NameError> {
        check_name(name, HEADER_BYTES_MAX)?;
        check_length(value)?;
        if value.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter);
        }
        let name = name.to_lowercase();
        if let Some(known) = self.0.iter_mut().find(|(n, _)| **n == *name) {
            known.1 = value.into();
            return Ok(());
        }
        self.push(&name, value)
    }

    /// Adds one header exactly as it is, whatever is there already: for protocols whose names have
    /// cases, may stand several times and may be any text, as their values may. Whoever writes
    /// headers down must escape them.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), NameError> {
        check_length(name)?;
        check_length(value)?;
        self.push(name, value)
    }

    fn push(&mut self, name: &str, value: &str) -> Result<(), NameError> {
        if self.0.len() == HEADERS_MAX {
            return Err(NameError::TooMany);
        }
        self.0.push((name.into(), value.into()));
        Ok(())
    }

    /// Every header, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, &**v))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_length(text: &str) -> Result<(), NameError> {
    match text.len() {
        0..=HEADER_BYTES_MAX => Ok(()),
        length => Err(NameError::TooLong(length, HEADER_BYTES_MAX)),
    }
}

/// A name that every framing can carry: not empty, bounded, no control characters.
pub(crate) fn check_name(name: &str, bytes_max: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > bytes_max {
        return Err(NameError::TooLong(name.len(), bytes_max));
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types() {
        assert_eq!(EventType::new("message"), Ok(EventType::MESSAGE));
        assert_eq!(EventType::new("price.change").unwrap().as_str(), "price.change");
        assert_eq!(EventType::new("gap"), Err(NameError::Reserved("gap".into())));
        assert_eq!(EventType::new("a\nb"), Err(NameError::ControlCharacter));
        assert_eq!(EventType::new(""), Err(NameError::Empty));
    }

    #[test]
    fn headers_are_bounded_and_clean() {
        let mut headers = Headers::default();
        headers.set("Trace-Id", "1").unwrap();
        headers.set("trace-id", "2").unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("trace-id", "2")]);
        assert_eq!(headers.set("a", "b\r\nc"), Err(NameError::ControlCharacter));
        for n in 1..HEADERS_MAX {
            headers.set(&format!("h{n}"), "").unwrap();
        }
        assert_eq!(headers.set("one-more", ""), Err(NameError::TooMany));
    }
}
