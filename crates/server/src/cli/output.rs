//! How `tidings sub` prints events. Must never let an event's content reach a terminal as control
//! characters, unless the payload was asked for as it is.

use std::io::Write;

use crate::client::item::{DecodeError, Event};

/// What is printed of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The payload exactly, and a line feed.
    Raw,
    /// The event's JSON exactly as received, on one line.
    Json,
    /// A line for people: `13:48:01.123 topic type data`; the time is UTC.
    Line {
        /// With colours.
        colours: bool,
    },
}

/// The agreement of no-color.org: set, whatever its value, unless empty.
pub(crate) fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

impl Format {
    /// Appends `event` to `out`.
    pub(crate) fn write(self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        match self {
            Format::Raw => out.extend_from_slice(&event.payload()?),
            Format::Json => out.extend_from_slice(event.json.as_bytes()),
            Format::Line { colours } => {
                let mut field = |colour: &str, text: &str| {
                    out.extend_from_slice(if colours { colour.as_bytes() } else { b"" });
                    write_visible(text, out);
                    out.extend_from_slice(if colours { RESET.as_bytes() } else { b"" });
                    out.push(b' ');
                };
                field(DIM, time_of_day(&event.time));
                field(CYAN, &event.topic);
                field(YELLOW, &event.kind);
                write_data(event, out)?;
            }
        }
        out.push(b'\n');
        Ok(())
    }
}

/// `13:48:01.123` of `2026-11-20T13:48:01.123Z`; whatever is not of that form, as it is.
fn time_of_day(time: &str) -> &str {
    match time.split_once('T') {
        Some((_, time)) => time.trim_end_matches('Z'),
        None => time,
    }
}

fn write_data(event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let payload = event.payload()?;
    match std::str::from_utf8(&payload) {
        Ok(text) if !event.is_binary() => write_visible(text, out),
        _ => {
            // Writing to memory cannot fail.
            let _ = write!(out, "<{} bytes of ", payload.len());
            write_visible(&event.content_type, out);
            out.push(b'>');
        }
    }
    Ok(())
}

/// Appends `text` with every control character escaped.
fn write_visible(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.find(char::is_control) {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut characters = after.chars();
        if let Some(control) = characters.next() {
            out.extend(control.escape_default().map(|c| c as u8));
        }
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Format, json: &str) -> Vec<u8> {
        let mut out = Vec::new();
        format.write(&Event::parse(json).unwrap(), &mut out).unwrap();
        out
    }

    const TEXT: &str = r#"{"topic":"chat/room1","position":"A","time":"2026-11-20T13:48:01.123Z","type":"message","contentType":"text/plain; charset=utf-8","data":"two\nlines \u001b[31mred ä"}"#;
    const JSON: &str = r#"{"topic":"t","position":"A","time":"2026-11-20T13:48:01.123Z","type":"x","contentType":"application/json","data":{"a":1}}"#;
    const BYTES: &str = r#"{"topic":"t","position":"A","time":"2026-11-20T13:48:01.123Z","type":"x","contentType":"image/png","encoding":"base64","data":"AP8="}"#;

    #[test]
    fn every_format() {
        let line = Format::Line { colours: false };
        for (format, json, expected) in [
            (
                line,
                TEXT,
                "13:48:01.123 chat/room1 message two\\nlines \\u{1b}[31mred ä\n".as_bytes(),
            ),
            (line, JSON, b"13:48:01.123 t x {\"a\":1}\n"),
            (line, BYTES, b"13:48:01.123 t x <2 bytes of image/png>\n"),
            (
                Format::Line { colours: true },
                JSON,
                b"\x1b[2m13:48:01.123\x1b[0m \x1b[36mt\x1b[0m \x1b[33mx\x1b[0m {\"a\":1}\n",
            ),
            (Format::Raw, TEXT, "two\nlines \x1b[31mred ä\n".as_bytes()),
            (Format::Raw, JSON, b"{\"a\":1}\n"),
            (Format::Raw, BYTES, b"\x00\xff\n"),
            (Format::Json, BYTES, format!("{BYTES}\n").as_bytes()),
        ] {
            assert_eq!(shown(format, json), expected, "{format:?} {json}");
        }
    }
}
