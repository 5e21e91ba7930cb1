//! An answer and the events that go with it, packed as one: as JSON, or in parts (RFC 2046 section
//! 5.1). Must never let anything that was published end the part it stands in.

use std::fmt::Write as _;

use http::{StatusCode, header};
use tidings_model::{Delivery, Position};
use tidings_protocol::stream::POSITION_HEADER;
use tidings_protocol::{Problem, Response, content, event};

/// How an answer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object.
    Json,
    /// Two parts.
    Multipart,
}

/// What goes with an answer.
pub(crate) enum Parcel<'a> {
    /// Events.
    Events {
        /// In order, with gaps at their places.
        items: &'a [Delivery],
        /// Where the client goes on from.
        position: Position,
        /// Whether there are more than could be taken.
        more: bool,
    },
    /// Why there are none.
    Problem(&'a Problem),
}

impl Form {
    pub(crate) const fn media_type(&self) -> &'static str {
        match self {
            Form::Json => "application/vnd.tidings.piggyback+json",
            Form::Multipart => "multipart/mixed",
        }
    }
}

impl Parcel<'_> {
    /// The answer with its parcel. Its status and header fields stay.
    pub(crate) fn pack(&self, form: Form, mut answer: Response) -> Response {
        let result = Result::of(&answer);
        let (content_type, body) = match form {
            Form::Json => (form.media_type().to_owned(), self.json(&result)),
            Form::Multipart => self.parts(&result),
        };
        if answer.status == StatusCode::NO_CONTENT {
            answer.status = StatusCode::OK;
        }
        answer.body = body.into();
        // The position of the answer itself, such as of what was published, is no place to go on from.
        answer.headers.remove(POSITION_HEADER);
        if let Parcel::Events { position, .. } = self {
            answer = answer.with_text(POSITION_HEADER, &position.to_string());
        }
        answer
            .with_text(header::CONTENT_TYPE, &content_type)
            .with(header::CACHE_CONTROL, "no-store, no-transform")
            .with(header::VARY, "Accept")
    }

    fn json(&self, result: &Result) -> Vec<u8> {
        let mut out = format!("{{\"status\":{},\"result\":", result.status).into_bytes();
        out.extend_from_slice(&result.json);
        out.push(b',');
        self.write_members(&mut out);
        out.extend_from_slice(b"}\n");
        out
    }

    fn parts(&self, result: &Result) -> (String, Vec<u8>) {
        let mut events = vec![b'{'];
        self.write_members(&mut events);
        events.push(b'}');
        let boundary = boundary(&[&result.json, &events]);
        let mut out = String::new();
        let _ = write!(
            out,
            "--{boundary}\r\nContent-Type: {}\r\nTidings-Status: {}\r\n\r\n",
            content::JSON,
            result.status
        );
        let mut out = out.into_bytes();
        out.extend_from_slice(&result.json);
        let head = format!("\r\n--{boundary}\r\nContent-Type: {}\r\n\r\n", content::JSON);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&events);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (format!("{}; boundary={boundary}", Form::Multipart.media_type()), out)
    }

    /// The inside of the JSON object that tells of the events.
    fn write_members(&self, out: &mut Vec<u8>) {
        match self {
            Parcel::Events { items, position, more } => {
                event::write_events(items, &position.to_string(), out);
                if *more {
                    out.extend_from_slice(b",\"more\":true");
                }
            }
            Parcel::Problem(problem) => {
                let problem = serde_json::Value::Object(problem.json());
                out.extend_from_slice(format!("\"problem\":{problem}").as_bytes());
            }
        }
    }
}

/// What the request itself came to.
struct Result {
    status: u16,
    /// As JSON on one line.
    json: Vec<u8>,
}

impl Result {
    fn of(answer: &Response) -> Result {
        let status = answer.status.as_u16();
        let content_type = answer.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let json = match content::data(content_type, &answer.body) {
            _ if answer.body.is_empty() => b"null".to_vec(),
            data => {
                let mut json = Vec::with_capacity(answer.body.len());
                content::write_value(data, &mut json);
                json
            }
        };
        Result { status, json }
    }
}

/// What every boundary begins with, and how many digits follow.
const BOUNDARY: &[u8] = b"tidings-";
const DIGITS: usize = 8;

/// A boundary that stands in none of the parts (RFC 2046 section 5.1.1): the first number that none
/// of them has. It is found in one pass, so that nobody can make it dear by publishing boundaries.
fn boundary(parts: &[&[u8]]) -> String {
    let windows = parts.iter().flat_map(|part| part.windows(BOUNDARY.len() + DIGITS));
    let mut taken: Vec<u32> = windows
        .filter_map(|window| {
            let digits = window.strip_prefix(BOUNDARY)?;
            let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        })
        .collect();
    taken.sort_unstable();
    taken.dedup();
    let free = taken.iter().zip(0..).find(|(taken, number)| **taken != *number);
    let number = free.map_or(taken.len(), |(_, number)| number as usize);
    format!("tidings-{number:0DIGITS$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_stands_in_no_part() {
        let all = |count: u32| {
            (0..count).map(|number| format!("--tidings-{number:08}")).collect::<String>()
        };
        for (parts, expected) in [
            ([String::new(), "x".to_owned()], 0),
            ([all(1), String::new()], 1),
            ([all(3), "tidings-00000004".to_owned()], 3),
            (["tidings-0tidings-000000011".to_owned(), all(1)], 2),
            ([all(50_000), all(50_000)], 50_000),
        ] {
            let bytes = [parts[0].as_bytes(), parts[1].as_bytes()];
            assert_eq!(boundary(&bytes), format!("tidings-{expected:08}"));
        }
    }
}
