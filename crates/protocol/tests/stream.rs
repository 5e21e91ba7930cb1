//! The machine of streams, with an encoder that says as little as possible: when something is said
//! again, and when an answer ends by itself.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tidings_model::{
    ComeBack, Delivery, Event, EventType, Gap, Headers, LogKind, Manner, Mark, Message, Position,
    Record, Since, Time, Topic,
};
use tidings_protocol::ask::Ask;
use tidings_protocol::stream::{Encoder, EventStream, bytes_max};
use tidings_protocol::{
    Input, Output, Outputs, Problem, Protocol, Request, Response, Settings, StreamEnd, SubId,
};

const AGAIN: Duration = Duration::from_millis(100);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Says one letter for each thing; messages of the type `image/*` twice.
struct Letters {
    bytes_max: Option<usize>,
}

impl Encoder for Letters {
    const CONTENT_TYPE: &'static str = "text/plain";
    const BEGIN: Since = Since::Last(1);
    const HEARTBEATS_MAX: u32 = 3;

    fn instead(request: &Request) -> Option<Response> {
        request.query.get("gone").map(|_| Response::new(http::StatusCode::GONE))
    }

    fn new(request: &Request, _: &Ask, _: &Settings) -> Result<Letters, Problem> {
        let is_bounded = request.query.get("bytes").is_some();
        Ok(Letters { bytes_max: is_bounded.then(|| bytes_max(request)).transpose()? })
    }

    fn prelude(&self) -> Bytes {
        "p".into()
    }

    fn ready(&self, _: Position) -> Bytes {
        "r".into()
    }

    fn event(&self, event: &Event, send: &mut dyn FnMut(Bytes)) {
        send("e".into());
        send(event.record.message.payload.clone());
    }

    fn gap(&self, _: &Gap) -> Bytes {
        "g".into()
    }

    fn heartbeat(&self, _: Position, _: Time) -> Bytes {
        "h".into()
    }

    fn goodbye(&self, position: Position, ComeBack(after): ComeBack) -> Bytes {
        let offset = position.get(LogKind::Volatile).map_or(0, |mark| mark.offset);
        format!("b{offset}+{}", after.as_secs()).into()
    }

    fn ended(&self, _: Position, _: StreamEnd) -> Bytes {
        "x".into()
    }

    fn again(&self, event: &Event) -> Option<Duration> {
        event.record.message.content_type.starts_with("image/").then_some(AGAIN)
    }

    fn bytes_max(&self) -> Option<usize> {
        self.bytes_max
    }
}

/// One stream, the time, and when it wants to be woken.
struct Play {
    stream: EventStream<Letters>,
    now: Time,
    wake_at: Option<Time>,
}

fn at(offset: u64) -> Position {
    Position::at(LogKind::Volatile, Mark { epoch: 1, offset })
}

fn event(offset: u64, content_type: &str) -> Delivery {
    let message = Message {
        topic: Topic::new("t").unwrap(),
        payload: offset.to_string().into(),
        content_type: content_type.into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: Time::default(),
        expires: None,
        manner: Manner::default(),
    };
    let mark = Mark { epoch: 1, offset };
    let record = Record::new(LogKind::Volatile, mark, 0, Arc::new(message));
    Delivery::Event(Event { record: Arc::new(record), position: at(offset), attempt: 1 })
}

impl Play {
    /// A stream that has begun, and what it has said so far.
    fn begin(query: &str) -> (Play, String) {
        let stream = EventStream::new(&Arc::new(Settings::default()));
        let mut play = Play { stream, now: Time::from_millis(1_000_000), wake_at: None };
        let headers = HeaderMap::new();
        let request = Request::new(Method::GET, "/t/t", Some(query), headers, Bytes::new());
        let mut said = play.feed(Input::Opened(&request));
        if said.is_empty() {
            said = play.feed(Input::Subscribed(SubId(0), Ok(at(0)), &[]));
        }
        (play, said)
    }

    /// What it says to an input. A `!` is the end, a `<` an answer.
    fn feed(&mut self, input: Input<'_>) -> String {
        let mut out = Outputs::default();
        self.stream.handle(input, self.now, &mut out);
        let mut said = String::new();
        while let Some(output) = out.pop() {
            assert!(!said.ends_with('!'), "something follows the end");
            match output {
                Output::Send(bytes) => said += std::str::from_utf8(&bytes).unwrap(),
                Output::WakeAt(time) => self.wake_at = Some(time),
                Output::Close(_) => said.push('!'),
                Output::Respond(response) => said += &format!("<{}", response.status.as_u16()),
                Output::Subscribe(_, options) => assert_eq!(options.otherwise, Since::Last(1)),
                _ => {}
            }
        }
        said
    }

    fn deliver(&mut self, deliveries: &[Delivery], position: u64) -> String {
        let (sub, position) = (SubId(0), at(position));
        self.feed(Input::Deliveries { sub, deliveries, position, caught_up: true })
    }

    /// Lets time pass, and gives what is said meanwhile.
    fn wait(&mut self, span: Duration) -> String {
        let until = self.now + span;
        let mut said = String::new();
        while let Some(time) = self.wake_at.take_if(|time| *time <= until) {
            self.now = self.now.max(time);
            said += &self.feed(Input::Deadline);
            if said.ends_with('!') {
                return said;
            }
        }
        self.now = until;
        said
    }
}

#[test]
fn an_answer_begins_with_its_prelude_or_is_none() {
    assert_eq!(Play::begin("").1, "pr");
    assert_eq!(Play::begin("gone").1, "<410");
}

#[test]
fn what_nothing_follows_is_said_once_more() {
    let (mut play, _) = Play::begin("");
    let gap =
        Gap { reason: tidings_model::GapReason::Trimmed, from: at(0), to: at(1), position: at(1) };
    assert_eq!(play.deliver(&[event(1, "image/x"), event(2, "image/x")], 2), "e1e2");
    assert_eq!(play.wait(AGAIN - Duration::from_millis(1)), "");
    assert_eq!(play.wait(Duration::from_millis(1)), "e2");
    assert_eq!(play.wait(HEARTBEAT), "h", "and then no more");
    // One that is followed in time is not, and what is not to be said again is not either.
    assert_eq!(play.deliver(&[event(3, "image/x")], 3), "e3");
    assert_eq!(play.wait(AGAIN / 2), "");
    assert_eq!(play.deliver(&[event(4, "image/x"), Delivery::Gap(gap)], 4), "e4g");
    assert_eq!(play.wait(AGAIN), "e4");
    assert_eq!(play.deliver(&[event(5, "image/x"), event(6, "text/x")], 6), "e5e6");
    assert_eq!(play.wait(AGAIN), "");
}

#[test]
fn an_answer_ends_after_so_many_heartbeats_in_a_row() {
    let (mut play, _) = Play::begin("");
    assert_eq!(play.wait(2 * HEARTBEAT), "hh");
    assert_eq!(play.deliver(&[event(1, "text/x")], 1), "e1");
    assert_eq!(play.wait(10 * HEARTBEAT), "hhhb1+0!");
}

#[test]
fn an_answer_ends_after_so_many_bytes_and_never_before_it_took_its_reader_further() {
    let (mut play, said) = Play::begin("bytes=1");
    assert_eq!(said, "pr");
    assert_eq!(play.deliver(&[], 5), "", "nothing was sent but where it begins");
    // Everything that was read at once is sent, and the position is where reading stands.
    assert_eq!(play.deliver(&[event(6, "text/x"), event(7, "text/x")], 9), "e6e7b9+0!");
    let (mut play, _) = Play::begin("bytes=5");
    assert_eq!(play.deliver(&[event(1, "text/x")], 1), "e1");
    assert_eq!(play.wait(2 * HEARTBEAT), "hh");
    assert_eq!(play.wait(HEARTBEAT), "hb1+0!");
    assert_eq!(Play::begin("bytes=0").1, "<400");
}
