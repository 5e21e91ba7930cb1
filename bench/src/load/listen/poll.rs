//! Requests that are each answered with what is new: polling, held or not.

use anyhow::ensure;

use super::{Asking, Receiver};
use crate::load::http::{Answers, Part};
use crate::load::talk::{Talk, Turn};
use crate::target::fill;

/// A server that holds the first request says nothing when it listens: after so long it does.
const SETTLE_NS: u64 = 500_000_000;

/// The listener.
pub(super) struct Poll {
    asking: Asking,
    /// What is asked for to have a cursor; none: it listens soon after it has asked.
    first: Option<String>,
    /// The header field that holds the next cursor.
    field: String,
    /// Nanoseconds between two requests; none: the next follows at once.
    every: Option<u64>,
    receiver: Receiver,
    answers: Answers,
    cursor: Option<String>,
    /// The cursor of the answer that is being read.
    next: Option<String>,
    listens: bool,
}

impl Poll {
    pub(super) fn new(
        asking: Asking,
        first: Option<String>,
        field: String,
        every: Option<u64>,
        receiver: Receiver,
    ) -> Poll {
        let answers = Answers::default();
        let (cursor, next, listens) = (None, None, false);
        Poll { asking, first, field, every, receiver, answers, cursor, next, listens }
    }

    fn ask(&self, out: &mut Vec<u8>) {
        let cursor = self.cursor.as_deref();
        let target = match (&self.first, cursor) {
            (Some(first), None) => first.as_str(),
            _ => self.asking.target.as_str(),
        };
        let cursor = [("cursor", cursor.unwrap_or_default())];
        let fields: Vec<(String, String)> = self
            .asking
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, &cursor)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let (target, host) = (fill(target, &cursor), &self.asking.plan.host);
        crate::load::http::write_request(out, "GET", &target, host, &fields, None);
    }
}

impl Talk for Poll {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.answers = Answers::default();
        // An answer that a cut ended is asked for again: its cursor was not taken yet.
        let _ = self.receiver.from();
        self.ask(turn.out);
        self.listens = self.cursor.is_some();
        if self.listens {
            self.receiver.ready(&[], turn);
        } else if self.first.is_none() {
            turn.wake_at = Some(turn.now + SETTLE_NS);
        }
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let Poll { answers, receiver, field, next, .. } = self;
        let mut ended = false;
        answers.feed(bytes, |part| {
            match part {
                Part::Head(head) => {
                    let status = head.status()?;
                    ensure!(matches!(status, 200 | 204 | 304), "a poll was answered {status}");
                    *next = head.field(field).map(str::to_owned);
                }
                Part::Body(body) => receiver.take(body, turn),
                Part::End => ended = true,
            }
            Ok(())
        })?;
        if !ended {
            return Ok(());
        }
        self.cursor = self.next.take().or(self.cursor.take());
        if !self.listens {
            self.listens = true;
            self.receiver.ready(&[], turn);
        }
        match self.every {
            Some(every) => turn.wake_at = Some(turn.now + every),
            None => self.ask(turn.out),
        }
        Ok(())
    }

    fn wake(&mut self, turn: &mut Turn<'_>) {
        if self.listens {
            self.ask(turn.out);
        } else {
            self.listens = true;
            self.receiver.ready(&[], turn);
        }
    }

    fn missing(&self, published: &[u32]) -> u64 {
        self.receiver.tally.missing(published)
    }
}
