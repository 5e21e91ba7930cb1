//! Answers that take events along: nothing lost, nothing doubled, and the result always first.

use serde_json::Value;
use tidings_tests::{Response, Server, Stream};

const JSON: &str = "application/vnd.tidings.piggyback+json";
const MIXED: &str = "multipart/mixed";

#[track_caller]
fn parcel(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some(JSON), "{response:?}");
    let parcel = response.json();
    let position = parcel["position"].as_str();
    assert_eq!(response.header("tidings-position"), position, "{response:?}");
    parcel
}

/// The parts of an answer: their heads, in lower case, and their bodies.
#[track_caller]
fn parts(response: &Response) -> Vec<(String, Value)> {
    let content_type = response.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
    let body = response.text();
    let inside = body.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let inside = inside.strip_suffix(&format!("\r\n--{boundary}--\r\n")).unwrap();
    let delimiter = format!("\r\n--{boundary}\r\n");
    inside
        .split(&delimiter)
        .map(|part| {
            let (head, body) = part.split_once("\r\n\r\n").unwrap();
            (head.to_ascii_lowercase(), serde_json::from_str(body).unwrap())
        })
        .collect()
}

fn data(parcel: &Value) -> Vec<String> {
    let events = parcel["events"].as_array().unwrap_or_else(|| panic!("no events in {parcel}"));
    events.iter().map(|event| event["data"].as_str().unwrap_or("gap").to_owned()).collect()
}

#[test]
fn two_clients_hear_each_other_by_nothing_but_answers() {
    let server = Server::start();
    let mut places = [String::new(), String::new()];
    let mut heard = [Vec::new(), Vec::new()];
    let mut wires = [server.wire(), server.wire()];
    for number in 0..40 {
        let who = number * 7 % 5 % 2;
        let mut headers = vec![("Accept", JSON), ("Tidings-Topic", "chat/**")];
        if !places[who].is_empty() {
            headers.push(("Tidings-Position", &places[who]));
        }
        let text = number.to_string();
        let response = wires[who].ask("POST", "/t/chat/room", &headers, text.as_bytes());
        assert_eq!(response.status, 201, "{response:?}");
        let parcel = parcel(&response);
        assert_eq!(parcel["status"], 201);
        assert_eq!(parcel["result"]["topic"], "chat/room");
        if !places[who].is_empty() {
            assert_eq!(data(&parcel).last(), Some(&text), "one's own message is the last");
        }
        heard[who].extend(data(&parcel));
        places[who] = parcel["position"].as_str().unwrap().to_owned();
    }
    for heard in heard {
        let first: usize = heard[0].parse().unwrap();
        let all: Vec<String> = (first..first + heard.len()).map(|n| n.to_string()).collect();
        assert_eq!(heard, all, "each once, and in order");
        assert!(heard.len() > 30);
    }
}

#[test]
fn it_waits_for_a_disk_as_the_plain_answer_does() {
    let folder = tidings_tests::Folder::new();
    let data_folder = folder.path().join("data");
    let server = Server::with(&[("DATA", data_folder.to_str().unwrap())]);
    let begun = server.publish("a", "0");
    let headers = [("Accept", JSON), ("Tidings-Topic", "a"), ("Tidings-Position", &begun)];
    let response = server.post("a", &headers, "1");
    let parcel = parcel(&response);
    assert_eq!((response.status, &parcel["result"]["durability"]), (201, &"fsync".into()));
    assert_eq!(data(&parcel), ["1"]);
}

#[test]
fn batches_and_errors_have_it_too() {
    let server = Server::start();
    let begun = server.publish("a", "0");
    let headers = [
        ("Accept", JSON),
        ("Tidings-Topic", "a"),
        ("Tidings-Position", &begun),
        ("Tidings-Batch", "lines"),
    ];
    let batch = server.post("a", &headers, "1\n2\n");
    assert_eq!(parcel(&batch)["result"]["count"], 2);
    assert_eq!(data(&parcel(&batch)), ["1", "2"]);
    let headers = [("Accept", JSON), ("Tidings-Topic", "a"), ("Tidings-Position", &begun)];
    let failed = server.post("a/*", &headers, "x");
    assert_eq!((failed.status, &parcel(&failed)["result"]["error"]), (400, &"bad_topic".into()));
    assert_eq!(data(&parcel(&failed)), ["1", "2"]);
}

#[test]
fn parts_cannot_be_forged_by_what_is_published() {
    let server = Server::start();
    let begun = server.publish("a", "0");
    let forged: String =
        (0..2000).map(|number| format!("\r\n--tidings-{number:08}\r\n\r\n{{}}")).collect();
    let headers = [("Accept", MIXED), ("Tidings-Topic", "a"), ("Tidings-Position", &begun)];
    let response = server.post("a", &headers, &forged);
    let parts = parts(&response);
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].0, "content-type: application/json\r\ntidings-status: 201");
    assert_eq!(parts[0].1["topic"], "a");
    assert_eq!(parts[1].0, "content-type: application/json");
    assert_eq!(data(&parts[1].1), [forged]);
}

#[test]
fn it_is_bounded_and_says_so() {
    let server = Server::start();
    let begun = server.publish("many", "x");
    server.publish_numbers("many", 0..250);
    let headers = [("Accept", JSON), ("Tidings-Topic", "many"), ("Tidings-Position", &begun)];
    let first = parcel(&server.post("other", &headers, "x"));
    assert_eq!((first["events"].as_array().unwrap().len(), &first["more"]), (100, &true.into()));
    let begun = server.publish("large", "x");
    let large = "x".repeat(600_000);
    for _ in 0..5 {
        server.publish("large", &large);
    }
    let mut place = begun;
    let mut count = 0;
    while count < 5 {
        let headers = [("Accept", JSON), ("Tidings-Topic", "large"), ("Tidings-Position", &place)];
        let parcel = parcel(&server.post("other", &headers, "x"));
        let events = parcel["events"].as_array().unwrap().len();
        assert!((1..=3).contains(&events), "{events} events of 600 kB");
        count += events;
        assert_eq!(parcel["more"].as_bool().unwrap_or_default(), count < 5);
        place = parcel["position"].as_str().unwrap().to_owned();
    }
    assert_eq!(count, 5);
}

#[test]
fn a_loss_is_told_in_band() {
    let server = Server::with(&[("NAMESPACE", "[{match = \"short\", max_messages = 2}]")]);
    let begun = server.publish("short", "0");
    server.publish_numbers("short", 0..10);
    let headers = [("Accept", JSON), ("Tidings-Topic", "short"), ("Tidings-Position", &begun)];
    let parcel = parcel(&server.post("other", &headers, "x"));
    assert_eq!(parcel["events"][0]["type"], "gap");
    assert_eq!(parcel["events"].as_array().unwrap().len(), 3);
}

#[test]
fn sessions_can_be_read_along() {
    let server = Server::start();
    let begun = server.get("/t/a?session=me&ack=explicit&via=poll");
    assert_eq!(begun.status, 200);
    server.publish("a", "1");
    let headers = [("Accept", JSON), ("Tidings-Session", "me")];
    let first = parcel(&server.post("b", &headers, "x"));
    assert_eq!(data(&first), ["1"]);
    server.publish("a", "2");
    let position = first["position"].as_str().unwrap().as_bytes();
    let acked = parcel(&server.ask("POST", "/s/me/ack", &headers, position));
    assert_eq!(acked["result"]["session"], "me");
    assert_eq!(data(&acked), ["2"], "what was acknowledged does not come again");
    // A stream that is the session learns that it is no more.
    let accept = [("Accept", "application/x-ndjson")];
    let mut stream = Stream::open(&server, "/t?session=me", &accept);
    assert_eq!(stream.next_json()["type"], "ready");
    assert_eq!(stream.next_json()["data"], "2");
    parcel(&server.post("b", &headers, "x"));
    assert_eq!(stream.next_json()["reason"], "session_taken_over");
}

#[test]
fn what_may_not_be_read_is_told_beside_the_result() {
    let server = Server::with(&[("NAMESPACE", "[{match = \"secret/**\", subscribe = false}]")]);
    server.publish("secret/a", "hidden");
    let headers = [("Accept", MIXED), ("Tidings-Topic", "secret/a"), ("Tidings-Position", "start")];
    let refused = server.post("open", &headers, "x");
    let parts = parts(&refused);
    assert_eq!((refused.status, &parts[0].1["topic"]), (201, &"open".into()));
    assert_eq!(parts[1].1["problem"]["error"], "forbidden");
    assert_eq!(refused.header("tidings-position"), None, "there is no place to go on from");
    let headers = [("Accept", JSON), ("Tidings-Topic", "**"), ("Tidings-Position", "start")];
    let all = server.post("open", &headers, "y");
    assert_eq!(data(&parcel(&all)), ["x", "y"]);
    let headers = [("Accept", JSON), ("Tidings-Session", "nobody")];
    let unknown = server.post("open", &headers, "z");
    assert_eq!(unknown.json()["problem"]["error"], "session_unknown");
    assert_eq!(unknown.status, 201);
}

#[test]
fn a_wish_that_is_wrong_stops_the_request() {
    let server = Server::start();
    let many = "a,".repeat(300);
    for (name, value, error) in [
        ("Tidings-Topic", "a//b", "bad_topic"),
        ("Tidings-Topic", "%ff", "bad_topic"),
        ("Tidings-Topic", "a%0d%0aX: y", "bad_topic"),
        ("Tidings-Topic", "a%00", "bad_topic"),
        ("Tidings-Topic", &many, "too_many_topics"),
        ("Tidings-Session", "a/b", "bad_session"),
        ("Tidings-Position", "soon", "bad_position"),
    ] {
        let topic = if name == "Tidings-Topic" { value } else { "a" };
        let headers = [("Accept", JSON), ("Tidings-Topic", topic), (name, value)];
        let headers = if name == "Tidings-Topic" { &headers[..2] } else { &headers[..] };
        server.post("a", headers, "never").expect_problem(400, error);
    }
    assert_eq!(server.get("/t/a").events().len(), 0);
}

#[test]
fn nobody_gets_it_unasked() {
    let server = Server::start();
    let plain = "application/json";
    for headers in [
        &[("Accept", "*/*"), ("Tidings-Topic", "a")][..],
        &[("Tidings-Topic", "a")],
        &[("Accept", MIXED)],
        &[("Accept", "multipart/mixed;q=0"), ("Tidings-Topic", "a")],
        &[("Accept", JSON), ("Tidings-Position", "start")],
    ] {
        let response = server.post("a", headers, "x");
        assert_eq!((response.status, response.header("content-type")), (201, Some(plain)));
    }
    let both = [
        ("Accept", "multipart/mixed;q=0.5, application/vnd.tidings.piggyback+json;q=0.4"),
        ("Tidings-Topic", "a"),
    ];
    assert_eq!(parts(&server.post("a", &both, "x")).len(), 2, "the one that is liked better");
}
