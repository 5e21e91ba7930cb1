//! Drives held and streamed answers on a socket that was taken over.
//!
//! An idle connection is one small future: it reads into the thread's buffer, and holds memory of
//! its own only while something waits to be written.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tidings_host::{Carrier, Outcome};
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outgoing::Outgoing;
use super::{Guest, LINGER, QUEUE_BYTES_MAX, READS_MAX};
use crate::connection::Connection as Stream;
use crate::http::head::{self, Connection, Framing};
use crate::http::{Dress, Said, Takeover, TakeoverKind};
use crate::local::Local;

/// Most bytes kept of what a client sends while it waits for its answer: its next request. Beyond
/// that it is not read, and its own system holds it back.
const UNREAD_BYTES_MAX: usize = 16 * 1024;

/// Goes on with an exchange that the parser gave away.
pub(crate) fn spawn(local: &Rc<Local>, stream: Stream, unread: Bytes, takeover: Takeover) {
    let Takeover { guest, answer, kind, dress } = takeover;
    let TakeoverKind::Exchange { http11, keep_alive } = kind else { return };
    let mut wire = Wire {
        local: Rc::clone(local),
        stream: Some(stream),
        unread: unread.into(),
        out: Outgoing::default(),
        phase: Phase::Waiting(Box::new(Waiting { keep_alive, http11, dress })),
        wake_at: answer.wake_at,
        chunk: None,
    };
    for said in answer.said {
        match said {
            Said::Begin(head) => wire.begin(head),
            Said::Send(bytes) => wire.send(bytes),
            Said::Close(reason) => wire.close(reason),
            Said::Text(..) | Said::Binary(_) => {}
        }
    }
    wire.end_chunk();
    local.spawn(Exchange { guest, wire, closing_told: false });
}

/// One exchange: the machine, and what its words become.
struct Exchange {
    guest: Guest,
    wire: Wire,
    closing_told: bool,
}

/// The socket's side of an exchange.
struct Wire {
    local: Rc<Local>,
    /// Taken out when the connection goes back to the parser.
    stream: Option<Stream>,
    /// What the client sent after its request.
    unread: BytesMut,
    out: Outgoing,
    phase: Phase,
    /// When the machine wants to be woken.
    wake_at: Option<Time>,
    /// Where the length of the chunk goes that is being written, and how much waited before it.
    chunk: Option<(usize, usize)>,
}

enum Phase {
    /// Nothing has been answered yet.
    Waiting(Box<Waiting>),
    /// A stream is open.
    Streaming(Framing),
    /// All is said; the connection goes back to the parser, or ends, once it is written.
    Ending(Connection),
    /// All is written and the client has been told so; it has until then to close.
    Lingering(Time),
}

/// What the answer will depend on.
struct Waiting {
    keep_alive: bool,
    http11: bool,
    dress: Dress,
}

impl Carrier for Wire {
    fn respond(&mut self, response: Response) {
        if let Phase::Waiting(waiting) = &self.phase {
            let keep = waiting.keep_alive && !self.local.shared.is_closing();
            let connection = if keep { Connection::KeepAlive } else { Connection::Close };
            let response = waiting.dress.put_on(response);
            self.out.push(head::whole(&response, connection).into());
            self.phase = Phase::Ending(connection);
        }
    }

    fn begin(&mut self, head: Response) {
        if let Phase::Waiting(waiting) = &self.phase {
            let framing = if waiting.http11 { Framing::Chunked } else { Framing::UntilClose };
            let head = waiting.dress.put_on_head(head);
            self.out.push(head::streamed(&head, framing).into());
            self.phase = Phase::Streaming(framing);
            self.unread = BytesMut::new();
        }
    }

    fn send(&mut self, bytes: Bytes) {
        if let Phase::Streaming(framing) = self.phase
            && !bytes.is_empty()
        {
            if framing == Framing::Chunked && self.chunk.is_none() {
                self.chunk = Some((self.out.reserve(), self.out.bytes()));
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
        self.wake_at = Some(time);
    }

    fn close(&mut self, _: CloseReason) {
        if let Phase::Streaming(framing) = self.phase {
            self.end_chunk();
            if framing == Framing::Chunked {
                self.out.push_own(b"0\r\n\r\n");
            }
            self.phase = Phase::Ending(Connection::Close);
        }
    }

    fn is_full(&self) -> bool {
        self.out.bytes() >= QUEUE_BYTES_MAX
    }
}

impl Wire {
    /// Everything sent since the last call becomes one chunk (RFC 9112 section 7.1).
    fn end_chunk(&mut self) {
        if let Some((place, before)) = self.chunk.take() {
            let length = self.out.bytes() - before;
            self.out.fill(place, format!("{length:x}\r\n").as_bytes());
            self.out.push_own(b"\r\n");
        }
    }

    /// The next time at which something has to be done.
    fn deadline(&self) -> Option<Time> {
        let linger = match self.phase {
            Phase::Lingering(until) => Some(until),
            _ => None,
        };
        [self.wake_at, self.out.stalled(), linger].into_iter().flatten().min()
    }

    fn is_over(&self, now: Time) -> bool {
        let lingered = matches!(self.phase, Phase::Lingering(until) if until <= now);
        lingered || self.out.stalled().is_some_and(|until| until <= now)
    }

    /// Reads what the client sends. Says whether it is gone.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(true) };
        let mut scratch = self.local.scratch.borrow_mut();
        for _ in 0..READS_MAX {
            let room = UNREAD_BYTES_MAX.saturating_sub(self.unread.len()).min(scratch.len());
            if room == 0 {
                return Ok(false);
            }
            let mut buffer = ReadBuf::new(&mut scratch[..room]);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Ok(true),
                Poll::Ready(Ok(())) => {
                    // A stream is the last answer of its connection: what follows is not kept.
                    if matches!(self.phase, Phase::Waiting(_)) {
                        self.unread.extend_from_slice(buffer.filled());
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(false)
    }
}

impl Exchange {
    /// One turn: hear what happened, read, deliver, write. Ready when the connection is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let local = Rc::clone(&self.wire.local);
        let now = local.clock.now();
        let news = self.guest.seat.news(cx.waker());
        if self.wire.is_over(now) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.wire.poll_read(cx)? {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.wire.out.borrow(&mut local.queue.borrow_mut());
        let result = self.speak(&local, news.outcomes, now, cx);
        self.wire.out.give_back(&mut local.queue.borrow_mut());
        self.guest.seat.set_deadline(self.wire.deadline());
        result
    }

    /// Feeds and writes once; where there is more, others get their turn first.
    fn speak(
        &mut self,
        local: &Local,
        outcomes: Vec<Outcome>,
        now: Time,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Exchange { guest: Guest { client, .. }, wire, closing_told } = self;
        for outcome in outcomes {
            local.house(|house| client.ended(outcome, house, wire));
        }
        if local.shared.is_closing() && !*closing_told {
            *closing_told = true;
            let come_back = local.shared.come_back();
            local.house(|house| client.closing(come_back, house, wire));
        }
        if wire.wake_at.is_some_and(|time| time <= now) {
            wire.wake_at = None;
            local.house(|house| client.deadline(house, wire));
        }
        let more = local.house(|house| client.deliver(house, wire));
        wire.end_chunk();
        let Some(stream) = &mut wire.stream else { return Poll::Ready(Ok(())) };
        let patience = local.options.write_stall;
        if wire.out.poll_write(stream, now, patience, cx)?.is_pending() {
            return Poll::Pending;
        }
        local.taken(client);
        match wire.phase {
            Phase::Ending(Connection::KeepAlive) => return Poll::Ready(Ok(())),
            Phase::Ending(Connection::Close) => {
                // Fails only when the peer is gone, and then there is nothing to linger for.
                let _ = Pin::new(&mut *stream).poll_shutdown(cx);
                wire.phase = Phase::Lingering(now + LINGER);
            }
            _ if more => cx.waker().wake_by_ref(),
            _ => {}
        }
        Poll::Pending
    }
}

impl Future for Exchange {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.turn(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => tracing::debug!(%error, "connection ended"),
            Poll::Ready(Ok(())) => {
                if let Some(stream) = this.wire.stream.take() {
                    let local = Rc::clone(&this.wire.local);
                    let unread = std::mem::take(&mut this.wire.unread).freeze();
                    local.spawn(crate::http::serve(Rc::clone(&local), stream, unread));
                }
            }
        }
        Poll::Ready(())
    }
}
