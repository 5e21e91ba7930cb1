//! A streamed answer, line by line: Server-Sent Events and newline-delimited JSON.
//! Must never hide how the stream was framed or that it ended.

use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;
use crate::http::{Response, request};
use crate::http2::Flow;
use crate::server::Server;
use crate::wire::Wire;

/// A streamed answer.
pub struct Stream {
    /// Its head.
    pub head: Response,
    source: Source,
    ended: bool,
    unread: Vec<u8>,
}

/// Where its body comes from.
enum Source {
    /// HTTP/1.1, in chunks or up to the connection's end.
    Wire { wire: Wire, chunked: bool },
    /// A stream of HTTP/2.
    Http2(Flow),
}

/// One event of an event stream, as it stood there (WHATWG HTML section 9.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sse {
    /// `id:`
    pub id: Option<String>,
    /// `event:`
    pub event: Option<String>,
    /// `retry:`
    pub retry: Option<String>,
    /// Every `data:` line, joined by line feeds.
    pub data: String,
}

impl Sse {
    /// Its data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Stream {
    /// Asks for a stream and reads its head, which must be 200.
    #[track_caller]
    pub fn open(server: &Server, target: &str, headers: &[(&str, &str)]) -> Stream {
        let mut wire = server.wire();
        wire.send(request("GET", target, headers, b""));
        Stream::begin(wire)
    }

    /// Asks for an event stream and reads up to its `ready`, which it gives too.
    #[track_caller]
    pub fn sse(server: &Server, target: &str) -> (Stream, Sse) {
        let mut stream = Stream::open(server, target, &[("Accept", "text/event-stream")]);
        let ready = stream.next_sse();
        assert_eq!(ready.event.as_deref(), Some("ready"), "{ready:?}");
        (stream, ready)
    }

    /// Asks for newline-delimited JSON and reads up to its `ready`, which it gives too.
    #[track_caller]
    pub fn ndjson(server: &Server, target: &str) -> (Stream, Value) {
        let mut stream = Stream::open(server, target, &[("Accept", "application/x-ndjson")]);
        let ready = stream.next_json();
        assert_eq!(ready["type"], "ready", "{ready}");
        (stream, ready)
    }

    /// Reads the head of a stream that was asked for.
    #[track_caller]
    pub fn begin(mut wire: Wire) -> Stream {
        let head = wire.head();
        assert_eq!(head.status, 200, "{head:?}");
        Stream::resume(wire, head)
    }

    /// A stream whose head was read already.
    pub fn resume(wire: Wire, head: Response) -> Stream {
        let chunked = head.list("transfer-encoding") == ["chunked"];
        Stream { head, source: Source::Wire { wire, chunked }, ended: false, unread: Vec::new() }
    }

    /// A stream of HTTP/2 whose head was read already.
    pub(crate) fn over(flow: Flow, head: Response) -> Stream {
        Stream { head, source: Source::Http2(flow), ended: false, unread: Vec::new() }
    }

    /// The next line without its line feed, or nothing at the stream's end.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let line = self.until(b"\n")?;
        let text = String::from_utf8(line).unwrap_or_else(|error| panic!("{error}"));
        Some(text.trim_end_matches('\n').to_owned())
    }

    /// Everything up to and including `end`, or nothing at the stream's end.
    #[track_caller]
    pub fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let mut searched = 0;
        loop {
            let rest = &self.unread[searched..];
            if let Some(at) = rest.windows(end.len()).position(|window| window == end) {
                return Some(self.unread.drain(..searched + at + end.len()).collect());
            }
            searched = self.unread.len().saturating_sub(end.len() - 1);
            let Some(more) = self.more() else {
                let rest = self.unread.escape_ascii();
                assert!(self.unread.is_empty(), "the stream ends inside of something: {rest}");
                return None;
            };
            self.unread.extend(more);
        }
    }

    /// Whatever comes next, as it comes, or nothing at the stream's end. For what is no text.
    #[track_caller]
    pub fn more(&mut self) -> Option<Vec<u8>> {
        let more = match &mut self.source {
            _ if self.ended => None,
            Source::Wire { wire, chunked: true } => wire.chunk(),
            Source::Wire { wire, chunked: false } => wire.read_some(),
            Source::Http2(flow) => flow.more(),
        };
        self.ended = more.is_none();
        more
    }

    /// The next line that is there, as JSON; blank lines, which padding and heartbeats may be, are
    /// skipped.
    #[track_caller]
    pub fn next_json(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the stream has ended"));
            assert!(Instant::now() < deadline, "waited in vain for an event");
            if !line.trim().is_empty() {
                return serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
            }
        }
    }

    /// What the next script of a forever iframe tells the page around it, as JSON. All that stands
    /// between scripts is blank.
    #[track_caller]
    pub fn next_script(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the document has ended"));
            assert!(Instant::now() < deadline, "waited in vain for a script");
            if line.trim().is_empty() {
                continue;
            }
            let string =
                line.split_once("\">t(").and_then(|(_, rest)| rest.strip_suffix(")</script>"));
            let string = string.unwrap_or_else(|| panic!("not a script that tells: {line:?}"));
            let text: String =
                serde_json::from_str(string).unwrap_or_else(|error| panic!("{error} in {line:?}"));
            return serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{error} in {text:?}"));
        }
    }

    /// The next event of an event stream.
    #[track_caller]
    pub fn next_sse(&mut self) -> Sse {
        self.try_next_sse().unwrap_or_else(|| panic!("the stream has ended"))
    }

    /// The next event of an event stream, or nothing at the stream's end.
    #[track_caller]
    pub fn try_next_sse(&mut self) -> Option<Sse> {
        let mut event = Sse::default();
        let mut data = Vec::new();
        loop {
            let Some(line) = self.line() else {
                assert_eq!(event, Sse::default(), "the stream ends inside an event");
                return None;
            };
            if line.is_empty() {
                event.data = data.join("\n");
                return Some(event);
            }
            // A carriage return alone ends a line, too: what is behind it would be a field.
            assert!(!line.contains('\r'), "two lines in one: {line:?}");
            let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
            match name {
                "id" => event.id = Some(value.to_owned()),
                "event" => event.event = Some(value.to_owned()),
                "retry" => event.retry = Some(value.to_owned()),
                "data" => data.push(value.to_owned()),
                _ => panic!("a line that means nothing: {line:?}"),
            }
        }
    }

    /// Waits until the body has ended in good order and, where it was all that its connection was
    /// for, the server has closed that.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let line = self.line();
        assert_eq!(line, None, "more came before the end");
        if let Source::Wire { wire, .. } = &mut self.source {
            wire.expect_end();
        }
    }

    /// The stream of HTTP/2 that carries it.
    #[track_caller]
    pub fn flow(&mut self) -> &mut Flow {
        match &mut self.source {
            Source::Http2(flow) => flow,
            Source::Wire { .. } => panic!("not a stream of HTTP/2"),
        }
    }
}
