//! Reason codes: which there are, and which packet may have which (section 2.4).

use std::collections::BTreeSet;

use tidings_mqtt_codec::{Decoder, Fault, Limits, QoS, ReasonCode, Version};

use crate::wire::{client, framed, hear, server};

/// The codes for which `packet` is taken.
#[track_caller]
fn taken(decoder: impl Fn() -> Decoder, place: &str, packet: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
    let is_taken = |code: &u8| {
        let (packets, error) = hear(&mut decoder(), [&packet(*code)[..]]);
        if let Some(error) = error {
            assert_eq!((error.fault(), error.reason()), (Fault::Reason, ReasonCode::ProtocolError));
            assert!(error.to_string().ends_with(&format!("[{place}]")), "{error} {place}");
        }
        packets.len() == 1
    };
    (0..=255).filter(is_taken).collect()
}

#[test]
fn there_are_forty_three_codes_with_names() {
    let codes: Vec<ReasonCode> = (0..=255).filter_map(ReasonCode::from_u8).collect();
    assert_eq!(codes.len(), 43);
    let names: BTreeSet<String> = codes.iter().map(ReasonCode::to_string).collect();
    assert_eq!(names.len(), 43);
    for code in codes {
        assert_eq!(ReasonCode::from_u8(code.into()), Some(code));
        assert_eq!(code.is_error(), u8::from(code) >= 0x80);
    }
    assert_eq!(ReasonCode::QosNotSupported.to_string(), "QoS not supported");
    assert_eq!(u8::from(ReasonCode::WildcardSubscriptionsNotSupported), 0xa2);
    assert_eq!(ReasonCode::granted(QoS::ExactlyOnce) as u8, 2);
}

#[test]
fn acknowledgements_of_messages() {
    for version in [Version::V5] {
        for (first, place, codes) in [
            (0x40, "MQTT-3.4.2-1", &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99][..]),
            (0x50, "MQTT-3.5.2-1", &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
            (0x62, "MQTT-3.6.2-1", &[0, 0x92]),
            (0x70, "MQTT-3.7.2-1", &[0, 0x92]),
        ] {
            let packet = |code| framed(first, &[0, 1, code]);
            assert_eq!(taken(|| server(version), place, packet), codes);
            let packet = |code| framed(first, &[0, 1, code, 0]);
            assert_eq!(taken(|| client(version), place, packet), codes);
        }
    }
}

#[test]
fn connack() {
    let fresh = |version| move || Decoder::client(version, Limits::default());
    let mut codes: Vec<u8> = (0x80..=0x8a).collect();
    codes.insert(0, 0);
    codes.extend([0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f]);
    let packet = |code| framed(0x20, &[0, code, 0]);
    assert_eq!(taken(fresh(Version::V5), "MQTT-3.2.2-8", packet), codes);
    let packet = |code| framed(0x20, &[0, code]);
    assert_eq!(taken(fresh(Version::V311), "section 3.2.2.3", packet), [0, 1, 2, 3, 4, 5]);
    assert_eq!(taken(fresh(Version::V31), "MQTT 3.1 section 3.2", packet), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn suback_and_unsuback() {
    let packet = |code| framed(0x90, &[0, 1, 0, 1, code]);
    let codes = [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2];
    assert_eq!(taken(|| client(Version::V5), "MQTT-3.9.3-2", packet), codes);
    let packet = |code| framed(0xb0, &[0, 1, 0, 0x11, code]);
    let codes = [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91];
    assert_eq!(taken(|| client(Version::V5), "MQTT-3.11.3-2", packet), codes);
    let packet = |code| framed(0x90, &[0, 1, 0, code]);
    assert_eq!(taken(|| client(Version::V311), "MQTT-3.9.3-2", packet), [0, 1, 2, 0x80]);
    assert_eq!(taken(|| client(Version::V31), "MQTT 3.1 section 3.9", packet), [0, 1, 2]);
}

#[test]
fn disconnect_depends_on_who_goes() {
    let of_both = [0, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    for packet in [|code| framed(0xe0, &[code]), |code| framed(0xe0, &[code, 0])] {
        let mut of_client = of_both.to_vec();
        of_client.insert(1, 4);
        assert_eq!(taken(|| server(Version::V5), "MQTT-3.14.2-1", packet), of_client);
        let mut of_server = of_both.to_vec();
        of_server.extend([0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f]);
        of_server.extend(0x9a..=0xa2);
        of_server.sort_unstable();
        assert_eq!(taken(|| client(Version::V5), "MQTT-3.14.2-1", packet), of_server);
    }
}

#[test]
fn auth_depends_on_who_asks() {
    let packet = |code| framed(0xf0, &[code, 4, 0x15, 0, 1, b'm']);
    assert_eq!(taken(|| server(Version::V5), "MQTT-3.15.2-1", packet), [0x18, 0x19]);
    assert_eq!(taken(|| client(Version::V5), "MQTT-3.15.2-1", packet), [0, 0x18]);
    // What says nothing says Success, which a client does not (section 3.15.2.1).
    assert_eq!(hear(&mut client(Version::V5), [&b"\xf0\0"[..]]).1, None);
    assert!(hear(&mut server(Version::V5), [&b"\xf0\0"[..]]).1.is_some());
}
