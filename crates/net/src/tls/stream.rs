//! TLS on a socket that the runtime watches. Must never wait but for that socket.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::session::{Handshake, Session};

/// The runtime's socket as one that says when it would have to wait.
pub(super) struct Borrowed<'a>(pub(super) &'a TcpStream);

impl Read for Borrowed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Borrowed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ready when the handshake is done; `socket` is `stream`, perhaps with something around it.
pub(super) fn poll_shake_hands(
    session: &mut Session,
    stream: &TcpStream,
    socket: &mut (impl Read + Write),
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        match session.shake_hands(socket)? {
            Handshake::Done => return Poll::Ready(Ok(())),
            Handshake::Read => ready!(stream.poll_read_ready(cx))?,
            Handshake::Write => ready!(stream.poll_write_ready(cx))?,
        }
    }
}

/// Reads what there is.
pub(crate) fn poll_read(
    session: &mut Session,
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    loop {
        match session.read(&mut Borrowed(stream), buffer.initialize_unfilled()) {
            Ok(count) => {
                buffer.advance(count);
                return Poll::Ready(Ok(()));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready!(stream.poll_read_ready(cx))?;
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Writes what the socket takes; see [`Session::write`] for what that means.
pub(crate) fn poll_write(
    session: &mut Session,
    stream: &TcpStream,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    poll(stream, cx, || session.write(&mut Borrowed(stream), slices))
}

/// Sends what is left of what the library says by itself.
pub(crate) fn poll_flush(
    session: &mut Session,
    stream: &TcpStream,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    poll(stream, cx, || session.flush(&mut Borrowed(stream)))
}

/// Says that nothing more comes, in TLS and below it.
pub(crate) fn poll_shutdown(
    session: &mut Session,
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    ready!(poll(stream, cx, || session.close(&mut Borrowed(stream))))?;
    Pin::new(stream).poll_shutdown(cx)
}

/// Tries until the socket has an answer or takes no more.
fn poll<T>(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    mut work: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        match work() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready!(stream.poll_write_ready(cx))?;
            }
            result => return Poll::Ready(result),
        }
    }
}
