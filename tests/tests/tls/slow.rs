//! Readers that take little at a time, over TLS: nothing is lost, and what was not taken does not
//! count as taken.

use tidings_tests::{
    Authority, Server, Socket, Stream, Via, Visit, Wish, handshake, request, until,
};

/// Messages of a backlog and their size: far more than the sockets between two processes hold.
const MESSAGES: u32 = 40;
const MESSAGE_BYTES: usize = 256 << 10;

fn backlog(settings: &[(&str, &str)]) -> Server {
    let server = Server::secure(&Authority::new(), settings);
    let filler = "x".repeat(MESSAGE_BYTES);
    for number in 0..MESSAGES {
        server.publish("t", format!("{number} {filler}"));
    }
    server
}

/// The number that a message of the backlog begins with; it must be whole.
#[track_caller]
fn number(event: &serde_json::Value) -> u32 {
    let data = event["data"].as_str().unwrap_or_default();
    let (number, filler) = data.split_once(' ').unwrap_or_default();
    assert_eq!(filler.len(), MESSAGE_BYTES, "not of the backlog: {event:.100}");
    number.parse().unwrap_or_else(|error| panic!("{error}: {event:.100}"))
}

#[test]
fn a_narrow_socket_gets_all_of_it() {
    let server = backlog(&[]);
    for target in ["/t/t?since=start&via=sse", "/t/t?since=start&via=ndjson"] {
        let mut wire = server.narrow_wire();
        wire.send(request("GET", target, &[], b""));
        let mut stream = Stream::begin(wire);
        for expected in 0..MESSAGES {
            let event = loop {
                let event = match target.ends_with("sse") {
                    true => stream.next_sse().json(),
                    false => stream.next_json(),
                };
                if event["type"] != "ready" {
                    break event;
                }
            };
            assert_eq!(number(&event), expected, "{target}");
        }
    }
    // A whole answer, which is the parser's to write.
    let mut wire = server.narrow_wire();
    let poll = request("GET", "/t/t?since=start&limit=40", &[], b"");
    wire.send([&poll[..], &poll].concat());
    for _ in 0..2 {
        let events = wire.response("GET").events();
        assert!(events.iter().zip(0..).all(|(event, expected)| number(event) == expected));
        assert!(!events.is_empty());
    }
}

#[test]
fn a_connection_that_is_cut_in_the_middle_loses_nothing() {
    let server = backlog(&[]);
    for via in [Via::Sse, Via::Ndjson, Via::Ws, Via::V1] {
        let wish = Wish::new(via.name());
        let begin = wish.clone().topics(&["t"]).with("since", "start");
        let mut visit = Visit::over(server.narrow_wire(), via, &begin).unwrap();
        for expected in 0..10 {
            assert_eq!(number(&visit.read()), expected, "{via:?}");
        }
        visit.leave(&server);
        let mut visit = Visit::open(&server, Via::Ndjson, &wish);
        let first = number(&visit.read());
        assert!((8..MESSAGES - 1).contains(&first), "{via:?}: {first} is the first to come again");
        for expected in first + 1..MESSAGES {
            assert_eq!(number(&visit.read()), expected, "{via:?}");
        }
    }
}

#[test]
fn whoever_takes_nothing_is_cut_and_nobody_else() {
    let server = backlog(&[("TIMES_WRITE_STALL", "2s")]);
    let targets = ["/t/t?since=start&via=sse", "/t/t?since=start&limit=40"];
    let mut stalled = targets.map(|target| {
        let mut wire = server.narrow_wire();
        wire.send(request("GET", target, &[], b""));
        wire.head();
        wire
    });
    let (mut stream, _) = Stream::sse(&server, "/t/live");
    until("they are cut", || (server.connections() == 1).then_some(()));
    for wire in &mut stalled {
        let taken = wire.read_to_end().len();
        assert!(taken < MESSAGES as usize * MESSAGE_BYTES, "it was sent everything");
    }
    server.publish("live", "x");
    assert_eq!(stream.next_sse().json()["data"], "x");
}

/// Both ways at once: a peer that is sent much says a little after each message it takes.
#[test]
fn a_socket_that_takes_little_is_still_read() {
    let server = backlog(&[]);
    let mut wire = server.narrow_wire();
    wire.send(handshake("/t/t?since=start", &[]));
    let mut socket = Socket::begin(wire).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(socket.json()["type"], "ready");
    for expected in 0..MESSAGES {
        socket.send_text(&format!("{expected} again"));
        assert_eq!(number(&socket.json()), expected);
    }
    for expected in 0..MESSAGES {
        assert_eq!(socket.json()["data"], format!("{expected} again"));
    }
}
