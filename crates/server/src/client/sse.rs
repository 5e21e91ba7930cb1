//! Server-Sent Events (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
//! Must never dispatch an event that no empty line ended.

use std::time::Duration;

use super::item::{Decode, DecodeError, EVENT_BYTES_MAX, Event, Item};

/// One dispatched message of an event stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The `event` field; `message` when there was none.
    pub event: &'a str,
    /// The `data` fields, joined by line feeds.
    pub data: &'a str,
    /// The last `id` field of the stream so far.
    pub last_event_id: &'a str,
}

/// Parses an event stream. It knows nothing of Tidings.
#[derive(Default)]
pub(crate) struct SseParser {
    /// The line so far, where a read cut it.
    line: Vec<u8>,
    /// Whether the first line was seen, which may begin with a byte order mark.
    began: bool,
    /// Whether the last line ended in CR, so that an LF now belongs to it.
    after_cr: bool,
    event: String,
    data: String,
    /// Whether there was a `data` field, even an empty one.
    has_data: bool,
    last_event_id: String,
}

/// What the parser hands out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// An event.
    Message(Message<'a>),
    /// The stream's reconnection time.
    Retry(Duration),
}

type Take<'t> = &'t mut dyn FnMut(Parsed<'_>) -> Result<(), DecodeError>;

impl SseParser {
    /// Takes the next bytes and gives what is complete to `take`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], take: Take<'_>) -> Result<(), DecodeError> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            if self.line.is_empty() {
                self.take_line(&bytes[..end], take)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.take_line(&line, take)?;
            }
            let is_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        if self.line.len() + bytes.len() + self.data.len() > EVENT_BYTES_MAX {
            return Err(DecodeError::TooLarge(EVENT_BYTES_MAX));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take_line(&mut self, mut line: &[u8], take: Take<'_>) -> Result<(), DecodeError> {
        if !self.began {
            self.began = true;
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(take);
        }
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        // Lossy: the stream is decoded as UTF-8 with replacement characters.
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match name {
            b"event" => value.as_ref().clone_into(&mut self.event),
            b"data" => {
                if self.data.len() + value.len() > EVENT_BYTES_MAX {
                    return Err(DecodeError::TooLarge(EVENT_BYTES_MAX));
                }
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data += &value;
            }
            b"id" if !value.contains('\0') => value.as_ref().clone_into(&mut self.last_event_id),
            b"retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                // A number beyond 64 bits is no time anyone waits for.
                if let Ok(millis) = value.parse() {
                    take(Parsed::Retry(Duration::from_millis(millis)))?;
                }
            }
            // A comment (empty name) or an unknown field.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, take: Take<'_>) -> Result<(), DecodeError> {
        let event = if self.event.is_empty() { "message" } else { &self.event };
        let message = Message { event, data: &self.data, last_event_id: &self.last_event_id };
        // Without a data field nothing is dispatched.
        let result = if self.has_data { take(Parsed::Message(message)) } else { Ok(()) };
        self.event.clear();
        self.data.clear();
        self.has_data = false;
        result
    }
}

/// Takes events out of an event stream.
#[derive(Default)]
pub(crate) struct SseDecoder(SseParser);

impl Decode for SseDecoder {
    fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.0.feed(bytes, &mut |parsed| match parsed {
            // The event says its type and position itself.
            Parsed::Message(message) => take(Item::Event(&Event::parse(message.data)?)),
            Parsed::Retry(wait) => take(Item::Retry(wait)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::tests::{check_cuts, items};
    use super::*;

    fn parse<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Vec<String> {
        let (mut parser, mut parsed) = (SseParser::default(), Vec::new());
        for piece in pieces {
            parser
                .feed(piece, &mut |item| {
                    parsed.push(match item {
                        Parsed::Message(m) => {
                            format!("{}|{}|{}", m.event, m.data, m.last_event_id)
                        }
                        Parsed::Retry(wait) => format!("retry {}", wait.as_millis()),
                    });
                    Ok(())
                })
                .unwrap();
        }
        parsed
    }

    /// Each rule of section 9.2.6, whole, cut at every byte and byte by byte.
    #[test]
    fn the_standard() {
        for (text, expected) in [
            ("data: a\n\n", &["message|a|"][..]),
            // Line ends of all three kinds, also mixed.
            ("data: a\r\ndata: b\rdata: c\n\r\n", &["message|a\nb\nc|"]),
            ("data: a\r\rdata: b\r\n\r\n", &["message|a|", "message|b|"]),
            // A byte order mark at the beginning only.
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["message|a|"]),
            // At most one space after the colon; a field without a colon.
            ("data:a\ndata:  b\ndata\n\n", &["message|a\n b\n|"]),
            // The standard's own examples.
            ("data\n\ndata\ndata\n\ndata:", &["message||", "message|\n|"]),
            ("data:test\n\ndata: test\n\n", &["message|test|", "message|test|"]),
            (": a comment\n\ndata: x\nid: 1\n\ndata: y\nid\n\n", &["message|x|1", "message|y|"]),
            // The id stays, also when nothing is dispatched; one with NUL is ignored.
            ("id: 7\n\ndata: a\n\nid: 8\0\ndata: b\n\n", &["message|a|7", "message|b|7"]),
            // The type does not stay.
            (
                "event: e\ndata: a\n\ndata: b\n\nevent: f\n\ndata: c\n\n",
                &["e|a|", "message|b|", "message|c|"],
            ),
            ("retry: 2500\nretry: 1s\nretry:\nretry: 99999999999999999999\n", &["retry 2500"]),
            ("unknown: x\nDATA: y\n\n", &[]),
            // No empty line, no event.
            ("data: a\n", &[]),
            ("data: ä€🦀\n\n", &["message|ä€🦀|"]),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(parse([bytes].into_iter()), expected, "{text:?}");
            assert_eq!(parse(bytes.chunks(1)), expected, "{text:?} byte by byte");
            for at in 0..bytes.len() {
                let (head, tail) = bytes.split_at(at);
                let empty = &b""[..];
                let pieces = [head, empty, tail];
                assert_eq!(parse(pieces.into_iter()), expected, "{text:?} at {at}");
            }
        }
        assert_eq!(parse([&b"data: \xff\n\n"[..]].into_iter()), ["message|\u{fffd}|"]);
    }

    #[test]
    fn events_however_they_are_cut() {
        let text = "retry: 2000\n\nevent: ready\nid: A\n\
            data: {\"type\":\"ready\",\"position\":\"A\"}\n\n\
            id: B\ndata: {\"topic\":\"t\",\"position\":\"B\",\"type\":\"message\",\
            \"contentType\":\"text/plain\",\"data\":\"hi\"}\n\n";
        check_cuts(
            SseDecoder::default,
            text.as_bytes(),
            &["retry 2000", "ready A ", "message B hi"],
        );
    }

    #[test]
    fn an_endless_event() {
        let full = || " ".repeat(EVENT_BYTES_MAX);
        for parser in [
            SseParser { data: full(), ..SseParser::default() },
            SseParser { line: full().into_bytes(), ..SseParser::default() },
        ] {
            let error =
                items(SseDecoder(parser), [&b"data: x"[..], b"\n"].into_iter()).unwrap_err();
            assert_eq!(error.to_string(), "the server sent more than 96 MiB at once");
        }
    }
}
