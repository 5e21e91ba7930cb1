//! A carrier that writes down what a machine says, and is as slow as one likes.

use std::collections::VecDeque;

use bytes::Bytes;
use tidings_host::Carrier;
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};

/// One thing a machine said.
#[derive(Clone, Debug)]
pub enum Said {
    /// The whole answer.
    Respond(Response),
    /// The head of a stream, or the acceptance of a WebSocket.
    Begin(Response),
    /// Bytes of a stream.
    Send(Bytes),
    /// A WebSocket text message.
    Text(Bytes),
    /// A WebSocket binary message.
    Binary(Bytes),
    /// The end.
    Close(CloseReason),
}

/// What a machine said and nobody has taken yet.
#[derive(Debug, Default)]
pub struct Tape {
    /// In order.
    pub said: VecDeque<Said>,
    /// When the machine wants to be woken.
    pub wake_at: Option<Time>,
    /// So many things said and not taken make it full; 0 is any number.
    pub full_at: usize,
}

impl Carrier for Tape {
    fn respond(&mut self, response: Response) {
        self.said.push_back(Said::Respond(response));
    }

    fn begin(&mut self, head: Response) {
        self.said.push_back(Said::Begin(head));
    }

    fn send(&mut self, bytes: Bytes) {
        self.said.push_back(Said::Send(bytes));
    }

    fn text(&mut self, head: Bytes, body: Bytes) {
        self.said.push_back(Said::Text([head, body].concat().into()));
    }

    fn binary(&mut self, payload: Bytes) {
        self.said.push_back(Said::Binary(payload));
    }

    fn wake_at(&mut self, time: Time) {
        self.wake_at = Some(time);
    }

    fn wakes_at(&self) -> Option<Time> {
        self.wake_at
    }

    fn close(&mut self, reason: CloseReason) {
        self.said.push_back(Said::Close(reason));
    }

    fn is_full(&self) -> bool {
        self.full_at > 0 && self.said.len() >= self.full_at
    }
}
