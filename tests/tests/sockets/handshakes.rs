//! What becomes a WebSocket, and how everything else is refused.

use tidings_tests::{Response, Server, Socket, handshake, request};

/// A right handshake on this target, as pairs that a test may change.
const RIGHT: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// The answer to a handshake with one header changed, or left out when its value is empty.
#[track_caller]
fn with(server: &Server, target: &str, name: &str, value: &str) -> Response {
    let mut headers: Vec<(&str, &str)> = RIGHT.into_iter().filter(|(n, _)| *n != name).collect();
    if !value.is_empty() {
        headers.push((name, value));
    }
    server.ask("GET", target, &headers, b"")
}

#[test]
fn clients_write_it_in_many_ways() {
    let server = Server::start();
    for (connection, upgrade) in [
        ("Upgrade", "websocket"),
        ("keep-alive, Upgrade", "WebSocket"),
        ("upgrade", "h2c, websocket"),
    ] {
        let mut wire = server.wire();
        let headers = [
            ("Connection", connection),
            ("Upgrade", upgrade),
            RIGHT[2],
            RIGHT[3],
            ("Accept", "*/*"),
        ];
        wire.send(request("GET", "/t/a", &headers, b""));
        let mut socket = Socket::begin(wire).unwrap();
        assert_eq!(socket.json()["type"], "ready", "{connection} {upgrade}");
        assert_eq!(socket.head.header("sec-websocket-extensions"), None);
    }
}

#[test]
fn what_is_no_handshake() {
    let server = Server::start();
    for target in ["/t/a", "/ws"] {
        for (name, value) in [
            ("Connection", ""),
            ("Connection", "keep-alive"),
            ("Sec-WebSocket-Key", ""),
            ("Sec-WebSocket-Key", "short"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"),
        ] {
            let response = with(&server, target, name, value);
            response.expect_problem(400, "bad_upgrade");
        }
        for version in ["", "8", "14", "13, 8"] {
            let response = with(&server, target, "Sec-WebSocket-Version", version);
            response.expect_problem(426, "bad_upgrade");
        }
    }
    for target in ["/ws", "/t/a?via=ws"] {
        with(&server, target, "Upgrade", "").expect_problem(426, "bad_upgrade");
        server.get(target).expect_problem(426, "bad_upgrade");
    }
    let old = String::from_utf8(handshake("/ws", &[])).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let mut wire = server.wire();
    wire.send(old);
    wire.response("GET").expect_problem(400, "bad_upgrade");
}

/// RFC 6455 section 4.4 for the version, RFC 9110 section 15.5.22 for the protocol.
#[test]
fn a_refusal_says_what_would_be_right() {
    let server = Server::start();
    let response = with(&server, "/ws", "Sec-WebSocket-Version", "8");
    assert_eq!(response.header("sec-websocket-version"), Some("13"), "{response:?}");
    for target in ["/ws", "/t/a?via=ws"] {
        let response = server.get(target);
        assert_eq!(response.list("upgrade"), ["websocket"], "{response:?}");
        assert!(response.list("connection").contains(&"upgrade".to_owned()), "{response:?}");
    }
}

#[test]
fn an_upgrade_to_something_else_is_a_plain_request() {
    let server = Server::start();
    server.publish("a", "x");
    let headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c")];
    assert_eq!(server.ask("GET", "/t/a", &headers, b"").data(), ["x"]);
}

#[test]
fn subprotocols_are_agreed_on() {
    let server = Server::start();
    let offer =
        |protocols| Socket::try_open(&server, "/ws", &[("Sec-WebSocket-Protocol", protocols)]);
    for offered in ["tidings.v1", "mqtt, tidings.v1", " tidings.v1 ,x"] {
        let mut socket = offer(offered).unwrap();
        assert_eq!(socket.head.header("sec-websocket-protocol"), Some("tidings.v1"), "{offered}");
        assert_eq!(socket.json()["protocol"], "tidings.v1");
    }
    for offered in ["mqtt", "tidings.v2, mqtt", "TIDINGS.V1"] {
        offer(offered).err().unwrap().expect_problem(400, "bad_upgrade");
    }
    // Whoever offers none gets it without its name; a name that was not offered would be a breach.
    let mut socket = Socket::try_open(&server, "/ws", &[]).unwrap();
    assert_eq!(socket.head.header("sec-websocket-protocol"), None);
    assert_eq!(socket.json()["protocol"], "tidings.v1");
}

#[test]
fn a_refusal_leaves_the_connection_usable() {
    let server = Server::start();
    let mut wire = server.wire();
    for _ in 0..2 {
        let headers = [RIGHT[0], RIGHT[1], RIGHT[2]];
        wire.ask("GET", "/ws", &headers, b"").expect_problem(400, "bad_upgrade");
    }
    wire.send(handshake("/ws", &[]));
    assert_eq!(Socket::begin(wire).unwrap().json()["type"], "ready");
}

#[test]
fn pages_of_other_origins_are_refused() {
    let server = Server::with(&[("HTTP_ALLOWED_ORIGINS", "https://app.example")]);
    let own = server.url();
    let host = own.trim_start_matches("http://").to_owned();
    for target in ["/ws", "/t/a"] {
        for origin in ["https://evil.example", "null", "https://app.example.evil.example"] {
            let refusal = Socket::try_open(&server, target, &[("Origin", origin)]).err();
            refusal.unwrap().expect_problem(403, "forbidden_origin");
        }
        for headers in
            [&[("Origin", "https://app.example")][..], &[("Origin", &own), ("Host", &host)]]
        {
            let mut socket = Socket::try_open(&server, target, headers).unwrap();
            assert_eq!(socket.json()["type"], "ready");
        }
    }
}
