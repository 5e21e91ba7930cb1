//! How many connections there may be, and that every one that ends makes room.

use tidings_tests::{Response, Server, Stream, Wire, handshake, masked, request, until};
use tidings_websocket_codec::Opcode;

const FEW: [(&str, &str); 1] = [("LIMITS_CONNECTIONS", "3")];

/// The answer to a connection that asks for nothing: whoever is turned away is told at once. Over
/// TLS it would not come to an answer.
#[track_caller]
fn turned_away(server: &Server) -> Response {
    let mut wire = Wire::connect(server.address());
    let response = wire.response("GET");
    wire.expect_end();
    response
}

#[test]
fn one_too_many_is_turned_away() {
    let server = Server::with(&FEW);
    let (mut stream, _) = Stream::sse(&server, "/t/a");
    let mut idle: Vec<Wire> = (0..2).map(|_| server.wire()).collect();
    // The one that is answered is there for certain; the others are once one is turned away.
    let response = turned_away(&server);
    response.expect_problem(503, "too_many_connections");
    assert!(response.header("retry-after").is_some(), "{response:?}");
    assert_eq!(response.list("connection"), ["close"]);

    // Those who are in stay in.
    for wire in &mut idle {
        assert_eq!(wire.ask("POST", "/t/a", &[], b"x").status, 201);
        assert_eq!(stream.next_sse().json()["data"], "x");
    }
    idle.pop();
    let mut wire = until("there is room again", || {
        let mut wire = server.try_wire().ok()?;
        wire.try_send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        (wire.response("GET").status == 200).then_some(wire)
    });
    let health = wire.ask("GET", "/healthz", &[], b"").json();
    assert_eq!(health["connections"], 3, "{health}");
    assert!(health["refused"].as_u64() > Some(0), "{health}");
}

#[test]
fn topics_are_bounded_too() {
    let server = Server::with(&[("LIMITS_TOPICS", "3")]);
    for topic in ["a", "b", "c"] {
        server.publish(topic, "x");
    }
    server.post("d", &[], "x").expect_problem(507, "too_many_topics_stored");
    server.publish("a", "known ones go on");
    // Reading makes no topic.
    assert!(server.get("/t/e").events().is_empty());
    assert_eq!(server.get("/t/**?since=start").events().len(), 4);
}

/// Clients that come and go at every stage of an exchange, many at a time.
#[test]
fn storms_leave_nothing_behind() {
    let server = Server::start();
    let requests = [
        request("GET", "/t/a?via=sse", &[], b""),
        request("GET", "/t/a?wait=60", &[], b""),
        request("POST", "/t/a", &[], b"x"),
        request("GET", "/t/**?via=ndjson&since=start", &[], b""),
        [handshake("/t/a", &[]), masked(Opcode::Text, b"x")].concat(),
        [
            handshake("/ws", &[]),
            masked(Opcode::Text, b"{\"do\":\"subscribe\",\"topics\":[\"**\"]}"),
        ]
        .concat(),
    ];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (server, requests) = (&server, &requests);
            scope.spawn(move || {
                for turn in 0..120 {
                    let request = &requests[(turn + thread) % requests.len()];
                    // Cut somewhere, or whole; the answer is waited for, or not.
                    let cut = request.len() * (turn % 5 + 1) / 5;
                    let mut wire = server.wire();
                    wire.send(&request[..cut]);
                    if turn % 5 == 4 && turn % 2 == 0 {
                        wire.is_readable();
                    }
                }
            });
        }
    });
    server.await_connections(0);
    server.publish("a", "still here");
    assert_eq!(server.get("/t/a?last=1").data(), ["still here"]);
}
