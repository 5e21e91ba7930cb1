//! Encoders that say everything as JSON texts, one after another, and differ only in how they set
//! one apart from the next.

use bytes::Bytes;
use tidings_model::{ComeBack, Encoding, Event, Gap, Position, Time};

use super::encoder::Encoder;
use crate::ask::Ask;
use crate::event;
use crate::machine::StreamEnd;
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::transport::Settings;

/// An event as a [`line`]; shared by every transport that writes lines.
pub static LINE: Encoding = Encoding { name: "event line" };
/// A payload alone as a [`line`].
pub static RAW_LINE: Encoding = Encoding { name: "raw line" };

/// Sent in a raw stream that is silent: no text, and so nothing to anybody but the connection.
const SILENCE: &[u8] = b"\n";

/// A JSON text with the line break that ends it.
pub fn line(mut json: Vec<u8>) -> Vec<u8> {
    json.push(b'\n');
    json
}

/// Sets JSON texts apart. In a raw stream only payloads and gaps are said.
pub trait JsonEncoder: Sized + 'static {
    /// The media type of the stream.
    const CONTENT_TYPE: &'static str;
    /// What [`set`](JsonEncoder::set) makes of an event.
    const EVENT: &'static Encoding;
    /// What [`set`](JsonEncoder::set) makes of a payload alone.
    const RAW: &'static Encoding;

    /// See [`Encoder::new`].
    ///
    /// # Errors
    /// What is wrong with the request, beyond what [`Ask`] has looked at.
    fn new(request: &Request, ask: &Ask, settings: &Settings) -> Result<Self, Problem>;

    /// Whether payloads alone are wanted.
    fn is_raw(&self) -> bool;

    /// Writes down one text. Must depend on nothing else, so that readers can share it.
    fn set(json: Vec<u8>) -> Vec<u8>;

    /// Puts around a text that was set what is this reader's alone.
    fn wrap(&self, text: Bytes) -> Bytes {
        text
    }

    /// See [`Encoder::head`].
    fn head(&self, head: Response) -> Response {
        head
    }

    /// See [`Encoder::prelude`].
    fn prelude(&self) -> Bytes {
        Bytes::new()
    }

    /// See [`Encoder::bytes_max`].
    fn bytes_max(&self) -> Option<usize> {
        None
    }
}

impl<E: JsonEncoder> Encoder for E {
    const CONTENT_TYPE: &'static str = E::CONTENT_TYPE;

    fn new(request: &Request, ask: &Ask, settings: &Settings) -> Result<E, Problem> {
        JsonEncoder::new(request, ask, settings)
    }

    fn head(&self, head: Response) -> Response {
        JsonEncoder::head(self, head)
    }

    fn prelude(&self) -> Bytes {
        JsonEncoder::prelude(self)
    }

    fn ready(&self, position: Position) -> Bytes {
        unless_raw(self, || event::ready(position))
    }

    fn event(&self, event: &Event, send: &mut dyn FnMut(Bytes)) {
        let text = if self.is_raw() {
            event.record.encoded(E::RAW, |record| E::set(event::value(record)).into())
        } else {
            event::shared(E::EVENT, event, |event| {
                let mut json = Vec::with_capacity(192 + event.record.message.payload.len());
                event::write_json(event, &mut json);
                E::set(json).into()
            })
        };
        send(self.wrap(text));
    }

    fn gap(&self, gap: &Gap) -> Bytes {
        say(self, event::gap(gap))
    }

    fn heartbeat(&self, position: Position, now: Time) -> Bytes {
        if self.is_raw() {
            return Bytes::from_static(SILENCE);
        }
        say(self, event::heartbeat(position, now))
    }

    fn goodbye(&self, position: Position, come_back: ComeBack) -> Bytes {
        unless_raw(self, || event::goodbye(Some(position), come_back))
    }

    fn ended(&self, position: Position, end: StreamEnd) -> Bytes {
        unless_raw(self, || event::ended(Some(position), end))
    }

    fn bytes_max(&self) -> Option<usize> {
        JsonEncoder::bytes_max(self)
    }
}

fn say<E: JsonEncoder>(encoder: &E, json: String) -> Bytes {
    encoder.wrap(E::set(json.into_bytes()).into())
}

fn unless_raw<E: JsonEncoder>(encoder: &E, json: impl FnOnce() -> String) -> Bytes {
    if encoder.is_raw() { Bytes::new() } else { say(encoder, json()) }
}
