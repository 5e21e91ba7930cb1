//! A connection: its socket, counted for as long as it lives.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the server is doing.
#[derive(Debug, Default)]
pub struct Stats {
    connections: AtomicUsize,
    streams: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Stats {
    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Requests under way on HTTP/2 connections now.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// What counts against the limit of connections: a stream of HTTP/2 costs what a connection of
    /// HTTP/1.1 does.
    pub(crate) fn load(&self) -> usize {
        self.connections() + self.streams()
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections and streams turned away because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn stream_begins(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stream_ends(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn refuse_one(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// One connection in the count.
pub(crate) struct Counted(Arc<Stats>);

impl Counted {
    pub(crate) fn new(stats: &Arc<Stats>) -> Counted {
        stats.accepted.fetch_add(1, Ordering::Relaxed);
        stats.connections.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(stats))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A counted socket.
pub(crate) struct Connection {
    stream: TcpStream,
    counted: Counted,
}

impl Connection {
    /// Has the runtime watch a socket.
    ///
    /// # Errors
    /// The system does not let it be watched.
    pub(crate) fn from_parts(
        stream: std::net::TcpStream,
        counted: Counted,
    ) -> io::Result<Connection> {
        Ok(Connection { stream: TcpStream::from_std(stream)?, counted })
    }

    /// Waits until the runtime knows that the system takes bytes.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// The socket, which the runtime watches no longer, and its place in the count.
    ///
    /// # Errors
    /// The system is at odds with the runtime.
    pub(crate) fn into_parts(self) -> io::Result<(std::net::TcpStream, Counted)> {
        Ok((self.stream.into_std()?, self.counted))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
