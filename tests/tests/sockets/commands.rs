//! `tidings.v1`: commands and their answers, right and wrong.

use serde_json::{Value, json};
use tidings_tests::{Server, Socket};
use tidings_websocket_codec::Opcode;

#[track_caller]
fn expect_failure(answer: &Value, code: u16, error: &str) {
    assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(code)), "{answer}");
    assert_eq!(answer["error"], error, "{answer}");
    assert!(answer["message"].is_string() && answer["hint"].is_string(), "{answer}");
}

#[test]
fn it_begins_with_its_name_and_its_heartbeat() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "7s")]);
    let ready = Socket::open(&server, "/ws").json();
    assert_eq!(ready, json!({"type": "ready", "protocol": "tidings.v1", "heartbeatMs": 7000}));
}

#[test]
fn every_answer_repeats_its_id() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    for id in [json!(1), json!("one"), json!(-7), json!(1.5), json!("")] {
        let answer = socket.command(&json!({"do": "ping", "id": id}));
        assert_eq!((&answer["id"], &answer["ok"]), (&id, &json!(true)));
        assert!(answer["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer}");
        let answer = socket.command(&json!({"do": "fly", "id": id}));
        assert_eq!(answer["id"], id);
        expect_failure(&answer, 400, "bad_command");
    }
    let answer = socket.command(&json!({"do": "ping"}));
    assert_eq!((answer.get("id"), &answer["ok"]), (None, &json!(true)));
}

#[test]
fn publishing_takes_what_http_takes() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    let mut publish = |more: Value| {
        let mut command = json!({"do": "publish", "id": 1, "topic": "a"});
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = socket.command(&command);
        assert_eq!(
            (&answer["id"], &answer["ok"], &answer["topic"]),
            (&json!(1), &json!(true), &json!("a")),
            "{answer}"
        );
        let event = server.get("/t/a?last=1").events().remove(0);
        assert_eq!(event["position"], answer["position"]);
        event
    };
    let text = publish(json!({"data": "hello"}));
    assert_eq!(
        (&text["data"], &text["contentType"]),
        (&json!("hello"), &json!("text/plain; charset=utf-8"))
    );
    for value in [json!({"a": [1, null]}), json!(""), json!(3), json!(false)] {
        let event = publish(json!({"data": value}));
        let kind = if value.is_string() { "text/plain; charset=utf-8" } else { "application/json" };
        assert_eq!((&event["data"], &event["contentType"]), (&value, &json!(kind)));
    }
    let bytes = publish(json!({"data": "/wA=", "encoding": "base64"}));
    assert_eq!(
        (&bytes["data"], &bytes["contentType"]),
        (&json!("/wA="), &json!("application/octet-stream"))
    );
    let all = publish(json!({
        "data": "{\"x\":1}", "type": "t", "contentType": "application/json",
        "headers": {"Reply-To": "b"}, "key": "k", "ttl": "15m", "idempotencyKey": "i",
    }));
    assert_eq!(
        (&all["data"], &all["type"], &all["key"]),
        (&json!({"x": 1}), &json!("t"), &json!("k"))
    );
    assert_eq!(all["headers"], json!({"reply-to": "b"}));
    let seconds = publish(json!({"data": "x", "ttl": 60}));
    assert_eq!(seconds["data"], "x");
    assert_eq!(server.get("/t/a").events().len(), 8);
}

#[test]
fn null_is_data_too() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    let answer = socket.command(&json!({"do": "publish", "topic": "a", "data": null}));
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(server.get("/t/a").data(), [Value::Null]);
}

#[test]
fn an_idempotency_key_works_across_transports() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    let command = json!({"do": "publish", "topic": "a", "data": "once", "idempotencyKey": "k"});
    let first = socket.command(&command);
    assert_eq!(socket.command(&command)["position"], first["position"]);
    let over_http = server.post("a", &[("Idempotency-Key", "k")], "once");
    assert_eq!(Value::from(over_http.position()), first["position"]);
    let mut other = command.clone();
    other["data"] = "twice".into();
    expect_failure(&socket.command(&other), 422, "idempotency_key_reused");
    assert_eq!(server.get("/t/a").data(), ["once"]);
}

#[test]
fn what_cannot_be_published() {
    let namespace = r#"[{match="closed/**", publish=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace), ("LIMITS_MESSAGE_BYTES", "1KiB")]);
    let mut socket = Socket::v1(&server);
    let long = "x".repeat(129);
    for (command, code, error) in [
        (json!({"topic": "a"}), 400, "bad_command"),
        (json!({"data": "x"}), 400, "bad_command"),
        (json!({"topic": "a//b", "data": "x"}), 400, "bad_topic"),
        (json!({"topic": "a/*", "data": "x"}), 400, "bad_topic"),
        (json!({"topic": "", "data": "x"}), 400, "bad_topic"),
        (json!({"topic": "closed/a", "data": "x"}), 403, "forbidden"),
        (json!({"topic": "$server", "data": "x"}), 403, "forbidden"),
        (json!({"topic": "a", "data": "x", "type": "gap"}), 400, "bad_type"),
        (json!({"topic": "a", "data": "x", "encoding": "hex"}), 400, "bad_command"),
        (json!({"topic": "a", "data": "x", "encoding": "base64"}), 400, "bad_command"),
        (json!({"topic": "a", "data": 1, "encoding": "base64"}), 400, "bad_command"),
        (json!({"topic": "a", "data": "{", "contentType": "application/json"}), 400, "bad_json"),
        (json!({"topic": "a", "data": "x", "ttl": 0}), 400, "bad_command"),
        (json!({"topic": "a", "data": "x", "ttl": "soon"}), 400, "bad_command"),
        (json!({"topic": "a", "data": "x", "key": long}), 400, "bad_command"),
        (json!({"topic": "a", "data": "x", "idempotencyKey": ""}), 400, "bad_command"),
        (json!({"topic": "a", "data": "x", "contentType": long}), 400, "bad_command"),
        (json!({"topic": "a", "data": "x", "colour": "red"}), 400, "bad_command"),
    ] {
        let mut whole = json!({"do": "publish", "id": 7});
        whole.as_object_mut().unwrap().extend(command.as_object().unwrap().clone());
        let answer = socket.command(&whole);
        expect_failure(&answer, code, error);
        if command.get("colour").is_none() {
            assert_eq!(answer["id"], 7, "{answer}");
        }
    }
    assert_eq!(server.get("/t/**?since=start").events().len(), 0);
    assert_eq!(socket.command(&json!({"do": "ping"}))["ok"], true, "and the socket stays open");
}

#[test]
fn frames_that_are_no_commands() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    for text in [
        "",
        "hello",
        "[]",
        "1",
        "null",
        "{",
        "{\"do\":1}",
        "{} {}",
        "{\"do\":\"ping\",\"id\":{}}",
        "{\"do\":\"ping\",\"id\":[1]}",
    ] {
        socket.send_text(text);
        let answer = socket.json();
        expect_failure(&answer, 400, "bad_command");
        assert_eq!(answer.get("id"), None, "{text}");
    }
    for command in [
        json!({}),
        json!({"do": ""}),
        json!({"do": "Ping"}),
        json!({"id": 1}),
        json!({"do": "ping", "extra": 1}),
    ] {
        expect_failure(&socket.command(&command), 400, "bad_command");
    }
    socket.send_frame(Opcode::Binary, b"{\"do\":\"ping\"}");
    expect_failure(&socket.json(), 400, "bad_command");
    assert_eq!(socket.command(&json!({"do": "ping"}))["ok"], true);
}

#[test]
fn many_commands_at_once_are_answered_in_order() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    for id in 0..500 {
        socket.send_json(&json!({"do": "publish", "id": id, "topic": "a", "data": id}));
    }
    for id in 0..500 {
        let answer = socket.json();
        assert_eq!((&answer["id"], &answer["ok"]), (&json!(id), &json!(true)));
    }
    let expected: Vec<Value> = (0..500).map(Value::from).collect();
    assert_eq!(server.get("/t/a?limit=1000").data(), expected);
}
