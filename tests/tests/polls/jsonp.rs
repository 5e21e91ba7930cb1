//! Answers as scripts: where they may be had, and that a request cannot put anything into them.

use serde_json::Value;
use tidings_tests::{Response, Server, request};

const OPEN: (&str, &str) = ("NAMESPACE", "[{match = \"open/**\", jsonp = true}]");

/// What a script calls its function with.
#[track_caller]
fn argument(response: &Response, callback: &str) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let text = response.text();
    let call = text.strip_prefix("/**/").and_then(|call| call.strip_prefix(callback));
    let json = call.and_then(|call| call.strip_prefix('(')?.strip_suffix(");\n"));
    let json = json.unwrap_or_else(|| panic!("not a call of {callback}: {text}"));
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

#[test]
fn a_script_says_what_a_poll_says() {
    let server = Server::with(&[OPEN]);
    let first = server.publish("open/a", "1");
    server.publish("open/a", "2");
    let poll = server.get("/t/open/a");
    let script = argument(&server.get("/t/open/a?via=jsonp&callback=a.b"), "a.b");
    assert_eq!(script["events"], poll.json()["events"]);
    assert_eq!(script["position"], poll.json()["position"]);
    assert_eq!(script["retryAfter"], 1);
    let target = format!("/t/open/a?via=jsonp&callback=f&since={first}&limit=1");
    assert_eq!(argument(&server.get(&target), "f")["events"][0]["data"], "2");
}

#[test]
fn a_held_script_waits() {
    let server = Server::with(&[OPEN]);
    let position = server.publish("open/a", "1");
    let mut wire = server.wire();
    let target = format!("/t/open/a?via=jsonp&callback=f&wait=60&since={position}");
    wire.send(request("GET", &target, &[], b""));
    server.await_connections(1);
    assert!(!wire.is_readable());
    server.publish("open/a", "2");
    let answer = argument(&wire.response("GET"), "f");
    assert_eq!(answer["events"][0]["data"], "2");
    assert_eq!(answer["retryAfter"], Value::Null);
    let target = "/t/open/b?via=jsonp&callback=f&wait=0.1";
    assert_eq!(argument(&server.get(target), "f")["events"], Value::Array(Vec::new()));
}

#[test]
fn only_what_the_operator_allows_can_be_read() {
    let server = Server::with(&[OPEN]);
    server.publish("open/a", "told");
    server.publish("closed", "untold");
    let answer = argument(&server.get("/t/closed?via=jsonp&callback=f"), "f");
    assert_eq!((&answer["status"], &answer["error"]), (&403.into(), &"forbidden".into()));
    for target in ["/t/**?via=jsonp&callback=f&since=start", "/t/*/*?via=jsonp&callback=f"] {
        let response = server.get(target);
        assert_eq!(argument(&response, "f")["events"][0]["data"], "told", "{target}");
        assert!(!response.text().contains("untold"));
    }
    // One topic of several that may not be read refuses all.
    let mixed = server.get("/t?topic=open/a&topic=closed&via=jsonp&callback=f");
    assert_eq!(argument(&mixed, "f")["error"], "forbidden");
    // A session that was begun elsewhere does not open what a script may not read.
    let begun = server.get("/t/closed?session=me&since=start&via=poll");
    assert_eq!(begun.data(), ["untold"]);
    let resumed = server.get("/t?session=me&via=jsonp&callback=f");
    assert_eq!(argument(&resumed, "f")["error"], "forbidden");
    let plain = Server::start();
    assert_eq!(argument(&plain.get("/t/a?via=jsonp&callback=f"), "f")["error"], "forbidden");
}

#[test]
fn a_callback_is_a_name_or_nothing_is_said() {
    let server = Server::with(&[OPEN]);
    let longest = "x".repeat(64);
    let long = "x".repeat(65);
    for (callback, good) in [
        ("cb", true),
        ("$._0.a", true),
        (longest.as_str(), true),
        ("", false),
        (&long, false),
        ("alert(1)", false),
        ("a;b", false),
        ("a%0Ab", false),
        ("a%0D%0ASet-Cookie:%20x=y", false),
        ("%00", false),
        ("%E2%80%A8", false),
        ("a[0]", false),
        ("%C3%A4", false),
        ("%FF", false),
        ("%3C/script%3E", false),
        ("a//", false),
    ] {
        let response = server.get(&format!("/t/open/a?via=jsonp&callback={callback}"));
        if good {
            argument(&response, callback);
        } else {
            response.expect_problem(400, "bad_callback");
            assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
            assert!(!response.text().contains("alert") && response.header("set-cookie").is_none());
        }
    }
    server.get("/t/open/a?via=jsonp").expect_problem(400, "bad_callback");
}

#[test]
fn errors_are_calls() {
    let server = Server::with(&[OPEN]);
    for (query, status, error) in [
        ("/t/open//a?", 400, "bad_topic"),
        ("/t/open/%0d%0a?", 400, "bad_topic"),
        ("/t/open/a?since=%22)%3Balert(1)//", 400, "bad_position"),
        ("/t/open/a?limit=x", 400, "bad_query"),
        ("/t/open/a?data=raw", 400, "bad_query"),
        ("/t?session=%22)%3B//", 400, "bad_session"),
        ("/t?session=nobody", 404, "session_unknown"),
    ] {
        let response = server.get(&format!("{query}&via=jsonp&callback=f"));
        let answer = argument(&response, "f");
        assert_eq!(
            (&answer["status"], &answer["error"]),
            (&status.into(), &error.into()),
            "{query}"
        );
        assert!(answer["message"].is_string() && answer["hint"].is_string());
    }
}

#[test]
fn a_script_is_never_larger_than_a_browser_bears() {
    let server = Server::with(&[OPEN]);
    let payload = "x".repeat(300_000);
    for _ in 0..8 {
        server.publish("open/a", &payload);
    }
    let mut since = "start".to_owned();
    let mut count = 0;
    while count < 8 {
        let response = server.get(&format!("/t/open/a?via=jsonp&callback=f&since={since}"));
        let answer = argument(&response, "f");
        let events = answer["events"].as_array().unwrap().len();
        assert!((1..=4).contains(&events), "{events} at once");
        count += events;
        since = answer["position"].as_str().unwrap().to_owned();
    }
    assert_eq!(count, 8);
}
