//! RSS 2.0 (specification 2.0.11 of the RSS Advisory Board).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings_model::{Delivery, Event, Gap, Time};
use tidings_protocol::ask::Ask;
use tidings_protocol::content::{self, Data};
use tidings_protocol::markup::{escape, escaped};
use tidings_protocol::poll::{Answer, Format};
use tidings_protocol::{Problem, Request, Response, Settings};

use crate::entry::{self, Feed, newest};
use crate::id::urn;
use crate::since::second;

/// Writes RSS.
pub(crate) struct Rss {
    feed: Feed,
}

impl Rss {
    pub(crate) fn new(settings: &Arc<Settings>) -> Rss {
        Rss { feed: Feed::new("rss", settings) }
    }
}

impl Format for Rss {
    const CONTENT_TYPE: &'static str = "application/rss+xml; charset=utf-8";
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
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
             xmlns:atom=\"http://www.w3.org/2005/Atom\">\n<channel>\n\
             <title>{title}</title>\n<link>{link}</link>\n<description>{title}</description>\n\
             <generator>Tidings</generator>\n"
        );
        self.feed.write_relations("atom:", &mut out);
        if let Some(wait) = answer.retry_after {
            let _ = writeln!(out, "<ttl>{}</ttl>", wait.as_secs().div_ceil(60));
        }
        let updated = newest(answer);
        if let Some(time) = updated {
            let _ = writeln!(out, "<lastBuildDate>{}</lastBuildDate>", date(time));
        }
        for item in answer.items.iter().rev() {
            match item {
                Delivery::Event(event) => write_event(event, self.feed.is_mixed(), &mut out),
                Delivery::Gap(gap) => write_gap(gap, &mut out),
            }
        }
        out.push_str("</channel>\n</rss>\n");
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
    begin(&entry::id(&event.record), &entry::title(message), out);
    let _ = writeln!(out, "<pubDate>{}</pubDate>", date(message.time));
    if let Some(from) = &message.from {
        let _ = writeln!(out, "<dc:creator>{}</dc:creator>", escaped(from));
    }
    let mut category = |term: &str| {
        let _ = writeln!(out, "<category>{}</category>", escaped(term));
    };
    if is_mixed {
        category(message.topic.as_str());
    }
    if message.event_type.as_str() != "message" {
        category(message.event_type.as_str());
    }
    let text = match content::data(&message.content_type, &message.payload) {
        Data::Text(text) | Data::Json(text) => escaped(text).replace('\n', "<br>\n"),
        Data::Bytes(bytes) => escaped(&entry::count(bytes, &message.content_type)),
    };
    end(&text, out);
}

/// History is gone.
fn write_gap(gap: &Gap, out: &mut String) {
    let id = urn(&["gap", &gap.from.to_string(), &gap.to.to_string()]);
    begin(&id, "Events are missing here", out);
    end(gap.reason.as_str(), out);
}

fn begin(id: &str, title: &str, out: &mut String) {
    let _ = write!(
        out,
        "<item>\n<guid isPermaLink=\"false\">{id}</guid>\n<title>{}</title>\n",
        escaped(title)
    );
}

/// Writes the description, which readers take for HTML: so what is text in HTML is escaped once
/// more.
fn end(html: &str, out: &mut String) {
    out.push_str("<description>");
    escape(html, out);
    out.push_str("</description>\n</item>\n");
}

/// A date as RFC 822 has it, with four digits for the year.
fn date(time: Time) -> String {
    httpdate::fmt_http_date(second(time))
}
