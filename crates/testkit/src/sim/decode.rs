//! From what a transport wrote back to what its reader understands, in each transport's own form.

use serde_json::Value;
use tidings_model::{Position, Topic};

use crate::tape::Said;

/// The ways to read, by the name of their transport.
pub(crate) const VIAS: [&str; 9] =
    ["sse", "ndjson", "ws", "poll", "longpoll", "tidings.v1", "xhr", "iframe", "multipart"];

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
        Said::Send(bytes) => match via {
            "sse" => sse(text(bytes)?),
            "multipart" => part(text(bytes)?).map(Vec::from_iter),
            "iframe" => lines(text(bytes)?, script),
            _ => lines(text(bytes)?, |line| Ok(Some(line.to_owned()))),
        },
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

/// The objects of the lines that `find` finds one in; padding is none.
fn lines(
    text: &str,
    find: impl Fn(&str) -> Result<Option<String>, String>,
) -> Result<Vec<Heard>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.filter_map(|line| find(line).transpose()).map(|line| object(&json(&line?)?)).collect()
}

/// The text that a script of a forever iframe hands on.
fn script(line: &str) -> Result<Option<String>, String> {
    let inside = line.split_once(">t(").and_then(|(_, rest)| rest.strip_suffix(")</script>"));
    inside.map(|string| serde_json::from_str(string).map_err(show)).transpose()
}

/// A whole part, or lines of the header of one that is to come.
fn part(text: &str) -> Result<Option<Heard>, String> {
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let position = field("Tidings-Position").map(|text| text.parse().map_err(show)).transpose()?;
    let Some((_, rest)) = text.split_once("\r\n\r\n") else {
        let Some(gap) = field("Tidings-Gap") else { return Ok(None) };
        let words: Vec<&str> = gap.split(' ').collect();
        let &[reason, from, to] = &words[..] else { return Err(format!("not a gap: {gap}")) };
        let (from, to) = (from.parse().map_err(show)?, to.parse().map_err(show)?);
        let position = position.ok_or("a gap without a position")?;
        return Ok(Some(Heard::Gap { reason: reason.to_owned(), from, to, position }));
    };
    let (payload, _) = rest.rsplit_once("\r\n--").ok_or("a part without a delimiter")?;
    let topic = Topic::new(field("Tidings-Topic").unwrap_or_default()).map_err(show)?;
    let position = position.ok_or("a part without a position")?;
    let number = json(payload)?["n"].as_u64().ok_or_else(|| format!("no number: {payload}"))?;
    let attempt = field("Tidings-Attempt").map_or(Ok(1), str::parse).map_err(show)?;
    Ok(Some(Heard::Event { topic, number, position, attempt }))
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
