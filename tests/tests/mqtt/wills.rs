//! Wills (sections 3.1.2.5 and 3.1.3.2): when they are published, and when they are not.

use tidings_mqtt_codec::{Connect, QoS, ReasonCode, Version, Will};
use tidings_tests::{Folder, Mqtt, Server, lasting, publish, until, v5};

use crate::{VERSIONS, client, server};

/// A will on the topic `will`.
fn will(payload: &str, delay: u32) -> Option<Will> {
    let payload = payload.to_owned().into();
    Some(Will { topic: "will".into(), payload, qos: QoS::AtLeastOnce, delay, ..Will::default() })
}

/// A client that sees every will.
#[track_caller]
fn watcher(server: &Server) -> Mqtt {
    let mut watcher = client(server, v5("watcher"));
    watcher.reads("will", QoS::AtLeastOnce);
    watcher
}

/// Checks that no will was published: what is published now is the next that comes.
#[track_caller]
fn expect_none(watcher: &mut Mqtt) {
    watcher.publish(publish("will", "none", QoS::AtLeastOnce, 77));
    assert_eq!(watcher.text(), "none");
}

#[test]
fn a_connection_that_is_cut_has_its_will_and_one_that_says_goodbye_has_not() {
    let server = server(&[]);
    let mut watcher = watcher(&server);
    for version in VERSIONS {
        let connect = Connect { version, will: will("cut", 0), ..v5("a") };
        drop(client(&server, connect.clone()));
        assert_eq!(watcher.text(), "cut");
        client(&server, connect.clone()).disconnect(ReasonCode::Success);
        expect_none(&mut watcher);
        // What breaks the standard does not say goodbye.
        let mut broken = client(&server, connect);
        broken.wire().send(b"\0\0");
        broken.reason();
        assert_eq!(watcher.text(), "cut");
    }
    let connect = Connect { will: will("asked for", 0), ..v5("a") };
    client(&server, connect).disconnect(ReasonCode::DisconnectWithWillMessage);
    assert_eq!(watcher.text(), "asked for");
    expect_none(&mut watcher);
}

#[test]
fn a_will_is_a_message_like_others() {
    let server = server(&[]);
    let mut watcher = watcher(&server);
    let mut connect = Connect { will: will("x", 0), ..v5("a") };
    let own = connect.will.get_or_insert_default();
    own.qos = QoS::ExactlyOnce;
    own.retain = true;
    let properties = own.properties.get_or_insert_default();
    properties.user = vec![("k".into(), "1".into()), ("k".into(), "2".into())];
    properties.content_type = Some("text/x".into());
    properties.response_topic = Some("answers".into());
    properties.correlation_data = Some(vec![0, 255].into());
    properties.message_expiry = Some(100);
    properties.payload_is_utf8 = Some(true);
    let properties = properties.clone();
    drop(client(&server, connect));
    let first = watcher.message();
    watcher.complete(&first);
    let mut late = client(&server, v5("late"));
    late.reads("will", QoS::ExactlyOnce);
    let second = late.message();
    for (message, retain, qos) in
        [(first, false, QoS::AtLeastOnce), (second, true, QoS::ExactlyOnce)]
    {
        assert_eq!((message.retain, message.qos, &message.payload[..]), (retain, qos, &b"x"[..]));
        let mut got = *message.properties.unwrap_or_default();
        assert!(got.message_expiry.take().is_some_and(|left| left <= 100));
        let expected =
            tidings_mqtt_codec::PublishProperties { message_expiry: None, ..(*properties).clone() };
        assert_eq!(got, expected);
    }
}

#[test]
fn a_will_waits_for_its_delay_and_not_longer_than_its_session() {
    let server = server(&[]);
    let mut watcher = watcher(&server);
    let connect = |expiry, delay| {
        let mut connect = Connect { will: will("late", delay), ..lasting(Version::V5, "a") };
        connect.properties.session_expiry = Some(expiry);
        connect
    };
    // Whoever is back in time has none.
    drop(client(&server, connect(60, 1)));
    client(&server, connect(60, 1)).disconnect(ReasonCode::Success);
    // The delay, the end of the session, and a session that ends at once.
    for (expiry, delay) in [(60, 1), (1, 60), (0, 60)] {
        drop(client(&server, connect(expiry, delay)));
        if expiry != 0 {
            expect_none(&mut watcher);
        }
        assert_eq!(watcher.text(), "late", "{expiry} {delay}");
    }
    // A new session ends the old one.
    drop(client(&server, connect(60, 60)));
    let mut fresh = connect(60, 60);
    (fresh.clean_start, fresh.will) = (true, None);
    client(&server, fresh).disconnect(ReasonCode::Success);
    assert_eq!(watcher.text(), "late");
    expect_none(&mut watcher);
}

#[test]
fn who_is_replaced_has_a_will_unless_it_may_wait() {
    let server = server(&[]);
    let mut watcher = watcher(&server);
    for (version, expiry, delay, clean, is_told) in [
        (Version::V311, None, 0, true, true),
        (Version::V5, Some(0), 0, false, true),
        (Version::V5, Some(0), 60, false, true),
        (Version::V5, Some(60), 0, false, true),
        (Version::V5, Some(60), 60, false, false),
        (Version::V5, Some(60), 60, true, true),
    ] {
        let mut connect = Connect { version, will: will("replaced", delay), ..v5("a") };
        connect.properties.session_expiry = expiry;
        let mut first = client(&server, connect.clone());
        (connect.clean_start, connect.will) = (clean, None);
        let second = client(&server, connect);
        first.reason();
        match is_told {
            true => assert_eq!(watcher.text(), "replaced", "{expiry:?} {delay} {clean}"),
            false => expect_none(&mut watcher),
        }
        second.disconnect(ReasonCode::Success);
        expect_none(&mut watcher);
    }
}

#[test]
fn the_state_of_a_connection_that_is_not_kept_is_nobody_elses() {
    // [MQTT-3.1.2-6 of 3.1.1]; section 3.1.4 of 5.0.
    let server = server(&[]);
    for version in [Version::V311, Version::V5] {
        let mut first = client(&server, Connect { version, ..v5("a") });
        first.reads("t", QoS::AtLeastOnce);
        let mut second = client(&server, lasting(version, "a"));
        assert!(!second.connack.session_present, "{version:?}");
        second.publish(publish("t", "x", QoS::AtLeastOnce, 1));
        second.expect_quiet();
        let connect = Connect { version, ..v5("a") };
        client(&server, connect).disconnect(ReasonCode::Success);
    }
}

#[test]
fn wills_outlive_the_server() {
    let folder = Folder::new();
    let begin = || server(&[("DATA", &folder.text())]);
    let mut before = begin();
    let mut kept = Vec::new();
    for (id, delay) in [("now", 0), ("soon", 1)] {
        kept.push(client(&before, Connect { will: will(id, delay), ..lasting(Version::V5, id) }));
    }
    // One that had gone before.
    drop(client(&before, Connect { will: will("gone", 3600), ..lasting(Version::V5, "gone") }));
    before.kill();
    let after = begin();
    let mut watcher = Mqtt::connect(after.mqtt(), v5("watcher"));
    watcher.reads("will", QoS::AtLeastOnce);
    let mut told = Vec::new();
    until("both wills are there", || {
        let history = after.get("/t/will").data();
        told = history.iter().map(|data| data.as_str().unwrap_or_default().to_owned()).collect();
        (told.len() == 2).then_some(())
    });
    told.sort();
    assert_eq!(told, ["now", "soon"]);
    // The third waits for its hour, or for a new session.
    let fresh = Connect { clean_start: true, ..lasting(Version::V5, "gone") };
    client(&after, fresh).disconnect(ReasonCode::Success);
    until("the third is there", || {
        after.get("/t/will").data().iter().any(|data| *data == "gone").then_some(())
    });
}
