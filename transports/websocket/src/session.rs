//! The machine of one topic socket.

use bytes::Bytes;
use http::StatusCode;
use tidings_model::{Delivery, EventType, Headers, Manner, Message, Position, Since, Time, Topic};
use tidings_protocol::ask::{Ask, all_or_nothing};
use tidings_protocol::content::{self, Data};
use tidings_protocol::{
    CloseReason, Frame, Input, Output, Outputs, Problem, Protocol, Request, Response, StreamEnd,
    SubId, Ticket, event,
};

const SUB: SubId = SubId(0);

/// One socket.
#[derive(Default)]
pub(crate) struct TopicSocket {
    /// Where frames are published to; `None` when the socket reads more than one topic.
    topic: Option<Topic>,
    raw: bool,
    left: Option<u32>,
    position: Option<Position>,
}

impl TopicSocket {
    fn opened(&mut self, request: &Request, out: &mut Outputs) {
        match Ask::parse(request) {
            Err(problem) => out.push(Output::Respond(problem.to_response())),
            Ok(mut ask) => {
                self.raw = ask.raw;
                self.left = ask.limit;
                self.topic = match ask.filters.as_slice() {
                    [filter] => filter.as_topic(),
                    _ => None,
                };
                out.push(ask.subscribe(SUB, Since::Now));
            }
        }
    }

    fn publish(&self, payload: Bytes, content_type: &str, now: Time, out: &mut Outputs) {
        let Some(topic) = self.topic.clone() else {
            return tell(
                out,
                &Problem::bad(
                    "bad_topic",
                    "this socket reads more than one topic, so a frame has no topic to go to",
                    "open a socket on /t/TOPIC, or use tidings.v1 on /ws",
                ),
            );
        };
        let message = Message {
            topic,
            payload,
            content_type: content_type.into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: now,
            expires: None,
            manner: Manner::default(),
        };
        out.push(Output::Publish(Ticket(0), vec![message], None));
    }

    fn deliver(&mut self, deliveries: &[Delivery], out: &mut Outputs) {
        for delivery in deliveries {
            match delivery {
                Delivery::Gap(gap) => out.push(Output::text(event::gap(gap))),
                Delivery::Event(event) => {
                    out.push(match self.raw {
                        true => raw(&event.record.message),
                        false => Output::Text(Bytes::new(), event::json(event)),
                    });
                    if let Some(left) = &mut self.left {
                        *left -= 1;
                        if *left == 0 {
                            return out.push(Output::Close(CloseReason::Done));
                        }
                    }
                }
            }
        }
    }
}

impl Protocol for TopicSocket {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        match input {
            Input::Opened(request) => self.opened(request, out),
            Input::Subscribed(_, result, refused) => match all_or_nothing(result, refused) {
                Err(problem) => out.push(Output::Respond(problem.to_response())),
                Ok(position) => {
                    self.position = Some(position);
                    out.push(Output::Begin(Response::new(StatusCode::SWITCHING_PROTOCOLS)));
                    if !self.raw {
                        out.push(Output::text(event::ready(position)));
                    }
                }
            },
            Input::Deliveries { deliveries, position, .. } => {
                self.position = Some(position);
                self.deliver(deliveries, out);
            }
            Input::Frame(Frame::Text(payload)) => {
                self.publish(Bytes::copy_from_slice(payload.as_bytes()), content::TEXT, now, out);
            }
            Input::Frame(Frame::Binary(payload)) => {
                self.publish(Bytes::copy_from_slice(payload), content::BYTES, now, out);
            }
            Input::Published(_, Err(refusal)) => tell(out, &Problem::from(&refusal)),
            Input::Closing(come_back) => {
                if !self.raw {
                    out.push(Output::text(event::goodbye(self.position, come_back)));
                }
                out.push(Output::Close(CloseReason::Restart));
            }
            Input::Ended(_, end) => {
                if !self.raw {
                    out.push(Output::text(event::ended(self.position, StreamEnd::Session(end))));
                }
                out.push(Output::Close(CloseReason::SessionEnded(end)));
            }
            Input::Expired => {
                if !self.raw {
                    out.push(Output::text(event::ended(self.position, StreamEnd::Expired)));
                }
                out.push(Output::Close(CloseReason::Expired));
            }
            _ => {}
        }
    }
}

/// A payload alone.
fn raw(message: &Message) -> Output {
    let payload = message.payload.clone();
    match content::data(&message.content_type, &message.payload) {
        Data::Bytes(_) => Output::Binary(payload),
        Data::Json(_) | Data::Text(_) => Output::Text(Bytes::new(), payload),
    }
}

/// Tells the peer what is wrong with what it sent; the socket stays open.
fn tell(out: &mut Outputs, problem: &Problem) {
    let mut object = serde_json::Map::new();
    object.insert("type".to_owned(), "error".into());
    object.extend(problem.json());
    out.push(Output::text(serde_json::Value::Object(object).to_string()));
}
