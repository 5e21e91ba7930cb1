//! A WebSocket as a client sees it (RFC 6455), strict about every frame the server sends.
//! Must never answer a ping by itself: whether one is answered is the test's choice.

use std::collections::VecDeque;

use serde_json::Value;
use tidings_websocket_codec::{
    Decoder, Item, Limits, Opcode, Role, accept_key, write_masked_frame,
};

use crate::http::{Response, request};
use crate::server::Server;
use crate::wire::Wire;

/// The key of the example in RFC 6455 section 1.3; it need not be secret here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A mask; a test has nobody to hide from.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Largest message that a test reads.
const LIMITS: Limits = Limits { message_bytes_max: 16 << 20 };

/// An open WebSocket.
pub struct Socket {
    /// The head of the answer to the handshake.
    pub head: Response,
    wire: Wire,
    decoder: Decoder,
    items: VecDeque<Item<'static>>,
}

/// The bytes of a right handshake, with these headers besides.
pub fn handshake(target: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut headers = vec![
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ];
    headers.extend_from_slice(more);
    request("GET", target, &headers, b"")
}

/// The bytes of a whole masked frame.
pub fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_masked_frame(&mut frame, opcode, payload, MASK);
    frame
}

impl Socket {
    /// Opens one; the handshake must succeed.
    #[track_caller]
    pub fn open(server: &Server, target: &str) -> Socket {
        match Socket::try_open(server, target, &[]) {
            Ok(socket) => socket,
            Err(response) => panic!("{response:?}"),
        }
    }

    /// Opens one on a topic's URL and reads its `ready`, which it gives too.
    #[track_caller]
    pub fn on_topic(server: &Server, target: &str) -> (Socket, Value) {
        let mut socket = Socket::open(server, target);
        let ready = socket.json();
        assert_eq!(ready["type"], "ready", "{ready}");
        (socket, ready)
    }

    /// Opens one that speaks `tidings.v1`, and reads its `ready`.
    #[track_caller]
    pub fn v1(server: &Server) -> Socket {
        let (mut socket, protocol) = (Socket::open(server, "/ws"), "tidings.v1");
        let ready = socket.json();
        assert_eq!((&ready["type"], &ready["protocol"]), (&"ready".into(), &protocol.into()));
        socket
    }

    /// Opens one, with these headers besides, or gives the refusal.
    #[track_caller]
    pub fn try_open(
        server: &Server,
        target: &str,
        more: &[(&str, &str)],
    ) -> Result<Socket, Response> {
        let mut wire = server.wire();
        wire.send(handshake(target, more));
        Socket::begin(wire)
    }

    /// Reads the answer to a handshake that was sent.
    #[track_caller]
    pub fn begin(mut wire: Wire) -> Result<Socket, Response> {
        let head = wire.head();
        if head.status != 101 {
            let length = head.header("content-length").and_then(|text| text.parse().ok());
            let body = wire.read_exact(length.unwrap_or_default());
            return Err(Response { body, ..head });
        }
        Ok(Socket::resume(wire, head))
    }

    /// A socket whose handshake was answered with this head.
    #[track_caller]
    pub fn resume(wire: Wire, head: Response) -> Socket {
        assert_eq!(head.header("sec-websocket-accept"), Some(accept_key(KEY).as_str()));
        assert_eq!(head.list("upgrade"), ["websocket"], "{head:?}");
        assert_eq!(head.list("connection"), ["upgrade"], "{head:?}");
        let decoder = Decoder::new(Role::Client, LIMITS);
        Socket { head, wire, decoder, items: VecDeque::new() }
    }

    /// Sends a text message.
    #[track_caller]
    pub fn send_text(&mut self, text: &str) {
        self.send_frame(Opcode::Text, text.as_bytes());
    }

    /// Sends a JSON value as a text message.
    #[track_caller]
    pub fn send_json(&mut self, value: &Value) {
        self.send_text(&value.to_string());
    }

    /// Sends a JSON value as a text message, unless the server has closed.
    pub fn try_send_json(&mut self, value: &Value) -> std::io::Result<()> {
        self.wire.try_send(masked(Opcode::Text, value.to_string().as_bytes()))
    }

    /// Sends a whole frame, masked as it must be.
    #[track_caller]
    pub fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.wire.send(masked(opcode, payload));
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// Sends a command and gives its answer, which must be the next message.
    #[track_caller]
    pub fn command(&mut self, command: &Value) -> Value {
        self.send_json(command);
        self.json()
    }

    /// The next message or control frame, or nothing when the server has closed the connection.
    #[track_caller]
    pub fn item(&mut self) -> Option<Item<'static>> {
        while self.items.is_empty() {
            let mut bytes = self.wire.read_some()?;
            let mut input = &mut bytes[..];
            loop {
                match self.decoder.decode(&mut input) {
                    Ok(Some(item)) => self.items.push_back(item.into_owned()),
                    Ok(None) => break,
                    Err(error) => panic!("the server broke the protocol: {error}"),
                }
            }
        }
        self.items.pop_front()
    }

    /// The next text message; pings in between are left unanswered.
    #[track_caller]
    pub fn text(&mut self) -> String {
        loop {
            match self.item() {
                Some(Item::Text(text)) => return text.into_owned(),
                Some(Item::Ping(_)) => {}
                other => panic!("no text, but {other:?}"),
            }
        }
    }

    /// The next text message as JSON.
    #[track_caller]
    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
    }

    /// Reads to the Close frame, whatever comes before, and to the end of the connection behind
    /// it; gives the close code.
    #[track_caller]
    pub fn close_code(&mut self) -> u16 {
        loop {
            match self.item() {
                Some(Item::Close { code, .. }) => {
                    let code = code.map_or(0, |code| code.get());
                    // The server waits for the answer when it closed first; after a breach it
                    // does not, and the socket may be gone.
                    let _ = self.wire.try_send(masked(Opcode::Close, &code.to_be_bytes()));
                    self.wire.half_close();
                    self.wire.expect_end();
                    return code;
                }
                Some(_) => {}
                None => panic!("the connection ended without a Close frame"),
            }
        }
    }

    /// The connection under it.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
