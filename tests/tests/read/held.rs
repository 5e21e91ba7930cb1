//! Long polling: held until there is something to say, and never longer than allowed.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use tidings_tests::{Server, Wire, request, until};

/// Time that a busy machine may add to any answer.
const SLACK: Duration = Duration::from_secs(8);

#[track_caller]
fn ask(server: &Server, target: &str) -> Wire {
    let mut wire = server.wire();
    wire.send(request("GET", target, &[], b""));
    wire
}

#[test]
fn an_event_ends_the_wait() {
    let server = Server::start();
    for target in
        ["/t/a?wait=60", "/t/a?via=longpoll", "/t/*?wait=60", "/t?topic=x&topic=a&wait=60"]
    {
        let begun = Instant::now();
        let mut wire = ask(&server, target);
        // Nothing tells from when on it listens, so something is published until it has heard.
        let positions = RefCell::new(Vec::new());
        until("the answer comes", || {
            positions.borrow_mut().push(server.publish("a", "now"));
            wire.is_readable().then_some(())
        });
        let response = wire.response("GET");
        let events = response.events();
        assert_eq!(events[0]["data"], "now");
        assert!(positions.borrow().contains(&response.position()), "{target}");
        assert!(begun.elapsed() < SLACK, "{target}");
        assert_eq!(response.header("cache-control"), Some("no-store, no-transform"));
        assert_eq!(response.header("retry-after"), None);
    }
}

#[test]
fn what_others_publish_does_not() {
    let server = Server::start();
    let position = server.publish("a/b", "before");
    let mut wire = ask(&server, &format!("/t/a/*?wait=60&since={position}"));
    server.await_connections(1);
    for topic in ["b", "a", "a/b/c"] {
        server.publish(topic, "unwanted");
    }
    server.publish("a/b", "wanted");
    assert_eq!(wire.response("GET").data(), ["wanted"]);
}

#[test]
fn its_time_ends_the_wait() {
    let server = Server::start();
    let position = server.publish("a", "before");
    let begun = Instant::now();
    let response = ask(&server, "/t/a?wait=0.4").response("GET");
    let took = begun.elapsed();
    assert_eq!((response.events().len(), response.position()), (0, position));
    assert!((Duration::from_millis(390)..SLACK).contains(&took), "{took:?}");
}

#[test]
fn the_operator_caps_the_wait() {
    let server = Server::with(&[("TIMES_LONG_POLL_MAX", "1s")]);
    for target in ["/t/a?wait=50", "/t/a?via=longpoll"] {
        let begun = Instant::now();
        let response = ask(&server, target).response("GET");
        assert!(response.events().is_empty());
        let took = begun.elapsed();
        assert!((Duration::from_millis(990)..SLACK).contains(&took), "{target}: {took:?}");
    }
}

#[test]
fn what_is_there_is_not_waited_for() {
    let server = Server::start();
    let first = server.publish("a", "1");
    server.publish("a", "2");
    for (query, expected) in [
        (format!("since={first}"), &["2"][..]),
        ("since=start".to_owned(), &["1", "2"]),
        ("last=1".to_owned(), &["2"]),
        ("since=start&limit=1".to_owned(), &["1"]),
    ] {
        let response = ask(&server, &format!("/t/a?wait=60&{query}")).response("GET");
        assert_eq!(response.data(), expected, "{query}");
    }
    let response = ask(&server, "/t/a?wait=0").response("GET");
    assert!(response.events().is_empty(), "from now on, and at once");
}

#[test]
fn the_connection_serves_on_after_a_wait() {
    let server = Server::start();
    let mut wire = server.wire();
    let mut position = wire.ask("GET", "/t/a?since=now", &[], b"").position();
    for number in 0..20 {
        let target = format!("/t/a?wait=60&since={position}");
        wire.send(request("GET", &target, &[], b""));
        server.publish("a", number.to_string());
        let response = wire.response("GET");
        assert_eq!(response.data(), [number.to_string()]);
        position = response.position();
        assert_eq!(wire.ask("POST", "/t/b", &[], b"x").status, 201);
    }
}

#[test]
fn a_client_that_leaves_is_forgotten() {
    let server = Server::start();
    let wires: Vec<Wire> = (0..5).map(|_| ask(&server, "/t/a?wait=60")).collect();
    server.await_connections(5);
    drop(wires);
    server.await_connections(0);
}
