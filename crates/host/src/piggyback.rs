//! A machine around another one: its answer takes along the events that the client has not seen yet.
//!
//! A client that publishes often hears of the others in the answers to its own requests, and needs
//! neither a held connection nor polls of its own. Must never change what a request does, nor
//! anything of an answer that did not ask for it.

use tidings_model::{
    Delivery, Exposure, Position, Since, Slow, SubscribeOptions, Time, TopicFilter, limits,
};
use tidings_protocol::ask::{self, all_or_nothing};
use tidings_protocol::{Input, Output, Outputs, Problem, Protocol, Request, Response, SubId};

use crate::negotiate::quality;
use crate::parcel::{Form, Parcel};

/// Most events that one answer takes along, and most payload bytes: the answer is somebody else's,
/// and what does not fit is a poll away.
const EVENTS_MAX: u32 = 100;
const BYTES_MAX: usize = 1 << 20;

/// No other machine calls a subscription so.
const SUB: SubId = SubId(u32::MAX);

/// A machine whose answer may take events along.
pub(crate) struct Piggyback {
    inner: Box<dyn Protocol>,
    state: State,
}

enum State {
    /// The request has not come yet.
    New,
    /// Nothing is to be taken along, or cannot be.
    Plain,
    /// The answer is not there yet.
    Waiting(Box<Wish>),
    /// It is, and what goes with it is being read.
    Reading(Box<Reading>),
    /// All is said.
    Done,
}

/// What is to be taken along.
struct Wish {
    form: Form,
    options: SubscribeOptions,
}

/// What has been read for an answer.
struct Reading {
    form: Form,
    answer: Response,
    items: Vec<Delivery>,
    bytes: usize,
    position: Position,
}

impl Piggyback {
    pub(crate) fn new(inner: Box<dyn Protocol>) -> Piggyback {
        Piggyback { inner, state: State::New }
    }

    fn opened(&mut self, request: &Request, now: Time, out: &mut Outputs) {
        match Wish::parse(request) {
            Ok(None) => self.state = State::Plain,
            Ok(Some(wish)) => self.state = State::Waiting(Box::new(wish)),
            // Before anything is done: a client that misspells its wish must not have published.
            Err(problem) => {
                self.state = State::Done;
                return out.push(Output::Respond(problem.to_response()));
            }
        }
        self.work(Input::Opened(request), now, out);
    }

    /// Feeds the inner machine; its answer is kept back until what goes with it is there.
    fn work(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        let mut outputs = Outputs::default();
        self.inner.handle(input, now, &mut outputs);
        while let Some(output) = outputs.pop() {
            match (std::mem::replace(&mut self.state, State::Plain), output) {
                (State::Waiting(wish), Output::Respond(answer)) => {
                    let Wish { form, options } = *wish;
                    let (items, bytes, position) = (Vec::new(), 0, Position::default());
                    let reading = Reading { form, answer, items, bytes, position };
                    self.state = State::Reading(Box::new(reading));
                    out.push(Output::Subscribe(SUB, options));
                }
                // A stream has no place for what others say.
                (State::Waiting(_), output @ (Output::Begin(_) | Output::Close(_))) => {
                    out.push(output);
                }
                (state, output) => {
                    self.state = state;
                    out.push(output);
                }
            }
        }
    }

    fn finish(&mut self, problem: Option<&Problem>, more: bool, out: &mut Outputs) {
        if let State::Reading(reading) = std::mem::replace(&mut self.state, State::Done) {
            let Reading { form, answer, items, position, .. } = *reading;
            let parcel = match problem {
                Some(problem) => Parcel::Problem(problem),
                None => Parcel::Events { items: &items, position, more },
            };
            out.push(Output::Respond(parcel.pack(form, answer)));
        }
    }
}

impl Protocol for Piggyback {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        match (&mut self.state, input) {
            (State::New, Input::Opened(request)) => self.opened(request, now, out),
            (State::Done, _) => {}
            (State::Reading(reading), input) => match input {
                Input::Subscribed(SUB, result, refused) => match all_or_nothing(result, refused) {
                    Ok(position) => reading.position = position,
                    Err(problem) => self.finish(Some(&problem), false, out),
                },
                Input::Deliveries { sub: SUB, deliveries, position, caught_up } => {
                    reading.add(deliveries, position);
                    if caught_up || reading.is_full() {
                        self.finish(None, !caught_up, out);
                    }
                }
                Input::Ended(SUB, end) => {
                    let problem = Problem::new(
                        http::StatusCode::CONFLICT,
                        end.as_str(),
                        "the session is another connection's now, or no more",
                        "use one connection at a time for each session",
                    );
                    self.finish(Some(&problem), false, out);
                }
                // What could not be read in time is there the next time.
                Input::Closing(_) => self.finish(None, true, out),
                _ => {}
            },
            (State::New | State::Plain | State::Waiting(_), input) => self.work(input, now, out),
        }
    }
}

impl Wish {
    /// What a request wants to be taken along; nothing when it does not say so.
    fn parse(request: &Request) -> Result<Option<Wish>, Problem> {
        let session = text(request, "tidings-session")?;
        let named: Vec<String> = topics(request)?;
        if session.is_none() && named.is_empty() {
            return Ok(None);
        }
        let accepts: Vec<&str> = request
            .headers
            .get_all("accept")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let Some(form) = form(&accepts.join(",")) else { return Ok(None) };
        if named.len() > limits::SELECTION_MAX {
            return Err(ask::too_many_topics(named.len()));
        }
        let filters =
            named.iter().map(|name| TopicFilter::new(name)).collect::<Result<Vec<_>, _>>()?;
        let since = match text(request, "tidings-position")? {
            None => None,
            Some(position) => ask::since(Some(position), None)?,
        };
        let options = SubscribeOptions {
            filters,
            since,
            otherwise: Since::Now,
            slow: Slow::Gap,
            window: None,
            limit: Some(EVENTS_MAX),
            session: ask::session(session, None, None)?,
            share: None,
            exposure: Exposure::Private,
        };
        Ok(Some(Wish { form, options }))
    }
}

impl Reading {
    fn add(&mut self, deliveries: &[Delivery], position: Position) {
        let payload = |delivery: &Delivery| match delivery {
            Delivery::Event(event) => event.record.message.payload.len(),
            Delivery::Gap(_) => 0,
        };
        self.bytes += deliveries.iter().map(payload).sum::<usize>();
        self.items.extend_from_slice(deliveries);
        self.position = position;
    }

    fn is_full(&self) -> bool {
        let is_event = |item: &&Delivery| matches!(item, Delivery::Event(_));
        let events = self.items.iter().filter(is_event).count();
        events >= EVENTS_MAX as usize || self.bytes >= BYTES_MAX
    }
}

/// The form that a client likes best of those it names. Nobody gets one by accepting anything.
fn form(accept: &str) -> Option<Form> {
    let named = |form: &Form| accept.to_ascii_lowercase().contains(form.media_type());
    let wanted = [Form::Json, Form::Multipart].into_iter().filter(named);
    let liked = wanted.map(|form| (quality(accept, form.media_type()), form));
    let mut best: Option<(f32, Form)> = None;
    for (quality, form) in liked {
        if quality > best.map_or(0.0, |(most, _)| most) {
            best = Some((quality, form));
        }
    }
    best.map(|(_, form)| form)
}

/// The topics that the lines of `Tidings-Topic` name, each a list with commas, percent-encoded as in
/// a URL: browsers join lines, and can send nothing but Latin in them.
fn topics(request: &Request) -> Result<Vec<String>, Problem> {
    let mut topics = Vec::new();
    for line in request.headers.get_all("tidings-topic") {
        let line = std::str::from_utf8(line.as_bytes()).map_err(|_| bad_topic())?;
        for name in line.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = percent_encoding::percent_decode_str(name).decode_utf8();
            topics.push(name.map_err(|_| bad_topic())?.into_owned());
        }
    }
    Ok(topics)
}

fn text<'a>(request: &'a Request, name: &str) -> Result<Option<&'a str>, Problem> {
    let value = request.headers.get(name).map(|value| std::str::from_utf8(value.as_bytes()));
    value
        .transpose()
        .map_err(|_| Problem::bad("bad_header", format!("{name} is not UTF-8"), "send it as UTF-8"))
}

fn bad_topic() -> Problem {
    Problem::bad("bad_topic", "Tidings-Topic is not UTF-8", "percent-encode the topic as UTF-8")
}
