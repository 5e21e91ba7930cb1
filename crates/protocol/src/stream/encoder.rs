//! What a transport brings to the machine of streams: how it writes down what is to be said.
//! Must never know when it is said, nor to whom.

use std::time::Duration;

use bytes::Bytes;
use tidings_model::{ComeBack, Event, Gap, Position, Since, Time};

use crate::ask::{Ask, number};
use crate::machine::StreamEnd;
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::transport::Settings;

/// Padding where some reader holds back what comes first: old browsers up to two thousand bytes,
/// to tell what they have before them.
pub const PADDING: u32 = 2048;

/// The most padding a reader may ask for; well above what any proxy or filter is known to hold.
const PADDING_MAX: u32 = 64 * 1024;

/// After how many bytes an answer ends whose reader keeps all of it, when the reader does not say.
const BYTES: u32 = 1024 * 1024;

/// The most bytes such a reader may ask for.
const BYTES_MAX: u32 = 64 * 1024 * 1024;

/// How one kind of stream writes down what it sends. Must be pure: same input, same bytes.
pub trait Encoder: Sized + 'static {
    /// The media type of the stream.
    const CONTENT_TYPE: &'static str;

    /// Where a reader begins who does not say.
    const BEGIN: Since = Since::Now;

    /// So many heartbeats in a row after which the answer ends in good order.
    const HEARTBEATS_MAX: u32 = u32::MAX;

    /// The whole answer to a request that is not to become a stream, whatever it asks for.
    fn instead(_: &Request) -> Option<Response> {
        None
    }

    /// The encoder of one answer: what it needs of the request is looked at here, once.
    ///
    /// # Errors
    /// What is wrong with the request, beyond what [`Ask`] has looked at.
    fn new(request: &Request, ask: &Ask, settings: &Settings) -> Result<Self, Problem>;

    /// What the head has besides what every stream's head has.
    fn head(&self, head: Response) -> Response {
        head
    }

    /// What comes before everything else.
    fn prelude(&self) -> Bytes {
        Bytes::new()
    }

    /// Tells the reader where it stands; the first thing said.
    fn ready(&self, position: Position) -> Bytes;
    /// One event, in one piece or in several, so that a large one that is shared is not copied.
    fn event(&self, event: &Event, send: &mut dyn FnMut(Bytes));
    /// History is gone.
    fn gap(&self, gap: &Gap) -> Bytes;
    /// The stream is alive.
    fn heartbeat(&self, position: Position, now: Time) -> Bytes;
    /// The server is about to close.
    fn goodbye(&self, position: Position, come_back: ComeBack) -> Bytes;
    /// The stream ends, and its reader should not simply come back.
    fn ended(&self, position: Position, end: StreamEnd) -> Bytes;

    /// Whether this event is to be said once more when nothing followed it for so long, for
    /// readers that show a thing only when the next one begins.
    fn again(&self, _: &Event) -> Option<Duration> {
        None
    }

    /// So many bytes after which the answer ends in good order, for readers that keep all of it
    /// in memory; they come back with their position.
    fn bytes_max(&self) -> Option<usize> {
        None
    }
}

/// `bytes`: after how many bytes an answer ends whose reader keeps all of it.
///
/// # Errors
/// It is no number, or out of bounds.
pub fn bytes_max(request: &Request) -> Result<usize, Problem> {
    let bytes = request.query.get("bytes").map(|text| number("bytes", text, 1..=BYTES_MAX));
    Ok(bytes.transpose()?.unwrap_or(BYTES) as usize)
}

/// `padding`: how many bytes are sent ahead of everything, so that who holds back what comes first
/// holds back nothing else. `otherwise` is how many, when the reader does not say.
///
/// # Errors
/// It is no number, or out of bounds.
pub fn padding(request: &Request, otherwise: u32) -> Result<usize, Problem> {
    let padding = request.query.get("padding");
    let padding = padding.map(|text| number("padding", text, 0..=PADDING_MAX));
    Ok(padding.transpose()?.unwrap_or(otherwise) as usize)
}
