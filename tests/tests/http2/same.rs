//! An answer is the same over both versions, but for what is the version's own.

use tidings_tests::{Http2, Response, Server};

/// What is asked: method, target, header fields and body.
type Question = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

const PIGGYBACK: &[(&str, &str)] = &[
    ("accept", "application/vnd.tidings.piggyback+json"),
    ("tidings-topic", "a"),
    ("idempotency-key", "p"),
];

const PREFLIGHT: &[(&str, &str)] = &[
    ("origin", "https://app.example"),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "tidings-type"),
];

/// All of them can be asked twice. None has anything of its own in its answer, such as a nonce.
const QUESTIONS: &[Question] = &[
    ("POST", "/t/a", &[("idempotency-key", "k")], "hello"),
    ("POST", "/t/a", &[("content-type", "application/json")], "{"),
    ("POST", "/t/a/*", &[], "x"),
    ("POST", "/t/a", PIGGYBACK, "beside"),
    ("GET", "/t/a", &[], ""),
    ("GET", "/t/a?since=start&limit=3", &[], ""),
    ("GET", "/t/a?since=start&via=longpoll", &[], ""),
    ("GET", "/t/a?since=start&limit=5&via=sse", &[], ""),
    ("GET", "/t/a?since=start&limit=5&via=ndjson", &[], ""),
    ("GET", "/t/a?since=start", &[("accept-encoding", "gzip")], ""),
    ("GET", "/t/a?via=page", &[], ""),
    ("GET", "/t/a?via=feed", &[], ""),
    ("GET", "/t/a?via=rss", &[], ""),
    ("GET", "/t/a?via=jsonp&callback=f", &[], ""),
    ("GET", "/t/secret?via=jsonp&callback=f", &[], ""),
    ("GET", "/t/a?since=nonsense", &[], ""),
    ("GET", "/t/a?via=smoke", &[], ""),
    ("GET", "/t/a?via=ws", &[], ""),
    ("HEAD", "/t/a", &[], ""),
    ("HEAD", "/t/a?via=sse", &[], ""),
    ("HEAD", "/", &[], ""),
    ("DELETE", "/t/a", &[], ""),
    ("OPTIONS", "/t/a", &[], ""),
    ("OPTIONS", "/t/a", PREFLIGHT, ""),
    ("GET", "/t/a", &[("origin", "https://app.example")], ""),
    ("GET", "/t/a", &[("origin", "https://other.example")], ""),
    ("GET", "/t/a", &[("origin", "http://tidings.test")], ""),
    ("GET", "/s", &[], ""),
    ("GET", "/s/nobody", &[], ""),
    ("DELETE", "/s/nobody", &[], ""),
    ("GET", "/", &[], ""),
    ("GET", "/nowhere", &[], ""),
    ("GET", "/%ff", &[], ""),
];

/// What is told apart by header fields that no two answers share, or that a version has not.
const OWN: [&str; 5] = ["date", "connection", "transfer-encoding", "upgrade", "content-length"];

fn told(mut response: Response) -> Response {
    response.headers.retain(|(name, _)| !OWN.contains(&name.as_str()));
    response.headers.sort();
    response
}

#[test]
fn every_answer_is_the_same_over_both_versions() {
    let server = Server::with(&[
        ("HTTP_ALLOWED_ORIGINS", "https://app.example"),
        ("NAMESPACE", "[{match = \"a\", jsonp = true}]"),
    ]);
    server.publish_numbers("a", 0..400);
    let mut http2 = Http2::connect(&server);
    for &(method, target, headers, body) in QUESTIONS {
        // What depends on what was asked before is asked once without being looked at.
        server.ask(method, target, headers, body.as_bytes());
        let old = server.ask(method, target, headers, body.as_bytes());
        let new = http2.ask(method, target, headers, body.as_bytes());
        for name in ["connection", "transfer-encoding", "upgrade", "keep-alive"] {
            assert_eq!(new.header(name), None, "{method} {target}");
        }
        assert!(new.header("date").is_some(), "{new:?}");
        assert_eq!(new.header("content-length"), old.header("content-length"), "{method} {target}");
        let (old, new) = (told(old), told(new));
        assert_eq!(format!("{new:?}"), format!("{old:?}"), "{method} {target}");
    }
}

#[test]
fn what_was_not_modified_is_not_sent_again() {
    let server = Server::start();
    server.publish("a", "x");
    let mut http2 = Http2::connect(&server);
    let first = http2.get("/t/a");
    let tag = first.header("etag").unwrap();
    let second = http2.ask("GET", "/t/a", &[("if-none-match", tag)], b"");
    assert_eq!((second.status, second.body.len()), (304, 0));
    assert_eq!(second.header("content-length"), None);
}

#[test]
fn a_host_is_named_once() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let same = http2.ask("GET", "/t/a", &[("host", "Tidings.test")], b"");
    assert_eq!(same.status, 200);
    http2.ask("GET", "/t/a", &[("host", "elsewhere.test")], b"").expect_problem(400, "bad_request");
    http2
        .ask("GET", "/t/a", &[("host", "tidings.test"), ("host", "tidings.test")], b"")
        .expect_problem(400, "bad_request");
}
