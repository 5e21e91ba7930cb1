//! What a session had not seen and the server no longer keeps: told by a gap, over every
//! transport, and to whoever is the session next.

use serde_json::{Value, json};
use tidings_tests::{Folder, Server, Via, Visit, Wish};

use crate::position;

/// Keeps little of these topics, and some of them in memory only.
const NAMESPACES: &str = r#"[
    {match = "few/**", max_messages = 3},
    {match = "brief/**", max_age = "1s"},
    {match = "memory/**", durability = "volatile"},
]"#;

#[track_caller]
fn server(folder: &Folder) -> Server {
    Server::with(&[("DATA", &folder.text()), ("NAMESPACE", NAMESPACES)])
}

/// The next item, which must be a gap.
#[track_caller]
fn gap(visit: &mut Visit, reason: &str) -> Value {
    let item = visit.read();
    assert_eq!((&item["type"], &item["reason"]), (&json!("gap"), &json!(reason)), "{item}");
    item
}

#[test]
fn what_was_trimmed_meanwhile_is_told_over_every_transport() {
    let folder = Folder::new();
    let server = server(&folder);
    for via in Visit::WAYS {
        for explicit in [false, true] {
            let name = format!("{}-{explicit}", via.name());
            let wish = Wish::new(&name);
            let begin = wish.clone().topics(&[&format!("few/{name}/**"), "other"]);
            let begin = if explicit { begin.explicit() } else { begin };
            Visit::open(&server, Via::Sse, &begin).leave(&server);
            let before = server.session(&name)["position"].clone();
            for topic in ["a", "b/c"] {
                server.publish_numbers(&format!("few/{name}/{topic}"), 0..10);
            }
            let mut visit = Visit::open(&server, via, &wish);
            let lost = gap(&mut visit, "trimmed");
            assert_eq!(lost["from"], before, "{name}");
            let mut numbers = Vec::new();
            while numbers.len() < 6 {
                match visit.read() {
                    // One for each topic, or one for both.
                    more if more["type"] == "gap" => assert_eq!(more["reason"], "trimmed"),
                    event => numbers.push(event["data"].clone()),
                }
            }
            assert_eq!(json!(numbers), json!([7, 8, 9, 7, 8, 9]), "{name}");
        }
    }
}

#[test]
fn until_it_is_acknowledged_a_gap_is_told_to_every_connection() {
    let folder = Folder::new();
    let server = server(&folder);
    let wish = Wish::new("s").topics(&["few/a"]).explicit();
    Visit::open(&server, Via::Sse, &wish).leave(&server);
    server.publish_numbers("few/a", 0..5);
    let mut last = String::new();
    for (attempt, via) in (1..).zip(Visit::WAYS) {
        let mut visit = Visit::open(&server, via, &Wish::new("s"));
        gap(&mut visit, "trimmed");
        for number in 2..5 {
            let event = visit.read();
            assert_eq!(event["data"], number, "{via:?}");
            assert_eq!(event["attempt"].as_u64().unwrap_or(1), attempt, "{via:?}");
            last = position(&event);
        }
    }
    server.ack("s", &last);
    server.publish_numbers("few/a", 5..6);
    let mut visit = Visit::open(&server, Via::Ws, &Wish::new("s"));
    assert_eq!(visit.take(1), [(json!(5), 1)]);
}

#[test]
fn all_of_a_topic_may_be_gone() {
    let folder = Folder::new();
    let server = server(&folder);
    let wish = Wish::new("s").topics(&["brief/a"]);
    Visit::open(&server, Via::Sse, &wish).leave(&server);
    server.publish_numbers("brief/a", 0..5);
    tidings_tests::until("they are too old", || {
        server.get("/t/brief/a?since=start").events().is_empty().then_some(())
    });
    let mut visit = Visit::open(&server, Via::Sse, &Wish::new("s"));
    gap(&mut visit, "trimmed");
    server.publish_numbers("brief/a", 5..6);
    assert_eq!(visit.take(1), [(json!(5), 1)]);
}

/// The log in memory is another after a restart; sessions are not.
#[test]
fn after_a_restart_a_session_of_volatile_topics_is_told_that_the_log_began_anew() {
    let folder = Folder::new();
    let mut before = server(&folder);
    for (name, topics) in [
        ("one", &["memory/a"][..]),
        ("both", &["memory/a", "kept"]),
        ("all", &["memory/**", "kept"]),
    ] {
        let wish = Wish::new(name).topics(topics).explicit();
        Visit::open(&before, Via::Ndjson, &wish).leave(&before);
    }
    before.publish("memory/a", "gone");
    before.publish("kept", "here");
    before.kill();
    let after = server(&folder);
    after.publish("memory/a", "anew");
    for name in ["one", "both", "all"] {
        for via in Visit::WAYS {
            let mut visit = Visit::open(&after, via, &Wish::new(name));
            let from = gap(&mut visit, "epoch")["from"].clone();
            assert_eq!(from, after.session(name)["position"], "{name} {via:?}");
            if name != "one" {
                assert_eq!(visit.read()["data"], "here", "{name} {via:?}");
            }
            assert_eq!(visit.read()["data"], "anew", "{name} {via:?}");
        }
        // Once it is acknowledged the gap is behind it.
        let mut visit = Visit::open(&after, Via::Sse, &Wish::new(name));
        let count = if name == "one" { 2 } else { 3 };
        let last = (0..count).map(|_| visit.read()).last().unwrap_or_default();
        after.ack(name, &position(&last));
        after.publish("memory/a", "then");
        let mut visit = Visit::open(&after, Via::V1, &Wish::new(name));
        assert_eq!(visit.read()["data"], "then", "{name}");
    }
}
