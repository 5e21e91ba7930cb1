//! How a reader asks decides how it gets it: `Accept`, `via`, `wait`.

use tidings_tests::{Server, request};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";
const PAGE: &str = "text/html; charset=utf-8";

/// What Chromium, Firefox and Safari send from the address bar.
const BROWSERS: [&str; 3] = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/png,image/svg+xml,*/*;q=0.8",
];

#[track_caller]
fn content_type(server: &Server, target: &str, headers: &[(&str, &str)]) -> String {
    let mut wire = server.wire();
    wire.send(request("GET", target, headers, b""));
    let head = wire.head();
    assert_eq!(head.status, 200, "{target} {headers:?}: {head:?}");
    assert!(head.list("vary").contains(&"accept".to_owned()), "{head:?}");
    head.header("content-type").unwrap_or_default().to_owned()
}

#[test]
fn accept_decides() {
    let server = Server::start();
    let page = BROWSERS.map(|accept| (accept, PAGE));
    let others = [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/event-stream", SSE),
        ("Text/Event-Stream", SSE),
        ("text/*", SSE),
        ("text/event-stream, */*;q=0.1", SSE),
        ("application/x-ndjson", NDJSON),
        ("application/jsonl", NDJSON),
        ("application/x-ndjson;q=0.9, text/event-stream", SSE),
        ("application/x-ndjson, text/event-stream;q=0.9", NDJSON),
        ("text/event-stream;q=0.5, application/json;q=0.6", JSON),
        ("text/event-stream;q=0.6,application/json;q=0.5", SSE),
        ("application/json;q=0, application/x-ndjson;q=0.1", NDJSON),
        ("*/*, application/json;q=0.1, text/event-stream;q=0.2", NDJSON),
        ("text/html", PAGE),
        ("text/html, application/json;q=0.9", PAGE),
        ("text/html;q=0.5, application/json;q=0.4", PAGE),
        ("text/html;q=0.4, application/json;q=0.5", JSON),
        ("text/html;q=0, */*", JSON),
        ("text/html, text/event-stream", SSE),
        // Nothing that is served here: the plainest answer is better than none.
        ("image/png", JSON),
        ("nonsense", JSON),
    ];
    for (accept, expected) in page.into_iter().chain(others) {
        assert_eq!(content_type(&server, "/t/a", &[("Accept", accept)]), expected, "{accept:?}");
    }
    assert_eq!(content_type(&server, "/t/a", &[]), JSON);
}

/// RFC 9110 section 5.3: the lines of a list are one list; section 12.4.2: `q` in any case.
#[test]
fn accept_is_read_as_the_standard_says() {
    let server = Server::start();
    let two_lines = [("Accept", "application/json;q=0.1"), ("Accept", "text/event-stream")];
    assert_eq!(content_type(&server, "/t/a", &two_lines), SSE);
    let upper = [("Accept", "application/json;Q=0.1, text/event-stream;Q=0.9")];
    assert_eq!(content_type(&server, "/t/a", &upper), SSE);
}

#[test]
fn a_page_of_several_topics_is_found() {
    let server = Server::start();
    for accept in BROWSERS {
        let response = server.ask("GET", "/t?topic=a&topic=b/**", &[("Accept", accept)], b"");
        assert_eq!(response.status, 200, "{response:?}");
    }
}

#[test]
fn via_decides_before_accept() {
    let server = Server::with(&[("TIMES_LONG_POLL_MAX", "1s")]);
    for accept in [SSE, NDJSON, JSON, BROWSERS[0]] {
        for (via, expected) in
            [("poll", JSON), ("longpoll", JSON), ("sse", SSE), ("ndjson", NDJSON)]
        {
            let target = format!("/t/a?since=start&via={via}&wait=0");
            assert_eq!(content_type(&server, &target, &[("Accept", accept)]), expected, "{via}");
        }
    }
}

#[test]
fn via_names_a_way_to_read() {
    let server = Server::start();
    for via in ["pigeon", "", "SSE", "publish", "tidings.v1"] {
        let response = server.get(&format!("/t/a?via={via}"));
        response.expect_problem(400, "unknown_via");
        let message = response.json()["message"].to_string();
        for name in ["poll", "longpoll", "sse", "ndjson", "ws"] {
            assert!(message.contains(name), "which are there? {message}");
        }
    }
    server.get("/t/a?via=ws").expect_problem(426, "bad_upgrade");
}

#[test]
fn waiting_makes_a_long_poll_and_nothing_else() {
    let server = Server::start();
    for (accept, expected) in [(SSE, SSE), (NDJSON, NDJSON), (JSON, JSON), ("*/*", JSON)] {
        let found = content_type(&server, "/t/a?wait=0.1", &[("Accept", accept)]);
        assert_eq!(found, expected, "{accept}");
    }
    // Only what is not held tells when to come back.
    assert!(server.get("/t/a").header("retry-after").is_some());
    assert!(server.get("/t/a?wait=0.1").header("retry-after").is_none());
    assert!(server.get("/t/a?via=poll&wait=0.1").header("retry-after").is_some());
}
