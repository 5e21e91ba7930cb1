//! Topics on one WebSocket: every event is a frame, every frame sent is published.
//!
//! Follows RFC 6455 by way of the carrier; liveness (ping, pong) is the carrier's. Must never
//! publish a frame it could not also have refused: a socket that reads several topics or a
//! wildcard has no single topic to publish to.

mod session;

use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static WEBSOCKET: Transport = Transport {
    name: "ws",
    summary: "a WebSocket on a topic's URL; what you send is published",
    standard: "RFC 6455",
    mount: Mount::TopicSocket,
    open: |_| Box::new(session::TopicSocket::default()),
};
