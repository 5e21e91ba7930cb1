//! The values every room speaks: topics, filters, messages, positions, time, limits.
//!
//! Must never do I/O, read a clock, or depend on another room: everything in the house
//! recompiles when this crate changes, so it stays small and slow to change.

mod delivery;
mod filter;
mod manner;
mod message;
mod position;
mod record;
mod selection;
mod session;
mod time;
mod topic;

pub mod limits;

pub use delivery::{
    ComeBack, Delivery, Durability, Event, Exposure, Gap, GapReason, IdempotencyKey, Published,
    Refusal, Since, Slow, SubscribeOptions,
};
pub use filter::{FilterError, TopicFilter};
pub use manner::{Manner, Quality, Reply};
pub use message::{EventType, Headers, Message, NameError};
pub use position::{LogKind, Mark, PerLog, Position, PositionError};
pub use record::{Encoding, Record};
pub use selection::{Interest, Readable, Selection};
pub use session::{
    AckMode, Keep, Manage, Managed, Resumed, SessionEnd, SessionInfo, SessionName,
    SessionNameError, SessionOptions, Share, Sharing, Will,
};
pub use time::Time;
pub use topic::{Topic, TopicError};
