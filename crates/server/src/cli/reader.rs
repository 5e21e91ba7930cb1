//! What `tidings sub` knows while it reads: where it stands, what is to be printed, what the
//! server wished. Must never print by itself, nor take an event that it has already.

use std::time::Duration;

use super::notes::Notes;
use super::output::Format;
use crate::client::item::{DecodeError, Event, Item};

/// Where a reader stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Events so far.
    pub received: u64,
    /// Everything up to here was seen. Empty: nothing is known yet.
    pub position: String,
}

/// Takes items one after the other.
pub(crate) struct Reader {
    format: Format,
    /// Most events that are wanted.
    most: Option<u64>,
    /// What is to be printed.
    pub out: Vec<u8>,
    /// Where the reader stands once that is printed.
    pub place: Place,
    /// What one answer held so far.
    pub answer: Answer,
    /// When the server wants to be asked again, after its goodbye.
    pub goodbye: Option<Duration>,
    /// Why the server wants not to be asked again, after its goodbye.
    pub ended: Option<String>,
    /// How long the server wants readers to wait after a loss.
    pub retry: Option<Duration>,
}

/// What one answer held so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer {
    /// Whether there was anything at all.
    pub began: bool,
    /// Events and gaps.
    pub events: u64,
}

impl Reader {
    /// A reader that has seen nothing.
    pub(crate) fn new(format: Format, most: Option<u64>) -> Reader {
        Reader {
            format,
            most,
            out: Vec::new(),
            place: Place::default(),
            answer: Answer::default(),
            goodbye: None,
            ended: None,
            retry: None,
        }
    }

    /// Whether there are as many events as are wanted.
    pub(crate) fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.place.received >= most)
    }

    /// Takes the next item; warnings go to `notes`. Once the reader is full it takes no more, so
    /// that its position is that of the last event it printed.
    pub(crate) fn take(&mut self, item: &Item<'_>, notes: &mut Notes) -> Result<(), DecodeError> {
        self.answer.began = true;
        match item {
            Item::Retry(wait) => self.retry = Some(*wait),
            _ if self.is_full() => {}
            Item::Position(position) => self.stand_at(position),
            Item::Event(event) if event.topic.is_empty() => self.take_server_event(event, notes),
            Item::Event(event) => {
                self.answer.events += 1;
                // A server goes on behind the position it is asked for, but something between it
                // and us may not.
                if event.position.is_empty() || event.position != self.place.position {
                    self.format.write(event, &mut self.out)?;
                    self.place.received += 1;
                    self.stand_at(&event.position);
                }
            }
        }
        Ok(())
    }

    fn take_server_event(&mut self, event: &Event<'_>, notes: &mut Notes) {
        match &*event.kind {
            "gap" => {
                self.answer.events += 1;
                let (from, to) = (event.from.escape_debug(), event.to.escape_debug());
                notes.line(&match &*event.reason {
                    "trimmed" => format!(
                        "warning: what came between {from} and {to} is gone: the server does not \
                         keep it so long; going on behind it"
                    ),
                    "epoch" => format!(
                        "warning: {from} is from an earlier life of the server's log, what came \
                         after it is gone; going on at {to}"
                    ),
                    reason => format!(
                        "warning: what came between {from} and {to} is gone ({}); going on \
                         behind it",
                        reason.escape_debug()
                    ),
                });
                if self.format == Format::Json {
                    self.out.extend_from_slice(event.json.as_bytes());
                    self.out.push(b'\n');
                }
            }
            "goodbye" if !event.reason.is_empty() => self.ended = Some(event.reason.to_string()),
            "goodbye" => {
                self.goodbye = Some(Duration::from_millis(event.retry_ms.unwrap_or_default()));
            }
            // `ready`, `heartbeat`, and whatever a later server may say.
            _ => {}
        }
        self.stand_at(&event.position);
    }

    fn stand_at(&mut self, position: &str) {
        if !position.is_empty() {
            self.place.position.clear();
            self.place.position.push_str(position);
        }
    }
}
