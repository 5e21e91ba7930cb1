//! What lies in one record and what does not: bytes that the server has decrypted already when a
//! connection changes hands.

use serde_json::json;
use tidings_tests::{Authority, Server, Socket, Stream, handshake, masked, request};
use tidings_websocket_codec::Opcode;

fn server() -> Server {
    Server::secure(&Authority::new(), &[])
}

fn frame(text: &str) -> Vec<u8> {
    masked(Opcode::Text, text.as_bytes())
}

#[test]
fn a_handshake_and_the_first_frames_may_be_one_record() {
    let server = server();
    let (mut stream, _) = Stream::sse(&server, "/t/t");
    let mut wire = server.wire();
    wire.send([handshake("/t/t", &[]), frame("first"), frame("second")].concat());
    let mut socket = Socket::begin(wire).unwrap();
    for text in ["first", "second"] {
        assert_eq!(stream.next_sse().json()["data"], text);
    }
    assert_eq!(socket.json()["type"], "ready");
    socket.send_text("third");
    assert_eq!(stream.next_sse().json()["data"], "third");
}

/// More behind the handshake than the parser reads ahead, so that the rest lies in the library, or
/// in the socket, when the connection changes hands.
#[test]
fn much_may_come_behind_a_handshake() {
    let server = server();
    let (mut stream, _) = Stream::sse(&server, "/t/t");
    for length in [4_000, 15_000, 16_300, 40_000, 400_000] {
        let large = "x".repeat(length);
        let mut wire = server.wire();
        wire.send([handshake("/t/t", &[]), frame(&large), frame("then")].concat());
        let _socket = Socket::begin(wire).unwrap();
        for text in [&large, "then"] {
            assert!(stream.next_sse().json()["data"] == text, "{length}");
        }
    }
}

#[test]
fn a_request_may_be_one_record_or_as_many_as_it_has_bytes() {
    let server = server();
    let post = request("POST", "/t/t", &[], b"a body");
    let mut wire = server.wire();
    wire.send(&post);
    assert_eq!(wire.response("POST").status, 201);
    for byte in &post {
        wire.send([*byte]);
    }
    assert_eq!(wire.response("POST").status, 201);
    let data = server.get("/t/t?since=start").data();
    assert_eq!(data, [json!("a body"), json!("a body")]);
}

/// The next request comes with the first, and again after an answer that was held: the connection
/// goes from the parser to turns and back with what the library has of it.
#[test]
fn requests_behind_held_answers_are_answered() {
    let server = server();
    let mut wire = server.wire();
    let held = request("GET", "/t/t?wait=0.01", &[], b"");
    let post = request("POST", "/t/u", &[], &[b'x'; 20_000]);
    for _ in 0..10 {
        wire.send([&held[..], &held, &post, &held].concat());
        for status in [200, 200, 201, 200] {
            let method = if status == 201 { "POST" } else { "GET" };
            assert_eq!(wire.response(method).status, status);
        }
    }
    assert_eq!(server.get("/t/u?since=start").events().len(), 10);
}

#[test]
fn who_says_no_more_is_still_answered() {
    let server = server();
    server.publish("t", "x".repeat(1 << 20));
    let mut wire = server.wire();
    wire.send(request("GET", "/t/t?since=start", &[], b""));
    wire.half_close();
    assert_eq!(wire.response("GET").events().len(), 1);
    wire.expect_end();
}

/// The end is said in TLS too, where there is somebody to hear it.
#[test]
fn an_end_in_good_order_is_said() {
    let server = server();
    for target in ["/t/t?via=xhr&limit=1&since=start", "/healthz"] {
        server.publish("t", "x");
        let mut wire = server.wire();
        wire.send(request("GET", target, &[("Connection", "close")], b""));
        wire.read_to_end();
        let state = wire.tls().process_new_packets().unwrap();
        assert!(state.peer_has_closed(), "{target}");
    }
    // One that waits for another request behind a held answer, and is let go.
    let patient = Server::secure(&Authority::new(), &[("TIMES_KEEP_ALIVE", "1s")]);
    let mut wire = patient.wire();
    assert_eq!(wire.ask("GET", "/t/t?wait=0.01", &[], b"").status, 200);
    wire.expect_end();
    assert!(wire.tls().process_new_packets().unwrap().peer_has_closed());
    let (mut socket, _) = Socket::on_topic(&server, "/t/t");
    socket.send_frame(Opcode::Close, &1000_u16.to_be_bytes());
    assert_eq!(socket.close_code(), 1000);
    let state = socket.wire().tls().process_new_packets().unwrap();
    assert!(state.peer_has_closed());
}

/// What breaks off in the middle of a record is the end of that connection alone.
#[test]
fn a_record_that_is_not_right_ends_its_connection_alone() {
    let server = server();
    let (mut stream, _) = Stream::sse(&server, "/t/t");
    let held = request("GET", "/t/t?wait=60", &[], b"");
    for bytes in [&b"garbage that is no record"[..], &[23, 3, 3, 0, 40], &[23, 3, 3, 0, 2, 1, 2]] {
        for request in [b"".to_vec(), held.clone(), handshake("/t/t", &[])] {
            let mut wire = server.wire();
            wire.send(request);
            wire.try_send_below(bytes).unwrap();
            drop(wire);
        }
    }
    server.await_connections(1);
    server.publish("t", "x");
    assert_eq!(stream.next_sse().json()["data"], "x");
}
