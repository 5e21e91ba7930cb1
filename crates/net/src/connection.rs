//! A connection: its socket, counted for as long as it lives.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::PeerCertificate;
use crate::tls::session::Session;
use crate::tls::stream as secure;

/// What the server is doing.
#[derive(Debug, Default)]
pub struct Stats {
    connections: AtomicUsize,
    streams: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    handshakes: AtomicU64,
    resumed: AtomicU64,
    handshakes_failed: AtomicU64,
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

    /// TLS handshakes since the start, those that went on with an earlier connection among them.
    pub fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// TLS handshakes that went on with an earlier connection, and so needed no signature.
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// TLS handshakes that came to nothing.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    pub(crate) fn handshake(&self, is_resumed: bool) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        self.resumed.fetch_add(u64::from(is_resumed), Ordering::Relaxed);
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
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

/// A counted socket, and TLS on it where that is spoken.
pub(crate) struct Connection {
    stream: TcpStream,
    counted: Counted,
    tls: Option<Box<Session>>,
}

/// What a connection is made of, with a socket that the runtime does not watch.
pub(crate) struct Parts {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) counted: Counted,
    pub(crate) tls: Option<Box<Session>>,
}

impl Connection {
    /// Has the runtime watch a socket.
    ///
    /// # Errors
    /// The system does not let it be watched.
    pub(crate) fn from_parts(parts: Parts) -> io::Result<Connection> {
        let Parts { stream, counted, tls } = parts;
        Ok(Connection { stream: TcpStream::from_std(stream)?, counted, tls })
    }

    /// The socket, for whoever shakes hands on it.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// The same connection, on which hands were shaken.
    pub(crate) fn secured(self, session: Box<Session>) -> Connection {
        Connection { tls: Some(session), ..self }
    }

    /// Who the peer is by its certificate, if it was asked for one and has shown it.
    pub(crate) fn certificate(&self) -> Option<&Arc<PeerCertificate>> {
        self.tls.as_ref()?.certificate()
    }

    /// Waits until the runtime knows that the system takes bytes.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Where the peer is, if it still is.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// What it is made of; the runtime watches the socket no longer.
    ///
    /// # Errors
    /// The system is at odds with the runtime.
    pub(crate) fn into_parts(self) -> io::Result<Parts> {
        let Connection { stream, counted, tls } = self;
        Ok(Parts { stream: stream.into_std()?, counted, tls })
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Connection { stream, tls, .. } = &mut *self;
        match tls {
            None => Pin::new(stream).poll_read(cx, buffer),
            Some(tls) => secure::poll_read(tls, stream, cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Connection { stream, tls, .. } = &mut *self;
        match tls {
            None => Pin::new(stream).poll_write(cx, bytes),
            Some(tls) => secure::poll_write(tls, stream, cx, &[IoSlice::new(bytes)]),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Connection { stream, tls, .. } = &mut *self;
        match tls {
            None => Pin::new(stream).poll_write_vectored(cx, slices),
            Some(tls) => secure::poll_write(tls, stream, cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Connection { stream, tls, .. } = &mut *self;
        match tls {
            None => Pin::new(stream).poll_flush(cx),
            Some(tls) => secure::poll_flush(tls, stream, cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Connection { stream, tls, .. } = &mut *self;
        match tls {
            None => Pin::new(stream).poll_shutdown(cx),
            Some(tls) => secure::poll_shutdown(tls, stream, cx),
        }
    }
}
