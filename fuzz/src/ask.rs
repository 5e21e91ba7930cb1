//! What a reader asks for: path, query and headers of a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tidings_model::limits::SELECTION_MAX;
use tidings_protocol::ask::{self, Ask, EVENTS_MAX};
use tidings_protocol::{Method, Query, Request};

use crate::input::Input;

/// Reads a line each as path, query and `Last-Event-ID`.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let (path, query, last) = (input.line(), input.line(), input.line());
    let mut headers = HeaderMap::new();
    if let Ok(last) = HeaderValue::from_str(&last)
        && !last.is_empty()
    {
        headers.insert("last-event-id", last);
    }
    let request = Request::new(Method::GET, &path, Some(&query), headers, Bytes::new());
    if let Ok(ask) = Ask::parse(&request) {
        assert!(!ask.filters.is_empty() || ask.session.is_some());
        assert!(ask.filters.len() <= SELECTION_MAX);
        assert!(ask.limit.is_none_or(|limit| (1..=EVENTS_MAX).contains(&limit)));
    }
    if let Ok(topic) = ask::topic(&request) {
        assert!(!topic.as_str().is_empty());
    }
    let _ = ask::span(&query);
    let parsed = Query::parse(&query);
    assert_eq!(parsed.get("topic"), parsed.all("topic").next());
}
