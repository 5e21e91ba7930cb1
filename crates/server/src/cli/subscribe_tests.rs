//! `tidings sub` against a pretend server: every way, losses, and going on where it was.

use clap::Parser;
use tidings_websocket_codec::{CloseCode, Opcode, close_payload, frame_header};

use super::*;
use crate::cli::notes::Noted;
use crate::cli::{Cli, Command};
use crate::client::pretend::{Pretend, Script, until_close, whole};

pub(super) const READY: &str = r#"{"type":"ready","position":"P0"}"#;
pub(super) const GOODBYE: &str = r#"{"type":"goodbye","retryMs":0}"#;
const GAP: &str = r#"{"type":"gap","reason":"trimmed","from":"P1","to":"P5","position":"P5"}"#;

pub(super) fn event(n: u32) -> String {
    format!(
        "{{\"topic\":\"t\",\"position\":\"P{n}\",\"time\":\"2026-11-20T13:48:01.123Z\",\
         \"type\":\"message\",\"contentType\":\"text/plain; charset=utf-8\",\"data\":\"m{n}\"}}"
    )
}

pub(super) fn sse(events: &[&str]) -> Vec<u8> {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    until_close("text/event-stream", &body)
}

pub(super) fn ndjson(events: &[&str]) -> Vec<u8> {
    until_close("application/x-ndjson; charset=utf-8", &(events.join("\n") + "\n"))
}

pub(super) fn poll(events: &[&str], position: &str) -> Vec<u8> {
    let events = events.join(",");
    let body = format!("{{\"events\":[{events}],\"position\":\"{position}\"}}");
    whole("200 OK", "application/json", &body)
}

pub(super) fn ws(events: &[&str]) -> Vec<u8> {
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                Upgrade: websocket\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for event in events {
        bytes.extend_from_slice(frame_header(Opcode::Text, event.len(), None).as_slice());
        bytes.extend_from_slice(event.as_bytes());
    }
    let close = close_payload(CloseCode::SERVICE_RESTART, "");
    bytes.extend_from_slice(frame_header(Opcode::Close, close.len(), None).as_slice());
    bytes.extend(close);
    bytes
}

/// What came of one run.
pub(super) struct Ran {
    pub(super) end: End,
    pub(super) out: String,
    pub(super) notes: Vec<String>,
    /// Request lines.
    pub(super) asked: Vec<String>,
    /// Bodies of the requests that had one.
    pub(super) sent: Vec<String>,
}

/// Runs `tidings sub WORDS` against a server with these scripts.
pub(super) async fn run(words: &[&str], scripts: Vec<Script>) -> Ran {
    let server = Pretend::start(scripts).await;
    let url = server.url.to_string();
    let words = ["tidings", "sub", "--url", &url].into_iter().chain(words.iter().copied());
    let Command::Sub(args) = Cli::parse_from(words).command() else { unreachable!() };
    let (mut out, noted) = (Vec::new(), Noted::default());
    let (notes, stop) = (Notes::kept(&noted), Stop::when(std::future::pending()));
    let mut subscription = Subscription::new(&args, &mut out, notes, stop);
    let end = subscription.follow().await;
    subscription.settle().await;
    subscription.finish(&end);
    drop(subscription);
    let requests = server.asked();
    let bodies = requests.iter().filter(|request| !request.body.is_empty());
    Ran {
        end,
        out: String::from_utf8(out).unwrap(),
        notes: noted.lines(),
        asked: requests.iter().map(|request| request.line().to_owned()).collect(),
        sent: bodies.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect(),
    }
}

/// Every way goes on behind the last event it printed, and prints none twice.
#[tokio::test]
async fn every_way_resumes() {
    let events: Vec<String> = (0..=4).map(event).collect();
    let e = |n: usize| events[n].as_str();
    let closed = "the server closed the connection";
    // The second answer begins with what the first ended with, as a cache might do it.
    for (via, first, second, trouble) in [
        ("sse", sse(&[READY, e(1), e(2)]), sse(&[READY, e(3), e(4)]), closed),
        ("ndjson", ndjson(&[READY, e(1), e(2), ""]), ndjson(&[e(2), e(3), e(4)]), closed),
        (
            "ws",
            ws(&[READY, e(1), e(2)]),
            ws(&[e(2), e(3), e(4)]),
            "the server closed the connection: 1012",
        ),
    ] {
        let words = ["t", "--via", via, "--raw", "-n", "4"];
        let Ran { end, out, notes, asked, .. } = run(&words, vec![vec![first], vec![second]]).await;
        assert_eq!((end, out.as_str()), (End::Counted, "m1\nm2\nm3\nm4\n"), "{via}");
        let targets = ["now", "P2"].map(|since| format!("GET /t/t?via={via}&since={since}"));
        assert_eq!(asked, targets);
        let trouble = format!("{trouble}; trying again");
        assert_eq!(notes, [&trouble, "connected again", "received 4 events, last position P4"]);
    }
}

#[tokio::test]
async fn polls_go_on_from_answer_to_answer() {
    for (via, more) in [("poll", "&limit=1000"), ("longpoll", "&limit=1000&wait=30")] {
        let answers = vec![
            poll(&[], "P0"),
            poll(&[&event(1), GAP], "P6"),
            poll(&[&event(7), &event(8)], "P9"),
        ];
        let words = ["t", "--via", via, "--interval", "0", "--json", "-n", "2"];
        let ran = run(&words, vec![answers]).await;
        assert_eq!(ran.end, End::Counted);
        assert_eq!(ran.out, format!("{}\n{GAP}\n{}\n", event(1), event(7)));
        let targets =
            ["now", "P0", "P6"].map(|since| format!("GET /t/t?via={via}&since={since}{more}"));
        assert_eq!(ran.asked, targets);
        assert_eq!(
            ran.notes,
            [
                "warning: what came between P1 and P5 is gone: the server does not keep it so \
                 long; going on behind it",
                // Not that of the answer, whose last event was not printed.
                "received 2 events, last position P7",
            ]
        );
    }
}

#[tokio::test]
async fn a_full_poll_is_followed_by_another_at_once() {
    let events: Vec<String> = (1..=1000).map(event).collect();
    let full: Vec<&str> = events.iter().map(String::as_str).collect();
    let answers = vec![poll(&full, "P1000"), poll(&[&event(1001)], "P1001")];
    let words = ["t", "--via", "poll", "--interval", "7d", "--raw", "-n", "1001"];
    let ran = run(&words, vec![answers]).await;
    assert_eq!((ran.end, ran.out.lines().count()), (End::Counted, 1001));
}

#[tokio::test]
async fn where_to_begin() {
    let position = tidings_model::Position::default().to_string();
    for (words, target) in [
        (vec!["a", "b/**"], "/t?topic=a&topic=b/**&via=sse&since=now".to_owned()),
        (vec!["ä", "--since", "start"], "/t/%C3%A4?via=sse&since=start".to_owned()),
        (vec!["a", "--since", &position], format!("/t/a?via=sse&since={position}")),
        (vec!["a", "--last", "5"], "/t/a?via=sse&last=5".to_owned()),
    ] {
        let words = [&words[..], &["-n", "1"]].concat();
        let ran = run(&words, vec![vec![sse(&[&event(1)])]]).await;
        assert_eq!(ran.asked, [format!("GET {target}")]);
        assert_eq!(ran.out, "13:48:01.123 t message m1\n");
    }
}

#[tokio::test]
async fn what_is_known_from_ready_and_heartbeats_is_resumed_from() {
    let heartbeat = r#"{"type":"heartbeat","position":"P1","time":"2026-11-20T13:48:01.123Z"}"#;
    let scripts =
        [sse(&[READY]), sse(&[READY, heartbeat]), sse(&[&event(2)])].map(|answer| vec![answer]);
    let ran = run(&["t", "--last", "3", "-n", "1"], scripts.into()).await;
    assert_eq!(
        ran.asked,
        ["last=3", "since=P0", "since=P1"].map(|place| format!("GET /t/t?via=sse&{place}"))
    );
}

#[tokio::test]
async fn a_goodbye_is_no_trouble() {
    let scripts = vec![vec![sse(&[READY, GOODBYE])], vec![sse(&[READY, &event(1)])]];
    let ran = run(&["t", "-n", "1"], scripts).await;
    assert_eq!(
        ran.notes,
        [
            "the server shuts down; coming back in 0.0 s",
            "connected again",
            "received 1 event, last position P1",
        ]
    );
}

#[tokio::test]
async fn a_stream_that_breaks_in_an_event() {
    let text = event(2);
    let cut = format!("data: {}\n\ndata: {}", event(1), &text[..20]);
    let scripts = vec![
        vec![until_close("text/event-stream", &cut)],
        vec![whole("503 Service Unavailable", "text/plain", "no")],
        vec![sse(&[&event(2)])],
    ];
    let ran = run(&["t", "--raw", "-n", "2"], scripts).await;
    assert_eq!(ran.out, "m1\nm2\n");
    assert_eq!(ran.asked[1..], ["GET /t/t?via=sse&since=P1", "GET /t/t?via=sse&since=P1"]);
    assert_eq!(
        ran.notes[..2],
        [
            "the server closed the connection; trying again",
            "the server answered 503 Service Unavailable \
             (not an answer of Tidings; is the URL right?); trying again",
        ]
    );
}

#[tokio::test]
async fn what_is_final() {
    let refusal = r#"{"error":"bad_position","message":"no position","hint":"ask for now"}"#;
    for (answer, error) in [
        (whole("400 Bad Request", "application/json", refusal), "no position (ask for now)"),
        (
            whole("200 OK", "text/html; charset=utf-8", "<html>"),
            "this is no Tidings server: it answers with text/html, not text/event-stream \
             (is the URL right?)",
        ),
        (
            sse(&["hello"]),
            "the server sent something that is no event: expected value at line 1 column 1",
        ),
    ] {
        let ran = run(&["t"], vec![vec![answer]]).await;
        assert_eq!(ran.end, End::Failed(error.to_owned()));
        assert_eq!(ran.notes, [format!("error: {error}")]);
    }
}

fn args(server: &Pretend) -> SubArgs {
    let url = server.url.to_string();
    let words = ["tidings", "sub", "--url", &url, "t"];
    let Command::Sub(args) = Cli::parse_from(words).command() else { unreachable!() };
    args
}

#[tokio::test]
async fn a_closed_output_ends_it_quietly() {
    let server = Pretend::start(vec![vec![sse(&[&event(1), &event(2)])]]).await;
    let (args, noted) = (args(&server), Noted::default());
    let stop = Stop::when(std::future::pending());
    let (shown, out) = tokio::io::duplex(30);
    drop(shown);
    let mut subscription = Subscription::new(&args, out, Notes::kept(&noted), stop);
    let end = subscription.follow().await;
    subscription.finish(&end);
    assert_eq!((end, noted.lines()), (End::Unread, vec![]));
}

#[tokio::test]
async fn a_silent_stream_is_dead() {
    // A whole head and no more: the body is announced and never comes.
    let silent = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Content-Length: 100\r\n\r\n"
        .to_vec();
    let server = Pretend::holding(vec![vec![silent], vec![sse(&[&event(1)])]]).await;
    let (mut args, noted) = (args(&server), Noted::default());
    args.count = Some(1);
    let (notes, stop) = (Notes::kept(&noted), Stop::when(std::future::pending()));
    let mut subscription = Subscription::new(&args, Vec::new(), notes, stop);
    subscription.silence = Duration::from_millis(50);
    assert_eq!(subscription.follow().await, End::Counted);
    assert_eq!(noted.lines(), ["no answer within 0 s; trying again", "connected again"]);
}

#[tokio::test]
async fn the_wish_to_stop_ends_it_with_what_was_printed() {
    let held = until_close("text/event-stream", &format!("data: {}\n\n", event(1)));
    let server = Pretend::holding(vec![vec![held]]).await;
    let (args, noted) = (args(&server), Noted::default());
    let (mut shown, out) = tokio::io::duplex(1024);
    let stop = Stop::when(async move {
        let mut line = [0; 26];
        tokio::io::AsyncReadExt::read_exact(&mut shown, &mut line).await.unwrap();
        assert_eq!(&line, b"13:48:01.123 t message m1\n");
    });
    let mut subscription = Subscription::new(&args, out, Notes::kept(&noted), stop);
    let end = subscription.follow().await;
    assert_eq!(end, End::Stopped);
    subscription.finish(&end);
    assert_eq!(noted.lines(), ["received 1 event, last position P1"]);
}
