//! What is not written, because the other side would have to refuse it; and that nothing is left
//! of it then.

use bytes::Bytes;
use tidings_mqtt_codec::topic::TopicError;
use tidings_mqtt_codec::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect,
    EncodeError, Packet, PacketId, Publish, PublishProperties, QoS, ReasonCode, SubAck, Subscribe,
    SubscribeFilter, Unsubscribe, VARINT_MAX, Version, Will,
};

use crate::wire::{VERSIONS, encode};

#[track_caller]
fn check(packet: Packet, version: Version, error: EncodeError) {
    let mut out = b"before".to_vec();
    assert_eq!(packet.encode(version, &mut out), Err(error));
    assert_eq!(out, b"before");
}

fn message() -> Publish {
    Publish { topic: "t".into(), ..Publish::default() }
}

fn with_properties(properties: PublishProperties) -> Packet {
    Packet::Publish(Publish { properties: Some(Box::new(properties)), ..message() })
}

#[test]
fn fields_and_packets_have_lengths() {
    let long = "a".repeat(65_536);
    for version in VERSIONS {
        let topic = Packet::Publish(Publish { topic: long.clone(), ..Publish::default() });
        check(topic, version, EncodeError::Topic(TopicError::TooLong));
        let payload = Bytes::from(vec![0; VARINT_MAX as usize]);
        check(
            Packet::Publish(Publish { payload, ..message() }),
            version,
            EncodeError::PacketTooLong,
        );
        let client_id = long.clone();
        let connect = Connect { version, client_id, ..Connect::default() };
        check(Packet::Connect(Box::new(connect)), version, EncodeError::FieldTooLong);
    }
    let payload = Bytes::from(vec![0; VARINT_MAX as usize - 3]);
    let longest = Publish { payload, ..message() };
    assert_eq!(longest.encode_head(Version::V311, &mut Vec::new()), Ok(None));
    let data = Some(Bytes::from(long.clone()));
    let correlation = PublishProperties { correlation_data: data, ..PublishProperties::default() };
    check(with_properties(correlation), Version::V5, EncodeError::FieldTooLong);
    let user = PublishProperties { user: vec![("n".into(), long)], ..PublishProperties::default() };
    check(with_properties(user.clone()), Version::V5, EncodeError::FieldTooLong);
    // What is left out cannot be too long.
    assert_eq!(encode(&with_properties(user), Version::V311), b"\x30\x03\0\x01t");
}

#[test]
fn strings_have_no_nulls() {
    let bad = || Some("a\0".to_owned());
    let topic = Packet::Publish(Publish { topic: "a\0".into(), ..Publish::default() });
    check(topic, Version::V311, EncodeError::Topic(TopicError::NullCharacter));
    let content_type = PublishProperties { content_type: bad(), ..PublishProperties::default() };
    check(with_properties(content_type), Version::V5, EncodeError::NullCharacter);
    let connect = Connect { client_id: "c".into(), username: bad(), ..Connect::default() };
    check(Packet::Connect(Box::new(connect)), Version::V5, EncodeError::NullCharacter);
    let disconnect = Disconnect { reason_string: bad(), ..Disconnect::default() };
    check(Packet::Disconnect(Box::new(disconnect)), Version::V5, EncodeError::NullCharacter);
}

#[test]
fn messages_are_of_their_form() {
    let id = Some(PacketId::MIN);
    for version in VERSIONS {
        for (qos, packet_id) in [(QoS::AtMostOnce, id), (QoS::AtLeastOnce, None)] {
            let message = Publish { qos, packet_id, ..message() };
            check(Packet::Publish(message), version, EncodeError::PacketId);
        }
        let again = Packet::Publish(Publish { dup: true, ..message() });
        check(again, version, EncodeError::DupAtQos0);
        let wildcard = Packet::Publish(Publish { topic: "a/#".into(), ..message() });
        check(wildcard, version, EncodeError::Topic(TopicError::Wildcard));
        let empty = Packet::Publish(Publish::default());
        check(empty, version, EncodeError::Topic(TopicError::Empty));
    }
    let topic_alias = std::num::NonZeroU16::new(1);
    let properties = Some(Box::new(PublishProperties { topic_alias, ..Default::default() }));
    let by_alias = Packet::Publish(Publish { properties, ..Publish::default() });
    encode(&by_alias, Version::V5);
    check(by_alias, Version::V311, EncodeError::Topic(TopicError::Empty));
    let response = PublishProperties { response_topic: Some("+".into()), ..Default::default() };
    check(with_properties(response), Version::V5, EncodeError::Topic(TopicError::Wildcard));
    for id in [0, VARINT_MAX + 1] {
        let ids = PublishProperties { subscription_ids: vec![1, id], ..Default::default() };
        check(with_properties(ids), Version::V5, EncodeError::SubscriptionId);
    }
}

#[test]
fn reasons_belong_to_their_packet_and_version() {
    let reason = ReasonCode::GrantedQos1;
    let ack = Ack { reason, ..Ack::success(PacketId::MIN) };
    for packet in [Packet::PubAck, Packet::PubRec, Packet::PubRel, Packet::PubComp] {
        check(packet(ack.clone()), Version::V5, EncodeError::Reason);
    }
    let connack = |reason| Packet::ConnAck(Box::new(ConnAck { reason, ..ConnAck::default() }));
    check(connack(ReasonCode::KeepAliveTimeout), Version::V5, EncodeError::Reason);
    check(connack(ReasonCode::ProtocolError), Version::V311, EncodeError::NoReturnCode);
    for (reason, code) in [
        (ReasonCode::ServerBusy, 3),
        (ReasonCode::QuotaExceeded, 3),
        (ReasonCode::ConnectionRateExceeded, 3),
        (ReasonCode::Banned, 5),
    ] {
        assert_eq!(encode(&connack(reason), Version::V311), [0x20, 2, 0, code]);
    }
    let present =
        ConnAck { session_present: true, reason: ReasonCode::Banned, ..Default::default() };
    check(Packet::ConnAck(Box::new(present)), Version::V5, EncodeError::SessionPresent);
    let disconnect = Disconnect { reason, ..Disconnect::default() };
    check(Packet::Disconnect(Box::new(disconnect)), Version::V5, EncodeError::Reason);
    let auth = Auth { reason, method: Some("m".into()), ..Auth::default() };
    check(Packet::Auth(Box::new(auth)), Version::V5, EncodeError::Reason);
}

#[test]
fn subscribe_acknowledgements_say_what_the_version_can() {
    let suback = |reasons: &[ReasonCode]| SubAck {
        packet_id: PacketId::MIN,
        reasons: reasons.to_vec(),
        properties: AckProperties::default(),
    };
    let failed = Packet::SubAck(Box::new(suback(&[ReasonCode::NotAuthorized])));
    assert_eq!(encode(&failed, Version::V311), b"\x90\x03\0\x01\x80");
    check(failed, Version::V31, EncodeError::NoReturnCode);
    let none = suback(&[]);
    check(Packet::SubAck(Box::new(none.clone())), Version::V311, EncodeError::NoReason);
    check(Packet::UnsubAck(Box::new(none)), Version::V5, EncodeError::NoReason);
    let mixed_up = suback(&[ReasonCode::NoSubscriptionExisted]);
    check(Packet::SubAck(Box::new(mixed_up.clone())), Version::V5, EncodeError::Reason);
    assert_eq!(encode(&Packet::UnsubAck(Box::new(mixed_up)), Version::V311), b"\xb0\x02\0\x01");
}

#[test]
fn subscriptions_have_valid_filters() {
    let subscribe = |filter: &str, no_local, subscription_id| {
        let filters =
            vec![SubscribeFilter { filter: filter.into(), no_local, ..Default::default() }];
        let user = Vec::new();
        let packet_id = PacketId::MIN;
        Packet::Subscribe(Box::new(Subscribe { packet_id, subscription_id, user, filters }))
    };
    let bad = EncodeError::Topic(TopicError::MultiLevelWildcard);
    check(subscribe("a#", false, None), Version::V311, bad);
    let bad = EncodeError::Topic(TopicError::NoSharedFilter);
    check(subscribe("$share/g", false, None), Version::V5, bad);
    check(subscribe("$share/g/a", true, None), Version::V5, EncodeError::NoLocalShared);
    check(subscribe("a", false, Some(0)), Version::V5, EncodeError::SubscriptionId);
    check(subscribe("a", false, Some(VARINT_MAX + 1)), Version::V5, EncodeError::SubscriptionId);
    let (packet_id, user) = (PacketId::MIN, Vec::new());
    let filters = Vec::new();
    let none = Unsubscribe { packet_id, user: user.clone(), filters: Vec::new() };
    check(Packet::Unsubscribe(Box::new(none)), Version::V5, EncodeError::NoFilter);
    let none = Subscribe { packet_id, subscription_id: None, user, filters };
    check(Packet::Subscribe(Box::new(none)), Version::V5, EncodeError::NoFilter);
}

#[test]
fn connect_is_of_its_version() {
    let connect = |change: fn(&mut Connect)| {
        let mut connect =
            Connect { version: Version::V311, client_id: "c".into(), ..Connect::default() };
        change(&mut connect);
        Packet::Connect(Box::new(connect))
    };
    check(connect(|_| {}), Version::V5, EncodeError::NotInVersion);
    check(connect(|c| c.client_id.clear()), Version::V311, EncodeError::NoClientId);
    let alone = connect(|c| c.password = Some(Bytes::new()));
    check(alone, Version::V311, EncodeError::PasswordAlone);
    let will = |change: fn(&mut PublishProperties)| {
        let mut properties = PublishProperties::default();
        change(&mut properties);
        let properties = Some(Box::new(properties));
        let will = Will { topic: "t".into(), properties, ..Will::default() };
        Packet::Connect(Box::new(Connect { will: Some(will), ..Connect::default() }))
    };
    let alias = will(|own| own.topic_alias = std::num::NonZeroU16::new(1));
    check(alias, Version::V5, EncodeError::PropertyOfWill);
    let ids = will(|own| own.subscription_ids = vec![1]);
    check(ids, Version::V5, EncodeError::PropertyOfWill);
    let topic = connect(|c| c.will = Some(Will::default()));
    check(topic, Version::V311, EncodeError::Topic(TopicError::Empty));
}

#[test]
fn authentications_have_a_method_and_a_version() {
    let data = Some(Bytes::new());
    let properties = ConnectProperties { authentication_data: data.clone(), ..Default::default() };
    let connect = Connect { properties, ..Connect::default() };
    let missing = EncodeError::NoAuthenticationMethod;
    check(Packet::Connect(Box::new(connect)), Version::V5, missing);
    let properties = ConnAckProperties { authentication_data: data.clone(), ..Default::default() };
    let connack = ConnAck { properties, ..ConnAck::default() };
    check(Packet::ConnAck(Box::new(connack)), Version::V5, missing);
    let auth = Auth { data, ..Auth::default() };
    check(Packet::Auth(Box::new(auth)), Version::V5, missing);
    check(Packet::Auth(Box::default()), Version::V311, EncodeError::NotInVersion);
    assert_eq!(encode(&Packet::Auth(Box::default()), Version::V5), b"\xf0\0");
}
