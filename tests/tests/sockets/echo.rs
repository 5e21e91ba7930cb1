//! What is sent comes back as it was: sizes, pieces, texts in every alphabet, and every close code.
//! A socket on a topic hears itself, so with `data=raw` it is an echo.

use tidings_tests::{Frame, Server, Socket};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

fn echo(server: &Server) -> Socket {
    Socket::open(server, "/t/echo?data=raw")
}

#[track_caller]
fn expect_back(socket: &mut Socket, first: u8, payload: &[u8], what: &str) {
    let frame = Frame::read(socket.wire());
    assert_eq!(frame.first, first, "{what}");
    assert!(frame.payload == payload, "{what}: {} bytes", frame.payload.len());
}

#[test]
fn every_size_of_length() {
    let server = Server::start();
    let mut socket = echo(&server);
    for length in [0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 1 << 20] {
        for (first, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            let payload = vec![byte; length];
            socket.send_bytes(&Frame::masked(first, &payload));
            expect_back(&mut socket, first, &payload, &format!("{length} of {byte}"));
        }
    }
}

#[test]
fn every_size_of_fragment_and_of_packet() {
    let server = Server::start();
    let mut socket = echo(&server);
    let payload: Vec<u8> = (0..40_000u32).map(|n| (n % 251) as u8).collect();
    for size in [1, 2, 7, 64, 125, 126, 1300, 16_384, 39_999, 40_000] {
        let pieces: Vec<&[u8]> = payload.chunks(size).collect();
        let mut frames = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            let opcode = if number == 0 { 0x02 } else { 0x00 };
            let fin = if number + 1 == pieces.len() { 0x80 } else { 0x00 };
            frames.extend(Frame::masked(fin | opcode, piece));
        }
        socket.send_bytes(&frames);
        expect_back(&mut socket, BINARY, &payload, &format!("fragments of {size}"));
        for packet in Frame::masked(BINARY, &payload).chunks(size.max(64)) {
            socket.send_bytes(packet);
        }
        expect_back(&mut socket, BINARY, &payload, &format!("packets of {size}"));
    }
}

#[test]
fn every_ping_comes_back() {
    let server = Server::start();
    let mut socket = echo(&server);
    for length in 0..=125 {
        let payload = vec![0xfe; length];
        socket.send_bytes(&Frame::masked(0x89, &payload));
        expect_back(&mut socket, 0x8a, &payload, "a pong");
        // One that was not asked for is not answered.
        socket.send_bytes(&Frame::masked(0x8a, &payload));
    }
    let pings: Vec<u8> = (0..50u8).flat_map(|number| Frame::masked(0x89, &[number])).collect();
    for byte in &pings {
        socket.send_bytes(&[*byte]);
    }
    for number in 0..50 {
        expect_back(&mut socket, 0x8a, &[number], "in their order");
    }
}

/// The first and the last character of each length, and those around what is forbidden
/// (RFC 3629 section 4).
const TEXTS: [&str; 8] = [
    "\0\u{7f}",
    "\u{80}\u{7ff}",
    "\u{800}\u{fff}\u{d7ff}\u{e000}\u{fffd}\u{ffff}",
    "\u{10000}\u{3ffff}\u{40000}\u{fffff}\u{100000}\u{10ffff}",
    "κόσμε",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "नमस्ते ☃ 你好 🂡👩‍🚀",
    "\u{feff}\u{202e}\u{fdd0}\u{1fffe}",
];

#[test]
fn text_that_is_utf_8_at_every_cut() {
    let server = Server::start();
    let mut socket = echo(&server);
    for text in TEXTS {
        let bytes = text.as_bytes();
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            let frames = [Frame::masked(0x01, head), Frame::masked(0x80, tail)].concat();
            socket.send_bytes(&frames);
            expect_back(&mut socket, TEXT, bytes, text);
        }
    }
}

/// Refused at the first byte that cannot be right any more, though the message never ends.
#[test]
fn text_that_is_not_utf_8_fails_at_once() {
    let server = Server::start();
    let cases: [&[u8]; 20] = [
        b"\x80",
        b"\xbf",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80",
        b"\xe0\x9f",
        b"\xed\xa0",
        b"\xed\xbf",
        b"\xf0\x80",
        b"\xf0\x8f",
        b"\xf4\x90",
        b"\xf5",
        b"\xf8\x88",
        b"\xfc\x84",
        b"\xfe",
        b"\xff",
        b"\xe2\x28",
        b"\xe2\x82\x28",
        b"\xf0\x9f\x98\x28",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90",
    ];
    for bad in cases {
        let mut fragment = echo(&server);
        fragment.send_bytes(&[Frame::masked(0x01, b"good "), Frame::masked(0x00, bad)].concat());
        assert_eq!(fragment.close_code(), 1007, "{}", bad.escape_ascii());
        // Also inside one frame of which no more comes.
        let mut cut = echo(&server);
        let frame = Frame::masked(TEXT, &[bad, &[b' '; 100]].concat());
        cut.send_bytes(&frame[..6 + bad.len()]);
        assert_eq!(cut.close_code(), 1007, "{}", bad.escape_ascii());
    }
    // A message that ends inside a character.
    for cut in [&b"\xc2"[..], b"\xe2\x82", b"\xf0\x9f\x98"] {
        let mut socket = echo(&server);
        socket.send_bytes(&Frame::masked(TEXT, cut));
        assert_eq!(socket.close_code(), 1007);
    }
}

#[test]
fn every_close_code() {
    let server = Server::start();
    let close = |payload: &[u8]| {
        let mut socket = echo(&server);
        socket.send_bytes(&Frame::masked(0x88, payload));
        socket.close_code()
    };
    let may_be_sent = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    for code in may_be_sent.into_iter().chain([3000, 3999, 4000, 4999]) {
        let payload = [&u16::to_be_bytes(code)[..], &[b'r'; 123]].concat();
        assert_eq!(close(&payload), code);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        assert_eq!(close(&u16::to_be_bytes(code)), 1002, "{code}");
    }
    assert_eq!(close(&[&b"\x03\xe8"[..], &[b'r'; 124]].concat()), 1002, "a reason too long");
    assert_eq!(close(b"\x03\xe8\xce\xba\xf4\x90"), 1007, "a reason that is not UTF-8");
    assert_eq!(close(b""), 1000);
}

#[test]
fn nothing_is_heard_behind_a_close() {
    let server = Server::start();
    let mut socket = echo(&server);
    let frames = [
        Frame::masked(0x88, b"\x03\xe8"),
        Frame::masked(TEXT, b"too late"),
        Frame::masked(0x89, b"hello?"),
        Frame::masked(0x88, b"\x03\xe8"),
    ];
    socket.send_bytes(&frames.concat());
    assert_eq!(Frame::read(socket.wire()), Frame { first: 0x88, payload: b"\x03\xe8".to_vec() });
    socket.wire().expect_end();
    assert_eq!(server.get("/t/echo").events().len(), 0);
}
