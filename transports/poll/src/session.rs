//! The machine of one poll: collect what there is, answer once.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use tidings_model::{Delivery, Event, Gap, Position, SessionEnd, Since, Time};
use tidings_protocol::ask::{Ask, EVENTS_MAX, all_or_nothing};
use tidings_protocol::stream::POSITION_HEADER;
use tidings_protocol::{
    Input, Output, Outputs, Problem, Protocol, Request, Response, Settings, SubId, event,
};

/// Events in an answer when the reader names no limit.
const LIMIT_DEFAULT: u32 = 100;

/// Payload bytes after which no more is taken into an answer, whatever the limit: one answer is
/// held whole in memory.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// How long a long poll is held when the reader does not say.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// Response header that tells a gap where the body is payloads alone.
const GAP_HEADER: HeaderName = HeaderName::from_static("tidings-gap");

const SUB: SubId = SubId(0);

/// One poll, held or not.
pub(crate) struct Poll {
    held: bool,
    wait_max: Duration,
    /// How long to wait for the first event; zero: answer at once.
    wait: Duration,
    limit: u32,
    raw: bool,
    if_none_match: Option<Box<str>>,
    items: Vec<Delivery>,
    bytes: usize,
    position: Position,
    answered: bool,
}

impl Poll {
    pub(crate) fn new(settings: &Settings, held: bool) -> Poll {
        Poll {
            held,
            wait_max: settings.long_poll_max,
            wait: Duration::ZERO,
            limit: LIMIT_DEFAULT,
            raw: false,
            if_none_match: None,
            items: Vec::new(),
            bytes: 0,
            position: Position::default(),
            answered: false,
        }
    }

    fn opened(&mut self, request: &Request, out: &mut Outputs) {
        let mut ask = match Ask::parse(request) {
            Ok(ask) => ask,
            Err(problem) => return out.push(Output::Respond(problem.to_response())),
        };
        self.limit = ask.limit.unwrap_or(LIMIT_DEFAULT);
        self.raw = ask.raw;
        if self.held && !request.is_head() {
            self.wait = ask.wait.unwrap_or(WAIT_DEFAULT).min(self.wait_max);
        }
        if !self.held {
            self.if_none_match = request.header("if-none-match").map(Into::into);
        }
        let otherwise = if self.held { Since::Now } else { Since::Last(self.limit) };
        if let Some(Since::Last(last)) = ask.since {
            self.limit = ask.limit.unwrap_or(last.min(EVENTS_MAX));
        }
        // Nothing is read that the answer does not take.
        ask.limit = Some(self.limit);
        out.push(ask.subscribe(SUB, otherwise));
    }

    fn deliver(&mut self, deliveries: &[Delivery], position: Position) {
        self.bytes += deliveries.iter().map(payload_bytes).sum::<usize>();
        self.items.extend_from_slice(deliveries);
        self.position = position;
    }

    fn is_full(&self) -> bool {
        let events = self.items.iter().filter(|item| matches!(item, Delivery::Event(_))).count();
        events >= self.limit as usize || self.bytes >= ANSWER_BYTES_MAX
    }

    fn respond(&mut self, out: &mut Outputs) {
        self.answered = true;
        let etag = self.etag();
        let known = self.if_none_match.as_ref().is_some_and(|tags| matches_tag(tags, &etag));
        let mut response = if known {
            Response::new(StatusCode::NOT_MODIFIED)
        } else {
            Response::new(StatusCode::OK).with_body("application/json", self.body())
        };
        if self.held {
            response = response.with(header::CACHE_CONTROL, "no-store, no-transform");
        } else {
            // A cache may keep it, but has to ask; that is what the ETag is for.
            response = response
                .with(header::CACHE_CONTROL, "no-cache, no-transform")
                .with_text(header::ETAG, &etag);
        }
        if let (true, Some(gap)) = (self.raw, self.first_gap()) {
            let text = format!("{} {} {}", gap.reason.as_str(), gap.from, gap.to);
            response = response.with_text(GAP_HEADER, &text);
        }
        out.push(Output::Respond(
            response
                .with(header::VARY, "Accept")
                .with_text(POSITION_HEADER, &self.position.to_string()),
        ));
    }

    fn body(&self) -> Bytes {
        let mut body = Vec::new();
        body.extend_from_slice(if self.raw { b"[" } else { b"{\"events\":[" });
        let mut first = true;
        for item in &self.items {
            let json: Bytes = match item {
                Delivery::Event(event) if self.raw => event::value(&event.record).into(),
                Delivery::Event(event) => event::json(event),
                Delivery::Gap(_) if self.raw => continue,
                Delivery::Gap(gap) => event::gap(gap).into(),
            };
            if !first {
                body.push(b',');
            }
            first = false;
            body.extend_from_slice(&json);
        }
        if self.raw {
            body.extend_from_slice(b"]\n");
        } else {
            body.extend_from_slice(format!("],\"position\":\"{}\"}}\n", self.position).as_bytes());
        }
        body.into()
    }

    /// Changes exactly when the events of the answer do. The position alone would not serve: it
    /// moves on with messages that this reader does not want.
    fn etag(&self) -> String {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |text: String| {
            for byte in text.into_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for item in &self.items {
            match item {
                Delivery::Event(Event { record, .. }) => {
                    mix(Position::at(record.log, record.mark).to_string());
                }
                Delivery::Gap(gap) => mix(gap.to.to_string()),
            }
        }
        format!("W/\"{hash:016x}\"")
    }

    fn first_gap(&self) -> Option<&Gap> {
        self.items.iter().find_map(|item| match item {
            Delivery::Gap(gap) => Some(gap),
            Delivery::Event(_) => None,
        })
    }
}

impl Protocol for Poll {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        if self.answered {
            return;
        }
        match input {
            Input::Opened(request) => self.opened(request, out),
            Input::Subscribed(_, result, refused) => match all_or_nothing(result, refused) {
                Ok(position) => {
                    self.position = position;
                    if !self.wait.is_zero() {
                        out.push(Output::WakeAt(now + self.wait));
                    }
                }
                Err(problem) => {
                    self.answered = true;
                    out.push(Output::Respond(problem.to_response()));
                }
            },
            Input::Deliveries { deliveries, position, caught_up, .. } => {
                self.deliver(deliveries, position);
                let found = !self.items.is_empty() || self.wait.is_zero();
                if self.is_full() || (caught_up && found) {
                    self.respond(out);
                }
            }
            Input::Deadline | Input::Closing(_) => self.respond(out),
            Input::Ended(_, end) => {
                self.answered = true;
                out.push(Output::Respond(ended(end).to_response()));
            }
            Input::Frame(_) | Input::Published(..) | Input::Managed(..) => {}
        }
    }
}

fn payload_bytes(delivery: &Delivery) -> usize {
    match delivery {
        Delivery::Event(event) => event.record.message.payload.len(),
        Delivery::Gap(_) => 0,
    }
}

/// What a held poll is told whose session is another's now, or no more.
fn ended(end: SessionEnd) -> Problem {
    let (message, hint) = match end {
        SessionEnd::TakenOver => {
            ("another connection has become this session", "use one connection for each session")
        }
        SessionEnd::Deleted => ("the session was deleted", "begin it anew, or read without it"),
    };
    Problem::new(StatusCode::CONFLICT, end.as_str(), message, hint)
}

/// Weak comparison (RFC 9110 section 13.1.2).
fn matches_tag(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
}
