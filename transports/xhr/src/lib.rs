//! XHR streaming: an answer that grows, for `XMLHttpRequest` and `XDomainRequest`, which show what
//! has come so far and keep all of it.
//!
//! Each message is a line of JSON. A length in front would be counted in bytes here and in UTF-16
//! units there. Must never grow without end: the page's memory grows with it.

use bytes::Bytes;
use http::HeaderName;
use tidings_model::Encoding;
use tidings_protocol::ask::Ask;
use tidings_protocol::stream::{
    EventStream, JsonEncoder, LINE, PADDING, RAW_LINE, bytes_max, line, padding,
};
use tidings_protocol::{Mount, Problem, Request, Response, Settings, Transport};

/// The registry entry.
pub static XHR: Transport = Transport {
    name: "xhr",
    summary: "JSON lines in an answer that grows and ends, for XMLHttpRequest",
    standard: "RFC 6202 section 3",
    // Nothing in a request tells such a reader from one that polls.
    mount: Mount::Read(&[]),
    open: |settings| Box::new(EventStream::<Xhr>::new(settings)),
};

/// Writes lines behind a padding.
struct Xhr {
    raw: bool,
    padding: usize,
    bytes_max: usize,
}

impl JsonEncoder for Xhr {
    /// Not that of NDJSON: old browsers show only what they take for text before it has ended.
    const CONTENT_TYPE: &'static str = "text/plain; charset=utf-8";
    const EVENT: &'static Encoding = &LINE;
    const RAW: &'static Encoding = &RAW_LINE;

    fn new(request: &Request, ask: &Ask, _: &Settings) -> Result<Xhr, Problem> {
        Ok(Xhr {
            raw: ask.raw,
            padding: padding(request, PADDING)?,
            bytes_max: bytes_max(request)?,
        })
    }

    fn is_raw(&self) -> bool {
        self.raw
    }

    /// Text that strangers wrote is never to be taken for a page.
    fn head(&self, head: Response) -> Response {
        head.with(HeaderName::from_static("x-content-type-options"), "nosniff")
    }

    /// A line of blanks.
    fn prelude(&self) -> Bytes {
        format!("{}\n", " ".repeat(self.padding)).into()
    }

    fn set(json: Vec<u8>) -> Vec<u8> {
        line(json)
    }

    fn bytes_max(&self) -> Option<usize> {
        Some(self.bytes_max)
    }
}
