//! The stream under the HTTP parser, watched: so that its owner knows when the socket can be taken
//! over, whether a head is coming in too slowly, and when the parser speaks for itself. What begins
//! as HTTP/2 does is kept from the parser until it is known what it is.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tidings_protocol::Problem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::parser_problem;
use crate::http2::preface::Opening;

/// What is known of a connection's stream; shared with whoever watches it.
pub(crate) struct Watch {
    /// What the connection's first bytes are.
    opening: Cell<Opening>,
    /// Whether the last write found the socket full: then bytes of the parser are still unsent.
    blocked: Cell<bool>,
    /// Whether the last write took less than it was given, so that the next one goes on with it.
    cut_short: Cell<bool>,
    /// Whether bytes came in that no request has used yet.
    heard: Cell<bool>,
    /// The last bytes that came in.
    tail: Cell<[u8; 4]>,
    /// Whether a request has been read and its answer is not yet given.
    answering: Cell<bool>,
    /// Whether that request has a body.
    has_body: Cell<bool>,
    /// Answers that were given and whose first byte is not yet written.
    due: Cell<u32>,
}

impl Watch {
    /// Of a connection whose first bytes are still to come, or are known.
    pub(crate) fn new(opening: Opening) -> Watch {
        Watch {
            opening: Cell::new(opening),
            blocked: Cell::default(),
            cut_short: Cell::default(),
            heard: Cell::default(),
            tail: Cell::default(),
            answering: Cell::default(),
            has_body: Cell::default(),
            due: Cell::default(),
        }
    }

    /// What the connection is by its first bytes.
    pub(crate) fn opening(&self) -> Opening {
        self.opening.get()
    }

    /// Whether bytes of the parser are still unsent.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// Whether a request has been read and its answer is not yet given.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.get()
    }

    /// Whether the beginning of a request has come in.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard.get()
    }

    /// A request has been read.
    pub(crate) fn begin(&self, has_body: bool) {
        self.answering.set(true);
        self.has_body.set(has_body);
    }

    /// It has been answered. What came in behind a request without body is the next one's
    /// beginning; behind a body that cannot be told, and counts from the next byte on.
    pub(crate) fn end(&self) {
        self.answering.set(false);
        self.due.set(self.due.get() + 1);
        self.heard.set(!self.has_body.get() && self.tail.get() != *b"\r\n\r\n");
    }

    fn hear(&self, bytes: &[u8]) {
        self.heard.set(true);
        let mut tail = self.tail.get();
        for &byte in bytes.iter().skip(bytes.len().saturating_sub(4)) {
            tail.rotate_left(1);
            tail[3] = byte;
        }
        self.tail.set(tail);
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>, length: usize) {
        self.blocked.set(result.is_pending());
        if let Poll::Ready(Ok(count)) = result {
            self.cut_short.set(*count < length);
        }
    }
}

/// A stream with some bytes that were read before.
pub(crate) struct Tracked<S> {
    pub(crate) stream: S,
    pub(crate) unread: Bytes,
    watch: Rc<Watch>,
}

impl<S> Tracked<S> {
    pub(crate) fn new(stream: S, unread: Bytes, watch: Rc<Watch>) -> Tracked<S> {
        if !unread.is_empty() {
            watch.hear(&unread);
        }
        Tracked { stream, unread, watch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tracked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.opening.get() == Opening::Unknown {
            return self.poll_opening(cx, buffer);
        }
        if !self.unread.is_empty() {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..count]);
            self.unread.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.watch.hear(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Tracked<S> {
    /// Reads until it is known what the connection is. The parser gets nothing of what is HTTP/2.
    fn poll_opening(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buffer.filled().len();
        buffer.put_slice(&self.unread);
        loop {
            let before = buffer.filled().len();
            let is_pending = Pin::new(&mut self.stream).poll_read(cx, buffer)?.is_pending();
            let read = &buffer.filled()[before..];
            if !read.is_empty() {
                self.watch.hear(read);
            }
            let opening = match Opening::of(&buffer.filled()[start..]) {
                // Nothing more will come.
                Opening::Unknown if !is_pending && read.is_empty() => Opening::Other,
                opening => opening,
            };
            self.watch.opening.set(opening);
            match opening {
                Opening::Other => {
                    self.unread = Bytes::new();
                    return Poll::Ready(Ok(()));
                }
                Opening::Unknown if !is_pending => {}
                Opening::Unknown | Opening::Http2 => {
                    self.unread = Bytes::copy_from_slice(&buffer.filled()[start..]);
                    buffer.set_filled(start);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tracked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(problem) = self.parsers_own(bytes) {
            return self.write_instead(cx, &problem, bytes.len());
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch.wrote(&result, bytes.len());
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if let [first, ..] = slices
            && let Some(problem) = self.parsers_own(first)
        {
            return self.write_instead(cx, &problem, length);
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch.wrote(&result, length);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncWrite + Unpin> Tracked<S> {
    /// What the parser says by itself, without any request having been answered: a refusal of
    /// bytes that are no request. It has no body then, which would help nobody.
    fn parsers_own(&self, bytes: &[u8]) -> Option<Problem> {
        let watch = &self.watch;
        if watch.cut_short.get() || watch.blocked.get() || !bytes.starts_with(b"HTTP/1.") {
            return None;
        }
        if watch.due.get() > 0 {
            watch.due.set(watch.due.get() - 1);
            return None;
        }
        let status = std::str::from_utf8(bytes.get(9..12)?).ok()?;
        parser_problem(status.parse().ok()?)
    }

    /// Writes our words for it and lets the parser believe that its own `length` bytes went out.
    fn write_instead(
        &mut self,
        cx: &mut Context<'_>,
        problem: &Problem,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let answer = super::head::whole(&problem.to_response(), super::head::Connection::Close);
        // The socket of one who has just sent nonsense takes these few bytes at once; if it does
        // not, the connection closes without them.
        let _ = ready!(Pin::new(&mut self.stream).poll_write(cx, &answer))?;
        Poll::Ready(Ok(length))
    }
}
