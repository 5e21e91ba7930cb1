//! Drives WebSockets: frames in, frames out, pings, and the closing handshake (RFC 6455).
//!
//! Liveness is this driver's: a peer that was silent is pinged, one that stays silent is gone.

mod wire;

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use tidings_broker::Owner;
use tidings_host::{Carrier, Client};
use tidings_model::Time;
use tidings_protocol::Frame;
use tidings_websocket_codec::{CloseCode, Decoder, Item, Limits, Opcode, Role};

use super::outgoing::Outgoing;
use super::{Drive, Next, QUEUE_BYTES_MAX, READS_MAX};
use crate::connection::Connection;
use crate::held::Held;
use crate::http::head;
use crate::http::{Said, Takeover, TakeoverKind};
use crate::local::{Local, token};
use crate::seat::News;
use wire::{Closing, Pen, Wire};

/// Goes on with a connection whose handshake the parser has read.
///
/// # Errors
/// The system does not let the socket be watched.
pub(crate) fn hold(
    local: &Rc<Local>,
    stream: Connection,
    unread: &[u8],
    takeover: Takeover,
) -> io::Result<()> {
    let Takeover { guest, answer, kind, .. } = takeover;
    let TakeoverKind::Socket(accepted) = kind else { return Ok(()) };
    let socket = Held::new(stream, &local.sockets, token(guest.seat.owner()))?;
    let mut out = local.lend();
    let mut wire =
        Wire { socket, wake_at: answer.wake_at, deflate: accepted.deflate, closing: Closing::No };
    let mut pen = Pen { local, wire: &mut wire, out: &mut out };
    for said in answer.said {
        match said {
            Said::Begin(head) => {
                pen.out.push(head::switching(&accepted, &head.headers).into());
            }
            Said::Text(head, body) => pen.text(head, body),
            Said::Binary(payload) => pen.binary(payload),
            Said::Close(reason) => pen.close(reason),
            Said::Send(bytes) => pen.send(bytes),
        }
    }
    let limits = Limits { message_bytes_max: local.options.message_bytes_max };
    let (client, owner) = guest.take();
    let mut socket = Socket {
        client,
        wire,
        left: None,
        decoder: Decoder::new(Role::Server, limits),
        heard: local.clock.now(),
        pinged: None,
        closing_told: false,
    };
    socket.take_in(local, &mut out, &mut unread.to_vec());
    socket.left = local.take_back(out);
    local.hold(owner, Box::new(socket));
    Ok(())
}

/// One WebSocket: the machine, and what its words become.
struct Socket {
    client: Client,
    wire: Wire,
    /// What the socket has not taken yet.
    left: Option<Box<Outgoing>>,
    decoder: Decoder,
    /// When the peer was last heard.
    heard: Time,
    /// When a ping was sent that the peer has not answered by anything. One that is still taking
    /// what lies before the ping is alive, and cannot have answered yet: then since when it could.
    pinged: Option<Time>,
    closing_told: bool,
}

impl Socket {
    /// Reads, feeds and writes once.
    fn go_on(&mut self, local: &Local, owner: Owner, now: Time, news: News) -> io::Result<Next> {
        let mut out = self.left.take().unwrap_or_else(|| local.lend());
        let mut pen = Pen { local, wire: &mut self.wire, out: &mut out };
        super::hear(local, &mut self.client, news.outcomes, now, &mut pen);
        if self.read(local, &mut out, now)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.keep_alive(local, &mut out, now)?;
        let is_due = super::is_due(&mut self.wire.wake_at, now);
        let Socket { client, wire, closing_told, .. } = self;
        let mut pen = Pen { local, wire, out: &mut out };
        let more = super::go_on(local, client, closing_told, is_due, now, &mut pen);
        let stalled = out.stalled();
        let (scratch, patience) = (&mut local.scratch.borrow_mut(), local.options.write_stall);
        let is_written = out.write(&mut self.wire.socket, scratch, now, patience)?;
        if stalled.is_some() && out.stalled() != stalled && self.pinged.is_some() {
            self.pinged = Some(now);
        }
        // A peer that was not read while it was behind is read now that it is not.
        let is_readable = self.wire.socket.is_readable() && !is_full(&out);
        self.left = local.take_back(out);
        if is_written {
            local.taken(&mut self.client);
            self.wire.is_written(now);
        } else {
            self.wire.socket.await_room(&local.sockets, token(owner))?;
        }
        // Where there is more, others get their turn first.
        match is_written && more || is_readable {
            true => Ok(Next::Again),
            false => Ok(Next::Wait(self.deadline(local))),
        }
    }

    /// Pings a silent peer, and finds one that is gone.
    fn keep_alive(&mut self, local: &Local, out: &mut Outgoing, now: Time) -> io::Result<()> {
        match self.pinged {
            Some(pinged) if now >= pinged + local.options.pong_wait => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            None if now >= self.heard + local.options.heartbeat => {
                let mut pen = Pen { local, wire: &mut self.wire, out };
                pen.frame(Opcode::Ping, Bytes::new(), Bytes::new());
                self.pinged = Some(now);
            }
            _ => {}
        }
        Ok(())
    }

    fn stalled(&self) -> Option<Time> {
        self.left.as_ref().and_then(|left| left.stalled())
    }

    fn deadline(&self, local: &Local) -> Option<Time> {
        let alive = match self.pinged {
            Some(pinged) => pinged + local.options.pong_wait,
            None => self.heard + local.options.heartbeat,
        };
        let closing = match self.wire.closing {
            Closing::Said(until) | Closing::Lingering(until) => Some(until),
            Closing::No | Closing::Done => None,
        };
        [Some(alive), self.wire.wake_at, self.stalled(), closing].into_iter().flatten().min()
    }

    /// Reads what the peer sends. Says whether it is gone. A peer that does not take what it is
    /// sent is not read either, or its pings alone could fill our memory.
    fn read(&mut self, local: &Local, out: &mut Outgoing, now: Time) -> io::Result<bool> {
        for _ in 0..READS_MAX {
            if is_full(out) || !self.wire.socket.is_readable() {
                return Ok(false);
            }
            // Taken out, since a machine may publish and so come back to this thread's state.
            let mut scratch = local.scratch.take();
            let read = self.wire.socket.read(&mut scratch);
            if let Ok(Some(count @ 1..)) = read {
                self.heard = now;
                self.pinged = None;
                self.take_in(local, out, &mut scratch[..count]);
            }
            local.scratch.replace(scratch);
            match read? {
                None => return Ok(false),
                Some(0) => return Ok(true),
                Some(_) => {}
            }
        }
        Ok(false)
    }

    /// Takes bytes from the peer and feeds what they say.
    fn take_in(&mut self, local: &Local, out: &mut Outgoing, mut bytes: &mut [u8]) {
        loop {
            let item = match self.wire.deflate {
                None => self.decoder.decode(&mut bytes),
                Some(_) => {
                    self.decoder.decode_deflated(&mut bytes, &mut local.inflater.borrow_mut())
                }
            };
            let mut pen = Pen { local, wire: &mut self.wire, out };
            let client = &mut self.client;
            match item {
                Ok(None) => return,
                Ok(Some(Item::Text(text))) => {
                    local.house(|house| client.frame(Frame::Text(&text), house, &mut pen));
                }
                Ok(Some(Item::Binary(bytes))) => {
                    local.house(|house| client.frame(Frame::Binary(&bytes), house, &mut pen));
                }
                Ok(Some(Item::Ping(payload))) => {
                    let payload = Bytes::copy_from_slice(&payload);
                    pen.frame(Opcode::Pong, Bytes::new(), payload);
                }
                Ok(Some(Item::Pong(_))) => {}
                Ok(Some(Item::Close { code, .. })) => {
                    // The same code back (RFC 6455 section 5.5.1).
                    pen.say_close(code.unwrap_or(CloseCode::NORMAL), "");
                    return self.end(local);
                }
                Err(error) => {
                    pen.say_close(error.close_code(), &error.to_string());
                    return self.end(local);
                }
            }
        }
    }

    /// Nothing more is to come from the peer, and nothing more is sent but the Close frame.
    fn end(&mut self, local: &Local) {
        self.wire.closing = Closing::Done;
        local.leave(&mut self.client);
    }
}

fn is_full(out: &Outgoing) -> bool {
    out.bytes() >= QUEUE_BYTES_MAX
}

impl Drive for Socket {
    fn turn(&mut self, local: &Rc<Local>, owner: Owner, news: News) -> Next {
        let now = local.clock.now();
        self.wire.socket.note(news.readiness);
        let has_stalled = self.stalled().is_some_and(|until| until <= now);
        let next = match has_stalled || self.wire.is_over(now) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => self.go_on(local, owner, now, news),
        };
        next.unwrap_or_else(|error| {
            tracing::debug!(%error, "socket ended");
            Next::Over
        })
    }

    fn leave(&mut self, local: &Local) {
        local.leave(&mut self.client);
    }

    /// A WebSocket is the last thing on its connection.
    fn give_back(self: Box<Self>, _: &Rc<Local>) {}
}
