//! The socket's side of an exchange: what a machine says becomes an answer of HTTP/1.1.
//!
//! Must never decide when the connection ends: it keeps how far it is.

use std::io;

use std::net::SocketAddr;

use bytes::Bytes;
use tidings_host::Carrier;
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};

use crate::drive::outgoing::Outgoing;
use crate::drive::{QUEUE_BYTES_MAX, READS_MAX};
use crate::held::Held;
use crate::http::Dress;
use crate::http::head::{self, Connection, Framing};
use crate::local::Local;

/// Most bytes kept of what a client sends while it waits for its answer: its next request. Beyond
/// that it is not read, and its own system holds it back.
const UNREAD_BYTES_MAX: usize = 16 * 1024;

/// The socket's side of an exchange.
pub(super) struct Wire {
    pub(super) socket: Held,
    /// What the client sent after its request.
    #[expect(clippy::box_collection, reason = "one word instead of three where there is none")]
    pub(super) unread: Option<Box<Vec<u8>>>,
    pub(super) phase: Phase,
    /// When the machine wants to be woken.
    pub(super) wake_at: Option<Time>,
}

pub(super) enum Phase {
    /// Nothing has been answered yet.
    Waiting(Waiting),
    /// A stream is open.
    Streaming(Framing),
    /// All is said; the connection goes back to the parser, or ends, once it is written.
    Ending(Connection),
    /// All is written and the client has been told so; it has until then to close.
    Lingering(Time),
    /// All is written; the client has until then to ask for something else.
    Idle(Time),
}

/// What the answer will depend on.
pub(super) struct Waiting {
    pub(super) keep_alive: bool,
    pub(super) http11: bool,
    pub(super) dress: Dress,
}

/// What writes in one turn.
pub(super) struct Pen<'a> {
    pub(super) local: &'a Local,
    pub(super) wire: &'a mut Wire,
    pub(super) out: &'a mut Outgoing,
}

impl Carrier for Pen<'_> {
    fn respond(&mut self, response: Response) {
        if let Phase::Waiting(waiting) = &self.wire.phase {
            let keep = waiting.keep_alive && !self.local.shared.is_closing();
            let connection = if keep { Connection::KeepAlive } else { Connection::Close };
            let response = waiting.dress.put_on(response);
            self.out.push(head::whole(&response, connection).into());
            self.wire.phase = Phase::Ending(connection);
        }
    }

    fn begin(&mut self, head: Response) {
        if let Phase::Waiting(waiting) = &self.wire.phase {
            let framing = if waiting.http11 { Framing::Chunked } else { Framing::UntilClose };
            let head = waiting.dress.put_on_head(head);
            self.out.push(head::streamed(&head, framing).into());
            self.wire.phase = Phase::Streaming(framing);
            self.wire.unread = None;
        }
    }

    fn send(&mut self, bytes: Bytes) {
        if let Phase::Streaming(framing) = self.wire.phase
            && !bytes.is_empty()
        {
            if framing == Framing::Chunked {
                self.out.begin_chunk();
            }
            self.out.push(bytes);
        }
    }

    fn text(&mut self, _: Bytes, _: Bytes) {
        debug_assert!(false, "a WebSocket machine on an exchange");
    }

    fn binary(&mut self, _: Bytes) {
        debug_assert!(false, "a WebSocket machine on an exchange");
    }

    fn wake_at(&mut self, time: Time) {
        self.wire.wake_at = Some(time);
    }

    fn wakes_at(&self) -> Option<Time> {
        self.wire.wake_at
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.wire.socket.peer()
    }

    fn close(&mut self, _: CloseReason) {
        if let Phase::Streaming(framing) = self.wire.phase {
            self.out.end_chunk();
            if framing == Framing::Chunked {
                self.out.push_own(b"0\r\n\r\n");
            }
            self.wire.phase = Phase::Ending(Connection::Close);
        }
    }

    fn is_full(&self) -> bool {
        self.out.bytes() >= QUEUE_BYTES_MAX
    }
}

impl Wire {
    /// How much may be read now, if there is something to read.
    pub(super) fn room(&self) -> Option<usize> {
        let unread = self.unread.as_ref().map_or(0, |unread| unread.len());
        let room = UNREAD_BYTES_MAX.saturating_sub(unread);
        (room > 0 && self.socket.is_readable()).then_some(room)
    }

    /// Reads what the client sends. Says whether it is gone.
    pub(super) fn read(&mut self, local: &Local) -> io::Result<bool> {
        let mut scratch = local.scratch.borrow_mut();
        for _ in 0..READS_MAX {
            let Some(room) = self.room() else { return Ok(false) };
            let room = room.min(scratch.len());
            match self.socket.read(&mut scratch[..room])? {
                None => return Ok(false),
                Some(0) => return Ok(true),
                // A stream is the last answer of its connection: what follows it is not kept.
                Some(count) if matches!(self.phase, Phase::Waiting(_) | Phase::Idle(_)) => {
                    self.unread.get_or_insert_default().extend_from_slice(&scratch[..count]);
                }
                Some(_) => {}
            }
        }
        Ok(false)
    }
}
