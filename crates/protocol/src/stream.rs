//! The machine behind every endless HTTP answer. Transports differ by an [`Encoder`] only.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use tidings_model::{ComeBack, Delivery, Event, Gap, Position, SessionEnd, Since, Time};

use crate::ask::{Ask, all_or_nothing};
use crate::machine::{CloseReason, Input, Output, Outputs, Protocol, SubId};
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::transport::Settings;

/// Response header with the position a stream or answer begins or ends at.
pub const POSITION_HEADER: HeaderName = HeaderName::from_static("tidings-position");

/// How one kind of stream writes down what it sends. Must be pure: same input, same bytes.
pub trait Encoder: Sized + 'static {
    /// The media type of the stream.
    const CONTENT_TYPE: &'static str;

    /// The encoder of one answer: what it needs of the request is looked at here, once.
    ///
    /// # Errors
    /// What is wrong with the request, beyond what [`Ask`] has looked at.
    fn new(request: &Request, ask: &Ask) -> Result<Self, Problem>;

    /// What the head has besides what every stream's head has.
    fn head(&self, head: Response) -> Response {
        head
    }

    /// The first bytes, which tell the reader where it stands.
    fn ready(&self, position: Position) -> Bytes;
    /// One event.
    fn event(&self, event: &Event) -> Bytes;
    /// History is gone.
    fn gap(&self, gap: &Gap) -> Bytes;
    /// The stream is alive.
    fn heartbeat(&self, position: Position, now: Time) -> Bytes;
    /// The server is about to close.
    fn goodbye(&self, position: Position, come_back: ComeBack) -> Bytes;
    /// The stream's session is another's now, or no more: the reader should not come back.
    fn ended(&self, position: Position, end: SessionEnd) -> Bytes;

    /// So many bytes after which the answer ends in good order, for readers that keep all of it
    /// in memory; they come back with their position.
    fn bytes_max(&self) -> Option<usize> {
        None
    }
}

/// One endless answer.
pub struct EventStream<E> {
    heartbeat: Duration,
    position: Position,
    /// When something was last sent.
    sent: Time,
    /// Events still wanted.
    left: Option<u32>,
    /// Bytes sent.
    bytes: usize,
    head_only: bool,
    /// Once the request is known.
    encoder: Option<E>,
}

const SUB: SubId = SubId(0);

impl<E: Encoder> EventStream<E> {
    /// A machine that has seen nothing yet.
    pub fn new(settings: &Settings) -> EventStream<E> {
        EventStream {
            heartbeat: settings.heartbeat,
            position: Position::default(),
            sent: Time::default(),
            left: None,
            bytes: 0,
            head_only: false,
            encoder: None,
        }
    }

    fn opened(&mut self, request: &Request, out: &mut Outputs) {
        let asked = Ask::parse(request).and_then(|ask| Ok((E::new(request, &ask)?, ask)));
        match asked {
            Err(problem) => out.push(Output::Respond(problem.to_response())),
            Ok((encoder, mut ask)) => {
                self.encoder = Some(encoder);
                self.left = ask.limit;
                self.head_only = request.is_head();
                out.push(ask.subscribe(SUB, Since::Now));
            }
        }
    }

    /// Sends what the encoder makes of something.
    fn send(&mut self, encode: impl FnOnce(&E) -> Bytes, out: &mut Outputs) {
        if let Some(encoder) = &self.encoder {
            let bytes = encode(encoder);
            self.bytes += bytes.len();
            out.push(Output::Send(bytes));
        }
    }

    fn is_full(&self) -> bool {
        let most = self.encoder.as_ref().and_then(E::bytes_max);
        most.is_some_and(|most| self.bytes >= most)
    }

    fn subscribed(&mut self, position: Position, now: Time, out: &mut Outputs) {
        self.position = position;
        self.sent = now;
        let head = Response::new(StatusCode::OK)
            .with(header::CONTENT_TYPE, E::CONTENT_TYPE)
            .with(header::CACHE_CONTROL, "no-store, no-transform")
            .with(header::VARY, "Accept")
            .with(HeaderName::from_static("x-accel-buffering"), "no")
            .with_text(POSITION_HEADER, &position.to_string());
        let head = match &self.encoder {
            Some(encoder) => encoder.head(head),
            None => head,
        };
        if self.head_only {
            return out.push(Output::Respond(head));
        }
        out.push(Output::Begin(head));
        self.send(|encoder| encoder.ready(position), out);
        out.push(Output::WakeAt(now + self.heartbeat));
    }

    fn deliver(&mut self, deliveries: &[Delivery], now: Time, out: &mut Outputs) {
        for delivery in deliveries {
            match delivery {
                Delivery::Gap(gap) => {
                    self.position = gap.position;
                    self.send(|encoder| encoder.gap(gap), out);
                }
                Delivery::Event(event) => {
                    self.position = event.position;
                    self.send(|encoder| encoder.event(event), out);
                    if let Some(left) = &mut self.left {
                        *left -= 1;
                        if *left == 0 {
                            return out.push(Output::Close(CloseReason::Done));
                        }
                    }
                }
            }
        }
        if !deliveries.is_empty() {
            self.sent = now;
        }
        if self.is_full() {
            out.push(Output::Close(CloseReason::Done));
        }
    }

    fn deadline(&mut self, now: Time, out: &mut Outputs) {
        // Moving the deadline at every delivery would cost more than waking once too often.
        if now.since(self.sent) >= self.heartbeat {
            let position = self.position;
            self.send(|encoder| encoder.heartbeat(position, now), out);
            self.sent = now;
        }
        out.push(Output::WakeAt(self.sent + self.heartbeat));
    }
}

impl<E: Encoder> Protocol for EventStream<E> {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        match input {
            Input::Opened(request) => self.opened(request, out),
            Input::Subscribed(_, result, refused) => match all_or_nothing(result, refused) {
                Ok(position) => self.subscribed(position, now, out),
                Err(problem) => out.push(Output::Respond(problem.to_response())),
            },
            Input::Deliveries { deliveries, position, .. } if !self.head_only => {
                self.deliver(deliveries, now, out);
                self.position = position;
            }
            Input::Deadline => self.deadline(now, out),
            Input::Closing(come_back) => {
                let position = self.position;
                self.send(|encoder| encoder.goodbye(position, come_back), out);
                out.push(Output::Close(CloseReason::Restart));
            }
            Input::Ended(_, end) => {
                let position = self.position;
                self.send(|encoder| encoder.ended(position, end), out);
                out.push(Output::Close(CloseReason::SessionEnded(end)));
            }
            Input::Deliveries { .. }
            | Input::Frame(_)
            | Input::Published(..)
            | Input::Managed(..) => {}
        }
    }
}
