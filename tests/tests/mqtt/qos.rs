//! The three qualities of service in both directions (sections 4.3 to 4.6 and 4.9).

use std::num::{NonZeroU16, NonZeroU32};

use tidings_mqtt_codec::{Ack, Connect, Packet, Publish, QoS, ReasonCode, Version};
use tidings_tests::{filter, lasting, packet_id, publish, v5};

use crate::{VERSIONS, client, is_present, server};

use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

#[test]
fn a_message_comes_with_the_lower_quality_of_both() {
    let server = server(&[]);
    for version in VERSIONS {
        let mut publisher = client(&server, Connect { version, ..v5("publisher") });
        for granted in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            let mut reader = client(&server, Connect { version, ..v5("reader") });
            reader.reads("t", granted);
            for sent in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
                publisher.publish(publish("t", "x", sent, 7));
                let message = reader.message();
                assert_eq!(
                    (message.qos, message.dup, message.retain),
                    (sent.min(granted), false, false)
                );
                assert_eq!(message.packet_id.is_some(), message.qos > AtMostOnce);
                reader.complete(&message);
            }
            reader.expect_quiet();
        }
    }
}

#[test]
fn messages_stay_in_order_in_every_quality() {
    let server = server(&[]);
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut publisher = client(&server, v5("publisher"));
        let mut reader = client(&server, v5("reader"));
        reader.reads("t/#", qos);
        // All at once, over several topics.
        for number in 1..=300_u16 {
            let topic = format!("t/{}", number % 3);
            publisher.send(Packet::Publish(publish(&topic, number.to_string(), qos, number)));
        }
        for number in 1..=300_u16 {
            assert_eq!(reader.text(), number.to_string(), "{qos:?}");
        }
        // And so are the answers (section 4.6).
        for number in 1..=300 {
            let answer = match qos {
                AtMostOnce => break,
                AtLeastOnce => Packet::PubAck(Ack::success(packet_id(number))),
                ExactlyOnce => Packet::PubRec(Ack::success(packet_id(number))),
            };
            assert_eq!(publisher.expect(), answer);
        }
    }
}

#[test]
fn what_was_not_acknowledged_comes_again_as_it_was() {
    let server = server(&[]);
    for version in VERSIONS {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let id = format!("{version:?}{qos:?}");
            let mut reader = client(&server, lasting(version, &id));
            reader.reads(&id, qos);
            let mut publisher = client(&server, v5("publisher"));
            for text in ["1", "2", "3"] {
                publisher.publish(publish(&id, text, qos, 1));
            }
            let first: Vec<_> = (0..3).map(|_| reader.message()).collect();
            // The one in the middle arrives.
            reader.complete(&first[1]);
            reader.expect_quiet();
            drop(reader);
            let mut reader = client(&server, lasting(version, &id));
            assert!(is_present(&reader));
            for earlier in [&first[0], &first[2]] {
                let again = reader.message();
                assert_eq!(again, Publish { dup: true, ..earlier.clone() });
                reader.complete(&again);
            }
            reader.expect_quiet();
            drop(reader);
            client(&server, lasting(version, &id)).expect_quiet();
        }
    }
}

#[test]
fn pubrel_is_sent_again_and_the_message_is_not() {
    let server = server(&[]);
    for version in VERSIONS {
        let id = format!("{version:?}");
        let mut reader = client(&server, lasting(version, &id));
        reader.reads(&id, ExactlyOnce);
        client(&server, v5("publisher")).publish(publish(&id, "x", ExactlyOnce, 1));
        let message = reader.message();
        let ack = Ack::success(message.packet_id.unwrap_or_else(|| panic!("no identifier")));
        reader.send(Packet::PubRec(ack.clone()));
        assert_eq!(reader.expect(), Packet::PubRel(ack.clone()));
        for _ in 0..2 {
            drop(reader);
            reader = client(&server, lasting(version, &id));
            assert_eq!(reader.expect(), Packet::PubRel(ack.clone()));
        }
        reader.send(Packet::PubComp(ack));
        reader.expect_quiet();
        drop(reader);
        client(&server, lasting(version, &id)).expect_quiet();
    }
}

#[test]
fn a_message_of_exactly_once_is_published_once_however_often_it_is_sent() {
    let server = server(&[]);
    let mut reader = client(&server, v5("reader"));
    reader.reads("#", ExactlyOnce);
    for version in VERSIONS {
        let connect = lasting(version, "publisher");
        let mut publisher = client(&server, Connect { clean_start: true, ..connect.clone() });
        // A client that connects with Clean Session has no session that would stay.
        if version != Version::V5 {
            drop(publisher);
            publisher = client(&server, connect.clone());
        }
        let mut message = publish("t", "once", ExactlyOnce, 9);
        for _ in 0..2 {
            publisher.send(Packet::Publish(message.clone()));
            assert_eq!(publisher.expect(), Packet::PubRec(Ack::success(packet_id(9))));
            message.dup = true;
        }
        drop(publisher);
        let mut publisher = client(&server, connect);
        assert!(is_present(&publisher));
        publisher.send(Packet::Publish(message.clone()));
        assert_eq!(publisher.expect(), Packet::PubRec(Ack::success(packet_id(9))));
        for _ in 0..2 {
            publisher.send(Packet::PubRel(Ack::success(packet_id(9))));
            match publisher.expect() {
                Packet::PubComp(ack) => assert_eq!(ack.packet_id, packet_id(9)),
                other => panic!("{other:?}"),
            }
        }
        // From now on the identifier stands for another message.
        publisher.publish(publish("t", "next", ExactlyOnce, 9));
        assert_eq!([reader.text(), reader.text()], ["once", "next"]);
    }
    reader.expect_quiet();
}

#[test]
fn no_more_is_under_way_than_the_client_takes() {
    let server = server(&[]);
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut connect = v5("reader");
        connect.properties.receive_maximum = NonZeroU16::new(3);
        let mut reader = client(&server, connect);
        reader.reads("t", qos);
        let mut publisher = client(&server, v5("publisher"));
        for number in 0..10_u16 {
            publisher.publish(publish("t", number.to_string(), qos, 1));
        }
        let mut open = Vec::new();
        for number in 0..10 {
            if open.len() == 3 {
                reader.expect_quiet();
                // The newest first: its place is free though older ones are not done.
                reader.complete(&open.pop().unwrap_or_default());
            }
            let message = reader.message();
            assert_eq!(*message.payload, *number.to_string().as_bytes());
            assert!(open.iter().all(|other: &Publish| other.packet_id != message.packet_id));
            open.push(message);
        }
        // A message of QoS 0 does not wait for those.
        publisher.publish(publish("t", "plain", AtMostOnce, 0));
        for message in open {
            reader.complete(&message);
        }
        assert_eq!(reader.text(), "plain");
    }
}

#[test]
fn who_sends_more_than_the_server_takes_is_sent_away() {
    let server = server(&[("MQTT_INFLIGHT", "4")]);
    let mut publisher = client(&server, v5("publisher"));
    for number in 1..=5 {
        publisher.send(Packet::Publish(publish("t", "x", ExactlyOnce, number)));
    }
    assert_eq!(publisher.reason(), Some(ReasonCode::ReceiveMaximumExceeded));
    // One after the other they are none too many, nor are those of MQTT 3, which knows no limit.
    let mut publisher = client(&server, v5("publisher"));
    for number in 1..=9 {
        publisher.publish(publish("t", "x", ExactlyOnce, number));
    }
    let mut publisher = client(&server, tidings_tests::v311("publisher"));
    for number in 1..=9 {
        publisher.send(Packet::Publish(publish("t", "x", ExactlyOnce, number)));
    }
    for number in 1..=9 {
        assert_eq!(publisher.expect(), Packet::PubRec(Ack::success(packet_id(number))));
    }
}

#[test]
fn what_is_too_large_for_a_client_is_left_out_and_the_rest_comes() {
    let server = server(&[]);
    let mut connect = v5("reader");
    connect.properties.maximum_packet_size = NonZeroU32::new(64);
    connect.properties.receive_maximum = NonZeroU16::new(2);
    let mut reader = client(&server, connect);
    reader.reads("t", ExactlyOnce);
    let mut publisher = client(&server, v5("publisher"));
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        // Header, topic, identifier and properties are 6 bytes, or 8.
        let most = if qos == AtMostOnce { 58 } else { 56 };
        for length in [most + 1, most, 1000, 60, 1] {
            publisher.publish(publish("t", "x".repeat(length), qos, 1));
        }
        assert_eq!([reader.text().len(), reader.text().len()], [most, 1], "{qos:?}");
    }
    reader.expect_quiet();
}

#[test]
fn a_message_that_its_reader_refuses_is_done() {
    let server = server(&[]);
    let mut reader = client(&server, lasting(Version::V5, "reader"));
    reader.reads("t", ExactlyOnce);
    let mut publisher = client(&server, v5("publisher"));
    for (qos, text) in [(AtLeastOnce, "1"), (ExactlyOnce, "2"), (ExactlyOnce, "3")] {
        publisher.publish(publish("t", text, qos, 1));
    }
    for message in [reader.message(), reader.message()] {
        let packet_id = message.packet_id.unwrap_or_else(|| panic!("no identifier"));
        let ack = Ack { packet_id, reason: ReasonCode::UnspecifiedError, properties: None };
        reader.send(match message.qos {
            ExactlyOnce => Packet::PubRec(ack),
            _ => Packet::PubAck(ack),
        });
    }
    assert_eq!(reader.text(), "3");
    reader.expect_quiet();
    drop(reader);
    client(&server, lasting(Version::V5, "reader")).expect_quiet();
}

#[test]
fn acknowledgements_of_nothing_change_nothing() {
    let server = server(&[]);
    let mut client = client(&server, v5("a"));
    let ack = Ack::success(packet_id(5));
    client.send(Packet::PubAck(ack.clone()));
    client.send(Packet::PubComp(ack.clone()));
    client.expect_quiet();
    let reason = ReasonCode::PacketIdentifierNotFound;
    client.send(Packet::PubRec(ack.clone()));
    assert_eq!(client.expect(), Packet::PubRel(Ack { reason, ..ack.clone() }));
    client.send(Packet::PubRel(ack.clone()));
    assert_eq!(client.expect(), Packet::PubComp(Ack { reason, ..ack }));
    client.subscribe(vec![filter("t", AtMostOnce)]);
    client.publish(publish("t", "still there", AtLeastOnce, 5));
    assert_eq!(client.text(), "still there");
}
