//! One part: a header, a payload, and the delimiter that ends it, which browsers wait for. Must
//! never hold the boundary anywhere but in the delimiter.

use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tidings_model::{Encoding, Event, Message};
use tidings_protocol::content;

/// What every boundary begins with.
const BOUNDARY: &str = "tidings-";

/// A payload up to here is copied between its header and the delimiter; a larger one is sent as it
/// is, shared by all readers.
const COPY_MAX: usize = 4096;

/// What of a topic's or a type's name no header line can carry.
const NAME: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Whether a payload holds what every boundary begins with: `y` if it does.
static SUSPECT: Encoding = Encoding { name: "multipart suspect" };

/// What sets the parts of one stream apart (RFC 2046 section 5.1.1).
///
/// No part holds it. It is of this stream alone and nobody can guess it, so a payload that was not
/// made for this very stream does not hold it; and one that was is sent in base64, which has no
/// hyphen, while every boundary has one. Values in headers that hold it are left out.
pub(crate) struct Boundary(String);

impl Boundary {
    pub(crate) fn new(nonce: u128) -> Boundary {
        Boundary(format!("{BOUNDARY}{nonce:032x}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Sends an event as a part, with the delimiter behind it.
    pub(crate) fn write_part(&self, event: &Event, send: &mut dyn FnMut(Bytes)) {
        let Event { record, position, attempt } = event;
        let message = &record.message;
        let encoded = self.is_in(event).then(|| Bytes::from(content::base64(&message.payload)));
        let mut head = String::with_capacity(256);
        let mut line = |name: &str, value: &str| {
            if !value.contains(self.as_str()) && HeaderValue::from_str(value).is_ok() {
                head.extend([name, ": ", value, "\r\n"]);
            }
        };
        line("Content-Type", &message.content_type);
        if encoded.is_some() {
            line("Content-Transfer-Encoding", "base64");
        }
        let payload = encoded.unwrap_or_else(|| message.payload.clone());
        line("Content-Length", &payload.len().to_string());
        line("Tidings-Topic", &name(message.topic.as_str()));
        line("Tidings-Position", &position.to_string());
        line("Tidings-Type", &name(message.event_type.as_str()));
        if *attempt > 1 {
            line("Tidings-Attempt", &attempt.to_string());
        }
        head.push_str("\r\n");
        let delimiter = format!("\r\n--{}\r\n", self.as_str());
        if payload.len() <= COPY_MAX {
            return send([head.as_bytes(), &payload, delimiter.as_bytes()].concat().into());
        }
        send(head.into());
        send(payload);
        send(delimiter.into());
    }

    /// Whether an event's payload holds this boundary. Looked through once for all readers, and
    /// again only if there is something like it.
    fn is_in(&self, event: &Event) -> bool {
        let payload = &event.record.message.payload;
        let suspect = event.record.encoded(&SUSPECT, |_| {
            Bytes::from_static(if holds(payload, BOUNDARY) { b"y" } else { b"" })
        });
        !suspect.is_empty() && holds(payload, self.as_str())
    }
}

/// A name as a header line can carry it: percent-encoded where it is not plain ASCII.
fn name(text: &str) -> String {
    utf8_percent_encode(text, NAME).to_string()
}

fn holds(payload: &[u8], text: &str) -> bool {
    payload.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether a browser shows the payload in an `<img>`.
pub(crate) fn is_picture(message: &Message) -> bool {
    content::essence(&message.content_type).starts_with("image/")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidings_model::{EventType, Headers, LogKind, Manner, Mark, Position, Record, Time, Topic};

    use super::*;

    fn part(nonce: u128, topic: &str, content_type: &str, payload: &[u8]) -> Vec<Bytes> {
        let message = Message {
            topic: Topic::new(topic).unwrap(),
            payload: Bytes::copy_from_slice(payload),
            content_type: content_type.into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: Time::default(),
            expires: None,
            manner: Manner::default(),
        };
        let mark = Mark { epoch: 1, offset: 1 };
        let record = Record::new(LogKind::Volatile, mark, 0, Arc::new(message));
        let position = Position::at(LogKind::Volatile, mark);
        let event = Event { record: Arc::new(record), position, attempt: 1 };
        let mut pieces = Vec::new();
        Boundary::new(nonce).write_part(&event, &mut |bytes| pieces.push(bytes));
        pieces
    }

    fn text(pieces: &[Bytes]) -> String {
        String::from_utf8_lossy(&pieces.concat()).into_owned()
    }

    #[test]
    fn only_the_delimiter_holds_the_boundary() {
        let boundary = Boundary::new(7).as_str().to_owned();
        let delimiter = format!("\r\n--{boundary}\r\n");
        for payload in [
            delimiter.clone().into_bytes(),
            boundary.clone().into_bytes(),
            [&vec![b'-'; 9000], boundary.as_bytes()].concat(),
        ] {
            let pieces = part(7, "t", "text/plain", &payload);
            let part = text(&pieces);
            assert_eq!(part.matches(&boundary).count(), 1, "{part}");
            assert!(part.ends_with(&delimiter) && part.contains("-Encoding: base64\r\n"), "{part}");
            assert!(part.contains(&format!("\r\n\r\n{}\r\n--", content::base64(&payload))));
        }
        let named = text(&part(7, &boundary, &format!("text/{boundary}"), b"x"));
        assert_eq!(named.matches(&boundary).count(), 1, "{named}");
        assert!(!named.contains("Content-Type") && !named.contains("Tidings-Topic"), "{named}");
    }

    #[test]
    fn a_payload_is_sent_as_it_is_when_it_holds_the_boundary_of_another() {
        let other = Boundary::new(8).as_str().to_owned();
        let part = text(&part(7, "ä b/%", "text/plain", other.as_bytes()));
        assert!(part.contains("Tidings-Topic: %C3%A4%20b/%25\r\n"), "{part}");
        assert!(part.contains(&format!("\r\n\r\n{other}\r\n--")), "{part}");
    }

    #[test]
    fn a_large_payload_is_not_copied() {
        let payload = vec![1; COPY_MAX + 1];
        let pieces = part(7, "t", "image/png", &payload);
        assert_eq!((pieces.len(), &pieces[1][..]), (3, &payload[..]));
        assert_eq!(part(7, "t", "image/png", &payload[1..]).len(), 1);
    }
}
