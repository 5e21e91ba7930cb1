//! The house's fixed limits, each with its reason. What an operator may want to change is
//! configuration instead, and lives with the room that enforces it.

/// Longest topic or filter, in bytes of UTF-8. Fits a request line with room for a query, and is
/// well above what real names need.
pub const TOPIC_BYTES_MAX: usize = 512;

/// Most levels in a topic or filter. Bounds the depth of every walk over levels.
pub const TOPIC_LEVELS_MAX: usize = 32;

/// Longest event type, in bytes. It becomes an SSE field and a DOM event name.
pub const EVENT_TYPE_BYTES_MAX: usize = 64;

/// Most sender-set headers on one message.
pub const HEADERS_MAX: usize = 32;

/// Longest name or value of one sender-set header, in bytes.
pub const HEADER_BYTES_MAX: usize = 1024;

/// Longest conflation key or idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;

/// Longest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 128;

/// Most topics and filters in one subscription. Bounds what one wake-up may cost.
pub const SELECTION_MAX: usize = 256;
