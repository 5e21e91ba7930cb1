//! TLS on one connection, without its socket: a library encrypts and decrypts, and whoever has the
//! socket, the runtime or a thread's reactor, hands it in for each call.
//!
//! What counts as written is what the socket has taken, never what only the library has: a durable
//! session is at a position when its bytes are out. Must never hold more than one
//! [`ENCRYPTED_BYTES_MAX`] of what the socket does not take.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::peer::PeerCertificate;

/// Most bytes encrypted at a time: two full records, as much as is copied together for one write
/// without TLS. They are held until the socket has taken them.
const ENCRYPTED_BYTES_MAX: usize = 32 * 1024;

/// The server's side of TLS on one connection.
pub(crate) struct Session {
    tls: ServerConnection,
    /// How many bytes at the beginning of what is to be written are encrypted already and not yet
    /// said to be written.
    under_way: usize,
    /// Whether the connection broke behind what was read last.
    is_broken: bool,
    /// Who the peer is by its certificate.
    certificate: Option<Arc<PeerCertificate>>,
}

/// What a handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// More from the peer.
    Read,
    /// That the socket takes more.
    Write,
    /// Nothing: it is done, and all of it is sent.
    Done,
}

impl Session {
    /// A connection on which nothing has happened.
    ///
    /// # Errors
    /// The configuration is at odds with itself.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Session, rustls::Error> {
        let mut tls = ServerConnection::new(config)?;
        tls.set_buffer_limit(Some(ENCRYPTED_BYTES_MAX));
        Ok(Session { tls, under_way: 0, is_broken: false, certificate: None })
    }

    /// Goes on with the handshake as far as the socket lets it.
    ///
    /// # Errors
    /// It failed, and the peer was told why, or the connection is gone.
    pub(crate) fn shake_hands(
        &mut self,
        socket: &mut (impl Read + Write),
    ) -> io::Result<Handshake> {
        loop {
            self.send(socket)?;
            if self.tls.wants_write() {
                return Ok(Handshake::Write);
            }
            if !self.tls.is_handshaking() {
                let chain = self.tls.peer_certificates().unwrap_or_default();
                self.certificate = chain.first().map(|der| Arc::new(PeerCertificate::new(der)));
                return Ok(Handshake::Done);
            }
            match self.feed(socket) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Handshake::Read),
                Err(error) => return Err(error),
            }
        }
    }

    /// Who the peer is by its certificate, if it was asked for one and has shown it.
    pub(crate) fn certificate(&self) -> Option<&Arc<PeerCertificate>> {
        self.certificate.as_ref()
    }

    /// Whether the handshake went on with a connection from before.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Reads until `buffer` is full or nothing more has come; no byte at the end. What is left in
    /// here is read with the next call, without the socket.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; the connection is gone; what came is not right, and the
    /// peer was told.
    pub(crate) fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.tls.reader().read(&mut buffer[filled..]) {
                // Every protocol here says itself where what it says ends, so that it does not
                // matter whether the peer also said that nothing more comes (RFC 8446 section 6.1).
                Ok(0) => return Ok(filled),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(filled),
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.is_broken {
                self.tls.process_new_packets().map_err(invalid)?;
                return Err(ErrorKind::ConnectionAborted.into());
            }
            if let Err(error) = self.feed(socket) {
                self.is_broken = error.kind() != ErrorKind::WouldBlock;
                // What came before it is right.
                let last = self.tls.reader().read(&mut buffer[filled..]).unwrap_or_default();
                match filled + last {
                    0 => return Err(error),
                    filled => return Ok(filled),
                }
            }
        }
        Ok(filled)
    }

    /// Whether a read is due of which the socket does not tell: the end came with the last bytes.
    pub(crate) fn has_ended(&mut self) -> bool {
        let state = self.tls.process_new_packets();
        self.is_broken || state.map_or(true, |state| state.peer_has_closed())
    }

    /// Writes what the socket takes of `slices`. What it returns is a lower bound: of bytes that
    /// are encrypted and not taken whole, the last is never among them.
    ///
    /// Until everything is written, each call must begin with the bytes that the last one left.
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes no more; the connection is gone.
    pub(crate) fn write(
        &mut self,
        socket: &mut impl Write,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if self.under_way == 0 {
            self.under_way = self.tls.writer().write_vectored(slices)?;
        }
        let sent = self.send(socket)?;
        let taken = match self.tls.wants_write() {
            false => self.under_way,
            // What is encrypted is never less than what it was.
            true => sent.min(self.under_way.saturating_sub(1)),
        };
        if taken == 0 && self.under_way > 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.under_way -= taken;
        Ok(taken)
    }

    /// Sends what is to be sent beside what was written, such as tickets.
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes no more; the connection is gone.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        self.send(socket)?;
        if self.tls.wants_write() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }

    /// Says that nothing more comes (RFC 8446 section 6.1).
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes no more; the connection is gone.
    pub(crate) fn close(&mut self, socket: &mut impl Write) -> io::Result<()> {
        // Once, however often it is called.
        self.tls.send_close_notify();
        self.flush(socket)
    }

    /// Takes what the socket has; says how many bytes, none at the end.
    fn feed(&mut self, socket: &mut (impl Read + Write)) -> io::Result<usize> {
        let count = loop {
            match self.tls.read_tls(socket) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        let processed = self.tls.process_new_packets();
        // The reason why it is over, or an answer to a change of keys; what the socket does not
        // take of that goes before what is written next.
        let _ = self.send(socket);
        processed.map_err(invalid)?;
        Ok(count)
    }

    /// Sends what is encrypted until the socket takes no more; says how many bytes went.
    fn send(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        let mut sent = 0;
        while self.tls.wants_write() {
            match self.tls.write_tls(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
