//! Drives WebSockets: frames in, frames out, pings, and the closing handshake (RFC 6455).
//!
//! Liveness is this driver's: a peer that was silent is pinged, one that stays silent is gone.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tidings_host::{Carrier, Outcome};
use tidings_model::Time;
use tidings_protocol::{CloseReason, Frame, Response};
use tidings_websocket_codec::{
    CloseCode, Decoder, Item, Limits, Opcode, Role, close_payload, frame_header,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outgoing::Outgoing;
use super::{Guest, LINGER, QUEUE_BYTES_MAX, READS_MAX};
use crate::connection::Connection;
use crate::http::head;
use crate::http::{Said, Takeover, TakeoverKind};
use crate::local::Local;

/// The close code of a socket whose durable session is another's now, or no more.
const SESSION_ENDED: CloseCode = match CloseCode::new(4409) {
    Some(code) => code,
    None => CloseCode::POLICY,
};

/// Goes on with a connection whose handshake the parser has read.
pub(crate) fn spawn(local: &Rc<Local>, stream: Connection, unread: Bytes, takeover: Takeover) {
    let Takeover { guest, answer, kind, .. } = takeover;
    let TakeoverKind::Socket { accept_key, subprotocol } = kind else { return };
    let mut wire = Wire {
        local: Rc::clone(local),
        stream,
        out: Outgoing::default(),
        wake_at: answer.wake_at,
        closing: Closing::No,
    };
    for said in answer.said {
        match said {
            Said::Begin(head) => {
                let head = head::switching(&accept_key, subprotocol, &head.headers);
                wire.out.push(head.into());
            }
            Said::Text(head, body) => wire.text(head, body),
            Said::Binary(payload) => wire.binary(payload),
            Said::Close(reason) => wire.close(reason),
            Said::Send(_) => {}
        }
    }
    let limits = Limits { message_bytes_max: local.options.message_bytes_max };
    let mut socket = Socket {
        guest,
        wire,
        decoder: Decoder::new(Role::Server, limits),
        heard: local.clock.now(),
        pinged: None,
        closing_told: false,
    };
    let mut unread = unread.to_vec();
    socket.take_in(local, &mut unread);
    local.spawn(socket);
}

/// One WebSocket: the machine, and what its words become.
struct Socket {
    guest: Guest,
    wire: Wire,
    decoder: Decoder,
    /// When the peer was last heard.
    heard: Time,
    /// When a ping was sent that the peer has not answered by anything.
    pinged: Option<Time>,
    closing_told: bool,
}

/// The socket's sending side.
struct Wire {
    local: Rc<Local>,
    stream: Connection,
    out: Outgoing,
    /// When the machine wants to be woken.
    wake_at: Option<Time>,
    closing: Closing,
}

/// How far the closing handshake is (RFC 6455 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
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
        self.frame(Opcode::Text, head, body);
    }

    fn binary(&mut self, payload: Bytes) {
        self.frame(Opcode::Binary, Bytes::new(), payload);
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
    fn frame(&mut self, opcode: Opcode, head: Bytes, body: Bytes) {
        if self.closing == Closing::No {
            let header = frame_header(opcode, head.len() + body.len(), None);
            self.out.push_own(header.as_slice());
            self.out.push(head);
            self.out.push(body);
        }
    }

    fn say_close(&mut self, code: CloseCode, text: &str) {
        if self.closing == Closing::No {
            let payload = close_payload(code, text);
            self.frame(Opcode::Close, Bytes::new(), payload.into());
            self.closing = Closing::Said(self.local.clock.now() + LINGER);
        }
    }

    /// Writes what waits, then closes if that is due.
    fn poll_write(&mut self, now: Time, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    fn is_over(&self, now: Time) -> bool {
        let closed = match self.closing {
            Closing::Said(until) | Closing::Lingering(until) => until <= now,
            Closing::No | Closing::Done => false,
        };
        closed || self.out.stalled().is_some_and(|until| until <= now)
    }
}

impl Socket {
    /// One turn: hear what happened, read, deliver, write. Ready when the connection is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let local = Rc::clone(&self.wire.local);
        let now = local.clock.now();
        let news = self.guest.seat.news(cx.waker());
        if self.wire.is_over(now) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.wire.out.borrow(&mut local.queue.borrow_mut());
        let result = self.speak(&local, news.outcomes, now, cx);
        self.wire.out.give_back(&mut local.queue.borrow_mut());
        self.guest.seat.set_deadline(self.deadline());
        result
    }

    fn speak(
        &mut self,
        local: &Rc<Local>,
        outcomes: Vec<Outcome>,
        now: Time,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        for outcome in outcomes {
            let (client, wire) = (&mut self.guest.client, &mut self.wire);
            local.house(|house| client.ended(outcome, house, wire));
        }
        let held_back = self.wire.is_full();
        if self.poll_read(local, now, cx)? {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if local.shared.is_closing() && !self.closing_told {
            self.closing_told = true;
            let come_back = local.shared.come_back();
            let (client, wire) = (&mut self.guest.client, &mut self.wire);
            local.house(|house| client.closing(come_back, house, wire));
        }
        if self.wire.wake_at.is_some_and(|time| time <= now) {
            self.wire.wake_at = None;
            let (client, wire) = (&mut self.guest.client, &mut self.wire);
            local.house(|house| client.deadline(house, wire));
        }
        self.keep_alive(now)?;
        let (client, wire) = (&mut self.guest.client, &mut self.wire);
        let more = local.house(|house| client.deliver(house, wire));
        if self.wire.poll_write(now, cx)?.is_ready() {
            local.taken(&mut self.guest.client);
            // Where there is more, others get their turn first. And a peer that was not read while
            // it was behind is read now that it is not.
            if more || held_back {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    /// Pings a silent peer, and finds one that is gone.
    fn keep_alive(&mut self, now: Time) -> io::Result<()> {
        let options = &self.wire.local.options;
        match self.pinged {
            Some(_) if now >= self.pong_due() => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            None if now >= self.heard + options.heartbeat => {
                self.wire.frame(Opcode::Ping, Bytes::new(), Bytes::new());
                self.pinged = Some(now);
            }
            _ => {}
        }
        Ok(())
    }

    /// When a pinged peer must have been heard. One that is still taking what lies before the ping
    /// is alive, and cannot have answered yet.
    fn pong_due(&self) -> Time {
        self.pinged.unwrap_or_default().max(self.wire.out.took())
            + self.wire.local.options.pong_wait
    }

    fn deadline(&self) -> Option<Time> {
        let options = &self.wire.local.options;
        let alive = match self.pinged {
            Some(_) => self.pong_due(),
            None => self.heard + options.heartbeat,
        };
        let closing = match self.wire.closing {
            Closing::Said(until) | Closing::Lingering(until) => Some(until),
            Closing::No | Closing::Done => None,
        };
        [Some(alive), self.wire.wake_at, self.wire.out.stalled(), closing]
            .into_iter()
            .flatten()
            .min()
    }

    /// Reads what the peer sends. Says whether it is gone. A peer that does not take what it is
    /// sent is not read either, or its pings alone could fill our memory.
    fn poll_read(
        &mut self,
        local: &Rc<Local>,
        now: Time,
        cx: &mut Context<'_>,
    ) -> io::Result<bool> {
        for _ in 0..READS_MAX {
            if self.wire.is_full() {
                return Ok(false);
            }
            // Taken out, since a machine may publish and so come back to this thread's state.
            let mut scratch = local.scratch.take();
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut self.wire.stream).poll_read(cx, &mut buffer);
            let count = buffer.filled().len();
            if count > 0 {
                self.heard = now;
                self.pinged = None;
                self.take_in(local, &mut scratch[..count]);
            }
            local.scratch.replace(scratch);
            match read {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if count == 0 => return Ok(true),
                Poll::Ready(Ok(())) => {}
            }
        }
        cx.waker().wake_by_ref();
        Ok(false)
    }

    /// Takes bytes from the peer and feeds what they say.
    fn take_in(&mut self, local: &Rc<Local>, mut bytes: &mut [u8]) {
        loop {
            let item = match self.decoder.decode(&mut bytes) {
                Ok(Some(item)) => item,
                Ok(None) => return,
                Err(error) => {
                    self.wire.say_close(error.close_code(), &error.to_string());
                    self.end();
                    return;
                }
            };
            let (client, wire) = (&mut self.guest.client, &mut self.wire);
            match item {
                Item::Text(text) => {
                    local.house(|house| client.frame(Frame::Text(&text), house, wire));
                }
                Item::Binary(bytes) => {
                    local.house(|house| client.frame(Frame::Binary(&bytes), house, wire));
                }
                Item::Ping(payload) => {
                    let payload = Bytes::copy_from_slice(&payload);
                    wire.frame(Opcode::Pong, Bytes::new(), payload);
                }
                Item::Pong(_) => {}
                Item::Close { code, .. } => {
                    // The same code back (RFC 6455 section 5.5.1).
                    wire.say_close(code.unwrap_or(CloseCode::NORMAL), "");
                    self.end();
                    return;
                }
            }
        }
    }

    /// Nothing more is to come from the peer, and nothing more is sent but the Close frame.
    fn end(&mut self) {
        self.wire.closing = Closing::Done;
        self.wire.local.leave(&mut self.guest.client);
    }
}

impl Future for Socket {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut().turn(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                if let Err(error) = result {
                    tracing::debug!(%error, "socket ended");
                }
                Poll::Ready(())
            }
        }
    }
}
