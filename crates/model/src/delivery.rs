//! What a reader is handed, what it may ask for, and why the core may say no.

use std::sync::Arc;
use std::time::Duration;

use crate::filter::TopicFilter;
use crate::position::{LogKind, Position};
use crate::record::Record;
use crate::session::{SessionName, SessionOptions, Sharing};
use crate::topic::Topic;

/// Where a new subscription begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The oldest message that is still there.
    Start,
    /// Only what comes from now on.
    Now,
    /// The newest so many messages, then on.
    Last(u32),
    /// Everything after a position that was given out before.
    After(Position),
}

/// What happens to messages that a reader is behind on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slow {
    /// All are delivered as long as they exist; what does not is told as a gap.
    #[default]
    Gap,
    /// Of messages with one conflation key, only the newest is delivered.
    Latest,
}

/// Who can read an answer besides the one who asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Nobody.
    #[default]
    Private,
    /// Any web page that its user visits: the answer is a script, which browsers load from
    /// anywhere without asking whether they may.
    AnyPage,
}

/// What a subscription is to read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Topics and filters; what several of them match comes once. May be empty where a session
    /// that is there has its own.
    pub filters: Vec<TopicFilter>,
    /// Where to begin, when the reader says so.
    pub since: Option<Since>,
    /// Where to begin, when it does not.
    pub otherwise: Since,
    /// What to do when behind.
    pub slow: Slow,
    /// Most events sent ahead of an acknowledgement; `None`: any number.
    pub window: Option<u32>,
    /// Most events in all; `None`: any number.
    pub limit: Option<u32>,
    /// The durable session that it is to be.
    pub session: Option<SessionOptions>,
    /// The share that it is to be a member of, instead of a reader of its own.
    pub share: Option<Box<Sharing>>,
    /// Who can read along.
    pub exposure: Exposure,
}

/// A message on its way to one reader.
#[derive(Clone, Debug)]
pub struct Event {
    /// The message and its place.
    pub record: Arc<Record>,
    /// Where the reader stands once it has it.
    pub position: Position,
    /// The how manieth time this is that it is sent to its session; 1 without a session.
    pub attempt: u32,
}

/// One thing a reader is handed, in order.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A message.
    Event(Event),
    /// Messages that the reader should have had are gone.
    Gap(Gap),
}

/// History that a reader asked for and that is gone. At least one message was lost between
/// `from` and `to`; what still exists in between is delivered after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why it is gone.
    pub reason: GapReason,
    /// Where the reader stood.
    pub from: Position,
    /// The last place at which something was lost.
    pub to: Position,
    /// Where the reader stands now, and may come back to.
    pub position: Position,
}

/// Why history is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// Retention removed it before the reader came.
    Trimmed,
    /// The disk gave back something else than was written.
    Damaged,
    /// The system went down before it had written it to the disk, as the publisher had allowed. How
    /// many messages these were cannot be known, and perhaps there were none.
    Unflushed,
    /// The position is from another life of the log, or from another server: what was there
    /// cannot be known, so reading begins at the oldest message.
    Epoch,
}

impl GapReason {
    /// The word clients see.
    pub const fn as_str(self) -> &'static str {
        match self {
            GapReason::Trimmed => "trimmed",
            GapReason::Damaged => "damaged",
            GapReason::Unflushed => "unflushed",
            GapReason::Epoch => "epoch",
        }
    }
}

/// What is true of a message when its publisher is answered and readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk, and would survive the loss of power.
    Fsync,
    /// The system has it and will write it soon: it would survive the end of the process, however
    /// that comes about.
    Os,
    /// It is in memory, and goes with the process.
    Volatile,
}

impl Durability {
    /// Every one, the safest first.
    pub const ALL: [Durability; 3] = [Durability::Fsync, Durability::Os, Durability::Volatile];

    /// The word that configuration and clients see.
    pub const fn name(self) -> &'static str {
        match self {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
            Durability::Volatile => "volatile",
        }
    }

    /// The log that keeps such messages.
    pub const fn log(self) -> LogKind {
        match self {
            Durability::Fsync | Durability::Os => LogKind::Durable,
            Durability::Volatile => LogKind::Volatile,
        }
    }
}

/// Where a publish ended: the last message's place, how many there were, and how safe they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// What is true of them now.
    pub durability: Durability,
    /// The position of the last message.
    pub position: Position,
    /// How many messages were stored.
    pub count: u32,
}

/// A publisher's promise that a retry is the same publish (draft-ietf-httpapi-idempotency-key).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Checks `key`: 1 to 128 bytes, no control characters.
    pub fn new(key: &str) -> Result<IdempotencyKey, crate::NameError> {
        crate::message::check_name(key, crate::limits::KEY_BYTES_MAX)?;
        Ok(IdempotencyKey(key.into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why the core refuses something. All of these are the peer's to mend, except the last two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The namespace does not let clients publish here.
    #[error("publishing to `{0}` is not allowed")]
    PublishForbidden(Topic),
    /// The namespace does not let clients read here.
    #[error("reading `{0}` is not allowed")]
    SubscribeForbidden(TopicFilter),
    /// The namespace does not let any web page read here.
    #[error("reading `{0}` by a script is not allowed")]
    ScriptForbidden(TopicFilter),
    /// A position beyond the end of the log, which no server gave out.
    #[error("the position lies beyond the end of the log")]
    PositionAhead,
    /// The payload is over the limit (bytes, limit).
    #[error("the message is {0} bytes long; at most {1} are allowed")]
    MessageTooLarge(usize, usize),
    /// The batch has too many messages (count, limit).
    #[error("the batch has {0} messages; at most {1} are allowed")]
    BatchTooLong(usize, usize),
    /// The key came before with another message.
    #[error("the idempotency key was used before, with another message")]
    IdempotencyKeyReused,
    /// The connection has as many subscriptions as it may.
    #[error("this connection has {0} subscriptions, which is the most it may have")]
    TooManySubscriptions(usize),
    /// No further topic can be kept.
    #[error("the server keeps {0} topics, which is the most it may")]
    TooManyTopics(usize),
    /// There is no session of this name.
    #[error("there is no session `{0}`")]
    SessionUnknown(SessionName),
    /// The session is another user's.
    #[error("the session `{0}` belongs to somebody else")]
    SessionForbidden(SessionName),
    /// There are as many sessions as there may be.
    #[error("the server keeps {0} sessions, which is the most it may")]
    TooManySessions(usize),
    /// A position of another life of the log, which cannot be acknowledged.
    #[error("the position is from another life of the log")]
    PositionForeign,
    /// The log could not store it; nothing was stored.
    #[error("the log could not store the message: {0}")]
    LogFailed(Arc<str>),
}

/// How long a client that is sent away should wait before it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComeBack(pub Duration);
