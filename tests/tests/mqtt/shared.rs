//! Shared subscriptions (section 4.8.2), and what the server says of itself.

use std::collections::BTreeSet;

use tidings_mqtt_codec::{QoS, ReasonCode};
use tidings_tests::{Folder, Mqtt, Server, filter, lasting, publish, v5};

use crate::{VERSIONS, client, server};

const QOS: QoS = QoS::AtLeastOnce;

#[test]
fn members_have_each_message_once_between_them() {
    let server = server(&[]);
    for version in VERSIONS {
        let name = format!("{version:?}");
        let topic = format!("{name}/jobs");
        let shared = format!("$share/{name}/{name}/#");
        let mut members: Vec<_> = (0..3)
            .map(|number| {
                let id = format!("{name}{number}");
                let mut member = client(&server, lasting(version, &id));
                assert_eq!(member.subscribe(vec![filter(&shared, QOS)]), [ReasonCode::GrantedQos1]);
                member
            })
            .collect();
        let mut beside = client(&server, v5("beside"));
        beside.reads(&topic, QoS::AtMostOnce);
        let mut publisher = client(&server, v5("publisher"));
        for number in 0..9 {
            publisher.publish(publish(&topic, number.to_string(), QOS, 1));
        }
        let mut seen = BTreeSet::new();
        for member in &mut members {
            for _ in 0..3 {
                let message = member.message();
                member.complete(&message);
                assert!(seen.insert(message.payload), "it came twice");
            }
            member.expect_quiet();
        }
        for number in 0..9 {
            assert_eq!(beside.text(), number.to_string(), "who is no member has all");
        }
        for mut member in members {
            member.unsubscribe(&[&shared]);
        }
        publisher.publish(publish(&topic, "nobody's", QOS, 1));
    }
}

#[test]
fn what_a_member_leaves_behind_is_dealt_to_the_others() {
    let server = server(&[]);
    let mut first = client(&server, lasting(VERSIONS[2], "first"));
    first.subscribe(vec![filter("$share/g/t", QOS)]);
    let mut publisher = client(&server, v5("publisher"));
    for number in 0..4 {
        publisher.publish(publish("t", number.to_string(), QOS, 1));
    }
    let done = first.message();
    first.complete(&done);
    assert_eq!(first.message().payload, "1");
    let mut second = client(&server, v5("second"));
    second.subscribe(vec![filter("$share/g/t", QOS)]);
    second.expect_quiet();
    drop(first);
    for number in 1..4 {
        let message = second.message();
        assert!(!message.dup, "for this client it is the first time");
        assert_eq!(message.payload, number.to_string());
        second.complete(&message);
    }
    second.expect_quiet();
}

#[test]
fn a_share_of_sessions_goes_on_where_it_was_also_after_a_kill() {
    let folder = Folder::new();
    let data = folder.text();
    let settings = [("MQTT_LISTEN", "127.0.0.1:0"), ("DATA", &data[..])];
    let mut before = Server::with(&settings);
    let mut member = client(&before, lasting(VERSIONS[2], "member"));
    // QoS 2 cannot be another's when its client is gone.
    let granted = member.subscribe(vec![filter("$share/g/t", QoS::ExactlyOnce)]);
    assert_eq!(granted, [ReasonCode::GrantedQos1]);
    drop(member);
    let mut publisher = client(&before, v5("publisher"));
    for number in 0..5 {
        publisher.publish(publish("t", number.to_string(), QOS, 1));
    }
    before.kill();
    let after = Server::with(&settings);
    let mut member: Mqtt = client(&after, lasting(VERSIONS[2], "member"));
    assert!(member.connack.session_present);
    for number in 0..5 {
        let message = member.message();
        assert_eq!(message.payload, number.to_string());
        member.complete(&message);
    }
    member.expect_quiet();
}

#[test]
fn names_of_shares_are_checked() {
    let server = server(&[]);
    let mut reader = client(&server, v5("reader"));
    let granted = reader.subscribe(vec![filter("$share/g/$SYS/#", QOS)]);
    assert_eq!(granted, [ReasonCode::TopicFilterInvalid]);
}

#[test]
fn the_server_says_how_it_is() {
    let server = server(&[]);
    let mut reader = client(&server, v5("reader"));
    reader.reads("$SYS/broker/version", QoS::AtMostOnce);
    let message = reader.message();
    assert!(message.retain);
    assert_eq!(message.payload, format!("tidings {}", env!("CARGO_PKG_VERSION")));
    let mut other = client(&server, v5("other"));
    other.reads("$SYS/#", QoS::AtMostOnce);
    let topics: BTreeSet<_> = (0..7).map(|_| other.message().topic).collect();
    assert_eq!(topics.len(), 7, "{topics:?}");
}
