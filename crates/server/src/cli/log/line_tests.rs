//! What is written is read back as the very same message, and what is no message is told.

use std::sync::Arc;

use tidings_model::{Headers, LogKind, Manner, Mark};

use super::*;

const NOW: Time = Time::from_millis(1_800_000_000_000);

fn message(content_type: &str, payload: &[u8]) -> Message {
    Message {
        topic: Topic::new("chat/röom 1").unwrap(),
        payload: payload.to_vec().into(),
        content_type: content_type.into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: Time::from_millis(1_700_000_000_001),
        expires: None,
        manner: Manner::default(),
    }
}

fn written(message: &Message) -> String {
    let mark = Mark { epoch: 1, offset: 2 };
    let record = Record::new(LogKind::Durable, mark, 0, Arc::new(message.clone()));
    let mut out = Vec::new();
    write(&record, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check_round_trip(message: &Message) {
    let line = written(message);
    assert_eq!(line.find('\n'), Some(line.len() - 1), "not one line: {line:?}");
    assert_eq!(read(line.as_bytes(), NOW).unwrap(), *message, "{line}");
}

#[test]
fn the_form_is_that_of_the_guide() {
    let mut full = message("application/json", b"{\"a\": [1]}");
    full.headers.set("trace", "1").unwrap();
    full.headers.set("b", "").unwrap();
    (full.from, full.key) = (Some("me".into()), Some("k".into()));
    full.event_type = EventType::new("price").unwrap();
    full.expires = Some(Time::from_millis(1_700_000_060_000));
    let position = Position::at(LogKind::Durable, Mark { epoch: 1, offset: 2 });
    assert_eq!(
        written(&full),
        format!(
            "{{\"topic\":\"chat/röom 1\",\"position\":\"{position}\",\
             \"time\":\"2023-11-14T22:13:20.001Z\",\"expires\":\"2023-11-14T22:14:20.000Z\",\
             \"type\":\"price\",\"from\":\"me\",\"contentType\":\"application/json\",\"key\":\"k\",\
             \"headers\":{{\"trace\":\"1\",\"b\":\"\"}},\"data\":{{\"a\": [1]}}}}\n"
        )
    );
    check_round_trip(&full);
}

#[test]
fn every_payload_comes_back_byte_by_byte() {
    let all: Vec<u8> = (0..=255).collect();
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    for payload in [
        &b""[..],
        b" ",
        b"plain",
        b"\"quoted\"",
        "two\nlines \u{0}\u{7f}\u{2028} ä".as_bytes(),
        b"{}",
        b" {} ",
        b"{\n  \"a\": 1\r\n}\n",
        b"{\"a\":1,\"a\":2}",
        b"1e999",
        b"-0.10",
        b"\"\\ud800\"",
        b"{} {}",
        b"\xff\xfe",
        deep.as_bytes(),
        &all,
    ] {
        let is_json = serde_json::from_slice::<IgnoredAny>(payload).is_ok();
        let json = ["application/json", "a/b+json"].into_iter().filter(|_| is_json);
        let others = ["text/plain", "text/plain; charset=utf-8", "image/png", "x"];
        for content_type in json.chain(others) {
            check_round_trip(&message(content_type, payload));
        }
    }
}

#[test]
fn what_is_missing_is_as_if_published_without_a_word() {
    for (data, payload, content_type) in [
        ("\"a\\nb\"", &b"a\nb"[..], content::TEXT),
        ("{ \"a\": 1}", b"{ \"a\": 1}", content::JSON),
        ("5", b"5", content::JSON),
        ("\"AP8=\",\"encoding\":\"base64\"", &[0, 255], content::BYTES),
    ] {
        let line = format!("{{\"topic\":\"t\",\"data\":{data}}}");
        let expected = Message {
            topic: Topic::new("t").unwrap(),
            time: NOW,
            ..message(content_type, payload)
        };
        assert_eq!(read(line.as_bytes(), NOW).unwrap(), expected, "{line}");
    }
}

#[test]
fn what_is_no_message_is_told() {
    let long = format!("{{\"topic\":\"t\",\"data\":1,\"key\":\"{}\"}}", "k".repeat(200));
    for (line, error) in [
        ("nonsense", "column 2: expected ident"),
        ("{\"topic\":\"t\"", "column 12: EOF while parsing an object"),
        ("{\"data\":1}", "column 10: missing field `topic`"),
        ("{\"topic\":\"t\"}", "column 13: missing field `data`"),
        (
            "{\"topic\":\"t\",\"data\":1,\"tpye\":\"x\"}",
            "column 28: unknown field `tpye`, expected one of `topic`, `position`, `time`, \
             `expires`, `type`, `from`, `contentType`, `key`, `headers`, `manner`, \
             `encoding`, `data`",
        ),
        (
            "{\"topic\":\"a//b\",\"data\":1}",
            "topic: the topic has an empty level (a `/` at an end, or two in a row)",
        ),
        (
            "{\"topic\":\"t\",\"data\":1,\"type\":\"gap\"}",
            "type: `gap` is a type the server itself sends",
        ),
        (
            "{\"topic\":\"t\",\"data\":1,\"time\":\"yesterday\"}",
            "time: \"yesterday\" is not a time such as 2026-11-20T13:48:01.123Z",
        ),
        (
            "{\"topic\":\"t\",\"data\":1,\"expires\":\"1969-01-01T00:00:00Z\"}",
            "expires: \"1969-01-01T00:00:00Z\" is not a time such as 2026-11-20T13:48:01.123Z",
        ),
        (
            "{\"topic\":\"t\",\"data\":1,\"contentType\":\"text/plain\"}",
            "data must be a text when contentType is not JSON",
        ),
        (
            "{\"topic\":\"t\",\"data\":\"x\",\"encoding\":\"hex\"}",
            "encoding: \"hex\" is unknown; only base64 is there",
        ),
        (
            "{\"topic\":\"t\",\"data\":\"x\",\"encoding\":\"base64\"}",
            "data: it is not base64: Invalid input length: 1",
        ),
        (
            "{\"topic\":\"t\",\"data\":1,\"headers\":{\"a\":1}}",
            "headers: the value of \"a\" is not a text",
        ),
        (
            "{\"topic\":\"t\",\"data\":\"eyA=\",\"encoding\":\"base64\",\"contentType\":\"a/b+json\"}",
            "data: contentType says JSON, but it is not: EOF while parsing an object at line 1 \
             column 2",
        ),
        (&long, "key must be 1 to 128 bytes long"),
        (
            "{\"topic\":\"t\",\"data\":1,\"contentType\":\"\"}",
            "contentType must be 1 to 128 bytes long",
        ),
    ] {
        assert_eq!(read(line.as_bytes(), NOW).unwrap_err().to_string(), error, "{line}");
    }
    assert_eq!(read(b"\xff", NOW).unwrap_err().to_string(), "it is not UTF-8");
}
