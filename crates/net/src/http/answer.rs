//! What is kept of an exchange that its parser gives away: the machine, what it has said so far, and
//! what its answer owes to the one who asked.

use bytes::Bytes;
use http::HeaderMap;
use tidings_host::Carrier;
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};

use super::gzip;
use super::origin::Origin;
use super::upgrade::Accepted;
use crate::drive::Guest;

/// A connection that its parser gives away, and what has happened on it so far.
pub(crate) struct Takeover {
    pub(crate) guest: Guest,
    pub(crate) answer: Answer,
    pub(crate) kind: TakeoverKind,
    pub(crate) dress: Dress,
}

/// What an answer owes to the one who asked, kept small for answers that are held.
pub(crate) struct Dress {
    origin: Origin,
    gzip: bool,
}

impl Dress {
    /// What the answer to a request with these header fields needs.
    pub(crate) fn new(origin: Origin, request: &HeaderMap) -> Dress {
        Dress { origin, gzip: gzip::takes_gzip(request) }
    }

    /// Dresses a whole answer.
    pub(crate) fn put_on(&self, mut response: Response) -> Response {
        gzip::compress(self.gzip, &mut response);
        self.origin.mark(&mut response);
        response
    }

    /// Dresses the head of a stream, which is never compressed.
    pub(crate) fn put_on_head(&self, mut head: Response) -> Response {
        self.origin.mark(&mut head);
        head
    }
}

pub(crate) enum TakeoverKind {
    /// An answer that is held or streamed.
    Exchange {
        /// Whether the client understands chunks and keeps the connection.
        http11: bool,
        /// Whether the client asked to keep the connection.
        keep_alive: bool,
    },
    /// A WebSocket.
    Socket(Accepted),
}

/// What a machine said before its connection was taken over.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) response: Option<Response>,
    pub(crate) said: Vec<Said>,
    pub(crate) bytes: usize,
    pub(crate) wake_at: Option<Time>,
}

/// One thing a machine said on an open stream or socket.
pub(crate) enum Said {
    Begin(Response),
    Send(Bytes),
    Text(Bytes, Bytes),
    Binary(Bytes),
    Close(CloseReason),
}

/// What is read ahead for a machine before its connection is taken over; the rest comes after.
const AHEAD_BYTES: usize = 64 * 1024;

impl Carrier for Answer {
    fn respond(&mut self, response: Response) {
        self.response = Some(response);
    }

    fn begin(&mut self, head: Response) {
        self.said.push(Said::Begin(head));
    }

    fn send(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.said.push(Said::Send(bytes));
    }

    fn text(&mut self, head: Bytes, body: Bytes) {
        self.bytes += head.len() + body.len();
        self.said.push(Said::Text(head, body));
    }

    fn binary(&mut self, payload: Bytes) {
        self.bytes += payload.len();
        self.said.push(Said::Binary(payload));
    }

    fn wake_at(&mut self, time: Time) {
        self.wake_at = Some(time);
    }

    fn wakes_at(&self) -> Option<Time> {
        self.wake_at
    }

    fn close(&mut self, reason: CloseReason) {
        self.said.push(Said::Close(reason));
    }

    fn is_full(&self) -> bool {
        self.bytes >= AHEAD_BYTES
    }
}
