//! Clients of HTTP/1.0: no chunks, and the end of the connection is the end of the answer.

use tidings_tests::{Server, Stream, Wire};

#[track_caller]
fn ask(server: &Server, request: &str) -> Wire {
    let mut wire = server.wire();
    wire.send(request);
    wire
}

#[test]
fn a_plain_request_is_answered_and_closed() {
    let server = Server::start();
    let body = "POST /t/a HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello";
    let mut wire = ask(&server, body);
    assert_eq!(wire.response("POST").status, 201);
    wire.expect_end();
    for target in ["/t/a", "/t/a?since=start&wait=60"] {
        let mut wire = ask(&server, &format!("GET {target} HTTP/1.0\r\n\r\n"));
        let response = wire.response("GET");
        assert_eq!(response.data(), ["hello"], "{target}");
        assert_eq!(response.header("transfer-encoding"), None);
        wire.expect_end();
    }
}

#[test]
fn a_stream_has_no_chunks() {
    let server = Server::start();
    for via in ["sse", "ndjson"] {
        let request = format!("GET /t/a?via={via} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let mut stream = Stream::begin(ask(&server, &request));
        assert_eq!(stream.head.header("transfer-encoding"), None);
        assert_eq!(stream.head.header("content-length"), None);
        assert_eq!(stream.head.list("connection"), ["close"]);
        while stream.line().is_some_and(|line| !line.contains("position")) {}
        server.publish("a", format!("over {via}"));
        while stream.line().is_some_and(|line| !line.contains(&format!("over {via}"))) {}
    }
}

#[test]
fn its_end_is_the_end() {
    let server = Server::start();
    server.publish("a", "only");
    let request = "GET /t/a?via=ndjson&data=raw&since=start&limit=1 HTTP/1.0\r\n\r\n";
    let mut stream = Stream::begin(ask(&server, request));
    assert_eq!(stream.line().as_deref(), Some("\"only\""));
    stream.expect_end();
}
