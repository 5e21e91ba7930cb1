//! The one event form, and the server's own events beside it. Documented in `docs/guide/http.md`.

use bytes::Bytes;
use jiff::Timestamp;
use tidings_model::{ComeBack, Delivery, Encoding, Event, Gap, Headers, Position, Record, Time};

use crate::content::{self, Data, write_string, write_value};
use crate::machine::StreamEnd;

static JSON: Encoding = Encoding { name: "event json" };

/// The event as JSON on one line, without a line break.
///
/// Readers of a single log all stand at the same position after an event, so they share one
/// encoding; only a reader of both logs, or one that is sent it again, needs its own.
pub fn json(event: &Event) -> Bytes {
    shared(&JSON, event, |event| {
        let mut out = Vec::with_capacity(192 + event.record.message.payload.len());
        write_json(event, &mut out);
        out.into()
    })
}

/// What `encode` gives for an event; shared wherever it depends on nothing but the record: the
/// position is the record's own, as it is for every reader of a single log, and it is sent for
/// the first time.
pub fn shared(
    encoding: &'static Encoding,
    event: &Event,
    encode: impl Fn(&Event) -> Bytes,
) -> Bytes {
    let Event { record, position, attempt } = event;
    if *attempt == 1 && *position == Position::at(record.log, record.mark) {
        record.encoded(encoding, |_| encode(event))
    } else {
        encode(event)
    }
}

/// Writes the event as JSON.
pub fn write_json(event: &Event, out: &mut Vec<u8>) {
    let message = &*event.record.message;
    out.extend_from_slice(b"{\"topic\":");
    write_string(message.topic.as_str(), out);
    field("position", &event.position.to_string(), out);
    if event.attempt > 1 {
        out.extend_from_slice(format!(",\"attempt\":{}", event.attempt).as_bytes());
    }
    field("time", &rfc3339(message.time), out);
    field("type", message.event_type.as_str(), out);
    if let Some(from) = &message.from {
        field("from", from, out);
    }
    field("contentType", &message.content_type, out);
    if let Some(key) = &message.key {
        field("key", key, out);
    }
    if let Some(reply) = &message.manner.reply {
        if !reply.topic.is_empty() {
            field("responseTopic", &reply.topic, out);
        }
        if let Some(data) = &reply.correlation {
            field("correlationData", &content::base64(data), out);
        }
    }
    write_headers(&message.headers, out);
    let data = content::data(&message.content_type, &message.payload);
    if matches!(data, Data::Bytes(_)) {
        out.extend_from_slice(b",\"encoding\":\"base64\"");
    }
    out.extend_from_slice(b",\"data\":");
    write_value(data, out);
    out.push(b'}');
}

/// Writes the headers as an object. What stands several times is one list, as in HTTP (RFC 9110
/// section 5.3).
fn write_headers(headers: &Headers, out: &mut Vec<u8>) {
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in headers.iter() {
        if seen.contains(&name) {
            continue;
        }
        let begin: &[u8] = if seen.is_empty() { b",\"headers\":{" } else { b"," };
        out.extend_from_slice(begin);
        seen.push(name);
        let values = headers.iter().filter(|(other, _)| *other == name).map(|(_, value)| value);
        write_string(name, out);
        out.push(b':');
        write_string(&values.collect::<Vec<_>>().join(", "), out);
    }
    if !seen.is_empty() {
        out.push(b'}');
    }
}

/// Writes `"events":[…],"position":"…"`, the inside of every JSON object that holds events.
pub fn write_events(items: &[Delivery], position: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"events\":[");
    write_list(
        out,
        items.iter().map(|item| match item {
            Delivery::Event(event) => json(event),
            Delivery::Gap(lost) => gap(lost).into(),
        }),
    );
    out.extend_from_slice(format!("],\"position\":\"{position}\"").as_bytes());
}

/// Writes the `data` of each event alone, as a JSON array. Gaps have no place in it.
pub fn write_values(items: &[Delivery], out: &mut Vec<u8>) {
    out.push(b'[');
    write_list(
        out,
        items.iter().filter_map(|item| match item {
            Delivery::Event(event) => Some(value(&event.record).into()),
            Delivery::Gap(_) => None,
        }),
    );
    out.push(b']');
}

fn write_list(out: &mut Vec<u8>, items: impl Iterator<Item = Bytes>) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&item);
    }
}

/// The value of `data` alone, as `?data=raw` has it where JSON is spoken.
pub fn value(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(content::data(&record.message.content_type, &record.message.payload), &mut out);
    out
}

/// `ready`: the first thing on every stream.
pub fn ready(position: Position) -> String {
    format!("{{\"type\":\"ready\",\"position\":\"{position}\"}}")
}

/// `heartbeat`: on a stream that was silent for a while.
pub fn heartbeat(position: Position, now: Time) -> String {
    let time = rfc3339(now);
    format!("{{\"type\":\"heartbeat\",\"position\":\"{position}\",\"time\":\"{time}\"}}")
}

/// `gap`: history is gone.
pub fn gap(gap: &Gap) -> String {
    let Gap { reason, from, to, position } = gap;
    let reason = reason.as_str();
    format!(
        "{{\"type\":\"gap\",\"reason\":\"{reason}\",\"from\":\"{from}\",\"to\":\"{to}\",\"position\":\"{position}\"}}"
    )
}

/// `goodbye`: the server is about to close the stream in good order.
pub fn goodbye(position: Option<Position>, come_back: ComeBack) -> String {
    let position = position.map_or_else(String::new, |p| format!("\"position\":\"{p}\","));
    format!("{{\"type\":\"goodbye\",{position}\"retryMs\":{}}}", come_back.0.as_millis())
}

/// `goodbye`: the stream ends, and its reader should not simply come back.
pub fn ended(position: Option<Position>, end: StreamEnd) -> String {
    let position = position.map_or_else(String::new, |p| format!(",\"position\":\"{p}\""));
    format!("{{\"type\":\"goodbye\",\"reason\":\"{}\"{position}}}", end.as_str())
}

/// A time as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: Time) -> String {
    i64::try_from(time.as_millis())
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_string(value, out);
}
