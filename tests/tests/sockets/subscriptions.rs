//! `tidings.v1`: subscriptions, each a reader of its own, with a result code for each topic.

use serde_json::{Value, json};
use tidings_tests::{Server, Socket};

#[test]
fn each_topic_has_its_own_result() {
    let namespace = r#"[{match="closed/**", subscribe=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    let mut socket = Socket::v1(&server);
    let topics = json!(["a", "closed/x", "b/**", "bad//name", "closed/**", "c*"]);
    let answer = socket.command(&json!({"do": "subscribe", "id": 1, "sub": "s", "topics": topics}));
    assert_eq!(
        (&answer["id"], &answer["ok"], &answer["sub"]),
        (&json!(1), &json!(true), &json!("s"))
    );
    assert!(answer["position"].is_string());
    let results = answer["topics"].as_array().unwrap();
    let named: Vec<&Value> = results.iter().map(|result| &result["topic"]).collect();
    assert_eq!(named, topics.as_array().unwrap().iter().collect::<Vec<_>>(), "in their order");
    let codes: Vec<&Value> = results.iter().map(|result| &result["code"]).collect();
    assert_eq!(codes, [200, 403, 200, 400, 403, 400]);
    for (result, error) in results.iter().zip([
        None,
        Some("forbidden"),
        None,
        Some("bad_topic"),
        Some("forbidden"),
        Some("bad_topic"),
    ]) {
        assert_eq!(result["error"].as_str(), error, "{result}");
        assert_eq!(result["hint"].is_string(), error.is_some(), "{result}");
    }
    for topic in ["closed/x", "a", "b", "c", "b/c"] {
        server.publish(topic, topic);
    }
    for topic in ["a", "b", "b/c"] {
        let delivery = socket.json();
        assert_eq!((&delivery["sub"], &delivery["event"]["data"]), (&json!("s"), &json!(topic)));
    }
}

#[test]
fn it_fails_only_when_no_topic_could_be_subscribed() {
    let namespace = r#"[{match="closed/**", subscribe=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    let mut socket = Socket::v1(&server);
    for (topics, codes) in [
        (json!(["closed/x"]), json!([403])),
        (json!(["bad//name"]), json!([400])),
        (json!(["bad//name", "*x"]), json!([400, 400])),
        (json!(["bad//name", "closed/x"]), json!([400, 403])),
    ] {
        let command = json!({"do": "subscribe", "id": 1, "sub": "s", "topics": topics});
        let answer = socket.command(&command);
        assert_eq!((&answer["ok"], &answer["id"]), (&json!(false), &json!(1)), "{answer}");
        let results: Vec<Value> =
            answer["topics"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
        assert_eq!(Value::from(results), codes);
        assert!(answer["error"].is_string() && answer["code"].is_number(), "{answer}");
    }
    let free = socket.command(&json!({"do": "subscribe", "sub": "s", "topics": ["a"]}));
    assert_eq!(free["ok"], true, "the name was not used up: {free}");
}

#[test]
fn subscriptions_are_independent_readers() {
    let server = Server::start();
    server.publish_numbers("a", 0..3);
    let mut socket = Socket::v1(&server);
    let subscribe = |sub: &str, topics: Value, more: Value| {
        let mut command = json!({"do": "subscribe", "sub": sub, "topics": topics});
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        command
    };
    assert_eq!(socket.command(&subscribe("live", json!(["a", "a"]), json!({})))["ok"], true);
    assert_eq!(socket.command(&subscribe("old", json!(["*"]), json!({"last": 2})))["ok"], true);
    for number in [1, 2] {
        let delivery = socket.json();
        assert_eq!((&delivery["sub"], &delivery["event"]["data"]), (&json!("old"), &json!(number)));
    }
    server.publish_numbers("a", 3..4);
    let mut both = [socket.json(), socket.json()];
    both.sort_by_key(|delivery| delivery["sub"].to_string());
    assert_eq!((&both[0]["sub"], &both[1]["sub"]), (&json!("live"), &json!("old")));
    assert_eq!(both[0]["event"], both[1]["event"], "each delivers it");

    let answer = socket.command(&json!({"do": "unsubscribe", "id": 2, "sub": "live"}));
    assert_eq!(answer, json!({"id": 2, "ok": true}));
    server.publish_numbers("a", 4..6);
    for number in [4, 5] {
        let delivery = socket.json();
        assert_eq!((&delivery["sub"], &delivery["event"]["data"]), (&json!("old"), &json!(number)));
    }
    let again = subscribe("live", json!(["a"]), json!({"since": both[0]["event"]["position"]}));
    assert_eq!(socket.command(&again)["ok"], true, "the name is free again");
    for number in [4, 5] {
        let delivery = socket.json();
        assert_eq!(
            (&delivery["sub"], &delivery["event"]["data"]),
            (&json!("live"), &json!(number))
        );
    }
}

#[test]
fn names_are_given_when_none_is() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    let mut names = Vec::new();
    for sub in [json!("0"), json!("2"), Value::Null, Value::Null, Value::Null] {
        let answer = socket.command(&json!({"do": "subscribe", "sub": sub, "topics": ["a"]}));
        assert_eq!(answer["ok"], true, "{answer}");
        let name = answer["sub"].as_str().unwrap().to_owned();
        assert!(!names.contains(&name), "{name} twice");
        names.push(name);
    }
    server.publish("a", "x");
    let mut heard: Vec<String> =
        (0..5).map(|_| socket.json()["sub"].as_str().unwrap().to_owned()).collect();
    heard.sort();
    names.sort();
    assert_eq!(heard, names);
}

#[test]
fn what_cannot_be_subscribed() {
    let server = Server::with(&[("LIMITS_SUBSCRIPTIONS", "2")]);
    let mut socket = Socket::v1(&server);
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    assert_eq!(
        socket.command(&json!({"do": "subscribe", "sub": "s", "topics": ["a"]}))["ok"],
        true
    );
    for (command, error) in [
        (json!({"do": "subscribe", "sub": "s", "topics": ["b"]}), "bad_command"),
        (json!({"do": "subscribe", "sub": "", "topics": ["b"]}), "bad_command"),
        (json!({"do": "subscribe", "sub": "x".repeat(65), "topics": ["b"]}), "bad_command"),
        (json!({"do": "subscribe", "topics": []}), "bad_command"),
        (json!({"do": "subscribe"}), "bad_command"),
        (json!({"do": "subscribe", "topics": many}), "too_many_topics"),
        (json!({"do": "subscribe", "topics": ["b"], "since": "then"}), "bad_position"),
        (json!({"do": "subscribe", "topics": ["b"], "since": "now", "last": 1}), "bad_query"),
        (json!({"do": "subscribe", "topics": ["b"], "last": 0}), "bad_query"),
        (json!({"do": "subscribe", "topics": ["b"], "slow": "very"}), "bad_query"),
        (json!({"do": "subscribe", "topics": ["b"], "window": 0}), "bad_command"),
        (json!({"do": "subscribe", "topics": ["b"], "window": 10001}), "bad_command"),
        (json!({"do": "subscribe", "topics": ["b"], "sinse": "start"}), "bad_command"),
        (json!({"do": "subscribe", "topics": "b"}), "bad_command"),
        (json!({"do": "unsubscribe"}), "bad_command"),
        (json!({"do": "unsubscribe", "sub": "other"}), "bad_command"),
        (json!({"do": "ack", "sub": "other", "position": "x"}), "bad_command"),
        (json!({"do": "ack", "sub": "s"}), "bad_command"),
        (json!({"do": "ack", "sub": "s", "position": "x"}), "bad_position"),
    ] {
        let answer = socket.command(&command);
        assert_eq!(
            (&answer["ok"], &answer["error"]),
            (&json!(false), &json!(error)),
            "{command}: {answer}"
        );
    }
    assert_eq!(socket.command(&json!({"do": "subscribe", "topics": ["b"]}))["ok"], true);
    let third = socket.command(&json!({"do": "subscribe", "topics": ["c"]}));
    assert_eq!((&third["ok"], &third["error"]), (&json!(false), &json!("too_many_topics")));
}
