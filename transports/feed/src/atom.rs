//! The Atom Syndication Format (RFC 4287).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings_model::{Delivery, Event, Gap, Time};
use tidings_protocol::ask::Ask;
use tidings_protocol::content::{self, Data};
use tidings_protocol::markup::{escape, escaped};
use tidings_protocol::poll::{Answer, Format};
use tidings_protocol::{Problem, Request, Response, Settings, event};

use crate::entry::{self, Feed, newest};
use crate::id::urn;

/// Writes Atom.
pub(crate) struct Atom {
    feed: Feed,
}

impl Atom {
    pub(crate) fn new(settings: &Arc<Settings>) -> Atom {
        Atom { feed: Feed::new("feed", settings) }
    }
}

impl Format for Atom {
    const CONTENT_TYPE: &'static str = "application/atom+xml; charset=utf-8";
    const LIMIT_DEFAULT: u32 = 50;

    fn open(&mut self, request: &Request) -> Result<(), Problem> {
        self.feed.open(request);
        Ok(())
    }

    fn read(&mut self, ask: &mut Ask) -> Result<Option<Duration>, Problem> {
        self.feed.read(ask)?;
        Ok(None)
    }

    fn body(&self, answer: &Answer<'_>) -> Bytes {
        let (title, link) = (escaped(&self.feed.title()), escaped(&self.feed.link()));
        let (id, updated) = (self.feed.id(answer.position), newest(answer).unwrap_or_default());
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>{id}</id>\n<title>{title}</title>\n\
             <updated>{}</updated>\n<link rel=\"alternate\" type=\"text/html\" href=\"{link}\"/>\n\
             <author><name>{title}</name></author>\n<generator>Tidings</generator>\n",
            event::rfc3339(updated)
        );
        self.feed.write_relations("", &mut out);
        for item in answer.items.iter().rev() {
            match item {
                Delivery::Event(event) => write_event(event, self.feed.is_mixed(), &mut out),
                Delivery::Gap(gap) => write_gap(gap, updated, &mut out),
            }
        }
        out.push_str("</feed>\n");
        out.into()
    }

    fn head(&self, answer: &Answer<'_>, head: Response) -> Response {
        self.feed.head(answer, head)
    }

    fn is_known(&self, answer: &Answer<'_>) -> bool {
        self.feed.is_known(answer)
    }
}

fn write_event(event: &Event, is_mixed: bool, out: &mut String) {
    let message = &*event.record.message;
    begin(&entry::id(&event.record), &entry::title(message), message.time, out);
    if let Some(from) = &message.from {
        out.push_str("<author><name>");
        escape(from, out);
        out.push_str("</name></author>\n");
    }
    let mut category = |term: &str| {
        let _ = writeln!(out, "<category term=\"{}\"/>", escaped(term));
    };
    if is_mixed {
        category(message.topic.as_str());
    }
    if message.event_type.as_str() != "message" {
        category(message.event_type.as_str());
    }
    match content::data(&message.content_type, &message.payload) {
        Data::Text(text) | Data::Json(text) => {
            out.push_str("<content type=\"text\">");
            escape(text, out);
        }
        Data::Bytes(bytes) => {
            let _ = write!(out, "<content type=\"{}\">", media_type(&message.content_type));
            out.push_str(&content::base64(bytes));
        }
    }
    out.push_str("</content>\n</entry>\n");
}

/// History is gone. When is not known, so it is dated like the newest event.
fn write_gap(gap: &Gap, time: Time, out: &mut String) {
    let id = urn(&["gap", &gap.from.to_string(), &gap.to.to_string()]);
    begin(&id, "Events are missing here", time, out);
    let reason = gap.reason.as_str();
    let _ = write!(out, "<content type=\"text\">{reason}</content>\n</entry>\n");
}

fn begin(id: &str, title: &str, time: Time, out: &mut String) {
    let time = event::rfc3339(time);
    let _ = write!(
        out,
        "<entry>\n<id>{id}</id>\n<title>{}</title>\n<updated>{time}</updated>\n<published>{time}</published>\n",
        escaped(title)
    );
}

/// The media type of bytes in Base64. A type that promises text or markup, or is made of parts,
/// would make a reader take them for something else (RFC 4287 section 4.1.3.3).
fn media_type(content_type: &str) -> String {
    const OTHER: [&str; 3] = ["text", "multipart", "message"];
    let essence = content::essence(content_type);
    let is_token = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$^_.+-".contains(c))
    };
    let fits = essence.split_once('/').is_some_and(|(main, sub)| {
        let is_xml = sub == "xml" || sub.ends_with("+xml");
        is_token(main) && is_token(sub) && !OTHER.contains(&main) && !is_xml
    });
    if fits { essence.into_owned() } else { content::BYTES.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_type_that_means_bytes() {
        for (given, expected) in [
            ("Image/PNG; a=b", "image/png"),
            ("application/vnd.x+json", "application/vnd.x+json"),
            ("text/plain", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("application/xml", "application/octet-stream"),
            ("multipart/mixed", "application/octet-stream"),
            ("a\"b/c", "application/octet-stream"),
            ("png", "application/octet-stream"),
            ("a/b/c", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(media_type(given), expected, "{given}");
        }
    }
}
