//! Server-Sent Events: the way every browser can listen without a library.
//!
//! Follows the WHATWG HTML standard, section 9.2. Only the encoding is here; the machine is the
//! shared [`EventStream`]. Must never let a payload break the framing: every line of it becomes a
//! `data:` field of its own.

use std::fmt::Display;

use bytes::Bytes;
use http::{StatusCode, header};
use tidings_model::{ComeBack, Encoding, Event, Gap, Position, SessionEnd, Time};
use tidings_protocol::ask::Ask;
use tidings_protocol::content::{self, Data};
use tidings_protocol::stream::{Encoder, EventStream, padding};
use tidings_protocol::{Mount, Problem, Request, Response, Settings, StreamEnd, Transport, event};

/// The registry entry.
pub static SSE: Transport = Transport {
    name: "sse",
    summary: "Server-Sent Events, for EventSource and curl -N",
    standard: "WHATWG HTML section 9.2",
    mount: Mount::Read(&["text/event-stream"]),
    open: |settings| Box::new(EventStream::<Sse>::new(settings)),
};

/// How long a browser waits before it reconnects, in milliseconds, when nobody told it.
const RETRY_MS: u32 = 1000;

/// How a stream ends whose reader should not come back, and the words by which it is known when it
/// does. A browser comes back whatever it is told, but it says what id it saw last: so the last id
/// of such a stream is its end, and nothing has to be remembered here.
const ENDS: [SessionEnd; 2] = [SessionEnd::TakenOver, SessionEnd::Deleted];

static EVENT: Encoding = Encoding { name: "sse event" };
static RAW: Encoding = Encoding { name: "sse raw" };

/// Writes the event stream format.
struct Sse {
    raw: bool,
    /// Bytes of it.
    padding: usize,
}

impl Encoder for Sse {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn instead(request: &Request) -> Option<Response> {
        let seen = request.last_event_id()?;
        ENDS.iter().any(|end| end.as_str() == seen).then(|| {
            // Ends an `EventSource` for good (WHATWG HTML section 9.2.3).
            Response::new(StatusCode::NO_CONTENT)
                .with(header::CACHE_CONTROL, "no-store, no-transform")
        })
    }

    fn new(request: &Request, ask: &Ask, _: &Settings) -> Result<Sse, Problem> {
        Ok(Sse { raw: ask.raw, padding: padding(request, 0)? })
    }

    /// A comment.
    fn prelude(&self) -> Bytes {
        match self.padding {
            0 => Bytes::new(),
            padding => format!(":{}\n", " ".repeat(padding)).into(),
        }
    }

    fn ready(&self, position: Position) -> Bytes {
        let mut out = format!("retry: {RETRY_MS}\n").into_bytes();
        write(&mut out, &position, "ready", &event::ready(position));
        out.into()
    }

    fn event(&self, event: &Event, send: &mut dyn FnMut(Bytes)) {
        send(if self.raw {
            event::shared(&RAW, event, raw_event)
        } else {
            event::shared(&EVENT, event, full_event)
        });
    }

    fn gap(&self, gap: &Gap) -> Bytes {
        named(&gap.position, "gap", &event::gap(gap))
    }

    fn heartbeat(&self, position: Position, now: Time) -> Bytes {
        named(&position, "heartbeat", &event::heartbeat(position, now))
    }

    fn goodbye(&self, position: Position, come_back: ComeBack) -> Bytes {
        let mut out = format!("retry: {}\n", come_back.0.as_millis()).into_bytes();
        write(&mut out, &position, "goodbye", &event::goodbye(Some(position), come_back));
        out.into()
    }

    fn ended(&self, position: Position, end: StreamEnd) -> Bytes {
        let goodbye = event::ended(Some(position), end);
        match end {
            StreamEnd::Session(end) => named(&end.as_str(), "goodbye", &goodbye),
            // With new credentials it goes on from there; with the old ones it is turned away.
            StreamEnd::Expired => named(&position, "goodbye", &goodbye),
        }
    }
}

fn full_event(event: &Event) -> Bytes {
    let message = &event.record.message;
    let mut out = Vec::with_capacity(256 + message.payload.len());
    write_fields(&mut out, &event.position, message.event_type.as_str());
    out.extend_from_slice(b"data: ");
    // JSON on one line, so one field is enough.
    event::write_json(event, &mut out);
    out.extend_from_slice(b"\n\n");
    out.into()
}

fn raw_event(event: &Event) -> Bytes {
    let message = &event.record.message;
    let (position, name) = (event.position, message.event_type.as_str());
    match content::data(&message.content_type, &message.payload) {
        Data::Json(text) | Data::Text(text) => named(&position, name, text),
        Data::Bytes(bytes) => named(&position, name, &content::base64(bytes)),
    }
}

fn named(id: &dyn Display, name: &str, data: &str) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 64);
    write(&mut out, id, name, data);
    out.into()
}

/// One whole event: its fields and the empty line that dispatches it.
fn write(out: &mut Vec<u8>, id: &dyn Display, name: &str, data: &str) {
    write_fields(out, id, name);
    // CR, LF and CRLF all end a line in this format, so none of them may stand in a field.
    for line in data.split("\r\n").flat_map(|part| part.split(['\r', '\n'])) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

fn write_fields(out: &mut Vec<u8>, id: &dyn Display, name: &str) {
    out.extend_from_slice(format!("id: {id}\nevent: {name}\n").as_bytes());
}
