//! A multipart stream, part by part (RFC 2046 section 5.1).
//! Must never take a part for whole whose delimiter has not come.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::Response;
use crate::stream::Stream;

/// A multipart stream.
pub struct Parts {
    /// The answer's head.
    pub head: Response,
    /// What sets its parts apart.
    pub boundary: String,
    stream: Stream,
    /// Lines of the header of the part that is to come.
    lines: Vec<(String, String)>,
}

/// One thing that a multipart stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A line in the header of a part that is to come; in a part that came, all lines are.
    Line(String, String),
    /// A part: its header, names in lower case, and its payload.
    Part(Vec<(String, String)>, Vec<u8>),
}

impl Parts {
    /// A stream whose head was read; reads up to its first delimiter.
    #[track_caller]
    pub fn begin(mut stream: Stream) -> Parts {
        let head = stream.head.clone();
        let content_type = head.header("content-type").unwrap_or_default();
        let boundary = content_type.strip_prefix("multipart/x-mixed-replace; boundary=");
        let boundary = boundary.unwrap_or_else(|| panic!("no boundary: {head:?}")).to_owned();
        let first = stream.until(b"\r\n");
        assert_eq!(first, Some(format!("--{boundary}\r\n").into_bytes()));
        Parts { head, boundary, stream, lines: Vec::new() }
    }

    /// The next line of a header, as soon as it is there, or the part that the header's end begins;
    /// nothing at the stream's end.
    #[track_caller]
    pub fn hear(&mut self) -> Option<Said> {
        let line = self.stream.until(b"\r\n")?;
        let line = String::from_utf8(line).unwrap_or_else(|error| panic!("{error}"));
        let line = line.trim_end();
        if !line.is_empty() {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line}"));
            let line = (name.to_ascii_lowercase(), value.trim().to_owned());
            self.lines.push(line.clone());
            return Some(Said::Line(line.0, line.1));
        }
        let delimiter = format!("\r\n--{}\r\n", self.boundary);
        let payload = self.stream.until(delimiter.as_bytes());
        let mut payload = payload.unwrap_or_else(|| panic!("the stream ends inside a part"));
        payload.truncate(payload.len() - delimiter.len());
        Some(Said::Part(std::mem::take(&mut self.lines), payload))
    }

    /// The next part: its header and payload.
    #[track_caller]
    pub fn part(&mut self) -> (Vec<(String, String)>, Vec<u8>) {
        loop {
            match self.hear() {
                Some(Said::Part(lines, payload)) => return (lines, payload),
                Some(Said::Line(..)) => {}
                None => panic!("the stream has ended"),
            }
        }
    }

    /// Waits until the server has closed the connection; the body must have ended before.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.stream.expect_end();
    }

    /// The next event, gap, heartbeat or goodbye, in the event form as far as a part tells it.
    #[track_caller]
    pub(crate) fn item(&mut self) -> Value {
        loop {
            match self.hear() {
                None => panic!("the stream has ended"),
                Some(Said::Part(lines, payload)) => return event(&lines, &payload),
                Some(Said::Line(name, value)) if name == "tidings-gap" => {
                    let words: Vec<&str> = value.split(' ').collect();
                    let [reason, from, to] = words[..] else { panic!("not a gap: {value}") };
                    let Some(Said::Line(_, position)) = self.hear() else { panic!("no position") };
                    return json!({
                        "type": "gap", "reason": reason, "from": from, "to": to, "position": position,
                    });
                }
                Some(Said::Line(name, _)) if name == "tidings-heartbeat" => {
                    return json!({"type": "heartbeat"});
                }
                Some(Said::Line(..)) => {}
            }
        }
    }
}

/// The last value of a header line.
pub fn line<'l>(lines: &'l [(String, String)], name: &str) -> Option<&'l str> {
    lines.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

#[track_caller]
fn event(lines: &[(String, String)], payload: &[u8]) -> Value {
    let content_type = line(lines, "content-type").unwrap_or_default();
    let text = std::str::from_utf8(payload).ok();
    let mut event = json!({
        "topic": line(lines, "tidings-topic"),
        "position": line(lines, "tidings-position"),
        "type": line(lines, "tidings-type"),
        "contentType": content_type,
    });
    assert_eq!(
        line(lines, "content-length"),
        Some(payload.len().to_string().as_str()),
        "{lines:?}"
    );
    event["data"] = match (content_type, text) {
        ("application/json", _) => {
            serde_json::from_slice(payload).unwrap_or_else(|error| panic!("{error} in {event}"))
        }
        (_, Some(text)) if content_type.starts_with("text/") => text.into(),
        _ => {
            event["encoding"] = "base64".into();
            STANDARD.encode(payload).into()
        }
    };
    event
}
