//! JSON polling and long polling: one request, one answer, for clients that can do nothing else.
//!
//! Long polling follows RFC 6202 section 2. Both are one machine: a poll is a long poll that does
//! not wait.

mod json;

use tidings_protocol::poll::Poll;
use tidings_protocol::{Mount, Transport};

use json::Json;

/// The registry entry of short polling.
pub static POLL: Transport = Transport {
    name: "poll",
    summary: "one JSON answer with the newest events, and ETags",
    standard: "RFC 9110",
    mount: Mount::Read(&["application/json"]),
    open: |settings| Box::new(Poll::new(settings, Json::new(false))),
};

/// The registry entry of long polling.
pub static LONG_POLL: Transport = Transport {
    name: "longpoll",
    summary: "one JSON answer, held until there is something to say",
    standard: "RFC 6202 section 2",
    mount: Mount::ReadHeld,
    open: |settings| Box::new(Poll::new(settings, Json::new(true))),
};
