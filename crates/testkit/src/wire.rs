//! Wire transcripts: plays in which a scripted peer speaks and a transport answers.
//!
//! A transcript is a text file. Lines that begin with `<` are what the transport says; all others
//! are directions. Playing a transcript writes the transport's lines anew, and the result must be
//! the file. With `UPDATE_WIRE=1` in the environment the file is written instead: read the
//! difference before you keep it.
//!
//! ```text
//! # a comment
//! keep 2                          keep that many messages of each topic (before anything else)
//! rule jsonp                      let scripts read (before anything else)
//! rule cache 5s                   let caches keep answers so long (before anything else)
//! publish TOPIC TYPE TEXT         store a message with this content type; \n, \r, \0 are escapes
//! GET /t/demo?since={1}           open the machine; header lines and `|` body lines follow
//! accept: text/event-stream
//! frame TEXT                      the peer sends a text message
//! bytes HEX                       the peer sends a binary message
//! wait 15s                        time passes
//! closing 2s                      the server shuts down
//! session NAME TOPIC              somebody else becomes a session that reads the topic, and leaves
//! leave                           the peer is gone
//! tick                            the server looks at ages and stores what it has put off
//! ```
//!
//! `{n}` stands for the position of the n-th stored message, `{foreign}` for one of another life of
//! the log.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidings_broker::{Namespace, Namespaces};
use tidings_host::{Client, Registry, Route};
use tidings_model::{
    ComeBack, EventType, Headers, LogKind, Manner, Mark, Message, Position, Time, Topic,
};
use tidings_protocol::{Caching, Frame, Method, Request, Response, Settings, Transport, ask};

use crate::rooms::{Rooms, namespace};
use crate::tape::{Said, Tape};

/// When every play begins: 2026-01-01T00:00:00Z.
const BEGIN: Time = Time::from_millis(1_767_225_600_000);

const EPOCH: u32 = 1;

/// Plays every transcript in a folder.
///
/// # Panics
/// When a transcript does not play as it is written, or there is none.
pub fn check_folder(transports: &'static [&'static Transport], folder: &str) {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there is no transcript in {folder}");
    for file in files {
        check_file(transports, &file);
    }
}

fn check_file(transports: &'static [&'static Transport], file: &Path) {
    let name = file.display();
    let written = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let played = play(transports, &written);
    if std::env::var_os("UPDATE_WIRE").is_some() {
        std::fs::write(file, &played).unwrap_or_else(|error| panic!("{name}: {error}"));
        return;
    }
    for (number, (played, written)) in played.lines().zip(written.lines()).enumerate() {
        assert_eq!(played, written, "{name}:{}: played (left) is not as written", number + 1);
    }
    assert_eq!(played.lines().count(), written.lines().count(), "{name}: lines");
}

/// Plays one transcript; returns it with what the transport really said.
fn play(transports: &'static [&'static Transport], script: &str) -> String {
    let mut stage = Stage::new(transports);
    let mut lines = script.lines().filter(|line| !line.starts_with('<')).peekable();
    while let Some(line) = lines.next() {
        let _ = writeln!(stage.out, "{line}");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "GET" | "HEAD" | "POST" | "DELETE" => {
                let (mut headers, mut body) = (HeaderMap::new(), Vec::new());
                while let Some(line) = lines.next_if(|l| l.contains(": ") || l.starts_with('|')) {
                    let _ = writeln!(stage.out, "{line}");
                    match (line.strip_prefix('|'), line.split_once(": ")) {
                        (Some(text), _) => {
                            body.extend_from_slice(expand(&unescape(text)).as_bytes());
                        }
                        (None, Some((name, value))) => {
                            let name: HeaderName = name.parse().unwrap();
                            headers.append(name, HeaderValue::from_str(&expand(value)).unwrap());
                        }
                        (None, None) => {}
                    }
                }
                stage.open(word.parse().unwrap(), &expand(rest), headers, body.into());
            }
            "keep" => {
                let most = rest.parse().unwrap();
                stage.rule(|namespace| namespace.retention.messages_max = most);
            }
            "rule" => stage.rule(|namespace| match rest.split_once(' ') {
                None if rest == "jsonp" => namespace.jsonp = true,
                Some(("cache", span)) => namespace.cache = ask::span(span).unwrap(),
                _ => panic!("not a rule: {line}"),
            }),
            "publish" => stage.publish(rest),
            "frame" => stage.frame(Frame::Text(&expand(rest))),
            "bytes" => stage.frame(Frame::Binary(&hex(rest))),
            "wait" => stage.wait(ask::span(rest).unwrap_or_else(|| panic!("{line}"))),
            "closing" => stage.closing(ask::span(rest).unwrap_or_else(|| panic!("{line}"))),
            "session" => stage.session(rest),
            "leave" => stage.leave(),
            "tick" => drop(stage.rooms.broker.tick(stage.rooms.now)),
            "" | "#" => {}
            _ => panic!("not a direction: {line}"),
        }
    }
    stage.out
}

struct Stage {
    registry: Registry,
    namespace: Namespace,
    rooms: Rooms,
    client: Option<Client>,
    tape: Tape,
    out: String,
}

impl Stage {
    fn new(transports: &'static [&'static Transport]) -> Stage {
        let namespace = namespace("**", LogKind::Volatile, 1000);
        Stage {
            registry: Registry::new(transports, Settings::default()),
            rooms: Rooms::new(vec![namespace.clone()], EPOCH, BEGIN),
            namespace,
            client: None,
            tape: Tape::default(),
            out: String::new(),
        }
    }

    /// Changes the rules of all topics.
    fn rule(&mut self, change: impl FnOnce(&mut Namespace)) {
        change(&mut self.namespace);
        self.rooms = Rooms::new(vec![self.namespace.clone()], EPOCH, BEGIN);
        let namespaces = Namespaces::new(Vec::new(), self.namespace.clone());
        let caching = Caching::new(move |filters| namespaces.cache(filters));
        let settings = Settings { caching, ..Settings::default() };
        self.registry = Registry::new(self.registry.transports(), settings);
    }

    fn publish(&mut self, rest: &str) {
        let mut parts = rest.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_else(|| panic!("publish TOPIC TYPE TEXT"));
        let message = Message {
            topic: Topic::new(next()).unwrap(),
            content_type: next().into(),
            payload: match next() {
                text if text.starts_with("hex:") => hex(&text[4..]).into(),
                text => unescape(text).into(),
            },
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: self.rooms.now,
            expires: None,
            manner: Manner::default(),
        };
        self.rooms.publish(message);
        self.act(|_, _, _| {});
    }

    fn session(&mut self, rest: &str) {
        let (name, topic) = rest.split_once(' ').unwrap_or_else(|| panic!("session NAME TOPIC"));
        self.rooms.session(name, topic);
        self.act(|_, _, _| {});
    }

    fn leave(&mut self) {
        if let Some(mut before) = self.client.take() {
            self.rooms.leave(&mut before);
        }
    }

    fn open(&mut self, method: Method, target: &str, headers: HeaderMap, body: Bytes) {
        self.leave();
        self.tape = Tape::default();
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        let request = Request::new(method, path, query, headers, body);
        let transport = match self.registry.route(&request) {
            Ok(Route::Exchange(transport) | Route::Socket(transport, _)) => transport,
            Ok(other) => panic!("{target} is not for a transport: {other:?}"),
            Err(problem) => return self.tell(Said::Respond(problem.to_response())),
        };
        self.client = Some(Client::new(0, self.registry.open(transport)));
        self.act(|client, rooms, tape| {
            rooms.house(|house| client.open(&request, house, tape));
        });
    }

    fn frame(&mut self, frame: Frame<'_>) {
        self.act(|client, rooms, tape| rooms.house(|house| client.frame(frame, house, tape)));
    }

    fn closing(&mut self, come_back: Duration) {
        self.act(|client, rooms, tape| {
            rooms.house(|house| client.closing(ComeBack(come_back), house, tape));
        });
    }

    fn wait(&mut self, span: Duration) {
        let until = self.rooms.now + span;
        while let Some(at) = self.tape.wake_at.filter(|&at| at <= until) {
            self.tape.wake_at = None;
            self.rooms.now = self.rooms.now.max(at);
            self.act(|client, rooms, tape| rooms.house(|house| client.deadline(house, tape)));
        }
        self.rooms.now = until;
    }

    /// Does something with the client, lets it read what there is, and writes down what it says.
    fn act(&mut self, work: impl FnOnce(&mut Client, &mut Rooms, &mut Tape)) {
        if let Some(client) = &mut self.client {
            work(client, &mut self.rooms, &mut self.tape);
            self.rooms.settle(0, client, &mut self.tape);
            loop {
                let woken = !self.rooms.dispatch().is_empty();
                let more = self.rooms.house(|house| client.deliver(house, &mut self.tape));
                if !woken && !more {
                    break;
                }
                self.rooms.taken(client);
            }
            self.rooms.taken(client);
        }
        while let Some(said) = self.tape.said.pop_front() {
            self.tell(said);
        }
    }

    fn tell(&mut self, said: Said) {
        match said {
            Said::Respond(response) => {
                self.tell_head("answers", &response);
                self.tell_lines(&response.body);
            }
            Said::Begin(head) => self.tell_head("begins", &head),
            Said::Send(bytes) => self.tell_lines(&bytes),
            Said::Text(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                let _ = writeln!(self.out, "< text {text}");
            }
            Said::Binary(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let _ = writeln!(self.out, "< binary {hex}");
            }
            Said::Close(reason) => {
                let _ = writeln!(self.out, "< closes {reason:?}");
            }
        }
    }

    fn tell_head(&mut self, verb: &str, response: &Response) {
        let _ = writeln!(self.out, "< {verb} {}", response.status.as_u16());
        let mut headers: Vec<_> = response
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
            .collect();
        headers.sort();
        for header in headers {
            let _ = writeln!(self.out, "<   {header}");
        }
    }

    fn tell_lines(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
            let line = format!("< {}", visible(line));
            let _ = writeln!(self.out, "{}", line.trim_end());
        }
    }
}

/// Makes control characters visible.
fn visible(line: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_debug().collect() } else { vec![c] };
    line.chars().flat_map(escape).collect()
}

/// Puts positions in place of `{n}` and `{foreign}`.
fn expand(text: &str) -> String {
    let position =
        |epoch, offset| Position::at(LogKind::Volatile, Mark { epoch, offset }).to_string();
    let mut out = text.replace("{foreign}", &position(EPOCH + 6, 5));
    for offset in 0..100 {
        out = out.replace(&format!("{{{offset}}}"), &position(EPOCH, offset));
    }
    out
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r").replace("\\0", "\0")
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
