//! Peers that begin as HTTP/2 does and go on as nobody should.

use tidings_tests::{Http2, Server, request};

use super::await_streams;
use super::frames::{
    COMPRESSION_ERROR, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, Frames,
    GOAWAY, HEADERS, PREFACE, PROTOCOL_ERROR, RST_STREAM, SETTINGS, STREAM_CLOSED, frame, head,
};

#[test]
fn a_preface_may_come_in_pieces() {
    let server = Server::with(&[("THREADS", "1")]);
    let mut other = server.wire();
    let mut wire = server.wire();
    for piece in [&PREFACE[..1], &PREFACE[1..4], &PREFACE[4..18], &PREFACE[18..23]] {
        wire.send(piece);
        // The only thread that serves has looked at it before it has answered twice.
        for _ in 0..2 {
            assert_eq!(other.ask("GET", "/t/a", &[], b"").status, 200);
        }
    }
    wire.send(&PREFACE[23..]);
    wire.send(frame(SETTINGS, 0, 0, b""));
    wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &head("GET", "/t/a", &[])));
    let settings = wire.read_exact(9);
    assert_eq!(settings[3], SETTINGS, "{}", settings.escape_ascii());
}

#[test]
fn a_preface_that_goes_wrong_is_no_http_at_all() {
    let server = Server::start();
    for length in [4, 14, 18, 20, 23] {
        let mut wire = server.wire();
        let mut bytes = PREFACE[..length].to_vec();
        bytes.extend(b"X / HTTP/1.1\r\nHost: tidings.test\r\n\r\n");
        wire.send(bytes);
        let answer = wire.response("GET");
        assert!(matches!(answer.status, 400 | 405 | 505), "{length}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
    }
}

#[test]
fn a_method_that_begins_like_the_preface_is_a_method() {
    let server = Server::start();
    for method in ["P", "PR", "PRI", "PRINT"] {
        let answer = server.ask(method, "/t/a", &[], b"");
        assert_eq!(answer.status, 405, "{method}: {answer:?}");
    }
    // Nothing comes behind the beginning of one.
    let mut wire = server.wire();
    wire.send(b"PRI * HTT");
    wire.half_close();
    wire.read_to_end();
    server.await_connections(0);
}

#[test]
fn half_a_preface_is_half_a_head() {
    let server = Server::with(&[("HTTP_HEAD_WAIT", "1s")]);
    let mut wire = server.wire();
    wire.send(b"PRI * HT");
    wire.response("GET").expect_problem(408, "too_slow");
}

/// Only the beginning of a connection says which version it is.
#[test]
fn a_preface_behind_an_answer_is_nonsense() {
    let server = Server::start();
    let mut wire = server.wire();
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").status, 200);
    wire.send(PREFACE);
    assert_eq!(wire.read_to_end(), b"");
    let mut wire = server.wire();
    wire.send(request("GET", "/t/a?wait=0.1", &[], b""));
    wire.send(PREFACE);
    assert_eq!(wire.response("GET").status, 200);
    assert_eq!(wire.read_to_end(), b"");
}

#[test]
fn frames_that_break_the_rules_end_the_connection_with_a_reason() {
    let server = Server::start();
    let mut witness = Http2::connect(&server);
    let (mut stream, _) = witness.sse("/t/a");
    let too_large = frame(DATA, 0, 1, &[0; 20_000]);
    let data_on_nothing = frame(DATA, 0, 1, b"x");
    let even_stream = frame(HEADERS, END_STREAM | END_HEADERS, 2, &head("GET", "/t/a", &[]));
    let no_head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 40]);
    for (bytes, errors) in [
        (too_large, &[FRAME_SIZE_ERROR][..]),
        (data_on_nothing, &[PROTOCOL_ERROR, STREAM_CLOSED]),
        (even_stream, &[PROTOCOL_ERROR]),
        (no_head, &[PROTOCOL_ERROR, COMPRESSION_ERROR]),
    ] {
        let mut frames = Frames::connect(&server);
        frames.raw(&bytes);
        let error = frames.await_kind(GOAWAY).error();
        assert!(errors.contains(&error), "{error}, not {errors:?}");
        frames.await_end();
    }
    server.publish("a", "x");
    assert_eq!(stream.next_sse().json()["data"], "x");
}

#[test]
fn header_fields_of_a_connection_are_refused() {
    let server = Server::start();
    let mut frames = Frames::connect(&server);
    for (stream, field) in [(1, "connection"), (3, "transfer-encoding"), (5, "upgrade")] {
        let head = head("GET", "/t/a", &[(field, "x")]);
        frames.send(HEADERS, END_STREAM | END_HEADERS, stream, &head);
        let reset = frames.await_kind(RST_STREAM);
        assert_eq!((reset.stream, reset.error()), (stream, PROTOCOL_ERROR));
    }
}

#[test]
fn a_flood_of_resets_is_not_endured() {
    let server = Server::start();
    let mut flood = Vec::new();
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        let head = head("GET", "/t/a?via=sse", &[]);
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &head));
        flood.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    let mut frames = Frames::connect(&server);
    // It is cut before it has sent everything.
    frames.try_raw(&flood);
    assert_eq!(frames.await_kind(GOAWAY).error(), ENHANCE_YOUR_CALM);
    frames.await_end();
    await_streams(&server, 0);
}
