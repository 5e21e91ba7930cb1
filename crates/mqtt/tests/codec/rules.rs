//! The rules of packets that a server hears behind CONNECT, by the numbers of the statements.

use tidings_mqtt_codec::topic::TopicError;
use tidings_mqtt_codec::{Fault, Packet, ReasonCode, Version};

use crate::wire::{Refusal, VERSIONS, check_refused, framed, hear, server};

const MALFORMED: ReasonCode = ReasonCode::MalformedPacket;
const PROTOCOL: ReasonCode = ReasonCode::ProtocolError;

/// Checks what a server refuses in a version.
#[track_caller]
fn check_server(version: Version, first: u8, body: &[u8], refusal: Refusal) {
    check_refused(|| server(version), &framed(first, body), refusal);
}

/// Checks what a server takes in a version.
#[track_caller]
fn check_taken(version: Version, bytes: &[u8]) {
    let (packets, error) = hear(&mut server(version), [bytes]);
    assert_eq!((packets.len(), error), (1, None), "{bytes:x?}");
}

#[test]
fn reserved_types_are_refused() {
    let of_v311 = (Fault::ReservedType, "section 2.2.1", MALFORMED);
    check_server(Version::V5, 0x00, b"", (Fault::ReservedType, "section 2.1.2", MALFORMED));
    check_server(Version::V311, 0x0f, b"", of_v311);
    check_server(Version::V311, 0xf0, b"", of_v311);
    let of_v31 = (Fault::ReservedType, "MQTT 3.1 section 2.1", MALFORMED);
    check_server(Version::V31, 0xf0, b"", of_v31);
}

#[test]
fn reserved_flags_are_refused_but_in_3_1() {
    let v5 = (Fault::Flags, "MQTT-2.1.3-1", MALFORMED);
    let v311 = (Fault::Flags, "MQTT-2.2.2-2", MALFORMED);
    for kind in [4, 5, 6, 7, 8, 10, 12, 14] {
        let right = if [6, 8, 10].contains(&kind) { 0b0010 } else { 0 };
        for flags in (0..16).filter(|flags| *flags != right) {
            check_server(Version::V5, kind << 4 | flags, b"\0\x01", v5);
            check_server(Version::V311, kind << 4 | flags, b"\0\x01", v311);
        }
    }
    check_server(Version::V5, 0xf1, b"", v5);
    // There these bits are "not used", or mean that the packet comes again.
    check_taken(Version::V31, b"\x6a\x02\0\x01");
    check_taken(Version::V31, b"\x8a\x06\0\x01\0\x01a\x01");
    check_taken(Version::V31, b"\xcf\0");
}

#[test]
fn the_remaining_length_has_at_most_four_bytes() {
    let bytes = b"\x30\xff\xff\xff\xff\x01";
    let refusal = |place| (Fault::IntegerTooLong, place, MALFORMED);
    check_refused(|| server(Version::V5), bytes, refusal("section 1.5.5"));
    check_refused(|| server(Version::V311), bytes, refusal("section 2.2.3"));
}

#[test]
fn integers_are_as_short_as_they_can_be_since_5_0() {
    let refusal = (Fault::IntegerNotMinimal, "MQTT-1.5.5-1", MALFORMED);
    check_refused(|| server(Version::V5), b"\xc0\x80\0", refusal);
    check_refused(|| server(Version::V5), b"\x30\x84\x80\0\0\x01a\0", refusal);
    check_server(Version::V5, 0x30, b"\0\x01a\x80\0", refusal); // the length of the properties
    check_server(Version::V5, 0x30, b"\0\x01a\x03\x81\0\x01", refusal); // a property's identifier
    check_taken(Version::V311, b"\xc0\x80\0");
    check_taken(Version::V31, b"\x30\x83\x80\0\0\x01a");
}

#[test]
fn packets_have_the_length_they_say() {
    for version in VERSIONS {
        let (short, long) = match version {
            Version::V31 => ("MQTT 3.1 section 3.4", "MQTT 3.1 section 3.12"),
            Version::V311 => ("section 2.2.3", "section 2.2.3"),
            Version::V5 => ("section 2.1.4", "section 2.1.4"),
        };
        check_server(version, 0x40, b"\0", (Fault::TooShort, short, MALFORMED));
        check_server(version, 0xc0, b"\0", (Fault::TooLong, long, MALFORMED));
    }
    let v311 = (Fault::TooLong, "section 2.2.3", MALFORMED);
    // What has nothing to say is refused before it goes on.
    check_refused(|| server(Version::V311), b"\xe0\x05", v311);
    check_refused(|| server(Version::V311), b"\xc0\x05", v311);
    check_server(Version::V311, 0x40, b"\0\x01\0", v311);
    check_server(Version::V311, 0xe0, b"\0", v311);
    let (short, long) = (
        (Fault::TooShort, "section 2.1.4", MALFORMED),
        (Fault::TooLong, "section 2.1.4", MALFORMED),
    );
    check_server(Version::V5, 0x40, b"\0\x01\0\0\0", long);
    check_server(Version::V5, 0x40, b"\0\x01\0\x01", short);
    check_server(Version::V5, 0xe0, b"\0\0\0", long);
    check_server(Version::V5, 0xe0, b"\0\x05\x11\0\0\0", short);
    check_server(Version::V5, 0x82, b"\0\x01\0\0\x01a", short); // no options
    check_server(Version::V5, 0x30, b"\0\x05abc", short);
    // A property ends with the properties, though the packet goes on.
    check_server(Version::V5, 0x30, b"\0\x01a\x02\x02\0\0\0\x01", short);
    check_server(Version::V5, 0x30, b"\0\x01a\x04\x03\0\x02abc", short);
}

#[test]
fn strings_are_utf_8_without_nulls() {
    for (bad, fault, v5, v311) in [
        (&b"\xc3\x28"[..], Fault::NotUtf8, "MQTT-1.5.4-1", "MQTT-1.5.3-1"),
        (b"\xed\xa0\x80", Fault::NotUtf8, "MQTT-1.5.4-1", "MQTT-1.5.3-1"), // a surrogate
        (b"\xc0\x80", Fault::NotUtf8, "MQTT-1.5.4-1", "MQTT-1.5.3-1"),     // overlong U+0000
        (b"\xf4\x90\x80\x80", Fault::NotUtf8, "MQTT-1.5.4-1", "MQTT-1.5.3-1"),
        (b"a\0", Fault::NullCharacter, "MQTT-1.5.4-2", "MQTT-1.5.3-2"),
    ] {
        let string = [&[0, bad.len() as u8], bad].concat();
        let published = [&string[..], b"\0"].concat();
        check_server(Version::V5, 0x30, &published, (fault, v5, MALFORMED));
        check_server(Version::V311, 0x30, &published, (fault, v311, MALFORMED));
        check_server(Version::V31, 0x30, &published, (fault, "MQTT 3.1 section 3.3", MALFORMED));
        let subscribed = [b"\0\x01", &string[..], b"\0"].concat();
        check_server(Version::V311, 0x82, &subscribed, (fault, v311, MALFORMED));
        check_server(
            Version::V311,
            0xa2,
            &subscribed[..2 + string.len()],
            (fault, v311, MALFORMED),
        );
        let content_type = [b"\0\x01a", &[1 + string.len() as u8, 0x03][..], &string].concat();
        check_server(Version::V5, 0x30, &content_type, (fault, v5, MALFORMED));
        let pair = [b"\0\x01a", &[4 + string.len() as u8, 0x26, 0, 1, b'n'][..], &string].concat();
        check_server(Version::V5, 0x30, &pair, (fault, v5, MALFORMED));
    }
}

/// [MQTT-1.5.4-3]
#[test]
fn a_byte_order_mark_and_non_characters_stay() {
    for version in VERSIONS {
        let topic = "\u{feff}a\u{1}\u{ffff}";
        let mut body = vec![0, topic.len() as u8];
        body.extend_from_slice(topic.as_bytes());
        body.extend_from_slice(if version == Version::V5 { b"\0" } else { b"" });
        let (packets, _) = hear(&mut server(version), [&framed(0x30, &body)[..]]);
        let [Packet::Publish(message)] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!(message.topic, topic);
    }
}

#[test]
fn properties_belong_to_their_packet_and_come_once() {
    let misplaced = (Fault::PropertyMisplaced, "section 2.2.2.2", MALFORMED);
    for property in [b"\0\0", b"\x11\0", b"\x18\0", b"\x2b\0", b"\x40\0", b"\x7f\0"] {
        check_server(Version::V5, 0x30, &[b"\0\x01a\x02", &property[..]].concat(), misplaced);
    }
    check_server(Version::V5, 0x30, b"\0\x01a\x03\xff\x7f\0", misplaced);
    check_server(Version::V5, 0x40, b"\0\x01\0\x05\x11\0\0\0\0", misplaced);
    check_server(Version::V5, 0x82, b"\0\x01\x02\x01\0\0\x01a\0", misplaced);
    check_server(Version::V5, 0xa2, b"\0\x01\x02\x0b\x01\0\x01a", misplaced);
    check_server(Version::V5, 0xe0, b"\0\x03\x21\0\x01", misplaced);
    check_server(Version::V5, 0xf0, b"\x18\x03\x21\0\x01", misplaced);

    let twice = (Fault::PropertyTwice, "section 2.2.2.2", PROTOCOL);
    check_server(Version::V5, 0x30, b"\0\x01a\x04\x01\0\x01\0", twice);
    check_server(Version::V5, 0x82, b"\0\x01\x04\x0b\x01\x0b\x02\0\x01a\0", twice);
    check_server(Version::V5, 0x40, b"\0\x01\0\x06\x1f\0\0\x1f\0\0", twice);
    check_server(Version::V5, 0xe0, b"\0\x06\x1f\0\0\x1f\0\0", twice);
    check_server(Version::V5, 0xf0, b"\x18\x06\x15\0\0\x15\0\0", twice);
    check_taken(Version::V5, b"\x30\x0e\0\x01a\x0a\x26\0\0\0\0\x26\0\0\0\0");
}

#[test]
fn properties_have_the_values_they_may_have() {
    let out_of_range = (Fault::PropertyValue, "section 2.2.2.2", PROTOCOL);
    check_server(Version::V5, 0x30, b"\0\x01a\x02\x01\x02", out_of_range);
    check_server(Version::V5, 0x82, b"\0\x01\x02\x0b\0\0\x01a\0", out_of_range);
    let alias = (Fault::TopicAliasZero, "MQTT-3.3.2-8", ReasonCode::TopicAliasInvalid);
    check_server(Version::V5, 0x30, b"\0\x01a\x03\x23\0\0", alias);
    let response = (Fault::ResponseTopic, "MQTT-3.3.2-14", PROTOCOL);
    for topic in [&b"\0\x01#"[..], b"\0\x03a/+", b"\0\0"] {
        let properties = [&[1 + topic.len() as u8, 0x08], topic].concat();
        check_server(Version::V5, 0x30, &[b"\0\x01a", &properties[..]].concat(), response);
    }
    let subscription = (Fault::SubscriptionIdFromClient, "MQTT-3.3.4-6", PROTOCOL);
    check_server(Version::V5, 0x30, b"\0\x01a\x02\x0b\x01", subscription);
    let integer = (Fault::IntegerTooLong, "section 1.5.5", MALFORMED);
    check_server(Version::V5, 0x82, b"\0\x01\x06\x0b\xff\xff\xff\xff\x01\0\x01a\0", integer);
}

#[test]
fn messages_have_a_qos_and_only_then_come_again() {
    for version in VERSIONS {
        let place = |number| if version == Version::V31 { "MQTT 3.1 section 3.3" } else { number };
        for flags in [0b0110, 0b1111] {
            let refusal = (Fault::Qos3, place("MQTT-3.3.1-4"), MALFORMED);
            check_server(version, 0x30 | flags, b"\0\x01a\0\x01\0", refusal);
        }
        let refusal = (Fault::DupAtQos0, place("MQTT-3.3.1-2"), PROTOCOL);
        check_server(version, 0x38, b"\0\x01a\0", refusal);
    }
}

#[test]
fn packet_identifiers_are_not_0() {
    for (version, place) in [(Version::V5, "MQTT-2.2.1-3"), (Version::V311, "MQTT-2.3.1-1")] {
        let refusal = (Fault::PacketIdZero, place, PROTOCOL);
        check_server(version, 0x32, b"\0\x01a\0\0\0", refusal);
        check_server(version, 0x34, b"\0\x01a\0\0\0", refusal);
        for first in [0x40, 0x50, 0x62, 0x70] {
            check_server(version, first, b"\0\0", refusal);
        }
        check_server(version, 0x82, b"\0\0\0\0\x01a\0", refusal);
        check_server(version, 0xa2, b"\0\0\0\0\x01a", refusal);
    }
}

#[test]
fn messages_have_a_topic_name() {
    for version in VERSIONS {
        let place = if version == Version::V31 { "MQTT 3.1 section 3.3" } else { "MQTT-3.3.2-2" };
        let refusal = (Fault::TopicWildcard, place, ReasonCode::TopicNameInvalid);
        for topic in [b"\0\x01#", b"\0\x01+"] {
            check_server(version, 0x30, &[&topic[..], b"\0"].concat(), refusal);
        }
        check_server(version, 0x30, b"\0\x05a+b/c\0", refusal);
    }
    let none = |place| (Fault::NoTopic, place, PROTOCOL);
    check_server(Version::V5, 0x30, b"\0\0\0", none("section 3.3.2.1"));
    check_server(Version::V5, 0x30, b"\0\0\x02\x01\0", none("section 3.3.2.1"));
    check_server(Version::V311, 0x30, b"\0\0", none("MQTT-4.7.3-1"));
    check_taken(Version::V5, b"\x30\x06\0\0\x03\x23\0\x01");
}

#[test]
fn subscribe_has_topic_filters_and_options() {
    let none = |place| (Fault::NoFilter, place, PROTOCOL);
    check_server(Version::V5, 0x82, b"\0\x01\0", none("MQTT-3.8.3-2"));
    check_server(Version::V311, 0x82, b"\0\x01", none("MQTT-3.8.3-3"));
    check_server(Version::V31, 0x82, b"\0\x01", none("MQTT 3.1 section 3.8"));
    check_server(Version::V5, 0xa2, b"\0\x01\0", none("MQTT-3.10.3-2"));
    check_server(Version::V311, 0xa2, b"\0\x01", none("MQTT-3.10.3-2"));

    let reserved = |place| (Fault::SubscriptionOptions, place, MALFORMED);
    for bit in [0x40, 0x80] {
        check_server(Version::V5, 0x82, &[0, 1, 0, 0, 1, b'a', bit], reserved("MQTT-3.8.3-5"));
    }
    for bit in [0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
        check_server(Version::V311, 0x82, &[0, 1, 0, 1, b'a', bit], reserved("MQTT-3-8.3-4"));
        check_taken(Version::V31, &framed(0x82, &[0, 1, 0, 1, b'a', bit]));
    }
    let qos = |place| (Fault::Qos3, place, PROTOCOL);
    check_server(Version::V5, 0x82, b"\0\x01\0\0\x01a\x03", qos("section 3.8.3.1"));
    check_server(Version::V311, 0x82, b"\0\x01\0\x01a\x03", qos("MQTT-3-8.3-4"));
    check_server(Version::V31, 0x82, b"\0\x01\0\x01a\x03", qos("MQTT 3.1 section 3.8"));
    let handling = (Fault::RetainHandling3, "section 3.8.3.1", PROTOCOL);
    check_server(Version::V5, 0x82, b"\0\x01\0\0\x01a\x30", handling);
    let no_local = (Fault::NoLocalShared, "MQTT-3.8.3-4", PROTOCOL);
    check_server(Version::V5, 0x82, b"\0\x01\0\0\x0a$share/g/a\x04", no_local);
    check_taken(Version::V5, &framed(0x82, b"\0\x01\0\0\x09$shared/g\x04"));
}

#[test]
fn topic_filters_are_valid() {
    for (filter, error, v5, v311) in [
        ("", TopicError::Empty, "MQTT-4.7.3-1", "MQTT-4.7.3-1"),
        ("a#", TopicError::MultiLevelWildcard, "MQTT-4.7.1-1", "MQTT-4.7.1-2"),
        ("#/a", TopicError::MultiLevelWildcard, "MQTT-4.7.1-1", "MQTT-4.7.1-2"),
        ("a+/b", TopicError::SingleLevelWildcard, "MQTT-4.7.1-2", "MQTT-4.7.1-3"),
    ] {
        let refusal = |place| (Fault::Filter(error), place, ReasonCode::TopicFilterInvalid);
        let string = [&[0, filter.len() as u8], filter.as_bytes()].concat();
        let subscribe = [&string[..], b"\0"].concat();
        check_server(Version::V311, 0x82, &[b"\0\x01", &subscribe[..]].concat(), refusal(v311));
        check_server(Version::V311, 0xa2, &[b"\0\x01", &string[..]].concat(), refusal(v311));
        check_server(Version::V5, 0x82, &[b"\0\x01\0", &subscribe[..]].concat(), refusal(v5));
        check_server(Version::V5, 0xa2, &[b"\0\x01\0", &string[..]].concat(), refusal(v5));
    }
    for (filter, error, place) in [
        ("$share//a", TopicError::NoShareName, "MQTT-4.8.2-1"),
        ("$share/+/a", TopicError::ShareNameWildcard, "MQTT-4.8.2-2"),
        ("$share/g", TopicError::NoSharedFilter, "MQTT-4.8.2-2"),
        ("$share/g/", TopicError::NoSharedFilter, "MQTT-4.8.2-2"),
    ] {
        let refusal = (Fault::Filter(error), place, ReasonCode::TopicFilterInvalid);
        let string = [&[0, filter.len() as u8], filter.as_bytes()].concat();
        let subscribe = [&string[..], b"\0"].concat();
        check_server(Version::V5, 0x82, &[b"\0\x01\0", &subscribe[..]].concat(), refusal);
        check_server(Version::V5, 0xa2, &[b"\0\x01\0", &string[..]].concat(), refusal);
        check_taken(Version::V311, &framed(0x82, &[b"\0\x01", &subscribe[..]].concat()));
    }
}

#[test]
fn an_authentication_has_a_method() {
    let none = (Fault::NoAuthenticationMethod, "section 3.15.2.2.2", PROTOCOL);
    check_server(Version::V5, 0xf0, b"\x18\0", none);
    check_server(Version::V5, 0xf0, b"\x19\x03\x16\0\0", none);
    check_server(Version::V5, 0xf0, b"\x18", (Fault::TooShort, "section 2.1.4", MALFORMED));
}
