//! The sending side of a WebSocket: what a machine says becomes frames.
//!
//! Must never read, nor decide when the connection ends: it keeps how far the closing is.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tidings_host::Carrier;
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};
use tidings_websocket_codec::{
    CloseCode, Deflate, Opcode, close_payload, deflated_header, frame_header,
};
use tokio::io::AsyncWrite;

use crate::connection::Connection;
use crate::drive::outgoing::Outgoing;
use crate::drive::{LINGER, QUEUE_BYTES_MAX};
use crate::local::Local;

/// The close code of a socket whose durable session is another's now, or no more.
const SESSION_ENDED: CloseCode = match CloseCode::new(4409) {
    Some(code) => code,
    None => CloseCode::POLICY,
};

/// The socket's sending side.
pub(super) struct Wire {
    pub(super) local: Rc<Local>,
    pub(super) stream: Connection,
    pub(super) out: Outgoing,
    /// When the machine wants to be woken.
    pub(super) wake_at: Option<Time>,
    /// How messages may be compressed, if at all.
    pub(super) deflate: Option<Deflate>,
    pub(super) closing: Closing,
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

impl Carrier for Wire {
    fn respond(&mut self, _: Response) {
        debug_assert!(false, "an answer after the handshake");
    }

    fn begin(&mut self, _: Response) {
        debug_assert!(false, "a second handshake");
    }

    fn send(&mut self, _: Bytes) {
        debug_assert!(false, "an exchange's machine on a WebSocket");
    }

    fn text(&mut self, head: Bytes, body: Bytes) {
        self.message(Opcode::Text, head, body);
    }

    fn binary(&mut self, payload: Bytes) {
        self.message(Opcode::Binary, Bytes::new(), payload);
    }

    fn wake_at(&mut self, time: Time) {
        self.wake_at = Some(time);
    }

    fn close(&mut self, reason: CloseReason) {
        let (code, text) = match reason {
            CloseReason::Done => (CloseCode::NORMAL, ""),
            CloseReason::Restart => (CloseCode::SERVICE_RESTART, "the server restarts"),
            // A code of our own: the client should not come back by itself, as it would after 1012.
            CloseReason::SessionEnded(end) => (SESSION_ENDED, end.as_str()),
        };
        self.say_close(code, text);
    }

    fn is_full(&self) -> bool {
        self.out.bytes() >= QUEUE_BYTES_MAX
    }
}

impl Wire {
    /// A message, whose body is compressed where that was agreed on and is worth it.
    fn message(&mut self, opcode: Opcode, head: Bytes, body: Bytes) {
        let window_bytes = self.deflate.map_or(0, Deflate::window_bytes);
        if self.closing == Closing::No
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
        if self.closing == Closing::No {
            let header = frame_header(opcode, head.len() + body.len(), None);
            self.out.push_own(header.as_slice());
            self.out.push(head);
            self.out.push(body);
        }
    }

    pub(super) fn say_close(&mut self, code: CloseCode, text: &str) {
        if self.closing == Closing::No {
            let payload = close_payload(code, text);
            self.frame(Opcode::Close, Bytes::new(), payload.into());
            self.closing = Closing::Said(self.local.clock.now() + LINGER);
        }
    }

    /// Writes what waits, then closes if that is due.
    pub(super) fn poll_write(&mut self, now: Time, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let patience = self.local.options.write_stall;
        if self.out.poll_write(&mut self.stream, now, patience, cx)?.is_pending() {
            return Poll::Pending;
        }
        if self.closing == Closing::Done {
            // Fails only when the peer is gone, and then there is nothing to linger for.
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
            self.closing = Closing::Lingering(now + LINGER);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn is_over(&self, now: Time) -> bool {
        let closed = match self.closing {
            Closing::Said(until) | Closing::Lingering(until) => until <= now,
            Closing::No | Closing::Done => false,
        };
        closed || self.out.stalled().is_some_and(|until| until <= now)
    }
}
