//! Retained messages (section 3.3.1.3) and the options of a subscription for them (3.8.3.1).

use std::collections::BTreeSet;

use tidings_mqtt_codec::{Connect, Packet, Publish, QoS, RetainHandling, SubscribeFilter, Version};
use tidings_tests::{Folder, Mqtt, Server, filter, publish, until, v5};

use crate::{VERSIONS, client, server};

use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

/// A message that is kept.
fn kept(topic: &str, payload: &str, qos: QoS) -> Publish {
    Publish { retain: true, ..publish(topic, payload, qos, 1) }
}

/// Topic, payload and quality of a message.
type Told = (String, String, u8);

/// Reads so many messages of topics that say them to a subscription that begins.
#[track_caller]
fn read_told(reader: &mut Mqtt, count: usize) -> BTreeSet<Told> {
    let mut told = BTreeSet::new();
    for _ in 0..count {
        let message = reader.message();
        reader.complete(&message);
        assert!(message.retain, "{message:?}");
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        assert!(told.insert((message.topic, payload, message.qos as u8)));
    }
    told
}

/// Checks that a new client is told this of `text`, and nothing more.
#[track_caller]
fn expect_told(server: &Server, text: &str, qos: QoS, expected: &[(&str, &str, u8)]) {
    let mut reader = client(server, v5("told"));
    reader.reads(text, qos);
    assert_eq!(read_told(&mut reader, expected.len()), set(expected), "{text}");
    reader.expect_quiet();
}

fn set(all: &[(&str, &str, u8)]) -> BTreeSet<Told> {
    all.iter().map(|&(topic, payload, qos)| (topic.into(), payload.into(), qos)).collect()
}

#[test]
fn the_newest_is_kept_until_another_or_an_empty_one() {
    let server = server(&[]);
    for version in VERSIONS {
        let mut publisher = client(&server, Connect { version, ..v5("publisher") });
        for (text, qos) in [("0", AtMostOnce), ("1", AtLeastOnce), ("2", ExactlyOnce)] {
            publisher.publish(kept("r/t", text, qos));
            // What is not to be kept changes nothing.
            publisher.publish(publish("r/t", "passing", AtLeastOnce, 2));
            let expected = [("r/t", text, qos as u8)];
            expect_told(&server, "r/t", ExactlyOnce, &expected);
            expect_told(&server, "r/#", ExactlyOnce, &expected);
            expect_told(&server, "+/t", AtMostOnce, &[("r/t", text, 0)]);
        }
        expect_told(&server, "#", AtLeastOnce, &[("r/t", "2", 1)]);
        publisher.publish(kept("r/t", "", AtLeastOnce));
        expect_told(&server, "#", AtLeastOnce, &[]);
    }
}

#[test]
fn only_who_subscribes_is_told_and_as_the_options_say() {
    let server = server(&[]);
    let mut publisher = client(&server, v5("publisher"));
    publisher.publish(kept("t", "kept", AtLeastOnce));
    for (handling, times) in [
        (RetainHandling::Send, [true, true]),
        (RetainHandling::SendIfNew, [true, false]),
        (RetainHandling::DoNotSend, [false, false]),
    ] {
        let mut reader = client(&server, v5("reader"));
        for expected in times {
            let wanted = SubscribeFilter { retain_handling: handling, ..filter("t", AtLeastOnce) };
            reader.subscribe(vec![wanted]);
            publisher.publish(publish("t", "now", AtLeastOnce, 2));
            let mut came = BTreeSet::new();
            while !came.contains("now") || expected && came.len() < 2 {
                let message = reader.message();
                reader.complete(&message);
                assert_eq!(message.retain, *message.payload == *b"kept");
                came.insert(String::from_utf8_lossy(&message.payload).into_owned());
            }
            reader.expect_quiet();
            assert_eq!(came.contains("kept"), expected, "{handling:?}");
        }
        // A subscription that ended begins anew.
        reader.unsubscribe(&["t"]);
        let wanted = SubscribeFilter { retain_handling: handling, ..filter("t", AtLeastOnce) };
        reader.subscribe(vec![wanted]);
        if handling != RetainHandling::DoNotSend {
            assert_eq!(reader.text(), "kept");
        }
        reader.expect_quiet();
    }
}

#[test]
fn the_flag_is_as_published_for_who_asks_for_that() {
    let server = server(&[]);
    let mut publisher = client(&server, v5("publisher"));
    for retain_as_published in [false, true] {
        let mut reader = client(&server, v5("reader"));
        let retain_handling = RetainHandling::DoNotSend;
        let wanted = filter("t", AtLeastOnce);
        reader.subscribe(vec![SubscribeFilter { retain_as_published, retain_handling, ..wanted }]);
        for retain in [false, true] {
            publisher.publish(Publish { retain, ..publish("t", "x", AtLeastOnce, 1) });
            let message = reader.message();
            reader.complete(&message);
            assert_eq!(message.retain, retain && retain_as_published);
        }
        // The end of a kept message is a message, too.
        publisher.publish(kept("t", "", AtLeastOnce));
        let message = reader.message();
        assert_eq!((message.payload.len(), message.retain), (0, retain_as_published));
    }
}

#[test]
fn several_hundred_topics_are_told_over_a_small_window() {
    let server = server(&[]);
    let mut publisher = client(&server, v5("publisher"));
    for number in 0..400 {
        publisher.publish(kept(&format!("many/{number}/x"), &number.to_string(), AtMostOnce));
        publisher.publish(kept(&format!("other/{number}"), "", AtMostOnce));
    }
    for number in 0..400 {
        publisher.publish(kept(&format!("many/{number}"), &number.to_string(), AtLeastOnce));
    }
    let mut connect = v5("reader");
    connect.properties.receive_maximum = std::num::NonZeroU16::new(5);
    let mut reader = client(&server, connect);
    reader.reads("many/+", AtLeastOnce);
    let told: BTreeSet<u32> =
        (0..400).map(|_| reader.text().parse().unwrap_or_else(|_| panic!("no number"))).collect();
    assert_eq!(told, (0..400).collect());
    reader.expect_quiet();
    let mut reader = client(&server, v5("all"));
    reader.reads("many/#", AtMostOnce);
    assert_eq!(read_told(&mut reader, 800).len(), 800);
    reader.expect_quiet();
}

#[test]
fn a_kept_message_that_expires_is_told_no_more_and_the_rest_of_its_time_before() {
    let server = server(&[]);
    let mut publisher = client(&server, v5("publisher"));
    let expiring = |topic: &str, seconds| {
        let mut message = kept(topic, "x", AtLeastOnce);
        message.properties.get_or_insert_default().message_expiry = Some(seconds);
        message
    };
    publisher.publish(expiring("long", 1000));
    publisher.publish(expiring("short", 1));
    let left = |text| {
        let mut reader = client(&server, v5("reader"));
        reader.reads(text, AtMostOnce);
        reader.message().properties.and_then(|properties| properties.message_expiry)
    };
    assert!(matches!(left("long"), Some(900..=1000)));
    until("it expires", || {
        let mut reader = client(&server, v5("reader"));
        reader.reads("short", AtMostOnce);
        reader.send(Packet::PingReq);
        (reader.expect() == Packet::PingResp).then_some(())
    });
    assert!(matches!(left("long"), Some(900..1000)));
}

#[test]
fn kept_messages_outlive_the_server() {
    let folder = Folder::new();
    let begin = || server(&[("DATA", &folder.text())]);
    let mut before = begin();
    let mut publisher = client(&before, v5("publisher"));
    publisher.publish(kept("a", "old", AtLeastOnce));
    publisher.publish(kept("a", "new", ExactlyOnce));
    publisher.publish(kept("b/$c//", "odd", AtMostOnce));
    publisher.publish(kept("gone", "x", AtLeastOnce));
    publisher.publish(kept("gone", "", AtLeastOnce));
    before.kill();
    let after = begin();
    let expected = [("a", "new", 2), ("b/$c//", "odd", 0)];
    expect_told(&after, "#", ExactlyOnce, &expected);
    // Whoever begins a session with it is told once, also when that one is resumed.
    let mut reader = Mqtt::connect(after.mqtt(), tidings_tests::lasting(Version::V5, "reader"));
    reader.reads("a", ExactlyOnce);
    assert_eq!(reader.text(), "new");
    drop(reader);
    client(&after, tidings_tests::lasting(Version::V5, "reader")).expect_quiet();
}
