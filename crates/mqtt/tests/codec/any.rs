//! Any packet that can be written, in the form in which it comes out again.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tidings_mqtt_codec::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect,
    Packet, PacketId, Publish, PublishProperties, QoS, ReasonCode, RetainHandling, SubAck,
    Subscribe, SubscribeFilter, Unsubscribe, VARINT_MAX, Version, Will,
};

/// A packet and the version it is of.
pub(crate) fn packet(version: Version) -> BoxedStrategy<Packet> {
    let of_all = prop_oneof![
        3 => connect(version).prop_map(|packet| Packet::Connect(Box::new(packet))),
        2 => connack(version).prop_map(|packet| Packet::ConnAck(Box::new(packet))),
        4 => publish(version, true).prop_map(Packet::Publish),
        4 => acks(version),
        3 => subscribe(version).prop_map(|packet| Packet::Subscribe(Box::new(packet))),
        2 => suback(version),
        2 => unsubscribe(version).prop_map(|packet| Packet::Unsubscribe(Box::new(packet))),
        1 => Just(Packet::PingReq),
        1 => Just(Packet::PingResp),
        2 => disconnect(version).prop_map(|packet| Packet::Disconnect(Box::new(packet))),
    ];
    match version {
        Version::V5 => {
            prop_oneof![10 => of_all, 1 => auth().prop_map(|auth| Packet::Auth(Box::new(auth)))]
                .boxed()
        }
        _ => of_all.boxed(),
    }
}

/// A packet that a client sends behind CONNECT.
pub(crate) fn from_client(version: Version) -> BoxedStrategy<Packet> {
    prop_oneof![
        4 => publish(version, false).prop_map(Packet::Publish),
        2 => acks(version),
        2 => subscribe(version).prop_map(|packet| Packet::Subscribe(Box::new(packet))),
        1 => unsubscribe(version).prop_map(|packet| Packet::Unsubscribe(Box::new(packet))),
        1 => Just(Packet::PingReq),
    ]
    .boxed()
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[^\0]{0,12}", 1 => "[a-z]{120,140}"]
}

fn topic() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[^\0+#]{1,20}", 1 => "[a-z/]{110,140}"]
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => "[^\0+#/$]{0,6}", 1 => Just("+".to_owned())];
    (vec(level, 1..4), any::<bool>(), any::<bool>())
        .prop_map(|(levels, hash, shared)| {
            let hash = if hash { "/#" } else { "" };
            let shared = if shared { "$share/g/" } else { "" };
            format!("{shared}{}{hash}", levels.join("/"))
        })
        .prop_filter("a topic filter has a character", |filter| {
            !filter.is_empty() && filter != "$share/g/"
        })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![6 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 120..140)].prop_map(Bytes::from)
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        6 => vec(any::<u8>(), 0..40),
        2 => vec(any::<u8>(), 100..140),
        1 => vec(any::<u8>(), 16_360..16_400),
    ]
    .prop_map(Bytes::from)
}

fn user() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((string(), string()), 0..3)
}

fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    any::<PacketId>()
}

fn subscription_id() -> impl Strategy<Value = u32> {
    prop_oneof![1..200u32, 1..=VARINT_MAX]
}

fn reason(of: &[ReasonCode]) -> impl Strategy<Value = ReasonCode> + use<> {
    select(of.to_vec())
}

/// `strategy` on MQTT 5.0, and otherwise the default.
fn since_v5<T>(version: Version, strategy: impl Strategy<Value = T> + 'static) -> BoxedStrategy<T>
where
    T: Default + Clone + std::fmt::Debug + 'static,
{
    if version == Version::V5 { strategy.boxed() } else { Just(T::default()).boxed() }
}

fn message() -> impl Strategy<Value = PublishProperties> {
    (
        option::of(any::<bool>()),
        option::of(any::<u32>()),
        option::of(topic()),
        option::of(bytes()),
        user(),
        option::of(string()),
    )
        .prop_map(
            |(
                payload_is_utf8,
                message_expiry,
                response_topic,
                correlation_data,
                user,
                content_type,
            )| {
                PublishProperties {
                    payload_is_utf8,
                    message_expiry,
                    response_topic,
                    correlation_data,
                    user,
                    content_type,
                    ..PublishProperties::default()
                }
            },
        )
}

/// Properties as they are read: none at all rather than none in a box.
fn boxed(properties: PublishProperties) -> Option<Box<PublishProperties>> {
    (properties != PublishProperties::default()).then(|| Box::new(properties))
}

pub(crate) fn publish(version: Version, from_server: bool) -> impl Strategy<Value = Publish> {
    let ids = if from_server { 0..4 } else { 0..1 };
    let properties = (message(), option::of(any::<NonZeroU16>()), vec(subscription_id(), ids));
    let properties = properties.prop_map(|(message, topic_alias, subscription_ids)| {
        boxed(PublishProperties { topic_alias, subscription_ids, ..message })
    });
    (
        (any::<bool>(), qos(), any::<bool>(), packet_id(), any::<bool>()),
        topic(),
        since_v5(version, properties),
        payload(),
    )
        .prop_map(|((dup, qos, retain, packet_id, by_alias), topic, properties, payload)| {
            let is_acknowledged = qos > QoS::AtMostOnce;
            let has_alias =
                properties.as_ref().is_some_and(|properties| properties.topic_alias.is_some());
            Publish {
                dup: dup && is_acknowledged,
                qos,
                retain,
                topic: if by_alias && has_alias { String::new() } else { topic },
                packet_id: is_acknowledged.then_some(packet_id),
                properties,
                payload,
            }
        })
}

fn will(version: Version) -> impl Strategy<Value = Will> {
    (
        (topic(), bytes(), qos(), any::<bool>()),
        since_v5(version, any::<u32>()),
        since_v5(version, message().prop_map(boxed)),
    )
        .prop_map(|((topic, payload, qos, retain), delay, properties)| Will {
            topic,
            payload,
            qos,
            retain,
            delay,
            properties,
        })
}

fn authentication() -> impl Strategy<Value = (Option<String>, Option<Bytes>)> {
    option::of((string(), option::of(bytes()))).prop_map(|authentication| match authentication {
        Some((method, data)) => (Some(method), data),
        None => (None, None),
    })
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    (
        (
            option::of(any::<u32>()),
            option::of(any::<NonZeroU16>()),
            option::of(any::<NonZeroU32>()),
        ),
        (any::<u16>(), any::<bool>(), any::<bool>()),
        authentication(),
        user(),
    )
        .prop_map(
            |(limits, (topic_alias_maximum, response, problem), authentication, user)| {
                ConnectProperties {
                    session_expiry: limits.0,
                    receive_maximum: limits.1,
                    maximum_packet_size: limits.2,
                    topic_alias_maximum,
                    request_response_information: response,
                    request_problem_information: problem,
                    authentication_method: authentication.0,
                    authentication_data: authentication.1,
                    user,
                }
            },
        )
}

pub(crate) fn connect(version: Version) -> impl Strategy<Value = Connect> {
    let client_id = match version {
        Version::V31 => "[^\0]{1,23}",
        _ => "[^\0]{0,23}",
    };
    (
        (any::<bool>(), any::<u16>()),
        client_id,
        option::of(will(version)),
        option::of(string()),
        option::of(bytes()),
        since_v5(version, connect_properties()),
    )
        .prop_map(
            move |((clean_start, keep_alive), client_id, will, username, password, properties)| {
                let needs_username = version < Version::V5;
                Connect {
                    version,
                    clean_start: clean_start || client_id.is_empty(),
                    keep_alive,
                    client_id,
                    will,
                    password: password.filter(|_| username.is_some() || !needs_username),
                    username,
                    properties,
                }
            },
        )
}

fn connack_properties() -> impl Strategy<Value = ConnAckProperties> {
    let flag = || option::of(any::<bool>());
    let maximum_qos = option::of(select(vec![QoS::AtMostOnce, QoS::AtLeastOnce]));
    (
        (
            option::of(any::<u32>()),
            option::of(any::<NonZeroU16>()),
            option::of(any::<NonZeroU32>()),
        ),
        (maximum_qos, any::<u16>(), option::of(any::<u16>())),
        (flag(), flag(), flag(), flag()),
        (option::of(string()), option::of(string()), option::of(string()), option::of(string())),
        authentication(),
        user(),
    )
        .prop_map(|(limits, numbers, flags, strings, authentication, user)| {
            ConnAckProperties {
                session_expiry: limits.0,
                receive_maximum: limits.1,
                maximum_packet_size: limits.2,
                maximum_qos: numbers.0,
                topic_alias_maximum: numbers.1,
                server_keep_alive: numbers.2,
                retain_available: flags.0,
                wildcard_subscription_available: flags.1,
                subscription_ids_available: flags.2,
                shared_subscription_available: flags.3,
                assigned_client_id: strings.0,
                reason_string: strings.1,
                response_information: strings.2,
                server_reference: strings.3,
                authentication_method: authentication.0,
                authentication_data: authentication.1,
                user,
            }
        })
}

pub(crate) fn connack(version: Version) -> impl Strategy<Value = ConnAck> {
    let mut reasons = vec![
        ReasonCode::Success,
        ReasonCode::UnsupportedProtocolVersion,
        ReasonCode::ClientIdentifierNotValid,
        ReasonCode::ServerUnavailable,
        ReasonCode::BadUserNameOrPassword,
        ReasonCode::NotAuthorized,
    ];
    if version == Version::V5 {
        reasons.extend([ReasonCode::Banned, ReasonCode::PacketTooLarge, ReasonCode::ServerMoved]);
    }
    (any::<bool>(), reason(&reasons), since_v5(version, connack_properties())).prop_map(
        move |(session_present, reason, properties)| ConnAck {
            session_present: session_present && !reason.is_error() && version > Version::V31,
            reason,
            properties,
        },
    )
}

fn ack_properties() -> impl Strategy<Value = AckProperties> {
    (option::of(string()), user())
        .prop_map(|(reason_string, user)| AckProperties { reason_string, user })
}

fn acks(version: Version) -> impl Strategy<Value = Packet> {
    let of_publish = reason(match version {
        Version::V5 => {
            &[ReasonCode::Success, ReasonCode::NoMatchingSubscribers, ReasonCode::QuotaExceeded]
        }
        _ => &[ReasonCode::Success],
    });
    let of_release = reason(match version {
        Version::V5 => &[ReasonCode::Success, ReasonCode::PacketIdentifierNotFound],
        _ => &[ReasonCode::Success],
    });
    let properties = ack_properties().prop_map(|properties| {
        (properties != AckProperties::default()).then(|| Box::new(properties))
    });
    (0..4, packet_id(), of_publish, of_release, since_v5(version, properties)).prop_map(
        |(which, packet_id, of_publish, of_release, properties)| {
            let ack = |reason| Ack { packet_id, reason, properties: properties.clone() };
            match which {
                0 => Packet::PubAck(ack(of_publish)),
                1 => Packet::PubRec(ack(of_publish)),
                2 => Packet::PubRel(ack(of_release)),
                _ => Packet::PubComp(ack(of_release)),
            }
        },
    )
}

fn subscribe_filter(version: Version) -> impl Strategy<Value = SubscribeFilter> {
    let handling =
        select(vec![RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
    let options = (any::<bool>(), any::<bool>(), handling);
    (filter(), qos(), since_v5(version, options)).prop_map(
        |(filter, qos, (no_local, retain_as_published, retain_handling))| SubscribeFilter {
            no_local: no_local && !filter.starts_with("$share/"),
            filter,
            qos,
            retain_as_published,
            retain_handling,
        },
    )
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe> {
    (
        packet_id(),
        since_v5(version, option::of(subscription_id())),
        since_v5(version, user()),
        vec(subscribe_filter(version), 1..4),
    )
        .prop_map(|(packet_id, subscription_id, user, filters)| Subscribe {
            packet_id,
            subscription_id,
            user,
            filters,
        })
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), since_v5(version, user()), vec(filter(), 1..4))
        .prop_map(|(packet_id, user, filters)| Unsubscribe { packet_id, user, filters })
}

fn suback(version: Version) -> impl Strategy<Value = Packet> {
    let mut granted =
        vec![ReasonCode::GRANTED_QOS_0, ReasonCode::GrantedQos1, ReasonCode::GrantedQos2];
    if version > Version::V31 {
        granted.push(ReasonCode::UnspecifiedError);
    }
    let mut done = Vec::new();
    if version == Version::V5 {
        granted.extend([ReasonCode::QuotaExceeded, ReasonCode::TopicFilterInvalid]);
        done.extend([ReasonCode::Success, ReasonCode::NoSubscriptionExisted]);
    }
    let properties = since_v5(version, ack_properties());
    let subscribed = (packet_id(), vec(reason(&granted), 1..5), properties.clone()).prop_map(
        |(packet_id, reasons, properties)| {
            Packet::SubAck(Box::new(SubAck { packet_id, reasons, properties }))
        },
    );
    let reasons =
        if done.is_empty() { Just(Vec::new()).boxed() } else { vec(reason(&done), 1..5).boxed() };
    let unsubscribed =
        (packet_id(), reasons, properties).prop_map(|(packet_id, reasons, properties)| {
            Packet::UnsubAck(Box::new(SubAck { packet_id, reasons, properties }))
        });
    prop_oneof![subscribed, unsubscribed]
}

fn disconnect(version: Version) -> impl Strategy<Value = Disconnect> {
    let reasons = reason(&[
        ReasonCode::NORMAL_DISCONNECTION,
        ReasonCode::DisconnectWithWillMessage,
        ReasonCode::ProtocolError,
    ]);
    let all =
        (reasons, option::of(any::<u32>()), option::of(string()), option::of(string()), user())
            .prop_map(|(reason, session_expiry, reason_string, server_reference, user)| {
                Disconnect { reason, session_expiry, reason_string, server_reference, user }
            });
    since_v5(version, all)
}

fn auth() -> impl Strategy<Value = Auth> {
    let reasons = reason(&[ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate]);
    (reasons, string(), option::of(bytes()), option::of(string()), user()).prop_map(
        |(reason, method, data, reason_string, user)| Auth {
            reason,
            method: Some(method),
            data,
            reason_string,
            user,
        },
    )
}
