//! Which web pages may use the server: its own, those of allowed origins, and no others.

use tidings_tests::{Response, Server, Stream, request};

const APP: &str = "https://app.example";
const ALLOWED: [(&str, &str); 1] =
    [("HTTP_ALLOWED_ORIGINS", "https://app.example, http://localhost:3000")];

const FOREIGN: [&str; 6] = [
    "https://evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "null",
    "",
];

#[track_caller]
fn expect_marked(response: &Response, origin: &str) {
    assert_eq!(response.header("access-control-allow-origin"), Some(origin), "{response:?}");
    let exposed = response.list("access-control-expose-headers");
    for name in ["tidings-position", "tidings-gap", "etag"] {
        assert!(exposed.contains(&name.to_owned()), "{exposed:?}");
    }
    assert!(response.list("vary").contains(&"origin".to_owned()), "{response:?}");
}

#[test]
fn pages_of_other_origins_are_refused() {
    let server = Server::with(&ALLOWED);
    for origin in FOREIGN {
        for (method, target) in [
            ("GET", "/t/a"),
            ("POST", "/t/a"),
            ("GET", "/t/a?via=sse"),
            ("OPTIONS", "/t/a"),
            ("GET", "/t/a?wait=60"),
            ("GET", "/healthz"),
        ] {
            let mut wire = server.wire();
            let response = wire.ask(method, target, &[("Origin", origin)], b"x");
            response.expect_problem(403, "forbidden_origin");
            assert_eq!(response.header("access-control-allow-origin"), None);
        }
    }
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn its_own_pages_are_served() {
    let server = Server::start();
    let host = server.address().to_string();
    // Behind a proxy that ends TLS the page's scheme is another than the server's.
    for origin in [format!("http://{host}"), format!("https://{host}")] {
        let headers = [("Host", host.as_str()), ("Origin", origin.as_str())];
        let response = server.ask("POST", "/t/a", &headers, b"x");
        assert_eq!((response.status, response.header("access-control-allow-origin")), (201, None));
        assert!(response.list("vary").contains(&"origin".to_owned()), "{response:?}");
    }
    let other_port = format!("http://{}:1", server.address().ip());
    let headers = [("Host", host.as_str()), ("Origin", other_port.as_str())];
    server.ask("GET", "/t/a", &headers, b"").expect_problem(403, "forbidden_origin");
}

#[test]
fn pages_of_allowed_origins_may_read_every_answer() {
    let server = Server::with(&ALLOWED);
    for origin in [APP, "http://localhost:3000"] {
        let headers = [("Origin", origin)];
        for (method, target, status) in [
            ("POST", "/t/a", 201),
            ("GET", "/t/a", 200),
            ("HEAD", "/t/a", 200),
            ("GET", "/t/a?since=start&wait=60", 200),
            ("GET", "/t/a?wait=0.1", 200),
            ("GET", "/t/a?since=x", 400),
            ("DELETE", "/t/a", 405),
            ("GET", "/nothing", 404),
            ("GET", "/healthz", 200),
        ] {
            let response = server.ask(method, target, &headers, b"x");
            assert_eq!(response.status, status, "{method} {target}");
            expect_marked(&response, origin);
        }
        for via in ["sse", "ndjson"] {
            let stream = Stream::open(&server, &format!("/t/a?via={via}"), &headers);
            expect_marked(&stream.head, origin);
        }
    }
}

#[test]
fn also_those_about_a_body_that_was_not_read() {
    let server = Server::with(&[
        ALLOWED[0],
        ("LIMITS_MESSAGE_BYTES", "1KiB"),
        ("LIMITS_BATCH_BYTES", "1KiB"),
    ]);
    let mut wire = server.wire();
    wire.send(request("POST", "/t/a", &[("Origin", APP), ("Content-Length", "5000")], b""));
    let response = wire.response("POST");
    response.expect_problem(413, "too_large");
    expect_marked(&response, APP);
}

#[test]
fn a_preflight_is_told_what_it_may() {
    let server = Server::with(&ALLOWED);
    for target in ["/t/a", "/t?topic=a"] {
        let headers = [
            ("Origin", APP),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "tidings-ttl, idempotency-key"),
        ];
        let response = server.ask("OPTIONS", target, &headers, b"");
        assert_eq!(response.status, 204);
        expect_marked(&response, APP);
        assert!(response.list("access-control-allow-methods").contains(&"post".to_owned()));
        let names = response.list("access-control-allow-headers");
        assert_eq!(names, ["tidings-ttl", "idempotency-key"]);
        assert!(response.header("access-control-max-age").is_some());
    }
}

#[test]
fn the_operator_may_allow_all() {
    let server = Server::with(&[("HTTP_ALLOWED_ORIGINS", "*")]);
    for origin in ["https://any.example", "null"] {
        let response = server.ask("POST", "/t/a", &[("Origin", origin)], b"x");
        assert_eq!(response.status, 201);
        expect_marked(&response, origin);
    }
}
