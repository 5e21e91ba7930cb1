//! What is no MQTT, or not what may come now: it ends that connection alone, with the right words.

use tidings_mqtt_codec::{Connect, Packet, QoS, ReasonCode, Version};
use tidings_tests::{Mqtt, lasting, publish, v5, v311};

use crate::{client, server};

/// CONNECT of a version, as bytes.
fn connect_bytes(version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    let connect = Packet::Connect(Box::new(Connect { version, ..v5("a") }));
    connect.encode(version, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
    bytes
}

#[test]
fn a_protocol_level_that_is_unknown_is_answered_in_both_forms() {
    let server = server(&[]);
    for (level, answer) in [(2, &b"\x20\x02\0\x01"[..]), (6, b"\x20\x03\0\x84")] {
        let mut wire = Mqtt::raw(server.mqtt(), Version::V5);
        let mut bytes = connect_bytes(Version::V311);
        bytes[8] = level;
        wire.wire().send(bytes);
        let got = wire.wire().read_to_end();
        // The newer form may say more in properties.
        assert_eq!((got[0], &got[2..4]), (answer[0], &answer[2..4]), "{level}: {got:?}");
    }
}

#[test]
fn garbage_and_halves_end_their_connection_only() {
    let server = server(&[("MQTT_CONNECT_WAIT", "1s")]);
    let mut bystander = client(&server, v5("bystander"));
    let mut half = Mqtt::raw(server.mqtt(), Version::V5);
    half.wire().send(&connect_bytes(Version::V5)[..9]);
    let mut silent = Mqtt::raw(server.mqtt(), Version::V5);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\xff\xff",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\xff\xff\xff\x7f",
        b"\xc0\0",
        b"\x30\x04\0\x01ax",
        b"\xe0\0",
        b"\x10\x0c\0\x04MQTX\x04\x02\0\0\0\0",
    ] {
        let mut client = Mqtt::raw(server.mqtt(), Version::V5);
        let _ = client.wire().try_send(bytes);
        let said = client.wire().read_to_end();
        assert!(said.is_empty() || said[0] == 0x20 && said[3] != 0, "{bytes:?}: {said:?}");
    }
    half.wire().read_to_end();
    silent.wire().expect_end();
    bystander.expect_quiet();
}

#[test]
fn what_breaks_the_standard_is_told_in_its_words() {
    let server = server(&[("LIMITS_MESSAGE_BYTES", "1000")]);
    let mut bystander = client(&server, v5("bystander"));
    let connect = connect_bytes(Version::V5);
    for (name, bytes, reason) in [
        ("second CONNECT", &connect[..], ReasonCode::ProtocolError),
        ("reserved type", b"\0\0", ReasonCode::MalformedPacket),
        ("QoS 3", b"\x36\x06\0\x01a\0\x01\0", ReasonCode::MalformedPacket),
        ("DUP of QoS 0", b"\x38\x04\0\x01a\0", ReasonCode::ProtocolError),
        ("identifier 0", b"\x32\x06\0\x01a\0\0\0", ReasonCode::ProtocolError),
        ("wildcard in a name", b"\x30\x04\0\x01#\0", ReasonCode::TopicNameInvalid),
        ("name of no bytes", b"\x30\x03\0\0\0", ReasonCode::ProtocolError),
        ("U+0000", b"\x30\x06\0\x03a\0b\0", ReasonCode::MalformedPacket),
        ("no UTF-8", b"\x30\x04\0\x01\xff\0", ReasonCode::MalformedPacket),
        ("surrogate", b"\x30\x06\0\x03\xed\xa0\x80\0", ReasonCode::MalformedPacket),
        ("length beyond the packet", b"\x30\x04\0\x09a\0", ReasonCode::MalformedPacket),
        ("length of five bytes", b"\x30\xff\xff\xff\xff\x01", ReasonCode::MalformedPacket),
        ("too large", b"\x30\x80\x80\x80\x01", ReasonCode::PacketTooLarge),
        ("flags of SUBSCRIBE", b"\x80\x07\0\x01\0\0\x01a\0", ReasonCode::MalformedPacket),
        ("SUBSCRIBE to nothing", b"\x82\x03\0\x01\0", ReasonCode::ProtocolError),
        ("MQTT 5: alias 0", b"\x30\x07\0\x01a\x03\x23\0\0", ReasonCode::TopicAliasInvalid),
        (
            "MQTT 5: alias over the maximum",
            b"\x30\x07\0\x01a\x03\x23\0\x21",
            ReasonCode::TopicAliasInvalid,
        ),
        (
            "MQTT 5: alias that was never set",
            b"\x30\x06\0\0\x03\x23\0\x20",
            ReasonCode::TopicAliasInvalid,
        ),
        (
            "MQTT 5: subscription identifier",
            b"\x30\x06\0\x01a\x02\x0b\x01",
            ReasonCode::ProtocolError,
        ),
        ("MQTT 5: property twice", b"\x30\x08\0\x01a\x04\x01\0\x01\0", ReasonCode::ProtocolError),
        ("MQTT 5: property of others", b"\x30\x06\0\x01a\x02\x24\x01", ReasonCode::MalformedPacket),
        ("server's packet", b"\xd0\0", ReasonCode::ProtocolError),
        ("AUTH", b"\xf0\0", ReasonCode::ProtocolError),
        (
            "MQTT 5: session kept at last",
            b"\xe0\x07\0\x05\x11\0\0\0\x05",
            ReasonCode::ProtocolError,
        ),
    ] {
        let mut client = client(&server, v5("breaks"));
        client.wire().send(bytes);
        assert_eq!(client.reason(), Some(reason), "{name}");
        bystander.expect_quiet();
        if !name.starts_with("MQTT 5") {
            // MQTT 3 has no words for it.
            let mut client = Mqtt::connect(server.mqtt(), v311("breaks"));
            client.wire().send(bytes);
            assert_eq!(client.reason(), None, "{name}");
        }
    }
}

#[test]
fn who_may_not_connect_is_told_why() {
    let server = server(&[]);
    let mut strange = v5("a");
    strange.properties.authentication_method = Some("SCRAM-SHA-1".into());
    for (connect, reason) in [
        (strange, ReasonCode::BadAuthenticationMethod),
        (v5(&"x".repeat(124)), ReasonCode::ClientIdentifierNotValid),
        (v311(&"x".repeat(124)), ReasonCode::ClientIdentifierNotValid),
    ] {
        let mut client = Mqtt::open(server.mqtt(), connect.clone());
        assert_eq!(client.connack.reason, reason, "{connect:?}");
        assert!(!client.connack.session_present);
        client.expect_end();
    }
    client(&server, v5(&"x".repeat(123)));
    for id in ["a/b", "*", "%2F", "..", "$x", "+/#", "\u{e4}\u{f6}", " ", "a b"] {
        let kept = client(&server, lasting(Version::V5, id));
        kept.disconnect(ReasonCode::Success);
        assert!(client(&server, lasting(Version::V5, id)).connack.session_present, "{id}");
    }
}

#[test]
fn everybody_is_sent_to_another_server_that_has_one() {
    let server = server(&[("MQTT_REDIRECT", "other.example:1883")]);
    let mut sent = Mqtt::open(server.mqtt(), v5("a"));
    assert_eq!(sent.connack.reason, ReasonCode::UseAnotherServer);
    let reference = sent.connack.properties.server_reference.as_deref();
    assert_eq!(reference, Some("other.example:1883"));
    sent.expect_end();
    // MQTT 3 has no word for it.
    let mut old = Mqtt::open(server.mqtt(), v311("a"));
    assert_eq!(old.connack.reason, ReasonCode::ServerUnavailable);
    old.expect_end();
}

#[test]
fn bytes_may_come_one_by_one() {
    let server = server(&[]);
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut bytes = connect_bytes(version);
        let mut client = Mqtt::raw(server.mqtt(), version);
        let message = Packet::Publish(publish("t", "x".repeat(100), QoS::AtLeastOnce, 1));
        message.encode(version, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
        for byte in bytes {
            client.wire().send([byte]);
        }
        assert!(matches!(client.expect(), Packet::ConnAck(_)));
        assert!(matches!(client.expect(), Packet::PubAck(_)));
        client.expect_quiet();
    }
}
