//! What only one side may say, when, and what a client refuses from a server.

use tidings_mqtt_codec::{Decoder, Fault, Limits, ReasonCode, Version};

use crate::wire::{Refusal, VERSIONS, check_refused, client, framed, hear, server};

const MALFORMED: ReasonCode = ReasonCode::MalformedPacket;
const PROTOCOL: ReasonCode = ReasonCode::ProtocolError;

#[track_caller]
fn check_client(version: Version, first: u8, body: &[u8], refusal: Refusal) {
    check_refused(|| client(version), &framed(first, body), refusal);
}

/// Checks what a client refuses as the first packet.
#[track_caller]
fn check_welcome(version: Version, bytes: &[u8], refusal: Refusal) {
    check_refused(|| Decoder::client(version, Limits::default()), bytes, refusal);
}

#[test]
fn nobody_says_what_only_the_other_side_says() {
    for (version, place) in [(Version::V5, "section 2.1.2"), (Version::V311, "section 2.2.1")] {
        let refusal = (Fault::WrongSide, place, PROTOCOL);
        for first in [0x20, 0x90, 0xb0, 0xd0] {
            check_refused(|| server(version), &framed(first, b"\0\x01"), refusal);
        }
        for first in [0x10, 0x82, 0xa2, 0xc0] {
            check_client(version, first, b"", refusal);
        }
    }
    let refusal = (Fault::WrongSide, "section 2.2.1", PROTOCOL);
    check_client(Version::V311, 0xe0, b"", refusal);
    let refusal = (Fault::WrongSide, "MQTT 3.1 section 3.14", PROTOCOL);
    check_client(Version::V31, 0xe0, b"", refusal);
    assert_eq!(hear(&mut client(Version::V5), [&b"\xe0\0"[..]]).1, None);
}

#[test]
fn the_server_begins_with_connack() {
    for version in VERSIONS {
        let place = match version {
            Version::V31 => "MQTT 3.1 section 3.3",
            _ => "MQTT-3.2.0-1",
        };
        check_welcome(version, b"\x30\x03\0\x01a", (Fault::NotAcknowledged, place, PROTOCOL));
    }
    let place = (Fault::NotAcknowledged, "MQTT-3.2.0-1", PROTOCOL);
    check_welcome(Version::V5, b"\xe0\0", place);
    let mut decoder = Decoder::client(Version::V5, Limits::default());
    let auth_first = hear(&mut decoder, [&b"\xf0\x06\x18\x04\x15\0\x01m\x20\x03\0\0\0"[..]]);
    assert_eq!((auth_first.0.len(), auth_first.1), (2, None));
    let twice = |place| (Fault::ConnectedTwice, place, PROTOCOL);
    check_client(Version::V5, 0x20, b"\0\0\0", twice("MQTT-3.2.0-2"));
    check_client(Version::V311, 0x20, b"\0\0", twice("section 3.2"));
}

#[test]
fn connack_is_of_its_form() {
    let flags = |place| (Fault::AcknowledgeFlags, place, MALFORMED);
    check_welcome(Version::V5, b"\x20\x03\x02\0\0", flags("MQTT-3.2.2-1"));
    check_welcome(Version::V311, b"\x20\x02\x81\0", flags("section 3.2.2.1"));
    let mut decoder = Decoder::client(Version::V31, Limits::default());
    assert_eq!(hear(&mut decoder, [&b"\x20\x02\xff\0"[..]]).1, None, "not used there");
    let present = |place| (Fault::SessionPresent, place, PROTOCOL);
    check_welcome(Version::V5, b"\x20\x03\x01\x80\0", present("MQTT-3.2.2-6"));
    check_welcome(Version::V311, b"\x20\x02\x01\x05", present("MQTT-3.2.2-4"));
    let value = (Fault::PropertyValue, "section 2.2.2.2", PROTOCOL);
    for property in [
        &b"\x21\0\0"[..],
        b"\x24\x02",
        b"\x25\x02",
        b"\x27\0\0\0\0",
        b"\x28\x02",
        b"\x29\x02",
        b"\x2a\x02",
    ] {
        let body = [&[0, 0, property.len() as u8], property].concat();
        check_welcome(Version::V5, &framed(0x20, &body), value);
    }
    let alone = (Fault::AuthenticationDataAlone, "section 3.1.2.11.10", PROTOCOL);
    check_welcome(Version::V5, b"\x20\x06\0\0\x03\x16\0\0", alone);
    let short = (Fault::TooShort, "section 2.1.4", MALFORMED);
    check_welcome(Version::V5, b"\x20\x02\0\0", short);
    let long = (Fault::TooLong, "section 2.2.3", MALFORMED);
    check_welcome(Version::V311, b"\x20\x03\0\0\0", long);
}

#[test]
fn acknowledgements_have_reason_codes() {
    let none = |place| (Fault::NoReason, place, PROTOCOL);
    check_client(Version::V5, 0x90, b"\0\x01\0", none("MQTT-3.8.4-6"));
    check_client(Version::V5, 0xb0, b"\0\x01\0", none("section 3.11.3"));
    check_client(Version::V311, 0x90, b"\0\x01", none("MQTT-3.8.4-5"));
    check_client(Version::V311, 0xb0, b"\0\x01\0", (Fault::TooLong, "section 2.2.3", MALFORMED));
}

#[test]
fn the_server_does_not_say_how_long_a_session_lasts_in_disconnect() {
    let refusal = (Fault::SessionExpiryFromServer, "MQTT-3.14.2-2", PROTOCOL);
    check_client(Version::V5, 0xe0, b"\0\x05\x11\0\0\0\0", refusal);
    assert_eq!(hear(&mut server(Version::V5), [&b"\xe0\x07\0\x05\x11\0\0\0\0"[..]]).1, None);
}

/// [MQTT-3.14.4-1]
#[test]
fn nothing_is_heard_behind_disconnect() {
    for version in VERSIONS {
        let mut decoder = server(version);
        let (packets, error) = hear(&mut decoder, [&b"\xe0\0\xc0\0\0\0\0"[..], b"\xc0", b"\0"]);
        assert_eq!((packets.len(), error), (1, None));
        assert!(decoder.is_idle());
    }
}

#[test]
fn packets_of_3_1_are_named_by_their_sections() {
    for (first, place) in [
        (0x40, "MQTT 3.1 section 3.4"),
        (0x50, "MQTT 3.1 section 3.5"),
        (0x62, "MQTT 3.1 section 3.6"),
        (0x70, "MQTT 3.1 section 3.7"),
        (0x90, "MQTT 3.1 section 3.9"),
        (0xb0, "MQTT 3.1 section 3.11"),
    ] {
        check_client(Version::V31, first, b"", (Fault::TooShort, place, MALFORMED));
    }
    for (first, place) in [(0x82, "MQTT 3.1 section 3.8"), (0xa2, "MQTT 3.1 section 3.10")] {
        let refusal = (Fault::TooShort, place, MALFORMED);
        check_refused(|| server(Version::V31), &framed(first, b""), refusal);
    }
    let long = (Fault::TooLong, "MQTT 3.1 section 3.13", MALFORMED);
    check_client(Version::V31, 0xd0, b"\0", long);
}
