//! Multipart streams: each part is a message's payload alone and replaces the one before. A browser
//! shows a topic of pictures live in an `<img>`.
//!
//! Must never let a payload end its part, nor say anything in between that a picture's place would
//! show: whatever else there is to say stands in the header of the part that is to come.

mod part;

use std::time::Duration;

use bytes::Bytes;
use http::header;
use tidings_model::{ComeBack, Event, Gap, Position, Since, Time};
use tidings_protocol::ask::Ask;
use tidings_protocol::stream::{Encoder, EventStream};
use tidings_protocol::{Mount, Problem, Request, Response, Settings, StreamEnd, Transport};

use part::Boundary;

/// The registry entry.
pub static MULTIPART: Transport = Transport {
    name: "multipart",
    summary: "parts that replace each other, for live pictures in an <img>",
    standard: "multipart/x-mixed-replace (WHATWG HTML section 7.5), RFC 2046 section 5.1",
    mount: Mount::Read(&["multipart/x-mixed-replace"]),
    open: |settings| Box::new(EventStream::<Multipart>::new(settings)),
};

/// A picture that nothing follows for so long is sent once more. Chromium shows a part only when it
/// has seen the header of the next one. Less than what an eye takes for late, and more than lies
/// between the pictures of a film, so that those are sent once.
const AGAIN: Duration = Duration::from_millis(100);

/// Writes parts.
struct Multipart {
    boundary: Boundary,
}

impl Encoder for Multipart {
    const CONTENT_TYPE: &'static str = "multipart/x-mixed-replace";

    /// What a picture's place is to show at once is the picture there is.
    const BEGIN: Since = Since::Last(1);

    /// Each is a line in one part's header, and a browser keeps them all: not more than some 200 KiB.
    const HEARTBEATS_MAX: u32 = 10_000;

    fn new(request: &Request, _: &Ask, _: &Settings) -> Result<Multipart, Problem> {
        Ok(Multipart { boundary: Boundary::new(request.nonce) })
    }

    /// A part may be a page that a stranger wrote: it may do nothing in this server's name.
    fn head(&self, head: Response) -> Response {
        let content_type = format!("{}; boundary={}", Self::CONTENT_TYPE, self.boundary.as_str());
        head.with_text(header::CONTENT_TYPE, &content_type)
            .with(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")
    }

    /// The delimiter. Behind it, and behind every part, the header of the next one begins.
    fn ready(&self, _: Position) -> Bytes {
        format!("--{}\r\n", self.boundary.as_str()).into()
    }

    fn event(&self, event: &Event, send: &mut dyn FnMut(Bytes)) {
        self.boundary.write_part(event, send);
    }

    fn gap(&self, Gap { reason, from, to, position }: &Gap) -> Bytes {
        let reason = reason.as_str();
        format!("Tidings-Gap: {reason} {from} {to}\r\nTidings-Position: {position}\r\n").into()
    }

    fn heartbeat(&self, _: Position, _: Time) -> Bytes {
        Bytes::from_static(b"Tidings-Heartbeat:\r\n")
    }

    fn goodbye(&self, position: Position, ComeBack(after): ComeBack) -> Bytes {
        let after = after.as_millis();
        format!("Tidings-Goodbye: {after}\r\nTidings-Position: {position}\r\n").into()
    }

    fn ended(&self, position: Position, end: StreamEnd) -> Bytes {
        let end = end.as_str();
        format!("Tidings-Goodbye: {end}\r\nTidings-Position: {position}\r\n").into()
    }

    fn again(&self, event: &Event) -> Option<Duration> {
        part::is_picture(&event.record.message).then_some(AGAIN)
    }
}
