//! How much a publish may be, and when it is told that it is too much.

use tidings_tests::{Server, Wire, request};

const LIMITS: [(&str, &str); 2] =
    [("LIMITS_MESSAGE_BYTES", "1KiB"), ("LIMITS_BATCH_BYTES", "4KiB")];

/// The head of a publish with these headers; its body is the test's business.
fn head(headers: &[(&str, &str)]) -> Vec<u8> {
    request("POST", "/t/a", headers, b"")
}

#[track_caller]
fn expect_refused_and_closed(wire: &mut Wire, server: &Server) {
    let response = wire.response("POST");
    response.expect_problem(413, "too_large");
    assert_eq!(response.list("connection"), ["close"], "the body was not read");
    wire.expect_end();
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn a_length_that_is_too_much_is_refused_before_the_body() {
    let server = Server::with(&LIMITS);
    for more in [&[][..], &[("Expect", "100-continue")]] {
        let mut wire = server.wire();
        wire.send(head(&[&[("Content-Length", "4097")], more].concat()));
        expect_refused_and_closed(&mut wire, &server);
    }
    let mut wire = server.wire();
    wire.send(head(&[("Content-Length", "1000000000000000000")]));
    expect_refused_and_closed(&mut wire, &server);
}

#[test]
fn a_client_that_sends_anyway_still_reads_the_refusal() {
    let server = Server::with(&LIMITS);
    let mut wire = server.wire();
    wire.send(head(&[("Content-Length", "100000")]));
    wire.send(vec![b'x'; 100_000]);
    expect_refused_and_closed(&mut wire, &server);
}

#[test]
fn chunks_that_are_too_much_are_refused_when_they_are() {
    let server = Server::with(&LIMITS);
    let mut wire = server.wire();
    wire.send(head(&[("Transfer-Encoding", "chunked")]));
    let chunk = [b"400\r\n", &[b'x'; 0x400][..], b"\r\n"].concat();
    for _ in 0..4 {
        wire.send(&chunk);
    }
    wire.send(b"1\r\nx\r\n");
    expect_refused_and_closed(&mut wire, &server);
}

#[test]
fn a_message_that_is_too_large_leaves_the_connection_usable() {
    let server = Server::with(&LIMITS);
    let mut wire = server.wire();
    wire.ask("POST", "/t/a", &[], &[b'x'; 1025]).expect_problem(413, "too_large");
    assert_eq!(wire.ask("POST", "/t/a", &[], &[b'x'; 1024]).status, 201);
    let lines = [&[b'y'; 1000][..], b"\n"].concat().repeat(4);
    assert_eq!(wire.ask("POST", "/t/a?batch=lines", &[], &lines).status, 201);
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").events().len(), 5);
}

#[test]
fn whoever_expects_it_is_told_to_continue() {
    let server = Server::start();
    let mut wire = server.wire();
    wire.send(head(&[("Content-Length", "5"), ("Expect", "100-continue")]));
    assert_eq!(wire.head().status, 100);
    wire.send("hello");
    assert_eq!(wire.response("POST").status, 201);
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").data(), ["hello"]);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::with(&[("HTTP_BODY_WAIT", "1s")]);
    let mut wire = server.wire();
    wire.send(head(&[("Content-Length", "5")]));
    wire.send("hel");
    let response = wire.response("POST");
    response.expect_problem(408, "too_slow");
    assert_eq!(response.list("connection"), ["close"]);
    wire.expect_end();
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn half_a_body_is_no_message() {
    let server = Server::start();
    for framing in [("Content-Length", "6"), ("Transfer-Encoding", "chunked")] {
        let mut wire = server.wire();
        wire.send(head(&[framing]));
        wire.send("5\r\nab");
        wire.half_close();
        let said = wire.read_to_end();
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", said.escape_ascii());
        assert!(server.get("/t/a").events().is_empty());
    }
    let mut wire = server.wire();
    wire.send(head(&[("Transfer-Encoding", "chunked")]));
    wire.send("no length\r\n");
    wire.response("POST").expect_problem(400, "bad_request");
    assert!(server.get("/t/a").events().is_empty());
}
