//! A publish over HTTP: a body becomes messages, all of them right or none at all.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tidings_protocol::{Input, Method, Request, content};
use tidings_publish::PUBLISH;

use crate::input;
use crate::machine::{BATCH_MESSAGES_MAX, Machine};

/// Content types and queries that say how a body is meant.
const MEANT: [(&str, &str); 8] = [
    ("application/x-ndjson", ""),
    ("application/jsonl", ""),
    ("text/plain", "batch=lines"),
    ("application/json", "batch=lines"),
    ("", "batch=lines"),
    ("application/json", ""),
    ("image/png", "ttl=1h&key=k&type=x"),
    ("", ""),
];

/// Reads the first byte as how the body is meant, a line as the query, and the rest as the body.
pub fn run(data: &[u8]) {
    let mut input = input::Input(data);
    let (content_type, meant) = MEANT[usize::from(input.byte()) % MEANT.len()];
    let query = format!("{meant}&{}", input.line());
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert("content-type", HeaderValue::from_static(content_type));
    }
    let body = Bytes::copy_from_slice(input.0);
    let request = Request::new(Method::POST, "/t/a", Some(&query), headers, body.clone());
    let mut machine = Machine::new(&PUBLISH);
    machine.feed(Input::Opened(&request));
    let response = machine.response.as_ref().expect("every publish is answered");
    let Some((messages, _)) = machine.published.first() else {
        assert!(response.status.is_client_error(), "{response:?}");
        return;
    };
    assert_eq!((response.status.as_u16(), machine.published.len()), (201, 1));
    assert!((1..=BATCH_MESSAGES_MAX).contains(&messages.len()));
    let is_batch = content_type.starts_with("application/x-ndjson")
        || content_type.starts_with("application/jsonl")
        || meant == "batch=lines";
    if is_batch {
        let lines = body.split(|&byte| byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
        let payloads: Vec<&[u8]> = messages.iter().map(|message| &message.payload[..]).collect();
        assert_eq!(payloads, lines);
    }
    for message in messages {
        if content::is_json(&message.content_type) {
            let text = std::str::from_utf8(&message.payload).expect("JSON is UTF-8");
            assert!(crate::v1::is_json(text), "what says JSON is not: {text}");
        }
    }
}
