//! Many requests on one connection, also before their answers: each gets its own, in order.

use serde_json::json;
use tidings_tests::{Server, Stream, request};

#[test]
fn a_connection_serves_many_requests() {
    let server = Server::start();
    let mut wire = server.wire();
    for number in 0..50 {
        let body = number.to_string();
        let response = wire.ask("POST", "/t/a", &[], body.as_bytes());
        assert_eq!(response.status, 201);
        assert_eq!(response.header("connection"), None);
        assert_eq!(wire.ask("GET", "/t/a?last=1", &[], b"").data(), [body]);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn errors_leave_the_connection_usable() {
    let server = Server::start();
    let mut wire = server.wire();
    for (method, target, status) in [
        ("GET", "/t/a?since=x", 400),
        ("POST", "/t/a//b", 400),
        ("DELETE", "/t/a", 405),
        ("GET", "/nothing", 404),
        ("POST", "/t/$x", 403),
        ("GET", "/ws", 426),
        ("GET", "/t/a?wait=60&limit=0", 400),
    ] {
        let response = wire.ask(method, target, &[], b"");
        assert_eq!(response.status, status, "{method} {target}");
    }
    assert_eq!(wire.ask("POST", "/t/a", &[], b"x").status, 201);
}

#[test]
fn requests_may_come_before_their_answers() {
    let server = Server::start();
    let mut wire = server.wire();
    let publishes: Vec<u8> =
        (0..200).flat_map(|n| request("POST", "/t/a", &[], n.to_string().as_bytes())).collect();
    wire.send(publishes);
    for number in 0..200 {
        assert_eq!(wire.response("POST").status, 201, "number {number}");
    }
    let expected: Vec<_> = (0..200).map(|n| json!(n.to_string())).collect();
    assert_eq!(server.get("/t/a?limit=1000").data(), expected);
}

#[test]
fn a_held_answer_stays_in_its_place() {
    let server = Server::start();
    let mut position = server.publish("a", "0");
    let mut wire = server.wire();
    for number in 1..20 {
        let body = number.to_string();
        let held = format!("/t/a?wait=60&since={position}");
        let burst = [
            request("GET", "/t/a?last=1", &[], b""),
            request("GET", &held, &[], b""),
            request("GET", "/t/a?last=1", &[], b""),
            request("POST", "/t/b", &[], body.as_bytes()),
            request("GET", &held, &[], b""),
            request("HEAD", "/t/b", &[], b""),
            request("GET", "/nothing", &[], b""),
        ];
        // Cut anywhere: in the middle of what waits behind a held answer, for instance.
        let burst = burst.concat();
        let cut = burst.len() * number / 20;
        wire.send(&burst[..cut]);
        wire.send(&burst[cut..]);
        assert_eq!(wire.response("GET").data(), [(number - 1).to_string()]);
        position = server.publish("a", &body);
        assert_eq!(wire.response("GET").data(), [body.as_str()], "the held one");
        assert_eq!(wire.response("GET").data(), [body.as_str()]);
        assert_eq!(wire.response("POST").status, 201);
        assert_eq!(wire.response("GET").data(), [body.as_str()], "held again, but not for long");
        assert_eq!(wire.response("HEAD").status, 200);
        assert_eq!(wire.response("GET").status, 404);
    }
    assert_eq!(server.get("/t/b").events().len(), 19);
}

#[test]
fn much_may_wait_behind_a_held_answer() {
    let server = Server::start();
    let position = server.publish("a", "0");
    let mut wire = server.wire();
    let body = "x".repeat(1000);
    wire.send(request("GET", &format!("/t/a?wait=60&since={position}"), &[], b""));
    // Far more than the server keeps unread for one connection.
    let burst = request("POST", "/t/b", &[], body.as_bytes()).repeat(200);
    wire.send(burst);
    server.publish("a", "1");
    assert_eq!(wire.response("GET").data(), ["1"]);
    for number in 0..200 {
        assert_eq!(wire.response("POST").status, 201, "number {number}");
    }
    assert_eq!(server.get("/t/b?limit=1000").events().len(), 200);
}

#[test]
fn whoever_asks_to_close_is_closed() {
    let server = Server::start();
    let position = server.publish("a", "0");
    for target in ["/t/a", "/t/a?wait=0.1", &format!("/t/a?wait=60&since={position}")] {
        let mut wire = server.wire();
        wire.send(request("GET", target, &[("Connection", "close")], b""));
        if target.contains("since") {
            server.publish("a", "1");
        }
        let response = wire.response("GET");
        assert_eq!((response.status, response.list("connection")), (200, vec!["close".to_owned()]));
        wire.expect_end();
    }
}

#[test]
fn a_stream_is_the_last_answer_of_its_connection() {
    let server = Server::start();
    server.publish("a", "0");
    for via in ["sse", "ndjson"] {
        let mut wire = server.wire();
        let target = format!("/t/a?via={via}&since=start&limit=1");
        wire.send(
            [request("GET", &target, &[], b""), request("POST", "/t/a", &[], b"no")].concat(),
        );
        let mut stream = Stream::begin(wire);
        assert_eq!(stream.head.list("connection"), ["close"], "{via}");
        while stream.line().is_some() {}
        stream.expect_end();
        assert_eq!(server.get("/t/a").data(), ["0"]);
    }
}
