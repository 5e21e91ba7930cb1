//! Clients that take their time: with a request's head, between requests, or half closed.

use std::time::{Duration, Instant};

use tidings_tests::{Server, Stream, Wire, request};

const IMPATIENT: [(&str, &str); 2] = [("HTTP_HEAD_WAIT", "1s"), ("TIMES_KEEP_ALIVE", "5s")];

#[track_caller]
fn expect_too_slow(wire: &mut Wire, begun: Instant) {
    let response = wire.response("GET");
    response.expect_problem(408, "too_slow");
    assert_eq!(response.list("connection"), ["close"]);
    wire.expect_end();
    let took = begun.elapsed();
    assert!((Duration::from_millis(990)..Duration::from_secs(8)).contains(&took), "{took:?}");
}

#[test]
fn half_a_head_is_not_waited_for() {
    let server = Server::with(&IMPATIENT);
    for start in ["G", "GET /t/a HTTP/1.1\r\nHost: x\r\n", "GET /t/a HTTP/1.1\r\nHost: x\r\nX: "] {
        let begun = Instant::now();
        let mut wire = server.wire();
        wire.send(start);
        expect_too_slow(&mut wire, begun);
    }
    server.await_connections(0);
}

/// The time counts from the first byte, not from the last.
#[test]
fn dripping_does_not_help() {
    let server = Server::with(&IMPATIENT);
    let begun = Instant::now();
    let mut wire = server.wire();
    wire.send("GET /t/a HTTP/1.1\r\n");
    while !wire.is_readable() {
        // Fails once the server has closed, and then the answer is there to be read.
        let _ = wire.try_send("X: y\r\n");
        assert!(begun.elapsed() < Duration::from_secs(8), "it may go on for ever");
    }
    let response = wire.response("GET");
    response.expect_problem(408, "too_slow");
}

#[test]
fn the_next_head_has_its_own_time() {
    let server = Server::with(&IMPATIENT);
    let mut wire = server.wire();
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").status, 200);
    let begun = Instant::now();
    wire.send("GET /t/a HT");
    expect_too_slow(&mut wire, begun);
}

#[test]
fn half_a_head_behind_a_request_is_not_waited_for() {
    let server = Server::with(&IMPATIENT);
    let begun = Instant::now();
    let mut wire = server.wire();
    wire.send([&request("GET", "/t/a", &[], b"")[..], b"GET /t/a HT"].concat());
    assert_eq!(wire.response("GET").status, 200);
    expect_too_slow(&mut wire, begun);
}

#[test]
fn half_a_head_behind_a_held_answer_is_not_waited_for() {
    let server = Server::with(&IMPATIENT);
    let position = server.publish("a", "0");
    let mut wire = server.wire();
    let held = request("GET", &format!("/t/a?wait=60&since={position}"), &[], b"");
    wire.send([&held[..], b"GET /t/a HT"].concat());
    server.publish("a", "1");
    assert_eq!(wire.response("GET").data(), ["1"]);
    expect_too_slow(&mut wire, Instant::now());
}

#[test]
fn others_do_not_notice() {
    let server = Server::with(&IMPATIENT);
    let mut slow: Vec<Wire> = (0..20).map(|_| server.wire()).collect();
    for wire in &mut slow {
        wire.send("GET /");
    }
    let (mut stream, _) = Stream::sse(&server, "/t/a");
    server.publish_numbers("a", 0..50);
    for number in 0..50 {
        assert_eq!(stream.next_sse().json()["data"], number);
    }
    for wire in &mut slow {
        wire.response("GET").expect_problem(408, "too_slow");
    }
}

#[test]
fn an_idle_connection_ends_without_a_word() {
    let server = Server::with(&[("TIMES_KEEP_ALIVE", "1s")]);
    let (mut fresh, mut used) = (server.wire(), server.wire());
    assert_eq!(used.ask("GET", "/t/a", &[], b"").status, 200);
    fresh.expect_end();
    used.expect_end();
    server.await_connections(0);
}

#[test]
fn a_silent_stream_is_not_idle() {
    let server = Server::with(&[("TIMES_KEEP_ALIVE", "1s"), ("HTTP_HEAD_WAIT", "1s")]);
    let (mut stream, _) = Stream::sse(&server, "/t/a");
    // An idle connection that began later ends: by then the stream is older than it may idle.
    server.wire().expect_end();
    server.publish("a", "x");
    assert_eq!(stream.next_sse().json()["data"], "x");
}

#[test]
fn a_client_may_close_its_half_after_asking() {
    let server = Server::start();
    for _ in 0..20 {
        let mut wire = server.wire();
        wire.send(request("POST", "/t/a", &[], b"x"));
        wire.half_close();
        assert_eq!(wire.response("POST").status, 201);
        wire.expect_end();
        let mut wire = server.wire();
        wire.send(request("GET", "/t/a", &[], b""));
        wire.half_close();
        assert_eq!(wire.response("GET").status, 200);
        wire.expect_end();
    }
    server.await_connections(0);
}

/// Whoever asks for a stream and closes its half is taken for gone; nothing is left of it.
#[test]
fn a_half_closed_listener_is_let_go() {
    let server = Server::with(&[("NAMESPACE", "[{match = \"a\", jsonp = true}]")]);
    let ways = ["sse", "ndjson", "xhr", "iframe", "multipart", "longpoll&wait=60"]
        .map(|via| format!("/t/a?via={via}"));
    let join = "/pushlet/pushlet.srv?p_event=join-listen&p_format=xml&p_subject=/a".to_owned();
    let script = "/t/a?via=jsonp&callback=f&wait=60".to_owned();
    for target in ways.iter().chain([&join, &script]) {
        let mut wire = server.wire();
        wire.send(request("GET", target, &[], b""));
        wire.half_close();
        wire.read_to_end();
    }
    server.await_connections(0);
}
