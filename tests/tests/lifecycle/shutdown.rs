//! The end: everyone is told to come back, what was begun is finished, and the exit code is 0.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use tidings_tests::{Program, Server, Socket, Stream, Wire, handshake, request, until};
use tidings_websocket_codec::Item;

#[track_caller]
fn expect_good_end(mut server: Server) {
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{status}");
}

#[track_caller]
fn expect_goodbye(goodbye: &Value) -> u64 {
    assert_eq!(goodbye["type"], "goodbye", "{goodbye}");
    let wait = goodbye["retryMs"].as_u64();
    wait.filter(|wait| (1..60_000).contains(wait)).unwrap_or_else(|| panic!("when? {goodbye}"))
}

#[test]
fn streams_are_told_when_to_come_back() {
    let server = Server::start();
    let (mut sse, _) = Stream::sse(&server, "/t/a");
    let (mut raw, _) = Stream::sse(&server, "/t/a?data=raw");
    let (mut ndjson, _) = Stream::ndjson(&server, "/t/a");
    let mut ndjson_raw = Stream::open(&server, "/t/a?via=ndjson&data=raw", &[]);
    let position = server.publish("a", "x");
    let event = sse.next_sse();
    assert_eq!(event.id.as_deref(), Some(position.as_str()));
    assert_eq!(raw.next_sse().data, "x");
    assert_eq!(ndjson.next_json()["data"], "x");
    assert_eq!(ndjson_raw.next_json(), "x");
    server.terminate();
    for stream in [&mut sse, &mut raw] {
        let goodbye = stream.next_sse();
        assert_eq!((goodbye.event.as_deref(), &goodbye.id), (Some("goodbye"), &event.id));
        let wait = expect_goodbye(&goodbye.json());
        assert_eq!(goodbye.retry, Some(wait.to_string()), "EventSource reads this one");
        assert_eq!(goodbye.json()["position"], position.as_str());
        stream.expect_end();
    }
    let goodbye = ndjson.next_json();
    expect_goodbye(&goodbye);
    assert_eq!(goodbye["position"], position.as_str());
    ndjson.expect_end();
    ndjson_raw.expect_end();
    expect_good_end(server);
}

#[test]
fn not_everyone_is_told_the_same_time() {
    let server = Server::start();
    let mut streams: Vec<Stream> = (0..20).map(|_| Stream::sse(&server, "/t/a").0).collect();
    server.terminate();
    let times: BTreeSet<Option<String>> =
        streams.iter_mut().map(|stream| stream.next_sse().retry).collect();
    assert!(times.len() > 5, "all at once: {times:?}");
    drop(streams);
    expect_good_end(server);
}

#[test]
fn sockets_are_closed_with_1012() {
    let server = Server::start();
    let (mut topic, _) = Socket::on_topic(&server, "/t/a");
    let mut commands = Socket::v1(&server);
    let mut raw = Socket::open(&server, "/t/a?data=raw");
    topic.send_text("x");
    assert_eq!(topic.json()["data"], "x");
    assert_eq!(raw.item(), Some(Item::Text("x".into())));
    server.terminate();
    for socket in [&mut topic, &mut commands] {
        expect_goodbye(&socket.json());
        assert_eq!(socket.close_code(), 1012);
    }
    let Some(Item::Close { code, .. }) = raw.item() else { panic!("something else came first") };
    assert_eq!(code.map(|code| code.get()), Some(1012));
    drop(raw);
    expect_good_end(server);
}

#[test]
fn a_held_poll_is_answered() {
    let server = Server::start();
    let position = server.publish("a", "x");
    let mut wires: Vec<Wire> = ["&limit=5", "&data=raw"]
        .map(|query| {
            let mut wire = server.wire();
            let target = format!("/t/a?wait=60&since={position}{query}");
            wire.send(request("GET", &target, &[], b""));
            wire
        })
        .into();
    // It is held for certain once an answer to a later request of the same kind is given.
    server.await_connections(2);
    let later = server.get(&format!("/t/a?wait=0.3&since={position}"));
    assert!(later.events().is_empty());
    server.terminate();
    for wire in &mut wires {
        let response = wire.response("GET");
        assert_eq!(response.header("tidings-position"), Some(position.as_str()));
        assert_eq!(response.list("connection"), ["close"]);
        wire.expect_end();
    }
    expect_good_end(server);
}

#[test]
fn a_publish_that_has_begun_is_finished() {
    let server = Server::start();
    let mut wire = server.wire();
    let length = [("Content-Length", "10"), ("Expect", "100-continue")];
    wire.send(request("POST", "/t/a", &length, b""));
    assert_eq!(wire.head().status, 100, "from here on it has begun");
    wire.send(b"first");
    let mut idle = server.wire();
    assert_eq!(idle.ask("GET", "/readyz", &[], b"").status, 200);
    server.terminate();
    // Once the idle one is let go, the end has begun.
    idle.expect_end();
    assert!(!server.has_ended());
    wire.send(b"-then");
    let response = wire.response("POST");
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.list("connection"), ["close"]);
    wire.expect_end();
    expect_good_end(server);
}

#[test]
fn nobody_new_is_let_in() {
    let server = Server::start();
    let mut wire = server.wire();
    wire.send(request("POST", "/t/a", &[("Content-Length", "1"), ("Expect", "100-continue")], b""));
    assert_eq!(wire.head().status, 100);
    server.terminate();
    until("the port is closed", || {
        let connected =
            std::net::TcpStream::connect_timeout(&server.address(), Duration::from_secs(1));
        connected.is_err().then_some(())
    });
    wire.send(b"x");
    assert_eq!(wire.response("POST").status, 201);
    expect_good_end(server);
}

#[test]
fn whoever_does_not_go_is_cut_after_the_drain() {
    let server = Server::with(&[("TIMES_DRAIN", "1s"), ("LIMITS_MESSAGE_BYTES", "4MiB")]);
    let mut deaf: Vec<Wire> = [request("GET", "/t/a?via=sse", &[], b""), handshake("/t/a", &[])]
        .map(|request| {
            let mut wire = server.narrow_wire();
            wire.send(request);
            wire.head();
            wire
        })
        .into();
    let mut unfinished = server.wire();
    unfinished.send(request(
        "POST",
        "/t/a",
        &[("Content-Length", "5"), ("Expect", "100-continue")],
        b"",
    ));
    assert_eq!(unfinished.head().status, 100);
    for _ in 0..4 {
        server.publish("a", "x".repeat(4 << 20));
    }
    let begun = Instant::now();
    server.terminate();
    expect_good_end(server);
    let took = begun.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(8)).contains(&took), "{took:?}");
    for wire in &mut deaf {
        wire.read_to_end();
    }
}

#[test]
fn ctrl_c_ends_it_too() {
    let mut program = Program::start(&["serve", "--listen", "127.0.0.1:0"], &[]);
    until("it serves", || program.printed().iter().any(|line| line.contains("page")).then_some(()));
    program.signal("INT");
    let finished = program.wait();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
}
