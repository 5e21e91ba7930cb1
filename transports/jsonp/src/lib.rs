//! JSONP: a poll, held or not, whose answer is a script that calls a function of the page.
//!
//! Browsers load scripts from anywhere and ask nobody, which is what this was invented for (2005)
//! and why a namespace has to allow it. Only the writing is here; the machine is the shared
//! [`Poll`]. Must never let anything but a checked name stand where a script names a function.

mod callback;
mod script;

use tidings_protocol::poll::Poll;
use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static JSONP: Transport = Transport {
    name: "jsonp",
    summary: "a poll as a script, for pages that can load nothing else from here",
    standard: "json-p.org; ECMA-262",
    mount: Mount::Read(&[]),
    open: |settings| Box::new(Poll::new(settings, script::Script::default())),
};
