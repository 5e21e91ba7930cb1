//! Credentials that expire while they are used: every way in says so and ends.

use serde_json::json;
use tidings_tests::{Response, Server, Socket, Stream, Wire, handshake, request, until};

use super::support::{ALL, Guarded, token};

/// Sends what `bytes` makes of a token that lasts a few seconds, until one lasted long enough to be let
/// in, which on a machine that stands still for a while the first may not.
#[track_caller]
fn let_in(server: &Server, bytes: impl Fn(&str) -> Vec<u8>) -> (Wire, Response) {
    until("a token lasts until it is looked at", || {
        let mut wire = server.wire();
        wire.send(bytes(&token("ann", 3, json!({}))));
        let head = wire.head();
        (head.status != 401).then_some((wire, head))
    })
}

#[test]
fn a_stream_says_goodbye_and_ends() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    let asked = |token: &str| request("GET", &format!("/t/a?via=ndjson&token={token}"), &[], b"");
    let (wire, head) = let_in(server, asked);
    let mut stream = Stream::resume(wire, head);
    assert_eq!(stream.next_json()["type"], "ready");
    let goodbye = stream.next_json();
    assert_eq!((&goodbye["type"], &goodbye["reason"]), (&json!("goodbye"), &json!("expired")));
    assert!(goodbye["position"].is_string() && goodbye["retryMs"].is_null(), "{goodbye}");
    stream.expect_end();
}

#[test]
fn an_event_source_comes_back_from_where_it_was() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    let asked = |token: &str| request("GET", &format!("/t/a?via=sse&token={token}"), &[], b"");
    let (wire, head) = let_in(server, asked);
    let mut stream = Stream::resume(wire, head);
    let ready = stream.next_sse();
    let goodbye = stream.next_sse();
    assert_eq!(goodbye.json()["reason"], "expired");
    assert_eq!(goodbye.id, ready.id);
    stream.expect_end();
    let id = goodbye.id.unwrap();
    let target = format!("/t/a?via=sse&token={}", token("ann", 600, json!({})));
    let again = Stream::open(server, &target, &[("Last-Event-ID", &id)]);
    assert_eq!(again.head.status, 200);
}

#[test]
fn a_held_answer_is_a_refusal() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    // The head of a held answer comes when it ends.
    let mut wire = server.wire();
    let token = token("ann", 3, json!({}));
    wire.send(request("GET", &format!("/t/a?wait=60&token={token}"), &[], b""));
    wire.response("GET").expect_problem(401, "expired");
}

#[test]
fn a_websocket_is_closed_with_a_code_of_its_own() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    for path in ["/t/a", "/ws"] {
        let (wire, head) = let_in(server, |token| handshake(&format!("{path}?token={token}"), &[]));
        assert_eq!(head.status, 101);
        let mut socket = Socket::resume(wire, head);
        assert_eq!(socket.json()["type"], "ready", "{path}");
        let goodbye = socket.json();
        assert_eq!((&goodbye["type"], &goodbye["reason"]), (&json!("goodbye"), &json!("expired")));
        assert_eq!(socket.close_code(), 4401, "{path}");
    }
    // Where there is no word for it, there is the code.
    let (wire, head) =
        let_in(server, |token| handshake(&format!("/t/a?data=raw&token={token}"), &[]));
    assert_eq!(Socket::resume(wire, head).close_code(), 4401);
}
