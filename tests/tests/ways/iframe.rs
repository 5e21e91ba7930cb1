//! The forever iframe: who is told, who may frame it, and that no message becomes a script.

use std::collections::BTreeSet;

use tidings_tests::{Response, Server, Stream};

use super::{HOSTILE, ORIGINS};

/// The nonce that the policy of an answer lets scripts have; the rest of the policy is checked.
#[track_caller]
fn nonce(head: &Response, ancestors: &str) -> String {
    let policy = head.header("content-security-policy").unwrap_or_default();
    let mut directives: Vec<&str> = policy.split("; ").collect();
    directives.sort_unstable();
    let [base, default, form, frame, script] = directives[..] else { panic!("{policy}") };
    assert_eq!(
        (base, default, form),
        ("base-uri 'none'", "default-src 'none'", "form-action 'none'")
    );
    assert_eq!(frame, format!("frame-ancestors {ancestors}"));
    let nonce = script.strip_prefix("script-src 'nonce-").and_then(|rest| rest.strip_suffix('\''));
    nonce.unwrap_or_else(|| panic!("{policy}")).to_owned()
}

/// Opens one, and gives it with its nonce and the function that its scripts call.
#[track_caller]
fn open(server: &Server, query: &str, host: &str, ancestors: &str) -> (Stream, String, String) {
    let target = format!("/t/a?via=iframe{query}");
    let mut stream = Stream::open(server, &target, &[("Host", host)]);
    assert_eq!(stream.head.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(stream.head.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(stream.head.header("x-frame-options"), None);
    let nonce = nonce(&stream.head, ancestors);
    let begin = stream.line().unwrap_or_default();
    assert!(begin.starts_with("<!doctype html>"), "{begin}");
    let script = stream.line().unwrap_or_default();
    let body = script.strip_prefix(&format!("<script nonce=\"{nonce}\">function t(d){{"));
    let body = body.and_then(|rest| rest.strip_suffix("}</script>"));
    let body = body.unwrap_or_else(|| panic!("not the function: {script}")).to_owned();
    (stream, nonce, body)
}

#[test]
fn it_tells_exactly_the_origin_that_was_named_and_only_that_may_frame_it() {
    let server = Server::with(&[ORIGINS]);
    let host = "tidings.example:8080";
    for (origin, ancestors) in [
        ("https://app.example", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://tidings.example:8080", "'self'"),
        ("https://tidings.example:8080", "'self'"),
    ] {
        let (mut stream, _, tells) = open(&server, &format!("&origin={origin}"), host, ancestors);
        assert_eq!(tells, format!("parent.postMessage(d,\"{origin}\")"));
        assert_eq!(stream.next_script()["type"], "ready");
    }
    let (_, _, tells) = open(&server, "", host, "'self'");
    assert_eq!(tells, "parent.tidings(d)");
}

#[test]
fn other_origins_are_told_nothing() {
    let host = [("Host", "tidings.example:8080")];
    for (allowed, origin, status, error) in [
        (ORIGINS.1, "https://evil.example", 403, "forbidden_origin"),
        (ORIGINS.1, "https://app.example.evil.example", 403, "forbidden_origin"),
        (ORIGINS.1, "http://app.example", 403, "forbidden_origin"),
        (ORIGINS.1, "http://tidings.example", 403, "forbidden_origin"),
        (ORIGINS.1, "*", 400, "bad_query"),
        (ORIGINS.1, "null", 400, "bad_query"),
        (ORIGINS.1, "", 400, "bad_query"),
        ("*", "null", 400, "bad_query"),
        ("*", "https://a.example%20https://b.example", 400, "bad_query"),
        ("*", "https://a.example;%20script-src%20*", 400, "bad_query"),
        ("*", "https://a.example%22);alert(1);//", 400, "bad_query"),
        ("*", "https://a.example%0d%0aX-Evil:%201", 400, "bad_query"),
        ("*", "https://a.example/path", 400, "bad_query"),
        ("*", "javascript:alert(1)", 400, "bad_query"),
    ] {
        let server = Server::with(&[("HTTP_ALLOWED_ORIGINS", allowed)]);
        let target = format!("/t/a?via=iframe&origin={origin}");
        server.ask("GET", &target, &host, b"").expect_problem(status, error);
        assert_eq!(server.ask("HEAD", &target, &host, b"").status, status, "{origin}");
    }
    // Where all are let in, whoever is named is told, and nobody else.
    let server = Server::with(&[("HTTP_ALLOWED_ORIGINS", "*")]);
    let (_, _, tells) = open(&server, "&origin=https://any.example", "h", "https://any.example");
    assert_eq!(tells, "parent.postMessage(d,\"https://any.example\")");
}

#[test]
fn every_answer_has_a_nonce_of_its_own() {
    let server = Server::start();
    let nonces: BTreeSet<String> = (0..20).map(|_| open(&server, "", "h", "'self'").1).collect();
    assert_eq!(nonces.len(), 20);
    assert!(nonces.iter().all(|nonce| nonce.len() == 32), "{nonces:?}");
}

#[test]
fn no_message_becomes_anything_but_the_argument_of_its_script() {
    let server = Server::start();
    let (mut stream, nonce, _) = open(&server, "", "h", "'self'");
    assert_eq!(stream.line().map(|line| line.len()), Some(2048), "padding");
    let (opening, closing) = (format!("<script nonce=\"{nonce}\">t(\""), "\")</script>");
    let mut expect_script = || {
        let line = stream.line().unwrap_or_default();
        let inside = line.strip_prefix(&opening).and_then(|rest| rest.strip_suffix(closing));
        let inside = inside.unwrap_or_else(|| panic!("not a script: {line:?}")).to_owned();
        let unsafe_ = |c: char| c.is_control() || "<>&'\u{2028}\u{2029}\u{feff}".contains(c);
        assert!(!inside.contains(unsafe_), "{inside:?}");
        let unescaped = inside.replace("\\\\", "").replace("\\\"", "");
        assert!(!unescaped.contains('"'), "the string ends early: {inside:?}");
    };
    expect_script();
    for payload in HOSTILE {
        let headers = [
            ("Tidings-Type", "</script>\"<!--"),
            ("Tidings-Key", "\\\"</script>"),
            ("Tidings-Header-Trace", "'</script><script>&quot;"),
            ("Content-Type", "text/html;x=\"</script>\""),
        ];
        assert_eq!(server.post("a", &headers, payload).status, 201);
        expect_script();
    }
    assert_eq!(
        server.post("a", &[("Content-Type", "application/json")], "[\"</script>\"]").status,
        201
    );
    expect_script();
    // And it is still exactly what was published.
    for raw in ["", "&data=raw"] {
        let mut stream = open(&server, &format!("&since=start{raw}"), "h", "'self'").0;
        if raw.is_empty() {
            assert_eq!(stream.next_script()["type"], "ready");
        }
        for event in server.get("/t/a?since=start").events() {
            let expected = if raw.is_empty() { event } else { event["data"].clone() };
            assert_eq!(stream.next_script(), expected);
        }
    }
}

#[test]
fn it_ends_before_it_fills_its_page_and_goes_on_where_it_was() {
    let server = Server::start();
    server.publish_numbers("a", 0..2000);
    let mut since = "start".to_owned();
    let (mut next, mut answers) = (0, 0);
    while next < 2000 {
        let query = format!("&bytes=50000&since={since}");
        let mut stream = open(&server, &query, "h", "'self'").0;
        assert_eq!(stream.next_script()["type"], "ready");
        while next < 2000 {
            let event = stream.next_script();
            event["position"].as_str().unwrap_or_default().clone_into(&mut since);
            if event["type"] == "goodbye" {
                assert_eq!(event["retryMs"], 0);
                stream.expect_end();
                break;
            }
            assert_eq!(event["data"], next);
            next += 1;
        }
        answers += 1;
    }
    assert!(answers > 2, "{answers} answers");
}

#[test]
fn it_stays_alive_and_says_goodbye() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s")]);
    let mut stream = open(&server, "", "h", "'self'").0;
    let mut raw = open(&server, "&data=raw&padding=0", "h", "'self'").0;
    assert_eq!(stream.next_script()["type"], "ready");
    assert_eq!(stream.next_script()["type"], "heartbeat");
    assert_eq!([raw.line(), raw.line()], [const { Some(String::new()) }; 2], "padding, heartbeat");
    server.terminate();
    while stream.next_script()["type"] != "goodbye" {}
    stream.expect_end();
}
