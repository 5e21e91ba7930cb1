//! XHR streaming: padded, in lines, and ended before it fills its page.

use serde_json::{Value, json};
use tidings_tests::{Folder, Server, Stream, until};

use super::{HOSTILE, ORIGINS};

#[test]
fn what_browsers_and_proxies_hold_back_is_padding() {
    let server = Server::start();
    for (query, padding) in [("", 2048), ("&padding=0", 0), ("&padding=65536", 65_536)] {
        let mut stream = Stream::open(&server, &format!("/t/a?via=xhr{query}"), &[]);
        let header = |name| stream.head.header(name);
        assert_eq!(header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("x-accel-buffering"), Some("no"));
        assert_eq!(header("cache-control"), Some("no-store, no-transform"));
        assert_eq!(stream.line(), Some(" ".repeat(padding)));
        assert_eq!(stream.next_json()["type"], "ready");
    }
}

#[test]
fn each_line_is_one_event() {
    let server = Server::start();
    let mut stream = Stream::open(&server, "/t/a?via=xhr", &[]);
    assert_eq!(stream.next_json()["type"], "ready");
    for payload in HOSTILE {
        server.publish("a", payload);
    }
    for expected in server.get("/t/a?since=start").events() {
        assert_eq!(stream.next_json(), expected);
    }
    let mut raw = Stream::open(&server, "/t/a?via=xhr&data=raw&since=start", &[]);
    for expected in server.get("/t/a?since=start").data() {
        assert_eq!(raw.next_json(), expected);
    }
}

/// Reads until the answer ends, from `since` on; gives the numbers, and the goodbye.
#[track_caller]
fn read_answer(server: &Server, query: &str) -> (Vec<u64>, Value) {
    let mut stream = Stream::open(server, &format!("/t/a?via=xhr&{query}"), &[]);
    assert_eq!(stream.next_json()["type"], "ready");
    let mut numbers = Vec::new();
    loop {
        let event = stream.next_json();
        match event["data"]["n"].as_u64() {
            Some(number) => numbers.push(number),
            None => {
                assert_eq!(event["type"], "goodbye", "{event}");
                stream.expect_end();
                return (numbers, event);
            }
        }
    }
}

/// A server with the numbers below `count`, each with a kibibyte around it.
fn stocked(server: Server, count: u64) -> Server {
    let fill = "x".repeat(1024);
    let lines: String =
        (0..count).map(|n| format!("{}\n", json!({ "n": n, "fill": fill }))).collect();
    let headers = [("Content-Type", "application/x-ndjson")];
    assert_eq!(server.post("a", &headers, lines).status, 201);
    server
}

#[test]
fn a_reader_of_answers_that_end_misses_nothing_and_gets_nothing_twice() {
    let server = stocked(Server::start(), 900);
    for bytes in [1, 100_000, 300_000] {
        let mut since = "start".to_owned();
        let (mut seen, mut answers) = (Vec::new(), 0);
        while seen.len() < 900 {
            let (numbers, goodbye) = read_answer(&server, &format!("bytes={bytes}&since={since}"));
            assert!(!numbers.is_empty(), "an answer that takes one no further");
            assert_eq!(goodbye["retryMs"], 0, "{goodbye}");
            seen.extend(numbers);
            since = goodbye["position"].as_str().unwrap_or_default().to_owned();
            answers += 1;
        }
        assert_eq!(seen, (0..900).collect::<Vec<_>>(), "{bytes} bytes an answer");
        assert!(answers > 1, "{answers} answers of {bytes} bytes");
    }
}

#[test]
fn an_answer_is_no_longer_than_what_was_asked_for_and_one_read() {
    let server = stocked(Server::start(), 3000);
    let (numbers, _) = read_answer(&server, "bytes=100000&since=start");
    // What is read at once, at most 256 messages, is not cut.
    assert!((80..400).contains(&numbers.len()), "{} messages of a kibibyte", numbers.len());
    let (numbers, _) = read_answer(&server, "since=start");
    assert!((900..1400).contains(&numbers.len()), "a mebibyte: {} messages", numbers.len());
}

#[test]
fn an_automatic_session_over_answers_that_end_misses_nothing() {
    let folder = Folder::new();
    let server = stocked(Server::with(&[("DATA", &folder.text())]), 600);
    let mut seen = Vec::new();
    while seen.len() < 600 {
        // It never says how far it is; the server remembers.
        let (numbers, _) = read_answer(&server, "bytes=50000&session=s&since=start");
        seen.extend(numbers);
    }
    assert_eq!(seen, (0..600).collect::<Vec<_>>());
}

#[test]
fn wishes_out_of_bounds_are_refused() {
    let server = Server::start();
    for via in ["xhr", "iframe"] {
        for query in [
            "bytes=0",
            "bytes=-1",
            "bytes=1e3",
            "bytes=",
            "bytes=67108865",
            "bytes=99999999999999999999",
            "padding=65537",
            "padding=x",
        ] {
            let response = server.get(&format!("/t/a?via={via}&{query}"));
            response.expect_problem(400, "bad_query");
        }
    }
    server.get("/t/a?via=sse&padding=65537").expect_problem(400, "bad_query");
    // What is asked of readers means nothing to a publisher.
    assert_eq!(server.ask("POST", "/t/a?via=xhr&bytes=0", &[], b"x").status, 201);
    server.await_connections(0);
}

#[test]
fn pages_of_allowed_origins_may_read_it() {
    let server = Server::with(&[ORIGINS]);
    let headers = [("Origin", "https://app.example")];
    let stream = Stream::open(&server, "/t/a?via=xhr", &headers);
    let allowed = stream.head.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example"));
    let headers = [("Origin", "https://evil.example")];
    server.ask("GET", "/t/a?via=xhr", &headers, b"").expect_problem(403, "forbidden_origin");
}

#[test]
fn a_silent_one_shows_that_it_is_alive_and_ends_with_a_goodbye() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s")]);
    let mut stream = Stream::open(&server, "/t/a?via=xhr", &[]);
    let mut raw = Stream::open(&server, "/t/a?via=xhr&data=raw", &[]);
    assert_eq!(stream.next_json()["type"], "ready");
    assert_eq!(stream.next_json()["type"], "heartbeat");
    let padding = raw.line();
    assert_eq!(padding.map(|line| line.len()), Some(2048));
    assert_eq!(raw.line().as_deref(), Some(""), "the heartbeat");
    server.terminate();
    let goodbye = until("it says goodbye", || {
        let event = stream.next_json();
        (event["type"] == "goodbye").then_some(event)
    });
    assert!(goodbye["retryMs"].as_u64() > Some(0), "{goodbye}");
    stream.expect_end();
}
