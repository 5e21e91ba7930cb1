//! One message: any body comes back as it was, with everything its sender said of it.

use serde_json::{Value, json};
use tidings_tests::{Folder, Server, Stream, until};

#[test]
fn the_answer_names_topic_and_position() {
    let server = Server::start();
    let response = server.post("st%C3%A4dte/k%c3%b6ln%20s%C3%BCd", &[], "hello");
    assert_eq!(response.status, 201, "{response:?}");
    let json = response.json();
    assert_eq!(json["topic"], "städte/köln süd");
    assert_eq!(json["durability"], "volatile");
    assert_eq!(json.as_object().unwrap().len(), 3, "{json}");
    assert_eq!(response.header("tidings-position"), json["position"].as_str());
    assert_eq!(response.header("content-type"), Some("application/json"));
    let events = server.get("/t/st%C3%A4dte/k%C3%B6ln%20s%C3%BCd").events();
    assert_eq!((&events[0]["topic"], &events[0]["data"]), (&json["topic"], &json!("hello")));
    assert_eq!(events[0]["position"], json["position"]);
}

#[test]
fn any_body_comes_back_as_it_was() {
    const TEXT: &str = "text/plain; charset=utf-8";
    const BYTES: &str = "application/octet-stream";
    let server = Server::start();
    let bodies: [(Option<&str>, &[u8], &str, Value); 11] = [
        (None, b"hello", TEXT, json!("hello")),
        (None, "käse\r\n\u{0}\u{2028}\"\\".as_bytes(), TEXT, json!("käse\r\n\u{0}\u{2028}\"\\")),
        (None, b"", TEXT, json!("")),
        (None, b"{\"a\":1}", TEXT, json!("{\"a\":1}")),
        (None, b"\xff\x00\xfe", BYTES, json!("/wD+")),
        (Some("text/html"), b"<b>", "text/html", json!("<b>")),
        (Some("text/plain"), b"\xff", "text/plain", json!("/w==")),
        (Some("image/png"), b"\x89PNG", "image/png", json!("iVBORw==")),
        (
            Some("application/json"),
            b" {\"a\": [1, \"x\"]} ",
            "application/json",
            json!({"a": [1, "x"]}),
        ),
        (Some("application/json"), b"[1,\n 2]", "application/json", json!([1, 2])),
        (Some("application/geo+json; v=1"), b"null", "application/geo+json; v=1", json!(null)),
    ];
    for (content_type, body, expected_type, expected) in bodies {
        let headers: Vec<_> =
            content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        let response = server.post("any", &headers, body);
        assert_eq!(response.status, 201, "{response:?}");
        let event = server.get("/t/any?last=1").events().remove(0);
        assert_eq!(event["contentType"], expected_type, "{event}");
        assert_eq!(event["data"], expected, "{event}");
        let is_base64 = expected_type == BYTES || body.contains(&0xff) || body.contains(&0x89);
        let encoding = is_base64.then_some("base64");
        assert_eq!(event["encoding"].as_str(), encoding, "{event}");
        let raw = server.get("/t/any?last=1&data=raw").json();
        assert_eq!(raw, json!([expected]), "{event}");
    }
}

#[test]
fn chunked_bodies_are_bodies() {
    let server = Server::start();
    let headers = [("Transfer-Encoding", "chunked")];
    let response = server.post("any", &headers, "4\r\nhell\r\n1;x=y\r\no\r\n0\r\nT: 1\r\n\r\n");
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(server.get("/t/any").data(), ["hello"]);
}

#[test]
fn positions_are_in_order_and_lead_on() {
    let server = Server::start();
    let positions: Vec<String> = (0..20).map(|n| server.publish("a/b", n.to_string())).collect();
    let events = server.get("/t/a/b").events();
    assert_eq!(events.len(), 20);
    for (n, (event, position)) in events.iter().zip(&positions).enumerate() {
        assert_eq!((&event["data"], &event["position"]), (&json!(n.to_string()), &json!(position)));
        let rest = server.get(&format!("/t/a/b?since={position}")).data();
        let expected: Vec<Value> = (n + 1..20).map(|n| json!(n.to_string())).collect();
        assert_eq!(rest, expected, "after {n}");
    }
}

#[test]
fn type_key_and_headers_come_along() {
    let server = Server::start();
    let headers = [
        ("Tidings-Type", "chat.said"),
        ("Tidings-Key", "Anna"),
        ("Tidings-Header-Reply-To", "städte/köln"),
        ("tidings-header-x", ""),
    ];
    assert_eq!(server.post("a", &headers, "1").status, 201);
    assert_eq!(server.post("a?type=chat.said&key=Anna&ttl=1h", &[], "2").status, 201);
    let both =
        server.post("a?type=no&key=no", &[("Tidings-Type", "yes"), ("Tidings-Key", "yes")], "3");
    assert_eq!(both.status, 201, "{both:?}");
    let events = server.get("/t/a").events();
    assert_eq!(events[0]["headers"], json!({"reply-to": "städte/köln", "x": ""}));
    for event in &events[..2] {
        assert_eq!((&event["type"], &event["key"]), (&json!("chat.said"), &json!("Anna")));
    }
    assert_eq!(events[1].get("headers"), None);
    assert_eq!((&events[2]["type"], &events[2]["key"]), (&json!("yes"), &json!("yes")));
    assert_eq!(events[0].get("from"), None, "nobody said who they are");

    let (mut stream, _) = Stream::sse(&server, "/t/a?since=start");
    let event = stream.next_sse();
    assert_eq!(event.event.as_deref(), Some("chat.said"));
    assert_eq!(event.json(), events[0], "one form on every transport");
}

#[test]
fn the_event_has_its_fields_and_no_others() {
    let server = Server::start();
    server.publish("a", "x");
    let event = server.get("/t/a").events().remove(0);
    let fields: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["topic", "position", "time", "type", "contentType", "data"]);
    assert_eq!(event["type"], "message");
    let time = event["time"].as_str().unwrap();
    let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
    assert_eq!(time.chars().map(digits).collect::<String>(), "0000-00-00T00:00:00.000Z");
}

#[test]
fn what_has_expired_is_gone_without_a_gap() {
    let server = Server::start();
    let before = server.publish("a", "before");
    for (target, headers) in [("a?ttl=2", &[][..]), ("a", &[("Tidings-TTL", "2s")])] {
        assert_eq!(server.post(target, headers, "short").status, 201);
    }
    assert_eq!(server.post("a", &[("Tidings-TTL", "2h")], "long").status, 201);
    let read = || server.get(&format!("/t/a?since={before}")).data();
    assert_eq!(read(), ["short", "short", "long"]);
    until("the short ones expire", || (read() == ["long"]).then_some(()));
    assert_eq!(server.get("/t/a?last=3").data(), ["before", "long"]);
    // Every way: what nobody was to have any more is no loss.
    for target in ["/t/a?via=ndjson&since=start", "/t/*?via=ndjson&since=start"] {
        let (mut stream, _) = Stream::ndjson(&server, target);
        assert_eq!(stream.next_json()["data"], "before");
        assert_eq!(stream.next_json()["data"], "long");
    }
    let (mut stream, _) = Stream::ndjson(&server, &format!("/t/a?since={before}"));
    assert_eq!(stream.next_json()["data"], "long");
}

#[test]
fn the_answer_says_how_safe_the_message_is() {
    let folder = Folder::new();
    let namespace = r#"[{match="fast", durability="os"}, {match="mem", durability="volatile"}]"#;
    let settings = [("NAMESPACE", namespace), ("DATA", &folder.text())];
    let mut server = Server::with(&settings);
    for (topic, durability) in [("fast", "os"), ("mem", "volatile"), ("other", "fsync")] {
        assert_eq!(server.post(topic, &[], "x").json()["durability"], durability, "{topic}");
    }
    // The end of the process, however it comes about, takes only what was in memory.
    server.kill();
    let server = Server::with(&settings);
    for (topic, left) in [("fast", 1), ("mem", 0), ("other", 1)] {
        assert_eq!(server.get(&format!("/t/{topic}")).events().len(), left, "{topic}");
    }
}

/// The same where what has expired is the oldest that its topic has, and so is thrown away.
#[test]
fn what_is_thrown_away_because_it_has_expired_is_no_gap() {
    let folder = Folder::new();
    let namespace =
        r#"[{match="kept/**", durability="fsync"}, {match="**", durability="volatile"}]"#;
    let server = Server::with(&[("NAMESPACE", namespace), ("DATA", &folder.text())]);
    for topic in ["a", "kept/a"] {
        let before = server.publish(&format!("{topic}/elsewhere"), "before");
        for _ in 0..3 {
            assert_eq!(server.post(&format!("{topic}?ttl=1"), &[], "short").status, 201);
        }
        let read = || server.get(&format!("/t/{topic}")).events();
        until("the short ones expire", || read().is_empty().then_some(()));
        server.publish(topic, "long");
        for filter in [topic, &format!("{topic}/**")] {
            let target = format!("/t/{filter}?since={before}");
            let (mut stream, _) = Stream::ndjson(&server, &target);
            assert_eq!(stream.next_json()["data"], "long", "{filter}");
        }
    }
}
