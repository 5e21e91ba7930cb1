//! Topics as feeds, for programs that look from time to time: Atom and RSS.
//!
//! Atom follows RFC 4287, RSS the specification 2.0.11 of the RSS Advisory Board. Only the writing
//! is here; the machine is the shared [`Poll`]. Must never write a document that a parser refuses,
//! whatever was published, nor name a hub that the operator has not.

mod atom;
mod entry;
mod id;
mod rss;
mod since;

use tidings_protocol::poll::Poll;
use tidings_protocol::{Mount, Transport};

/// The registry entry of Atom.
pub static ATOM: Transport = Transport {
    name: "feed",
    summary: "the newest events as an Atom feed",
    standard: "RFC 4287",
    mount: Mount::Read(&["application/atom+xml"]),
    open: |settings| Box::new(Poll::new(settings, atom::Atom::new(settings))),
};

/// The registry entry of RSS.
pub static RSS: Transport = Transport {
    name: "rss",
    summary: "the newest events as an RSS feed",
    standard: "RSS 2.0.11",
    mount: Mount::Read(&["application/rss+xml"]),
    open: |settings| Box::new(Poll::new(settings, rss::Rss::new(settings))),
};
