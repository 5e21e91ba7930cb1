//! CONNECT and what it is answered (sections 3.1 and 3.2), liveness, and who is told to go.

use std::num::NonZeroU16;

use tidings_mqtt_codec::{Ack, Connect, Packet, QoS, ReasonCode, Version};
use tidings_tests::{Mqtt, filter, lasting, packet_id, publish, until, v5, v311};

use crate::{VERSIONS, client, server};

#[test]
fn every_version_connects_and_only_the_last_has_properties() {
    let server = server(&[("MQTT_INFLIGHT", "77"), ("LIMITS_MESSAGE_BYTES", "100000")]);
    for version in VERSIONS {
        let mut client = client(&server, Connect { version, ..v5("a") });
        assert!(!client.connack.session_present);
        let properties = client.connack.properties.clone();
        client.expect_quiet();
        if version != Version::V5 {
            assert_eq!(properties, Default::default());
            continue;
        }
        assert_eq!(properties.receive_maximum, NonZeroU16::new(77));
        assert!(properties.maximum_packet_size.is_some_and(|most| most.get() > 100_000));
        assert_eq!(properties.topic_alias_maximum, 32);
        assert_eq!((properties.server_keep_alive, properties.session_expiry), (None, None));
        assert_eq!(properties.assigned_client_id, None);
        assert_ne!(properties.retain_available, Some(false));
        assert_ne!(properties.wildcard_subscription_available, Some(false));
        assert_ne!(properties.subscription_ids_available, Some(false));
        assert_eq!(properties.maximum_qos, None);
    }
}

#[test]
fn a_client_without_identifier_is_given_one_and_may_come_back_by_it() {
    let server = server(&[]);
    let connect = Connect { client_id: String::new(), ..lasting(Version::V5, "") };
    let first = client(&server, connect.clone());
    let given = first.connack.properties.assigned_client_id.clone();
    let given = given.unwrap_or_else(|| panic!("none was assigned"));
    let second = client(&server, connect);
    assert_ne!(second.connack.properties.assigned_client_id.as_ref(), Some(&given));
    first.disconnect(ReasonCode::Success);
    let again = client(&server, lasting(Version::V5, &given));
    assert!(again.connack.session_present);
    assert_eq!(again.connack.properties.assigned_client_id, None);
    // [MQTT-3.1.3-7, 3.1.3-8 of 3.1.1]
    assert!(!client(&server, v311("")).connack.session_present);
    let mut refused = Mqtt::raw(server.mqtt(), Version::V311);
    refused.wire().send(b"\x10\x0c\0\x04MQTT\x04\0\0\0\0\0");
    assert_eq!(refused.wire().read_to_end(), b"\x20\x02\0\x02");
}

#[test]
fn what_is_asked_for_is_clamped_and_that_is_said() {
    let server = server(&[("MQTT_KEEP_ALIVE_MAX", "60s"), ("TIMES_SESSION_MAX", "1h")]);
    for (keep_alive, told) in
        [(120, Some(60)), (0, Some(60)), (61, Some(60)), (60, None), (5, None)]
    {
        let client = client(&server, Connect { keep_alive, ..v5("a") });
        assert_eq!(client.connack.properties.server_keep_alive, told, "{keep_alive}");
    }
    for (expiry, told) in [
        (None, None),
        (Some(0), None),
        (Some(60), None),
        (Some(u32::MAX), Some(3600)),
        (Some(7200), Some(3600)),
    ] {
        let mut connect = v5("a");
        connect.properties.session_expiry = expiry;
        let client = client(&server, connect);
        assert_eq!(client.connack.properties.session_expiry, told, "{expiry:?}");
    }
}

#[test]
fn whoever_falls_silent_is_told_and_its_will_is_published() {
    let server = server(&[]);
    let mut watcher = client(&server, v5("watcher"));
    watcher.reads("gone", QoS::AtMostOnce);
    for version in VERSIONS {
        let will = tidings_mqtt_codec::Will {
            topic: "gone".into(),
            payload: "silent".into(),
            ..Default::default()
        };
        let mut client =
            client(&server, Connect { version, keep_alive: 1, will: Some(will), ..v5("a") });
        let told = client.reason();
        assert_eq!(told, (version == Version::V5).then_some(ReasonCode::KeepAliveTimeout));
        assert_eq!(watcher.text(), "silent");
    }
    // Whoever says something stays, and answering nothing but pings is enough.
    let mut alive = client(&server, Connect { keep_alive: 1, ..v5("b") });
    let mut late = client(&server, Connect { keep_alive: 1, ..v5("c") });
    for _ in 0..2 {
        alive.expect_quiet();
        std::thread::park_timeout(std::time::Duration::from_millis(900));
    }
    assert_eq!(late.reason(), Some(ReasonCode::KeepAliveTimeout));
    alive.expect_quiet();
}

#[test]
fn the_older_connection_goes_and_the_newer_one_works() {
    let server = server(&[]);
    for older in VERSIONS {
        for newer in VERSIONS {
            let mut first = client(&server, Connect { version: older, ..v5("a") });
            first.reads("t", QoS::AtMostOnce);
            let mut second = client(&server, Connect { version: newer, ..v5("a") });
            let told = first.reason();
            assert_eq!(told, (older == Version::V5).then_some(ReasonCode::SessionTakenOver));
            second.reads("t", QoS::AtMostOnce);
            second.publish(publish("t", "x", QoS::AtLeastOnce, 1));
            assert_eq!(second.text(), "x");
            second.expect_quiet();
        }
    }
}

#[test]
fn of_many_that_connect_at_once_exactly_one_stays() {
    let server = server(&[]);
    for round in 0..10 {
        let clients: Vec<_> = std::thread::scope(|scope| {
            let connects: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| Mqtt::open(server.mqtt(), lasting(Version::V5, "a"))))
                .collect();
            connects
                .into_iter()
                .map(|it| it.join().unwrap_or_else(|_| panic!("no connection")))
                .collect()
        });
        // One that is replaced may still answer once, but not for long.
        let mut staying = clients;
        until("all but one are gone", || {
            staying.retain_mut(is_there);
            (staying.len() <= 1).then_some(())
        });
        assert!(staying.iter_mut().all(is_there) && !staying.is_empty(), "in round {round}");
    }
}

/// Whether a connection is still answered.
fn is_there(client: &mut Mqtt) -> bool {
    let _ = client.try_send(&Packet::PingReq);
    match client.packet() {
        Some(Packet::PingResp) => true,
        Some(Packet::Disconnect(told)) => {
            assert_eq!(told.reason, ReasonCode::SessionTakenOver);
            false
        }
        // Its socket was closed before it had read that.
        None => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_before_connack_counts() {
    let server = server(&[]);
    let mut client = Mqtt::raw(server.mqtt(), Version::V5);
    let mut bytes = Vec::new();
    let subscribe = tidings_mqtt_codec::Subscribe {
        packet_id: packet_id(7),
        subscription_id: None,
        user: Vec::new(),
        filters: vec![filter("t", QoS::AtLeastOnce)],
    };
    for packet in [
        Packet::Connect(Box::new(v5("a"))),
        Packet::Subscribe(Box::new(subscribe)),
        Packet::Publish(publish("t", "early", QoS::AtLeastOnce, 8)),
        Packet::PingReq,
    ] {
        packet.encode(Version::V5, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
    }
    client.wire().send(bytes);
    assert!(matches!(client.expect(), Packet::ConnAck(_)));
    let came: Vec<_> = (0..4).map(|_| client.expect()).collect();
    assert!(came.contains(&Packet::PingResp), "{came:?}");
    assert!(came.contains(&Packet::PubAck(Ack::success(packet_id(8)))), "{came:?}");
    assert!(came.iter().any(|packet| matches!(packet, Packet::SubAck(_))), "{came:?}");
    let is_early =
        |packet: &Packet| matches!(packet, Packet::Publish(it) if *it.payload == *b"early");
    assert!(came.iter().any(is_early), "{came:?}");
}
