//! The sending side of a WebSocket: what a machine says becomes frames.
//!
//! Must never read, nor decide when the connection ends: it keeps how far the closing is.

use std::net::SocketAddr;

use bytes::Bytes;
use tidings_host::Carrier;
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};
use tidings_websocket_codec::{
    CloseCode, Deflate, Opcode, close_payload, deflated_header, frame_header,
};

use crate::drive::outgoing::Outgoing;
use crate::drive::{LINGER, QUEUE_BYTES_MAX};
use crate::held::Held;
use crate::local::Local;

/// The close code of a socket whose durable session is another's now, or no more.
const SESSION_ENDED: CloseCode = match CloseCode::new(4409) {
    Some(code) => code,
    None => CloseCode::POLICY,
};

/// The close code of a socket whose client has to log in anew.
const EXPIRED: CloseCode = match CloseCode::new(4401) {
    Some(code) => code,
    None => CloseCode::POLICY,
};

/// The socket's sending side.
pub(super) struct Wire {
    pub(super) socket: Held,
    /// When the machine wants to be woken.
    pub(super) wake_at: Option<Time>,
    /// How messages may be compressed, if at all.
    pub(super) deflate: Option<Deflate>,
    pub(super) closing: Closing,
}

/// What writes in one turn.
pub(super) struct Pen<'a> {
    pub(super) local: &'a Local,
    pub(super) wire: &'a mut Wire,
    pub(super) out: &'a mut Outgoing,
}

/// How far the closing handshake is (RFC 6455 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// We said it; the peer has until then to say it too.
    Said(Time),
    /// Both said it, or the peer broke the protocol: close once everything is written.
    Done,
    /// Everything is written and the sending side closed; the peer has until then to close.
    Lingering(Time),
}

impl Carrier for Pen<'_> {
    fn respond(&mut self, _: Response) {
        debug_assert!(false, "an answer after the handshake");
    }

    fn begin(&mut self, _: Response) {
        debug_assert!(false, "a second handshake");
    }

    fn send(&mut self, bytes: Bytes) {
        self.binary(bytes);
    }

    fn text(&mut self, head: Bytes, body: Bytes) {
        self.message(Opcode::Text, head, body);
    }

    fn binary(&mut self, payload: Bytes) {
        self.message(Opcode::Binary, Bytes::new(), payload);
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

    fn close(&mut self, reason: CloseReason) {
        let (code, text) = match reason {
            CloseReason::Done => (CloseCode::NORMAL, ""),
            CloseReason::Restart => (CloseCode::SERVICE_RESTART, "the server restarts"),
            // A code of our own: the client should not come back by itself, as it would after 1012.
            CloseReason::SessionEnded(end) => (SESSION_ENDED, end.as_str()),
            CloseReason::Expired => (EXPIRED, "the credentials have expired"),
        };
        self.say_close(code, text);
    }

    fn is_full(&self) -> bool {
        self.out.bytes() >= QUEUE_BYTES_MAX
    }
}

impl Pen<'_> {
    /// A message, whose body is compressed where that was agreed on and is worth it.
    fn message(&mut self, opcode: Opcode, head: Bytes, body: Bytes) {
        let window_bytes = self.wire.deflate.map_or(0, Deflate::window_bytes);
        if self.wire.closing == Closing::No
            && body.len() <= window_bytes
            && let Some(deflated) = self.local.deflated.borrow_mut().get(&body)
            && let Some(header) = deflated_header(opcode, head.len(), deflated.len())
        {
            self.out.push_own(header.as_slice());
            self.out.push(head);
            self.out.push(deflated);
            return;
        }
        self.frame(opcode, head, body);
    }

    pub(super) fn frame(&mut self, opcode: Opcode, head: Bytes, body: Bytes) {
        if self.wire.closing == Closing::No {
            let header = frame_header(opcode, head.len() + body.len(), None);
            self.out.push_own(header.as_slice());
            self.out.push(head);
            self.out.push(body);
        }
    }

    pub(super) fn say_close(&mut self, code: CloseCode, text: &str) {
        if self.wire.closing == Closing::No {
            let payload = close_payload(code, text);
            self.frame(Opcode::Close, Bytes::new(), payload.into());
            self.wire.closing = Closing::Said(self.local.clock.now() + LINGER);
        }
    }
}

impl Wire {
    /// Everything is written: closes if that is due.
    pub(super) fn is_written(&mut self, now: Time) {
        if self.closing == Closing::Done {
            self.socket.shutdown();
            self.closing = Closing::Lingering(now + LINGER);
        }
    }

    /// Whether the time to close in good order is over.
    pub(super) fn is_over(&self, now: Time) -> bool {
        match self.closing {
            Closing::Said(until) | Closing::Lingering(until) => until <= now,
            Closing::No | Closing::Done => false,
        }
    }
}
