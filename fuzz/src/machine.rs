//! Runs a transport's machine against a house in which everything succeeds. Must never let an
//! output pass that breaks what is promised of all machines.

use std::collections::VecDeque;
use std::sync::Arc;

use tidings_model::{
    Durability, IdempotencyKey, Managed, Message, Position, Published, Refusal, Time,
};
use tidings_protocol::{
    Input, Output, Outputs, Protocol, Response, Settings, SubId, Ticket, Transport,
};

/// A machine, and what it has said.
pub(crate) struct Machine {
    machine: Box<dyn Protocol>,
    /// Texts it sent over its WebSocket.
    pub(crate) texts: Vec<String>,
    /// What it published.
    pub(crate) published: Vec<(Vec<Message>, Option<IdempotencyKey>)>,
    /// Its answer.
    pub(crate) response: Option<Response>,
    ended: bool,
}

/// What the house says to an output.
enum Reply {
    Subscribed(SubId),
    Published(Ticket, u32),
    Managed(Ticket),
}

/// Most messages in one batch here; small, so that the limit is met.
pub(crate) const BATCH_MESSAGES_MAX: usize = 50;

impl Machine {
    pub(crate) fn new(transport: &Transport) -> Machine {
        let settings = Settings {
            batch_messages_max: BATCH_MESSAGES_MAX,
            subscriptions_max: 8,
            ..Settings::default()
        };
        let machine = (transport.open)(&Arc::new(settings));
        Machine { machine, texts: Vec::new(), published: Vec::new(), response: None, ended: false }
    }

    /// Feeds one input, carries out what comes of it, and feeds what comes of that.
    pub(crate) fn feed(&mut self, input: Input<'_>) {
        let (now, mut out, mut replies) =
            (Time::from_millis(1_700_000_000_000), Outputs::default(), VecDeque::new());
        if self.ended {
            return;
        }
        self.machine.handle(input, now, &mut out);
        loop {
            while let Some(output) = out.pop() {
                assert!(!self.ended, "something follows the end: {output:?}");
                replies.extend(self.take(output));
            }
            if self.ended {
                return;
            }
            let position = Position::default();
            match replies.pop_front() {
                None => return,
                Some(Reply::Subscribed(sub)) => {
                    self.machine.handle(Input::Subscribed(sub, Ok(position), &[]), now, &mut out);
                    let nothing =
                        Input::Deliveries { sub, deliveries: &[], position, caught_up: true };
                    self.machine.handle(nothing, now, &mut out);
                }
                Some(Reply::Published(ticket, count)) => {
                    let published = Published { durability: Durability::Fsync, position, count };
                    self.machine.handle(Input::Published(ticket, Ok(published)), now, &mut out);
                }
                Some(Reply::Managed(ticket)) => {
                    let done: Result<Managed, Refusal> = Ok(Managed::Acked(position));
                    self.machine.handle(Input::Managed(ticket, done), now, &mut out);
                }
            }
        }
    }

    fn take(&mut self, output: Output) -> Option<Reply> {
        match output {
            Output::Text(head, body) => {
                let text = String::from_utf8([&head[..], &body[..]].concat());
                self.texts.push(text.expect("a text message is UTF-8"));
            }
            Output::Subscribe(sub, _) => return Some(Reply::Subscribed(sub)),
            Output::Publish(ticket, messages, key) => {
                let count = messages.len() as u32;
                self.published.push((messages, key));
                return Some(Reply::Published(ticket, count));
            }
            Output::Manage(ticket, _) => return Some(Reply::Managed(ticket)),
            Output::Respond(response) => {
                self.response = Some(response);
                self.ended = true;
            }
            Output::Close(_) => self.ended = true,
            _ => {}
        }
        None
    }
}
