//! Many messages in one request: all of them are stored, or none.

use serde_json::json;
use tidings_tests::{Response, Server};

const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

#[track_caller]
fn expect_count(response: &Response, count: u32) {
    assert_eq!((response.status, &response.json()["count"]), (201, &json!(count)), "{response:?}");
}

#[test]
fn each_line_of_ndjson_is_a_message() {
    let server = Server::start();
    let response = server.post("a", &[NDJSON], "{\"n\":1}\n\n\"two\"\r\n 3 \nnull");
    expect_count(&response, 4);
    let events = server.get("/t/a").events();
    let data: Vec<_> = events.iter().map(|event| event["data"].clone()).collect();
    assert_eq!(data, [json!({"n": 1}), json!("two"), json!(3), json!(null)]);
    assert!(events.iter().all(|event| event["contentType"] == "application/json"));
    assert_eq!(events[3]["position"], response.position());
}

#[test]
fn each_line_of_text_is_a_message() {
    let server = Server::start();
    let header = [("Tidings-Batch", "lines"), ("Tidings-Type", "line"), ("Tidings-Header-N", "1")];
    expect_count(&server.post("a", &header, "one\n\ntwo\r\nthrée\n"), 3);
    expect_count(&server.post("a?batch=lines&type=line", &[], b"four\n\xff\n"), 2);
    let events = server.get("/t/a").events();
    let data: Vec<_> = events.iter().map(|event| event["data"].as_str().unwrap()).collect();
    assert_eq!(data, ["one", "two", "thrée", "four", "/w=="]);
    assert!(events.iter().all(|event| event["type"] == "line"));
    assert!(events[..3].iter().all(|event| event["headers"] == json!({"n": "1"})));
    assert_eq!(events[4]["contentType"], "application/octet-stream", "each line for itself");
}

#[test]
fn a_declared_type_is_that_of_each_line() {
    let server = Server::start();
    let headers = [("Tidings-Batch", "lines"), ("Content-Type", "application/json")];
    expect_count(&server.post("a", &headers, "1\n[2]\n"), 2);
    assert_eq!(server.get("/t/a").data(), [json!(1), json!([2])]);
    server.post("a", &headers, "1\n[2\n").expect_problem(400, "bad_json");
}

#[test]
fn one_bad_line_and_nothing_is_stored() {
    let server = Server::start();
    let body = "1\n2\n{\"open\":\n4\n";
    let response = server.post("a", &[NDJSON], body);
    response.expect_problem(400, "bad_json");
    let message = response.json()["message"].to_string();
    assert!(message.contains("message 3"), "which one? {message}");
    assert_eq!(server.get("/t/**?since=start").events().len(), 0);
}

#[test]
fn one_line_too_long_and_nothing_is_stored() {
    let server = Server::with(&[("LIMITS_MESSAGE_BYTES", "10")]);
    let body = "short\nmuch too long\nshort\n";
    let response = server.post("a?batch=lines", &[], body);
    response.expect_problem(413, "too_large");
    assert_eq!(server.get("/t/**?since=start").events().len(), 0);
}

#[test]
fn a_batch_has_a_first_and_a_last_message() {
    let server = Server::with(&[("LIMITS_BATCH_MESSAGES", "3")]);
    expect_count(&server.post("a?batch=lines", &[], "1\n2\n3\n"), 3);
    server.post("a?batch=lines", &[], "1\n2\n3\n4\n").expect_problem(413, "too_large");
    for body in ["", "\n\r\n\n"] {
        server.post("a?batch=lines", &[], body).expect_problem(400, "bad_batch");
        server.post("a", &[NDJSON], body).expect_problem(400, "bad_batch");
    }
    server.post("a?batch=words", &[], "1").expect_problem(400, "bad_batch");
    server.post("a", &[("Tidings-Batch", "")], "1").expect_problem(400, "bad_batch");
    assert_eq!(server.get("/t/a").data(), ["1", "2", "3"]);
}

#[test]
fn a_batch_lies_together() {
    let server = Server::start();
    let line = |who: usize| format!("{who}\n").repeat(50);
    std::thread::scope(|scope| {
        for who in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for _ in 0..5 {
                    expect_count(&server.post("a?batch=lines", &[], line(who)), 50);
                }
            });
        }
    });
    let data = server.get("/t/a?since=start&limit=1000").data();
    assert_eq!(data.len(), 1000);
    assert!(data.chunks(50).all(|batch| batch.iter().all(|who| *who == batch[0])), "{data:?}");
}
