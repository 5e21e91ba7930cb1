//! Where to begin and how much: `since`, `last`, `limit`, `slow`, `Last-Event-ID`.

use serde_json::{Value, json};
use tidings_tests::{Server, Stream, request};

fn numbers(range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(Value::from).collect()
}

#[test]
fn a_poll_gives_the_newest_hundred() {
    let server = Server::start();
    let end = server.publish_numbers("a", 0..120);
    let response = server.get("/t/a");
    assert_eq!(response.data(), numbers(20..120));
    assert_eq!(response.position(), end);
    assert_eq!(response.header("tidings-position"), Some(end.as_str()));
}

#[test]
fn limit_and_last_give_the_newest() {
    let server = Server::start();
    server.publish_numbers("a", 0..1200);
    for (query, expected) in [
        ("limit=5", 1195..1200),
        ("last=3", 1197..1200),
        ("last=150", 1050..1200),
        ("last=1000", 200..1200),
        ("limit=1000", 200..1200),
        // The newest ten first, of which three fit.
        ("last=10&limit=3", 1190..1193),
        ("limit=1&last=1", 1199..1200),
    ] {
        assert_eq!(server.get(&format!("/t/a?{query}")).data(), numbers(expected), "{query}");
    }
}

#[test]
fn since_goes_on_from_answer_to_answer() {
    let server = Server::start();
    let end = server.publish_numbers("a", 0..250);
    let (mut seen, mut since) = (Vec::new(), "start".to_owned());
    for count in [100, 100, 50, 0, 0] {
        let response = server.get(&format!("/t/a?since={since}"));
        let data = response.data();
        assert_eq!(data.len(), count);
        seen.extend(data);
        since = response.position();
    }
    assert_eq!((seen, since), (numbers(0..250), end.clone()));

    let now = server.get("/t/a?since=now");
    assert_eq!((now.events().len(), now.position()), (0, end));
    server.publish_numbers("a", 250..252);
    let later = server.get(&format!("/t/a?since={}", now.position()));
    assert_eq!(later.data(), numbers(250..252));
}

#[test]
fn an_answer_is_full_by_bytes_too() {
    let server = Server::start();
    let large = "x".repeat(1 << 20);
    let batch = format!("{large}\n").repeat(12);
    assert_eq!(server.post("a?batch=lines", &[], batch).status, 201);
    let (mut since, mut count) = ("start".to_owned(), 0);
    while count < 12 {
        let response = server.get(&format!("/t/a?since={since}&limit=1000"));
        let events = response.events();
        assert!((1..12).contains(&events.len()), "{}", events.len());
        count += events.len();
        since = response.position();
    }
    assert_eq!(count, 12);
}

#[test]
fn last_event_id_counts_as_since() {
    let server = Server::start();
    let position = server.publish("a", "1");
    server.publish("a", "2");
    let id = [("Last-Event-ID", position.as_str())];
    assert_eq!(server.ask("GET", "/t/a", &id, b"").data(), ["2"]);
    server.ask("GET", "/t/a", &[("Last-Event-ID", "x")], b"").expect_problem(400, "bad_position");

    let mut stream = Stream::open(&server, "/t/a?via=sse", &id);
    assert_eq!(stream.next_sse().event.as_deref(), Some("ready"));
    assert_eq!(stream.next_sse().json()["data"], "2");
}

/// A browser comes back to the URL that it was given, with where it was in the header: whatever
/// the URL says of the beginning, this one is further on.
#[test]
fn an_event_source_comes_back_to_where_it_was() {
    let server = Server::start();
    let before = server.publish("a", "0");
    let position = server.publish("a", "1");
    server.publish("a", "2");
    let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", position.as_str())];
    for query in ["last=10", "since=now", "since=start", &format!("since={before}")] {
        let mut wire = server.wire();
        let target = format!("/t/a?limit=1&{query}");
        wire.send(request("GET", &target, &headers, b""));
        let head = wire.head();
        assert_eq!(head.status, 200, "{query}: {head:?}");
        assert_eq!(head.header("tidings-position"), Some(position.as_str()), "{query}");
    }
}

#[test]
fn what_cannot_be_asked() {
    let server = Server::start();
    for (query, error) in [
        ("since=yesterday", "bad_position"),
        ("since=", "bad_position"),
        ("since=AAAA", "bad_position"),
        ("since=now&last=1", "bad_query"),
        ("last=0", "bad_query"),
        ("last=1001", "bad_query"),
        ("last=-1", "bad_query"),
        ("limit=0", "bad_query"),
        ("limit=1001", "bad_query"),
        ("limit=many", "bad_query"),
        ("wait=-1", "bad_query"),
        ("wait=NaN", "bad_query"),
        ("wait=soon", "bad_query"),
        ("slow=very", "bad_query"),
        ("data=cooked", "bad_query"),
        ("via=pigeon", "unknown_via"),
    ] {
        for via in ["", "&via=longpoll", "&via=sse", "&via=ndjson"] {
            let response = server.get(&format!("/t/a?{query}{via}"));
            response.expect_problem(400, error);
        }
    }
}

#[test]
fn a_reader_of_the_latest_skips_what_is_replaced() {
    let server = Server::start();
    for (key, data) in
        [("x", "x1"), ("", "none1"), ("y", "y1"), ("x", "x2"), ("", "none2"), ("x", "x3")]
    {
        let key: Vec<_> = (!key.is_empty()).then_some(("Tidings-Key", key)).into_iter().collect();
        assert_eq!(server.post("a", &key, data).status, 201);
    }
    assert_eq!(server.post("b", &[("Tidings-Key", "x")], "other topic").status, 201);
    let latest = json!(["none1", "y1", "none2", "x3", "other topic"]);
    let everything = json!(["x1", "none1", "y1", "x2", "none2", "x3", "other topic"]);
    for (slow, expected) in [("latest", latest), ("gap", everything)] {
        let data = server.get(&format!("/t/*?since=start&slow={slow}&data=raw")).json();
        assert_eq!(data, expected, "{slow}");
        let (mut stream, _) = Stream::ndjson(&server, &format!("/t/*?since=start&slow={slow}"));
        for data in expected.as_array().unwrap() {
            assert_eq!(stream.next_json()["data"], *data, "{slow}");
        }
    }
}
