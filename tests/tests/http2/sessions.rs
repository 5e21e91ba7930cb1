//! Durable sessions over HTTP/2: what waits anywhere in the server has not arrived.

use serde_json::Value;
use tidings_tests::{Folder, Http2, Server};

use super::frames::{DATA, Frames, SETTINGS, WINDOW_UPDATE};

/// A backlog that is far more than the sockets between two processes hold, in messages so small
/// that the library that writes frames takes many at once.
const MESSAGES: u32 = 30_000;

/// The largest window (RFC 9113 section 6.9.1).
const WINDOW: u32 = (1 << 31) - 1;

#[test]
fn what_waits_for_the_socket_when_the_server_ends_has_not_arrived() {
    let folder = Folder::new();
    let path = folder.text();
    let start = || Server::with(&[("DATA", &path), ("TIMES_DRAIN", "1s")]);
    let mut server = start();
    for from in (0..MESSAGES).step_by(10_000) {
        server.publish_numbers("t", from..from + 10_000);
    }
    // All that its windows hold back is nothing; its socket is.
    let mut frames = Frames::connect_narrow(&server);
    let window = [&[0, 4][..], &WINDOW.to_be_bytes()].concat();
    frames.send(SETTINGS, 0, 0, &window);
    frames.send(WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes());
    frames.get(1, "/t/t?via=ndjson&session=s&since=start");
    let mut text = Vec::new();
    while !text.windows(6).any(|name| name == b"\"data\"") {
        text.extend(frames.await_kind(DATA).payload);
    }
    server.terminate();
    server.wait();
    while let Some(frame) = frames.next() {
        if frame.kind == DATA {
            text.extend(frame.payload);
        }
    }
    // Behind the events there may be a goodbye, and half a line.
    let lines = text.split(|&byte| byte == b'\n');
    let events = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let taken = events.filter_map(|event| event["data"].as_u64()).next_back().expect("an event");
    assert!(taken < u64::from(MESSAGES) - 1, "it was sent everything");
    let server = start();
    let mut http2 = Http2::connect(&server);
    let answer = http2.get("/t?session=s&via=longpoll&limit=1");
    let first = answer.data()[0].as_u64().expect("a number");
    assert!(first <= taken + 1, "it had {taken}, and goes on with {first}");
}
