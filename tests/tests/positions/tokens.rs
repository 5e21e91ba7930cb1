//! The token itself: given at once, the same everywhere, and not to be made up.

use serde_json::{Value, json};
use tidings_tests::{Reader, Server, Socket, Stream, Via, ahead, flipped};

#[test]
fn it_is_given_before_any_message() {
    for via in Via::ALL {
        let server = Server::start();
        let mut reader = Reader::open(&server, via, &["a", "b/**"], "now");
        let begin = reader.position().to_owned();
        assert!(!begin.is_empty(), "{via:?}");
        server.publish("b", "first");
        assert_eq!(reader.read()["data"], "first", "{via:?}");
        for other in Via::ALL {
            let mut reader = Reader::open(&server, other, &["a", "b/**"], &begin);
            assert_eq!(reader.read()["data"], "first", "{via:?} then {other:?}");
        }
    }
}

#[test]
fn it_is_short_and_safe_in_urls() {
    let server = Server::start();
    let position = server.publish("a", "x");
    assert!(position.len() <= 48, "{position}");
    assert!(
        position.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
        "{position}"
    );
}

#[test]
fn it_is_the_same_on_every_transport() {
    let server = Server::start();
    server.publish_numbers("a", 0..5);
    let read = |via| -> Vec<Value> {
        let mut reader = Reader::open(&server, via, &["a"], "start");
        (0..5).map(|_| reader.read()).collect()
    };
    let expected = read(Via::Sse);
    for via in Via::ALL.into_iter().filter(|&via| via != Via::Multipart) {
        assert_eq!(read(via), expected, "{via:?}: the event has one form");
    }
}

#[test]
fn a_damaged_one_is_refused() {
    let server = Server::start();
    let position = server.publish("a", "x");
    for forged in flipped(&position) {
        let response = server.get(&format!("/t/a?since={forged}"));
        response.expect_problem(400, "bad_position");
    }
    let cut = &position[..position.len() - 1];
    for forged in [cut, "A", "", "EQ", &format!("{position}A"), &format!("{position}=")] {
        server.get(&format!("/t/a?since={forged}")).expect_problem(400, "bad_position");
    }
    assert_eq!(server.get(&format!("/t/a?since={position}")).events().len(), 0);
}

#[test]
fn every_transport_refuses_what_was_forged() {
    let server = Server::start();
    let position = server.publish("a", "x");
    let damaged = flipped(&position).swap_remove(20);
    for via in Via::ALL {
        for (forged, how) in [(ahead(&position), "ahead"), (damaged.clone(), "damaged")] {
            let Err(refusal) = Reader::try_open(&server, via, &["a"], &forged) else {
                panic!("{via:?} takes a position that is {how}")
            };
            assert_eq!(refusal["code"], 400, "{via:?} {how}: {refusal}");
            assert_eq!(refusal["error"], "bad_position", "{via:?} {how}: {refusal}");
        }
    }
    let forged = ahead(&position);
    let headers = [("Last-Event-ID", forged.as_str()), ("Accept", "text/event-stream")];
    server.ask("GET", "/t/a", &headers, b"").expect_problem(400, "bad_position");
    // Exactly what was given is still good.
    let (_, ready) = Stream::sse(&server, &format!("/t/a?since={position}"));
    assert_eq!(ready.json()["position"], position.as_str());
}

#[test]
fn a_refused_one_does_not_end_a_tidings_v1_socket() {
    let server = Server::start();
    let position = server.publish("a", "x");
    let mut socket = Socket::v1(&server);
    let subscribe = |since: &str| json!({"do": "subscribe", "id": 1, "sub": "s", "topics": ["a"], "since": since});
    for forged in [ahead(&position), "nonsense".to_owned()] {
        let answer = socket.command(&subscribe(&forged));
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!("bad_position")));
    }
    assert_eq!(socket.command(&subscribe(&position))["ok"], true);
}
