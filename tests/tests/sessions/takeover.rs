//! One connection at a time: who is told what when another becomes the session, on every
//! transport and across threads, and that the older one gets nothing more.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tidings_tests::{Parting, Server, Socket, Stream, Via, Visit, Wish, request};
use tidings_websocket_codec::Item;

use crate::position;

/// Every way on which there is somebody to be told: a poll is over when it is answered.
const HELD: [Via; 5] = [Via::Sse, Via::LongPoll, Via::Ws, Via::Ndjson, Via::V1];

/// Checks that `parting` is what this way tells of such an end, no more and no less. `at` is where
/// the older one stood.
#[track_caller]
fn expect_parting(parting: &Parting, via: Via, reason: &str, at: &str) {
    let mut goodbye = json!({"type": "goodbye", "reason": reason, "position": at});
    let (retry, code) = match via {
        Via::Sse | Via::Ndjson | Via::Xhr | Via::Iframe | Via::Multipart => (None, None),
        Via::Ws => (None, Some(4409)),
        Via::V1 => {
            goodbye = json!({"type": "goodbye", "reason": reason});
            (None, None)
        }
        Via::LongPoll | Via::Poll => {
            assert_eq!((parting.code, parting.reason()), (Some(409), reason), "{parting:?}");
            for text in ["message", "hint"] {
                assert!(parting.said[text].as_str().is_some_and(|text| !text.is_empty()));
            }
            return;
        }
    };
    assert_eq!(parting, &Parting { said: goodbye, retry, code }, "{via:?}");
}

/// Becomes the session and waits until that is so.
#[track_caller]
fn become_it(server: &Server, via: Via, wish: &Wish, name: &str) -> Visit {
    let visit = Visit::open(server, via, wish);
    if via == Via::LongPoll {
        server.await_connected(name, true);
    }
    visit
}

#[test]
fn the_older_connection_is_told_on_every_transport_and_gets_nothing_more() {
    let server = Server::start();
    for (number, older) in HELD.into_iter().enumerate() {
        for newer in Visit::WAYS {
            // Connections go to the threads in turn: once to the same one, once to another.
            for same_thread in [true, false] {
                let name = format!("{number}-{}-{same_thread}", newer.name());
                let wish = Wish::new(&name).topics(&[&name]);
                let mut first = become_it(&server, older, &wish, &name);
                if older != Via::LongPoll {
                    server.publish_numbers(&name, 0..1);
                    first.take(1);
                }
                let at = server.session(&name)["position"].clone();
                let _turn = same_thread.then(|| server.wire());
                let wish = if newer == Via::LongPoll { wish.with("wait", "0") } else { wish };
                let mut second = Visit::open(&server, newer, &wish);
                server.publish_numbers(&name, 1..2);
                expect_parting(&first.parting(), older, "session_taken_over", at.as_str().unwrap());
                if matches!(newer, Via::Poll | Via::LongPoll) {
                    second = Visit::open(&server, newer, &wish);
                }
                assert_eq!(second.take(1), [(json!(1), 1)], "{older:?} {newer:?}");
            }
        }
    }
}

#[test]
fn a_held_poll_takes_a_session_over_too() {
    let server = Server::start();
    for older in HELD {
        let name = older.name();
        let wish = Wish::new(name).topics(&[name]);
        let mut first = become_it(&server, older, &wish, name);
        let at = server.session(name)["position"].as_str().unwrap().to_owned();
        let mut second = Visit::open(&server, Via::LongPoll, &wish);
        expect_parting(&first.parting(), older, "session_taken_over", &at);
        server.publish_numbers(name, 0..1);
        assert_eq!(second.take(1), [(json!(0), 1)], "{older:?}");
    }
}

#[test]
fn whoever_is_connected_to_a_deleted_session_is_told() {
    let server = Server::start();
    for via in HELD {
        let name = via.name();
        let wish = Wish::new(name).topics(&[name]).explicit();
        let mut visit = become_it(&server, via, &wish, name);
        let at = server.session(name)["position"].as_str().unwrap().to_owned();
        assert_eq!(server.ask("DELETE", &format!("/s/{name}"), &[], b"").status, 204);
        server.publish_numbers(name, 0..1);
        expect_parting(&visit.parting(), via, "session_deleted", &at);
        server.get(&format!("/s/{name}")).expect_problem(404, "session_unknown");
    }
}

#[test]
fn on_tidings_v1_only_that_subscription_ends() {
    let server = Server::start();
    let mut socket = Socket::v1(&server);
    for (sub, more) in
        [("one", json!({"session": "s"})), ("two", json!({"session": "o"})), ("three", json!({}))]
    {
        let mut command = json!({"do": "subscribe", "sub": sub, "topics": ["t"]});
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(socket.command(&command)["ok"], true);
    }
    let _other = Visit::open(&server, Via::Sse, &Wish::new("s"));
    let goodbye = json!({"type": "goodbye", "reason": "session_taken_over"});
    assert_eq!(socket.json(), json!({"sub": "one", "event": goodbye}));
    server.publish("t", "x");
    let mut heard = [socket.json(), socket.json()].map(|frame| frame["sub"].clone());
    heard.sort_by_key(Value::to_string);
    assert_eq!(heard, [json!("three"), json!("two")]);
    // The name is free again, and the same socket may take the session back.
    let again = json!({"do": "subscribe", "sub": "one", "session": "s"});
    assert_eq!(socket.command(&again)["ok"], true);
    // Two subscriptions of one socket take it from each other as two connections would.
    let mut more = json!({"do": "subscribe", "sub": "four", "session": "s"});
    socket.send_json(&more);
    let mut frames = [socket.json(), socket.json()];
    frames.sort_by_key(|frame| frame.get("ok").is_none());
    assert_eq!((&frames[0]["ok"], &frames[0]["sub"]), (&json!(true), &json!("four")));
    assert_eq!(frames[1], json!({"sub": "one", "event": goodbye}));
    more["sub"] = json!("five");
    more["session"] = json!("none");
    assert_eq!(socket.command(&more)["error"], "session_unknown");
}

#[test]
fn those_who_read_payloads_alone_are_told_in_their_way() {
    let server = Server::start();
    let target = |via: &str| format!("/t/t?session={via}&data=raw&via={via}");
    let (mut sse, _) = Stream::sse(&server, &target("sse"));
    let mut ndjson = Stream::open(&server, &target("ndjson"), &[]);
    let mut socket = Socket::open(&server, &target("ws"));
    let mut held = server.wire();
    held.send(request("GET", &format!("{}&wait=60", target("longpoll")), &[], b""));
    tidings_tests::until("all are there", || (server.session_names().len() == 4).then_some(()));
    server.await_connected("longpoll", true);
    for via in ["sse", "ndjson", "ws", "longpoll"] {
        server.ask("DELETE", &format!("/s/{via}"), &[], b"");
    }
    let goodbye = sse.next_sse();
    assert_eq!(goodbye.event.as_deref(), Some("goodbye"));
    assert_eq!(goodbye.json()["reason"], "session_deleted");
    // Its id is what an `EventSource` comes back with by itself, and is told to stay away.
    assert_eq!(goodbye.id.as_deref(), Some("session_deleted"));
    let again = [("Last-Event-ID", "session_deleted")];
    assert_eq!(server.ask("GET", &target("sse"), &again, b"").status, 204);
    sse.expect_end();
    ndjson.expect_end();
    let Some(Item::Close { code, reason }) = socket.item() else { panic!("not closed first") };
    assert_eq!((code.map(|code| code.get()), &*reason), (Some(4409), "session_deleted"));
    held.response("GET").expect_problem(409, "session_deleted");
}

/// Whoever is behind is told, too, and what it is sent after that is nothing.
#[test]
fn a_connection_that_takes_nothing_loses_its_session_as_well() {
    let server = Server::with(&[("TIMES_WRITE_STALL", "2s")]);
    let mut deaf = server.narrow_wire();
    deaf.send(request("GET", "/t/t?session=s&via=sse&ack=explicit", &[], b""));
    assert_eq!(deaf.head().status, 200);
    for _ in 0..40 {
        server.publish("t", "x".repeat(512 << 10));
    }
    let mut visit = Visit::open(&server, Via::V1, &Wish::new("s"));
    for _ in 0..40 {
        assert!(visit.read()["data"].is_string());
    }
    // It is cut for taking nothing, not kept because it had a session once.
    server.await_connections(1);
    assert!(server.session("s")["connected"] == true);
    assert!(deaf.read_to_end().len() < 40 * (512 << 10));
}

/// Two clients that take the session from each other as fast as they can, over every transport.
/// Whatever is published belongs to the one that has it.
#[test]
fn two_that_fight_never_both_receive() {
    let server = Server::start();
    let wish = Wish::new("s").explicit();
    let mut holder = Visit::open(&server, Via::Sse, &wish.clone().topics(&["t"]));
    let ways = [Via::Sse, Via::Ws, Via::V1, Via::Ndjson];
    for number in 0..200 {
        let via = ways[(number as usize * 7 / 3) % ways.len()];
        let mut newer = Visit::open(&server, via, &wish);
        let at = server.publish_numbers("t", number..number + 1);
        assert_eq!(newer.take(1), [(json!(number), 1)]);
        assert_eq!(holder.parting().reason(), "session_taken_over", "at {number}");
        server.ack("s", &at);
        holder = newer;
    }
}

/// The same, while messages come without a pause. What the older one was sent by then, the newer
/// one is sent again, and is told so: nothing goes to both as if it were new.
#[test]
fn a_session_changes_hands_in_mid_stream() {
    let server = Server::start();
    let wish = Wish::new("s").explicit();
    let mut holder = Visit::open(&server, Via::Ndjson, &wish.clone().topics(&["t"]));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when something is found wrong, or the publisher would be waited for without end.
        let stopped = Stopped(&stop);
        let publisher = scope.spawn(|| {
            for number in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                server.publish("t", number.to_string());
            }
        });
        for turn in 0..100 {
            let via = [Via::Sse, Via::V1, Via::Ndjson, Via::Ws][turn % 4];
            let mut newer = Visit::open(&server, via, &wish);
            let mut sent = None;
            let parting = loop {
                match holder.try_read() {
                    Ok(event) => sent = Some(number(&event)),
                    Err(parting) => break parting,
                }
            };
            assert_eq!(parting.reason(), "session_taken_over");
            let mut before = None;
            loop {
                let event = newer.read();
                let now = number(&event);
                assert!(before.is_none_or(|before| now == before + 1), "{now} after {before:?}");
                before = Some(now);
                if sent.is_none_or(|sent| now >= sent) {
                    server.ack("s", &position(&event));
                    assert!(
                        sent.is_none_or(|sent| now == sent),
                        "{now} comes first, {sent:?} was sent"
                    );
                    break;
                }
                assert!(event["attempt"].as_u64() > Some(1), "{sent:?} was sent before {event}");
            }
            holder = newer;
        }
        drop(stopped);
        assert!(publisher.join().is_ok());
    });
}

/// Says so when it is dropped.
struct Stopped<'a>(&'a AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[track_caller]
fn number(event: &Value) -> u64 {
    let number = event["data"].as_str().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no number: {event}"))
}

#[test]
fn of_two_at_the_same_moment_one_has_it() {
    let server = Server::start();
    for turn in 0..50 {
        let wish = Wish::new(&format!("s{turn}")).topics(&["t"]);
        let mut visits = std::thread::scope(|scope| {
            let open = |via| Visit::open(&server, via, &wish);
            let threads = [Via::Ws, Via::Sse].map(|via| scope.spawn(move || open(via)));
            threads.map(|thread| thread.join().unwrap_or_else(|_| panic!("not opened")))
        });
        server.publish("t", "x");
        let mut heard = visits.each_mut().map(|visit| visit.try_read());
        heard.sort_by_key(Result::is_err);
        assert_eq!(heard[0].as_ref().map(|event| event["data"].clone()), Ok(json!("x")));
        assert_eq!(heard[1].as_ref().err().map(Parting::reason), Some("session_taken_over"));
    }
}
