//! Polls with conditions: a tag spares what is known, and tells a held poll what to wait for.

use serde_json::json;
use tidings_tests::{Server, Wire, request};

fn ask(server: &Server, target: &str, tag: &str) -> Wire {
    let mut wire = server.wire();
    wire.send(request("GET", target, &[("If-None-Match", tag)], b""));
    wire
}

#[track_caller]
fn tag(response: &tidings_tests::Response) -> String {
    response.header("etag").unwrap_or_else(|| panic!("no tag in {response:?}")).to_owned()
}

#[test]
fn a_held_poll_waits_until_the_answer_is_another() {
    let server = Server::start();
    let target = "/t/news?last=2&wait=60";
    server.publish("news", "1");
    let mut seen = tag(&server.get(target));
    for number in 2..6 {
        let mut wire = ask(&server, target, &seen);
        server.publish("other", "x");
        assert!(!wire.is_readable(), "it answered before there was news");
        server.publish("news", number.to_string());
        let response = wire.response("GET");
        let expected = [number - 1, number].map(|n: u32| json!(n.to_string()));
        assert_eq!(response.data(), expected);
        seen = tag(&response);
        // A poll of the same events that is not held has the same tag.
        assert_eq!(tag(&server.get("/t/news?last=2")), seen);
    }
}

#[test]
fn nothing_new_costs_no_body() {
    let server = Server::start();
    let position = server.publish("news", "1");
    let target = format!("/t/news?since={position}&wait=0.2");
    let empty = server.get(&target);
    assert_eq!(empty.events().len(), 0);
    for tags in [tag(&empty), format!("\"x\", {}", tag(&empty))] {
        let response = ask(&server, &target, &tags).response("GET");
        assert_eq!((response.status, response.body.len()), (304, 0));
        assert_eq!(response.header("tidings-position"), Some(position.as_str()));
    }
    // The connection is good for more after an answer without a body.
    let mut wire = ask(&server, &target, &tag(&empty));
    assert_eq!(wire.response("GET").status, 304);
    assert_eq!(wire.ask("GET", "/t/news", &[], b"").data(), ["1"]);
}

#[test]
fn a_tag_is_never_taken_for_a_position() {
    let server = Server::start();
    let first = server.publish("news", "1");
    server.publish("news", "2");
    for tag in [format!("\"{first}\""), format!("W/\"{first}\""), "\"\r".to_owned()] {
        let response = ask(&server, "/t/news?wait=0.1&since=start", tag.trim_end()).response("GET");
        assert_eq!(response.data(), ["1", "2"], "{tag}");
    }
}

#[test]
fn strange_tags_do_no_harm() {
    let server = Server::start();
    server.publish("news", "1");
    let long = format!("\"{}\"", "x".repeat(8000));
    let many = "\"a\",".repeat(1500);
    for tags in [",,,", "W/", "\"", "*,", "\u{e4}", &long, &many] {
        assert_eq!(ask(&server, "/t/news", tags).response("GET").data(), ["1"], "{tags:.20}");
    }
}

#[test]
fn advice_grows_with_silence_and_stays_within_the_operators_bounds() {
    let server = Server::with(&[("TIMES_POLL_MIN", "3s"), ("TIMES_POLL_MAX", "7s")]);
    let advice = |target: &str| server.get(target).header("retry-after").map(str::to_owned);
    assert_eq!(advice("/t/news").as_deref(), Some("7"), "nothing has ever been there");
    let position = server.publish("news", "1");
    for target in
        ["/t/news".to_owned(), format!("/t/news?since={position}"), "/t/*?last=1".to_owned()]
    {
        assert_eq!(advice(&target).as_deref(), Some("3"), "{target}");
    }
    let tag = tag(&server.get("/t/news"));
    let known = ask(&server, "/t/news", &tag).response("GET");
    assert_eq!((known.status, known.header("retry-after")), (304, Some("3")));
}
