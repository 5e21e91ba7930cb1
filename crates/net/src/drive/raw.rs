//! Drives raw streams of bytes: what comes is fed as it comes, what the machine says is written as it
//! is. What the bytes mean, and whether the peer is alive, is the machine's business.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use tidings_broker::Owner;
use tidings_host::{Carrier, Client};
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response, Transport};

use super::outgoing::Outgoing;
use super::{Drive, LINGER, Next, QUEUE_BYTES_MAX, READS_MAX};
use crate::connection::Parts;
use crate::held::Held;
use crate::local::{Local, token};
use crate::seat::News;

/// Most things that a machine may wait for before its peer is read no further: enough to keep a
/// disk busy, little enough that what one peer sends does not fill the memory while it is not.
const OUTSTANDING_MAX: u32 = 256;

/// Begins with a connection that has just been accepted.
///
/// # Errors
/// The system does not let the socket be watched.
pub(crate) fn hold(local: &Rc<Local>, parts: Parts, transport: &Transport) -> io::Result<()> {
    let owner = local.sit_down();
    let held = Held::open(parts, &local.sockets, token(owner));
    let socket = match held {
        Ok(socket) => socket,
        Err(error) => {
            local.stand_up(owner);
            return Err(error);
        }
    };
    let mut client = Client::new(owner, local.registry.open(transport));
    let mut wire = Wire { socket, wake_at: None, closing: Closing::No };
    let mut out = local.lend();
    let mut pen = Pen { wire: &mut wire, out: &mut out, now: local.clock.now() };
    local.house(|house| client.connected(house, &mut pen));
    let left = local.take_back(out);
    local.hold(owner, Box::new(Raw { client, wire, left, closing_told: false }));
    Ok(())
}

/// One raw stream: the machine, and what its words become.
struct Raw {
    client: Client,
    wire: Wire,
    /// What the socket has not taken yet.
    left: Option<Box<Outgoing>>,
    closing_told: bool,
}

/// The socket's sending side.
struct Wire {
    socket: Held,
    /// When the machine wants to be woken; once it has said all, when the connection is cut.
    wake_at: Option<Time>,
    closing: Closing,
}

/// How far the end of the connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The machine has said all: close once everything is written.
    Said,
    /// Everything is written and the sending side closed.
    Lingering,
}

/// What writes in one turn.
struct Pen<'a> {
    wire: &'a mut Wire,
    out: &'a mut Outgoing,
    now: Time,
}

impl Carrier for Pen<'_> {
    fn respond(&mut self, _: Response) {
        debug_assert!(false, "an answer of HTTP on a raw stream");
    }

    fn begin(&mut self, _: Response) {
        debug_assert!(false, "a head of HTTP on a raw stream");
    }

    fn send(&mut self, bytes: Bytes) {
        self.out.push(bytes);
    }

    fn text(&mut self, head: Bytes, body: Bytes) {
        self.out.push(head);
        self.out.push(body);
    }

    fn binary(&mut self, payload: Bytes) {
        self.out.push(payload);
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

    fn certificate(&self) -> Option<&str> {
        self.wire.socket.certificate()?.user()
    }

    fn close(&mut self, _: CloseReason) {
        if self.wire.closing == Closing::No {
            self.wire.closing = Closing::Said;
        }
        // Whoever takes nothing of the last words does not take for ever.
        self.wire.wake_at = Some(self.now + LINGER);
    }

    fn is_full(&self) -> bool {
        is_full(self.out)
    }
}

impl Raw {
    /// Reads, feeds and writes once.
    fn go_on(&mut self, local: &Local, owner: Owner, now: Time, news: News) -> io::Result<Next> {
        let mut out = self.left.take().unwrap_or_else(|| local.lend());
        let mut pen = Pen { wire: &mut self.wire, out: &mut out, now };
        super::hear(local, &mut self.client, news.outcomes, now, &mut pen);
        if self.read(local, &mut out, now)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let is_due = super::is_due(&mut self.wire.wake_at, now);
        if is_due && self.wire.closing != Closing::No {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let Raw { client, wire, closing_told, .. } = self;
        let mut pen = Pen { wire, out: &mut out, now };
        let more = super::go_on(local, client, closing_told, is_due, now, &mut pen);
        let (scratch, patience) = (&mut local.scratch.borrow_mut(), local.options.write_stall);
        let is_written = out.write(&mut self.wire.socket, scratch, now, patience)?;
        // A peer that was not read while it was behind is read now that it is not.
        let is_readable = self.may_read(&out);
        self.left = local.take_back(out);
        if is_written {
            local.taken(&mut self.client);
            self.is_written(now);
        } else {
            self.wire.socket.await_room(&local.sockets, token(owner))?;
        }
        match is_written && more || is_readable {
            true => Ok(Next::Again),
            false => Ok(Next::Wait(self.deadline())),
        }
    }

    /// Everything is written: closes if that is due.
    fn is_written(&mut self, now: Time) {
        if self.wire.closing == Closing::Said {
            self.wire.socket.shutdown();
            self.wire.closing = Closing::Lingering;
            self.wire.wake_at = Some(now + LINGER);
        }
    }

    /// Whether there is something to read and a place for what it brings about.
    fn may_read(&self, out: &Outgoing) -> bool {
        let has_place = !is_full(out) && self.client.outstanding() < OUTSTANDING_MAX;
        self.wire.socket.is_readable() && has_place
    }

    /// Reads what the peer sends. Says whether it is gone. A peer that does not take what it is
    /// sent is not read either, or its questions alone could fill our memory.
    fn read(&mut self, local: &Local, out: &mut Outgoing, now: Time) -> io::Result<bool> {
        for _ in 0..READS_MAX {
            if !self.may_read(out) {
                return Ok(false);
            }
            // Taken out, since a machine may publish and so come back to this thread's state.
            let mut scratch = local.scratch.take();
            let read = self.wire.socket.read(&mut scratch);
            if let Ok(Some(count @ 1..)) = read {
                let Raw { client, wire, .. } = self;
                let mut pen = Pen { wire, out, now };
                local.house_at(now, |house| client.bytes(&scratch[..count], house, &mut pen));
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

    fn stalled(&self) -> Option<Time> {
        self.left.as_ref().and_then(|left| left.stalled())
    }

    fn deadline(&self) -> Option<Time> {
        [self.wire.wake_at, self.stalled()].into_iter().flatten().min()
    }

    fn is_over(&self, now: Time) -> bool {
        self.stalled().is_some_and(|until| until <= now)
    }
}

fn is_full(out: &Outgoing) -> bool {
    out.bytes() >= QUEUE_BYTES_MAX
}

impl Drive for Raw {
    fn turn(&mut self, local: &Rc<Local>, owner: Owner, news: News) -> Next {
        let now = local.clock.now();
        self.wire.socket.note(news.readiness);
        let next = match self.is_over(now) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => self.go_on(local, owner, now, news),
        };
        next.unwrap_or_else(|error| {
            tracing::debug!(%error, "raw stream ended");
            Next::Over
        })
    }

    fn leave(&mut self, local: &Local) {
        local.leave(&mut self.client);
    }

    /// A raw stream is the only thing on its connection.
    fn give_back(self: Box<Self>, _: &Rc<Local>) {}
}
