//! The stream under the HTTP parser, watched: so that its owner knows when the socket can be taken
//! over, whether a head is coming in too slowly, and when the parser speaks for itself.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tidings_protocol::Problem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::parser_problem;

/// What is known of a connection's stream; shared with whoever watches it.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether the last write found the socket full: then bytes of the parser are still unsent.
    pub(crate) blocked: Cell<bool>,
    /// Whether bytes came in since the last answer.
    pub(crate) heard: Cell<bool>,
    /// Whether a request has been read and its answer is not yet given.
    pub(crate) answering: Cell<bool>,
    /// Whether the last answer has been given but the parser has not been idle since.
    pub(crate) answered: Cell<bool>,
}

/// A stream with some bytes that were read before.
pub(crate) struct Tracked<S> {
    pub(crate) stream: S,
    pub(crate) unread: Bytes,
    watch: Rc<Watch>,
}

impl<S> Tracked<S> {
    pub(crate) fn new(stream: S, unread: Bytes, watch: Rc<Watch>) -> Tracked<S> {
        watch.heard.set(!unread.is_empty());
        Tracked { stream, unread, watch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tracked<S> {
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
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.watch.heard.set(true);
        }
        Poll::Ready(Ok(()))
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
        self.watch.blocked.set(result.is_pending());
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [first, ..] = slices
            && let Some(problem) = self.parsers_own(first)
        {
            let length = slices.iter().map(|slice| slice.len()).sum();
            return self.write_instead(cx, &problem, length);
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch.blocked.set(result.is_pending());
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
        if self.watch.answering.get() || self.watch.answered.get() {
            return None;
        }
        let status = bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
        parser_problem(std::str::from_utf8(status).ok()?.parse().ok()?)
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
