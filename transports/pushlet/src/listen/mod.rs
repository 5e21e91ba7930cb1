//! Data channels: an endless answer (`stream`), or one after the other, held until there is
//! something to say (`pull`) or not (`poll`).
//!
//! Whatever a client has to know to go on stands in its session or in the address it is told. Must
//! never send the same event twice on one connection.

mod say;

use std::sync::Arc;
use std::time::Duration;

use tidings_model::{
    ComeBack, Delivery, Manage, Managed, Position, Record, Refusal, SessionEnd, SessionInfo, Since,
    SubscribeOptions, Time, TopicFilter,
};
use tidings_protocol::ask::{self, all_or_nothing};
use tidings_protocol::{
    CloseReason, Input, Output, Outputs, Problem, Protocol, Request, Settings, Ticket,
};

use crate::control::{format, joined, label, nack};
use crate::data;
use crate::exchange::{SUB, bad, id, options};
use crate::fields::Fields;
use crate::names::{Id, filters, sids};

/// How long a pull is held: what the protocol's own server has.
const PULL_MAX: Duration = Duration::from_secs(20);

/// Events in one pull, and bytes of its answer, after which the rest waits for the next.
const PULL_EVENTS_MAX: u64 = 100;
const PULL_BYTES_MAX: usize = 1 << 20;

/// Bytes after which a stream ends and is begun anew: a frame keeps all that it ever got.
const STREAM_BYTES_MAX: usize = 4 << 20;

/// How long a pull waits that lost its session, so that two which have one do not chase each other.
const LOST_WAIT: Duration = Duration::from_secs(1);

/// How often, and after what time, a stream looks whether its session was only taken for a moment,
/// as it is when it subscribes to something.
const LOOKS_MAX: u32 = 5;
const LOOK_WAIT: Duration = Duration::from_millis(200);

/// One data channel.
pub(crate) struct Listen {
    settings: Arc<Settings>,
    id: Id,
    mode: Mode,
    /// The first event of the answer.
    first: Fields,
    /// Whether a pull is to be answered at once.
    is_first: bool,
    /// Whether the session is not there yet.
    joins: bool,
    /// From where it reads, if the client says.
    since: Option<Since>,
    /// What is subscribed to on the way.
    more: Vec<TopicFilter>,
    /// What the session reads.
    filters: Vec<TopicFilter>,
    phase: Phase,
    position: Position,
    /// Events said in this answer.
    number: u64,
    /// What a pull is answered with.
    body: String,
    /// Bytes of a stream.
    bytes: usize,
    /// When something was last sent.
    sent: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Stream,
    Pull,
    Poll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been said.
    Opening,
    /// A pull is held.
    Held,
    /// A stream is open.
    Streaming,
    /// A stream is open, and its session was taken; it has looked so often.
    Lost(u32),
    /// All is said.
    Done,
}

impl Listen {
    pub(crate) fn new(settings: &Arc<Settings>, request: &Request) -> Result<Listen, Problem> {
        let query = &request.query;
        let event = query.get("p_event").unwrap_or_default();
        let is_refresh = event == "refresh";
        let joins = event == "join-listen";
        let id = if joins { Id::new(format(request)?, request.nonce) } else { id(request)? };
        let mode = match query.get("p_mode") {
            // Clients make the address of a refresh themselves, and leave the mode out.
            None if is_refresh => Mode::Pull,
            None | Some("stream") => Mode::Stream,
            Some("pull") => Mode::Pull,
            Some("poll") => Mode::Poll,
            Some(_) => return Err(bad("p_mode is none of stream, pull and poll")),
        };
        let more = match query.get("p_subject") {
            Some(subjects) if !is_refresh => filters(subjects)?,
            _ => Vec::new(),
        };
        let first = Fields::new(&format!("{event}-ack"));
        let first = if is_refresh {
            first
        } else {
            first
                .with("p_id", id.as_str())
                .with("p_mode", mode.name())
                .with("p_format", id.format().name())
                .with_some("p_sid", (!more.is_empty()).then(|| sids(&more)))
                .with_some("p_label", label(request)?)
        };
        let filters = if joins { vec![id.inbox()?] } else { Vec::new() };
        Ok(Listen {
            settings: Arc::clone(settings),
            id,
            mode,
            first,
            is_first: !is_refresh,
            joins,
            since: ask::since(query.get("p_position"), None)?,
            more,
            filters,
            phase: Phase::Opening,
            position: Position::default(),
            number: 0,
            body: String::new(),
            bytes: 0,
            sent: Time::default(),
        })
    }

    /// Looks the session up, or makes it.
    fn opened(&mut self, out: &mut Outputs) -> Result<(), Problem> {
        if !self.joins {
            out.push(Output::Manage(Ticket(0), Manage::Show(self.id.session()?)));
            return Ok(());
        }
        self.attach(out)
    }

    /// Becomes the session.
    fn attach(&mut self, out: &mut Outputs) -> Result<(), Problem> {
        let more = std::mem::take(&mut self.more);
        let is_other = std::mem::take(&mut self.joins) || !more.is_empty();
        self.filters = joined(&self.filters, more)?;
        // Without topics it goes on with those it has.
        let filters = if is_other { self.filters.clone() } else { Vec::new() };
        let since = self.since.take();
        out.push(Output::Subscribe(SUB, SubscribeOptions { since, ..options(&self.id, filters)? }));
        Ok(())
    }

    fn found(
        &mut self,
        session: &SessionInfo,
        now: Time,
        out: &mut Outputs,
    ) -> Result<(), Problem> {
        match self.phase {
            Phase::Opening => {
                self.filters.clone_from(&session.filters);
                self.attach(out)
            }
            Phase::Lost(looks) if session.connected => {
                if looks == LOOKS_MAX {
                    self.abort("another client listens with this id", out);
                } else {
                    self.phase = Phase::Lost(looks + 1);
                    out.push(Output::WakeAt(now + LOOK_WAIT));
                }
                Ok(())
            }
            Phase::Lost(_) => {
                self.filters.clone_from(&session.filters);
                self.attach(out)
            }
            _ => Ok(()),
        }
    }

    fn subscribed(&mut self, position: Position, now: Time, out: &mut Outputs) {
        // A session goes on from what was acknowledged; here more may have been sent already.
        self.position = self.position.advanced_by(position);
        self.sent = now;
        let format = self.id.format();
        match (self.phase, self.mode) {
            (Phase::Opening, Mode::Stream) => {
                self.phase = Phase::Streaming;
                out.push(Output::Begin(format.head()));
                let mut text = format.begin().to_owned();
                format.write(&self.first, &mut text);
                format.write(&Fields::new("hb"), &mut text);
                self.send(text, out);
                out.push(Output::WakeAt(now + self.settings.heartbeat));
            }
            (Phase::Opening, _) if self.is_first => {
                out.push(Output::Unsubscribe(SUB));
                self.respond(Duration::ZERO, out);
            }
            (Phase::Opening, mode) => {
                self.phase = Phase::Held;
                if mode == Mode::Pull {
                    out.push(Output::WakeAt(now + PULL_MAX.min(self.settings.long_poll_max)));
                }
            }
            _ => {
                self.phase = Phase::Streaming;
                out.push(Output::WakeAt(now + self.settings.heartbeat));
            }
        }
    }

    /// What was delivered, as events of the protocol.
    fn hear(&mut self, deliveries: &[Delivery]) -> String {
        let mut text = String::new();
        for delivery in deliveries {
            let fields = match delivery {
                Delivery::Event(event) => {
                    let Record { log, mark, .. } = *event.record;
                    if self.position.covers(log, mark) {
                        continue;
                    }
                    self.position = event.position;
                    data::event(event, &self.filters, self.number + 1)
                }
                Delivery::Gap(gap) => {
                    self.position = gap.position;
                    data::gap(gap, self.number + 1)
                }
            };
            self.number += 1;
            self.id.format().write(&fields, &mut text);
        }
        text
    }

    fn tell(&mut self, text: String, caught_up: bool, now: Time, out: &mut Outputs) {
        match self.phase {
            Phase::Streaming if !text.is_empty() => {
                self.sent = now;
                self.send(text, out);
                if self.bytes >= STREAM_BYTES_MAX {
                    self.end_stream(Duration::ZERO, CloseReason::Done, out);
                }
            }
            Phase::Held => {
                self.body += &text;
                let is_full = self.number >= PULL_EVENTS_MAX || self.body.len() >= PULL_BYTES_MAX;
                let is_due = !self.body.is_empty() || self.mode == Mode::Poll;
                if is_full || caught_up && is_due {
                    self.respond(self.wait(), out);
                }
            }
            _ => {}
        }
    }

    /// How long a client is to wait before its next pull.
    fn wait(&self) -> Duration {
        if self.mode == Mode::Poll { self.settings.refresh } else { Duration::ZERO }
    }

    fn refuse(&mut self, problem: &Problem, is_unknown: bool, out: &mut Outputs) {
        match self.phase {
            Phase::Opening if is_unknown => {
                self.phase = Phase::Done;
                out.push(Output::Respond(problem.to_response()));
            }
            Phase::Opening => {
                self.phase = Phase::Done;
                out.push(Output::Respond(self.id.format().answer(&nack(&self.id, problem))));
            }
            _ => self.abort(&problem.message, out),
        }
    }

    fn ended(&mut self, end: SessionEnd, out: &mut Outputs) -> Result<(), Problem> {
        match (end, self.phase) {
            (SessionEnd::TakenOver, Phase::Streaming) => {
                self.phase = Phase::Lost(0);
                out.push(Output::Manage(Ticket(0), Manage::Show(self.id.session()?)));
            }
            (SessionEnd::TakenOver, _) => self.respond(LOST_WAIT, out),
            (SessionEnd::Deleted, _) => self.abort("the session has ended", out),
        }
        Ok(())
    }

    fn deadline(&mut self, now: Time, out: &mut Outputs) -> Result<(), Problem> {
        match self.phase {
            Phase::Held => self.respond(self.wait(), out),
            Phase::Lost(_) => {
                out.push(Output::Manage(Ticket(0), Manage::Show(self.id.session()?)));
            }
            Phase::Streaming => {
                if now.since(self.sent) >= self.settings.heartbeat {
                    self.sent = now;
                    let mut text = String::new();
                    self.id.format().write(&Fields::new("hb"), &mut text);
                    self.send(text, out);
                }
                out.push(Output::WakeAt(self.sent + self.settings.heartbeat));
            }
            Phase::Opening | Phase::Done => {}
        }
        Ok(())
    }

    fn closing(&mut self, ComeBack(wait): ComeBack, out: &mut Outputs) {
        match self.phase {
            Phase::Streaming | Phase::Lost(_) => self.end_stream(wait, CloseReason::Restart, out),
            Phase::Opening | Phase::Held => self.respond(wait, out),
            Phase::Done => {}
        }
    }
}

impl Protocol for Listen {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        let mut is_unknown = false;
        let done = match input {
            Input::Opened(_) => self.opened(out),
            Input::Managed(_, Ok(Managed::Session(session))) => self.found(&session, now, out),
            Input::Managed(_, Err(refusal)) => {
                is_unknown = matches!(refusal, Refusal::SessionUnknown(_));
                Err((&refusal).into())
            }
            Input::Subscribed(_, result, refused) => {
                is_unknown = matches!(result, Err(Refusal::SessionUnknown(_)));
                all_or_nothing(result, refused).map(|position| self.subscribed(position, now, out))
            }
            Input::Deliveries { deliveries, position, caught_up, .. } => {
                let text = self.hear(deliveries);
                self.position = self.position.advanced_by(position);
                self.tell(text, caught_up, now, out);
                Ok(())
            }
            Input::Ended(_, end) => self.ended(end, out),
            Input::Deadline => self.deadline(now, out),
            Input::Closing(come_back) => {
                self.closing(come_back, out);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(problem) = done {
            self.refuse(&problem, is_unknown, out);
        }
    }
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Mode::Stream => "stream",
            Mode::Pull => "pull",
            Mode::Poll => "poll",
        }
    }
}
