//! What counts as read and as written, over a socket that takes and gives as little as it likes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

use super::session::{Handshake, Session};

/// A socket: what has come and was not read, what was written, and how much more it takes.
#[derive(Default)]
struct Line {
    came: VecDeque<u8>,
    has_ended: bool,
    went: Vec<u8>,
    room: usize,
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.came.is_empty() && !self.has_ended {
            true => Err(ErrorKind::WouldBlock.into()),
            false => self.came.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= count;
        self.went.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both sides, after their handshake.
struct Pair {
    client: ClientConnection,
    session: Session,
    line: Line,
}

fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

impl Pair {
    fn new() -> Pair {
        let (server, client) = configs();
        let name = ServerName::try_from("localhost").unwrap();
        let mut pair = Pair {
            client: ClientConnection::new(client, name).unwrap(),
            session: Session::new(server).unwrap(),
            line: Line { room: usize::MAX, ..Line::default() },
        };
        while pair.session_goes_on() != Handshake::Done {}
        pair.client_hears();
        pair
    }

    fn session_goes_on(&mut self) -> Handshake {
        self.client_says(b"");
        let state = self.session.shake_hands(&mut self.line).unwrap();
        self.client_hears();
        state
    }

    /// The client says something, all at once.
    fn client_says(&mut self, bytes: &[u8]) {
        self.client.set_buffer_limit(None);
        self.client.writer().write_all(bytes).unwrap();
        while self.client.wants_write() {
            self.client.write_tls(&mut self.line.came).unwrap();
        }
    }

    /// What the client has got by what has gone out so far.
    fn client_hears(&mut self) -> Vec<u8> {
        let (mut heard, went) = (Vec::new(), std::mem::take(&mut self.line.went));
        let mut went = &went[..];
        loop {
            if !went.is_empty() {
                self.client.read_tls(&mut went).unwrap();
            }
            self.client.process_new_packets().unwrap();
            match self.client.reader().read_to_end(&mut heard) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                Ok(_) => return heard,
            }
            if went.is_empty() {
                return heard;
            }
        }
    }

    fn read(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; most];
        let count = self.session.read(&mut self.line, &mut buffer)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        match self.session.write(&mut self.line, &slices) {
            Ok(count) => Some(count),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                None
            }
        }
    }
}

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|number| (number % 251) as u8).collect()
}

#[test]
fn a_full_buffer_leaves_the_rest_for_the_next_read() {
    let mut pair = Pair::new();
    let said = numbers(100_000);
    pair.client_says(&said);
    let mut read = Vec::new();
    loop {
        match pair.read(999) {
            // Only what is short of a whole buffer was all there is.
            Ok(bytes) if bytes.len() == 999 => read.extend(bytes),
            Ok(bytes) => {
                read.extend(bytes);
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(read == said, "{} bytes of {}", read.len(), said.len());
    assert_eq!(pair.read(10).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_the_socket_has_not_taken_is_not_written() {
    let mut pair = Pair::new();
    let said = numbers(200_000);
    let (mut written, mut heard) = (0, Vec::new());
    for round in 0.. {
        pair.line.room = [0, 1, 5, 100, 20_000, 70_000][round % 6];
        let before = pair.line.room;
        if let Some(count) = pair.write(&said[written..]) {
            assert!(count <= before, "{count} bytes with room for {before}");
            written += count;
        }
        heard.extend(pair.client_hears());
        if written == said.len() {
            break;
        }
    }
    assert!(heard == said, "the client has all as soon as it counts as written");
}

#[test]
fn what_is_held_has_a_bound() {
    let mut pair = Pair::new();
    pair.line.room = 0;
    let said = numbers(1_000_000);
    for _ in 0..10 {
        assert_eq!(pair.write(&said), None);
    }
    pair.line.room = usize::MAX;
    let written = pair.write(&said).unwrap();
    assert_eq!((written, pair.line.went.len() < 34_000), (32 * 1024, true));
    assert_eq!(pair.client_hears(), said[..written]);
}

#[test]
fn the_end_may_come_with_the_last_bytes() {
    for says_so in [true, false] {
        let mut pair = Pair::new();
        pair.client_says(b"last");
        if says_so {
            pair.client.send_close_notify();
            pair.client_says(b"");
        }
        pair.line.has_ended = !says_so;
        assert_eq!(pair.read(100).unwrap(), b"last");
        assert!(!says_so || pair.session.has_ended(), "the socket does not tell");
        assert_eq!((pair.read(100).unwrap(), pair.read(100).unwrap()), (vec![], vec![]));
        // Who says no more may still listen.
        assert_eq!(pair.write(b"answer"), Some(6));
        assert_eq!(pair.client_hears(), b"answer");
    }
}

#[test]
fn what_is_right_is_read_before_what_is_not() {
    let mut pair = Pair::new();
    assert!(!pair.session.has_ended());
    pair.client_says(b"right");
    pair.line.came.extend([23, 3, 3, 0, 40]);
    pair.line.came.extend([7; 40]);
    assert_eq!(pair.read(100).unwrap(), b"right");
    assert!(pair.session.has_ended(), "the socket does not tell");
    assert_eq!(pair.read(100).unwrap_err().kind(), ErrorKind::InvalidData);
    // It was told why: a record of an alert, encrypted.
    assert_eq!(pair.line.went[0], 23);
}

#[test]
fn a_close_is_said_once() {
    let mut pair = Pair::new();
    pair.session.close(&mut pair.line).unwrap();
    let length = pair.line.went.len();
    pair.session.close(&mut pair.line).unwrap();
    assert_eq!((length > 0, pair.line.went.len()), (true, length));
    pair.client_hears();
    let state = pair.client.process_new_packets().unwrap();
    assert!(state.peer_has_closed());
}
