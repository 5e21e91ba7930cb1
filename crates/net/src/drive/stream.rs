//! Drives held and streamed answers on streams of HTTP/2.
//!
//! The log is read when what was read before is out, so a peer that opens no window costs what its
//! stream costs and no more; the other streams of its connection go on.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tidings_host::Carrier;

use super::Guest;
use crate::http::{Answer, Said};
use crate::http2::{Open, Outlet};

/// Goes on with an exchange whose answer is not whole yet.
pub(crate) fn spawn(guest: Guest, answer: Answer, mut outlet: Outlet, open: Open) {
    outlet.wake_at = answer.wake_at;
    for said in answer.said {
        match said {
            Said::Begin(head) => outlet.begin(head),
            Said::Send(bytes) => outlet.send(bytes),
            Said::Close(reason) => outlet.close(reason),
            Said::Text(..) | Said::Binary(_) => {}
        }
    }
    let local = Rc::clone(&guest.local);
    local.spawn(Stream { guest, outlet, open, handed: None, closing_told: false });
}

/// One exchange: the machine, and what its words become.
struct Stream {
    guest: Guest,
    outlet: Outlet,
    open: Open,
    /// While a durable session waits for the socket to take what the library was given: how often
    /// it had taken everything before.
    handed: Option<u64>,
    closing_told: bool,
}

impl Stream {
    /// One turn: hear what happened, deliver, write. Ready when the stream is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let local = Rc::clone(&self.guest.local);
        let now = local.clock.now();
        let outcomes = self.guest.seat.news(cx.waker()).outcomes;
        let Stream { guest: Guest { client, .. }, outlet, .. } = self;
        super::hear(&local, client, outcomes, now, outlet);
        if self.handed.is_some() && self.poll_taken(cx).is_ready() {
            return Poll::Ready(());
        }
        let Stream { guest: Guest { client, seat, .. }, outlet, closing_told, .. } = self;
        if outlet.stalled().is_some_and(|until| until <= now) {
            tracing::debug!("stream takes nothing");
            outlet.cut();
        }
        if outlet.is_gone(cx) {
            return Poll::Ready(());
        }
        let is_due = super::is_due(&mut outlet.wake_at, now);
        let more = super::go_on(&local, client, closing_told, is_due, now, outlet);
        let written = outlet.poll_write(now, cx);
        let deadlines = [outlet.wake_at, outlet.stalled()];
        seat.set_deadline(deadlines.into_iter().flatten().min());
        match written {
            Poll::Ready(Ok(())) if self.poll_taken(cx).is_ready() => Poll::Ready(()),
            Poll::Ready(Ok(())) => {
                // What a session has to wait for wakes it.
                if more && self.handed.is_none() {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Tells the client that its connection has taken what it was given: when the library has,
    /// within the peer's window; for a durable session, when the socket has. Ready when the stream
    /// is over.
    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stream { guest: Guest { client, local, .. }, outlet, open, handed, .. } = self;
        if outlet.was_handed() && client.is_session() {
            *handed = Some(open.flushes());
        }
        match handed.map(|flushes| open.poll_flushed(flushes, cx)) {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(false)) => return Poll::Ready(()),
            Some(Poll::Ready(true)) | None => {}
        }
        *handed = None;
        local.taken(client);
        if outlet.is_done() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Future for Stream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().turn(cx)
    }
}
