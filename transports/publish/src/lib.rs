//! Publishing by plain HTTP POST: any body, any content type.
//!
//! Must never answer before the log has said that the messages are stored.

mod batch;
mod session;

use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static PUBLISH: Transport = Transport {
    name: "publish",
    summary: "POST of any body to a topic's URL",
    standard: "RFC 9110",
    mount: Mount::Publish,
    open: |settings| Box::new(session::Publish::new(settings)),
};
