//! Newline-delimited JSON: one object a line, for programs that read a stream line by line.
//!
//! Only the encoding is here; the machine is the shared [`EventStream`]. Must never write a line
//! break inside an object.

use tidings_model::Encoding;
use tidings_protocol::ask::Ask;
use tidings_protocol::stream::{EventStream, JsonEncoder, LINE, RAW_LINE, line};
use tidings_protocol::{Mount, Problem, Request, Settings, Transport, content};

/// The registry entry.
pub static NDJSON: Transport = Transport {
    name: "ndjson",
    summary: "one JSON object a line, for fetch streams and shell pipes",
    standard: "github.com/ndjson/ndjson-spec 1.0",
    mount: Mount::Read(&[content::NDJSON, "application/jsonl"]),
    open: |settings| Box::new(EventStream::<Ndjson>::new(settings)),
};

/// Writes lines.
struct Ndjson {
    raw: bool,
}

impl JsonEncoder for Ndjson {
    const CONTENT_TYPE: &'static str = content::NDJSON;
    const EVENT: &'static Encoding = &LINE;
    const RAW: &'static Encoding = &RAW_LINE;

    fn new(_: &Request, ask: &Ask, _: &Settings) -> Result<Ndjson, Problem> {
        Ok(Ndjson { raw: ask.raw })
    }

    fn is_raw(&self) -> bool {
        self.raw
    }

    fn set(json: Vec<u8>) -> Vec<u8> {
        line(json)
    }
}
