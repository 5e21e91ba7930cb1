//! How polls write their answers down: one JSON object, or the payloads alone as a JSON array.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use tidings_model::{Delivery, Gap};
use tidings_protocol::ask::Ask;
use tidings_protocol::poll::{Answer, Format};
use tidings_protocol::{Problem, Response, event};

/// How long a long poll is held when the reader does not say.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// Response header that tells a gap where the body is payloads alone.
const GAP_HEADER: HeaderName = HeaderName::from_static("tidings-gap");

/// Writes JSON.
pub(crate) struct Json {
    held: bool,
    raw: bool,
}

impl Json {
    pub(crate) fn new(held: bool) -> Json {
        Json { held, raw: false }
    }
}

impl Format for Json {
    const CONTENT_TYPE: &'static str = "application/json";

    fn read(&mut self, ask: &mut Ask) -> Result<Option<Duration>, Problem> {
        self.raw = ask.raw;
        Ok(self.held.then(|| ask.wait.unwrap_or(WAIT_DEFAULT)))
    }

    fn body(&self, answer: &Answer<'_>) -> Bytes {
        let mut body = Vec::new();
        if self.raw {
            event::write_values(answer.items, &mut body);
        } else {
            body.push(b'{');
            event::write_events(answer.items, answer.position, &mut body);
            body.push(b'}');
        }
        body.push(b'\n');
        body.into()
    }

    fn head(&self, answer: &Answer<'_>, head: Response) -> Response {
        match first_gap(answer.items) {
            Some(gap) if self.raw => {
                let text = format!("{} {} {}", gap.reason.as_str(), gap.from, gap.to);
                head.with_text(GAP_HEADER, &text)
            }
            _ => head,
        }
    }
}

fn first_gap(items: &[Delivery]) -> Option<&Gap> {
    items.iter().find_map(|item| match item {
        Delivery::Gap(gap) => Some(gap),
        Delivery::Event(_) => None,
    })
}
