//! A client that takes nothing is cut; everyone else gets everything.

use tidings_tests::{Server, Stream, Wire, handshake, request, until};

const STALL: [(&str, &str); 2] = [("TIMES_WRITE_STALL", "2s"), ("LIMITS_MESSAGE_BYTES", "4MiB")];

/// How much is published: far more than the sockets between two processes hold.
const MESSAGES: usize = 30;
const MESSAGE_BYTES: usize = 1 << 20;

/// Every way that is a stream. Those that end by themselves end later than what is published.
const STREAMS: [&str; 6] = [
    "/t/a?via=sse",
    "/t/*?via=ndjson",
    "/t/a?via=xhr&bytes=67108864",
    "/t/a?via=iframe&bytes=67108864",
    "/t/a?via=multipart",
    "/pushlet/pushlet.srv?p_event=join-listen&p_format=xml&p_subject=/a",
];

#[test]
fn whoever_takes_nothing_is_cut_and_nobody_else() {
    let server = Server::with(&STALL);
    let mut stalled: Vec<Wire> = STREAMS
        .map(|target| request("GET", target, &[], b""))
        .into_iter()
        .chain([handshake("/t/a", &[])])
        .map(|request| {
            let mut wire = server.narrow_wire();
            wire.send(request);
            wire.head();
            wire
        })
        .collect();
    let mut readers = ["/t/a?via=sse", "/t/*?via=sse"].map(|target| {
        let (stream, _) = Stream::sse(&server, target);
        stream
    });
    std::thread::scope(|scope| {
        for stream in &mut readers {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let data = stream.next_sse().json()["data"].as_str().unwrap().to_owned();
                    assert!(data.starts_with(&format!("{number} ")), "{number}");
                }
            });
        }
        for number in 0..MESSAGES {
            server.publish("a", format!("{number} {}", "x".repeat(MESSAGE_BYTES)));
        }
    });
    // Only the two that read are left, and they go on.
    server.await_connections(2);
    server.publish("a", "last");
    for stream in &mut readers {
        assert_eq!(stream.next_sse().json()["data"], "last");
    }
    for wire in &mut stalled {
        // A system that has given a peer up says so only when it is asked.
        wire.half_close();
        let taken = wire.read_to_end().len();
        assert!(taken < MESSAGES * MESSAGE_BYTES, "it was sent everything");
    }
}

#[test]
fn a_long_answer_is_not_waited_for_either() {
    let [stall, size] = STALL;
    let server = Server::with(&[stall, size, ("NAMESPACE", "[{match = \"a\", jsonp = true}]")]);
    for _ in 0..7 {
        server.publish("a", "x".repeat(MESSAGE_BYTES));
    }
    for target in ["longpoll", "poll", "feed", "rss", "jsonp&callback=f"]
        .map(|via| format!("/t/a?since=start&via={via}"))
    {
        let mut wire = server.narrow_wire();
        wire.send(request("GET", &target, &[], b""));
        server.await_connections(1);
        until("it is cut", || (server.connections() == 0).then_some(()));
        wire.read_to_end();
    }
}

/// A publisher is never held up by readers who are.
#[test]
fn publishing_does_not_wait_for_readers() {
    let server = Server::start();
    let mut stalled: Vec<Wire> = (0..10)
        .map(|_| {
            let mut wire = server.narrow_wire();
            wire.send(request("GET", "/t/a?via=ndjson", &[], b""));
            wire.head();
            wire
        })
        .collect();
    let mut wire = server.wire();
    let body = vec![b'x'; 100_000];
    for _ in 0..100 {
        assert_eq!(wire.ask("POST", "/t/a", &[], &body).status, 201);
    }
    assert_eq!(server.connections(), 11);
    assert!(stalled.iter_mut().all(Wire::is_readable));
}
