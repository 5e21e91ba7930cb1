//! Newline-delimited JSON: one object a line, for programs that read a stream line by line.
//!
//! Only the encoding is here; the machine is the shared [`EventStream`]. Must never write a line
//! break inside an object.

use bytes::Bytes;
use tidings_model::{ComeBack, Encoding, Event, Gap, Position, SessionEnd, Time};
use tidings_protocol::ask::Ask;
use tidings_protocol::stream::{Encoder, EventStream};
use tidings_protocol::{Mount, Problem, Request, Transport, content, event};

/// The registry entry.
pub static NDJSON: Transport = Transport {
    name: "ndjson",
    summary: "one JSON object a line, for fetch streams and shell pipes",
    standard: "github.com/ndjson/ndjson-spec 1.0",
    mount: Mount::Read(&[content::NDJSON, "application/jsonl"]),
    open: |settings| Box::new(EventStream::<Ndjson>::new(settings)),
};

static LINE: Encoding = Encoding { name: "ndjson line" };
static RAW: Encoding = Encoding { name: "ndjson raw" };

/// Writes lines.
struct Ndjson {
    raw: bool,
}

impl Encoder for Ndjson {
    const CONTENT_TYPE: &'static str = content::NDJSON;

    fn new(_: &Request, ask: &Ask) -> Result<Ndjson, Problem> {
        Ok(Ndjson { raw: ask.raw })
    }

    fn ready(&self, position: Position) -> Bytes {
        if self.raw { Bytes::new() } else { line(event::ready(position)) }
    }

    fn event(&self, event: &Event) -> Bytes {
        if self.raw {
            event.record.encoded(&RAW, |record| line(event::value(record)))
        } else {
            event::shared(&LINE, event, |event| {
                let mut out = Vec::with_capacity(192 + event.record.message.payload.len());
                event::write_json(event, &mut out);
                line(out)
            })
        }
    }

    fn gap(&self, gap: &Gap) -> Bytes {
        line(event::gap(gap))
    }

    fn heartbeat(&self, position: Position, now: Time) -> Bytes {
        line(if self.raw { String::new() } else { event::heartbeat(position, now) })
    }

    fn goodbye(&self, position: Position, come_back: ComeBack) -> Bytes {
        if self.raw { Bytes::new() } else { line(event::goodbye(Some(position), come_back)) }
    }

    fn ended(&self, position: Position, end: SessionEnd) -> Bytes {
        if self.raw { Bytes::new() } else { line(event::ended(Some(position), end)) }
    }
}

fn line(json: impl Into<Vec<u8>>) -> Bytes {
    let mut out = json.into();
    out.push(b'\n');
    out.into()
}
