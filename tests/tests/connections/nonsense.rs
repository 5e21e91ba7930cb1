//! Bytes that are no requests: one line of JSON, closed, and nobody else notices.

use tidings_tests::{Server, Wire, request};

#[track_caller]
fn expect_refused(mut wire: Wire, status: u16, error: &str, what: &str) {
    let response = wire.response("GET");
    assert_eq!(response.status, status, "{what}: {response:?}");
    response.expect_problem(status, error);
    assert_eq!(response.list("connection"), ["close"], "{what}");
    wire.expect_end();
}

#[test]
fn garbage_is_a_bad_request() {
    let server = Server::start();
    let garbage: [&[u8]; 10] = [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET / HTTP/1.1\r\nA B: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"G\xc3\xa4T / HTTP/1.1\r\n\r\n",
        b"POST /t/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /t/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ];
    for bytes in garbage {
        let mut wire = server.wire();
        wire.send(bytes);
        expect_refused(wire, 400, "bad_request", &bytes.escape_ascii().to_string());
    }
    assert!(server.get("/t/**").events().is_empty());
    server.await_connections(0);
}

#[test]
fn garbage_behind_a_request_is_one_too() {
    let server = Server::start();
    let mut wire = server.wire();
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").status, 200);
    wire.send("garbage\r\n\r\n");
    expect_refused(wire, 400, "bad_request", "after an answer");

    let mut wire = server.wire();
    wire.send([&request("GET", "/t/a", &[], b"")[..], b"garbage\r\n\r\n"].concat());
    assert_eq!(wire.response("GET").status, 200);
    expect_refused(wire, 400, "bad_request", "together with a request");

    let mut wire = server.wire();
    wire.send([&request("GET", "/t/a?wait=0.1", &[], b"")[..], b"garbage\r\n\r\n"].concat());
    assert_eq!(wire.response("GET").status, 200);
    expect_refused(wire, 400, "bad_request", "together with a held request");
}

/// RFC 9112 section 3.2: no `Host`, or more than one, is answered with 400.
#[test]
fn a_request_names_one_host() {
    let server = Server::start();
    for heads in ["", "Host: a\r\nHost: b\r\n"] {
        let mut wire = server.wire();
        wire.send(format!("GET /t/a HTTP/1.1\r\n{heads}Connection: close\r\n\r\n"));
        let response = wire.response("GET");
        assert_eq!(response.status, 400, "{heads:?}: {response:?}");
    }
}

/// RFC 9112 section 3.2.2: a server must take the form that proxies use.
#[test]
fn a_target_may_be_absolute() {
    let server = Server::start();
    server.publish("a", "x");
    let response = server.ask("GET", "http://tidings.test/t/a?limit=1", &[], b"");
    assert_eq!(response.data(), ["x"]);
}

/// RFC 9112 section 6.1: a body framed in two ways is what request smuggling is made of.
#[test]
fn a_body_is_framed_in_one_way() {
    let server = Server::start();
    let mut wire = server.wire();
    let headers = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")];
    wire.send(request("POST", "/t/a", &headers, b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"));
    let response = wire.response("POST");
    if response.status == 400 {
        return wire.expect_end();
    }
    // Else the chunks count, and the connection ends with the answer.
    assert_eq!((response.status, response.list("connection")), (201, vec!["close".to_owned()]));
    wire.expect_end();
}

#[test]
fn a_head_may_be_so_large() {
    let server = Server::with(&[("HTTP_HEADER_BYTES_MAX", "8KiB")]);
    let long = "x".repeat(9000);
    for (target, name) in [("/t/a", long.as_str()), (&format!("/t/a?x={long}"), "short")] {
        let mut wire = server.wire();
        wire.send(request("GET", target, &[("X-Long", name)], b""));
        expect_refused(wire, 431, "too_large", name);
    }
    let many: Vec<String> = (0..150).map(|n| format!("X-{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "y")).collect();
    let mut wire = server.wire();
    wire.send(request("GET", "/t/a", &many, b""));
    expect_refused(wire, 431, "too_large", "many headers");
    // One that never ends.
    let mut wire = server.wire();
    wire.send("GET /t/a HTTP/1.1\r\nX: ");
    while wire.try_send("y".repeat(1000)).is_ok() && !wire.is_readable() {}
    wire.response("GET").expect_problem(431, "too_large");

    let fits = "x".repeat(6000);
    assert_eq!(server.ask("GET", "/t/a", &[("X-Long", &fits)], b"").status, 200);
}
