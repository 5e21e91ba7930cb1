//! Compressed messages (RFC 7692): how they are agreed on, and what goes over the wire then.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::{Value, json as value};
use tidings_tests::{Frame, Server, Socket};

/// First bytes of frames: compressed and not.
const DEFLATED_TEXT: u8 = 0xc1;
const DEFLATED_BINARY: u8 = 0xc2;
const TEXT: u8 = 0x81;

const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Opens a socket that offers this, and reads its `ready`, which is too short to be compressed.
#[track_caller]
fn open(server: &Server, target: &str, offers: &str) -> Socket {
    let offer = [("Sec-WebSocket-Extensions", offers)];
    let opened = Socket::try_open(server, target, &offer);
    let mut socket = opened.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    if !target.contains("data=raw") {
        let ready = Frame::read(socket.wire());
        assert_eq!((ready.first, &json(&ready.payload)["type"]), (TEXT, &"ready".into()));
    }
    socket
}

#[track_caller]
fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error} in {bytes:x?}"))
}

#[track_caller]
fn inflate(payload: &[u8]) -> Vec<u8> {
    // What the sender left out, and the end of the stream.
    let whole = [payload, b"\x00\x00\xff\xff\x01\x00\x00\xff\xff"].concat();
    let mut inflated = Vec::new();
    let read = DeflateDecoder::new(&whole[..]).read_to_end(&mut inflated);
    assert!(read.is_ok(), "{read:?} in {payload:x?}");
    inflated
}

fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(payload).and_then(|()| encoder.flush());
    assert!(written.is_ok());
    let bytes = encoder.get_ref();
    bytes[..bytes.len() - 4].to_vec()
}

/// The next frame, which must be a compressed text; its JSON, and how many bytes it took.
#[track_caller]
fn deflated_json(socket: &mut Socket) -> (Value, usize) {
    let frame = Frame::read(socket.wire());
    assert_eq!(frame.first, DEFLATED_TEXT, "{frame:?}");
    (json(&inflate(&frame.payload)), frame.payload.len())
}

#[test]
fn offers_are_agreed_on_or_declined() {
    let server = Server::start();
    for (offers, agreed) in [
        ("permessage-deflate", Some(PLAIN.to_owned())),
        ("permessage-deflate; client_max_window_bits", Some(PLAIN.to_owned())),
        (
            "permessage-deflate; server_max_window_bits=10",
            Some(format!("{PLAIN}; server_max_window_bits=10")),
        ),
        (
            "permessage-deflate; server_max_window_bits=16, permessage-deflate",
            Some(PLAIN.to_owned()),
        ),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; unknown", None),
        ("x-webkit-deflate-frame", None),
    ] {
        for target in ["/t/a", "/ws"] {
            let offer = [("Sec-WebSocket-Extensions", offers)];
            let socket = Socket::try_open(&server, target, &offer).ok().unwrap();
            let header = socket.head.header("sec-websocket-extensions");
            assert_eq!(header, agreed.as_deref(), "{offers}");
        }
    }
    // The lines of a list are one list.
    let lines =
        [("Sec-WebSocket-Extensions", "x"), ("Sec-WebSocket-Extensions", "permessage-deflate")];
    let socket = Socket::try_open(&server, "/t/a", &lines).ok().unwrap();
    assert_eq!(socket.head.header("sec-websocket-extensions"), Some(PLAIN));
    for malformed in ["permessage-deflate;", "permessage-deflate; a=\"b", "="] {
        let offer = [("Sec-WebSocket-Extensions", malformed)];
        let refusal = Socket::try_open(&server, "/t/a", &offer).err().unwrap();
        refusal.expect_problem(400, "bad_upgrade");
    }
}

#[test]
fn events_come_compressed_where_it_is_worth_it() {
    let server = Server::start();
    let mut deflating = [0, 1, 2].map(|_| open(&server, "/t/a", "permessage-deflate"));
    let (mut plain, _) = Socket::on_topic(&server, "/t/a");
    let long = "the same again and again, ".repeat(40);
    for round in 0..3 {
        server.publish("a", &long);
        let expected = plain.json();
        assert_eq!(expected["data"], long.as_str());
        for socket in &mut deflating {
            let (event, bytes) = deflated_json(socket);
            assert_eq!(event, expected, "{round}");
            assert!(bytes < long.len() / 3, "{bytes}");
        }
        server.publish("a", "short");
        let expected = plain.json();
        for socket in &mut deflating {
            let frame = Frame::read(socket.wire());
            assert_eq!(frame.first, TEXT);
            assert_eq!(json(&frame.payload), expected);
        }
    }
}

/// Each subscription has a name of its own in front of what all share.
#[test]
fn each_reader_gets_its_own_head() {
    let server = Server::start();
    let mut socket = open(&server, "/ws", "permessage-deflate");
    for name in ["first", "second, with \"quotes\""] {
        socket.send_json(&value!({"do": "subscribe", "sub": name, "topics": ["a"]}));
        let answer = Frame::read(socket.wire());
        let answer = json(&answer.payload);
        assert_eq!((&answer["sub"], &answer["ok"]), (&value!(name), &value!(true)));
    }
    let long = "tidings ".repeat(100);
    server.publish("a", &long);
    for name in ["first", "second, with \"quotes\""] {
        let (delivery, _) = deflated_json(&mut socket);
        assert_eq!((&delivery["sub"], &delivery["event"]["data"]), (&value!(name), &value!(long)));
    }
}

/// Kept to by leaving larger messages as they are, so that a smaller window needs no other bytes.
#[test]
fn a_small_window_is_kept_to() {
    let server = Server::start();
    let mut socket = open(&server, "/t/a?data=raw", "permessage-deflate; server_max_window_bits=9");
    server.publish("a", "x".repeat(512));
    let frame = Frame::read(socket.wire());
    assert_eq!((frame.first, inflate(&frame.payload)), (DEFLATED_TEXT, vec![b'x'; 512]));
    server.publish("a", "x".repeat(513));
    let frame = Frame::read(socket.wire());
    assert_eq!((frame.first, frame.payload), (TEXT, vec![b'x'; 513]));
}

#[test]
fn what_is_sent_compressed_is_published_as_it_was() {
    let server = Server::start();
    let mut socket = open(&server, "/t/a?data=raw", "permessage-deflate");
    let text = "käse, ".repeat(60);
    socket.send_bytes(&Frame::masked(DEFLATED_TEXT, &deflate(text.as_bytes())));
    let frame = Frame::read(socket.wire());
    assert_eq!((frame.first, inflate(&frame.payload)), (DEFLATED_TEXT, text.as_bytes().to_vec()));
    socket.send_bytes(&Frame::masked(DEFLATED_BINARY, &deflate(&[0xff; 300])));
    let frame = Frame::read(socket.wire());
    assert_eq!((frame.first, inflate(&frame.payload)), (DEFLATED_BINARY, vec![0xff; 300]));
    // In fragments, of which only the first says that it is compressed, with a ping in between.
    let bytes = deflate(text.as_bytes());
    for at in [0, 1, bytes.len() / 2, bytes.len()] {
        let (head, tail) = bytes.split_at(at);
        socket.send_bytes(
            &[
                Frame::masked(0x41, head),
                Frame::masked(0x89, b"?"),
                Frame::masked(0x80, tail),
                Frame::masked(TEXT, b"as it is"),
            ]
            .concat(),
        );
        assert_eq!(Frame::read(socket.wire()), Frame { first: 0x8a, payload: b"?".to_vec() });
        assert_eq!(inflate(&Frame::read(socket.wire()).payload), text.as_bytes(), "{at}");
        assert_eq!(Frame::read(socket.wire()).payload, b"as it is");
    }
    assert_eq!(server.get("/t/a").events().len(), 10);
}

#[test]
fn what_breaks_the_rules_of_compression() {
    let server = Server::with(&[("LIMITS_MESSAGE_BYTES", "64KiB")]);
    let begun = Frame::masked(0x41, &deflate(b"begun"));
    for (bytes, code, what) in [
        (Frame::masked(DEFLATED_TEXT, b"\x07"), 1007, "no deflate data"),
        (Frame::masked(DEFLATED_TEXT, b""), 1007, "nothing at all"),
        (Frame::masked(DEFLATED_TEXT, b"\xf2\x00\x11\x00\x00"), 1007, "another message's window"),
        (Frame::masked(DEFLATED_TEXT, &deflate(b"\xff")), 1007, "text that is not UTF-8"),
        (Frame::masked(DEFLATED_TEXT, &deflate(&[b'x'; 65537])), 1009, "one byte too many"),
        (Frame::masked(DEFLATED_BINARY, &deflate(&vec![0; 50_000_000])), 1009, "a bomb"),
        (
            Frame::masked(DEFLATED_BINARY, &b"\x00\x00\x00\xff\xff".repeat(20_000)),
            1009,
            "nothing, at length",
        ),
        ([begun, Frame::masked(0xc0, b"")].concat(), 1002, "RSV1 on the last fragment"),
        (Frame::masked(0xc9, b""), 1002, "RSV1 on a ping"),
        (Frame::masked(0xe1, b""), 1002, "RSV2"),
    ] {
        let mut socket = open(&server, "/t/a", "permessage-deflate");
        socket.send_bytes(&bytes);
        assert_eq!(socket.close_code(), code, "{what}");
    }
    let mut socket = open(&server, "/t/a", "permessage-deflate");
    socket.send_bytes(&Frame::masked(DEFLATED_TEXT, &deflate(&[b'x'; 65536])));
    assert_eq!(deflated_json(&mut socket).0["data"], "x".repeat(65536));
    assert_eq!(server.get("/t/a").events().len(), 1, "nothing else was published");
}
