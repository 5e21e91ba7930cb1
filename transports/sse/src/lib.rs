//! Server-Sent Events: the way every browser can listen without a library.
//!
//! Follows the WHATWG HTML standard, section 9.2. Only the encoding is here; the machine is the
//! shared [`EventStream`]. Must never let a payload break the framing: every line of it becomes a
//! `data:` field of its own.

use bytes::Bytes;
use tidings_model::{ComeBack, Encoding, Event, Gap, Position, SessionEnd, Time};
use tidings_protocol::ask::Ask;
use tidings_protocol::content::{self, Data};
use tidings_protocol::stream::{Encoder, EventStream};
use tidings_protocol::{Mount, Problem, Request, Transport, event};

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

/// How long a browser waits that should not come back at all: its page would take the session over
/// from the one that has it now, without end.
const AWAY_MS: u32 = 24 * 60 * 60 * 1000;

static EVENT: Encoding = Encoding { name: "sse event" };
static RAW: Encoding = Encoding { name: "sse raw" };

/// Writes the event stream format.
struct Sse {
    raw: bool,
}

impl Encoder for Sse {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn new(_: &Request, ask: &Ask) -> Result<Sse, Problem> {
        Ok(Sse { raw: ask.raw })
    }

    fn ready(&self, position: Position) -> Bytes {
        let mut out = format!("retry: {RETRY_MS}\n").into_bytes();
        write(&mut out, position, "ready", &event::ready(position));
        out.into()
    }

    fn event(&self, event: &Event) -> Bytes {
        if self.raw {
            event::shared(&RAW, event, raw_event)
        } else {
            event::shared(&EVENT, event, full_event)
        }
    }

    fn gap(&self, gap: &Gap) -> Bytes {
        named(gap.position, "gap", &event::gap(gap))
    }

    fn heartbeat(&self, position: Position, now: Time) -> Bytes {
        named(position, "heartbeat", &event::heartbeat(position, now))
    }

    fn goodbye(&self, position: Position, come_back: ComeBack) -> Bytes {
        let mut out = format!("retry: {}\n", come_back.0.as_millis()).into_bytes();
        write(&mut out, position, "goodbye", &event::goodbye(Some(position), come_back));
        out.into()
    }

    fn ended(&self, position: Position, end: SessionEnd) -> Bytes {
        let mut out = format!("retry: {AWAY_MS}\n").into_bytes();
        write(&mut out, position, "goodbye", &event::ended(Some(position), end));
        out.into()
    }
}

fn full_event(event: &Event) -> Bytes {
    let message = &event.record.message;
    let mut out = Vec::with_capacity(256 + message.payload.len());
    write_fields(&mut out, event.position, message.event_type.as_str());
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
        Data::Json(text) | Data::Text(text) => named(position, name, text),
        Data::Bytes(bytes) => named(position, name, &content::base64(bytes)),
    }
}

fn named(position: Position, name: &str, data: &str) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 64);
    write(&mut out, position, name, data);
    out.into()
}

/// One whole event: its fields and the empty line that dispatches it.
fn write(out: &mut Vec<u8>, position: Position, name: &str, data: &str) {
    write_fields(out, position, name);
    // CR, LF and CRLF all end a line in this format, so none of them may stand in a field.
    for line in
        data.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
    {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

fn write_fields(out: &mut Vec<u8>, position: Position, name: &str) {
    out.extend_from_slice(format!("id: {position}\nevent: {name}\n").as_bytes());
}
