//! `data=raw`: payloads alone, on each transport in its own way.

use serde_json::json;
use tidings_tests::{Server, Socket, Stream, until};
use tidings_websocket_codec::Item;

/// A server with one message of each kind on topic `a`.
fn stocked() -> Server {
    let server = Server::start();
    let json = [("Content-Type", "application/json")];
    for (headers, body) in [
        (&[][..], &b"text\r\nof\rmany\n\nlines\n"[..]),
        (&json[..], b"{\"a\":\n [1]}"),
        (&[], b"\xff\x00"),
        (&[], b""),
    ] {
        assert_eq!(server.post("a", headers, body).status, 201);
    }
    server
}

#[test]
fn a_poll_is_an_array_of_values() {
    let server = stocked();
    let expected = json!(["text\r\nof\rmany\n\nlines\n", {"a": [1]}, "/wA=", ""]);
    for via in ["poll", "longpoll"] {
        let response = server.get(&format!("/t/a?since=start&data=raw&via={via}"));
        assert_eq!(response.json(), expected, "{via}");
        let position = response.header("tidings-position").unwrap();
        assert_eq!(position, server.get("/t/a").position(), "told in the header alone");
        assert_eq!(response.header("tidings-gap"), None);
    }
    assert_eq!(server.get("/t/none?data=raw").json(), json!([]));
}

#[test]
fn server_sent_events_hold_the_payload() {
    let server = stocked();
    let (mut stream, ready) = Stream::sse(&server, "/t/a?since=start&data=raw");
    assert!(ready.json()["position"].is_string());
    let plain = server.get("/t/a").events();
    // A line break of any kind is a new `data:` line, which the client joins by line feeds.
    let expected = ["text\nof\nmany\n\nlines\n", "{\"a\":\n [1]}", "/wA=", ""];
    for (expected, event) in expected.into_iter().zip(plain) {
        let sse = stream.next_sse();
        assert_eq!((sse.data.as_str(), sse.event.as_deref()), (expected, Some("message")));
        assert_eq!(sse.id.as_deref(), event["position"].as_str());
    }
}

#[test]
fn payloads_cannot_forge_fields_of_an_event_stream() {
    let server = Server::start();
    let evil = "x\r\n\r\nevent: gap\ndata: {}\rid: y\n\nretry: 1";
    server.publish("a", evil);
    for raw in ["", "&data=raw"] {
        let (mut stream, _) = Stream::sse(&server, &format!("/t/a?since=start&limit=1{raw}"));
        let event = stream.next_sse();
        assert_eq!((event.event.as_deref(), event.retry.as_deref()), (Some("message"), None));
        assert!(event.data.contains("event: gap"), "{event:?}");
        stream.expect_end();
    }
}

#[test]
fn ndjson_lines_are_values() {
    let server = stocked();
    let target = "/t/a?since=start&data=raw&via=ndjson&limit=4";
    let mut stream = Stream::open(&server, target, &[]);
    for expected in
        [json!("text\r\nof\rmany\n\nlines\n"), json!({"a": [1]}), json!("/wA="), json!("")]
    {
        assert_eq!(stream.line().map(|line| line.parse().ok()), Some(Some(expected)));
    }
    stream.expect_end();
}

#[test]
fn a_socket_gets_payloads_as_frames() {
    let server = stocked();
    let mut socket = Socket::open(&server, "/t/a?since=start&data=raw&limit=4");
    for text in ["text\r\nof\rmany\n\nlines\n", "{\"a\":\n [1]}"] {
        assert_eq!(socket.item(), Some(Item::Text(text.into())));
    }
    assert_eq!(socket.item(), Some(Item::Binary(vec![0xff, 0].into())));
    assert_eq!(socket.item(), Some(Item::Text("".into())));
    assert_eq!(socket.close_code(), 1000);
}

#[test]
fn raw_streams_stay_alive_too() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s")]);
    let mut ndjson = Stream::open(&server, "/t/a?data=raw&via=ndjson", &[]);
    let (mut sse, _) = Stream::sse(&server, "/t/a?data=raw");
    assert_eq!(ndjson.line().as_deref(), Some(""), "an empty line is no value");
    assert_eq!(sse.next_sse().event.as_deref(), Some("heartbeat"));
    server.publish("a", "x");
    assert_eq!(ndjson.next_json(), "x");
    let event = until("the event comes", || {
        Some(sse.next_sse()).filter(|event| event.event.as_deref() != Some("heartbeat"))
    });
    assert_eq!(event.data, "x");
}
