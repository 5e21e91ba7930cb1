//! Listeners: one conversation for each way to listen.

mod poll;
mod raw;
mod socket;
mod stream;

use std::ops::Range;
use std::rc::Rc;

use anyhow::{Context, bail};
use memchr::memmem;

use super::http::{Head, fields};
use super::mark::{MARK_BYTES, Scanner, last_mark};
use super::mqtt;
use super::talk::{Talk, Turn};
use super::tally::Tally;
use crate::target::{From, Subscribe, as_segment, fill};

/// Most bytes that are kept to find the cursor of the newest message, which stands before it.
const CURSOR_BYTES_MAX: usize = 4096;

/// Where listeners begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With what comes from now on.
    Now,
    /// With everything there is.
    Start,
}

/// What the listeners of a group have in common.
#[derive(Clone, Debug)]
pub(crate) struct ListenPlan {
    /// How to listen.
    pub(crate) form: Subscribe,
    /// Where the server is.
    pub(crate) host: String,
    /// Where to begin.
    pub(crate) begin: Begin,
    /// Whether to remember the newest cursor, and to go on there after a cut. It costs.
    pub(crate) resume: bool,
    /// Nanoseconds between two polls that are not held.
    pub(crate) poll_every: u64,
}

/// A listener to one topic, whose messages are of these streams.
///
/// # Errors
/// When the target does not offer what the plan asks for.
pub(super) fn listener(
    plan: &Rc<ListenPlan>,
    topic: &str,
    streams: Range<u32>,
) -> anyhow::Result<Box<dyn Talk>> {
    let tally = Tally::new(streams.start, streams.end - streams.start);
    let receiver = |from: &From| Receiver::new(plan, tally, from);
    Ok(match &plan.form {
        Subscribe::Stream { target, headers, ready, from } => {
            let asking = Asking::new(plan, target, topic, fields(headers));
            Box::new(stream::Stream::new(asking, ready.clone(), receiver(from)?))
        }
        Subscribe::Websocket { target, headers, first, ready, from } => {
            let mut all = fields(headers);
            all.extend(super::frames::handshake_fields());
            let asking = Asking::new(plan, target, topic, all);
            let values = [("topic", topic), ("topic_segment", &as_segment(topic))];
            let first = first.iter().map(|text| fill(text, &values)).collect();
            Box::new(socket::Socket::new(asking, first, ready.clone(), receiver(from)?))
        }
        Subscribe::Poll { first, target, headers, cursor, held } => {
            if plan.begin == Begin::Start {
                bail!("polling from the start is not offered");
            }
            let first = first.as_ref().map(|first| fill(first, &[("topic", topic)]));
            let asking = Asking::new(plan, target, topic, fields(headers));
            let every = if *held { None } else { Some(plan.poll_every) };
            let receiver = receiver(&From::default())?;
            Box::new(poll::Poll::new(asking, first, cursor.clone(), every, receiver))
        }
        Subscribe::Tcp { first, ready } => {
            let first = fill(first, &[("topic", topic)]).into_bytes();
            let ready = ready.clone().into_bytes();
            Box::new(raw::Raw::new(first, ready, receiver(&From::default())?))
        }
        Subscribe::Mqtt {} => {
            let (first, ready) = mqtt::subscribe(topic);
            Box::new(raw::Raw::new(first, ready, receiver(&From::default())?))
        }
    })
}

/// What a listener asks for.
struct Asking {
    plan: Rc<ListenPlan>,
    target: String,
    fields: Vec<(String, String)>,
}

impl Asking {
    fn new(
        plan: &Rc<ListenPlan>,
        target: &str,
        topic: &str,
        fields: Vec<(String, String)>,
    ) -> Asking {
        Asking { plan: Rc::clone(plan), target: fill(target, &[("topic", topic)]), fields }
    }

    fn write(&self, from: &str, out: &mut Vec<u8>) {
        let target = fill(&self.target, &[("from", from)]);
        super::http::write_request(out, "GET", &target, &self.plan.host, &self.fields, None);
    }
}

/// What every listener does with what it reads.
struct Receiver {
    tally: Tally,
    begin: Begin,
    from: From,
    scanner: Scanner,
    /// Only when it is to go on after a cut.
    cursor: Option<Cursor>,
    /// Whether it ever listened.
    begun: bool,
}

/// The newest cursor, and what was read since the message it belongs to.
struct Cursor {
    unread: Vec<u8>,
    newest: Option<String>,
}

impl Receiver {
    fn new(plan: &ListenPlan, tally: Tally, from: &From) -> anyhow::Result<Receiver> {
        if plan.begin == Begin::Start && from.start.is_none() {
            bail!("reading from the start is not offered");
        }
        let cursor = plan.resume.then_some(Cursor { unread: Vec::new(), newest: None });
        Ok(Receiver {
            tally,
            begin: plan.begin,
            from: from.clone(),
            scanner: Scanner::default(),
            cursor,
            begun: false,
        })
    }

    /// What stands for `{from}` on a connection that is new.
    fn from(&mut self) -> String {
        self.scanner = Scanner::default();
        let newest = self.cursor.as_mut().and_then(|cursor| {
            cursor.unread.clear();
            cursor.newest.as_deref()
        });
        match (newest, &self.from.cursor, self.begin) {
            (Some(newest), Some(form), _) => fill(form, &[("cursor", newest)]),
            (_, _, Begin::Start) => self.from.start.clone().unwrap_or_default(),
            (_, _, Begin::Now) => self.from.now.clone(),
        }
    }

    /// It listens now; `read` is all that was read before.
    fn ready(&mut self, read: &[u8], turn: &mut Turn<'_>) {
        turn.ready = true;
        if !self.begun && self.begin == Begin::Now {
            self.tally.begin(turn.published);
        }
        self.begun = true;
        if let (Some(cursor), Some((before, behind))) = (&mut self.cursor, &self.from.found_between)
            && cursor.newest.is_none()
        {
            cursor.newest = first_between(read, before, behind);
        }
    }

    /// Takes what may hold messages.
    fn take(&mut self, bytes: &[u8], turn: &mut Turn<'_>) {
        let (tally, heard, now) = (&mut self.tally, &mut *turn.heard, turn.now);
        self.scanner.feed(bytes, |mark| {
            heard.delivered += 1;
            heard.latency.record(now.saturating_sub(mark.time));
            tally.note(mark, &mut heard.faults);
        });
        if let (Some(cursor), Some((before, behind))) = (&mut self.cursor, &self.from.found_between)
        {
            cursor.take(bytes, before, behind);
        }
    }
}

impl Cursor {
    /// The cursor stands before the payload whose end says that all of it came.
    fn take(&mut self, bytes: &[u8], before: &str, behind: &str) {
        self.unread.extend_from_slice(bytes);
        if let Some(mark) = last_mark(&self.unread) {
            if let Some(at) = memmem::rfind(&self.unread[..mark], before.as_bytes()) {
                self.newest = first_between(&self.unread[at..mark], before, behind);
            }
            self.unread.drain(..mark + MARK_BYTES);
        }
        let excess = self.unread.len().saturating_sub(CURSOR_BYTES_MAX);
        self.unread.drain(..excess);
    }
}

fn first_between(bytes: &[u8], before: &str, behind: &str) -> Option<String> {
    let begin = memmem::find(bytes, before.as_bytes())? + before.len();
    let length = memmem::find(&bytes[begin..], behind.as_bytes())?;
    String::from_utf8(bytes[begin..begin + length].to_vec()).ok()
}

/// What is read until a listener listens.
#[derive(Default)]
struct Awaiting {
    read: Vec<u8>,
    /// How much of it is the head of an HTTP answer.
    head: usize,
}

impl Awaiting {
    /// Takes what came, and returns all of it once it holds a head with this status and `ready`.
    /// What is behind the head is returned as it came, messages included.
    fn take(
        &mut self,
        bytes: &[u8],
        status: u16,
        ready: Option<&str>,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        /// Far more than any server says before its first message.
        const READ_BYTES_MAX: usize = 1 << 20;
        self.read.extend_from_slice(bytes);
        if self.head == 0 {
            let Some((head, length)) = Head::take(&self.read)? else { return Ok(None) };
            let body = String::from_utf8_lossy(&self.read[length..]).into_owned();
            head.expect(status)
                .with_context(|| body.trim().chars().take(300).collect::<String>())?;
            self.head = length;
        }
        let is_there =
            |text: &str| memmem::find(&self.read[self.head..], text.as_bytes()).is_some();
        if ready.is_none_or(is_there) {
            let body = self.read.split_off(self.head);
            *self = Awaiting::default();
            return Ok(Some(body));
        }
        anyhow::ensure!(self.read.len() < READ_BYTES_MAX, "it never says that it is ready");
        Ok(None)
    }
}
