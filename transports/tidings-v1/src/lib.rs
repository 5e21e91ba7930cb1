//! `tidings.v1`: many topics on one WebSocket, by JSON commands with ids and answers.
//!
//! The protocol is Tidings' own; `docs/guide/tidings-v1.md` is its definition. One bad command or
//! topic must never disturb another: every one is answered for itself.

mod answer;
mod command;
mod session;

use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static TIDINGS_V1: Transport = Transport {
    name: "tidings.v1",
    summary: "many topics on one WebSocket, by JSON commands",
    standard: "docs/guide/tidings-v1.md",
    mount: Mount::Socket { path: "/ws", subprotocol: "tidings.v1", logs_in: false },
    open: |settings| Box::new(session::Session::new(settings)),
};
