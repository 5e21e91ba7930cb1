//! The socket under HTTP/2, watched: when the peer was last heard, and since when it takes nothing.
//!
//! It is shared with whoever serves the connection, who closes it in good order after the library
//! is done with it.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tidings_model::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;
use crate::connection::Connection;

/// A connection's socket, and what is known of it.
pub(super) struct Shared {
    stream: RefCell<Connection>,
    clock: Clock,
    patience: Duration,
    heard: Cell<Time>,
    stalled: Cell<Option<Time>>,
}

impl Shared {
    /// When the peer last sent anything.
    pub(super) fn heard(&self) -> Time {
        self.heard.get()
    }

    /// When a peer that takes nothing is given up, while it takes nothing.
    pub(super) fn stalled(&self) -> Option<Time> {
        self.stalled.get()
    }

    /// The socket, for whoever closes it.
    pub(super) fn into_stream(self) -> Connection {
        self.stream.into_inner()
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        if result.is_ready() {
            self.stalled.set(None);
        } else if self.stalled.get().is_none() {
            self.stalled.set(Some(self.clock.now() + self.patience));
        }
    }
}

/// What the library reads from and writes to.
pub(super) struct Socket {
    /// What was read before it was known that this is HTTP/2.
    unread: Bytes,
    shared: Rc<Shared>,
}

impl Socket {
    /// A socket of which `unread` was read already. A peer that takes nothing is given up after
    /// `patience`.
    pub(super) fn new(
        stream: Connection,
        unread: Bytes,
        clock: Clock,
        patience: Duration,
    ) -> Socket {
        let (stream, heard) = (RefCell::new(stream), Cell::new(clock.now()));
        let shared = Shared { stream, clock, patience, heard, stalled: Cell::new(None) };
        Socket { unread, shared: Rc::new(shared) }
    }

    pub(super) fn shared(&self) -> Rc<Shared> {
        Rc::clone(&self.shared)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..count]);
            self.unread.advance(count);
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut *self.shared.stream.borrow_mut()).poll_read(cx, buffer))?;
        self.shared.heard.set(self.shared.clock.now());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut *self.shared.stream.borrow_mut()).poll_write(cx, bytes);
        self.shared.wrote(&result);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result =
            Pin::new(&mut *self.shared.stream.borrow_mut()).poll_write_vectored(cx, slices);
        self.shared.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.stream.borrow_mut()).poll_shutdown(cx)
    }
}
