//! What both kinds of feeds have in common: what an event is called, and what the feed is.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderName, header};
use tidings_model::{Delivery, LogKind, Message, Position, Record, Time};
use tidings_protocol::ask::{Ask, TOPICS_PATH};
use tidings_protocol::content::{self, Data};
use tidings_protocol::markup::{beginning, escaped};
use tidings_protocol::poll::Answer;
use tidings_protocol::{Problem, Request, Response, Settings, encode_query};

use crate::id::urn;
use crate::since;

/// Longest title, in bytes.
const TITLE_MAX: usize = 80;

/// What a feed is about.
pub(crate) struct Feed {
    settings: Arc<Settings>,
    /// By what name this kind of feed is asked for.
    via: &'static str,
    /// The topics and filters, in order.
    names: Vec<String>,
    if_modified_since: Option<Box<str>>,
}

impl Feed {
    pub(crate) fn new(via: &'static str, settings: &Arc<Settings>) -> Feed {
        Feed { settings: Arc::clone(settings), via, names: Vec::new(), if_modified_since: None }
    }

    pub(crate) fn open(&mut self, request: &Request) {
        self.if_modified_since = request.header("if-modified-since").map(Into::into);
    }

    /// Looks at what is asked for.
    pub(crate) fn read(&mut self, ask: &Ask) -> Result<(), Problem> {
        if ask.raw {
            let message = "a feed is never payloads alone";
            return Err(Problem::bad("bad_query", message, "leave data out"));
        }
        if ask.session.is_some() {
            let message = "a feed is the same for everybody, so it is nobody's session";
            return Err(Problem::bad("bad_query", message, "leave session out"));
        }
        self.names = ask.filters.iter().map(|filter| filter.as_str().to_owned()).collect();
        Ok(())
    }

    /// What the feed is called.
    pub(crate) fn title(&self) -> String {
        self.names.join(", ")
    }

    /// The feed's own name: another for each server and life of its logs.
    pub(crate) fn id(&self, position: &str) -> String {
        let position: Position = position.parse().unwrap_or_default();
        let epoch = |log| position.get(log).map_or_else(String::new, |mark| mark.epoch.to_string());
        let [durable, volatile] = LogKind::ALL.map(epoch);
        let mut parts = vec!["feed", &durable, &volatile];
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.sort_unstable();
        parts.extend(names);
        urn(&parts)
    }

    /// Where people see the same.
    pub(crate) fn link(&self) -> String {
        let base = self.settings.public_url.as_deref().unwrap_or_default();
        match &self.names[..] {
            [name] => format!("{base}{TOPICS_PATH}/{}", encode_query(name)),
            names => {
                let topics: Vec<String> =
                    names.iter().map(|name| format!("topic={}", encode_query(name))).collect();
                format!("{base}{TOPICS_PATH}?{}", topics.join("&"))
            }
        }
    }

    /// What leads to the feed itself and to its hub, each a relation and a URL (WebSub section 4).
    /// Both have to be whole URLs, so there are none unless the operator has said the server's.
    pub(crate) fn relations(&self) -> Vec<(&'static str, String)> {
        if self.settings.public_url.is_none() {
            return Vec::new();
        }
        let link = self.link();
        let sign = if link.contains('?') { '&' } else { '?' };
        let itself = ("self", format!("{link}{sign}via={}", self.via));
        let hub = self.settings.websub_hub.as_deref().map(|hub| ("hub", hub.to_owned()));
        [itself].into_iter().chain(hub).collect()
    }

    /// The same as elements of Atom, which stand in RSS, too, under this prefix.
    pub(crate) fn write_relations(&self, prefix: &str, out: &mut String) {
        for (relation, url) in self.relations() {
            let url = escaped(&url);
            let _ = writeln!(out, "<{prefix}link rel=\"{relation}\" href=\"{url}\"/>");
        }
    }

    /// Whether more than one topic may be in it.
    pub(crate) fn is_mixed(&self) -> bool {
        self.names.len() != 1 || self.names[0].contains('*')
    }

    /// Whether the reader has this answer already, by its date.
    pub(crate) fn is_known(&self, answer: &Answer<'_>) -> bool {
        let known = self.if_modified_since.as_deref().and_then(since::parse);
        known.is_some() && known == last_modified(answer).as_deref().and_then(since::parse)
    }

    pub(crate) fn head(&self, answer: &Answer<'_>, head: Response) -> Response {
        let mut head = head.with(HeaderName::from_static("x-content-type-options"), "nosniff");
        let relations = self.relations().into_iter();
        let links: Vec<String> =
            relations.map(|(relation, url)| format!("<{url}>; rel=\"{relation}\"")).collect();
        if !links.is_empty() {
            head = head.with_text(header::LINK, &links.join(", "));
        }
        match last_modified(answer) {
            Some(date) => head.with_text(header::LAST_MODIFIED, &date),
            None => head,
        }
    }
}

/// When the newest event was published.
pub(crate) fn newest(answer: &Answer<'_>) -> Option<Time> {
    answer.items.iter().rev().find_map(|item| match item {
        Delivery::Event(event) => Some(event.record.message.time),
        Delivery::Gap(_) => None,
    })
}

fn last_modified(answer: &Answer<'_>) -> Option<String> {
    since::last_modified(newest(answer), answer.now)
}

/// The name of an event, of a server and of a life of its log.
pub(crate) fn id(record: &Record) -> String {
    let place = Position::at(record.log, record.mark).to_string();
    urn(&["event", &place, record.message.topic.as_str()])
}

/// What an event is called: its first words.
pub(crate) fn title(message: &Message) -> String {
    let text = match content::data(&message.content_type, &message.payload) {
        Data::Text(text) | Data::Json(text) => text,
        Data::Bytes(bytes) => return count(bytes, &message.content_type),
    };
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let shown = beginning(line, TITLE_MAX);
    match (shown.is_empty(), shown.len() < line.len()) {
        (true, _) => message.event_type.as_str().to_owned(),
        (false, true) => format!("{shown}…"),
        (false, false) => shown.to_owned(),
    }
}

/// What is said of bytes where they cannot stand.
pub(crate) fn count(bytes: &[u8], content_type: &str) -> String {
    let count = bytes.len();
    let unit = if count == 1 { "byte" } else { "bytes" };
    format!("{count} {unit} of {content_type}")
}
