//! `tidings pub` against a pretend server: what goes over the wire, and what is tried again.

use clap::Parser;

use super::*;
use crate::cli::notes::Noted;
use crate::cli::{Cli, Command};
use crate::client::pretend::{Pretend, Request, whole};

/// Runs `tidings pub WORDS` against the server; the result, or its error, and the notes.
async fn run(server: &Pretend, words: &[&str]) -> (Result<(), String>, Vec<String>) {
    let url = server.url.to_string();
    let words = ["tidings", "pub", "--url", &url].into_iter().chain(words.iter().copied());
    let Command::Pub(args) = Cli::parse_from(words).command() else { unreachable!() };
    let noted = Noted::default();
    let mut notes = Notes::kept(&noted);
    let result = publish(&args, &mut notes).await.map_err(|error| error.to_string());
    (result, noted.lines())
}

fn created() -> Vec<u8> {
    whole("201 Created", "application/json", "{\"topic\":\"t\",\"position\":\"EQA\",\"count\":1}\n")
}

fn busy() -> Vec<u8> {
    let body = r#"{"error":"shutting_down","message":"the server shuts down","hint":"try again"}"#;
    whole("503 Service Unavailable", "application/json", body)
}

fn key(request: &Request) -> &str {
    request.header("idempotency-key").unwrap()
}

#[tokio::test]
async fn one_message() {
    let server = Pretend::start(vec![vec![created()]]).await;
    let words = ["ä/b c", "grüße", "--type", "a b", "--ttl", "2m", "--key", "k&ä"];
    let words = [&words[..], &["--header", "X-Who=ä", "--header", "n=1=2"]].concat();
    let (result, notes) = run(&server, &words).await;
    assert_eq!((result, notes), (Ok(()), vec!["published t EQA".to_owned()]));
    let asked = server.asked();
    assert_eq!(asked[0].line(), "POST /t/%C3%A4/b%20c?type=a%20b&key=k%26%C3%A4&ttl=120");
    assert_eq!(asked[0].body, "grüße".as_bytes());
    for (name, value) in [
        ("content-type", Some("text/plain; charset=utf-8")),
        ("tidings-header-x-who", Some("ä")),
        ("tidings-header-n", Some("1=2")),
        ("tidings-batch", None),
        ("host", Some(server.url.authority.as_str())),
    ] {
        assert_eq!(asked[0].header(name), value, "{name}");
    }
}

#[tokio::test]
async fn content_types() {
    let directory = std::env::temp_dir();
    for (name, bytes, given, expected) in [
        ("a.json", &b"{}"[..], None, "application/json"),
        ("a.JSON", b"{}", None, "application/json"),
        ("a.txt", b"x", None, "text/plain; charset=utf-8"),
        ("a.png", b"\xff", None, "application/octet-stream"),
        ("a.json", b"{}", Some("text/csv"), "text/csv"),
    ] {
        let path = directory.join(format!("tidings-pub-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let server = Pretend::start(vec![vec![created()]]).await;
        let mut words = vec!["t", "--file", path.to_str().unwrap(), "-q"];
        words.extend(given.iter().flat_map(|given| ["--content-type", given]));
        assert_eq!(run(&server, &words).await, (Ok(()), vec![]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(server.asked()[0].header("content-type"), Some(expected), "{name}");
        assert_eq!(server.asked()[0].body, bytes);
    }
}

#[tokio::test]
async fn a_batch_is_tried_again_under_the_same_key() {
    let lines = (1..=1500).map(|n| format!("{n}\n")).collect::<String>();
    // The first batch: no answer at all, then busy, then taken. The second: taken at once.
    let server = Pretend::start(vec![vec![vec![]], vec![busy(), created(), created()]]).await;
    let (result, notes) = run(&server, &["t", "-n", &lines]).await;
    assert_eq!(result, Ok(()));
    let asked = server.asked();
    let [lost, refused, taken, second] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((key(lost), key(refused)), (key(taken), key(taken)));
    assert_ne!(key(taken), key(second));
    assert_eq!((&lost.body, &refused.body), (&taken.body, &taken.body));
    assert_eq!([&taken.body[..], &second.body].concat(), lines.as_bytes());
    for request in &asked {
        assert_eq!(request.header("tidings-batch"), Some("lines"));
        assert_eq!(request.header("content-type"), None);
    }
    assert_eq!(notes.len(), 2, "{notes:?}");
    let trouble = "connection lost: connection closed before message completed";
    assert_eq!(notes[0], format!("{trouble}; trying again for up to 30s"));
    assert!(notes[1].starts_with("published 1500 messages to t in 0."), "{notes:?}");
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced_without_a_word() {
    let lines = (1..=1500).map(|n| format!("{n}\n")).collect::<String>();
    let server = Pretend::start(vec![vec![created()], vec![created()]]).await;
    let (result, notes) = run(&server, &["t", "-n", "--retry", "0", &lines]).await;
    assert_eq!((result, notes.len()), (Ok(()), 1), "{notes:?}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again() {
    let refusal = r#"{"error":"bad_json","message":"message 3 is not JSON","hint":"mend it"}"#;
    let refusal = || whole("400 Bad Request", "application/json", refusal);
    let server = Pretend::start(vec![vec![refusal()]]).await;
    let (result, notes) = run(&server, &["t", "x"]).await;
    assert_eq!((result, notes), (Err("message 3 is not JSON (mend it)".to_owned()), vec![]));

    let lines = "x\n".repeat(1001);
    let server = Pretend::start(vec![vec![created(), refusal()]]).await;
    let (result, notes) = run(&server, &["t", "-n", &lines]).await;
    assert_eq!(result, Err("message 3 is not JSON (mend it)".to_owned()));
    let told = "published 1000 messages; of the input from line 1001 on nothing is known to be";
    assert_eq!(notes, [told]);
}

#[tokio::test]
async fn a_single_message_is_not_tried_again_unless_asked_to() {
    let server = Pretend::start(vec![vec![busy()]]).await;
    let (result, _) = run(&server, &["t", "x"]).await;
    assert_eq!(result, Err("the server shuts down (try again)".to_owned()));

    let server = Pretend::start(vec![vec![busy(), created()]]).await;
    let (result, notes) = run(&server, &["t", "x", "--retry", "1m"]).await;
    assert_eq!(result, Ok(()));
    assert_eq!(
        notes,
        ["the server shuts down (try again); trying again for up to 1m", "published t EQA"]
    );
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let server = Pretend::start(vec![]).await;
    // Once the pretend server has nothing left to do, its port is closed.
    while tokio::net::TcpStream::connect(server.url.authority.as_str()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let (result, _) = run(&server, &["t", "x"]).await;
    let error = result.unwrap_err();
    assert!(error.starts_with("cannot connect to http://127.0.0.1:"), "{error}");
    assert!(error.ends_with(" (is the server running there?)"), "{error}");
}

#[tokio::test]
async fn something_that_is_no_tidings() {
    for (answer, error) in [
        (
            whole("404 Not Found", "text/html", "<html>"),
            "the server answered 404 Not Found (not an answer of Tidings; is the URL right?)",
        ),
        (
            whole("200 OK", "text/html", "<html>"),
            "this is no Tidings server: expected value at line 1 column 1 (is the URL right?)",
        ),
    ] {
        let server = Pretend::start(vec![vec![answer]]).await;
        assert_eq!(run(&server, &["t", "x"]).await.0, Err(error.to_owned()));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there() {
    let server = Pretend::start(vec![]).await;
    let (result, _) = run(&server, &["t", "-f", "/nowhere/x"]).await;
    assert!(result.unwrap_err().starts_with("cannot open /nowhere/x: "));
}
