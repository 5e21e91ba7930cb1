//! One connection: a socket, its conversation, and what could not be sent yet.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::secure::Secure;
use super::talk::Talk;

/// Connections from one address of ours: ports are fewer than connections may be.
const CONNECTIONS_OF_AN_ADDRESS: usize = 20_000;

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// A listener of this group.
    Listener(usize),
    /// This speaker of this publishing.
    Speaker(usize, usize),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is no socket.
    Closed,
    /// The system connects, or the conversation begins.
    Opening,
    /// The conversation goes on.
    Open,
}

/// Reads little and seldom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    /// Bytes at a time.
    pub(crate) bytes: usize,
    /// Nanoseconds between two times.
    pub(crate) every: u64,
}

/// A connection.
pub(super) struct Connection {
    pub(super) socket: Option<TcpStream>,
    /// TLS on it, where the target speaks that.
    pub(super) tls: Option<Box<Secure>>,
    pub(super) talk: Box<dyn Talk>,
    pub(super) owner: Owner,
    pub(super) stage: Stage,
    /// Counts its sockets, so that a time of an earlier one is known.
    pub(super) life: u32,
    /// What was not sent yet.
    pub(super) pending: Vec<u8>,
    pub(super) slow: Option<Slow>,
}

impl Connection {
    pub(super) fn new(talk: Box<dyn Talk>, owner: Owner, slow: Option<Slow>) -> Connection {
        let (stage, pending) = (Stage::Closed, Vec::new());
        Connection { socket: None, tls: None, talk, owner, stage, life: 0, pending, slow }
    }

    /// Whether it is a listener of this group.
    pub(super) fn listens_in(&self, group: usize) -> bool {
        matches!(self.owner, Owner::Listener(of) if of == group)
    }

    /// Sends what is pending and then `bytes`, as much as goes now.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        if let Some(tls) = &mut self.tls {
            return tls.send(socket, bytes);
        }
        let mut rest = bytes;
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            rest = &[];
            let sent = send_some(socket, &self.pending)?;
            self.pending.drain(..sent);
        }
        let sent = send_some(socket, rest)?;
        self.pending.extend_from_slice(&rest[sent..]);
        Ok(())
    }

    /// Reads once; nothing when there is nothing now.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        loop {
            let read = match &mut self.tls {
                None => socket.read(buffer),
                Some(tls) => tls.receive(socket, buffer),
            };
            match read {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Drops the socket at once. The server is told by a reset, as by a client that vanished.
    pub(super) fn cut(&mut self) {
        if let Some(socket) = self.socket.take() {
            // Without it the connection lingers here for a minute, and its port with it.
            let _ = socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
        }
        self.tls = None;
        self.stage = Stage::Closed;
        self.life += 1;
        self.pending.clear();
    }
}

fn send_some(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match socket.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Begins to connect; `index` spreads many connections over addresses of this machine.
pub(super) fn connect(address: SocketAddr, index: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let block = index / CONNECTIONS_OF_AN_ADDRESS;
    if block > 0 && address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let last = u8::try_from(1 + block).map_err(io::Error::other)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}
