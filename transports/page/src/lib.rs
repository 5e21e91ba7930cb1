//! A page for browsers without JavaScript: the newest messages of a topic, a refresh that the
//! browser does by itself, and a form to publish with.
//!
//! Follows the WHATWG HTML standard, section 4.2.5.3 (`http-equiv=refresh`), and RFC 9110 section
//! 15.4.4 (303 after a POST). The server remembers nothing of a page: how long it is to be shown,
//! and what its reader has seen, stand in the address it refreshes to.

mod exchange;
mod form;
mod html;
mod view;

use tidings_protocol::{Mount, Transport};

/// The registry entry.
pub static PAGE: Transport = Transport {
    name: "page",
    summary: "a page that refreshes itself, with a form, for browsers without JavaScript",
    standard: "WHATWG HTML section 4.2.5.3",
    mount: Mount::Form,
    open: |settings| Box::new(exchange::Exchange::new(settings)),
};
