//! How you ask decides how you get it.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use tidings_host::{Registry, Route};
use tidings_protocol::{Mount, Protocol, Request, Settings, Transport};

/// These tests only ask for the way, and never walk it.
fn never(_: &Arc<Settings>) -> Box<dyn Protocol> {
    unreachable!("no machine is opened")
}

const fn transport(name: &'static str, mount: Mount) -> Transport {
    Transport { name, summary: "", standard: "", mount, open: never }
}

static POLL: Transport = transport("poll", Mount::Read(&["application/json"]));
static HELD: Transport = transport("longpoll", Mount::ReadHeld);
static SSE: Transport = transport("sse", Mount::Read(&["text/event-stream"]));
static WS: Transport = transport("ws", Mount::TopicSocket);
static V1: Transport =
    transport("v1", Mount::Socket { path: "/ws", subprotocol: "tidings.v1", logs_in: false });
static FORM: Transport = transport("form", Mount::Form);
static PUBLISH: Transport = transport("publish", Mount::Publish);
static ALL: &[&Transport] = &[&POLL, &HELD, &SSE, &WS, &V1, &FORM, &PUBLISH];

fn route(method: Method, target: &str, headers: &[(&'static str, &'static str)]) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for &(name, value) in headers {
        map.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    let request = Request::new(method, path, Some(query), map, Bytes::new());
    match Registry::new(ALL, Settings::default()).route(&request) {
        Ok(Route::Exchange(transport)) => transport.name.to_owned(),
        Ok(Route::Socket(transport, protocol)) => format!("{} {protocol:?}", transport.name),
        Ok(Route::Options(_)) => "options".to_owned(),
        Ok(Route::NotAllowed(_)) => "not allowed".to_owned(),
        Ok(Route::Elsewhere) => "elsewhere".to_owned(),
        Err(problem) => problem.error.to_owned(),
    }
}

#[test]
fn by_accept() {
    const BROWSER: &str =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
    for (accept, expected) in [
        ("", "poll"),
        ("*/*", "poll"),
        ("application/json", "poll"),
        ("application/*", "poll"),
        ("text/event-stream", "sse"),
        ("text/event-stream, application/json;q=0.5", "sse"),
        ("text/event-stream;q=0.1, application/json", "poll"),
        ("image/png", "poll"),
        (BROWSER, "elsewhere"),
        ("text/html;q=0.1, application/json", "poll"),
    ] {
        assert_eq!(route(Method::GET, "/t/a", &[("accept", accept)]), expected, "{accept}");
    }
    assert_eq!(route(Method::GET, "/t/a", &[]), "poll");
}

#[test]
fn by_query_and_upgrade() {
    let upgrade = [("upgrade", "websocket")];
    for (target, headers, expected) in [
        ("/t/a?wait=5", &[][..], "longpoll"),
        ("/t/a?via=sse", &[], "sse"),
        ("/t/a?via=sse", &upgrade, "sse"),
        ("/t/a?via=form", &[], "form"),
        ("/t/a?via=pigeon", &[], "unknown_via"),
        ("/t/a?via=publish", &[], "unknown_via"),
        ("/t/a?via=ws", &[], "bad_upgrade"),
        ("/t/a", &upgrade, "ws None"),
        ("/t?topic=a", &[], "poll"),
        ("/table", &[], "elsewhere"),
        ("/ws", &[], "bad_upgrade"),
        ("/ws", &upgrade, "v1 None"),
    ] {
        assert_eq!(route(Method::GET, target, headers), expected, "{target} {headers:?}");
    }
    for (offered, expected) in [
        ("tidings.v1", "v1 Some(\"tidings.v1\")"),
        ("other, tidings.v1", "v1 Some(\"tidings.v1\")"),
        ("other", "bad_upgrade"),
    ] {
        let headers = [upgrade[0], ("sec-websocket-protocol", offered)];
        assert_eq!(route(Method::GET, "/ws", &headers), expected, "{offered}");
    }
}

#[test]
fn a_form_is_sent_where_it_was_read() {
    for (target, expected) in
        [("/t/a", "publish"), ("/t/a?via=form", "form"), ("/t/a?via=sse", "publish")]
    {
        assert_eq!(route(Method::POST, target, &[]), expected, "{target}");
    }
    let html = [("accept", "text/html")];
    assert_eq!(route(Method::GET, "/t/a", &html), "elsewhere", "the page is for those who ask");
}

#[test]
fn by_method() {
    for (method, expected) in [
        (Method::POST, "publish"),
        (Method::HEAD, "poll"),
        (Method::OPTIONS, "options"),
        (Method::DELETE, "not allowed"),
        (Method::PUT, "not allowed"),
    ] {
        assert_eq!(route(method.clone(), "/t/a", &[]), expected, "{method}");
    }
}
