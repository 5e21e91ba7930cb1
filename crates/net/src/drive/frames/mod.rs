//! Drives WebSockets: frames in, frames out, pings, and the closing handshake (RFC 6455).
//!
//! Liveness is this driver's: a peer that was silent is pinged, one that stays silent is gone.

mod wire;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tidings_host::{Carrier, Outcome};
use tidings_model::Time;
use tidings_protocol::Frame;
use tidings_websocket_codec::{CloseCode, Decoder, Item, Limits, Opcode, Role};
use tokio::io::{AsyncRead, ReadBuf};

use super::outgoing::Outgoing;
use super::{Guest, READS_MAX};
use crate::connection::Connection;
use crate::http::head;
use crate::http::{Said, Takeover, TakeoverKind};
use crate::local::Local;
use wire::{Closing, Wire};

/// Goes on with a connection whose handshake the parser has read.
pub(crate) fn spawn(local: &Rc<Local>, stream: Connection, unread: Bytes, takeover: Takeover) {
    let Takeover { guest, answer, kind, .. } = takeover;
    let TakeoverKind::Socket(accepted) = kind else { return };
    let mut wire = Wire {
        local: Rc::clone(local),
        stream,
        out: Outgoing::default(),
        wake_at: answer.wake_at,
        deflate: accepted.deflate,
        closing: Closing::No,
    };
    for said in answer.said {
        match said {
            Said::Begin(head) => {
                wire.out.push(head::switching(&accepted, &head.headers).into());
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
            let item = match self.wire.deflate {
                None => self.decoder.decode(&mut bytes),
                Some(_) => {
                    self.decoder.decode_deflated(&mut bytes, &mut local.inflater.borrow_mut())
                }
            };
            let item = match item {
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
