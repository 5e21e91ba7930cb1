//! Automatic sessions: they go by what the connection's socket has taken, unless the client says
//! better.

use serde_json::json;
use tidings_tests::{Server, Stream, Via, Visit, Wish, ahead, request, until};

use crate::position;

#[test]
fn what_the_connection_took_has_arrived() {
    let server = Server::start();
    for via in Via::ALL {
        let wish = Wish::new(via.name());
        server.publish_numbers(via.name(), 0..3);
        let mut visit =
            Visit::open(&server, via, &wish.clone().topics(&[via.name()]).with("since", "start"));
        assert_eq!(visit.take(3), [0, 1, 2].map(|number| (json!(number), 1)), "{via:?}");
        visit.leave(&server);
        server.publish_numbers(via.name(), 3..4);
        let mut visit = Visit::open(&server, Via::Sse, &wish);
        assert_eq!(visit.take(1), [(json!(3), 1)], "{via:?}");
    }
}

#[test]
fn a_client_that_says_where_it_is_goes_on_exactly_there() {
    let server = Server::start();
    for via in Via::ALL {
        let wish = Wish::new(via.name());
        server.publish_numbers(via.name(), 0..6);
        let begin = wish.clone().topics(&[via.name()]).with("since", "start");
        let mut visit = Visit::open(&server, via, &begin);
        let positions: Vec<String> = (0..6).map(|_| position(&visit.read())).collect();
        visit.leave(&server);
        // The server thinks that all has arrived. Back, on, and back again.
        for at in [1, 3, 0, 5] {
            let mut visit = Visit::open(&server, via, &wish.clone().with("since", &positions[at]));
            let next = server.publish_numbers(via.name(), 6..7);
            let first = if at == 5 { 6 } else { at + 1 };
            assert_eq!(visit.read()["data"], first, "{via:?} behind {at}");
            assert!(!next.is_empty());
        }
    }
}

#[test]
fn event_source_says_where_it_is_by_itself() {
    let server = Server::start();
    server.publish_numbers("t", 0..4);
    let (mut stream, _) = Stream::sse(&server, "/t/t?session=s&since=start");
    let ids: Vec<String> = (0..4).map(|_| stream.next_sse().id.unwrap()).collect();
    drop(stream);
    server.await_connected("s", false);
    // It repeats its URL, and the header goes before it.
    let headers = [("Last-Event-ID", ids[1].as_str()), ("Accept", "text/event-stream")];
    let mut stream = Stream::open(&server, "/t/t?session=s&since=start", &headers);
    assert_eq!(stream.next_sse().json()["position"], ids[1].as_str());
    assert_eq!(stream.next_sse().json()["data"], 2);
}

#[test]
fn a_position_that_is_none_is_refused_and_changes_nothing() {
    let server = Server::start();
    let first = server.publish_numbers("t", 0..2);
    let mut visit = Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["t"]));
    server.publish_numbers("t", 2..3);
    visit.take(1);
    for since in [ahead(&first), "nonsense".to_owned()] {
        for via in Via::ALL {
            let wish = Wish::new("s").with("since", &since);
            let wish = if via == Via::V1 { wish } else { wish.with("wait", 0) };
            let refused = Visit::try_open(server.address(), via, &wish).err().unwrap();
            assert_eq!((refused.code, refused.reason()), (Some(400), "bad_position"), "{via:?}");
        }
    }
    server.publish_numbers("t", 3..4);
    assert_eq!(visit.take(1), [(json!(3), 1)], "nobody took the session from it");
}

#[test]
fn a_stream_that_ends_by_its_limit_has_arrived() {
    let server = Server::start();
    for via in [Via::Sse, Via::Ndjson, Via::Ws] {
        let wish = Wish::new(via.name());
        server.publish_numbers(via.name(), 0..5);
        let begin = wish.clone().topics(&[via.name()]).with("since", "start").with("limit", 2);
        let mut visit = Visit::open(&server, via, &begin);
        visit.take(2);
        let parting = visit.parting();
        assert_eq!(parting.code, (via == Via::Ws).then_some(1000), "{via:?}");
        visit.leave(&server);
        let mut visit = Visit::open(&server, Via::Poll, &wish);
        assert_eq!(visit.take(3), [2, 3, 4].map(|number| (json!(number), 1)), "{via:?}");
    }
}

/// A held poll whose client is gone before there is anything to say.
#[test]
fn what_comes_after_a_held_poll_was_left_is_kept() {
    let server = Server::start();
    let visit = Visit::open(&server, Via::LongPoll, &Wish::new("s").topics(&["t"]));
    until("it is there", || server.session_names().contains(&"s".to_owned()).then_some(()));
    server.await_connected("s", true);
    visit.leave(&server);
    server.publish_numbers("t", 0..2);
    assert_eq!(server.get("/t?session=s").data(), [0, 1]);
    assert_eq!(server.get("/t?session=s").data(), [0; 0]);
}

#[test]
fn a_session_may_change_how_it_acknowledges() {
    let server = Server::start();
    let wish = Wish::new("s");
    Visit::open(&server, Via::Sse, &wish.clone().topics(&["t"])).leave(&server);
    server.publish_numbers("t", 0..2);
    Visit::open(&server, Via::Poll, &wish.clone().explicit()).take(2);
    assert_eq!(server.session("s")["ack"], "explicit");
    // What is left out stays as it was.
    assert_eq!(Visit::open(&server, Via::Poll, &wish).take(2)[0], (json!(0), 2));
    assert_eq!(Visit::open(&server, Via::Poll, &wish.with("ack", "auto")).take(2).len(), 2);
    assert_eq!(server.session("s")["ack"], "auto");
    assert!(server.get("/t?session=s").events().is_empty());
    let mut wire = server.wire();
    wire.send(request("GET", "/t?session=s&ack=explicit&via=sse", &[], b""));
    assert_eq!(wire.head().status, 200);
}
