//! What is refused when there is too much of it, and how.

use tidings_tests::{Http2, Server, Wire, request};

use super::await_streams;
use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, GOAWAY, HEADERS,
    REFUSED_STREAM, RST_STREAM, field, frame, head,
};

#[test]
fn a_connection_has_only_so_many_streams() {
    let server = Server::with(&[("LIMITS_STREAMS", "2")]);
    let mut frames = Frames::connect(&server);
    for stream in [1, 3, 5] {
        frames.get(stream, "/t/a?via=sse");
    }
    let reset = frames.await_kind(RST_STREAM);
    assert_eq!((reset.stream, reset.error()), (5, REFUSED_STREAM));
    await_streams(&server, 2);
    // A client that knows the limit waits until one has ended.
    let mut http2 = Http2::connect(&server);
    let held = http2.send("GET", "/t/a?wait=60", &[], b"");
    let (stream, _) = http2.sse("/t/a");
    drop(stream);
    assert_eq!(http2.ask("POST", "/t/a", &[], b"news").status, 201);
    assert_eq!(held.response().data(), ["news"]);
}

#[test]
fn streams_count_as_connections_do() {
    let server = Server::with(&[("LIMITS_CONNECTIONS", "4")]);
    let mut http2 = Http2::connect(&server);
    let (stream, _) = http2.sse("/t/a");
    let (_kept, _) = http2.sse("/t/a");
    let (_kept_too, _) = http2.sse("/t/a");
    http2.get("/t/a").expect_problem(503, "too_many_connections");
    // Over TLS it would not come to an answer.
    let mut wire = Wire::connect(server.address());
    assert_eq!(wire.head().status, 503);
    drop(stream);
    tidings_tests::until("there is room again", || (http2.get("/t/a").status == 200).then_some(()));
    let health = http2.get("/healthz").json();
    assert!(health["refused"].as_u64() >= Some(2), "{health}");
}

#[test]
fn a_body_has_a_limit_and_a_time() {
    let server = Server::with(&[
        ("LIMITS_MESSAGE_BYTES", "1000"),
        ("LIMITS_BATCH_BYTES", "2000"),
        ("HTTP_BODY_WAIT", "1s"),
    ]);
    let mut http2 = Http2::connect(&server);
    http2.ask("POST", "/t/a", &[], &[b'x'; 1001]).expect_problem(413, "too_large");
    http2.ask("POST", "/t/a", &[], &[b'x'; 2001]).expect_problem(413, "too_large");
    let announced = [("content-length", "2001")];
    http2.ask("POST", "/t/a", &announced, &[b'x'; 2001]).expect_problem(413, "too_large");
    // The rest of this one never comes.
    let mut frames = Frames::connect(&server);
    frames.send(HEADERS, END_HEADERS, 1, &head("POST", "/t/a", &[]));
    frames.send(DATA, 0, 1, b"begun");
    let answer = frames.await_kind(DATA);
    assert!(String::from_utf8_lossy(&answer.payload).contains("too_slow"), "{answer:?}");
    // The connection goes on.
    frames.get(3, "/t/a");
    assert_eq!(frames.await_kind(HEADERS).stream, 3);
    assert_eq!(http2.get("/t/a").events().len(), 0);
}

#[test]
fn a_head_has_a_limit() {
    let server = Server::with(&[("HTTP_HEADER_BYTES_MAX", "8KiB")]);
    let mut http2 = Http2::connect(&server);
    assert_eq!(http2.ask("GET", "/t/a", &[("x", &"x".repeat(7000))], b"").status, 200);
    assert_eq!(http2.ask("GET", "/t/a", &[("x", &"x".repeat(9000))], b"").status, 431);
    // One that would never end is not read to its end.
    let mut frames = Frames::connect(&server);
    frames.send(HEADERS, END_STREAM, 1, &head("GET", "/t/a", &[]));
    for _ in 0..1000 {
        frames.try_raw(&frame(CONTINUATION, 0, 1, &field("x", &"x".repeat(10_000))));
    }
    assert_eq!(frames.await_kind(GOAWAY).error(), ENHANCE_YOUR_CALM);
    frames.await_end();
    assert_eq!(http2.get("/t/a").status, 200);
}

/// What is refused over one version is what is refused over the other.
#[test]
fn a_full_server_tells_both_versions_the_same() {
    let server = Server::with(&[("LIMITS_CONNECTIONS", "2")]);
    let mut http2 = Http2::connect(&server);
    let (_stream, _) = http2.sse("/t/a");
    let new = http2.get("/t/a");
    let mut wire = Wire::connect(server.address());
    // The server may have closed before it is sent.
    let _ = wire.try_send(request("GET", "/t/a", &[], b""));
    let old = wire.response("GET");
    assert_eq!((new.status, new.json()), (old.status, old.json()));
    assert_eq!(new.header("retry-after"), old.header("retry-after"));
}
