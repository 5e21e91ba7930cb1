//! How streams and connections end: by the client, by its silence, and by the server's shutdown.

use tidings_tests::{Http2, Server};

use super::await_streams;
use super::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PROTOCOL_ERROR, RST_STREAM, head,
};

#[test]
fn a_reset_ends_the_reader_and_not_the_connection() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let (stream, _) = http2.sse("/t/a");
    let held = http2.send("GET", "/t/a?wait=60", &[], b"");
    await_streams(&server, 2);
    drop(stream);
    await_streams(&server, 1);
    drop(held);
    await_streams(&server, 0);
    server.await_connections(1);
    assert_eq!(http2.get("/t/a").status, 200);
}

/// A session that nobody reads any more can be seen to be nobody's.
#[test]
fn a_reset_ends_the_subscription() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let stream = http2.open("/t/a?session=s&via=sse", &[]);
    assert_eq!(server.get("/s/s").json()["connected"], true);
    drop(stream);
    tidings_tests::until("the session is nobody's", || {
        (http2.get("/s/s").json()["connected"] == false).then_some(())
    });
}

#[test]
fn the_end_of_a_connection_ends_its_streams() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let streams: Vec<_> = (0..5).map(|_| http2.sse("/t/a").0).collect();
    await_streams(&server, 5);
    let mut frames = Frames::connect(&server);
    frames.get(1, "/t/a?via=sse");
    await_streams(&server, 6);
    drop(frames);
    await_streams(&server, 5);
    drop(streams);
    drop(http2);
    await_streams(&server, 0);
    server.await_connections(0);
}

#[test]
fn half_a_body_is_no_message() {
    let server = Server::start();
    for (end, length) in [(true, "100"), (true, "5"), (false, "100"), (false, "5")] {
        let mut frames = Frames::connect(&server);
        let head = head("POST", "/t/a", &[("content-length", length)]);
        frames.send(HEADERS, END_HEADERS, 1, &head);
        frames.send(DATA, 0, 1, b"begun");
        await_streams(&server, 1);
        if end {
            frames.send(RST_STREAM, 0, 1, &8u32.to_be_bytes());
            await_streams(&server, 0);
        }
        drop(frames);
        await_streams(&server, 0);
        assert!(server.get("/t/a").events().is_empty(), "{length}");
    }
    // One that is shorter than it said is none either.
    let mut frames = Frames::connect(&server);
    frames.send(HEADERS, END_HEADERS, 1, &head("POST", "/t/a", &[("content-length", "100")]));
    frames.send(DATA, END_STREAM, 1, b"begun");
    assert_eq!(frames.await_kind(RST_STREAM).error(), PROTOCOL_ERROR);
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn at_shutdown_everyone_is_told_and_what_was_begun_is_finished() {
    let mut server = Server::start();
    let position = server.publish("a", "x");
    let mut http2 = Http2::connect(&server);
    let (mut stream, _) = http2.sse("/t/a");
    let held = http2.send("GET", &format!("/t/a?wait=60&since={position}"), &[], b"");
    await_streams(&server, 2);
    server.terminate();
    let goodbye = stream.next_sse();
    assert_eq!(goodbye.event.as_deref(), Some("goodbye"));
    assert_eq!(goodbye.json()["position"], position.as_str());
    stream.expect_end();
    let answer = held.response();
    assert_eq!((answer.events().len(), answer.position()), (0, position));
    http2.await_goodbye();
    http2.wait_for_end().unwrap();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn at_shutdown_no_further_stream_is_waited_for() {
    let mut server = Server::start();
    let mut frames = Frames::connect(&server);
    frames.get(1, "/t/a?via=sse");
    frames.await_kind(HEADERS);
    server.terminate();
    let goodbye = frames.await_kind(GOAWAY);
    assert_eq!(goodbye.error(), 0, "no error");
    // It answers nothing of what it is asked now, and the server ends all the same.
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn an_idle_connection_is_told_to_go() {
    let server = Server::with(&[("TIMES_KEEP_ALIVE", "1s")]);
    let mut busy = Http2::connect(&server);
    let (mut stream, _) = busy.sse("/t/a");
    let mut idle = Http2::connect(&server);
    assert_eq!(idle.get("/t/a").status, 200);
    idle.await_goodbye();
    idle.wait_for_end().unwrap();
    // One with a stream is not idle, however silent.
    server.publish("a", "x");
    assert_eq!(stream.next_sse().json()["data"], "x");
}

#[test]
fn a_client_that_answers_pings_is_kept() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s"), ("TIMES_PONG_WAIT", "1s")]);
    let mut http2 = Http2::connect(&server);
    let (mut stream, _) = http2.sse("/t/a");
    for _ in 0..4 {
        assert_eq!(stream.next_sse().event.as_deref(), Some("heartbeat"));
    }
}

#[test]
fn a_client_that_answers_no_ping_is_cut() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s"), ("TIMES_PONG_WAIT", "1s")]);
    let mut frames = Frames::connect(&server);
    frames.get(1, "/t/a?via=sse");
    frames.await_kind(PING);
    frames.await_end();
    await_streams(&server, 0);
}

/// A client that has nothing open is not asked whether it is there.
#[test]
fn an_idle_client_is_not_pinged() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s"), ("TIMES_KEEP_ALIVE", "3s")]);
    let mut frames = Frames::connect(&server);
    let last = frames.await_kind(GOAWAY);
    assert_eq!(last.error(), 0);
    assert!(frames.seen(PING) <= 1, "but for the one that GOAWAY waits for");
}
