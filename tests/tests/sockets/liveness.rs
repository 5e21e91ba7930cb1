//! Pings both ways, and peers that are gone without a word.

use std::time::{Duration, Instant};

use tidings_tests::{Server, Socket, handshake, until};
use tidings_websocket_codec::{Item, Opcode};

const QUICK: [(&str, &str); 2] = [("TIMES_HEARTBEAT", "1s"), ("TIMES_PONG_WAIT", "2s")];

#[test]
fn a_ping_is_answered_with_its_payload() {
    let server = Server::start();
    for target in ["/t/a", "/ws"] {
        let mut socket = Socket::open(&server, target);
        assert_eq!(socket.json()["type"], "ready");
        for payload in [&b""[..], b"abc", &[0xff; 125]] {
            socket.send_frame(Opcode::Ping, payload);
            assert_eq!(socket.item(), Some(Item::Pong(payload.into())), "{target}");
        }
        // A pong that nobody asked for says no more than that the peer lives (section 5.5.3).
        socket.send_frame(Opcode::Pong, b"by the way");
        socket.send_frame(Opcode::Ping, b"last");
        assert_eq!(socket.item(), Some(Item::Pong(b"last".as_slice().into())), "{target}");
    }
}

#[test]
fn a_silent_peer_is_pinged_and_dropped_when_it_stays_silent() {
    let server = Server::with(&QUICK);
    let mut sockets = ["/t/a", "/ws"].map(|target| Socket::open(&server, target));
    server.await_connections(2);
    let begun = Instant::now();
    for socket in &mut sockets {
        assert_eq!(socket.json()["type"], "ready");
        assert_eq!(socket.item(), Some(Item::Ping(b"".as_slice().into())));
        assert_eq!(socket.item(), None, "it is cut, not closed: nobody would hear");
    }
    assert!(begun.elapsed() >= Duration::from_millis(2500), "{:?}", begun.elapsed());
    server.await_connections(0);
}

#[test]
fn whoever_answers_stays() {
    let server = Server::with(&QUICK);
    let (mut socket, _) = Socket::on_topic(&server, "/t/a");
    let mut talkative = Socket::v1(&server);
    // Longer than a silent peer would live.
    let until_then = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until_then {
        match socket.item() {
            Some(Item::Ping(payload)) => socket.send_frame(Opcode::Pong, &payload),
            other => panic!("{other:?}"),
        }
        talkative.send_text("{\"do\":\"ping\"}");
    }
    server.publish("a", "still here");
    let item = until("the event comes", || match socket.item() {
        Some(Item::Text(text)) => Some(text),
        other => {
            assert!(matches!(other, Some(Item::Ping(_))), "{other:?}");
            None
        }
    });
    assert!(item.contains("still here"), "{item}");
    talkative.send_text("{\"do\":\"ping\",\"id\":\"last\"}");
    until("its own ping is answered", || (talkative.json()["id"] == "last").then_some(()));
    assert_eq!(server.connections(), 2);
}

/// Its pongs cannot come before it has read what is in front of the pings.
#[test]
fn a_slow_reader_that_keeps_reading_is_not_taken_for_dead() {
    const BYTES: usize = 3 << 20;
    let settings = [QUICK[0], QUICK[1], ("LIMITS_MESSAGE_BYTES", "4MiB")];
    let server = Server::with(&settings);
    let mut wire = server.narrow_wire();
    wire.send(handshake("/t/a?data=raw", &[]));
    assert_eq!(wire.head().status, 101);
    server.publish("a", "x".repeat(BYTES));
    // Far longer than a peer that takes nothing would live.
    let (begun, span) = (Instant::now(), Duration::from_secs(5));
    let mut taken = 0;
    while taken < BYTES {
        let due = BYTES as f64 * (begun.elapsed().as_secs_f64() / span.as_secs_f64());
        if (taken as f64) < due {
            let count = wire.skip_some(16 << 10);
            assert!(count > 0, "cut after {taken} bytes and {:?}", begun.elapsed());
            taken += count;
        } else {
            // It is slow: that is what this test is about.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
