//! A position of another server, or of the same before its restart: told, and reading goes on.

use serde_json::json;
use tidings_tests::{Reader, Server, Socket, Stream, Via};
use tidings_websocket_codec::Item;

/// A server with the numbers 0 to 2, and a position that another one gave out.
fn another_life() -> (Server, String) {
    let before = Server::start();
    let position = before.publish_numbers("a", 0..9);
    drop(before);
    let server = Server::start();
    server.publish_numbers("a", 0..3);
    (server, position)
}

#[test]
fn every_transport_tells_and_goes_on_from_the_start() {
    let (server, foreign) = another_life();
    for (count, via) in (3..).zip(Via::ALL) {
        let mut reader = Reader::open(&server, via, &["a"], &foreign);
        let gap = reader.read();
        assert_eq!((&gap["type"], &gap["reason"]), (&json!("gap"), &json!("epoch")), "{via:?}");
        assert_eq!(gap["from"], foreign.as_str(), "{via:?}");
        assert_ne!(gap["to"], foreign.as_str(), "{via:?}");
        assert!(gap["position"].is_string() && gap.get("topic").is_none(), "{via:?}: {gap}");
        for expected in 0..count {
            assert_eq!(reader.read()["data"], expected, "{via:?}");
        }
        server.publish_numbers("a", count..count + 1);
        assert_eq!(reader.read()["data"], count, "{via:?}: told once, then live");
        // The gap's own position leads on, too, and is told of no more.
        let position = gap["position"].as_str().unwrap();
        let mut again = Reader::open(&server, via, &["a"], position);
        assert_eq!(again.read()["data"], 0, "{via:?}");
    }
}

#[test]
fn a_reader_without_events_is_told_at_once() {
    let server = Server::start();
    let (_, foreign) = another_life();
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["none"], &foreign);
        assert_eq!(reader.read()["reason"], "epoch", "{via:?}");
    }
    let held = server.get(&format!("/t/none?wait=60&since={foreign}"));
    assert_eq!(held.events().len(), 1, "a gap is something to say");
}

#[test]
fn raw_readers_are_told_in_their_way() {
    let (server, foreign) = another_life();
    let target = |via: &str| format!("/t/a?data=raw&since={foreign}&via={via}");
    for via in ["poll", "longpoll"] {
        let response = server.get(&target(via));
        assert_eq!(response.json(), json!([0, 1, 2]), "{via}");
        let gap = response.header("tidings-gap").unwrap_or_default();
        let words: Vec<&str> = gap.split(' ').collect();
        assert_eq!((words.len(), &words[..2]), (3, &["epoch", foreign.as_str()][..]), "{via}");
    }
    let (mut sse, _) = Stream::sse(&server, &target("sse"));
    let gap = sse.next_sse();
    assert_eq!((gap.event.as_deref(), &gap.json()["reason"]), (Some("gap"), &json!("epoch")));
    assert_eq!(sse.next_sse().data, "0");
    let mut ndjson = Stream::open(&server, &target("ndjson"), &[]);
    assert_eq!(ndjson.next_json()["reason"], "epoch");
    assert_eq!(ndjson.next_json(), 0);
    let mut socket = Socket::open(&server, &target("ws"));
    assert_eq!(socket.json()["reason"], "epoch");
    assert_eq!(socket.item(), Some(Item::Text("0".into())));
}
