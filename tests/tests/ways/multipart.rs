//! Multipart: parts that come whole, that nothing can forge, and that nothing replaces but a part.

use std::collections::BTreeSet;

use tidings_tests::{Parts, Said, Server, Stream, line, request, until};

use super::HOSTILE;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\x00\x00--not a delimiter\r\n\r\n";

#[track_caller]
fn open(server: &Server, query: &str) -> Parts {
    Parts::begin(Stream::open(server, &format!("/t/a?via=multipart{query}"), &[]))
}

#[test]
fn a_part_is_the_payload_alone_with_its_own_header() {
    let server = Server::start();
    let mut parts = open(&server, "");
    assert_eq!(parts.head.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert_eq!(parts.head.header("x-accel-buffering"), Some("no"));
    let large = vec![0xd8; 300_000];
    for (content_type, kind, payload) in [
        ("image/png", "shot", PNG),
        ("text/plain; charset=utf-8", "message", "grüße".as_bytes()),
        ("application/json", "message", b"{\"a\":\n1}"),
        ("application/octet-stream", "message", &large),
        ("text/plain", "message", b""),
    ] {
        let headers = [("Content-Type", content_type), ("Tidings-Type", kind)];
        let position = server.post("a", &headers, payload).position();
        let (header, came) = parts.part();
        assert!(came == payload, "{content_type}: {} bytes", came.len());
        assert_eq!(line(&header, "content-type"), Some(content_type));
        assert_eq!(line(&header, "content-length"), Some(payload.len().to_string().as_str()));
        assert_eq!(line(&header, "tidings-topic"), Some("a"));
        assert_eq!(line(&header, "tidings-position"), Some(position.as_str()));
        assert_eq!(line(&header, "tidings-type"), Some(kind));
        assert_eq!(line(&header, "content-transfer-encoding"), None);
    }
}

#[test]
fn it_is_what_an_accept_header_gets_and_nobody_else() {
    let server = Server::start();
    let accept = [("Accept", "multipart/x-mixed-replace")];
    Parts::begin(Stream::open(&server, "/t/a", &accept));
    for accept in ["image/avif,image/webp,*/*;q=0.8", "*/*", "multipart/mixed"] {
        let response = server.ask("GET", "/t/a", &[("Accept", accept)], b"");
        assert_eq!(response.header("content-type"), Some("application/json"), "{accept}");
    }
}

#[test]
fn it_begins_with_the_newest_there_is() {
    let server = Server::start();
    server.publish_numbers("a", 0..5);
    assert_eq!(open(&server, "").part().1, b"4");
    assert_eq!(open(&server, "&last=2").part().1, b"3");
    assert_eq!(open(&server, "&since=start").part().1, b"0");
    let mut parts = open(&server, "&since=now");
    server.publish("a", "new");
    assert_eq!(parts.part().1, b"new");
}

#[test]
fn a_picture_that_nothing_follows_comes_twice_and_nothing_else_does() {
    let server = Server::start();
    let mut parts = open(&server, "");
    let picture = [("Content-Type", "image/png")];
    let position = server.post("a", &picture, PNG).position();
    let [first, again] = [(); 2].map(|()| parts.part());
    assert_eq!(first, again);
    assert_eq!(line(&again.0, "tidings-position"), Some(position.as_str()));
    server.publish("a", "text");
    server.publish("a", "more");
    let texts = [(); 2].map(|()| parts.part().1);
    assert_eq!(texts, [b"text", b"more"]);
}

/// The header of the part to come is the place of whatever else there is to say.
#[test]
fn nothing_replaces_a_part_but_a_part() {
    let server = Server::with(&[
        ("TIMES_HEARTBEAT", "1s"),
        ("NAMESPACE", "[{match = \"**\", max_messages = 1}]"),
    ]);
    let begin = server.publish("a", "0");
    server.publish_numbers("a", 1..4);
    let mut parts = open(&server, &format!("&since={begin}"));
    let Some(Said::Line(name, gap)) = parts.hear() else { panic!("no gap") };
    assert_eq!(name, "tidings-gap");
    assert!(gap.starts_with(&format!("trimmed {begin} ")), "{gap}");
    assert_eq!(parts.part().1, b"3");
    for _ in 0..2 {
        assert_eq!(parts.hear(), Some(Said::Line("tidings-heartbeat".into(), String::new())));
    }
    server.publish("a", "4");
    let (header, payload) = parts.part();
    assert_eq!(payload, b"4");
    assert!(line(&header, "tidings-heartbeat").is_some(), "{header:?}");
    server.terminate();
    let retry = until("it says goodbye", || match parts.hear() {
        Some(Said::Line(name, value)) if name == "tidings-goodbye" => Some(value),
        Some(Said::Part(..)) | None => panic!("something else than a goodbye"),
        Some(Said::Line(..)) => None,
    });
    assert!(retry.parse::<u32>().is_ok_and(|millis| millis > 0), "{retry}");
    while parts.hear().is_some() {}
    parts.expect_end();
}

#[test]
fn boundaries_cannot_be_guessed() {
    let server = Server::start();
    let boundaries: BTreeSet<String> = (0..20).map(|_| open(&server, "").boundary).collect();
    assert_eq!(boundaries.len(), 20);
    for boundary in boundaries {
        // RFC 2046 section 5.1.1: at most 70 characters of a few kinds.
        assert!(boundary.len() <= 70, "{boundary}");
        assert!(boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    }
}

/// Somebody who reads a stream of their own, or sees one that a proxy shares, and publishes its
/// boundary.
#[test]
fn a_payload_made_for_this_very_stream_does_not_end_its_part() {
    let server = Server::start();
    let [mut victim, mut other] = [(); 2].map(|()| open(&server, ""));
    let boundary = victim.boundary.clone();
    let forged = format!(
        "\r\n--{boundary}\r\nContent-Type: text/html\r\nTidings-Position: forged\r\n\r\n<script>"
    );
    for content_type in ["text/plain", "image/jpeg"] {
        let position = server.post("a", &[("Content-Type", content_type)], &forged).position();
        let (header, payload) = victim.part();
        assert_eq!(line(&header, "content-transfer-encoding"), Some("base64"));
        assert_eq!(line(&header, "tidings-position"), Some(position.as_str()));
        assert!(!payload.contains(&b'-') && !payload.is_empty());
        let (header, payload) = other.part();
        assert_eq!(
            (line(&header, "content-transfer-encoding"), payload),
            (None, forged.clone().into())
        );
    }
    // Not in a header either.
    let headers =
        [("Content-Type", &*format!("text/plain;x={boundary}")), ("Tidings-Type", &*boundary)];
    assert_eq!(server.post("a", &headers, "last").status, 201);
    let (header, payload) =
        until("the last comes", || Some(victim.part()).filter(|(_, payload)| payload == b"last"));
    assert_eq!((line(&header, "content-type"), line(&header, "tidings-type")), (None, None));
    assert_eq!(payload, b"last");
}

#[test]
fn whatever_is_published_comes_as_it_is() {
    let server = Server::start();
    let mut parts = open(&server, "");
    for payload in HOSTILE {
        server.publish("a", payload);
        assert_eq!(parts.part().1, payload);
    }
    let name = "ä%20b c\u{301}";
    let encoded = "%C3%A4%2520b%20c%CC%81";
    let target = "/t/%C3%A4%2520b%20c%CC%81";
    assert_eq!(server.ask("POST", target, &[], b"x").status, 201);
    let headers = [("Accept", "multipart/x-mixed-replace")];
    let (header, _) = Parts::begin(Stream::open(&server, target, &headers)).part();
    assert_eq!(line(&header, "tidings-topic"), Some(encoded), "{name}");
}

#[test]
fn a_client_of_http_1_0_reads_it_too() {
    let server = Server::start();
    server.publish("a", "old");
    let mut wire = server.wire();
    wire.send("GET /t/a?via=multipart HTTP/1.0\r\n\r\n");
    let mut parts = Parts::begin(Stream::begin(wire));
    assert_eq!(parts.part().1, b"old");
}

#[test]
fn its_head_can_be_had_alone() {
    let server = Server::start();
    let mut wire = server.wire();
    wire.send(request("HEAD", "/t/a?via=multipart", &[], b""));
    let response = wire.response("HEAD");
    assert_eq!(response.status, 200);
    let content_type = response.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("multipart/x-mixed-replace; boundary="), "{content_type}");
    drop(wire);
    server.await_connections(0);
}
