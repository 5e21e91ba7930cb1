//! Explicit acknowledgements: what is not acknowledged is sent again and says how often, and an
//! acknowledgement says what it has come to.

use serde_json::{Value, json};
use tidings_tests::{Server, Socket, Stream, Via, Visit, Wish, ahead, flipped};

use crate::position;

/// A server whose session `s` reads `t`, of which these numbers are there.
fn session_of(count: u32) -> Server {
    let server = Server::start();
    Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["t"]).explicit()).leave(&server);
    if count > 0 {
        server.publish_numbers("t", 0..count);
    }
    server
}

/// The positions of everything the session has not acknowledged, as one more connection gets it.
#[track_caller]
fn positions(server: &Server) -> Vec<String> {
    let events = server.get("/t?session=s&limit=1000").events();
    events.iter().map(position).collect()
}

/// Everything a connection gets that the session has not acknowledged.
#[track_caller]
fn unacknowledged(server: &Server) -> Vec<Value> {
    server.get("/t?session=s&limit=1000").data()
}

#[test]
fn what_is_not_acknowledged_is_sent_to_every_new_connection_and_counted() {
    let server = session_of(3);
    let mut attempt = 1;
    for _ in 0..2 {
        for via in Visit::WAYS {
            let mut visit = Visit::open(&server, via, &Wish::new("s"));
            let expected: Vec<_> = (0..3).map(|number| (json!(number), attempt)).collect();
            assert_eq!(visit.take(3), expected, "{via:?}");
            attempt += 1;
        }
    }
    // What comes now is new, and one connection is sent nothing twice.
    let mut visit = Visit::open(&server, Via::Ndjson, &Wish::new("s"));
    visit.take(3);
    server.publish_numbers("t", 3..5);
    assert_eq!(visit.take(2), [(json!(3), 1), (json!(4), 1)]);
    drop(visit);
    let mut visit = Visit::open(&server, Via::V1, &Wish::new("s"));
    let again = visit.take(5);
    assert_eq!(again[..3], [0, 1, 2].map(|number| (json!(number), attempt + 1)));
    assert_eq!(again[3..], [3, 4].map(|number| (json!(number), 2)));
}

#[test]
fn each_event_says_for_itself_how_often_it_was_sent() {
    let server = session_of(6);
    for limit in [5, 3, 1, 3] {
        let mut visit = Visit::open(&server, Via::Poll, &Wish::new("s").with("limit", limit));
        visit.take(limit);
    }
    let mut visit = Visit::open(&server, Via::Sse, &Wish::new("s"));
    let attempts: Vec<u64> = visit.take(6).into_iter().map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts, [5, 4, 4, 2, 2, 1]);
    drop(visit);
    let third = &positions(&server)[2];
    server.ack("s", third);
    let mut visit = Visit::open(&server, Via::Ws, &Wish::new("s"));
    let attempts: Vec<u64> = visit.take(3).into_iter().map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts, [4, 4, 3]);
}

#[test]
fn an_acknowledgement_may_come_in_several_forms() {
    let server = session_of(5);
    let positions = positions(&server);
    let post = |query: &str, headers: &[(&str, &str)], body: &str| {
        let answer = server.ask("POST", &format!("/s/s/ack{query}"), headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let is_done = |answer: Value, count: usize| {
        assert_eq!(answer, json!({"session": "s", "position": positions[count - 1]}));
        let left: Vec<Value> = (count..5).map(|number| json!(number)).collect();
        assert_eq!(unacknowledged(&server), left);
        assert_eq!(server.session("s")["position"], positions[count - 1].as_str());
    };
    let json = json!({ "position": positions[0] }).to_string();
    is_done(post("", &[("Content-Type", "application/json")], &json), 1);
    let json = format!(" \n{{ \"other\": 1, \"position\" : {:?} }}\n", positions[1]);
    is_done(post("", &[], &json), 2);
    is_done(post("", &[("Content-Type", "text/plain")], &format!("{}\n", positions[2])), 3);
    is_done(post(&format!("?position={}", positions[3]), &[], ""), 4);
    let mut visit = Visit::open(&server, Via::V1, &Wish::new("s"));
    visit.take(1);
    assert_eq!(visit.ack(&positions[4]), Ok(json!({"id": "a", "ok": true})));
    assert_eq!(server.session("s")["position"], positions[4].as_str());
    drop(visit);
    assert_eq!(unacknowledged(&server), [0; 0]);
}

#[test]
fn acknowledging_less_or_the_same_changes_nothing() {
    let server = session_of(4);
    let positions = positions(&server);
    assert_eq!(server.ack("s", &positions[2]), positions[2]);
    for less in &positions[..3] {
        assert_eq!(server.ack("s", less), positions[2], "it says how far the session is");
        let mut visit = Visit::open(&server, Via::V1, &Wish::new("s"));
        assert_eq!(visit.ack(less).unwrap()["ok"], true);
        assert_eq!(visit.take(1)[0].0, 3);
    }
    assert_eq!(server.session("s")["position"], positions[2].as_str());
}

#[test]
fn acknowledging_while_connected_repeats_and_skips_nothing() {
    let server = session_of(0);
    for via in [Via::Sse, Via::Ndjson, Via::Ws, Via::V1] {
        let mut visit = Visit::open(&server, via, &Wish::new("s"));
        for number in 0..4 {
            let position = server.publish_numbers("t", number..number + 1);
            assert_eq!(visit.take(1), [(json!(number), 1)], "{via:?}");
            if number % 2 == 1 {
                assert_eq!(server.ack("s", &position), position);
            }
        }
    }
    assert_eq!(unacknowledged(&server), [0; 0]);
}

#[test]
fn what_cannot_be_acknowledged() {
    let server = session_of(2);
    let elsewhere = Server::start().publish("t", "x");
    let positions = positions(&server);
    let mut visit = Visit::open(&server, Via::V1, &Wish::new("s"));
    visit.take(2);
    let mut wrong = vec![ahead(&positions[1]), elsewhere, "start".to_owned(), "0".repeat(5000)];
    wrong.extend(flipped(&positions[1]));
    for position in &wrong {
        server.try_ack("s", position).expect_problem(400, "bad_position");
        let answer = visit.ack(position).unwrap();
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!("bad_position")));
    }
    for body in ["", "{}", "{\"position\":7}", "{\"position\":null}", "[]", "\u{fffd}", "{"] {
        let answer = server.ask("POST", "/s/s/ack", &[], body.as_bytes());
        answer.expect_problem(400, "bad_position");
    }
    server.try_ack("other", &positions[0]).expect_problem(404, "session_unknown");
    drop(visit);
    assert_eq!(unacknowledged(&server), [0, 1], "nothing of it counted");
}

#[test]
fn an_acknowledgement_needs_nobody_connected_and_may_come_from_anywhere() {
    let server = session_of(3);
    let positions = positions(&server);
    server.await_connected("s", false);
    server.ack("s", &positions[0]);
    // A position that another reader was given serves as well.
    let (mut plain, _) = Stream::sse(&server, "/t/t?since=start");
    plain.next_sse();
    let second = plain.next_sse().id.unwrap();
    server.ack("s", &second);
    assert_eq!(unacknowledged(&server), [2]);
}

#[test]
fn where_an_explicit_session_goes_on_is_not_for_its_client_to_say() {
    let server = session_of(4);
    let positions = positions(&server);
    server.ack("s", &positions[0]);
    for via in Visit::WAYS {
        let mut visit = Visit::open(&server, via, &Wish::new("s").with("since", &positions[2]));
        assert_eq!(visit.read()["data"], 1, "{via:?}");
    }
    let headers = [("Last-Event-ID", positions[3].as_str()), ("Accept", "text/event-stream")];
    let mut stream = Stream::open(&server, "/t?session=s", &headers);
    assert_eq!(stream.next_sse().event.as_deref(), Some("ready"));
    assert_eq!(stream.next_sse().json()["data"], 1);
}

#[test]
fn a_window_and_a_session_share_their_acknowledgements() {
    let server = session_of(5);
    let mut visit = Visit::open(&server, Via::V1, &Wish::new("s").with("window", 2));
    visit.take(1);
    let second = position(&visit.read());
    let pong = visit.command(&json!({"do": "ping", "id": "p"})).unwrap();
    assert_eq!(pong["ok"], true, "nothing was sent before it");
    visit.ack(&second).unwrap();
    assert_eq!(visit.take(2), [(json!(2), 1), (json!(3), 1)]);
    drop(visit);
    assert_eq!(unacknowledged(&server), [2, 3, 4]);
}

#[test]
fn a_subscription_without_a_session_acknowledges_nothing_for_one() {
    let server = session_of(2);
    let last = positions(&server).pop().unwrap();
    let mut socket = Socket::v1(&server);
    let subscribe = json!({"do": "subscribe", "sub": "n", "topics": ["t"], "since": "start"});
    assert_eq!(socket.command(&subscribe)["ok"], true);
    socket.json();
    socket.json();
    assert_eq!(socket.command(&json!({"do": "ack", "sub": "n", "position": last}))["ok"], true);
    assert_eq!(unacknowledged(&server), [0, 1]);
}
