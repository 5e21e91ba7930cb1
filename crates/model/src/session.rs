//! Durable sessions: a reader that the server remembers by name.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::filter::TopicFilter;
use crate::limits::KEY_BYTES_MAX;
use crate::message::{Message, NameError, check_name};
use crate::position::Position;
use crate::time::Time;

/// A session's name: one level of a topic, at most 128 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(Box<str>);

/// Why a text is no session's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionNameError {
    /// Empty, too long, or with a control character.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It would not be one level of a topic.
    #[error("it holds `/` or `*`, or is `.` or `..`")]
    NotOneLevel,
}

impl SessionName {
    /// Checks `name` and makes it a session's name.
    pub fn new(name: &str) -> Result<SessionName, SessionNameError> {
        check_name(name, KEY_BYTES_MAX)?;
        if name.contains(['/', '*']) || matches!(name, "." | "..") {
            return Err(SessionNameError::NotOneLevel);
        }
        Ok(SessionName(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// When a message sent to a session counts as arrived for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// When the connection has taken it; a client that comes back with a position corrects that.
    #[default]
    Automatic,
    /// When the client says so. Until then it is sent again to every new connection.
    Explicit,
    /// When the machine says so by [`Keep`], which keeps account of single messages in its notes.
    /// Such a session may read nothing at all.
    Noted,
}

impl AckMode {
    /// The word clients see.
    pub const fn as_str(self) -> &'static str {
        match self {
            AckMode::Automatic => "auto",
            AckMode::Explicit => "explicit",
            AckMode::Noted => "noted",
        }
    }
}

/// Several subscriptions that get each message once between them (MQTT 5 section 4.8.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    /// What they call themselves: text without `/` and control characters.
    pub name: Box<str>,
    /// What they read.
    pub filter: TopicFilter,
}

/// Which share a subscription is to be a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// The share's name; its filter is the subscription's only one.
    pub name: Box<str>,
    /// The session that stays a member while nobody is connected to it.
    pub session: Option<SessionName>,
}

/// Which session a subscription is to be, and how. What is left out stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Its name.
    pub name: SessionName,
    /// How it acknowledges.
    pub acks: Option<AckMode>,
    /// How long it is kept while nobody is connected to it. One that is not kept at all is not
    /// stored either.
    pub expiry: Option<Duration>,
    /// Whether it is to begin anew, whatever is remembered of it.
    pub fresh: bool,
    /// What is published when its connection is lost.
    pub will: Option<Box<Will>>,
}

/// What is published for a client whose connection is lost (MQTT 5 section 3.1.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// The message.
    pub message: Message,
    /// How long the client has to come back before it is published, unless its session ends first.
    pub delay: Duration,
    /// How long it is worth anything from then on, if not for ever.
    pub lifetime: Option<Duration>,
}

/// What a connection has the broker keep of the session that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Everything up to here has arrived for good.
    pub position: Position,
    /// Whatever else the machine wants to know when the client comes back.
    pub notes: Bytes,
    /// A new expiry.
    pub expiry: Option<Duration>,
    /// Whether there is nothing to be published any more when the connection is lost.
    pub without_will: bool,
    /// Messages of one topic to be stored with it, all or none; where they live in another log than
    /// sessions do, before it.
    pub messages: Vec<Message>,
}

/// What is known of a session that somebody was before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// What the machine had noted.
    pub notes: Bytes,
    /// The end of the logs when the client came: what lies before it was published while it was away.
    pub end: Position,
}

/// Why a subscription ends that was a session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Another connection has become the session.
    TakenOver,
    /// Somebody deleted the session.
    Deleted,
}

impl SessionEnd {
    /// The word clients see.
    pub const fn as_str(self) -> &'static str {
        match self {
            SessionEnd::TakenOver => "session_taken_over",
            SessionEnd::Deleted => "session_deleted",
        }
    }
}

/// What may be done with sessions from outside of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manage {
    /// Everything up to this position has arrived for good.
    Ack(SessionName, Position),
    /// How one session is.
    Show(SessionName),
    /// At most so many sessions in the order of their names, from the one after this name.
    List(Option<SessionName>, usize),
    /// Forget a session; a connection that is it ends.
    Delete(SessionName),
}

/// What became of a [`Manage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Managed {
    /// The session is acknowledged up to here, durably.
    Acked(Position),
    /// The session.
    Session(Box<SessionInfo>),
    /// Sessions, and whether there are more.
    List(Vec<SessionInfo>, bool),
    /// It is forgotten, durably.
    Deleted,
    /// What was to be kept of it is, durably.
    Kept,
}

/// How a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its name.
    pub name: SessionName,
    /// What it reads.
    pub filters: Vec<TopicFilter>,
    /// How it acknowledges.
    pub acks: AckMode,
    /// Up to where it has acknowledged.
    pub position: Position,
    /// How long it is kept while nobody is connected to it.
    pub expiry: Duration,
    /// Whether somebody is connected to it.
    pub connected: bool,
    /// When it will be forgotten, unless somebody connects.
    pub expires: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_level() {
        for name in ["me", "phone of Käthe", "a.b", "$x"] {
            assert_eq!(SessionName::new(name).unwrap().as_str(), name);
        }
        for name in ["", "a/b", "*", "..", "a\nb", &"x".repeat(129)] {
            assert!(SessionName::new(name).is_err(), "{name:?}");
        }
    }
}
