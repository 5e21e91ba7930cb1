//! What a server says to a reader, whatever way it came: the event form of the guide.
//! Must never copy what it can borrow; hundreds of thousands of these are read a second.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_protocol::content;

/// Largest event that is read, in bytes. The largest message a server takes is 64 MiB, which is
/// 86 MiB in base64; the rest is for everything around it.
pub(crate) const EVENT_BYTES_MAX: usize = 96 << 20;

/// What a decoder hands out.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// An event, or one of the server's own.
    Event(&'a Event<'a>),
    /// Where the reader stands after a whole answer (poll, long poll).
    Position(&'a str),
    /// How long to wait before coming back after a loss (the `retry` field of SSE).
    Retry(Duration),
}

/// One event, or one of the server's own (`ready`, `heartbeat`, `gap`, `goodbye`), told apart by
/// having no topic. Texts are empty where a field is not there.
#[derive(Debug, Deserialize)]
pub(crate) struct Event<'a> {
    /// The JSON it was read from, on one line, exactly as received.
    #[serde(skip)]
    pub json: &'a str,
    /// The topic; empty for the server's own.
    #[serde(borrow, default)]
    pub topic: Cow<'a, str>,
    /// Where a reader stands that has seen this.
    #[serde(borrow, default)]
    pub position: Cow<'a, str>,
    /// When the server accepted it, RFC 3339 in UTC.
    #[serde(borrow, default)]
    pub time: Cow<'a, str>,
    /// What kind of event it is.
    #[serde(borrow, default, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The payload's media type.
    #[serde(borrow, default, rename = "contentType")]
    pub content_type: Cow<'a, str>,
    /// How a payload that is no text is written; only `base64` exists.
    #[serde(borrow, default)]
    encoding: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// Why there is a gap.
    #[serde(borrow, default)]
    pub reason: Cow<'a, str>,
    /// Where the gap begins.
    #[serde(borrow, default)]
    pub from: Cow<'a, str>,
    /// Where the gap ends.
    #[serde(borrow, default)]
    pub to: Cow<'a, str>,
    /// When to come back after a goodbye, in milliseconds.
    #[serde(default, rename = "retryMs")]
    pub retry_ms: Option<u64>,
}

/// What came is not what the guide promises. Trying again would not mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Not JSON, or not an event.
    #[error("the server sent something that is no event: {0}")]
    NotAnEvent(String),
    /// Larger than [`EVENT_BYTES_MAX`], or an answer larger than its own limit.
    #[error("the server sent more than {} MiB at once", .0 >> 20)]
    TooLarge(usize),
    /// Against the rules of WebSocket.
    #[error("the server broke the WebSocket protocol: {0}")]
    WebSocket(#[from] tidings_websocket_codec::WsError),
}

impl<'a> Event<'a> {
    /// Reads one event from its JSON.
    pub(crate) fn parse(json: &'a str) -> Result<Event<'a>, DecodeError> {
        let event: Event<'a> = serde_json::from_str(json)
            .map_err(|error| DecodeError::NotAnEvent(error.to_string()))?;
        if event.kind.is_empty() {
            return Err(DecodeError::NotAnEvent("it has no type".to_owned()));
        }
        Ok(Event { json, ..event })
    }

    /// The payload as it was published; JSON perhaps on fewer lines.
    pub(crate) fn payload(&self) -> Result<Cow<'a, [u8]>, DecodeError> {
        let Some(data) = self.data.map(RawValue::get) else { return Ok(Cow::Borrowed(b"")) };
        if self.encoding.is_empty() && content::is_json(&self.content_type) {
            return Ok(Cow::Borrowed(data.as_bytes()));
        }
        let text = string(data)?;
        match &*self.encoding {
            "" => Ok(match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
            "base64" => STANDARD
                .decode(&*text)
                .map(Cow::Owned)
                .map_err(|error| DecodeError::NotAnEvent(error.to_string())),
            other => Err(DecodeError::NotAnEvent(format!("unknown encoding {other:?}"))),
        }
    }

    /// Whether the payload is no text.
    pub(crate) fn is_binary(&self) -> bool {
        !self.encoding.is_empty()
    }
}

fn string(json: &str) -> Result<Cow<'_, str>, DecodeError> {
    /// Borrows where there is nothing to unescape, which a plain `Cow` never does in serde.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(json)
        .map(|Text(text)| text)
        .map_err(|error| DecodeError::NotAnEvent(error.to_string()))
}

/// Turns bytes as they come into items, whatever way they are cut.
pub(crate) trait Decode {
    /// Takes the next bytes, and gives each item that is now complete to `take`.
    fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError>;

    /// Nothing more comes. What is incomplete is dropped, unless only the end made it whole.
    fn finish(
        &mut self,
        _take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The items that `decoder` makes of `bytes` fed in these pieces, as text.
    pub(crate) fn items<'p>(
        mut decoder: impl Decode,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Result<Vec<String>, DecodeError> {
        let mut items = Vec::new();
        let mut take = |item: Item<'_>| {
            items.push(shown(&item)?);
            Ok(())
        };
        for piece in pieces {
            decoder.feed(piece, &mut take)?;
        }
        decoder.finish(&mut take)?;
        Ok(items)
    }

    /// One item as text: type, position and payload.
    pub(crate) fn shown(item: &Item<'_>) -> Result<String, DecodeError> {
        Ok(match item {
            Item::Event(event) => {
                assert_eq!(Event::parse(event.json)?.position, event.position);
                let payload = event.payload()?;
                let payload = String::from_utf8_lossy(&payload);
                format!("{} {} {payload}", event.kind, event.position)
            }
            Item::Position(position) => format!("at {position}"),
            Item::Retry(wait) => format!("retry {}", wait.as_millis()),
        })
    }

    /// Checks that `bytes` give `expected` whole, cut in two at every byte, and byte by byte.
    #[track_caller]
    pub(crate) fn check_cuts<D: Decode>(new: impl Fn() -> D, bytes: &[u8], expected: &[&str]) {
        assert_eq!(items(new(), [bytes].into_iter()).unwrap(), expected);
        assert_eq!(items(new(), bytes.chunks(1)).unwrap(), expected, "byte by byte");
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(items(new(), [head, tail].into_iter()).unwrap(), expected, "cut at {at}");
        }
    }

    #[test]
    fn payloads() {
        for (fields, payload) in [
            (r#""contentType":"text/plain","data":"hello""#, &b"hello"[..]),
            (r#""contentType":"text/plain","data":"a\nb \u00e4""#, "a\nb ä".as_bytes()),
            (r#""contentType":"application/json","data":{"a": [1, "x"]}"#, br#"{"a": [1, "x"]}"#),
            (r#""contentType":"application/ld+json; a=b","data":"text""#, br#""text""#),
            (r#""contentType":"image/png","encoding":"base64","data":"AP8=""#, &[0, 255]),
            (r#""contentType":"text/plain""#, b""),
        ] {
            let json = format!(r#"{{"topic":"t","type":"message",{fields}}}"#);
            let event = Event::parse(&json).unwrap();
            assert_eq!(event.payload().unwrap(), payload, "{json}");
            assert_eq!(event.json, json);
        }
    }

    #[test]
    fn what_is_no_event() {
        for (json, error) in [
            ("{}", "the server sent something that is no event: it has no type"),
            (
                "hello",
                "the server sent something that is no event: expected value at line 1 column 1",
            ),
        ] {
            assert_eq!(Event::parse(json).unwrap_err().to_string(), error);
        }
        let json = r#"{"type":"m","contentType":"a/b","encoding":"base65","data":"x"}"#;
        assert_eq!(
            Event::parse(json).unwrap().payload().unwrap_err().to_string(),
            "the server sent something that is no event: unknown encoding \"base65\""
        );
    }

    #[test]
    fn texts_without_escapes_are_borrowed() {
        let event = Event::parse(r#"{"topic":"t","type":"m","data":"plain"}"#).unwrap();
        assert!(matches!(event.topic, Cow::Borrowed("t")));
        assert!(matches!(event.payload().unwrap(), Cow::Borrowed(b"plain")));
    }
}
