//! Automatic sessions: they go by what the connection's socket has taken, unless the client says
//! better.

use serde_json::json;
use tidings_tests::{Server, Stream, Via, Visit, Wish, ahead, request, until};

use crate::position;

/// Messages of a backlog and their size: far more than the sockets between two processes hold.
const MESSAGES: u32 = 80;
const MESSAGE_BYTES: usize = 256 << 10;

/// How many of them a client reads before its connection breaks.
const READ: u32 = 30;

/// Publishes the backlog: each message begins with its number.
#[track_caller]
fn backlog(server: &Server, topic: &str) {
    let filler = "x".repeat(MESSAGE_BYTES);
    for number in 0..MESSAGES {
        server.publish(topic, format!("{number} {filler}"));
    }
}

/// The number that a message of the backlog begins with.
#[track_caller]
fn number(event: &serde_json::Value) -> u32 {
    let data = event["data"].as_str().and_then(|data| data.split(' ').next()?.parse().ok());
    data.unwrap_or_else(|| panic!("not of the backlog: {event:.100}"))
}

#[test]
fn what_the_connection_took_has_arrived() {
    let server = Server::start();
    for via in Visit::WAYS {
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
    for via in Visit::WAYS {
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
        for via in Visit::WAYS {
            let wish = Wish::new("s").with("since", &since);
            let wish = if via == Via::V1 { wish } else { wish.with("wait", 0) };
            let refused = Visit::try_open(&server, via, &wish).err().unwrap();
            assert_eq!((refused.code, refused.reason()), (Some(400), "bad_position"), "{via:?}");
        }
    }
    server.publish_numbers("t", 3..4);
    assert_eq!(visit.take(1), [(json!(3), 1)], "nobody took the session from it");
}

/// A client that takes part of a long backlog and is cut misses nothing that its socket had not
/// taken, and need not take all of it again.
#[test]
fn a_connection_that_is_cut_in_the_middle_loses_nothing() {
    let server = Server::start();
    backlog(&server, "t");
    for via in [Via::Sse, Via::Ndjson, Via::Ws, Via::V1] {
        let wish = Wish::new(via.name());
        let narrow = server.narrow_wire();
        let begin = wish.clone().topics(&["t"]).with("since", "start");
        let mut visit = Visit::over(narrow, via, &begin).unwrap();
        for expected in 0..READ {
            assert_eq!(number(&visit.read()), expected, "{via:?}");
        }
        visit.leave(&server);
        let mut visit = Visit::open(&server, Via::Ndjson, &wish);
        let first = number(&visit.read());
        // What lies in the sockets counts as taken, and that is not all that was left.
        assert!(first < MESSAGES - 1, "{via:?}: {first} is the first to come again");
        for expected in first + 1..MESSAGES {
            assert_eq!(number(&visit.read()), expected, "{via:?}");
        }
        let begun = READ - 2..;
        assert!(begun.contains(&first), "{via:?}: all from {first} on came again");
    }
}

/// The same when it is the server that goes: what waits for the socket has not arrived.
#[test]
fn what_waits_for_the_socket_when_the_server_ends_has_not_arrived() {
    let folder = tidings_tests::Folder::new();
    let start = || {
        let settings = [("DATA", folder.text()), ("TIMES_DRAIN", "1s".to_owned())];
        Server::with(&settings.each_ref().map(|(name, value)| (*name, value.as_str())))
    };
    let mut server = start();
    backlog(&server, "t");
    let ways = [Via::Sse, Via::Ndjson, Via::Ws, Via::V1];
    let mut visits = ways.map(|via| {
        let narrow = server.narrow_wire();
        let begin = Wish::new(via.name()).topics(&["t"]).with("since", "start");
        let mut visit = Visit::over(narrow, via, &begin).unwrap();
        assert_eq!(number(&visit.read()), 0);
        visit
    });
    server.terminate();
    server.wait();
    let server = start();
    for (via, visit) in ways.into_iter().zip(&mut visits) {
        let mut taken = 0;
        while let Ok(event) = visit.try_read() {
            taken = number(&event);
        }
        let mut visit = Visit::open(&server, Via::Ndjson, &Wish::new(via.name()));
        let first = number(&visit.read());
        assert!(first <= taken + 1, "{via:?}: it had {taken}, and goes on with {first}");
    }
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

/// `HEAD` answers the headers only, so nothing has arrived by it.
#[test]
fn asking_for_the_headers_alone_takes_nothing() {
    let server = Server::start();
    drop(Visit::open(&server, Via::Poll, &Wish::new("s").topics(&["t"])));
    server.publish_numbers("t", 0..3);
    for via in Visit::WAYS.into_iter().filter(|via| !matches!(via, Via::Ws | Via::V1)) {
        let answer = server.ask("HEAD", &Wish::new("s").target(via), &[], b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{via:?}");
    }
    let mut visit = Visit::open(&server, Via::Sse, &Wish::new("s"));
    assert_eq!(visit.take(3).len(), 3);
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
