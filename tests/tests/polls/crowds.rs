//! Answers that caches may keep: what makes many requests one, and what must never be kept.

use tidings_tests::{Response, Server, Wire, request};

const CACHED: (&str, &str) =
    ("NAMESPACE", "[{match = \"seen/**\", cache = \"1s\"}, {match = \"slow/**\", cache = \"1h\"}]");

fn ask(server: &Server, target: &str) -> Wire {
    let mut wire = server.wire();
    wire.send(request("GET", target, &[], b""));
    wire
}

#[track_caller]
fn control(response: &Response) -> &str {
    response.header("cache-control").unwrap_or_else(|| panic!("no control in {response:?}"))
}

#[test]
fn only_what_everything_read_allows_is_kept() {
    let server = Server::with(&[CACHED]);
    let kept = "public, max-age=1, no-transform";
    for (target, expected) in [
        ("/t/seen/a", kept),
        ("/t/seen/*?via=poll", kept),
        ("/t?topic=seen/a&topic=slow/b", kept),
        ("/t/seen/a?wait=0.1", kept),
        ("/t?topic=seen/a&topic=other", "no-cache, no-transform"),
        ("/t/**", "no-cache, no-transform"),
        ("/t/*/a?wait=0.1", "no-store, no-transform"),
        ("/t/seen/a?session=me", "no-cache, no-transform"),
        ("/t/seen/a?session=me&wait=0.1", "no-store, no-transform"),
        ("/t/seen/a?via=page", "no-cache, no-transform"),
    ] {
        assert_eq!(control(&server.get(target)), expected, "{target}");
    }
    for target in ["/t/seen//a", "/t/seen/a?limit=x", "/t?session=nobody"] {
        assert_eq!(control(&server.get(target)), "no-store, no-transform", "{target}");
    }
    assert_eq!(control(&server.post("seen/a", &[], "x")), "no-store, no-transform");
    let hour = server.get("/t/slow/a");
    let age: u64 = control(&hour)
        .strip_prefix("public, max-age=")
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap();
    assert!((1..=3600).contains(&age));
    let advised: u64 = hour.header("retry-after").unwrap().parse().unwrap();
    assert!(advised >= age.min(60), "whoever comes back earlier gets the same again");
}

#[test]
fn a_crowd_stays_together_through_empty_turns_and_events() {
    let server = Server::with(&[CACHED]);
    let begun = server.publish("seen/a", "1");
    let target = format!("/t/seen/a?via=longpoll&wait=2&since={begun}");
    // They come at different times, while the log moves on with what they do not want.
    let mut wires = Vec::new();
    for _ in 0..5 {
        wires.push(ask(&server, &target));
        server.publish("other", "x");
    }
    let answers: Vec<Response> = wires.iter_mut().map(|wire| wire.response("GET")).collect();
    let places: Vec<String> = answers.iter().map(Response::position).collect();
    let turns: Vec<&str> = places.iter().map(|place| place.split_once('~').unwrap().1).collect();
    assert!(places.iter().all(|place| place.starts_with(&format!("{begun}~"))), "{places:?}");
    // Some may have come after the others' end; but nobody is alone with a place of their own.
    let distinct: std::collections::BTreeSet<&&str> = turns.iter().collect();
    assert!(distinct.len() <= 2, "{turns:?}");

    let next = format!("/t/seen/a?via=longpoll&wait=60&since={}", places[0]);
    let mut wires = [ask(&server, &next), ask(&server, &target)];
    server.await_connections(7);
    server.publish("seen/a", "2");
    server.publish("other", "x");
    let places = wires.each_mut().map(|wire| {
        let answer = wire.response("GET");
        assert_eq!(answer.data(), ["2"]);
        answer.position()
    });
    assert_eq!(places[0], places[1]);
}

#[test]
fn a_place_with_a_turn_holds_everywhere() {
    let server = Server::with(&[CACHED]);
    let first = server.publish("seen/a", "1");
    server.publish("seen/a", "2");
    let turned = format!("{first}~18446744073709551615");
    assert_eq!(server.get(&format!("/t/seen/a?since={turned}")).data(), ["2"]);
    let header = [("Last-Event-ID", turned.as_str())];
    assert_eq!(server.ask("GET", "/t/seen/a", &header, b"").data(), ["2"]);
    let begun = server.get("/t/seen/a?session=me&ack=explicit&since=start");
    assert_eq!(begun.data(), ["1", "2"]);
    assert_eq!(server.ask("POST", "/s/me/ack", &[], turned.as_bytes()).status, 200);
    assert_eq!(server.get("/t?session=me").data(), ["2"]);
    for wrong in ["~", "~x", "~1~1", "~%0d", "~111111111111111111111"] {
        let response = server.get(&format!("/t/seen/a?since={first}{wrong}"));
        response.expect_problem(400, "bad_position");
    }
}
