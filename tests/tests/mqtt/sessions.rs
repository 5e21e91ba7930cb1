//! Sessions over connections (sections 3.1.2.4, 3.1.2.11.2 and 4.1): what they keep, how long, and
//! what they are to other ways of reading.

use tidings_mqtt_codec::{Connect, Disconnect, Packet, QoS, ReasonCode, Version};
use tidings_tests::{Folder, Mqtt, Server, filter, lasting, publish, until, v5};

use crate::{VERSIONS, client, is_present, server};

/// Lets go of a client as a cut does, and waits until the server knows.
#[track_caller]
fn cut(server: &Server, client: Mqtt, id: &str) {
    drop(client);
    until("the server sees the cut", || {
        let session = server.get(&format!("/s/mqtt:{id}")).json();
        (session["connected"] == false).then_some(())
    });
}

#[test]
fn who_is_away_misses_nothing_that_is_acknowledged() {
    let server = server(&[]);
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let id = format!("{version:?}{qos:?}");
            // One that read nothing before it left, one that did, and one that said goodbye.
            for round in 0..3 {
                let mut reader = client(&server, lasting(version, &id));
                assert_eq!(is_present(&reader), round > 0 || version == Version::V31);
                if round == 0 {
                    assert_eq!(
                        reader.subscribe(vec![filter(&format!("{id}/#"), qos)])[0] as u8,
                        qos as u8
                    );
                }
                if round == 1 {
                    reader.publish(publish(&format!("{id}/here"), "here", qos, 1));
                    assert_eq!(reader.text(), "here");
                    reader.expect_quiet();
                }
                match round {
                    2 => reader.disconnect(ReasonCode::Success),
                    _ => cut(&server, reader, &id),
                }
                let mut publisher = client(&server, v5("publisher"));
                for number in 0..50_u16 {
                    let quality = if number % 5 == 0 { QoS::AtMostOnce } else { qos };
                    let topic = format!("{id}/{}", number % 2);
                    publisher.publish(publish(&topic, number.to_string(), quality, 1));
                }
                // By other ways it comes with the quality of the subscription.
                server.publish(&format!("{id}/http"), "last");
                let mut reader = client(&server, lasting(version, &id));
                assert!(is_present(&reader));
                for number in (0..50).filter(|number| number % 5 != 0) {
                    assert_eq!(reader.text(), number.to_string(), "{id} {round}");
                }
                let last = reader.message();
                assert_eq!((&last.payload[..], last.qos), (&b"last"[..], qos));
                reader.complete(&last);
                reader.expect_quiet();
            }
        }
    }
}

#[test]
fn a_session_lasts_as_long_as_was_said() {
    let server = server(&[]);
    let connect = |expiry, clean_start| {
        let mut connect = Connect { clean_start, ..lasting(Version::V5, "a") };
        connect.properties.session_expiry = expiry;
        connect
    };
    let leave = |mut client: Mqtt, session_expiry| {
        let said = Disconnect { session_expiry, ..Disconnect::default() };
        client.send(Packet::Disconnect(Box::new(said)));
        client.expect_end();
    };
    for (first, at_last, stays) in [
        (None, None, false),
        (Some(0), None, false),
        (Some(100), None, true),
        (Some(u32::MAX), None, true),
        (Some(100), Some(0), false),
        (Some(100), Some(200), true),
    ] {
        leave(client(&server, connect(first, true)), at_last);
        let again = client(&server, connect(first, false));
        assert_eq!(again.connack.session_present, stays, "{first:?} {at_last:?}");
        drop(again);
    }
    // Clean Start ends it, whatever was said.
    leave(client(&server, connect(Some(100), false)), None);
    assert!(!client(&server, connect(Some(100), true)).connack.session_present);
    // By the clock.
    leave(client(&server, connect(Some(1), true)), None);
    until("it is over", || server.get("/s/mqtt:a").status.eq(&404).then_some(()));
    assert!(!client(&server, connect(Some(1), false)).connack.session_present);
    // MQTT 3 keeps it for as long as the server keeps any; MQTT 5 goes on with it.
    drop(client(&server, Connect { version: Version::V311, ..connect(None, true) }));
    drop(client(&server, Connect { version: Version::V311, ..connect(None, false) }));
    assert!(client(&server, connect(Some(100), false)).connack.session_present);
}

#[test]
fn subscriptions_stay_until_they_are_ended() {
    let server = server(&[]);
    let mut publisher = client(&server, v5("publisher"));
    let mut reader = client(&server, lasting(Version::V5, "reader"));
    reader.reads("a/+", QoS::AtLeastOnce);
    reader.reads("b/#", QoS::AtLeastOnce);
    reader.reads("b/#", QoS::AtMostOnce);
    reader.reads("b/#", QoS::AtLeastOnce);
    for _ in 0..2 {
        for topic in ["a/x", "b", "b/x/y", "c", "a/x/y"] {
            publisher.publish(publish(topic, topic, QoS::AtLeastOnce, 1));
        }
        for topic in ["a/x", "b", "b/x/y"] {
            assert_eq!(reader.text(), topic);
        }
        reader.expect_quiet();
        drop(reader);
        reader = client(&server, lasting(Version::V5, "reader"));
        assert!(reader.connack.session_present);
    }
    let answer = reader.unsubscribe(&["a/+", "b/+", "c"]);
    let none = ReasonCode::NoSubscriptionExisted;
    assert_eq!(answer, [ReasonCode::Success, none, none]);
    drop(reader);
    publisher.publish(publish("a/x", "unread", QoS::AtLeastOnce, 1));
    publisher.publish(publish("b", "read", QoS::AtLeastOnce, 1));
    let mut reader = client(&server, lasting(Version::V5, "reader"));
    assert_eq!(reader.text(), "read");
    reader.expect_quiet();
}

#[test]
fn what_is_published_before_a_subscription_is_none_of_its_business() {
    let server = server(&[]);
    let mut publisher = client(&server, v5("publisher"));
    let mut reader = client(&server, lasting(Version::V311, "reader"));
    reader.reads("a", QoS::AtLeastOnce);
    publisher.publish(publish("b", "before", QoS::AtLeastOnce, 1));
    // It is held back by nothing but the place of its subscription.
    publisher.publish(publish("a", "1", QoS::AtLeastOnce, 1));
    reader.reads("b", QoS::AtLeastOnce);
    publisher.publish(publish("b", "after", QoS::AtLeastOnce, 1));
    drop(reader.message());
    drop(reader);
    let mut reader = client(&server, lasting(Version::V311, "reader"));
    assert_eq!([reader.text(), reader.text()], ["1", "after"]);
    reader.expect_quiet();
}

#[test]
fn hundreds_of_sessions_outlive_the_server() {
    const SESSIONS: usize = 300;
    let folder = Folder::new();
    let begin = || server(&[("DATA", &folder.text())]);
    let mut before = begin();
    for number in 0..SESSIONS {
        let mut reader = client(&before, lasting(Version::V5, &format!("r{number}")));
        reader.reads(&format!("own/{number}"), QoS::AtLeastOnce);
        reader.reads("all", QoS::ExactlyOnce);
    }
    let mut publisher = client(&before, v5("publisher"));
    publisher.publish(publish("all", "everybody", QoS::ExactlyOnce, 1));
    publisher.publish(publish("own/7", "one", QoS::AtLeastOnce, 1));
    before.kill();
    let after = begin();
    for number in 0..SESSIONS {
        let mut reader = client(&after, lasting(Version::V5, &format!("r{number}")));
        assert!(reader.connack.session_present, "{number}");
        assert_eq!(reader.text(), "everybody");
        if number == 7 {
            assert_eq!(reader.text(), "one");
        }
        reader.expect_quiet();
    }
}

#[test]
fn a_session_that_is_deleted_is_told_so() {
    let server = server(&[]);
    let mut reader = client(&server, lasting(Version::V5, "reader"));
    assert_eq!(server.ask("DELETE", "/s/mqtt:reader", &[], b"").status, 204);
    assert_eq!(reader.reason(), Some(ReasonCode::AdministrativeAction));
    assert!(!client(&server, lasting(Version::V5, "reader")).connack.session_present);
}
