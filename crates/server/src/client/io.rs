//! A stream, with TLS or without, as hyper wants its transport. Must never be more than an adapter.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes taken from the socket in one read. One copy through a buffer of this size is what
/// it costs to do without `unsafe`; large, so that a fast stream takes few system calls.
const READ_BYTES_MAX: usize = 64 * 1024;

/// What a client reads and writes.
pub(super) type Socket = Pin<Box<dyn Duplex>>;

/// A stream in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// A stream for hyper.
pub(super) struct Io {
    pub(super) socket: Socket,
    buffer: Box<[u8]>,
}

impl Io {
    pub(super) fn new(socket: Socket) -> Io {
        Io { socket, buffer: vec![0; READ_BYTES_MAX].into_boxed_slice() }
    }
}

impl Read for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Io { socket, buffer } = self.get_mut();
        let room = out.remaining().min(buffer.len());
        let mut read = ReadBuf::new(&mut buffer[..room]);
        ready!(socket.as_mut().poll_read(cx, &mut read))?;
        out.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().socket.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().socket.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket.as_mut().poll_shutdown(cx)
    }
}
