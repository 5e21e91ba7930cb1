//! A raw socket to the server: what is sent is exactly what the test says.
//! Must never wait without a deadline, nor know what the bytes mean.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};

use crate::PATIENCE;

/// Most bytes taken from the system at once.
const READ_BYTES: usize = 64 * 1024;

/// How long a look at a socket may take.
const LOOK: Duration = Duration::from_millis(5);

/// A connection, and what came in on it and was not yet looked at.
pub struct Wire {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    unread: Vec<u8>,
}

impl Wire {
    /// Connects.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect_timeout(&address, PATIENCE);
        Wire::over(stream, address)
    }

    /// Connects with the smallest receive buffer that the system allows, so that what is not read
    /// here soon waits at the server.
    #[track_caller]
    pub fn connect_narrow(address: SocketAddr) -> Wire {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let connected = socket.and_then(|socket| {
            // Before connecting, since the window's scale is agreed on then.
            socket.set_recv_buffer_size(1)?;
            socket.connect_timeout(&address.into(), PATIENCE)?;
            Ok(socket.into())
        });
        Wire::over(connected, address)
    }

    /// Connects, unless nobody listens there.
    #[track_caller]
    pub fn try_connect(address: SocketAddr) -> Option<Wire> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE);
        stream.ok().map(Wire::prepared)
    }

    #[track_caller]
    fn over(stream: std::io::Result<TcpStream>, address: SocketAddr) -> Wire {
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Wire::prepared(stream)
    }

    #[track_caller]
    fn prepared(stream: TcpStream) -> Wire {
        let nodelay = stream.set_nodelay(true).and(stream.set_write_timeout(Some(PATIENCE)));
        nodelay.unwrap_or_else(|error| panic!("cannot prepare a socket: {error}"));
        Wire { stream, tls: None, unread: Vec::new() }
    }

    /// Shakes hands: from now on everything goes over TLS.
    ///
    /// # Errors
    /// What the server, or this side, did not like.
    pub fn secured(mut self, client: &Arc<ClientConfig>) -> std::io::Result<Wire> {
        let name = ServerName::from(self.stream.peer_addr()?.ip());
        let tls = ClientConnection::new(Arc::clone(client), name);
        let mut tls = Box::new(tls.map_err(std::io::Error::other)?);
        self.stream.set_read_timeout(Some(PATIENCE))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream)?;
        }
        self.tls = Some(tls);
        Ok(self)
    }

    /// The TLS on it; there must be some.
    #[track_caller]
    pub fn tls(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().unwrap_or_else(|| panic!("there is no TLS"))
    }

    /// Sends all of `bytes`.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// Sends all of `bytes`, unless the server has closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.stream.write_all(bytes.as_ref()) };
        rustls::Stream::new(&mut **tls, &mut self.stream).write_all(bytes.as_ref())
    }

    /// Sends bytes below TLS, as they are.
    pub fn try_send_below(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub fn half_close(&mut self) {
        // Fails when the server closed first, and then there is nothing left to close.
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.complete_io(&mut self.stream);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Everything up to and including `end`.
    #[track_caller]
    pub fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        self.try_read_until(end).unwrap_or_else(|| {
            let end = end.escape_ascii().to_string();
            panic!("the server closed before {end:?}; {self:?}")
        })
    }

    /// Everything up to and including `end`, or nothing when the server closed before.
    #[track_caller]
    pub fn try_read_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut searched = 0;
        loop {
            let from = searched;
            let found = self.unread[from..].windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                return Some(self.unread.drain(..from + at + end.len()).collect());
            }
            searched = self.unread.len().saturating_sub(end.len() - 1);
            if !self.fill(deadline) {
                return None;
            }
        }
    }

    /// The next `count` bytes.
    #[track_caller]
    pub fn read_exact(&mut self, count: usize) -> Vec<u8> {
        self.try_read_exact(count).unwrap_or_else(|| {
            panic!("the server closed before {count} bytes were there; {self:?}")
        })
    }

    /// The next `count` bytes, or nothing when the server closed before.
    #[track_caller]
    pub fn try_read_exact(&mut self, count: usize) -> Option<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        while self.unread.len() < count {
            if !self.fill(deadline) {
                return None;
            }
        }
        Some(self.unread.drain(..count).collect())
    }

    /// Whatever comes next, or nothing when the server has closed.
    #[track_caller]
    pub fn read_some(&mut self) -> Option<Vec<u8>> {
        if self.unread.is_empty() && !self.fill(Instant::now() + PATIENCE) {
            return None;
        }
        Some(std::mem::take(&mut self.unread))
    }

    /// Takes at most `most` bytes of what comes next, and forgets them; says how many. None are
    /// left when the server has closed.
    #[track_caller]
    pub fn skip_some(&mut self, most: usize) -> usize {
        if self.unread.is_empty() {
            self.fill_at_most(Instant::now() + PATIENCE, most);
        }
        let count = self.unread.len().min(most);
        self.unread.drain(..count);
        count
    }

    /// Everything until the server closes.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.fill(deadline) {}
        std::mem::take(&mut self.unread)
    }

    /// Waits until the server has closed; it may not say anything before.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "more came before the end: {}", rest.escape_ascii());
    }

    /// Whether there is something to read, or the end; looks for a moment only.
    #[track_caller]
    pub fn is_readable(&mut self) -> bool {
        let mut one = [0];
        let peeked = self.stream.set_read_timeout(Some(LOOK)).and_then(|()| match &mut self.tls {
            None => self.stream.peek(&mut one),
            // What can be seen below may be the library's own business.
            Some(tls) => {
                let count = read_secure(tls, &mut self.stream, &mut one)?;
                self.unread.extend_from_slice(&one[..count]);
                Ok(count)
            }
        });
        match peeked.map_err(|error| error.kind()) {
            _ if !self.unread.is_empty() => true,
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => false,
            Ok(_) | Err(_) => true,
        }
    }

    /// Takes what the system has, or waits for it until `deadline`. Says no at the end of the
    /// connection, in good order or not.
    #[track_caller]
    fn fill(&mut self, deadline: Instant) -> bool {
        self.fill_at_most(deadline, READ_BYTES)
    }

    #[track_caller]
    fn fill_at_most(&mut self, deadline: Instant, most: usize) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the server kept us waiting; {self:?}");
        let mut buffer = vec![0; most];
        let read = self.stream.set_read_timeout(Some(left)).and_then(|()| {
            let count = match &mut self.tls {
                None => self.stream.read(&mut buffer)?,
                Some(tls) => read_secure(tls, &mut self.stream, &mut buffer)?,
            };
            self.unread.extend_from_slice(&buffer[..count]);
            Ok(count > 0)
        });
        match read.map_err(|error| (error.kind(), error)) {
            Ok(more) => more,
            Err((ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted, _)) => false,
            // A server that cuts a connection says nothing before.
            Err((ErrorKind::UnexpectedEof, _)) if self.tls.is_some() => false,
            Err((ErrorKind::InvalidData, error)) if is_alert(&error) => false,
            Err((_, error)) => panic!("the server kept us waiting ({error}); {self:?}"),
        }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.unread[..self.unread.len().min(2048)];
        write!(f, "unread: {}", shown.escape_ascii())
    }
}

/// Reads once. Writes nothing, as whoever reads only might.
fn read_secure(
    tls: &mut ClientConnection,
    stream: &mut TcpStream,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
        tls.read_tls(stream)?;
        let invalid = |error| std::io::Error::new(ErrorKind::InvalidData, error);
        tls.process_new_packets().map_err(invalid)?;
    }
}

/// Whether the server said in TLS that, and why, it ends the connection.
fn is_alert(error: &std::io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::AlertReceived(_)))
}
