//! Several topics and wildcards in one request: every message that is wanted, once, in order.

use serde_json::Value;
use tidings_tests::{Reader, Server, Via};

const TOPICS: [&str; 7] = ["a", "a/b", "a/b/c", "a/x", "b", "c/b", "ä/ö ü"];

/// A server with one message on each of [`TOPICS`], which is its own name.
fn stocked() -> Server {
    let server = Server::start();
    for topic in TOPICS {
        let encoded: String = topic.bytes().map(|byte| format!("%{byte:02X}")).collect();
        server.publish(&encoded, topic);
    }
    server
}

#[test]
fn filters_match_whole_levels() {
    let server = stocked();
    for (target, expected) in [
        ("/t/a", &["a"][..]),
        ("/t/a/*", &["a/b", "a/x"]),
        ("/t/a/**", &["a", "a/b", "a/b/c", "a/x"]),
        ("/t/*/b", &["a/b", "c/b"]),
        ("/t/*/*/c", &["a/b/c"]),
        ("/t/*", &["a", "b"]),
        ("/t/**", &TOPICS),
        ("/t/%C3%A4/**", &["ä/ö ü"]),
        ("/t/%2a/%2A", &["a/b", "a/x", "c/b", "ä/ö ü"]),
        ("/t/nobody/**", &[]),
        ("/t?topic=b&topic=a/b", &["a/b", "b"]),
        // What several of them match comes once.
        ("/t?topic=a/**&topic=a/b&topic=*/b", &["a", "a/b", "a/b/c", "a/x", "c/b"]),
        ("/t?topic=a&topic=a", &["a"]),
        ("/t?topic=%C3%A4/%C3%B6+%C3%BC", &["ä/ö ü"]),
    ] {
        let response = server.get(target);
        assert_eq!(response.data(), expected, "{target}");
        let events = response.events();
        assert!(events.iter().all(|event| event["topic"] == event["data"]), "{target}");
        let all: Vec<Value> = server.get(&format!("{target}{}since=start", join(target))).data();
        assert_eq!(all, expected, "{target} from the start");
    }
}

fn join(target: &str) -> char {
    if target.contains('?') { '&' } else { '?' }
}

#[test]
fn filters_match_the_same_on_every_transport() {
    for via in Via::ALL {
        let server = stocked();
        let mut reader = Reader::open(&server, via, &["a/**", "*/b"], "start");
        for expected in ["a", "a/b", "a/b/c", "a/x", "c/b"] {
            assert_eq!(reader.read()["data"], expected, "{via:?}");
        }
        server.publish("d", "unwanted");
        server.publish("d/b", "wanted");
        assert_eq!(reader.read()["data"], "wanted", "{via:?}");
    }
}

#[test]
fn filters_that_are_none() {
    let server = Server::start();
    for target in [
        "/t",
        "/t/",
        "/t?topic=",
        "/t/a//b",
        "/t/a/",
        "/t/a*",
        "/t/**/a",
        "/t/a/***",
        "/t/%FF",
        "/t/a%00b",
        "/t?topic=a&topic=b//c",
        "/t/a/../b",
        "/t/.",
    ] {
        server.get(target).expect_problem(400, "bad_topic");
    }
    let many: Vec<String> = (0..257).map(|n| format!("topic={n}")).collect();
    let target = format!("/t?{}", many.join("&"));
    server.get(&target).expect_problem(400, "too_many_topics");
    let target = format!("/t?{}", many[..256].join("&"));
    assert_eq!(server.get(&target).events().len(), 0);
}

#[test]
fn what_may_not_be_read_is_not() {
    let namespace = r#"[{match="secret/**", subscribe=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    for topic in ["secret", "secret/x", "open", "open/x"] {
        server.publish(topic, topic);
    }
    for target in ["/t/secret", "/t/secret/**", "/t/secret/*/x", "/t?topic=open&topic=secret/x"] {
        for via in ["poll", "longpoll", "sse", "ndjson"] {
            let via = format!("{target}{}via={via}", join(target));
            server.get(&via).expect_problem(403, "forbidden");
        }
    }
    assert_eq!(server.get("/t/**?since=start").data(), ["open", "open/x"]);
    assert_eq!(server.get("/t/*/x").data(), ["open/x"]);
}
