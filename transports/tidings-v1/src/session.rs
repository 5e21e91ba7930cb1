//! The machine of one `tidings.v1` socket.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tidings_model::{
    Delivery, Encoding, Exposure, Manage, Managed, Position, Published, Refusal, SessionEnd,
    SessionName, Since, SubscribeOptions, Time, TopicFilter,
};
use tidings_protocol::{
    CloseReason, Frame, Input, Output, Outputs, Problem, Protocol, Response, Settings, StreamEnd,
    SubId, Ticket, event,
};

use crate::answer::{Asked, answer, fail, text};
use crate::command::{self, Raw, bad};

/// Most publishes and stored acknowledgements under way on one socket; the client waits for answers before it sends more.
const PUBLISHES_MAX: usize = 1024;

/// The event with the brace that closes what the subscription's prefix has opened.
static EVENT: Encoding = Encoding { name: "tidings.v1 event" };

/// One socket.
pub(crate) struct Session {
    heartbeat: Duration,
    subscriptions_max: usize,
    next_sub: u32,
    next_ticket: u32,
    subs: BTreeMap<SubId, Subscription>,
    names: BTreeMap<Box<str>, SubId>,
    publishes: BTreeMap<Ticket, Publishing>,
    /// Acknowledgements of sessions that are being stored, and the ids of their commands.
    acks: BTreeMap<Ticket, Option<Value>>,
}

struct Subscription {
    name: Box<str>,
    /// What goes before each of its events: `{"sub":"NAME","event":`.
    prefix: Bytes,
    /// The durable session that it is.
    session: Option<SessionName>,
    /// The command it came by, until it is answered.
    asked: Option<Asked>,
}

struct Publishing {
    id: Option<Value>,
    topic: String,
}

impl Session {
    pub(crate) fn new(settings: &Settings) -> Session {
        Session {
            heartbeat: settings.heartbeat,
            subscriptions_max: settings.subscriptions_max,
            next_sub: 0,
            next_ticket: 0,
            subs: BTreeMap::new(),
            names: BTreeMap::new(),
            publishes: BTreeMap::new(),
            acks: BTreeMap::new(),
        }
    }

    fn command(&mut self, text: &str, now: Time, out: &mut Outputs) {
        let (id, raw) = command::parse(text);
        let raw = match raw {
            Ok(raw) => raw,
            Err(problem) => return fail(id, &problem, out),
        };
        let result = match raw.verb.as_str() {
            "subscribe" => self.subscribe(raw, out),
            "unsubscribe" => self.unsubscribe(&raw, out),
            "publish" => self.publish(raw, now, out),
            "ack" => self.ack(&raw, out),
            "ping" => {
                let time = json!({ "time": event::rfc3339(now) });
                answer(id.clone(), true, time, out);
                Ok(())
            }
            "" => Err(bad("do is missing", "say what to do: subscribe, publish, …")),
            other => Err(bad(
                format!("`{other}` is not a command"),
                "subscribe, unsubscribe, publish, ack or ping",
            )),
        };
        if let Err(problem) = result {
            fail(id, &problem, out);
        }
    }

    fn subscribe(&mut self, raw: Raw, out: &mut Outputs) -> Result<(), Problem> {
        if self.subs.len() >= self.subscriptions_max {
            return Err((&Refusal::TooManySubscriptions(self.subs.len())).into());
        }
        let name: Box<str> = match raw.sub_name()? {
            Some(name) if self.names.contains_key(name) => {
                return Err(bad(format!("`{name}` is subscribed already"), "unsubscribe it first"));
            }
            Some(name) => name.into(),
            None => self.free_name(),
        };
        let id = raw.id.clone();
        let wanted = raw.subscribe()?;
        let filters: Vec<TopicFilter> =
            wanted.topics.iter().filter_map(|(_, f)| f.as_ref().ok().cloned()).collect();
        let session = wanted.session.as_ref().map(|session| session.name.clone());
        let asked = Asked { id, topics: wanted.topics };
        if filters.is_empty() && (wanted.session.is_none() || !asked.topics.is_empty()) {
            asked.refuse(
                &bad("none of the topics can be read", "see each topic's own error"),
                &[],
                out,
            );
            return Ok(());
        }
        let sub = SubId(self.next_sub);
        self.next_sub += 1;
        let prefix = format!("{{\"sub\":{},\"event\":", json!(name)).into();
        self.names.insert(name.clone(), sub);
        self.subs.insert(sub, Subscription { name, prefix, session, asked: Some(asked) });
        let options = SubscribeOptions {
            share: None,
            exposure: Exposure::Private,
            filters,
            since: wanted.since,
            otherwise: Since::Now,
            slow: wanted.slow,
            window: wanted.window,
            limit: None,
            session: wanted.session,
        };
        out.push(Output::Subscribe(sub, options));
        Ok(())
    }

    /// A name that no client gave: numbers, skipping those that are taken.
    fn free_name(&self) -> Box<str> {
        (self.next_sub..)
            .map(|number| number.to_string().into_boxed_str())
            .find(|name| !self.names.contains_key(name))
            .unwrap_or_default()
    }

    fn subscribed(
        &mut self,
        sub: SubId,
        result: Result<Position, Refusal>,
        refused: &[(TopicFilter, Refusal)],
        out: &mut Outputs,
    ) {
        let Some(subscription) = self.subs.get_mut(&sub) else { return };
        let Some(asked) = subscription.asked.take() else { return };
        match result {
            Ok(position) => {
                let more = json!({
                    "sub": subscription.name,
                    "position": position.to_string(),
                    "topics": asked.results(refused),
                });
                answer(asked.id, true, more, out);
            }
            Err(refusal) => {
                self.forget(sub);
                asked.refuse(&Problem::from(&refusal), refused, out);
            }
        }
    }

    fn unsubscribe(&mut self, raw: &Raw, out: &mut Outputs) -> Result<(), Problem> {
        let sub = self.known(raw)?;
        self.forget(sub);
        out.push(Output::Unsubscribe(sub));
        answer(raw.id.clone(), true, json!({}), out);
        Ok(())
    }

    fn ack(&mut self, raw: &Raw, out: &mut Outputs) -> Result<(), Problem> {
        let sub = self.known(raw)?;
        let position = raw.ack()?;
        let session = self.subs.get(&sub).and_then(|subscription| subscription.session.clone());
        let Some(session) = session else {
            out.push(Output::Ack(sub, position));
            answer(raw.id.clone(), true, json!({}), out);
            return Ok(());
        };
        if self.publishes.len() + self.acks.len() >= PUBLISHES_MAX {
            return Err(too_many_under_way());
        }
        let ticket = self.next_ticket();
        self.acks.insert(ticket, raw.id.clone());
        out.push(Output::Ack(sub, position));
        out.push(Output::Manage(ticket, Manage::Ack(session, position)));
        Ok(())
    }

    fn managed(&mut self, ticket: Ticket, result: Result<Managed, Refusal>, out: &mut Outputs) {
        let Some(id) = self.acks.remove(&ticket) else { return };
        match result {
            Ok(_) => answer(id, true, json!({}), out),
            Err(refusal) => fail(id, &Problem::from(&refusal), out),
        }
    }

    /// A subscription's session is another's now, or no more.
    fn ended(&mut self, sub: SubId, end: SessionEnd, out: &mut Outputs) {
        if let Some(subscription) = self.subs.get(&sub) {
            let goodbye = event::ended(None, StreamEnd::Session(end)) + "}";
            out.push(Output::Text(subscription.prefix.clone(), goodbye.into()));
        }
        self.forget(sub);
    }

    fn next_ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        ticket
    }

    fn publish(&mut self, raw: Raw, now: Time, out: &mut Outputs) -> Result<(), Problem> {
        if self.publishes.len() + self.acks.len() >= PUBLISHES_MAX {
            return Err(too_many_under_way());
        }
        let id = raw.id.clone();
        let (message, idempotency_key) = raw.publish(now)?;
        let ticket = self.next_ticket();
        let topic = message.topic.as_str().to_owned();
        self.publishes.insert(ticket, Publishing { id, topic });
        out.push(Output::Publish(ticket, vec![message], idempotency_key));
        Ok(())
    }

    fn published(&mut self, ticket: Ticket, result: Result<Published, Refusal>, out: &mut Outputs) {
        let Some(Publishing { id, topic }) = self.publishes.remove(&ticket) else { return };
        match result {
            Ok(published) => {
                let position = published.position.to_string();
                let durability = published.durability.name();
                let more =
                    json!({ "topic": topic, "position": position, "durability": durability });
                answer(id, true, more, out);
            }
            Err(refusal) => fail(id, &Problem::from(&refusal), out),
        }
    }

    fn deliver(&self, sub: SubId, deliveries: &[Delivery], out: &mut Outputs) {
        let Some(subscription) = self.subs.get(&sub) else { return };
        for delivery in deliveries {
            let closed = match delivery {
                Delivery::Event(event) => event::shared(&EVENT, event, |event| {
                    let mut json = Vec::new();
                    event::write_json(event, &mut json);
                    json.push(b'}');
                    json.into()
                }),
                Delivery::Gap(gap) => (event::gap(gap) + "}").into(),
            };
            out.push(Output::Text(subscription.prefix.clone(), closed));
        }
    }

    fn known(&self, raw: &Raw) -> Result<SubId, Problem> {
        let name = raw.sub_name()?.ok_or_else(|| bad("sub is missing", "name the subscription"))?;
        self.names.get(name).copied().ok_or_else(|| {
            bad(format!("there is no subscription `{name}`"), "use the name its answer gave")
        })
    }

    fn forget(&mut self, sub: SubId) {
        if let Some(subscription) = self.subs.remove(&sub) {
            self.names.remove(&subscription.name);
        }
    }
}

fn too_many_under_way() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_publishes",
        format!("{PUBLISHES_MAX} publishes are under way on this socket"),
        "wait for their answers",
    )
}

impl Protocol for Session {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        match input {
            Input::Opened(_) => {
                out.push(Output::Begin(Response::new(StatusCode::SWITCHING_PROTOCOLS)));
                let heartbeat = self.heartbeat.as_millis() as u64;
                text(
                    &json!({ "type": "ready", "protocol": "tidings.v1", "heartbeatMs": heartbeat }),
                    out,
                );
            }
            Input::Frame(Frame::Text(command)) => self.command(command, now, out),
            Input::Frame(Frame::Binary(_)) => {
                fail(None, &bad("this frame is binary", "send commands as text"), out);
            }
            Input::Subscribed(sub, result, refused) => self.subscribed(sub, result, refused, out),
            Input::Deliveries { sub, deliveries, .. } => self.deliver(sub, deliveries, out),
            Input::Published(ticket, result) => self.published(ticket, result, out),
            Input::Managed(ticket, result) => self.managed(ticket, result, out),
            Input::Ended(sub, end) => self.ended(sub, end, out),
            Input::Closing(come_back) => {
                out.push(Output::text(event::goodbye(None, come_back)));
                out.push(Output::Close(CloseReason::Restart));
            }
            Input::Expired => {
                out.push(Output::text(event::ended(None, StreamEnd::Expired)));
                out.push(Output::Close(CloseReason::Expired));
            }
            _ => {}
        }
    }
}
