//! A socket that no task has: read and written when its thread's reactor says that it can be.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::connection::{Connection, Counted, Parts};
use crate::reactor::Readiness;
use crate::tls::PeerCertificate;
use crate::tls::session::Session;

/// A counted socket, registered with a reactor for as long as it lives.
pub(crate) struct Held {
    stream: TcpStream,
    counted: Counted,
    tls: Option<Box<Session>>,
    /// Whether bytes may be there that were not read.
    readable: bool,
    /// Whether the peer's end was told and is not read yet.
    ended: bool,
    /// Whether the reactor tells when it takes bytes again. Most sockets are never full.
    tells_writable: bool,
}

impl Held {
    /// Takes a connection from the runtime. From now on the reactor tells of it by this token.
    ///
    /// # Errors
    /// The system does not let it be watched; the connection is closed then.
    pub(crate) fn new(connection: Connection, to: &Registry, token: Token) -> io::Result<Held> {
        Held::open(connection.into_parts()?, to, token)
    }

    /// Takes a connection that the runtime has no longer, or has never had.
    ///
    /// # Errors
    /// The system does not let it be watched; the connection is closed then.
    pub(crate) fn open(parts: Parts, to: &Registry, token: Token) -> io::Result<Held> {
        let Parts { stream, counted, tls } = parts;
        let mut stream = TcpStream::from_std(stream);
        to.register(&mut stream, token, Interest::READABLE)?;
        // Of what TLS has taken from the socket already, the reactor does not tell.
        let readable = tls.is_some();
        Ok(Held { stream, counted, tls, readable, ended: false, tells_writable: false })
    }

    /// Gives it back to the runtime.
    ///
    /// # Errors
    /// The system does not let it be watched; it is closed then.
    pub(crate) fn give_back(mut self, to: &Registry) -> io::Result<Connection> {
        to.deregister(&mut self.stream)?;
        let Held { stream, counted, tls, .. } = self;
        Connection::from_parts(Parts { stream: stream.into(), counted, tls })
    }

    /// The reactor has told of it.
    pub(crate) fn note(&mut self, told: Readiness) {
        self.readable |= told.readable;
        self.ended |= told.ended;
    }

    /// Whether there may be something to read.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Reads once; nothing when there is nothing now, and no byte at the end.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let most = buffer.len();
        let Held { stream, tls, .. } = self;
        if let Some(tls) = tls {
            let count = tried(|| tls.read(stream, buffer))?;
            let has_ended = self.ended || tls.has_ended();
            self.readable = count.is_some_and(|count| count == most || has_ended && count > 0);
            return Ok(count);
        }
        let count = tried(|| stream.read(buffer))?;
        // What leaves room was all there was: the reactor tells of what comes after it. Of the end
        // it has told already.
        self.readable = count.is_some_and(|count| count == most || self.ended && count > 0);
        Ok(count)
    }

    /// Writes once; nothing when the system takes no more. Then the next call must begin with the
    /// same bytes.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Held { stream, tls, .. } = self;
        match tls {
            None => tried(|| stream.write(bytes)),
            Some(tls) => tried(|| tls.write(stream, &[IoSlice::new(bytes)])),
        }
    }

    /// Writes once from several pieces; nothing when the system takes no more.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let Held { stream, tls, .. } = self;
        match tls {
            None => tried(|| stream.write_vectored(slices)),
            Some(tls) => tried(|| tls.write(stream, slices)),
        }
    }

    /// Asks the reactor to tell when the system takes bytes again.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn await_room(&mut self, of: &Registry, token: Token) -> io::Result<()> {
        if !self.tells_writable {
            let both = Interest::READABLE | Interest::WRITABLE;
            of.reregister(&mut self.stream, token, both)?;
            self.tells_writable = true;
        }
        Ok(())
    }

    /// Tells the peer, where there is a word for it, that the connection ends in good order.
    pub(crate) fn farewell(&mut self) {
        if let Some(tls) = &mut self.tls {
            let _ = tls.close(&mut self.stream);
        }
    }

    /// Where the peer is, if it still is.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Who the peer is by its certificate, if it was asked for one and has shown it.
    pub(crate) fn certificate(&self) -> Option<&Arc<PeerCertificate>> {
        self.tls.as_ref()?.certificate()
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn shutdown(&mut self) {
        self.farewell();
        // Fails only when the peer is gone, and then there is nobody to tell.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Tries until the system has an answer: a count, or nothing now.
fn tried(mut work: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match work() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
