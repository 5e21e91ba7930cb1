//! One reader over any transport, so that a test can say the same thing of all of them.
//! Must never skip, sort or merge anything but what tells of no event: ready and heartbeats.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};

use crate::http::Response;
use crate::parts::Parts;
use crate::server::Server;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::wire::Wire;
use crate::{PATIENCE, until};

/// The ways to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Server-Sent Events.
    Sse,
    /// JSON, polled with a small limit, so that many answers are needed.
    Poll,
    /// A WebSocket on the topics' URL.
    Ws,
    /// JSON, held.
    LongPoll,
    /// Newline-delimited JSON.
    Ndjson,
    /// A subscription of a `tidings.v1` socket.
    V1,
    /// Lines in an answer that ends.
    Xhr,
    /// Scripts in a document that ends.
    Iframe,
    /// Parts, which have not the whole of the event form.
    Multipart,
}

impl Via {
    /// Every way, in an order in which neighbours differ the most.
    pub const ALL: [Via; 9] = [
        Via::Sse,
        Via::LongPoll,
        Via::Multipart,
        Via::Ws,
        Via::Ndjson,
        Via::Iframe,
        Via::Poll,
        Via::Xhr,
        Via::V1,
    ];

    /// Those that read any history to its end on one connection: an answer that a browser keeps in
    /// memory ends before it is too large.
    pub const ENDLESS: [Via; 7] =
        [Via::Sse, Via::LongPoll, Via::Multipart, Via::Ws, Via::Ndjson, Via::Poll, Via::V1];

    /// The name that `?via=` knows it by; `tidings.v1` has none.
    pub fn name(self) -> &'static str {
        match self {
            Via::Sse => "sse",
            Via::Poll => "poll",
            Via::Ws => "ws",
            Via::LongPoll => "longpoll",
            Via::Ndjson => "ndjson",
            Via::V1 => "tidings.v1",
            Via::Xhr => "xhr",
            Via::Iframe => "iframe",
            Via::Multipart => "multipart",
        }
    }
}

/// Events of an answer at most, when polling.
const POLL_LIMIT: u32 = 7;

/// A reader that stands somewhere.
pub struct Reader {
    topics: Vec<String>,
    position: String,
    carrier: Carrier,
}

enum Carrier {
    Sse(Stream),
    Lines(Stream),
    Scripts(Stream),
    Parts(Parts),
    Ws(Socket),
    V1(Socket),
    Poll { wire: Wire, via: Via, answer: VecDeque<Value>, after: String },
}

impl Reader {
    /// Begins to read; `since` as the guide has it. The server must let it.
    #[track_caller]
    pub fn open(server: &Server, via: Via, topics: &[&str], since: &str) -> Reader {
        match Reader::try_open(server, via, topics, since) {
            Ok(reader) => reader,
            Err(refusal) => panic!("{via:?} from {since}: {refusal}"),
        }
    }

    /// Begins to read, or gives the error as its JSON, with the status as `code`.
    #[track_caller]
    pub fn try_open(
        server: &Server,
        via: Via,
        topics: &[&str],
        since: &str,
    ) -> Result<Reader, Value> {
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let target = format!("{}&since={since}", target(&topics, via));
        let (carrier, position) = match via {
            Via::Sse | Via::Ndjson | Via::Xhr | Via::Iframe | Via::Multipart => {
                let mut wire = server.wire();
                wire.send(crate::request("GET", &target, &[], b""));
                let head = wire.head();
                if head.status != 200 {
                    return Err(refusal(&mut wire, head));
                }
                let position = head.header("tidings-position").unwrap_or_default().to_owned();
                let mut stream = Stream::resume(wire, head);
                let carrier = match via {
                    Via::Sse => Carrier::Sse(stream),
                    Via::Multipart => Carrier::Parts(Parts::begin(stream)),
                    Via::Iframe => {
                        // What its scripts call.
                        stream.until(b"</script>\n");
                        Carrier::Scripts(stream)
                    }
                    _ => Carrier::Lines(stream),
                };
                (carrier, position)
            }
            Via::Ws => {
                let mut socket = Socket::try_open(server, &target, &[]).map_err(with_code)?;
                let position = text(&socket.json()["position"]);
                (Carrier::Ws(socket), position)
            }
            Via::V1 => {
                let mut socket = Socket::v1(server);
                let subscribe =
                    json!({"do": "subscribe", "sub": "s", "topics": topics, "since": since});
                let answer = socket.command(&subscribe);
                if answer["ok"] != true {
                    return Err(answer);
                }
                let position = text(&answer["position"]);
                (Carrier::V1(socket), position)
            }
            Via::Poll | Via::LongPoll => {
                let mut wire = server.wire();
                // Asks for no more than where it begins, and takes nothing of the answer.
                let target = format!("{}&since={since}&limit=1&wait=0", target_of(&topics));
                let answer = wire.ask("GET", &target, &[], b"");
                if answer.status != 200 {
                    return Err(with_code(answer));
                }
                let position = since.to_owned();
                let position = if since == "now" { answer.position() } else { position };
                let after = position.clone();
                (Carrier::Poll { wire, via, answer: VecDeque::new(), after }, position)
            }
        };
        Ok(Reader { topics, position, carrier })
    }

    /// Where it stands: give it to another reader, and that one goes on here.
    pub fn position(&self) -> &str {
        &self.position
    }

    /// The next event or gap, waiting for it.
    #[track_caller]
    pub fn read(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let item = self.carrier.item(&self.topics);
            // Heartbeats alone would keep it waiting for ever.
            assert!(Instant::now() < deadline, "waited in vain for an event; {item}");
            if let Some(position) = item["position"].as_str() {
                position.clone_into(&mut self.position);
            }
            let kind = item["type"].as_str();
            if item["topic"].is_string() || kind == Some("gap") {
                return item;
            }
            let known = matches!(kind, Some("ready" | "heartbeat" | "answer"));
            assert!(known, "neither an event nor known: {item}");
        }
    }
}

impl Carrier {
    /// The next thing that the server says, as it says it.
    #[track_caller]
    fn item(&mut self, topics: &[String]) -> Value {
        match self {
            Carrier::Sse(stream) => {
                let event = stream.next_sse();
                let json = event.json();
                assert_eq!(event.id.as_deref(), json["position"].as_str(), "{event:?}");
                assert_eq!(event.event.as_deref(), json["type"].as_str(), "{event:?}");
                json
            }
            Carrier::Lines(stream) => stream.next_json(),
            Carrier::Scripts(stream) => stream.next_script(),
            Carrier::Parts(parts) => parts.item(),
            Carrier::Ws(socket) => socket.json(),
            Carrier::V1(socket) => {
                let mut item = socket.json();
                assert_eq!(item["sub"], "s", "{item}");
                item["event"].take()
            }
            Carrier::Poll { wire, via, answer, after } => {
                if let Some(item) = answer.pop_front() {
                    return item;
                }
                let target = format!("{}&limit={POLL_LIMIT}&wait=10", target(topics, *via));
                let mut ask = |after: &str| {
                    let target = format!("{target}&since={after}");
                    let response = wire.ask("GET", &target, &[], b"");
                    (response.events(), response.position())
                };
                let (events, position) = until("a poll finds something", || {
                    let (events, position) = ask(after);
                    after.clone_from(&position);
                    (!events.is_empty()).then_some((events, position))
                });
                answer.extend(events);
                // Behind the last event the answer itself stands, perhaps further on.
                answer.push_back(json!({"type": "answer", "position": position}));
                answer.pop_front().unwrap_or_default()
            }
        }
    }
}

fn target(topics: &[String], via: Via) -> String {
    format!("{}&via={}", target_of(topics), via.name())
}

fn target_of(topics: &[String]) -> String {
    let topics: Vec<String> = topics.iter().map(|topic| format!("topic={topic}")).collect();
    format!("/t?{}", topics.join("&"))
}

#[track_caller]
fn refusal(wire: &mut Wire, head: Response) -> Value {
    let length = head.header("content-length").and_then(|text| text.parse().ok());
    let body = wire.read_exact(length.unwrap_or_default());
    with_code(Response { body, ..head })
}

#[track_caller]
fn with_code(response: Response) -> Value {
    let mut json = response.json();
    json["code"] = response.status.into();
    json
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
