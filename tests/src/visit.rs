//! One connection that is a durable session, over any transport, to its end however that comes.
//! Must never take an end for another: what the server said last, and how, is kept word for word.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};
use tidings_websocket_codec::Item;

use crate::PATIENCE;
use crate::http::{Response, request};
use crate::lines::Lines;
use crate::reader::Via;
use crate::server::Server;
use crate::session::Wish;
use crate::socket::{Socket, handshake};
use crate::wire::Wire;

/// How long a poll is held when nobody says: longer than any test waits.
const HELD: &str = "55";

/// One connection that is a session. Ends like a cut when it is dropped.
pub struct Visit {
    carrier: Carrier,
    session: String,
    /// Where it began; empty where only the answer will tell.
    pub begin: String,
}

enum Carrier {
    Sse(Lines),
    Ndjson(Lines),
    Ws(Socket),
    /// With what came while something else was waited for.
    V1(Socket, VecDeque<Value>),
    /// A poll's answer.
    Answer(VecDeque<Value>),
    /// A poll that is held.
    Held(Wire),
}

/// What the server said last. Nothing at all: it was cut.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parting {
    /// The goodbye of a stream, or the error of an answer.
    pub said: Value,
    /// `retry` beside the goodbye of an event stream.
    pub retry: Option<String>,
    /// The status of an answer, or the close code of a WebSocket.
    pub code: Option<u16>,
}

impl Parting {
    /// Why, in the server's word.
    pub fn reason(&self) -> &str {
        self.said["reason"].as_str().or(self.said["error"].as_str()).unwrap_or_default()
    }

    /// Whether the server said anything.
    pub fn is_cut(&self) -> bool {
        *self == Parting::default()
    }
}

impl Visit {
    /// The ways that are visited over; others are streams that differ from these by words only.
    pub const WAYS: [Via; 6] = [Via::Sse, Via::LongPoll, Via::Ws, Via::Ndjson, Via::Poll, Via::V1];

    /// Becomes the session, which must be possible.
    #[track_caller]
    pub fn open(server: &Server, via: Via, wish: &Wish) -> Visit {
        match Visit::try_open(server, via, wish) {
            Ok(visit) => visit,
            Err(parting) => panic!("{via:?} {wish:?}: {parting:?}"),
        }
    }

    /// Becomes the session, or tells what was said instead. A held poll only says so when it is
    /// answered.
    #[track_caller]
    pub fn try_open(server: &Server, via: Via, wish: &Wish) -> Result<Visit, Parting> {
        Visit::over(server.wire(), via, wish)
    }

    /// The same over a connection that is there.
    #[track_caller]
    pub fn over(wire: Wire, via: Via, wish: &Wish) -> Result<Visit, Parting> {
        let (carrier, begin) = Carrier::begin(wire, via, wish)?;
        Ok(Visit { carrier, session: wish.session().to_owned(), begin })
    }

    /// Goes, and waits until the server has noticed. What it sends until then is counted as sent,
    /// and as taken where nobody acknowledges.
    #[track_caller]
    pub fn leave(self, server: &Server) {
        drop(self.carrier);
        server.await_connected(&self.session, false);
    }

    /// The next event or gap, or what was said when it was over.
    #[track_caller]
    pub fn try_read(&mut self) -> Result<Value, Parting> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let item = self.carrier.item()?;
            // Heartbeats alone would keep it waiting for ever.
            assert!(Instant::now() < deadline, "waited in vain for an event; {item}");
            let kind = item["type"].as_str().unwrap_or_default();
            if item["topic"].is_string() || kind == "gap" {
                return Ok(item);
            }
            assert!(matches!(kind, "ready" | "heartbeat"), "neither an event nor known: {item}");
        }
    }

    /// The next event or gap, which must come.
    #[track_caller]
    pub fn read(&mut self) -> Value {
        self.try_read().unwrap_or_else(|parting| panic!("it was over: {parting:?}"))
    }

    /// The next `count` events: the data of each, and the how manieth time it is sent.
    #[track_caller]
    pub fn take(&mut self, count: usize) -> Vec<(Value, u64)> {
        let mut event = || {
            let event = self.read();
            let attempt = event.get("attempt").map_or(Some(1), Value::as_u64);
            (event["data"].clone(), attempt.unwrap_or_else(|| panic!("no attempt: {event}")))
        };
        (0..count).map(|_| event()).collect()
    }

    /// What was said when it was over; nothing else may come before.
    #[track_caller]
    pub fn parting(&mut self) -> Parting {
        match self.try_read() {
            Ok(item) => panic!("more came before the end: {item}"),
            Err(parting) => parting,
        }
    }

    /// Sends a command to `tidings.v1` and gives its answer.
    #[track_caller]
    pub fn command(&mut self, command: &Value) -> Result<Value, Parting> {
        let Carrier::V1(socket, early) = &mut self.carrier else { panic!("not tidings.v1") };
        socket.try_send_json(command).map_err(|_| Parting::default())?;
        loop {
            let frame = message(socket)?;
            if frame.get("ok").is_some() && frame["id"] == command["id"] {
                return Ok(frame);
            }
            early.push_back(frame);
        }
    }

    /// Acknowledges by the command of `tidings.v1`.
    #[track_caller]
    pub fn ack(&mut self, position: &str) -> Result<Value, Parting> {
        self.command(&json!({"do": "ack", "id": "a", "sub": "s", "position": position}))
    }
}

impl Carrier {
    /// Asks for the session over a connection; also says where it begins.
    #[track_caller]
    fn begin(mut wire: Wire, via: Via, wish: &Wish) -> Result<(Carrier, String), Parting> {
        let target = wish.target(via);
        let sent = match via {
            Via::Ws => wire.try_send(handshake(&target, &[])),
            Via::V1 => wire.try_send(handshake("/ws", &[])),
            Via::LongPoll if !wish.has_wait() => {
                let target = format!("{target}&wait={HELD}");
                wire.try_send(request("GET", &target, &[], b""))
            }
            _ => wire.try_send(request("GET", &target, &[], b"")),
        };
        sent.map_err(|_| Parting::default())?;
        if via == Via::LongPoll && !wish.has_wait() {
            return Ok((Carrier::Held(wire), String::new()));
        }
        let head = wire.try_head().ok_or_else(Parting::default)?;
        if !matches!(head.status, 101 | 200) {
            return Err(refusal(rest_of(&mut wire, head)?));
        }
        let begin = head.header("tidings-position").unwrap_or_default().to_owned();
        Ok(match via {
            Via::Sse => (Carrier::Sse(Lines::new(wire)), begin),
            Via::Ndjson => (Carrier::Ndjson(Lines::new(wire)), begin),
            Via::Xhr | Via::Iframe | Via::Multipart => panic!("{via:?} is none of Visit::WAYS"),
            Via::Poll | Via::LongPoll => {
                let answer = rest_of(&mut wire, head)?;
                (Carrier::Answer(answer.events().into()), begin)
            }
            Via::Ws => {
                let mut socket = Socket::resume(wire, head);
                let begin = text(&message(&mut socket)?["position"]);
                (Carrier::Ws(socket), begin)
            }
            Via::V1 => {
                let mut socket = Socket::resume(wire, head);
                assert_eq!(message(&mut socket)?["type"], "ready");
                socket.try_send_json(&wish.command()).map_err(|_| Parting::default())?;
                let answer = message(&mut socket)?;
                if answer["ok"] != true {
                    let code = answer["code"].as_u64().and_then(|code| code.try_into().ok());
                    return Err(Parting { said: answer, retry: None, code });
                }
                let begin = text(&answer["position"]);
                (Carrier::V1(socket, VecDeque::new()), begin)
            }
        })
    }

    #[track_caller]
    fn item(&mut self) -> Result<Value, Parting> {
        match self {
            Carrier::Sse(lines) => lines.event(),
            Carrier::Ndjson(lines) => lines.json(),
            Carrier::Ws(socket) => {
                let item = message(socket)?;
                if item["type"] != "goodbye" {
                    return Ok(item);
                }
                Err(Parting { said: item, retry: None, code: close_code(socket) })
            }
            Carrier::V1(socket, early) => {
                let mut frame = match early.pop_front() {
                    Some(frame) => frame,
                    None => message(socket)?,
                };
                let item = if frame["sub"] == "s" { frame["event"].take() } else { frame };
                if item["type"] == "goodbye" {
                    return Err(Parting { said: item, retry: None, code: None });
                }
                Ok(item)
            }
            Carrier::Answer(items) => {
                let code = Some(200);
                items.pop_front().ok_or(Parting { said: Value::Null, retry: None, code })
            }
            Carrier::Held(wire) => {
                let head = wire.try_head().ok_or_else(Parting::default)?;
                let answer = rest_of(wire, head)?;
                if answer.status != 200 {
                    return Err(refusal(answer));
                }
                *self = Carrier::Answer(answer.events().into());
                self.item()
            }
        }
    }
}

/// The next text message as JSON; what a close or a cut said otherwise.
#[track_caller]
fn message(socket: &mut Socket) -> Result<Value, Parting> {
    loop {
        match socket.item() {
            Some(Item::Text(text)) => return Ok(parse(&text)),
            Some(Item::Ping(_)) => {}
            Some(Item::Close { code, .. }) => {
                let code = code.map(|code| code.get());
                return Err(Parting { said: Value::Null, retry: None, code });
            }
            Some(other) => panic!("no text, but {other:?}"),
            None => return Err(Parting::default()),
        }
    }
}

/// The close code that comes next, unless the connection was cut before.
#[track_caller]
fn close_code(socket: &mut Socket) -> Option<u16> {
    match message(socket) {
        Ok(more) => panic!("something came after the goodbye: {more}"),
        Err(parting) => parting.code,
    }
}

/// An answer of which the head was read.
#[track_caller]
fn rest_of(wire: &mut Wire, head: Response) -> Result<Response, Parting> {
    let length = head.header("content-length").and_then(|text| text.parse().ok());
    let length = length.unwrap_or_else(|| panic!("no length: {head:?}"));
    let body = wire.try_read_exact(length).ok_or_else(Parting::default)?;
    Ok(Response { body, ..head })
}

#[track_caller]
fn refusal(answer: Response) -> Parting {
    Parting { said: answer.json(), retry: None, code: Some(answer.status) }
}

#[track_caller]
pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
