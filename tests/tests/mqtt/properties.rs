//! What a message carries (section 3.3.2.3), topic aliases, subscription options, and which topics
//! a filter matches (4.7).

use std::num::NonZeroU16;

use tidings_mqtt_codec::{Connect, Packet, Publish, QoS, ReasonCode, SubscribeFilter, Version};
use tidings_tests::{filter, publish, until, v5};

use crate::{VERSIONS, client, server};

use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

#[test]
fn what_a_message_carries_comes_as_it_was_in_every_quality() {
    let server = server(&[]);
    let mut old = client(&server, Connect { version: Version::V311, ..v5("old") });
    old.reads("t", ExactlyOnce);
    let mut client = client(&server, v5("a"));
    client.reads("t", ExactlyOnce);
    for qos in [AtLeastOnce, ExactlyOnce, AtMostOnce] {
        let mut message = publish("t", "{\"a\":1}", qos, 1);
        let properties = message.properties.get_or_insert_default();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        properties.user = vec![
            pair("b", "1"),
            pair("a", "2"),
            pair("b", "3"),
            pair("empty", ""),
            pair("Name with \u{e4} and ,", "value, with commas; \u{1f980}"),
            pair("b", "1"),
        ];
        properties.content_type = Some("application/json".into());
        properties.response_topic = Some("answers/\u{e4}".into());
        properties.correlation_data = Some(vec![0, 1, 255, 10].into());
        properties.payload_is_utf8 = Some(true);
        client.publish(message.clone());
        let got = client.message();
        client.complete(&got);
        assert_eq!(got, Publish { packet_id: got.packet_id, ..message });
        let got = old.message();
        old.complete(&got);
        assert_eq!((got.properties.as_deref(), &got.payload[..]), (None, &b"{\"a\":1}"[..]));
    }
}

#[test]
fn time_runs_out_and_what_is_left_is_told() {
    let server = server(&[]);
    let mut reader = client(&server, tidings_tests::lasting(Version::V5, "reader"));
    reader.reads("t", AtLeastOnce);
    drop(reader);
    let mut publisher = client(&server, v5("publisher"));
    for (seconds, qos) in [(1, AtLeastOnce), (1, ExactlyOnce), (100, AtLeastOnce)] {
        let mut message = publish("t", seconds.to_string(), qos, 1);
        message.properties.get_or_insert_default().message_expiry = Some(seconds);
        publisher.publish(message);
    }
    until("the first two have expired", || (server.get("/t/t").data().len() == 1).then_some(()));
    let mut reader = client(&server, tidings_tests::lasting(Version::V5, "reader"));
    let message = reader.message();
    assert_eq!(&message.payload[..], b"100");
    let left = message.properties.and_then(|properties| properties.message_expiry);
    assert!(left.is_some_and(|left| (50..100).contains(&left)), "{left:?}");
}

#[test]
fn aliases_stand_for_topics_both_ways() {
    let server = server(&[]);
    let mut connect = v5("reader");
    connect.properties.topic_alias_maximum = 2;
    let mut reader = client(&server, connect);
    reader.reads("t/#", AtLeastOnce);
    let mut publisher = client(&server, v5("publisher"));
    let mut aliased = |topic: &str, alias| {
        let mut message = publish(topic, "x", AtLeastOnce, 1);
        message.properties.get_or_insert_default().topic_alias = NonZeroU16::new(alias);
        publisher.publish(message);
    };
    for (topic, alias) in [("t/1", 1), ("", 1), ("t/2", 32), ("", 32), ("", 1), ("t/3", 1), ("", 1)]
    {
        aliased(topic, alias);
    }
    let mut known = [String::new(), String::new()];
    for expected in ["t/1", "t/1", "t/2", "t/2", "t/1", "t/3", "t/3"] {
        let message = reader.message();
        reader.complete(&message);
        let alias = message.properties.and_then(|properties| properties.topic_alias);
        let topic = match alias {
            None => message.topic,
            Some(alias) if message.topic.is_empty() => known[usize::from(alias.get()) - 1].clone(),
            Some(alias) => {
                known[usize::from(alias.get()) - 1].clone_from(&message.topic);
                message.topic
            }
        };
        assert_eq!(topic, expected);
    }
    assert_eq!(known, ["t/1", "t/2"]);
    // They end with their connection.
    let mut publisher = client(&server, v5("publisher"));
    let mut message = publish("", "x", AtMostOnce, 0);
    message.properties.get_or_insert_default().topic_alias = NonZeroU16::new(1);
    publisher.send(Packet::Publish(message));
    assert_eq!(publisher.reason(), Some(ReasonCode::TopicAliasInvalid));
}

#[test]
fn overlapping_subscriptions_are_one_message_with_all_their_identifiers() {
    let server = server(&[]);
    let mut reader = client(&server, v5("reader"));
    for (text, qos, id) in [
        ("a/+", AtMostOnce, Some(1)),
        ("a/#", ExactlyOnce, Some(268_435_455)),
        ("a/b", AtLeastOnce, None),
        ("+/b", AtLeastOnce, Some(1)),
        ("c", ExactlyOnce, Some(9)),
    ] {
        reader.subscribe_as(vec![filter(text, qos)], id);
    }
    reader.publish(publish("a/b", "x", ExactlyOnce, 1));
    let message = reader.message();
    reader.complete(&message);
    assert_eq!(message.qos, ExactlyOnce);
    let mut ids = message.properties.unwrap_or_default().subscription_ids;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids, [1, 268_435_455]);
    // An identifier may be replaced, or taken away.
    reader.subscribe_as(vec![filter("c", ExactlyOnce)], Some(10));
    reader.publish(publish("c", "x", AtLeastOnce, 1));
    let message = reader.message();
    reader.complete(&message);
    assert_eq!(message.properties.unwrap_or_default().subscription_ids, [10]);
    reader.subscribe_as(vec![filter("c", ExactlyOnce)], None);
    reader.publish(publish("c", "x", AtLeastOnce, 1));
    assert_eq!(reader.message().properties, None);
}

#[test]
fn who_wants_no_echo_has_none() {
    let server = server(&[]);
    let mut first = client(&server, v5("first"));
    let mut second = client(&server, v5("second"));
    for client in [&mut first, &mut second] {
        client.subscribe(vec![SubscribeFilter { no_local: true, ..filter("t", AtLeastOnce) }]);
    }
    first.publish(publish("t", "of the first", AtLeastOnce, 1));
    assert_eq!(second.text(), "of the first");
    second.publish(publish("t", "of the second", AtLeastOnce, 1));
    assert_eq!(first.text(), "of the second");
    second.expect_quiet();
}

#[test]
fn filters_match_as_the_standard_has_it() {
    let server = server(&[]);
    for version in VERSIONS {
        let mut publisher = client(&server, Connect { version, ..v5("publisher") });
        let topics = [
            "a",
            "a/b",
            "a/b/c",
            "/",
            "/a",
            "a/",
            "//",
            "a//b",
            "\u{e4}/\u{1f980}",
            "a b/*",
            ".",
            "a/..",
            "%00",
            "%2A",
            "**/x",
        ];
        for (text, matched) in [
            ("#", &topics[..]),
            ("+", &["a", ".", "%00", "%2A"]),
            ("a/+", &["a/b", "a/", "a/.."]),
            ("a/#", &["a", "a/b", "a/b/c", "a/", "a//b", "a/.."]),
            ("/#", &["/", "/a", "//"]),
            ("+/+", &["a/b", "/", "/a", "a/", "\u{e4}/\u{1f980}", "a b/*", "a/..", "**/x"]),
            ("+/+/+", &["a/b/c", "//", "a//b"]),
            ("a//b", &["a//b"]),
            ("a b/*", &["a b/*"]),
            ("\u{e4}/+", &["\u{e4}/\u{1f980}"]),
            ("%2A", &["%2A"]),
            ("**/+", &["**/x"]),
        ] {
            let mut reader = client(&server, Connect { version, ..v5("reader") });
            reader.reads(text, AtLeastOnce);
            for topic in topics {
                publisher.publish(publish(topic, topic, AtLeastOnce, 1));
            }
            for &topic in matched {
                let message = reader.message();
                reader.complete(&message);
                assert_eq!(message.topic, topic, "{text}");
                assert_eq!(message.payload, topic.as_bytes());
            }
            reader.expect_quiet();
        }
    }
}

#[test]
fn what_is_refused_is_said_for_each() {
    let server = server(&[("LIMITS_SUBSCRIPTIONS", "3")]);
    let mut reader = client(&server, v5("reader"));
    let long = "x".repeat(600);
    let asked = [long.as_str(), "a", "b", "c", "d"].map(|text| filter(text, AtLeastOnce));
    let answer = reader.subscribe(asked.to_vec());
    let granted = ReasonCode::GrantedQos1;
    let (invalid, over) = (ReasonCode::TopicFilterInvalid, ReasonCode::QuotaExceeded);
    assert_eq!(answer, [invalid, granted, granted, granted, over]);
    for (topic, reason) in
        [(long.as_str(), ReasonCode::TopicNameInvalid), ("$SYS/x", ReasonCode::NotAuthorized)]
    {
        for qos in [AtLeastOnce, ExactlyOnce] {
            reader.send(Packet::Publish(publish(topic, "x", qos, 5)));
            match reader.expect() {
                Packet::PubAck(ack) | Packet::PubRec(ack) => assert_eq!(ack.reason, reason),
                other => panic!("{other:?}"),
            }
        }
    }
    let mut message = publish("a", b"\xff", AtLeastOnce, 5);
    message.properties.get_or_insert_default().payload_is_utf8 = Some(true);
    reader.send(Packet::Publish(message));
    match reader.expect() {
        Packet::PubAck(ack) => assert_eq!(ack.reason, ReasonCode::PayloadFormatInvalid),
        other => panic!("{other:?}"),
    }
    // The refused identifier of QoS 2 stands for nothing.
    reader.publish(publish("a", "x", ExactlyOnce, 5));
    assert_eq!(reader.text(), "x");
}
