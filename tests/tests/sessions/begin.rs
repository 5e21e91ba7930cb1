//! How a session begins, and that it goes on from where it was: over whatever transport, also
//! without topics, and with others.

use serde_json::json;
use tidings_tests::{Folder, Server, Stream, Via, Visit, Wish};

use crate::position;

/// Becomes the session and leaves at once: from here on the server remembers it.
#[track_caller]
fn begin(server: &Server, via: Via, wish: Wish) {
    // A poll that is held would have to be waited for.
    let wish = if via == Via::LongPoll { wish.with("wait", 0) } else { wish };
    Visit::open(server, via, &wish).leave(server);
}

#[test]
fn the_first_time_it_begins_as_the_request_says() {
    let server = Server::start();
    for via in Visit::WAYS {
        for (case, first) in [("start", 0), ("last", 4), ("position", 3), ("now", 6)] {
            let name = format!("{}-{case}", via.name());
            let topic = format!("t/{name}");
            let third = server.publish_numbers(&topic, 0..3);
            server.publish_numbers(&topic, 3..6);
            let wish = Wish::new(&name).topics(&[&topic]).explicit();
            begin(
                &server,
                via,
                match case {
                    "last" => wish.with("last", 2),
                    "position" => wish.with("since", third),
                    other => wish.with("since", other),
                },
            );
            let shown = server.session(&name);
            assert_eq!((&shown["topics"], &shown["ack"]), (&json!([topic]), &json!("explicit")));
            server.publish_numbers(&topic, 6..8);
            // Where it begins is said once: later it counts no more.
            for later in [("since", "now"), ("since", "start"), ("last", "9")] {
                let wish = Wish::new(&name).with(later.0, later.1);
                let mut visit = Visit::open(&server, via, &wish);
                let numbers: Vec<_> = (first..8).map(|_| visit.read()["data"].clone()).collect();
                assert_eq!(
                    json!(numbers),
                    json!((first..8).collect::<Vec<_>>()),
                    "{name} {later:?}"
                );
            }
        }
    }
}

#[test]
fn without_a_word_it_begins_where_its_way_of_reading_does() {
    let server = Server::start();
    for via in Visit::WAYS {
        let topic = format!("t/{}", via.name());
        server.publish_numbers(&topic, 0..3);
        begin(&server, via, Wish::new(via.name()).topics(&[&topic]).explicit());
        server.publish_numbers(&topic, 3..4);
        let mut visit = Visit::open(&server, Via::Sse, &Wish::new(via.name()));
        // A poll's own beginning is the newest events.
        let first = if via == Via::Poll { 0 } else { 3 };
        assert_eq!(visit.read()["data"], first, "{via:?}");
    }
}

#[test]
fn it_goes_on_over_whatever_transport_without_topics() {
    let server = Server::start();
    begin(&server, Via::Ws, Wish::new("s").topics(&["a", "b/**"]));
    let mut number = 0;
    for step in 1..=Visit::WAYS.len() {
        // Every way after every other: in turns of one, of two, and so on.
        for turn in 0..Visit::WAYS.len() {
            let via = Visit::WAYS[turn * step % Visit::WAYS.len()];
            for topic in ["a", "b/c", "other"] {
                server.publish_numbers(topic, number..number + 1);
            }
            let mut visit = Visit::open(&server, via, &Wish::new("s"));
            let got: Vec<_> = (0..2).map(|_| visit.read()).collect();
            let got: Vec<_> = got.iter().map(|event| (&event["topic"], &event["data"])).collect();
            let expected = [(&json!("a"), &json!(number)), (&json!("b/c"), &json!(number))];
            assert_eq!(got, expected, "{via:?}");
            visit.leave(&server);
            number += 1;
        }
    }
    assert_eq!(server.session("s")["topics"], json!(["a", "b/**"]));
}

#[test]
fn other_topics_replace_those_it_had_and_the_position_stays() {
    let server = Server::start();
    for via in Visit::WAYS {
        let name = via.name();
        let [a, b] = ["a", "b"].map(|topic| format!("{topic}/{name}"));
        server.publish(&b, "before");
        begin(&server, Via::Ndjson, Wish::new(name).topics(&[&a]));
        server.publish(&b, "while it read a");
        server.publish(&a, "not read");
        let mut visit = Visit::open(&server, via, &Wish::new(name).topics(&[&b]));
        assert_eq!(visit.read()["data"], "while it read a", "{via:?}");
        visit.leave(&server);
        assert_eq!(server.session(name)["topics"], json!([b]));
        server.publish(&b, "then");
        server.publish(&a, "still not");
        server.publish(&b, "last");
        let mut visit = Visit::open(&server, via, &Wish::new(name));
        let got: Vec<_> = (0..2).map(|_| visit.read()["data"].clone()).collect();
        assert_eq!(json!(got), json!(["then", "last"]), "{via:?}");
    }
}

/// Messages of some topics are kept on disk and those of others in memory; to a session that is all
/// the same.
#[test]
fn other_topics_may_be_kept_elsewhere() {
    let folder = Folder::new();
    let namespace = r#"[{match="memory/**", durability="volatile"}]"#;
    let server = Server::with(&[("DATA", &folder.text()), ("NAMESPACE", namespace)]);
    begin(&server, Via::Sse, Wish::new("s").topics(&["kept"]).explicit());
    server.publish("memory/a", "before it read that");
    begin(&server, Via::Sse, Wish::new("s").topics(&["memory/a"]));
    server.publish("kept", "meanwhile");
    server.publish("memory/a", "one");
    server.publish("memory/a", "two");
    for (attempt, via) in (1..).zip(Visit::WAYS) {
        let mut visit = Visit::open(&server, via, &Wish::new("s"));
        let one = visit.read();
        assert_eq!((&one["data"], one["attempt"].as_u64().unwrap_or(1)), (&json!("one"), attempt));
        assert_eq!(visit.read()["data"], "two", "{via:?}");
        visit.leave(&server);
        if attempt == 6 {
            server.ack("s", &position(&one));
        }
    }
    let mut visit = Visit::open(&server, Via::Ws, &Wish::new("s").topics(&["memory/*", "kept"]));
    assert_eq!(visit.take(2), [(json!("meanwhile"), 1), (json!("two"), 7)]);
}

#[test]
fn a_session_that_is_not_there_needs_topics() {
    let server = Server::start();
    for via in Visit::WAYS {
        let wish = Wish::new("none").with("wait", 0);
        let wish = if via == Via::V1 { Wish::new("none") } else { wish };
        let refused = Visit::try_open(&server, via, &wish);
        let refused = refused.err().unwrap();
        assert_eq!((refused.code, refused.reason()), (Some(404), "session_unknown"), "{via:?}");
    }
    assert_eq!(server.session_names(), [""; 0]);
}

#[test]
fn a_request_that_is_refused_makes_no_session_and_changes_none() {
    let namespace = r#"[{match="closed/**", subscribe=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    let ahead = tidings_tests::ahead(&server.publish("a", "x"));
    begin(&server, Via::Sse, Wish::new("there").topics(&["a"]));
    let before = server.session("there");
    for name in ["new", "there"] {
        for via in Visit::WAYS {
            let wish = Wish::new(name);
            let forbidden = wish.clone().topics(&["a", "closed/x"]);
            let beyond = wish.clone().topics(&["a", "b"]).with("since", &ahead);
            let twice = wish.clone().topics(&["b"]).with("since", "now").with("last", 1);
            let badly = wish.topics(&["b"]).with("ack", "sometimes");
            for (wish, code) in [(forbidden, 403), (beyond, 400), (twice, 400), (badly, 400)] {
                let wish = if via == Via::V1 { wish } else { wish.with("wait", 0) };
                let refused = Visit::try_open(&server, via, &wish);
                let refused = refused.err().unwrap_or_else(|| panic!("{via:?} {wish:?}"));
                assert_eq!(refused.code, Some(code), "{via:?} {wish:?}");
            }
        }
    }
    assert_eq!(server.session_names(), ["there"]);
    let after = server.await_connected("there", false);
    assert_eq!((&after["topics"], &after["position"]), (&before["topics"], &before["position"]));
}

#[test]
fn payloads_alone_are_read_by_sessions_too() {
    let server = Server::start();
    let mut first = Stream::open(&server, "/t/t?via=ndjson&session=s&data=raw&since=start", &[]);
    server.publish_numbers("t", 0..2);
    assert_eq!((first.next_json(), first.next_json()), (json!(0), json!(1)));
    drop(first);
    server.await_connected("s", false);
    server.publish_numbers("t", 2..3);
    assert_eq!(server.get("/t?session=s&data=raw").json(), json!([2]));
    assert_eq!(server.get("/t?session=s&data=raw").json(), json!([]));
}
