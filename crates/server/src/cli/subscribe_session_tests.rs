//! `tidings sub --session` against a pretend server: what it asks for, what it acknowledges and
//! when, and what ends it.

use std::sync::Arc;

use clap::Parser;
use tidings_websocket_codec::{CloseCode, Opcode, close_payload, frame_header};

use super::tests::{GOODBYE, READY, Ran, event, ndjson, poll, run, sse, ws};
use super::{End, Stop, Subscription};
use crate::cli::notes::{Noted, Notes};
use crate::cli::{Cli, Command};
use crate::client::pretend::{Pretend, until_close, whole};

const TAKEN: &str = r#"{"type":"goodbye","reason":"session_taken_over","position":"P2"}"#;
const DELETED: &str = r#"{"type":"goodbye","reason":"session_deleted","position":"P2"}"#;
const EXPLICIT: [&str; 5] = ["--raw", "--session", "me", "--ack", "explicit"];

/// The answer to an acknowledgement.
fn acked() -> Vec<u8> {
    whole("200 OK", "application/json", r#"{"session":"me","position":"P"}"#)
}

/// A refusal in the server's form.
fn refusal(status: &str, error: &str) -> Vec<u8> {
    let body = format!(r#"{{"error":"{error}","message":"no: {error}","hint":"do so"}}"#);
    whole(status, "application/json", &body)
}

#[tokio::test]
async fn it_asks_for_the_session_with_topics_or_without() {
    for (words, target) in [
        (&["t"][..], "/t/t?via=sse&since=now&limit=1&session=me"),
        (&[], "/t?via=sse&since=now&limit=1&session=me"),
        (
            &["a", "b", "--ack", "auto"],
            "/t?topic=a&topic=b&via=sse&since=now&limit=1&session=me&ack=auto",
        ),
        (&["t", "--last", "3"], "/t/t?via=sse&last=3&limit=1&session=me"),
        (&["--via", "longpoll"], "/t?via=longpoll&since=now&limit=1&wait=30&session=me"),
    ] {
        let words = [words, &["--raw", "--session", "me", "-n", "1"]].concat();
        let answer =
            if words.contains(&"longpoll") { poll(&[&event(1)], "P1") } else { sse(&[&event(1)]) };
        let ran = run(&words, vec![vec![answer]]).await;
        assert_eq!(ran.asked, [format!("GET {target}")]);
        assert_eq!((ran.end, ran.out.as_str(), ran.sent), (End::Counted, "m1\n", vec![]));
    }
}

/// An automatic session is sent no more than is printed, or the rest would be lost to the next run.
#[tokio::test]
async fn a_count_beyond_what_one_answer_gives_is_asked_for_in_parts() {
    let events: Vec<String> = (1..=1003).map(event).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    for (via, answer) in [("sse", sse as fn(&[&str]) -> Vec<u8>), ("ndjson", ndjson), ("ws", ws)] {
        let scripts = vec![vec![answer(&events[..1000])], vec![answer(&events[1000..])]];
        let words = ["t", "--raw", "--session", "me", "-n", "1003", "--via", via];
        let ran = run(&words, scripts).await;
        assert_eq!((ran.end, ran.out.lines().count()), (End::Counted, 1003), "{via}");
        let targets = ["now&limit=1000", "P1000&limit=3"];
        let targets = targets.map(|rest| format!("GET /t/t?via={via}&since={rest}&session=me"));
        assert_eq!(ran.asked, targets);
        assert_eq!(ran.notes, ["received 1003 events, last position P1003"], "no trouble");
    }
}

#[tokio::test]
async fn what_is_printed_is_acknowledged_at_the_end() {
    for via in ["sse", "ndjson", "ws", "poll", "longpoll"] {
        let (one, two) = (event(1), event(2));
        let events = [one.as_str(), two.as_str()];
        let answer = match via {
            "sse" => sse(&events),
            "ndjson" => ndjson(&events),
            "ws" => ws(&events),
            _ => poll(&events, "P9"),
        };
        let words = [&EXPLICIT[..], &["-n", "2", "--via", via]].concat();
        let ran = run(&words, vec![vec![answer], vec![acked()]]).await;
        assert_eq!((ran.end, ran.out.as_str()), (End::Counted, "m1\nm2\n"), "{via}");
        assert_eq!(ran.asked[1], "POST /s/me/ack", "{via}");
        assert_eq!(ran.sent, ["P2"], "{via}");
        assert_eq!(ran.notes, ["received 2 events, last position P2"], "{via}");
    }
}

/// What is not acknowledged comes again, so it is acknowledged before anything is asked for again.
#[tokio::test]
async fn nothing_is_asked_for_before_what_is_printed_is_acknowledged() {
    let scripts = vec![
        vec![sse(&[READY, &event(1), &event(2)])],
        vec![whole("503 Service Unavailable", "text/plain", "not yet")],
        vec![acked()],
        vec![sse(&[READY, &event(3)])],
        vec![acked()],
    ];
    let words = [&EXPLICIT[..], &["t", "-n", "3"]].concat();
    let ran = run(&words, scripts).await;
    assert_eq!((ran.end, ran.out.as_str()), (End::Counted, "m1\nm2\nm3\n"));
    let lines: Vec<&str> = ran.asked.iter().map(|line| line.split('?').next().unwrap()).collect();
    let post = "POST /s/me/ack";
    assert_eq!(lines, ["GET /t/t", post, post, "GET /t/t", post]);
    assert_eq!(ran.sent, ["P2", "P2", "P3"]);
}

/// A stream that goes on is acknowledged without waiting for its end.
#[tokio::test]
async fn a_stream_is_acknowledged_while_it_is_read() {
    let held = until_close("text/event-stream", &format!("data: {}\n\n", event(1)));
    let server = Pretend::holding(vec![vec![held], vec![acked()]]).await;
    let url = server.url.to_string();
    let words = ["tidings", "sub", "--url", &url].into_iter().chain(EXPLICIT);
    let Command::Sub(args) = Cli::parse_from(words).command() else { unreachable!() };
    let (noted, asked) = (Noted::default(), Arc::clone(&server.requests));
    let stop = Stop::when(async move {
        while asked.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    });
    let mut subscription = Subscription::new(&args, Vec::new(), Notes::kept(&noted), stop);
    assert_eq!(subscription.follow().await, End::Stopped);
    assert_eq!(server.asked()[1].body, b"P1");
}

#[tokio::test]
async fn a_session_that_is_another_connections_ends_it() {
    let text = |goodbye: &str| [READY, &event(1), goodbye].map(str::to_owned);
    for (goodbye, error) in [
        (TAKEN, "another connection has become the session `me`"),
        (DELETED, "the session `me` was deleted"),
    ] {
        for via in ["sse", "ndjson", "ws"] {
            let events = text(goodbye);
            let events: Vec<&str> = events.iter().map(String::as_str).collect();
            let answer = match via {
                "sse" => sse(&events),
                "ndjson" => ndjson(&events),
                _ => ws(&events),
            };
            let ran =
                run(&["t", "--raw", "--session", "me", "--via", via], vec![vec![answer]]).await;
            expect_failure(&ran, error);
            assert_eq!(ran.out, "m1\n", "{via}: what came before is printed");
        }
    }
    for error in ["session_taken_over", "session_deleted"] {
        let answer = refusal("409 Conflict", error);
        let words = ["t", "--session", "me", "--via", "longpoll"];
        let ran = run(&words, vec![vec![answer]]).await;
        expect_failure(&ran, &format!("no: {error} (do so)"));
    }
}

/// It fails with this error, having asked once.
#[track_caller]
fn expect_failure(ran: &Ran, error: &str) {
    assert_eq!(ran.end, End::Failed(error.to_owned()));
    assert_eq!(ran.notes, [format!("error: {error}")]);
    assert_eq!(ran.asked.len(), 1, "it does not come back: {:?}", ran.asked);
}

/// Also when the last event did not come through.
#[tokio::test]
async fn the_close_code_alone_ends_it_too() {
    let close = close_payload(CloseCode::new(4409).unwrap(), "session_taken_over");
    let mut bytes = ws(&[&event(1)]);
    let restart = 2 + close_payload(CloseCode::SERVICE_RESTART, "").len();
    bytes.truncate(bytes.len() - restart);
    bytes.extend_from_slice(frame_header(Opcode::Close, close.len(), None).as_slice());
    bytes.extend(close);
    let ran = run(&["t", "--session", "me", "--via", "ws"], vec![vec![bytes]]).await;
    expect_failure(&ran, "the server closed the connection: 4409 session_taken_over");
}

#[tokio::test]
async fn a_server_that_shuts_down_is_no_end() {
    let scripts = vec![
        vec![sse(&[READY, &event(1), GOODBYE])],
        vec![acked()],
        vec![sse(&[&event(2)])],
        vec![acked()],
    ];
    let ran = run(&[&EXPLICIT[..], &["t", "-n", "2"]].concat(), scripts).await;
    assert_eq!((ran.end, ran.out.as_str()), (End::Counted, "m1\nm2\n"));
    assert_eq!(ran.sent, ["P1", "P2"]);
}

/// A refused acknowledgement is told, and given up: it would be refused again.
#[tokio::test]
async fn what_cannot_be_acknowledged_is_told_once() {
    let scripts = vec![
        vec![sse(&[&event(1)])],
        vec![refusal("400 Bad Request", "bad_position")],
        vec![sse(&[&event(2)])],
        // A session that is not there has nothing to acknowledge; whoever reads is told.
        vec![refusal("404 Not Found", "session_unknown")],
        vec![refusal("404 Not Found", "session_unknown")],
    ];
    let ran = run(&[&EXPLICIT[..], &["t", "-n", "3"]].concat(), scripts).await;
    assert_eq!(ran.end, End::Failed("no: session_unknown (do so)".to_owned()));
    assert_eq!(ran.sent, ["P1", "P2"]);
    let lost = "the server closed the connection; trying again";
    let refused = "warning: not acknowledged: no: bad_position (do so)";
    let failed = "error: no: session_unknown (do so)";
    assert_eq!(ran.notes, [lost, refused, "connected again", lost, failed]);
}
