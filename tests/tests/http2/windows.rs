//! A reader that opens no window slows itself and nobody else (RFC 9113 section 5.2).

use h2::Reason;
use h2::client::Builder;
use tidings_tests::{Http2, Server, Stream};

use super::await_streams;

const MESSAGES: usize = 60;
const MESSAGE_BYTES: usize = 10_000;

/// Streams have the window that the protocol gives them; the connection has room for many.
fn wide() -> Builder {
    let mut builder = Builder::new();
    builder.initial_connection_window_size(64 << 20);
    builder
}

fn publish(server: &Server) {
    for number in 0..MESSAGES {
        server.publish("a", format!("{number} {}", "x".repeat(MESSAGE_BYTES)));
    }
}

#[track_caller]
fn expect_all(stream: &mut Stream) {
    for number in 0..MESSAGES {
        let event = stream.next_sse().json();
        let begins = |data: &str| data.starts_with(&format!("{number} "));
        assert!(event["data"].as_str().is_some_and(begins), "{number}");
    }
}

#[test]
fn a_shut_window_holds_up_nobody_else_and_loses_nothing() {
    let server = Server::start();
    let mut http2 = Http2::with(&server, &wide());
    let (mut shut, _) = http2.sse("/t/a");
    shut.flow().shut();
    let (mut open, _) = http2.sse("/t/a");
    publish(&server);
    expect_all(&mut open);
    assert_eq!(http2.ask("POST", "/t/b", &[], b"x").status, 201);
    // It has what its window holds, reads that, and then the rest.
    shut.flow().open();
    expect_all(&mut shut);
}

#[test]
fn a_window_that_stays_shut_is_given_up() {
    let server = Server::with(&[("TIMES_WRITE_STALL", "1s")]);
    let mut http2 = Http2::with(&server, &wide());
    let (mut shut, _) = http2.sse("/t/a");
    shut.flow().shut();
    let (mut open, _) = http2.sse("/t/a");
    publish(&server);
    expect_all(&mut open);
    let mut taken = 0;
    let reason = loop {
        match shut.flow().try_more() {
            Ok(Some(data)) => taken += data.len(),
            Ok(None) => panic!("it ended as if that were all"),
            Err(reason) => break reason,
        }
    };
    assert_eq!(reason, Some(Reason::CANCEL));
    assert!(taken < MESSAGES * MESSAGE_BYTES, "it was sent everything");
    await_streams(&server, 1);
    // A whole answer is not waited for either.
    let (_, mut answer) = http2.send("GET", "/t/a?since=start", &[], b"").head();
    answer.shut();
    while answer.try_more().is_ok_and(|more| more.is_some()) {}
    await_streams(&server, 1);
}

#[test]
fn a_window_may_open_byte_by_byte() {
    let server = Server::start();
    let mut builder = wide();
    builder.initial_window_size(1);
    let mut http2 = Http2::with(&server, &builder);
    let (mut stream, _) = http2.sse("/t/a");
    server.publish("a", "slowly");
    assert_eq!(stream.next_sse().json()["data"], "slowly");
}
