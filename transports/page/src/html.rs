//! How the page is written. Must never let a message be more than text, nor show a page without
//! the policy that forbids all else.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, header};
use tidings_model::{Delivery, Event, Gap, Message, Position, Since};
use tidings_protocol::ask::Ask;
use tidings_protocol::content::{self, Data};
use tidings_protocol::markup::{beginning, escape, escaped};
use tidings_protocol::poll::{Answer, Format};
use tidings_protocol::{Problem, Request, Response, Settings, event};

use crate::form::FIELD;
use crate::view::{View, bad};

const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// Most messages on a page: a browser lays all of it out anew at every refresh.
const LAST_MAX: u32 = 200;

/// Bytes of a message that are shown; the rest is only counted.
const SHOWN_MAX: usize = 4096;

/// Styles and forms of this server, and an icon that stands in the page; nothing else at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'self'";

/// Writes the page.
pub(crate) struct Html {
    settings: Arc<Settings>,
    view: View,
    /// What is read, for people.
    name: String,
    /// Whether it is one topic, which can be published to.
    is_topic: bool,
}

impl Html {
    pub(crate) fn new(settings: &Arc<Settings>) -> Html {
        Html {
            settings: Arc::clone(settings),
            view: View::default(),
            name: String::new(),
            is_topic: false,
        }
    }

    fn head_part(&self, interval: Option<Duration>, newest: &str, out: &mut String) {
        begin(&self.name, out);
        if let Some(interval) = interval {
            let link = escaped(&self.view.next(interval, newest));
            let seconds = interval.as_secs();
            let _ =
                writeln!(out, "<meta http-equiv=\"refresh\" content=\"{seconds}; url={link}\">");
        }
        let _ = write!(out, "</head>\n<body>\n<header>\n<h1><span>/t/</span>");
        escape(&self.name, out);
        out.push_str("</h1>\n");
    }

    fn controls(&self, interval: Option<Duration>, out: &mut String) {
        let plain = escaped(&self.view.plain());
        match interval {
            None if self.is_topic => {
                let _ = write!(
                    out,
                    "<form method=\"post\" action=\"{plain}\" accept-charset=\"utf-8\">\n\
                     <label for=\"{FIELD}\">Message</label>\n\
                     <input id=\"{FIELD}\" name=\"{FIELD}\" required autofocus autocomplete=\"off\">\n\
                     <button>Send</button>\n</form>\n\
                     <p class=\"state\">This page keeps still while you write. \
                     <a href=\"{plain}\">Follow again</a></p>\n"
                );
            }
            None => {
                let _ = writeln!(
                    out,
                    "<p class=\"state\">This page keeps still. <a href=\"{plain}\">Follow again</a></p>"
                );
            }
            Some(interval) => {
                let still = escaped(&self.view.still());
                let action = if self.is_topic { "Write a message" } else { "Keep still" };
                let _ = writeln!(
                    out,
                    "<p class=\"actions\"><a class=\"main\" href=\"{still}\">{action}</a>\n\
                     <a href=\"{plain}\">Look now</a></p>\n\
                     <p class=\"state\">Looks for news by itself every {}.</p>",
                    span(interval)
                );
            }
        }
        out.push_str("</header>\n");
    }

    fn item(&self, item: &Delivery, out: &mut String) {
        match item {
            Delivery::Gap(Gap { reason, .. }) => {
                let reason = reason.as_str();
                let _ =
                    writeln!(out, "<li class=\"gap\">Messages are missing here ({reason}).</li>");
            }
            Delivery::Event(Event { record, .. }) => {
                let message = &*record.message;
                let time = event::rfc3339(message.time);
                out.push_str("<li>\n<p class=\"about\">");
                let _ = write!(out, "<time datetime=\"{time}\">{}</time>", readable(&time));
                let mut about = |class: &str, text: &str| {
                    let _ = write!(out, " <span class=\"{class}\">");
                    escape(text, out);
                    out.push_str("</span>");
                };
                if !self.is_topic {
                    about("topic", message.topic.as_str());
                }
                if message.event_type.as_str() != "message" {
                    about("type", message.event_type.as_str());
                }
                if let Some(from) = &message.from {
                    about("from", from);
                }
                out.push_str("</p>\n");
                payload(message, out);
                out.push_str("</li>\n");
            }
        }
    }
}

impl Format for Html {
    const CONTENT_TYPE: &'static str = CONTENT_TYPE;
    const LIMIT_DEFAULT: u32 = 30;

    fn open(&mut self, request: &Request) -> Result<(), Problem> {
        self.view = View::parse(request)?;
        Ok(())
    }

    fn read(&mut self, ask: &mut Ask) -> Result<Option<Duration>, Problem> {
        let is_plain = ask.limit.is_none() && ask.wait.is_none() && ask.session.is_none();
        match ask.since {
            None => {}
            Some(Since::Last(last)) if last <= LAST_MAX => {}
            Some(Since::Last(_)) => return Err(bad("last", &format!("at most {LAST_MAX}"))),
            Some(_) => return Err(newest_only()),
        }
        if !is_plain || ask.raw {
            return Err(newest_only());
        }
        let names: Vec<&str> = ask.filters.iter().map(|filter| filter.as_str()).collect();
        self.name = names.join(", ");
        self.is_topic = ask.filters.len() == 1 && ask.filters[0].as_topic().is_some();
        Ok(None)
    }

    fn body(&self, answer: &Answer<'_>) -> Bytes {
        let newest = newest(answer.items).map_or_else(|| "none".to_owned(), |p| p.to_string());
        let interval = self.view.interval(&self.settings, &newest);
        let mut out = String::with_capacity(4096);
        self.head_part(interval, &newest, &mut out);
        self.controls(interval, &mut out);
        out.push_str("<main>\n");
        if answer.items.is_empty() {
            out.push_str("<p class=\"none\">Nothing has been published here yet.</p>\n");
        } else {
            out.push_str("<ol reversed>\n");
            for item in answer.items.iter().rev() {
                self.item(item, &mut out);
            }
            out.push_str("</ol>\n");
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out.into()
    }

    fn head(&self, _: &Answer<'_>, head: Response) -> Response {
        // Whoever has just written must not be shown a page from before.
        dress(head).with(header::CACHE_CONTROL, "no-cache, no-transform")
    }

    fn problem(&self, problem: &Problem) -> Response {
        self::problem(problem)
    }
}

/// A problem as a page.
pub(crate) fn problem(problem: &Problem) -> Response {
    let mut out = String::new();
    begin("Not possible", &mut out);
    out.push_str("</head>\n<body>\n<main class=\"problem\">\n<h1>This did not work</h1>\n<p>");
    escape(&problem.message, &mut out);
    out.push_str("</p>\n<p class=\"state\">");
    escape(problem.hint, &mut out);
    let (status, error) = (problem.status.as_u16(), problem.error);
    let _ = write!(
        out,
        " ({status} {error})</p>\n<p class=\"actions\"><a class=\"main\" href=\"?via=page\">\
         To the page</a></p>\n</main>\n</body>\n</html>\n"
    );
    dress(problem.to_response().with_body(CONTENT_TYPE, out))
}

/// What every page is sent with.
fn dress(response: Response) -> Response {
    response
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        // The form's request has to name its origin, or it is refused.
        .with(header::REFERRER_POLICY, "same-origin")
        .with(HeaderName::from_static("x-content-type-options"), "nosniff")
}

fn begin(title: &str, out: &mut String) {
    out.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>",
    );
    escape(title, out);
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(
        out,
        " · Tidings</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"?via=page&amp;part=style&amp;version={version}\">\n"
    );
}

/// The payload, as far as it is shown.
fn payload(message: &Message, out: &mut String) {
    let (class, text) = match content::data(&message.content_type, &message.payload) {
        Data::Text(text) => ("text", text),
        Data::Json(text) => ("json", text),
        Data::Bytes(bytes) => {
            let _ = write!(out, "<p class=\"bytes\">{} of ", count(bytes.len()));
            escape(&message.content_type, out);
            out.push_str("</p>\n");
            return;
        }
    };
    let shown = beginning(text, SHOWN_MAX);
    let _ = write!(out, "<pre class=\"{class}\" dir=\"auto\">");
    // A line break right behind the tag would be swallowed (WHATWG HTML section 13.1.2.5).
    if shown.starts_with(['\n', '\r']) {
        out.push('\n');
    }
    escape(shown, out);
    out.push_str("</pre>\n");
    if shown.len() < text.len() {
        let rest = text.len() - shown.len();
        let _ = writeln!(out, "<p class=\"bytes\">and {} more</p>", count(rest));
    }
}

/// The place of the newest message.
fn newest(items: &[Delivery]) -> Option<Position> {
    items.iter().rev().find_map(|item| match item {
        Delivery::Event(event) => Some(Position::at(event.record.log, event.record.mark)),
        Delivery::Gap(_) => None,
    })
}

/// `2026-11-20 13:48:01 UTC` from RFC 3339.
fn readable(time: &str) -> String {
    let (date, clock) = time.split_once('T').unwrap_or((time, ""));
    format!("{date} {} UTC", clock.split('.').next().unwrap_or_default())
}

fn count(bytes: usize) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

fn span(span: Duration) -> String {
    match span.as_secs() {
        1 => "second".to_owned(),
        seconds if seconds % 60 == 0 && seconds > 60 => format!("{} minutes", seconds / 60),
        60 => "minute".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

fn newest_only() -> Problem {
    let message = "a page shows the newest messages";
    Problem::bad("bad_query", message, "say how many with last=N, and nothing else of the kind")
}
