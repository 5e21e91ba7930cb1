//! From what a transport wrote back to what its reader understands, in each transport's own form.

use serde_json::Value;
use tidings_model::{Position, Topic};

use crate::tape::Said;

/// The ways to read, by the name of their transport.
pub(crate) const VIAS: [&str; 6] = ["sse", "ndjson", "ws", "poll", "longpoll", "tidings.v1"];

/// One thing a reader understood.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Event {
        topic: Topic,
        number: u64,
        position: Position,
        /// The how manieth time it is sent.
        attempt: u64,
    },
    Gap {
        reason: String,
        from: Position,
        to: Position,
        position: Position,
    },
    /// Where it stands, without anything new.
    At(Position),
    /// Nothing more will come on this connection.
    End,
}

/// What one thing said means.
pub(crate) fn decode(via: &str, said: &Said) -> Result<Vec<Heard>, String> {
    match said {
        Said::Begin(_) => Ok(Vec::new()),
        Said::Close(_) => Ok(vec![Heard::End]),
        Said::Binary(_) => Err("an unexpected binary message".to_owned()),
        Said::Send(bytes) if via == "sse" => sse(text(bytes)?),
        Said::Send(bytes) => {
            text(bytes)?.lines().map(|line| object(&json(line)?)).collect::<Result<_, _>>()
        }
        Said::Text(bytes) => socket(&json(text(bytes)?)?),
        Said::Respond(response) if response.status == http::StatusCode::OK => {
            let body = json(text(&response.body)?)?;
            let events = body["events"].as_array().ok_or("an answer without events")?;
            let mut heard = events.iter().map(object).collect::<Result<Vec<_>, _>>()?;
            heard.push(Heard::At(position(&body["position"])?));
            heard.push(Heard::End);
            Ok(heard)
        }
        Said::Respond(response) => {
            Err(format!("refused with {}: {:?}", response.status, response.body))
        }
    }
}

/// One event of the event stream format; its id has to agree with its data.
fn sse(text: &str) -> Result<Vec<Heard>, String> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ").ok_or("an event without data")?;
    let heard = object(&json(data)?)?;
    let id: Position = field("id: ").ok_or("an event without id")?.parse().map_err(show)?;
    let at = match &heard {
        Heard::Event { position, .. } | Heard::Gap { position, .. } | Heard::At(position) => {
            *position
        }
        Heard::End => id,
    };
    if id != at || !text.ends_with("\n\n") {
        return Err(format!("a malformed event: {text:?}"));
    }
    Ok(vec![heard])
}

/// A message on a WebSocket, of either kind.
fn socket(value: &Value) -> Result<Vec<Heard>, String> {
    if value.get("event").is_some() {
        return Ok(vec![object(&value["event"])?]);
    }
    match (value.get("ok").and_then(Value::as_bool), value["type"].as_str()) {
        (Some(true), _) => match value.get("position") {
            Some(at) if value.get("sub").is_some() => Ok(vec![Heard::At(position(at)?)]),
            _ => Ok(Vec::new()),
        },
        (Some(false), _) => Err(format!("a command failed: {value}")),
        (None, Some("ready")) if value.get("protocol").is_some() => Ok(Vec::new()),
        _ => Ok(vec![object(value)?]),
    }
}

/// An event or one of the server's own.
fn object(value: &Value) -> Result<Heard, String> {
    let at = position(&value["position"])?;
    if let Some(topic) = value["topic"].as_str() {
        let topic = Topic::new(topic).map_err(show)?;
        let number = value["data"]["n"].as_u64().ok_or_else(|| format!("no number: {value}"))?;
        let attempt = value["attempt"].as_u64().unwrap_or(1);
        return Ok(Heard::Event { topic, number, position: at, attempt });
    }
    match value["type"].as_str() {
        Some("ready" | "heartbeat" | "goodbye") => Ok(Heard::At(at)),
        Some("gap") => Ok(Heard::Gap {
            reason: value["reason"].as_str().unwrap_or_default().to_owned(),
            from: position(&value["from"])?,
            to: position(&value["to"])?,
            position: at,
        }),
        _ => Err(format!("not understood: {value}")),
    }
}

fn position(value: &Value) -> Result<Position, String> {
    let text = value.as_str().ok_or_else(|| format!("no position: {value}"))?;
    text.parse().map_err(show)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text:?}"))
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(show)
}

fn show(error: impl std::fmt::Display) -> String {
    error.to_string()
}
