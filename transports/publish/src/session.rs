//! The machine of one publish: check, hand over, answer when it is stored.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tidings_model::{EventType, Headers, IdempotencyKey, Manner, Message, NameError, Time, limits};
use tidings_protocol::{
    Input, Output, Outputs, Problem, Protocol, Request, Settings, Ticket, ask, content,
    json_response,
};

use crate::batch::{self, Batch};

/// What every sender-set header's name begins with on the wire.
const HEADER_PREFIX: &str = "tidings-header-";

/// One `POST`.
pub(crate) struct Publish {
    batch_messages_max: usize,
    topic: Option<Box<str>>,
    batch: Batch,
}

impl Publish {
    pub(crate) fn new(settings: &Settings) -> Publish {
        Publish {
            batch_messages_max: settings.batch_messages_max,
            topic: None,
            batch: Batch::Whole,
        }
    }

    fn opened(&mut self, request: &Request, now: Time) -> Result<Output, Problem> {
        let topic = ask::topic(request)?;
        self.topic = Some(topic.as_str().into());
        let declared = content_type(&request.headers)?;
        self.batch = batch_of(request, declared)?;
        let wishes = Wishes::parse(request, now)?;
        let payloads = batch::split(&request.body, self.batch, self.batch_messages_max)?;
        let mut messages = Vec::with_capacity(payloads.len());
        for (index, payload) in payloads.into_iter().enumerate() {
            let content_type = batch::content_type(declared, self.batch, &payload);
            if content::is_json(&content_type) {
                let line = (self.batch != Batch::Whole).then_some(index + 1);
                batch::check_json(&payload, line)?;
            }
            messages.push(wishes.message(topic.clone(), payload, content_type, now));
        }
        Ok(Output::Publish(Ticket(0), messages, wishes.idempotency_key))
    }
}

impl Protocol for Publish {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        match input {
            Input::Opened(request) => match self.opened(request, now) {
                Ok(output) => out.push(output),
                Err(problem) => out.push(Output::Respond(problem.to_response())),
            },
            Input::Published(_, Ok(published)) => {
                let position = published.position.to_string();
                let durability = published.durability.name();
                let mut body =
                    json!({ "topic": self.topic, "position": position, "durability": durability });
                if self.batch != Batch::Whole {
                    body["count"] = published.count.into();
                }
                let mut text = body.to_string();
                text.push('\n');
                let response = json_response(StatusCode::CREATED, text)
                    .with_text(tidings_protocol::stream::POSITION_HEADER, &position);
                out.push(Output::Respond(response));
            }
            Input::Published(_, Err(refusal)) => {
                out.push(Output::Respond(Problem::from(&refusal).to_response()));
            }
            // A publish that is under way finishes, also when the server closes.
            _ => {}
        }
    }
}

/// What request headers or query say of every message in the body.
struct Wishes {
    event_type: EventType,
    headers: Headers,
    key: Option<Box<str>>,
    expires: Option<Time>,
    idempotency_key: Option<IdempotencyKey>,
}

impl Wishes {
    fn parse(request: &Request, now: Time) -> Result<Wishes, Problem> {
        let header_or_query = |header: &str, query: &str| -> Result<Option<String>, Problem> {
            Ok(match text_header(&request.headers, header)? {
                Some(text) => Some(text.to_owned()),
                None => request.query.get(query).map(str::to_owned),
            })
        };
        let ttl = header_or_query("tidings-ttl", "ttl")?;
        let key = header_or_query("tidings-key", "key")?;
        let mut headers = Headers::default();
        for name in request.headers.keys() {
            if let Some(short) = name.as_str().strip_prefix(HEADER_PREFIX) {
                let value = text_header(&request.headers, name.as_str())?.unwrap_or_default();
                headers.set(short, value).map_err(|error| bad_header(name.as_str(), &error))?;
            }
        }
        Ok(Wishes {
            event_type: match header_or_query("tidings-type", "type")? {
                None => EventType::MESSAGE,
                Some(name) => EventType::new(&name).map_err(bad_type)?,
            },
            headers,
            key: key.map(|key| check_key(&key)).transpose()?,
            expires: ttl.map(|ttl| expiry(&ttl, now)).transpose()?,
            idempotency_key: match text_header(&request.headers, "idempotency-key")? {
                None => None,
                Some(key) => {
                    Some(IdempotencyKey::new(key).map_err(|e| bad_header("Idempotency-Key", &e))?)
                }
            },
        })
    }

    fn message(
        &self,
        topic: tidings_model::Topic,
        payload: Bytes,
        content_type: Box<str>,
        now: Time,
    ) -> Message {
        Message {
            topic,
            payload,
            content_type,
            event_type: self.event_type.clone(),
            headers: self.headers.clone(),
            from: None,
            key: self.key.clone(),
            time: now,
            expires: self.expires,
            manner: Manner::default(),
        }
    }
}

fn batch_of(request: &Request, declared: Option<&str>) -> Result<Batch, Problem> {
    let asked = text_header(&request.headers, "tidings-batch")?.or(request.query.get("batch"));
    match (asked, declared.map(content::essence).as_deref()) {
        (None | Some("lines"), Some(content::NDJSON | "application/jsonl")) => Ok(Batch::JsonLines),
        (None, _) => Ok(Batch::Whole),
        (Some("lines"), _) => Ok(Batch::Lines),
        (Some(_), _) => {
            Err(Problem::bad("bad_batch", "Tidings-Batch must be lines", "or leave it out"))
        }
    }
}

fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let text = text_header(headers, "content-type")?.filter(|text| !text.is_empty());
    match text {
        Some(text) if text.len() > limits::CONTENT_TYPE_BYTES_MAX => {
            let error = NameError::TooLong(text.len(), limits::CONTENT_TYPE_BYTES_MAX);
            Err(bad_header("Content-Type", &error))
        }
        text => Ok(text),
    }
}

fn check_key(key: &str) -> Result<Box<str>, Problem> {
    if key.is_empty() || key.len() > limits::KEY_BYTES_MAX || key.chars().any(char::is_control) {
        let message = format!("the key must be 1 to {} bytes of text", limits::KEY_BYTES_MAX);
        return Err(Problem::bad("bad_header", message, "choose a shorter Tidings-Key"));
    }
    Ok(key.into())
}

fn expiry(ttl: &str, now: Time) -> Result<Time, Problem> {
    match ask::span(ttl) {
        Some(span) if !span.is_zero() => Ok(now + span),
        _ => Err(Problem::bad(
            "bad_header",
            format!("the TTL `{ttl}` is not a span of time"),
            "say whole seconds, or such as 90s, 15m, 2h",
        )),
    }
}

/// A header as text: UTF-8 is taken, which HTTP libraries send for names beyond ASCII.
fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    match headers.get(name).map(|value| std::str::from_utf8(value.as_bytes())) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => {
            Err(Problem::bad("bad_header", format!("{name} is not UTF-8"), "send it as UTF-8"))
        }
    }
}

fn bad_header(name: &str, error: &NameError) -> Problem {
    Problem::bad("bad_header", format!("{name}: {error}"), "shorten it or leave it out")
}

fn bad_type(error: NameError) -> Problem {
    Problem::bad("bad_type", format!("the event type: {error}"), "choose another Tidings-Type")
}
