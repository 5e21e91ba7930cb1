//! The machine behind every whole HTTP answer that reads: it collects what there is, waits for it
//! where it was asked to, and answers once. Transports differ by a [`Format`] only.
//!
//! Must never answer with more than its limits allow: an answer is held whole in memory.

mod advice;
mod crowd;
mod format;
mod tag;

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};
use tidings_model::{
    Delivery, Exposure, Position, SessionEnd, Since, Slow, SubscribeOptions, Time, TopicFilter,
};

use crate::ask::{Ask, EVENTS_MAX, all_or_nothing};
use crate::machine::{Input, Output, Outputs, Protocol, SubId};
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::stream::POSITION_HEADER;
use crate::transport::Settings;

pub use advice::advice;
pub use format::{Answer, Format};

/// What is read for the answer,
const SUB: SubId = SubId(0);
/// and the newest event, where only its age is wanted.
const NEWEST: SubId = SubId(1);

/// One poll, held or not.
pub struct Poll<F> {
    format: F,
    settings: Arc<Settings>,
    /// How long to wait for the first event; nothing: it is not a held poll.
    wait: Option<Duration>,
    limit: usize,
    /// Whether older events make room for newer ones.
    slides: bool,
    if_none_match: Option<Box<str>>,
    /// What is only of those that are not held, since many may be held at once.
    quiet: Option<Box<Quiet>>,
    /// How long caches may keep the answer, if they may, and where the reader stood before it.
    keep: Option<Box<(Duration, Position)>>,
    items: Vec<Delivery>,
    bytes: usize,
    /// Where the reader stands.
    position: Position,
    answered: bool,
}

/// How quiet it is where a poll reads.
struct Quiet {
    /// Where to look for the newest event when the answer has none.
    topics: Vec<TopicFilter>,
    exposure: Exposure,
    /// When the newest event was published, if that is known.
    newest: Option<Option<Time>>,
}

impl<F: Format> Poll<F> {
    /// A machine that has seen nothing yet.
    pub fn new(settings: &Arc<Settings>, format: F) -> Poll<F> {
        Poll {
            format,
            settings: Arc::clone(settings),
            wait: None,
            limit: 0,
            slides: false,
            if_none_match: None,
            quiet: None,
            keep: None,
            items: Vec::new(),
            bytes: 0,
            position: Position::default(),
            answered: false,
        }
    }

    fn opened(&mut self, request: &Request) -> Result<Output, Problem> {
        self.format.open(request)?;
        let mut ask = Ask::parse(request)?;
        let wait = self.format.read(&mut ask)?;
        self.wait = wait.map(|wait| wait.min(self.settings.long_poll_max));
        if request.is_head() {
            self.wait = self.wait.map(|_| Duration::ZERO);
        }
        self.if_none_match = request.header("if-none-match").map(Into::into);
        let is_held = self.wait.is_some();
        let otherwise = if is_held { Since::Now } else { Since::Last(F::LIMIT_DEFAULT) };
        let limit = match (ask.limit, ask.since) {
            (Some(limit), _) => limit,
            (None, Some(Since::Last(last))) => last.min(EVENTS_MAX),
            (None, _) => F::LIMIT_DEFAULT,
        };
        let otherwise = match otherwise {
            Since::Last(_) => Since::Last(limit),
            otherwise => otherwise,
        };
        self.limit = limit as usize;
        // Whoever has the newest events and waits for others wants the newest ones then, too.
        self.slides =
            is_held && self.if_none_match.is_some() && matches!(ask.since, Some(Since::Last(_)));
        // Otherwise nothing is read that the answer does not take.
        ask.limit = (!self.slides).then_some(limit);
        // What a session is told is nobody else's.
        let is_anyones = ask.session.is_none();
        let keep = is_anyones.then(|| self.settings.caching.of(&ask.filters)).flatten();
        self.keep = keep.map(|keep| Box::new((keep, Position::default())));
        if !is_held {
            // Looking for the newest of what a wildcard matches may cost a walk over the whole log.
            let named = ask.filters.iter().all(|filter| filter.as_topic().is_some());
            let topics = if named { ask.filters.clone() } else { Vec::new() };
            self.quiet = Some(Box::new(Quiet { topics, exposure: ask.exposure, newest: None }));
        }
        Ok(ask.subscribe(SUB, otherwise))
    }

    fn subscribed(&mut self, position: Position, now: Time, out: &mut Outputs) {
        self.position = position;
        if let Some(keep) = &mut self.keep {
            keep.1 = position;
        }
        if let Some(wait) = self.wait.filter(|wait| !wait.is_zero()) {
            let is_shared = self.keep.is_some();
            let until = if is_shared { crowd::end_of_wait(wait, now) } else { now + wait };
            out.push(Output::WakeAt(until));
        }
    }

    fn deliver(&mut self, deliveries: &[Delivery], position: Position) {
        self.bytes += deliveries.iter().map(payload_bytes).sum::<usize>();
        self.items.extend_from_slice(deliveries);
        self.position = position;
        while self.slides && self.items.len() > self.limit {
            self.bytes -= payload_bytes(&self.items.remove(0));
        }
    }

    /// Whether there is nothing to wait for any more.
    fn is_complete(&self, caught_up: bool) -> bool {
        let events = self.items.iter().filter(|item| matches!(item, Delivery::Event(_))).count();
        let is_full = events >= self.limit || self.bytes >= F::BYTES_MAX;
        if self.wait.is_none_or(|wait| wait.is_zero()) {
            return is_full || caught_up;
        }
        !self.items.is_empty() && (is_full || caught_up) && !self.is_known(&self.tag())
    }

    /// Answers, or looks first how quiet it is.
    fn finish(&mut self, now: Time, out: &mut Outputs) {
        if let Some(quiet) = &mut self.quiet {
            let newest = self.items.iter().rev().find_map(published);
            if newest.is_some() {
                quiet.newest = Some(newest);
            } else if !quiet.topics.is_empty() && quiet.newest.is_none() {
                let filters = std::mem::take(&mut quiet.topics);
                out.push(Output::Subscribe(NEWEST, the_newest(filters, quiet.exposure)));
                return;
            }
        }
        self.respond(now, out);
    }

    fn respond(&mut self, now: Time, out: &mut Outputs) {
        self.answered = true;
        let newest = self.quiet.as_ref().and_then(|quiet| quiet.newest);
        let advice = newest.map(|newest| advice(&self.settings, newest, now));
        let kept = self.keep.as_ref().map(|keep| crowd::kept(keep.0, now));
        let answer = Answer {
            items: &self.items,
            position: &self.place(now),
            // Whoever comes back before a cache asks again gets the same again.
            retry_after: advice.map(|advice| kept.map_or(advice, |kept| kept.max(advice))),
            now,
        };
        let tag = self.tag();
        let is_known = match self.if_none_match {
            Some(_) => self.is_known(&tag),
            None => self.wait.is_none() && self.format.is_known(&answer),
        };
        let mut response = if is_known {
            Response::new(StatusCode::NOT_MODIFIED)
        } else {
            Response::new(StatusCode::OK).with_body(F::CONTENT_TYPE, self.format.body(&answer))
        };
        let control = match (kept, self.wait) {
            (Some(kept), _) => format!("public, max-age={}, no-transform", kept.as_secs()),
            (None, Some(_)) => "no-store, no-transform".to_owned(),
            // A cache may keep it, but has to ask; that is what the tag is for.
            (None, None) => "no-cache, no-transform".to_owned(),
        };
        if let Some(retry_after) = answer.retry_after {
            let seconds = retry_after.as_secs().to_string();
            response = response.with_text(header::RETRY_AFTER, &seconds);
        }
        let response = response
            .with_text(header::CACHE_CONTROL, &control)
            .with(header::VARY, "Accept")
            .with_text(header::ETAG, &tag)
            .with_text(POSITION_HEADER, answer.position);
        out.push(Output::Respond(self.format.head(&answer, response)));
    }

    /// Where the reader is told to go on from. An answer that many share must not say how far the
    /// log has come meanwhile, or no two would go on from the same place.
    fn place(&self, now: Time) -> String {
        let begun = self.keep.as_ref().map(|keep| keep.1);
        match (self.items.last(), begun, self.wait) {
            (Some(Delivery::Event(event)), Some(_), _) => event.position.to_string(),
            (None, Some(begun), Some(wait)) => crowd::next_turn(begun, wait, now),
            (None, Some(begun), None) => begun.to_string(),
            _ => self.position.to_string(),
        }
    }

    fn refuse(&mut self, problem: &Problem, out: &mut Outputs) {
        self.answered = true;
        out.push(Output::Respond(self.format.problem(problem)));
    }

    fn tag(&self) -> String {
        tag::tag(F::CONTENT_TYPE, &self.items)
    }

    /// Whether the reader has an answer with this tag already.
    fn is_known(&self, tag: &str) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tag::matches(tags, tag))
    }
}

impl<F: Format> Protocol for Poll<F> {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        if self.answered {
            return;
        }
        match input {
            Input::Opened(request) => match self.opened(request) {
                Ok(output) => out.push(output),
                Err(problem) => self.refuse(&problem, out),
            },
            Input::Subscribed(SUB, result, refused) => match all_or_nothing(result, refused) {
                Ok(position) => self.subscribed(position, now, out),
                Err(problem) => self.refuse(&problem, out),
            },
            Input::Deliveries { sub: SUB, deliveries, position, caught_up } => {
                self.deliver(deliveries, position);
                if self.is_complete(caught_up) {
                    self.finish(now, out);
                }
            }
            // How quiet it is is worth nothing more than advice.
            Input::Subscribed(_, Err(_), _) => self.respond(now, out),
            Input::Deliveries { deliveries, .. } => {
                if let Some(quiet) = &mut self.quiet {
                    quiet.newest = Some(deliveries.iter().rev().find_map(published));
                }
                self.respond(now, out);
            }
            Input::Deadline => self.finish(now, out),
            Input::Closing(_) => self.respond(now, out),
            Input::Ended(_, end) => self.refuse(&ended(end), out),
            _ => {}
        }
    }
}

/// What is read to learn when the newest event was published.
fn the_newest(filters: Vec<TopicFilter>, exposure: Exposure) -> SubscribeOptions {
    SubscribeOptions {
        filters,
        since: Some(Since::Last(1)),
        otherwise: Since::Now,
        slow: Slow::Gap,
        window: None,
        limit: Some(1),
        session: None,
        share: None,
        exposure,
    }
}

fn published(delivery: &Delivery) -> Option<Time> {
    match delivery {
        Delivery::Event(event) => Some(event.record.message.time),
        Delivery::Gap(_) => None,
    }
}

fn payload_bytes(delivery: &Delivery) -> usize {
    match delivery {
        Delivery::Event(event) => event.record.message.payload.len(),
        Delivery::Gap(_) => 0,
    }
}

/// What a poll is told whose session is another's now, or no more.
fn ended(end: SessionEnd) -> Problem {
    let (message, hint) = match end {
        SessionEnd::TakenOver => {
            ("another connection has become this session", "use one connection for each session")
        }
        SessionEnd::Deleted => ("the session was deleted", "begin it anew, or read without it"),
    };
    Problem::new(StatusCode::CONFLICT, end.as_str(), message, hint)
}
