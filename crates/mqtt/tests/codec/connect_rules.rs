//! The rules of CONNECT (section 3.1), by the numbers of the statements.

use tidings_mqtt_codec::{Decoder, Fault, Limits, Packet, QoS, ReasonCode, Version};

use crate::wire::{Refusal, check_refused, framed, hear, server};

const MALFORMED: ReasonCode = ReasonCode::MalformedPacket;
const PROTOCOL: ReasonCode = ReasonCode::ProtocolError;

fn fresh() -> Decoder {
    Decoder::server(Limits::default())
}

/// CONNECT with these connect flags, a keep alive of 0, and what follows that.
fn connect(version: Version, flags: u8, rest: &[u8]) -> Vec<u8> {
    let name = version.protocol_name();
    let head = [&[0, name.len() as u8], name.as_bytes(), &[version.level(), flags, 0, 0]].concat();
    framed(0x10, &[&head, rest].concat())
}

#[track_caller]
fn check(version: Version, flags: u8, rest: &[u8], refusal: Refusal) {
    check_refused(fresh, &connect(version, flags, rest), refusal);
    // The answer has to be in this version.
    let mut decoder = fresh();
    hear(&mut decoder, [&connect(version, flags, rest)[..]]);
    assert_eq!(decoder.version(), Some(version));
    assert_eq!(decoder.announced_level(), Some(version.level()));
}

/// The client identifier "c" without properties.
fn client_id(version: Version) -> &'static [u8] {
    if version == Version::V5 { b"\0\0\x01c" } else { b"\0\x01c" }
}

#[test]
fn connect_comes_first_and_once() {
    for bytes in [&b"\xc0\0"[..], b"\x30\x03\0\x01a", b"\x82", b"\xe0\0", b"\xf0\0"] {
        let refusal = (Fault::NotConnected, "MQTT-3.1.0-1", PROTOCOL);
        check_refused(fresh, bytes, refusal);
    }
    let reserved = (Fault::ReservedType, "section 2.1.2", MALFORMED);
    check_refused(fresh, b"\0", reserved);
    check_refused(fresh, b"GET / HTTP/1.1", (Fault::NotConnected, "MQTT-3.1.0-1", PROTOCOL));
    for version in [Version::V311, Version::V5] {
        let again = connect(version, 0, client_id(version));
        let refusal = (Fault::ConnectedTwice, "MQTT-3.1.0-2", PROTOCOL);
        check_refused(|| server(version), &again, refusal);
    }
}

#[test]
fn the_protocol_is_mqtt() {
    let name = (Fault::ProtocolName, "MQTT-3.1.2-1", ReasonCode::UnsupportedProtocolVersion);
    for body in
        [&b"\0\x04MQTX\x04\x02\0\0\0\x01c"[..], b"\0\0\x04\x02\0\0\0\x01c", b"\0\x04mqtt\x05"]
    {
        check_refused(fresh, &framed(0x10, body), name);
        let mut decoder = fresh();
        hear(&mut decoder, [&framed(0x10, body)[..]]);
        assert_eq!((decoder.version(), decoder.announced_level()), (None, None));
    }
    let level = (Fault::ProtocolLevel, "MQTT-3.1.2-2", ReasonCode::UnsupportedProtocolVersion);
    for (name, number) in [("MQTT", 3), ("MQTT", 6), ("MQTT", 0), ("MQTT", 0x84), ("MQIsdp", 4)] {
        // Nothing behind the level is looked at: nobody knows what it is.
        let body = [&[0, name.len() as u8], name.as_bytes(), &[number, 0xff]].concat();
        check_refused(fresh, &framed(0x10, &body), level);
        let mut decoder = fresh();
        hear(&mut decoder, [&framed(0x10, &body)[..]]);
        assert_eq!((decoder.version(), decoder.announced_level()), (None, Some(number)));
    }
}

#[test]
fn reserved_bits_are_0_since_3_1_1() {
    for (version, fixed, flag) in [
        (Version::V311, "MQTT-2.2.2-2", "MQTT-3.1.2-3"),
        (Version::V5, "MQTT-2.1.3-1", "MQTT-3.1.2-3"),
    ] {
        let mut bytes = connect(version, 2, client_id(version));
        bytes[0] |= 0b1000;
        check_refused(fresh, &bytes, (Fault::Flags, fixed, MALFORMED));
        check(version, 3, client_id(version), (Fault::ConnectFlag, flag, MALFORMED));
    }
    let mut bytes = connect(Version::V31, 3, client_id(Version::V31));
    bytes[0] |= 0b1111;
    assert_eq!(hear(&mut fresh(), [&bytes[..]]).1, None);
}

#[test]
fn a_will_has_flags_and_flags_have_a_will() {
    for (version, qos, retain, qos_3) in [
        (Version::V311, "MQTT-3.1.2-13", "MQTT-3.1.2-15", "MQTT-3.1.2-14"),
        (Version::V5, "MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-12"),
    ] {
        for flags in [0x0a, 0x12, 0x1a] {
            check(version, flags, client_id(version), (Fault::WillQosAlone, qos, MALFORMED));
        }
        check(version, 0x22, client_id(version), (Fault::WillRetainAlone, retain, MALFORMED));
        check(version, 0x1e, client_id(version), (Fault::Qos3, qos_3, MALFORMED));
    }
    // Disregarded there.
    let bytes = connect(Version::V31, 0x3a, client_id(Version::V31));
    assert_eq!(hear(&mut fresh(), [&bytes[..]]).1, None);
    check(
        Version::V31,
        0x1e,
        client_id(Version::V31),
        (Fault::Qos3, "MQTT 3.1 section 3.1", MALFORMED),
    );
    let short = (Fault::TooShort, "section 2.2.3", MALFORMED);
    check(Version::V311, 0x06, client_id(Version::V311), short);
    let invalid = |place| (Fault::WillTopic, place, ReasonCode::TopicNameInvalid);
    for topic in [&b"\0\x01#"[..], b"\0\x02+/", b"\0\0"] {
        let rest = [b"\0\x01c", topic, b"\0\x01m"].concat();
        check(Version::V311, 0x06, &rest, invalid("MQTT-4.7.1-1"));
        let rest = [b"\0\0\x01c\0", topic, b"\0\x01m"].concat();
        check(Version::V5, 0x06, &rest, invalid("MQTT-4.7.0-1"));
    }
    let null = (Fault::NullCharacter, "MQTT-1.5.3-2", MALFORMED);
    check(Version::V311, 0x06, b"\0\x01c\0\x01\0\0\0", null);
}

#[test]
fn a_password_needs_a_user_name_before_5_0() {
    for (version, place) in
        [(Version::V31, "MQTT 3.1 section 3.1"), (Version::V311, "MQTT-3.1.2-22")]
    {
        let refusal = (Fault::PasswordAlone, place, PROTOCOL);
        check(version, 0x42, b"\0\x01c\0\x01p", refusal);
    }
    let bytes = connect(Version::V5, 0x42, b"\0\0\x01c\0\x01p");
    let (packets, _) = hear(&mut fresh(), [&bytes[..]]);
    let [Packet::Connect(connect)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (None, Some(&b"p"[..])));
}

#[test]
fn what_the_flags_promise_is_there_and_no_more() {
    let short = (Fault::TooShort, "section 2.2.3", MALFORMED);
    check(Version::V311, 0x82, b"\0\x01c", short);
    check(Version::V311, 0xc2, b"\0\x01c\0\x01u", short);
    check(Version::V311, 0x02, b"\0\x01c\0", (Fault::TooLong, "section 2.2.3", MALFORMED));
    check(Version::V311, 0x02, b"", short);
    let not_utf_8 = (Fault::NotUtf8, "MQTT-1.5.3-1", MALFORMED);
    check(Version::V311, 0x82, b"\0\x01c\0\x01\xff", not_utf_8);
    check(Version::V311, 0x02, b"\0\x01\xff", not_utf_8);
    // On MQTT 3.1 the length counts, not the flags.
    for flags in [0x82, 0xc2] {
        let bytes = connect(Version::V31, flags, b"\0\x01c");
        let (packets, _) = hear(&mut fresh(), [&bytes[..]]);
        let [Packet::Connect(connect)] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!((&connect.username, &connect.password), (&None, &None));
    }
}

#[test]
fn who_has_no_name_gets_one_if_the_version_allows() {
    let refusal = |place| (Fault::NoClientId, place, ReasonCode::ClientIdentifierNotValid);
    check(Version::V31, 0x02, b"\0\0", refusal("MQTT 3.1 section 3.1"));
    check(Version::V311, 0x00, b"\0\0", refusal("MQTT-3.1.3-8"));
    for bytes in [
        connect(Version::V311, 0x02, b"\0\0"),
        connect(Version::V5, 0x00, b"\0\0\0"),
        connect(Version::V5, 0x02, b"\0\0\0"),
        // Longer than 3.1 asks for, but nobody is harmed.
        connect(Version::V31, 0x00, b"\0\x18abcdefghijklmnopqrstuvwx"),
    ] {
        assert_eq!(hear(&mut fresh(), [&bytes[..]]).1, None);
    }
}

#[test]
fn properties_are_those_of_connect_and_in_range() {
    let out_of_range = (Fault::PropertyValue, "section 2.2.2.2", PROTOCOL);
    for properties in [
        &b"\x03\x21\0\0"[..], // receive maximum
        b"\x05\x27\0\0\0\0",  // maximum packet size
        b"\x02\x17\x02",      // request problem information
        b"\x02\x19\xff",      // request response information
    ] {
        check(Version::V5, 0x02, &[properties, b"\0\x01c"].concat(), out_of_range);
    }
    let twice = (Fault::PropertyTwice, "section 2.2.2.2", PROTOCOL);
    for property in [
        &b"\x11\0\0\0\0"[..],
        b"\x21\0\x01",
        b"\x27\0\0\0\x01",
        b"\x22\0\0",
        b"\x17\0",
        b"\x19\0",
        b"\x15\0\0",
    ] {
        let properties = [&[2 * property.len() as u8], property, property].concat();
        check(Version::V5, 0x02, &[&properties, &b"\0\x01c"[..]].concat(), twice);
    }
    let alone = (Fault::AuthenticationDataAlone, "section 3.1.2.11.10", PROTOCOL);
    check(Version::V5, 0x02, b"\x03\x16\0\0\0\x01c", alone);
    let misplaced = (Fault::PropertyMisplaced, "section 2.2.2.2", MALFORMED);
    check(Version::V5, 0x02, b"\x02\x24\0\0\x01c", misplaced);
    // A will has neither of these, and its own delay only there.
    check(Version::V5, 0x06, b"\0\0\x01c\x03\x23\0\x01\0\x01t\0\0", misplaced);
    check(Version::V5, 0x06, b"\0\0\x01c\x02\x0b\x01\0\x01t\0\0", misplaced);
    check(Version::V5, 0x02, b"\x05\x18\0\0\0\0\0\x01c", misplaced);
    let response = (Fault::ResponseTopic, "MQTT-3.3.2-14", PROTOCOL);
    check(Version::V5, 0x06, b"\0\0\x01c\x04\x08\0\x01+\0\x01t\0\0", response);
    let minimal = (Fault::IntegerNotMinimal, "MQTT-1.5.5-1", MALFORMED);
    check_refused(fresh, b"\x10\x8e\0\0\x04MQTT\x05\x02\0\0\0\0\x01c", minimal);
}

#[test]
fn a_will_is_read_with_all_it_has() {
    let bytes = connect(Version::V5, 0x2e, b"\0\0\x01c\x07\x18\0\0\0\x05\x01\x01\0\x01t\0\x01m");
    let (packets, error) = hear(&mut fresh(), [&bytes[..]]);
    let [Packet::Connect(connect)] = &packets[..] else { panic!("{error:?}") };
    let will = connect.will.as_ref().unwrap();
    assert_eq!((will.delay, will.qos, will.retain), (5, QoS::AtLeastOnce, true));
    assert_eq!((will.topic.as_str(), &will.payload[..]), ("t", &b"m"[..]));
    assert_eq!(will.properties.as_ref().unwrap().payload_is_utf8, Some(true));
}
