//! Commands as clients send them, read and checked. Must never accept half a command.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tidings_model::{
    EventType, Headers, IdempotencyKey, Manner, Message, NameError, Position, SessionOptions,
    Since, Slow, Time, Topic, TopicFilter, limits,
};
use tidings_protocol::{Problem, ask, content};

/// Longest name of a subscription, in bytes.
const SUB_BYTES_MAX: usize = 64;

/// Widest window. The core remembers one position for each event under way.
const WINDOW_MAX: u32 = 10_000;

/// A command's shape; which fields count depends on `do`. Unknown fields are errors, since a
/// misspelt `since` would otherwise silently read from elsewhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Raw {
    #[serde(rename = "do")]
    pub(crate) verb: String,
    pub(crate) id: Option<Value>,
    pub(crate) sub: Option<String>,
    topics: Vec<String>,
    since: Option<String>,
    last: Option<u32>,
    slow: Option<String>,
    window: Option<u32>,
    session: Option<String>,
    ack: Option<String>,
    expires: Option<Value>,
    topic: Option<String>,
    /// `null` is data too, and not the same as none.
    #[serde(deserialize_with = "present")]
    data: Option<Value>,
    encoding: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    headers: std::collections::BTreeMap<String, String>,
    key: Option<String>,
    ttl: Option<Value>,
    #[serde(rename = "idempotencyKey")]
    idempotency_key: Option<String>,
    position: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What is to be read by one subscription.
pub(crate) struct Subscribe {
    pub(crate) topics: Vec<(String, Result<TopicFilter, Problem>)>,
    pub(crate) since: Option<Since>,
    pub(crate) slow: Slow,
    pub(crate) window: Option<u32>,
    pub(crate) session: Option<SessionOptions>,
}

/// Reads a frame as a command: its id, as far as there is one, and the command.
pub(crate) fn parse(text: &str) -> (Option<Value>, Result<Raw, Problem>) {
    let hint = "send one JSON object a frame, as the guide on tidings.v1 has it";
    let value = match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => value,
        Ok(_) => return (None, Err(bad("the frame is not a JSON object", hint))),
        Err(error) => return (None, Err(bad(format!("the frame is not JSON: {error}"), hint))),
    };
    let id = match value.get("id") {
        None => None,
        Some(id @ (Value::String(_) | Value::Number(_))) => Some(id.clone()),
        Some(_) => return (None, Err(bad("id must be a string or a number", "or leave it out"))),
    };
    let raw = serde_json::from_value(value)
        .map_err(|error| bad(format!("this is not a command: {error}"), hint));
    (id, raw)
}

impl Raw {
    /// The subscription's name, when the client gave one.
    pub(crate) fn sub_name(&self) -> Result<Option<&str>, Problem> {
        match self.sub.as_deref() {
            Some(name) if name.is_empty() || name.len() > SUB_BYTES_MAX => {
                Err(bad(format!("sub must be 1 to {SUB_BYTES_MAX} bytes"), "choose another name"))
            }
            name => Ok(name),
        }
    }

    /// This command as `subscribe`.
    pub(crate) fn subscribe(self) -> Result<Subscribe, Problem> {
        let expires = self.expires.as_ref().map(span_text);
        let session =
            ask::session(self.session.as_deref(), self.ack.as_deref(), expires.as_deref())?;
        if self.topics.is_empty() && session.is_none() {
            return Err(bad("topics is missing or empty", "list what to read: [\"a\", \"b/**\"]"));
        }
        if self.topics.len() > limits::SELECTION_MAX {
            return Err(ask::too_many_topics(self.topics.len()));
        }
        let last = self.last.map(|last| last.to_string());
        let window = match self.window {
            Some(window) if window == 0 || window > WINDOW_MAX => {
                return Err(bad(format!("window must be 1 to {WINDOW_MAX}"), "or leave it out"));
            }
            window => window,
        };
        Ok(Subscribe {
            since: ask::since(self.since.as_deref(), last.as_deref())?,
            slow: ask::slow(self.slow.as_deref())?,
            window,
            session,
            topics: self
                .topics
                .into_iter()
                .map(|topic| {
                    let filter = TopicFilter::new(&topic).map_err(Problem::from);
                    (topic, filter)
                })
                .collect(),
        })
    }

    /// This command as `ack`: up to where.
    pub(crate) fn ack(&self) -> Result<Position, Problem> {
        let text = self.position.as_deref().ok_or_else(|| {
            bad("position is missing", "acknowledge the position of the last event you have")
        })?;
        text.parse().map_err(|error| {
            Problem::bad("bad_position", error, "give back a position exactly as it came")
        })
    }

    /// This command as `publish`.
    pub(crate) fn publish(self, now: Time) -> Result<(Message, Option<IdempotencyKey>), Problem> {
        let topic = self.topic.as_deref().ok_or_else(|| bad("topic is missing", "name one"))?;
        let topic = Topic::new(topic)?;
        let data = self.data.ok_or_else(|| bad("data is missing", "null is data too"))?;
        let (payload, natural) = payload(data, self.encoding.as_deref())?;
        let content_type = self.content_type.unwrap_or_else(|| natural.to_owned());
        if content_type.len() > limits::CONTENT_TYPE_BYTES_MAX
            || content_type.chars().any(char::is_control)
        {
            return Err(bad("contentType is too long or has a control character", "shorten it"));
        }
        if content::is_json(&content_type) && natural != content::JSON {
            // A string or bytes that claim to be JSON have to be.
            let checked =
                std::str::from_utf8(&payload).map_err(|error| error.to_string()).and_then(|text| {
                    serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string())
                });
            if let Err(error) = checked {
                let message = format!("contentType says JSON, but the data is not: {error}");
                return Err(Problem::bad("bad_json", message, "give data as a JSON value"));
            }
        }
        let mut headers = Headers::default();
        for (name, value) in &self.headers {
            headers.set(name, value).map_err(|error| named("headers", &error))?;
        }
        let key = self.key.map(String::into_boxed_str);
        if key.as_ref().is_some_and(|k| k.is_empty() || k.len() > limits::KEY_BYTES_MAX) {
            return Err(bad(
                format!("key must be 1 to {} bytes", limits::KEY_BYTES_MAX),
                "shorten it",
            ));
        }
        let message = Message {
            topic,
            payload,
            content_type: content_type.into(),
            event_type: match self.event_type.as_deref() {
                None => EventType::MESSAGE,
                Some(name) => EventType::new(name).map_err(|error| {
                    Problem::bad("bad_type", format!("the event type: {error}"), "choose another")
                })?,
            },
            headers,
            from: None,
            key,
            time: now,
            expires: self.ttl.map(|ttl| expiry(&ttl, now)).transpose()?,
            manner: Manner::default(),
        };
        let idempotency_key = self
            .idempotency_key
            .map(|key| IdempotencyKey::new(&key).map_err(|e| named("idempotencyKey", &e)))
            .transpose()?;
        Ok((message, idempotency_key))
    }
}

/// The bytes of `data`, and the content type that goes without saying.
fn payload(data: Value, encoding: Option<&str>) -> Result<(Bytes, &'static str), Problem> {
    match (encoding, data) {
        (None, Value::String(text)) => Ok((text.into(), content::TEXT)),
        (None, value) => Ok((value.to_string().into(), content::JSON)),
        (Some("base64"), Value::String(text)) => match STANDARD.decode(text) {
            Ok(bytes) => Ok((bytes.into(), content::BYTES)),
            Err(error) => Err(bad(format!("data is not base64: {error}"), "RFC 4648 section 4")),
        },
        (Some(_), _) => {
            Err(bad("encoding must be base64, with a string as data", "or leave it out"))
        }
    }
}

/// A span as clients give it: a text, or a number of seconds.
fn span_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn expiry(ttl: &Value, now: Time) -> Result<Time, Problem> {
    match ask::span(&span_text(ttl)) {
        Some(span) if !span.is_zero() => Ok(now + span),
        _ => {
            Err(bad(format!("ttl {ttl} is not a span of time"), "say seconds, or such as \"15m\""))
        }
    }
}

fn named(field: &str, error: &NameError) -> Problem {
    bad(format!("{field}: {error}"), "shorten it or leave it out")
}

/// A command that cannot be carried out as it is.
pub(crate) fn bad(message: impl ToString, hint: &'static str) -> Problem {
    Problem::bad("bad_command", message, hint)
}
