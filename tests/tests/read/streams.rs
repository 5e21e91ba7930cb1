//! Streams: their heads, their first words, their heartbeats, and their ends.

use serde_json::Value;
use tidings_tests::{Server, Stream, until};

#[test]
fn heads_keep_proxies_from_holding_a_stream_back() {
    let server = Server::start();
    for (via, content_type) in [("sse", "text/event-stream"), ("ndjson", "application/x-ndjson")] {
        let stream = Stream::open(&server, &format!("/t/a?via={via}"), &[]);
        let header = |name| stream.head.header(name);
        assert_eq!(header("content-type"), Some(content_type));
        assert_eq!(header("cache-control"), Some("no-store, no-transform"));
        assert_eq!(header("x-accel-buffering"), Some("no"));
        assert_eq!(header("content-length"), None);
        assert_eq!(header("content-encoding"), None);
        assert!(header("tidings-position").is_some());
        let asked = [("Accept-Encoding", "gzip")];
        let stream = Stream::open(&server, &format!("/t/a?via={via}"), &asked);
        assert_eq!(stream.head.header("content-encoding"), None, "it could not be flushed");
    }
}

#[test]
fn the_first_word_is_where_one_stands() {
    let server = Server::start();
    let (mut stream, ready) = Stream::sse(&server, "/t/a");
    let position = ready.json()["position"].clone();
    assert_eq!(ready.id.as_deref(), position.as_str());
    assert_eq!(stream.head.header("tidings-position"), position.as_str());
    assert!(ready.retry.as_ref().is_some_and(|text| text.parse::<u32>().is_ok()), "{ready:?}");
    let (_, ready) = Stream::ndjson(&server, "/t/a");
    assert_eq!(ready["position"], position);
    // A position that is given before any message is as good as any.
    server.publish("a", "first");
    assert_eq!(stream.next_sse().json()["data"], "first");
    let position = position.as_str().unwrap();
    assert_eq!(server.get(&format!("/t/a?since={position}")).data(), ["first"]);
}

#[test]
fn the_newest_come_first_and_then_it_goes_on() {
    let server = Server::start();
    server.publish_numbers("a", 0..5);
    let (mut sse, _) = Stream::sse(&server, "/t/a?last=2");
    let (mut ndjson, _) = Stream::ndjson(&server, "/t/a?last=2");
    server.publish_numbers("a", 5..7);
    for expected in 3..7 {
        assert_eq!(sse.next_sse().json()["data"], expected);
        assert_eq!(ndjson.next_json()["data"], expected);
    }
}

#[test]
fn a_limit_ends_a_stream() {
    let server = Server::start();
    server.publish_numbers("a", 0..3);
    let (mut sse, _) = Stream::sse(&server, "/t/a?since=start&limit=4");
    let (mut ndjson, _) = Stream::ndjson(&server, "/t/a?since=start&limit=4");
    server.publish_numbers("a", 3..9);
    for expected in 0..4 {
        assert_eq!(sse.next_sse().json()["data"], expected);
        assert_eq!(ndjson.next_json()["data"], expected);
    }
    sse.expect_end();
    ndjson.expect_end();
    server.await_connections(0);
}

#[test]
fn a_silent_stream_shows_that_it_is_alive() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s")]);
    let (mut sse, ready) = Stream::sse(&server, "/t/a");
    let (mut ndjson, _) = Stream::ndjson(&server, "/t/a");
    let elsewhere = server.publish("b", "elsewhere");
    let mut heartbeat = || {
        let event = sse.next_sse();
        assert_eq!(event.event.as_deref(), Some("heartbeat"));
        let heartbeat = event.json();
        assert_eq!(heartbeat["type"], "heartbeat");
        assert_eq!(event.id.as_deref(), heartbeat["position"].as_str());
        assert!(heartbeat["time"].is_string() && heartbeat.get("topic").is_none());
        heartbeat["position"].clone()
    };
    // Its position moves on with what this reader does not want.
    assert_ne!(ready.json()["position"], elsewhere.as_str());
    until("it has moved on", || (heartbeat() == elsewhere.as_str()).then_some(()));
    assert_eq!(heartbeat(), elsewhere.as_str(), "and again");
    assert_eq!(ndjson.next_json()["type"], "heartbeat");
    server.publish("a", "x");
    let is_event = |json: Value| (json["type"] != "heartbeat").then_some(json);
    let next = until("the event comes", || is_event(sse.next_sse().json()));
    assert_eq!(next["data"], "x");
    let next = until("the event comes", || is_event(ndjson.next_json()));
    assert_eq!(next["data"], "x");
}

#[test]
fn a_listener_that_leaves_is_forgotten() {
    let server = Server::start();
    let streams: Vec<Stream> = ["sse", "ndjson", "sse", "ndjson"]
        .map(|via| Stream::open(&server, &format!("/t/a?via={via}"), &[]))
        .into();
    server.await_connections(4);
    drop(streams);
    server.await_connections(0);
}

#[test]
fn many_listeners_hear_the_same() {
    let server = Server::start();
    let mut streams: Vec<Stream> = (0..40)
        .map(|n| Stream::open(&server, ["/t/a?via=sse", "/t/*?via=sse"][n % 2], &[]))
        .collect();
    server.await_connections(40);
    for stream in &mut streams {
        assert_eq!(stream.next_sse().event.as_deref(), Some("ready"));
    }
    server.publish_numbers("a", 0..500);
    for stream in &mut streams {
        for expected in 0..500 {
            assert_eq!(stream.next_sse().json()["data"], expected);
        }
    }
}
