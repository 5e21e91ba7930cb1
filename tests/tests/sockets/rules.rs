//! What breaks RFC 6455, the close code that it gets, and that nobody else notices.

use tidings_tests::{Server, Socket, masked};
use tidings_websocket_codec::{Item, Opcode};

/// Sends the bytes on a socket of its own, and expects it to be closed with this code; all that
/// is published by then is what `stored` says.
#[track_caller]
fn expect_close(server: &Server, bytes: &[u8], code: u16, what: &str) {
    let (mut bystander, _) = Socket::on_topic(server, "/t/a");
    for target in ["/t/a", "/ws"] {
        let mut socket = Socket::open(server, target);
        let ready = socket.json();
        assert_eq!(ready["type"], "ready");
        socket.send_bytes(bytes);
        assert_eq!(socket.close_code(), code, "{what} on {target}");
    }
    let before = server.get("/t/a").events().len();
    assert_eq!(before, 0, "{what} was published");
    bystander.send_frame(Opcode::Ping, b"me too?");
    assert_eq!(bystander.item(), Some(Item::Pong(b"me too?".as_slice().into())), "{what}");
}

/// A masked frame whose first byte is `first`.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = masked(Opcode::Text, payload);
    frame[0] = first;
    frame
}

#[test]
fn text_that_is_not_utf_8() {
    let server = Server::start();
    let bad: [&[u8]; 4] = [b"\xff", b"k\xc3", b"\xed\xa0\x80", b"\xc0\xaf"];
    for text in bad {
        expect_close(&server, &masked(Opcode::Text, text), 1007, "bad text");
    }
    // Over two fragments, of which the first may be the beginning of good text.
    let fragments = [frame(0x01, b"k\xc3"), frame(0x80, b"\x28")].concat();
    expect_close(&server, &fragments, 1007, "bad text in fragments");
    let close = masked(Opcode::Close, b"\x03\xe8\xff");
    expect_close(&server, &close, 1007, "a bad reason");
}

#[test]
fn messages_that_are_too_large() {
    let server = Server::with(&[("LIMITS_MESSAGE_BYTES", "1KiB")]);
    let fragments = [frame(0x02, &[0; 1000]), frame(0x80, &[0; 25])].concat();
    expect_close(&server, &fragments, 1009, "too large in fragments");
    for opcode in [Opcode::Text, Opcode::Binary] {
        let whole = masked(opcode, &[b'x'; 1025]);
        expect_close(&server, &whole, 1009, "too large");
        // The header says enough; the payload need not come.
        expect_close(&server, &whole[..8], 1009, "announced too large");
    }
    let (mut socket, _) = Socket::on_topic(&server, "/t/a");
    socket.send_frame(Opcode::Text, &[b'x'; 1024]);
    assert_eq!(socket.json()["data"], "x".repeat(1024));
}

#[test]
fn frames_that_are_against_the_rules() {
    let server = Server::start();
    let unmasked = b"\x81\x05Hello";
    let control_long = frame(0x89, &[0; 126]);
    for (bytes, what) in [
        (&unmasked[..], "a frame without a mask"),
        (&b"\x89\x00"[..], "a ping without a mask"),
        (&frame(0xc1, b"x"), "RSV1"),
        (&frame(0xa1, b"x"), "RSV2"),
        (&frame(0x91, b"x"), "RSV3"),
        (&frame(0x83, b"x"), "opcode 3"),
        (&frame(0x8b, b"x"), "opcode 11"),
        (&frame(0x09, b"x"), "a ping in fragments"),
        (&control_long, "a ping that is too long"),
        (&frame(0x80, b"x"), "a continuation of nothing"),
        (&[frame(0x01, b"x"), frame(0x81, b"y")].concat(), "a message inside another"),
        (&b"\x81\xfe\x00\x05\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"[..], "a length too wide"),
        (&b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00"[..], "a length of 2^63"),
        (&masked(Opcode::Close, b"\x03"), "half a close code"),
        (&masked(Opcode::Close, b"\x03\xed"), "close code 1005"),
        (&masked(Opcode::Close, b"\x00\x00"), "close code 0"),
    ] {
        expect_close(&server, bytes, 1002, what);
    }
}

#[test]
fn what_came_before_a_breach_is_published() {
    let server = Server::start();
    let (mut socket, _) = Socket::on_topic(&server, "/t/a");
    socket.send_bytes(
        &[
            masked(Opcode::Text, b"good"),
            masked(Opcode::Text, b"\xff"),
            masked(Opcode::Text, b"late"),
        ]
        .concat(),
    );
    assert_eq!(socket.close_code(), 1007);
    assert_eq!(server.get("/t/a").data(), ["good"]);
}

#[test]
fn a_close_is_answered_with_its_code() {
    let server = Server::start();
    for (payload, code) in
        [(&b"\x03\xe8"[..], 1000), (b"\x03\xe9bye", 1001), (b"\x0f\xa0", 4000), (b"", 1000)]
    {
        let (mut socket, _) = Socket::on_topic(&server, "/t/a");
        socket.send_frame(Opcode::Close, payload);
        assert_eq!(socket.close_code(), code, "{}", payload.escape_ascii());
    }
    server.await_connections(0);
}

#[test]
fn a_peer_that_just_goes_is_forgotten() {
    let server = Server::start();
    let sockets: Vec<Socket> =
        ["/t/a", "/ws", "/t/a", "/ws"].map(|target| Socket::open(&server, target)).into();
    server.await_connections(4);
    drop(sockets);
    server.await_connections(0);
}
