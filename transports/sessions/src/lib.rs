//! Durable sessions over HTTP: acknowledging, showing, listing, deleting.
//!
//! Reading a session is a matter of every transport that reads (`?session=NAME`); here is what is
//! done with sessions from outside. Must never answer before what it says is stored.

mod manage;

use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static SESSIONS: Transport = Transport {
    name: "sessions",
    summary: "durable sessions: acknowledge, show, list, delete",
    standard: "RFC 9110",
    mount: Mount::Under { path: manage::PATH, methods: "GET, HEAD, POST, DELETE, OPTIONS" },
    open: |_| Box::<manage::Exchange>::default(),
};
