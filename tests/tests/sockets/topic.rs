//! A WebSocket on a topic's URL: every event is a frame, every frame is published.

use std::time::{Duration, Instant};

use serde_json::json;
use tidings_tests::{Server, Socket, handshake, masked};
use tidings_websocket_codec::{Item, Opcode};

#[test]
fn what_is_sent_is_published() {
    let server = Server::start();
    let (mut socket, ready) = Socket::on_topic(&server, "/t/a");
    socket.send_text("käse");
    socket.send_frame(Opcode::Binary, b"\xff\x00");
    socket.send_text("");
    let text = socket.json();
    assert_eq!((&text["topic"], &text["type"]), (&json!("a"), &json!("message")));
    assert_eq!(
        (&text["data"], &text["contentType"]),
        (&json!("käse"), &json!("text/plain; charset=utf-8"))
    );
    let bytes = socket.json();
    assert_eq!((&bytes["data"], &bytes["encoding"]), (&json!("/wA="), &json!("base64")));
    assert_eq!(bytes["contentType"], "application/octet-stream");
    assert_eq!(socket.json()["data"], "");
    assert_eq!(
        server.get("/t/a").events(),
        [text, bytes, server.get("/t/a?last=1").events().remove(0)]
    );
    let begin = ready["position"].as_str().unwrap();
    assert_eq!(server.get(&format!("/t/a?since={begin}")).events().len(), 3);
}

#[test]
fn sockets_hear_each_other() {
    let server = Server::start();
    let mut sockets: Vec<Socket> = (0..6).map(|_| Socket::on_topic(&server, "/t/chat").0).collect();
    for number in 0..sockets.len() {
        sockets[number].send_text(&number.to_string());
        for socket in &mut sockets {
            assert_eq!(socket.json()["data"], number.to_string());
        }
    }
}

#[test]
fn frames_that_come_with_the_handshake_count() {
    let server = Server::start();
    let mut wire = server.wire();
    let frames: Vec<u8> =
        (0..5).flat_map(|n| masked(Opcode::Text, n.to_string().as_bytes())).collect();
    wire.send([handshake("/t/a", &[]), frames].concat());
    let mut socket = Socket::begin(wire).unwrap();
    assert_eq!(socket.json()["type"], "ready");
    for number in 0..5 {
        assert_eq!(socket.json()["data"], number.to_string());
    }
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let server = Server::start();
    let (mut socket, _) = Socket::on_topic(&server, "/t/a");
    let frame = masked(Opcode::Text, "käse".as_bytes());
    for byte in &frame {
        socket.send_bytes(&[*byte]);
    }
    assert_eq!(socket.json()["data"], "käse");
    // Fragments, cut inside a character, with a ping between them (RFC 6455 section 5.4).
    let mut fragments = Vec::new();
    for (first, opcode, piece) in
        [(0x01, Opcode::Text, &b"k\xc3"[..]), (0x00, Opcode::Continuation, b"\xa4s")]
    {
        let mut frame = masked(opcode, piece);
        frame[0] = first;
        fragments.extend(frame);
        fragments.extend(masked(Opcode::Ping, b"still there?"));
    }
    fragments.extend(masked(Opcode::Continuation, b"e"));
    socket.send_bytes(&fragments);
    for _ in 0..2 {
        assert_eq!(socket.item(), Some(Item::Pong(b"still there?".as_slice().into())));
    }
    assert_eq!(socket.json()["data"], "käse");
}

#[test]
fn a_socket_of_many_topics_publishes_nowhere() {
    let server = Server::start();
    for target in ["/t/a/**", "/t?topic=a&topic=b", "/t/*"] {
        let (mut socket, _) = Socket::on_topic(&server, target);
        socket.send_text("where to?");
        let error = socket.json();
        assert_eq!((&error["type"], &error["error"]), (&json!("error"), &json!("bad_topic")));
        assert!(error["message"].is_string() && error["hint"].is_string(), "{error}");
        server.publish("a", target);
        assert_eq!(socket.json()["data"], target, "it goes on");
    }
    let (mut socket, _) = Socket::on_topic(&server, "/t?topic=one");
    socket.send_text("here");
    assert_eq!(socket.json()["data"], "here");
}

#[test]
fn what_may_not_be_published_is_answered() {
    let namespace = r#"[{match="read-only", publish=false}, {match="closed", subscribe=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    let (mut socket, _) = Socket::on_topic(&server, "/t/read-only");
    for _ in 0..2 {
        socket.send_text("x");
        let error = socket.json();
        assert_eq!((&error["type"], &error["error"]), (&json!("error"), &json!("forbidden")));
    }
    for topic in ["closed", "$session/me", "$session/*"] {
        let refusal = Socket::try_open(&server, &format!("/t/{topic}"), &[]).err().unwrap();
        refusal.expect_problem(403, "forbidden");
    }
}

#[test]
fn queries_mean_what_they_mean_elsewhere() {
    let server = Server::start();
    let position = server.publish_numbers("a", 0..3);
    server.publish_numbers("a", 3..6);
    for (query, expected) in [
        ("since=start&limit=6", 0..6),
        ("last=2&limit=2", 4..6),
        (&format!("since={position}&limit=3"), 3..6),
        ("via=ws&since=start&limit=1", 0..1),
    ] {
        let (mut socket, _) = Socket::on_topic(&server, &format!("/t/a?{query}"));
        for number in expected {
            assert_eq!(socket.json()["data"], number, "{query}");
        }
        assert_eq!(socket.close_code(), 1000, "{query}");
    }
    let refusal = Socket::try_open(&server, "/t/a?since=start&last=1", &[]).err().unwrap();
    refusal.expect_problem(400, "bad_query");
}

/// One that sends while it does not read is held back, not cut; and is heard once it has caught
/// up, not at the next heartbeat.
#[test]
fn what_is_sent_by_one_who_is_behind_is_published() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "5s")]);
    let (mut socket, _) = Socket::on_topic(&server, "/t/a");
    let large = "x".repeat(900 << 10);
    for _ in 0..12 {
        server.publish("a", &large);
    }
    socket.send_text("heard");
    for _ in 0..12 {
        assert_eq!(socket.json()["data"], large.as_str());
    }
    let caught_up = Instant::now();
    assert_eq!(socket.json()["data"], "heard");
    assert!(caught_up.elapsed() < Duration::from_secs(3), "after {:?}", caught_up.elapsed());
}
