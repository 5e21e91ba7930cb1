//! The machine behind every endless HTTP answer. Transports differ by an [`Encoder`] only.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use tidings_model::{ComeBack, Delivery, Event, Gap, Position, SessionEnd, Since, Time};

use crate::ask::{Ask, all_or_nothing};
use crate::machine::{CloseReason, Input, Output, Outputs, Protocol, SubId};
use crate::request::{Request, Response};
use crate::transport::Settings;

/// Response header with the position a stream or answer begins or ends at.
pub const POSITION_HEADER: HeaderName = HeaderName::from_static("tidings-position");

/// How one kind of stream writes down what it sends. Must be pure: same input, same bytes.
pub trait Encoder: Default + 'static {
    /// The media type of the stream.
    const CONTENT_TYPE: &'static str;

    /// The first bytes, which tell the reader where it stands.
    fn ready(position: Position, raw: bool) -> Bytes;
    /// One event; `raw` asks for the payload alone.
    fn event(event: &Event, raw: bool) -> Bytes;
    /// History is gone.
    fn gap(gap: &Gap) -> Bytes;
    /// The stream is alive.
    fn heartbeat(position: Position, now: Time, raw: bool) -> Bytes;
    /// The server is about to close.
    fn goodbye(position: Position, come_back: ComeBack, raw: bool) -> Bytes;
    /// The stream's session is another's now, or no more: the reader should not come back.
    fn ended(position: Position, end: SessionEnd, raw: bool) -> Bytes;
}

/// One endless answer.
pub struct EventStream<E> {
    heartbeat: Duration,
    position: Position,
    /// When something was last sent.
    sent: Time,
    /// Events still wanted.
    left: Option<u32>,
    raw: bool,
    head_only: bool,
    encoder: PhantomData<E>,
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
            raw: false,
            head_only: false,
            encoder: PhantomData,
        }
    }

    fn opened(&mut self, request: &Request, out: &mut Outputs) {
        match Ask::parse(request) {
            Err(problem) => out.push(Output::Respond(problem.to_response())),
            Ok(mut ask) => {
                self.left = ask.limit;
                self.raw = ask.raw;
                self.head_only = request.is_head();
                out.push(ask.subscribe(SUB, Since::Now));
            }
        }
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
        if self.head_only {
            return out.push(Output::Respond(head));
        }
        out.push(Output::Begin(head));
        out.push(Output::Send(E::ready(position, self.raw)));
        out.push(Output::WakeAt(now + self.heartbeat));
    }

    fn deliver(&mut self, deliveries: &[Delivery], now: Time, out: &mut Outputs) {
        for delivery in deliveries {
            match delivery {
                Delivery::Gap(gap) => {
                    self.position = gap.position;
                    out.push(Output::Send(E::gap(gap)));
                }
                Delivery::Event(event) => {
                    self.position = event.position;
                    out.push(Output::Send(E::event(event, self.raw)));
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
    }

    fn deadline(&mut self, now: Time, out: &mut Outputs) {
        // Moving the deadline at every delivery would cost more than waking once too often.
        if now.since(self.sent) >= self.heartbeat {
            out.push(Output::Send(E::heartbeat(self.position, now, self.raw)));
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
                out.push(Output::Send(E::goodbye(self.position, come_back, self.raw)));
                out.push(Output::Close(CloseReason::Restart));
            }
            Input::Ended(_, end) => {
                out.push(Output::Send(E::ended(self.position, end, self.raw)));
                out.push(Output::Close(CloseReason::SessionEnded(end)));
            }
            Input::Deliveries { .. }
            | Input::Frame(_)
            | Input::Published(..)
            | Input::Managed(..) => {}
        }
    }
}
