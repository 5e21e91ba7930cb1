//! `tidings.v1` flow control: no more ahead of an `ack` than the window allows.

use serde_json::{Value, json};
use tidings_tests::{Server, Socket};

/// A subscription of `a` from the start with this window.
#[track_caller]
fn subscribe(server: &Server, window: u32) -> Socket {
    let mut socket = Socket::v1(server);
    let command =
        json!({"do": "subscribe", "sub": "s", "topics": ["a"], "since": "start", "window": window});
    assert_eq!(socket.command(&command)["ok"], true);
    socket
}

#[track_caller]
fn expect_numbers(socket: &mut Socket, range: std::ops::Range<u32>) -> Vec<Value> {
    let read = |number| {
        let mut event = socket.json()["event"].take();
        assert_eq!(event["data"], number, "{event}");
        event["position"].take()
    };
    range.map(read).collect()
}

/// Shows that nothing more was sent: an answer comes first.
#[track_caller]
fn expect_silence(socket: &mut Socket) {
    let answer = socket.command(&json!({"do": "ping", "id": "silence"}));
    assert_eq!(answer["id"], "silence", "more than the window allows: {answer}");
}

#[track_caller]
fn ack(socket: &mut Socket, position: &Value) {
    socket.send_json(&json!({"do": "ack", "id": "ack", "sub": "s", "position": position}));
    let answer = socket.json();
    assert_eq!(answer, json!({"id": "ack", "ok": true}));
}

#[test]
fn the_window_opens_with_each_ack() {
    let server = Server::start();
    server.publish_numbers("a", 0..12);
    let mut socket = subscribe(&server, 5);
    let positions = expect_numbers(&mut socket, 0..5);
    expect_silence(&mut socket);
    ack(&mut socket, &positions[1]);
    let more = expect_numbers(&mut socket, 5..7);
    expect_silence(&mut socket);
    ack(&mut socket, &positions[0]);
    expect_silence(&mut socket);
    ack(&mut socket, &more[1]);
    let last = expect_numbers(&mut socket, 7..12);
    expect_silence(&mut socket);
    server.publish_numbers("a", 12..14);
    expect_silence(&mut socket);
    ack(&mut socket, &last[4]);
    expect_numbers(&mut socket, 12..14);
}

#[test]
fn a_window_of_one_is_stop_and_wait() {
    let server = Server::start();
    let mut socket = subscribe(&server, 1);
    for number in 0..30 {
        server.publish_numbers("a", number..number + 1);
    }
    for number in 0..30 {
        let position = expect_numbers(&mut socket, number..number + 1).remove(0);
        expect_silence(&mut socket);
        ack(&mut socket, &position);
    }
    expect_silence(&mut socket);
}

#[test]
fn a_full_window_holds_nobody_else_back() {
    let server = Server::start();
    let mut socket = subscribe(&server, 1);
    let other = json!({"do": "subscribe", "sub": "other", "topics": ["a"], "since": "start"});
    assert_eq!(socket.command(&other)["ok"], true);
    server.publish_numbers("a", 0..20);
    let mut heard = [0, 0];
    while heard != [1, 20] {
        let delivery = socket.json();
        let index = usize::from(delivery["sub"] == "other");
        assert_eq!(delivery["event"]["data"], heard[index], "{delivery}");
        heard[index] += 1;
    }
    expect_silence(&mut socket);
}

#[test]
fn what_was_not_acknowledged_comes_again_after_a_resume() {
    let server = Server::start();
    server.publish_numbers("a", 0..6);
    let mut socket = subscribe(&server, 3);
    let positions = expect_numbers(&mut socket, 0..3);
    drop(socket);
    let mut socket = Socket::v1(&server);
    let command = json!({"do": "subscribe", "sub": "s", "topics": ["a"], "since": positions[0], "window": 10});
    assert_eq!(socket.command(&command)["position"], positions[0]);
    expect_numbers(&mut socket, 1..6);
}
