//! MQTT over WebSocket (section 6): the same packets, however they are cut into frames.

use tidings_mqtt_codec::{Ack, Connect, Decoder, Limits, Packet, QoS, Version};
use tidings_tests::{Server, Socket, filter, masked, packet_id, publish, v5};
use tidings_websocket_codec::{Item, Opcode};

use crate::server;

/// Bits of a frame's first byte (RFC 6455 section 5.2).
const FIN: u8 = 0x80;

/// A socket of `/mqtt` that was offered these subprotocols.
#[track_caller]
fn open(server: &Server, offered: &str) -> Socket {
    let socket = Socket::try_open(server, "/mqtt", &[("Sec-WebSocket-Protocol", offered)]);
    socket.unwrap_or_else(|refused| panic!("{refused:?}"))
}

fn bytes(version: Version, packets: &[Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in packets {
        packet.encode(version, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
    }
    bytes
}

/// Reads so many packets out of binary messages.
#[track_caller]
fn read(socket: &mut Socket, decoder: &mut Decoder, count: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.len() < count {
        match socket.item() {
            Some(Item::Binary(bytes)) => {
                let mut input = &bytes[..];
                while let Some(packet) =
                    decoder.decode(&mut input).unwrap_or_else(|e| panic!("{e}"))
                {
                    packets.push(packet);
                }
            }
            other => panic!("no binary message, but {other:?}"),
        }
    }
    assert_eq!(packets.len(), count, "{packets:?}");
    packets
}

/// CONNECT, SUBSCRIBE and a message to itself.
fn said(version: Version) -> Vec<u8> {
    let subscribe = tidings_mqtt_codec::Subscribe {
        packet_id: packet_id(1),
        subscription_id: None,
        user: Vec::new(),
        filters: vec![filter("t", QoS::AtLeastOnce)],
    };
    let message = publish("t", "x".repeat(300), QoS::AtMostOnce, 0);
    bytes(
        version,
        &[
            Packet::Connect(Box::new(Connect { version, ..v5("a") })),
            Packet::Subscribe(Box::new(subscribe)),
            Packet::Publish(message),
        ],
    )
}

#[test]
fn packets_may_be_cut_into_frames_anyhow() {
    let server = server(&[]);
    for (offered, version) in [
        ("mqtt", Version::V5),
        ("mqtt", Version::V311),
        ("mqttv3.1", Version::V31),
        ("other, mqtt", Version::V5),
    ] {
        let said = said(version);
        // All in one message, a message for each few bytes, and one message in frames.
        for size in [said.len(), 1, 7] {
            for is_one_message in [false, true] {
                let mut socket = open(&server, offered);
                let protocol = socket.head.header("sec-websocket-protocol");
                assert_eq!(protocol, offered.split(", ").last());
                let count = said.chunks(size).count();
                for (index, chunk) in said.chunks(size).enumerate() {
                    let mut frame = masked(Opcode::Binary, chunk);
                    if is_one_message {
                        let opcode = if index == 0 { frame[0] & !FIN } else { 0 };
                        frame[0] = opcode | if index + 1 == count { FIN } else { 0 };
                    }
                    socket.send_bytes(&frame);
                }
                let mut decoder = Decoder::client(version, Limits::default());
                let packets = read(&mut socket, &mut decoder, 3);
                assert!(matches!(packets[0], Packet::ConnAck(_)), "{packets:?}");
                let has = |is: fn(&Packet) -> bool| packets.iter().any(is);
                assert!(has(|packet| matches!(packet, Packet::SubAck(_))), "{packets:?}");
                assert!(has(
                    |packet| matches!(packet, Packet::Publish(it) if it.payload.len() == 300)
                ));
            }
        }
    }
}

#[test]
fn text_is_no_mqtt() {
    let server = server(&[]);
    let mut socket = open(&server, "mqtt");
    socket.send_text("\u{10}");
    assert_ne!(socket.close_code(), 0);
    // Nor is it after CONNECT: MQTT 5 says so before it closes.
    let mut socket = open(&server, "mqtt");
    let connect = Packet::Connect(Box::new(v5("a")));
    socket.send_frame(Opcode::Binary, &bytes(Version::V5, &[connect]));
    let mut decoder = Decoder::client(Version::V5, Limits::default());
    read(&mut socket, &mut decoder, 1);
    socket.send_text("\u{c0}");
    assert!(matches!(read(&mut socket, &mut decoder, 1)[..], [Packet::Disconnect(_)]));
    socket.close_code();
}

#[test]
fn who_offers_other_protocols_has_none_and_who_offers_nothing_has_mqtt() {
    let server = server(&[]);
    match Socket::try_open(&server, "/mqtt", &[("Sec-WebSocket-Protocol", "chat")]) {
        Ok(socket) => panic!("{:?}", socket.head),
        Err(response) => assert_eq!(response.status, 400, "{response:?}"),
    }
    let mut socket = Socket::open(&server, "/mqtt");
    let connect = Packet::Connect(Box::new(v5("a")));
    socket.send_frame(Opcode::Binary, &bytes(Version::V5, &[connect]));
    let mut decoder = Decoder::client(Version::V5, Limits::default());
    assert!(matches!(read(&mut socket, &mut decoder, 1)[..], [Packet::ConnAck(_)]));
}

#[test]
fn a_client_may_change_its_carrier() {
    let server = server(&[]);
    let lasting = tidings_tests::lasting(Version::V5, "a");
    let mut before = crate::client(&server, lasting.clone());
    before.reads("t", QoS::AtLeastOnce);
    let mut socket = open(&server, "mqtt");
    let connect = Packet::Connect(Box::new(lasting));
    socket.send_frame(Opcode::Binary, &bytes(Version::V5, &[connect]));
    let mut decoder = Decoder::client(Version::V5, Limits::default());
    match &read(&mut socket, &mut decoder, 1)[..] {
        [Packet::ConnAck(connack)] => assert!(connack.session_present),
        other => panic!("{other:?}"),
    }
    assert!(before.reason().is_some());
    server.publish("t", "x");
    match &read(&mut socket, &mut decoder, 1)[..] {
        [Packet::Publish(message)] => {
            assert_eq!(&message.payload[..], b"x");
            let id = message.packet_id.unwrap_or_else(|| panic!("no identifier"));
            let ack = bytes(Version::V5, &[Packet::PubAck(Ack::success(id)), Packet::PingReq]);
            socket.send_frame(Opcode::Binary, &ack);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&mut socket, &mut decoder, 1), [Packet::PingResp]);
}
