//! The example packets of the standards, byte for byte, read and written.

use bytes::Bytes;
use tidings_mqtt_codec::{
    Ack, AckProperties, ConnAck, Connect, ConnectProperties, Disconnect, Packet, PacketId, Publish,
    PublishProperties, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter,
    Unsubscribe, Version, Will,
};

use crate::wire::{encode, hear, listener};

fn id(number: u16) -> PacketId {
    PacketId::MIN.saturating_add(number - 1)
}

/// Checks that the bytes are the packet, and the packet the bytes.
#[track_caller]
fn check(version: Version, packet: Packet, bytes: &[u8]) {
    assert_eq!(encode(&packet, version), bytes);
    let mut decoder = listener(packet.packet_type(), version);
    assert_eq!(hear(&mut decoder, [bytes]), (vec![packet], None));
}

/// Figure 3.6 of MQTT 3.1.1 and figure 3-6 of 5.0: the flags 0xce and a keep alive of 10 seconds.
#[test]
fn connect() {
    let connect = Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive: 10,
        client_id: "c".into(),
        will: Some(Will {
            topic: "w".into(),
            payload: Bytes::from_static(b"m"),
            qos: QoS::AtLeastOnce,
            ..Will::default()
        }),
        username: Some("u".into()),
        password: Some(Bytes::from_static(b"p")),
        properties: ConnectProperties::default(),
    };
    let bytes = b"\x10\x19\0\x04MQTT\x04\xce\0\x0a\0\x01c\0\x01w\0\x01m\0\x01u\0\x01p";
    check(Version::V311, Packet::Connect(Box::new(connect.clone())), bytes);

    let old = Connect { version: Version::V31, ..connect.clone() };
    let bytes = b"\x10\x1b\0\x06MQIsdp\x03\xce\0\x0a\0\x01c\0\x01w\0\x01m\0\x01u\0\x01p";
    check(Version::V31, Packet::Connect(Box::new(old)), bytes);

    let properties = ConnectProperties { session_expiry: Some(10), ..ConnectProperties::default() };
    let new = Connect { version: Version::V5, properties, ..connect };
    let bytes =
        b"\x10\x20\0\x04MQTT\x05\xce\0\x0a\x05\x11\0\0\0\x0a\0\x01c\0\0\x01w\0\x01m\0\x01u\0\x01p";
    check(Version::V5, Packet::Connect(Box::new(new)), bytes);
}

#[test]
fn connack() {
    let accepted = ConnAck { session_present: true, ..ConnAck::default() };
    check(Version::V311, Packet::ConnAck(Box::new(accepted.clone())), b"\x20\x02\x01\0");
    check(Version::V5, Packet::ConnAck(Box::new(accepted)), b"\x20\x03\x01\0\0");
    for (reason, code) in [
        (ReasonCode::UnsupportedProtocolVersion, 1),
        (ReasonCode::ClientIdentifierNotValid, 2),
        (ReasonCode::ServerUnavailable, 3),
        (ReasonCode::BadUserNameOrPassword, 4),
        (ReasonCode::NotAuthorized, 5),
    ] {
        let refused = Packet::ConnAck(Box::new(ConnAck { reason, ..ConnAck::default() }));
        check(Version::V31, refused.clone(), &[0x20, 2, 0, code]);
        check(Version::V311, refused.clone(), &[0x20, 2, 0, code]);
        check(Version::V5, refused, &[0x20, 3, 0, reason as u8, 0]);
    }
}

/// Figure 3.11 of MQTT 3.1.1 and figure 3-9 of 5.0: "a/b" with the packet identifier 10.
#[test]
fn publish() {
    let message = Publish {
        qos: QoS::AtLeastOnce,
        topic: "a/b".into(),
        packet_id: Some(id(10)),
        payload: Bytes::from_static(b"hi"),
        ..Publish::default()
    };
    check(Version::V311, Packet::Publish(message.clone()), b"\x32\x09\0\x03a/b\0\x0ahi");
    check(Version::V5, Packet::Publish(message.clone()), b"\x32\x0a\0\x03a/b\0\x0a\0hi");
    let properties = PublishProperties {
        payload_is_utf8: Some(true),
        message_expiry: Some(1),
        topic_alias: std::num::NonZeroU16::new(2),
        response_topic: Some("r".into()),
        correlation_data: Some(Bytes::from_static(b"d")),
        user: vec![("n".into(), "v".into()), ("n".into(), "w".into())],
        subscription_ids: vec![3, 200],
        content_type: Some("t".into()),
    };
    let full = Publish {
        dup: true,
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: Some(Box::new(properties)),
        ..message
    };
    let bytes =
        b"\x3d\x33\0\x03a/b\0\x0a\x29\x01\x01\x02\0\0\0\x01\x23\0\x02\x08\0\x01r\x09\0\x01d\
        \x0b\x03\x0b\xc8\x01\x03\0\x01t\x26\0\x01n\0\x01v\x26\0\x01n\0\x01whi";
    assert_eq!(encode(&Packet::Publish(full.clone()), Version::V5), bytes);
    let mut decoder = crate::wire::client(Version::V5);
    assert_eq!(hear(&mut decoder, [&bytes[..]]), (vec![Packet::Publish(full)], None));
}

#[test]
fn acknowledgements() {
    for (first, packet) in [
        (0x40, Packet::PubAck as fn(Ack) -> Packet),
        (0x50, Packet::PubRec),
        (0x62, Packet::PubRel),
        (0x70, Packet::PubComp),
    ] {
        for version in [Version::V31, Version::V311, Version::V5] {
            check(version, packet(Ack::success(id(0x1234))), &[first, 2, 0x12, 0x34]);
        }
    }
    let mut ack = Ack { reason: ReasonCode::NotAuthorized, ..Ack::success(id(1)) };
    check(Version::V5, Packet::PubAck(ack.clone()), b"\x40\x03\0\x01\x87");
    let properties = AckProperties { reason_string: Some("no".into()), user: Vec::new() };
    ack.properties = Some(Box::new(properties));
    check(Version::V5, Packet::PubAck(ack.clone()), b"\x40\x09\0\x01\x87\x05\x1f\0\x02no");
    // Older versions have no word for it.
    assert_eq!(encode(&Packet::PubAck(ack), Version::V311), b"\x40\x02\0\x01");
}

/// Figures 3.23 and 3-21: "a/b" at QoS 1 and "c/d" at QoS 2; their answers, and the way back.
#[test]
fn subscriptions() {
    let filter = |name: &str, qos| SubscribeFilter {
        filter: name.into(),
        qos,
        ..SubscribeFilter::default()
    };
    let mut subscribe = Subscribe {
        packet_id: id(10),
        subscription_id: None,
        user: Vec::new(),
        filters: vec![filter("a/b", QoS::AtLeastOnce), filter("c/d", QoS::ExactlyOnce)],
    };
    let bytes = b"\x82\x0e\0\x0a\0\x03a/b\x01\0\x03c/d\x02";
    check(Version::V311, Packet::Subscribe(Box::new(subscribe.clone())), bytes);
    let bytes = b"\x82\x0f\0\x0a\0\0\x03a/b\x01\0\x03c/d\x02";
    check(Version::V5, Packet::Subscribe(Box::new(subscribe.clone())), bytes);
    subscribe.subscription_id = Some(300);
    subscribe.filters.truncate(1);
    subscribe.filters[0].no_local = true;
    subscribe.filters[0].retain_as_published = true;
    subscribe.filters[0].retain_handling = RetainHandling::DoNotSend;
    let bytes = b"\x82\x0c\0\x0a\x03\x0b\xac\x02\0\x03a/b\x2d";
    check(Version::V5, Packet::Subscribe(Box::new(subscribe)), bytes);

    let reasons =
        vec![ReasonCode::GRANTED_QOS_0, ReasonCode::GrantedQos2, ReasonCode::UnspecifiedError];
    let suback = SubAck { packet_id: id(10), reasons, properties: AckProperties::default() };
    let bytes = b"\x90\x05\0\x0a\0\x02\x80";
    check(Version::V311, Packet::SubAck(Box::new(suback.clone())), bytes);
    check(Version::V5, Packet::SubAck(Box::new(suback)), b"\x90\x06\0\x0a\0\0\x02\x80");

    let filters = vec!["a/b".into(), "c/d".into()];
    let unsubscribe = Unsubscribe { packet_id: id(10), user: Vec::new(), filters };
    let bytes = b"\xa2\x0c\0\x0a\0\x03a/b\0\x03c/d";
    check(Version::V311, Packet::Unsubscribe(Box::new(unsubscribe)), bytes);
    let reasons = vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
    let mut unsuback = SubAck { packet_id: id(10), reasons, properties: AckProperties::default() };
    let bytes = b"\xb0\x05\0\x0a\0\0\x11";
    check(Version::V5, Packet::UnsubAck(Box::new(unsuback.clone())), bytes);
    unsuback.reasons.clear();
    check(Version::V311, Packet::UnsubAck(Box::new(unsuback)), b"\xb0\x02\0\x0a");
}

#[test]
fn the_rest() {
    for version in [Version::V31, Version::V311, Version::V5] {
        check(version, Packet::PingReq, b"\xc0\0");
        check(version, Packet::PingResp, b"\xd0\0");
        check(version, Packet::Disconnect(Box::default()), b"\xe0\0");
    }
    let reason = ReasonCode::DisconnectWithWillMessage;
    let disconnect = Disconnect { reason, ..Disconnect::default() };
    check(Version::V5, Packet::Disconnect(Box::new(disconnect.clone())), b"\xe0\x01\x04");
    let disconnect = Disconnect { session_expiry: Some(0), ..disconnect };
    let bytes = b"\xe0\x07\x04\x05\x11\0\0\0\0";
    check(Version::V5, Packet::Disconnect(Box::new(disconnect)), bytes);
}

/// Section 2.2.3 of MQTT 3.1.1: 64 and 321 as a Remaining Length.
#[test]
fn the_remaining_length_is_written_low_bits_first() {
    let of_len = |len: usize| {
        let message = Publish {
            topic: "a".into(),
            payload: Bytes::from(vec![b'x'; len - 3]),
            ..Publish::default()
        };
        let len = message.encoded_len(Version::V311);
        let bytes = encode(&Packet::Publish(message), Version::V311);
        assert_eq!(bytes.len(), len);
        bytes
    };
    assert_eq!(of_len(64)[..2], [0x30, 0x40]);
    assert_eq!(of_len(321)[..3], [0x30, 193, 2]);
    for (len, bytes) in [
        (127, &[0x7f][..]),
        (128, &[0x80, 1]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 1]),
        (2_097_151, &[0xff, 0xff, 0x7f]),
        (2_097_152, &[0x80, 0x80, 0x80, 1]),
    ] {
        assert_eq!(of_len(len)[1..][..bytes.len()], *bytes);
    }
}
