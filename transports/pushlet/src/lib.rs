//! Pushlets: what pages and applets of the years 2000 to 2010 spoke to have events pushed to them.
//!
//! Follows the Pushlet protocol 2.0.4 (pushlets.com, 2006 to 2010) as its servlet and its clients
//! speak it. A Pushlet session is a durable session, a subject is a topic: there is no state here.
//! Must never let a name or a value out of the attribute or the string that it stands in.

mod control;
mod data;
mod exchange;
mod fields;
mod format;
mod listen;
mod names;

use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static PUSHLET: Transport = Transport {
    name: "pushlet",
    summary: "the Pushlet protocol, for clients that were made for it",
    standard: "Pushlet protocol 2.0.4",
    mount: Mount::Under { path: exchange::PATH, methods: exchange::METHODS },
    open: |settings| Box::new(exchange::Exchange::new(settings)),
};
