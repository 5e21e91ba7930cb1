//! How much of a topic a log keeps.

use std::time::Duration;

/// What of one topic is kept; whatever is over any of the three is trimmed, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most messages, at least 1.
    pub messages_max: u64,
    /// Most bytes of messages, as [`tidings_model::Message::size`] counts them. The newest
    /// message is kept even when it alone is over.
    pub bytes_max: u64,
    /// The age from which on a message is trimmed.
    pub age_max: Duration,
    /// Whether the newest message is kept whatever its age. When it expires by itself, it goes
    /// all the same.
    pub keep_last: bool,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            messages_max: 100_000,
            bytes_max: 64 << 20,
            age_max: Duration::from_secs(24 * 60 * 60),
            keep_last: false,
        }
    }
}
