//! The machine behind every endless HTTP answer. Transports differ by an [`Encoder`] only.

mod encoder;
mod texts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use tidings_model::{ComeBack, Delivery, Event, Position, Time};

pub use encoder::{Encoder, PADDING, bytes_max, padding};
pub use texts::{JsonEncoder, LINE, RAW_LINE, line};

use crate::ask::{Ask, all_or_nothing};
use crate::machine::{CloseReason, Input, Output, Outputs, Protocol, StreamEnd, SubId};
use crate::request::{Request, Response};
use crate::transport::Settings;

/// Response header with the position a stream or answer begins or ends at.
pub const POSITION_HEADER: HeaderName = HeaderName::from_static("tidings-position");

/// One endless answer.
pub struct EventStream<E> {
    settings: Arc<Settings>,
    position: Position,
    /// When something was last sent.
    sent: Time,
    /// Events still wanted.
    left: Option<u32>,
    /// Bytes sent since the reader was told where it stands.
    bytes: usize,
    /// Heartbeats since the last event.
    heartbeats: u32,
    /// What is to be said once more, and when. Few streams ever have it.
    again: Option<Box<(Event, Time)>>,
    head_only: bool,
    /// Once the request is known.
    encoder: Option<E>,
}

const SUB: SubId = SubId(0);

impl<E: Encoder> EventStream<E> {
    /// A machine that has seen nothing yet.
    pub fn new(settings: &Arc<Settings>) -> EventStream<E> {
        EventStream {
            settings: Arc::clone(settings),
            position: Position::default(),
            sent: Time::default(),
            left: None,
            bytes: 0,
            heartbeats: 0,
            again: None,
            head_only: false,
            encoder: None,
        }
    }

    fn opened(&mut self, request: &Request, out: &mut Outputs) {
        if let Some(response) = E::instead(request) {
            return out.push(Output::Respond(response));
        }
        let asked =
            Ask::parse(request).and_then(|ask| Ok((E::new(request, &ask, &self.settings)?, ask)));
        match asked {
            Err(problem) => out.push(Output::Respond(problem.to_response())),
            Ok((encoder, mut ask)) => {
                self.encoder = Some(encoder);
                self.left = ask.limit;
                self.head_only = request.is_head();
                out.push(ask.subscribe(SUB, E::BEGIN));
            }
        }
    }

    /// Sends what the encoder makes of something.
    fn send(&mut self, encode: impl FnOnce(&E) -> Bytes, out: &mut Outputs) {
        if let Some(encoder) = &self.encoder {
            let bytes = encode(encoder);
            if !bytes.is_empty() {
                self.bytes += bytes.len();
                out.push(Output::Send(bytes));
            }
        }
    }

    fn send_event(&mut self, event: &Event, out: &mut Outputs) {
        if let Some(encoder) = &self.encoder {
            encoder.event(event, &mut |bytes| {
                self.bytes += bytes.len();
                out.push(Output::Send(bytes));
            });
        }
    }

    /// Ends an answer that has become too long, and says so. Only between deliveries: what was
    /// read for a session counts as taken, so all of it has to be sent.
    fn end_if_full(&mut self, out: &mut Outputs) {
        let most = self.encoder.as_ref().and_then(E::bytes_max);
        if most.is_some_and(|most| self.bytes >= most) || self.heartbeats >= E::HEARTBEATS_MAX {
            self.goodbye(ComeBack(Duration::ZERO), out);
            out.push(Output::Close(CloseReason::Done));
        }
    }

    fn goodbye(&mut self, come_back: ComeBack, out: &mut Outputs) {
        let position = self.position;
        self.send(|encoder| encoder.goodbye(position, come_back), out);
    }

    fn ended(&mut self, end: StreamEnd, reason: CloseReason, out: &mut Outputs) {
        let position = self.position;
        self.send(|encoder| encoder.ended(position, end), out);
        out.push(Output::Close(reason));
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
        self.send(E::prelude, out);
        self.send(|encoder| encoder.ready(position), out);
        // So that however little a reader asks for, each answer takes it further.
        self.bytes = 0;
        out.push(Output::WakeAt(now + self.settings.heartbeat));
    }

    /// Sends deliveries. Says whether that was all there will be.
    fn deliver(&mut self, deliveries: &[Delivery], now: Time, out: &mut Outputs) -> bool {
        for delivery in deliveries {
            match delivery {
                Delivery::Gap(gap) => {
                    self.position = gap.position;
                    self.send(|encoder| encoder.gap(gap), out);
                }
                Delivery::Event(event) => {
                    self.position = event.position;
                    self.send_event(event, out);
                    if let Some(left) = &mut self.left {
                        *left -= 1;
                        if *left == 0 {
                            out.push(Output::Close(CloseReason::Done));
                            return true;
                        }
                    }
                }
            }
        }
        if !deliveries.is_empty() {
            self.sent = now;
            self.heartbeats = 0;
            self.plan_again(deliveries, now, out);
        }
        false
    }

    /// Has the last event said once more if nothing follows it.
    fn plan_again(&mut self, deliveries: &[Delivery], now: Time, out: &mut Outputs) {
        let mut events = deliveries.iter().rev().filter_map(|delivery| match delivery {
            Delivery::Event(event) => Some(event),
            Delivery::Gap(_) => None,
        });
        let Some(event) = events.next() else { return };
        let after = self.encoder.as_ref().and_then(|encoder| encoder.again(event));
        self.again = after.map(|after| Box::new((event.clone(), now + after)));
        if let Some(again) = &self.again {
            out.push(Output::WakeAt(again.1));
        }
    }

    fn deadline(&mut self, now: Time, out: &mut Outputs) {
        let heartbeat = self.settings.heartbeat;
        if let Some(again) = self.again.take_if(|again| again.1 <= now) {
            self.send_event(&again.0, out);
            self.sent = now;
        }
        // Moving the deadline at every delivery would cost more than waking once too often.
        if now.since(self.sent) >= heartbeat {
            let position = self.position;
            self.send(|encoder| encoder.heartbeat(position, now), out);
            self.sent = now;
            self.heartbeats = self.heartbeats.saturating_add(1);
        }
        let again = self.again.as_ref().map(|again| again.1);
        let next = self.sent + heartbeat;
        out.push(Output::WakeAt(again.map_or(next, |again| again.min(next))));
        self.end_if_full(out);
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
                let done = self.deliver(deliveries, now, out);
                self.position = position;
                if !done && !deliveries.is_empty() {
                    self.end_if_full(out);
                }
            }
            Input::Deadline => self.deadline(now, out),
            Input::Closing(come_back) => {
                self.goodbye(come_back, out);
                out.push(Output::Close(CloseReason::Restart));
            }
            Input::Ended(_, end) => {
                self.ended(StreamEnd::Session(end), CloseReason::SessionEnded(end), out);
            }
            Input::Expired => self.ended(StreamEnd::Expired, CloseReason::Expired, out),
            _ => {}
        }
    }
}
