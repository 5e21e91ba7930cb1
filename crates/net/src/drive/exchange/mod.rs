//! Drives held and streamed answers on a socket that was taken over.
//!
//! An idle connection is one small value that its thread looks at when something happened: it reads
//! into the thread's buffer, and holds memory of its own only while something waits to be written.

mod pen;

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use tidings_broker::Owner;
use tidings_host::{Carrier, Client, Route};
use tidings_model::Time;
use tidings_protocol::Request;

use super::outgoing::Outgoing;
use super::{Drive, LINGER, Next};
use crate::connection::Connection as Stream;
use crate::held::Held;
use crate::http::head::Connection;
use crate::http::{Dress, Said, Takeover, TakeoverKind, login, origin, plain};
use crate::local::{Local, token};
use crate::seat::News;
use pen::{Pen, Phase, Waiting, Wire};

/// Goes on with an exchange that the parser gave away.
///
/// # Errors
/// The system does not let the socket be watched.
pub(crate) fn hold(
    local: &Rc<Local>,
    stream: Stream,
    unread: &[u8],
    takeover: Takeover,
) -> io::Result<()> {
    let Takeover { guest, answer, kind, dress } = takeover;
    let TakeoverKind::Exchange { http11, keep_alive } = kind else { return Ok(()) };
    let socket = Held::new(stream, &local.sockets, token(guest.seat.owner()))?;
    let mut out = local.lend();
    let mut wire = Wire {
        socket,
        unread: (!unread.is_empty()).then(|| Box::new(unread.to_vec())),
        phase: Phase::Waiting(Waiting { keep_alive, http11, dress }),
        wake_at: answer.wake_at,
    };
    let mut pen = Pen { local, wire: &mut wire, out: &mut out };
    for said in answer.said {
        match said {
            Said::Begin(head) => pen.begin(head),
            Said::Send(bytes) => pen.send(bytes),
            Said::Close(reason) => pen.close(reason),
            Said::Text(..) | Said::Binary(_) => {}
        }
    }
    out.end_chunk();
    let (client, owner) = guest.take();
    let left = local.take_back(out);
    local.hold(owner, Box::new(Exchange { client, wire, left, closing_told: false }));
    Ok(())
}

/// One exchange: the machine, and what its words become.
struct Exchange {
    client: Client,
    wire: Wire,
    /// What the socket has not taken yet.
    left: Option<Box<Outgoing>>,
    closing_told: bool,
}

impl Exchange {
    fn is_over(&self, now: Time) -> bool {
        [self.stalled(), self.until()].into_iter().flatten().any(|until| until <= now)
    }

    fn stalled(&self) -> Option<Time> {
        self.left.as_ref().and_then(|left| left.stalled())
    }

    /// How long the client may take to close, or to ask for something else.
    fn until(&self) -> Option<Time> {
        match self.wire.phase {
            Phase::Lingering(until) | Phase::Idle(until) => Some(until),
            Phase::Waiting(_) | Phase::Streaming(_) | Phase::Ending(_) => None,
        }
    }

    /// The next time at which something has to be done.
    fn deadline(&self) -> Option<Time> {
        [self.wire.wake_at, self.stalled(), self.until()].into_iter().flatten().min()
    }

    /// Reads, feeds and writes once.
    fn go_on(
        &mut self,
        local: &Rc<Local>,
        owner: Owner,
        now: Time,
        mut news: News,
    ) -> io::Result<Next> {
        if self.wire.read(local)? {
            // Who closes its half may still wait for an answer; the parser knows how.
            return match (&self.wire.phase, &self.wire.unread) {
                (Phase::Idle(_), Some(_)) => Ok(Next::Request),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let mut out = self.left.take().unwrap_or_else(|| local.lend());
        if let Phase::Idle(_) = self.wire.phase {
            // What came in so late was for the client before.
            news.outcomes.clear();
            if let Some(next) = self.idle(local, owner, now, &mut out) {
                local.take_back(out);
                return Ok(next);
            }
        }
        let is_due = super::is_due(&mut self.wire.wake_at, now);
        let Exchange { client, wire, closing_told, .. } = self;
        let mut pen = Pen { local, wire, out: &mut out };
        super::hear(local, client, news.outcomes, now, &mut pen);
        let more = super::go_on(local, client, closing_told, is_due, now, &mut pen);
        out.end_chunk();
        let Wire { socket, .. } = &mut self.wire;
        let (scratch, patience) = (&mut local.scratch.borrow_mut(), local.options.write_stall);
        let is_written = out.write(socket, scratch, now, patience)?;
        self.left = local.take_back(out);
        if is_written {
            local.taken(&mut self.client);
            match self.wire.phase {
                Phase::Ending(Connection::KeepAlive) => {
                    local.leave(&mut self.client);
                    self.client = Client::gone();
                    self.wire.wake_at = None;
                    self.wire.phase = Phase::Idle(now + local.options.keep_alive);
                    if self.wire.unread.is_some() {
                        return Ok(Next::Again);
                    }
                }
                Phase::Ending(Connection::Close) => {
                    self.wire.socket.shutdown();
                    self.wire.phase = Phase::Lingering(now + LINGER);
                }
                _ => {}
            }
        } else {
            socket.await_room(&local.sockets, token(owner))?;
        }
        // Where there is more, others get their turn first.
        match is_written && more || self.wire.room().is_some() {
            true => Ok(Next::Again),
            false => Ok(Next::Wait(self.deadline())),
        }
    }

    /// Waits for the client's next request, or goes on with it; says what follows the turn, unless
    /// it goes on.
    fn idle(
        &mut self,
        local: &Rc<Local>,
        owner: Owner,
        now: Time,
        out: &mut Outgoing,
    ) -> Option<Next> {
        if local.shared.is_closing() {
            return Some(Next::Over);
        }
        let Some(unread) = &mut self.wire.unread else {
            return Some(Next::Wait(self.deadline()));
        };
        // What is not plain, or not whole yet, is the parser's.
        let plain = plain::request(unread, local.options.head_bytes_max);
        let Some((mut request, length)) = plain else { return Some(Next::Request) };
        let Ok(Route::Exchange(transport)) = local.registry.route(&request) else {
            return Some(Next::Request);
        };
        let Ok(origin) = origin::check(&request.headers, &local.options.allowed_origins) else {
            return Some(Next::Request);
        };
        // A password that has to be hashed, and who is not let in, are the parser's, too.
        let may_act = origin.may_act(&request.headers);
        let certificate = self.wire.socket.certificate();
        if !login::identify_at_once(local, &mut request, certificate, may_act) {
            return Some(Next::Request);
        }
        unread.drain(..length);
        if unread.is_empty() {
            self.wire.unread = None;
        }
        let dress = Dress::new(origin, &request.headers);
        let waiting = Waiting { keep_alive: true, http11: true, dress };
        self.wire.phase = Phase::Waiting(waiting);
        self.closing_told = false;
        // A new number, so that what the client before still waits for is not this one's.
        self.client = Client::new(local.renew(owner), local.registry.open(transport));
        let request = Request { nonce: rand::random(), ..request };
        let mut pen = Pen { local, wire: &mut self.wire, out };
        local.house_at(now, |house| self.client.open(&request, house, &mut pen));
        None
    }
}

impl Drive for Exchange {
    fn turn(&mut self, local: &Rc<Local>, owner: Owner, news: News) -> Next {
        let now = local.clock.now();
        self.wire.socket.note(news.readiness);
        let next = match self.is_over(now) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => self.go_on(local, owner, now, news),
        };
        let next = next.unwrap_or_else(|error| {
            tracing::debug!(%error, "connection ended");
            Next::Over
        });
        if let (Next::Over, Phase::Idle(_)) = (&next, &self.wire.phase) {
            self.wire.socket.farewell();
        }
        next
    }

    fn leave(&mut self, local: &Local) {
        local.leave(&mut self.client);
    }

    fn give_back(self: Box<Self>, local: &Rc<Local>) {
        let Wire { socket, unread, .. } = self.wire;
        let unread = unread.map_or_else(Bytes::new, |unread| Bytes::from(*unread));
        match socket.give_back(&local.sockets) {
            Ok(stream) => local.spawn(crate::http::serve(Rc::clone(local), stream, unread)),
            Err(error) => tracing::debug!(%error, "connection ended"),
        }
    }
}
