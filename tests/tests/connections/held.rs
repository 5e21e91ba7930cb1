//! What follows a held answer on its connection: whatever it is, it is answered as on a connection
//! that is new, though the server reads it in another way.

use tidings_tests::{Response, Server, Wire, request};

/// Asks something that is held, and gets its answer.
fn hold(server: &Server) -> Wire {
    let mut wire = server.wire();
    assert_eq!(wire.ask("GET", "/t/held?wait=0.01", &[], b"").status, 200);
    wire
}

/// What an answer says, but for when it was given.
fn said(response: &Response) -> (u16, Vec<(String, String)>, String) {
    let mut headers = response.headers.clone();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    (response.status, headers, String::from_utf8_lossy(&response.body).into_owned())
}

#[test]
fn any_request_may_follow() {
    let server = Server::start();
    server.publish("a", "x");
    let long = "x".repeat(20_000);
    let many: Vec<(String, &str)> = (0..150).map(|n| (format!("X-{n}"), "y")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (&name[..], *value)).collect();
    let of = |method, target, headers: &[(&str, &str)]| request(method, target, headers, b"");
    let all = [
        of("GET", "/t/a", &[]),
        of("GET", "/t/a?last=1", &[("Origin", "http://tidings.test"), ("Accept", "*/*")]),
        of("GET", "/t/a", &[("Connection", "keep-alive")]),
        of("GET", "/t/a", &[("Connection", "close")]),
        of("GET", "/t/a", &[("Origin", "http://elsewhere.test")]),
        of("GET", "/t/a", &[("Content-Length", "0")]),
        of("GET", "/t/a?since=nonsense", &[]),
        of("GET", "/t/a?via=nothing", &[]),
        of("GET", "/t/%ff", &[]),
        of("GET", "/t/a//b", &[]),
        of("GET", "/t/a#b", &[]),
        of("GET", "http://tidings.test/t/a", &[]),
        of("GET", "/nothing", &[]),
        of("GET", "/t/a", &[("Host", "a"), ("Host", "b")]),
        of("GET", "/t/a", &[("X", &long)]),
        of("GET", "/t/a", &many),
        of("GET", "/ws", &[]),
        of("HEAD", "/t/a", &[]),
        of("OPTIONS", "/t/a", &[]),
        of("DELETE", "/t/a", &[]),
        request("GET", "/t/a", &[], b"a body"),
        request("POST", "/t/$a", &[], b"x"),
        b"GET /t/a HTTP/1.0\r\n\r\n".to_vec(),
        b"GET /t/a HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /t/a HTTP/1.1\nHost: x\n\n".to_vec(),
        b"GET /t/a HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n".to_vec(),
        b"GET  /t/a HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"garbage\r\n\r\n".to_vec(),
    ];
    for bytes in all {
        let method = if bytes.starts_with(b"HEAD") { "HEAD" } else { "GET" };
        let answer = |mut wire: Wire| {
            wire.send(&bytes);
            said(&wire.response(method))
        };
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        assert_eq!(answer(hold(&server)), answer(server.wire()), "{shown}");
    }
}

#[test]
fn a_request_may_come_in_pieces() {
    let server = Server::start();
    server.publish("a", "x");
    let whole = request("GET", "/t/a", &[], b"");
    for cut in [1, 4, 20, whole.len() - 1] {
        let mut wire = hold(&server);
        wire.send(&whole[..cut]);
        // Another connection's answer comes after the server has had its turn with this one.
        server.get("/t/a");
        wire.send(&whole[cut..]);
        assert_eq!(wire.response("GET").data(), ["x"], "cut at {cut}");
    }
}

#[test]
fn polls_follow_each_other_for_as_long_as_they_like() {
    let server = Server::start();
    let mut wire = server.wire();
    let mut position = server.publish("a", "0");
    for number in 1..100 {
        let held = request("GET", &format!("/t/a?wait=60&since={position}"), &[], b"");
        wire.send(&held);
        let body = number.to_string();
        position = server.publish("a", &body);
        assert_eq!(wire.response("GET").data(), [body]);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_may_close_its_half_after_asking() {
    let server = Server::start();
    server.publish("a", "x");
    for _ in 0..20 {
        let mut wire = hold(&server);
        wire.send(request("GET", "/t/a", &[], b""));
        wire.half_close();
        assert_eq!(wire.response("GET").data(), ["x"]);
        wire.expect_end();
    }
}

#[test]
fn whoever_asks_for_nothing_more_is_let_go() {
    let server = Server::with(&[("TIMES_KEEP_ALIVE", "1s")]);
    let mut idle = hold(&server);
    let mut gone = hold(&server);
    gone.half_close();
    gone.expect_end();
    idle.expect_end();
    server.await_connections(0);
}

#[test]
fn an_idle_connection_does_not_keep_the_server_from_ending() {
    // Whoever is waited for is waited for longer than this test does.
    let mut server = Server::with(&[("TIMES_DRAIN", "60s")]);
    let mut wire = hold(&server);
    server.terminate();
    wire.expect_end();
    assert!(server.wait().success());
}
