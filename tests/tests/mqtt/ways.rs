//! MQTT beside every other way: what one publishes, the others read.

use tidings_mqtt_codec::{Publish, QoS, ReasonCode, Version};
use tidings_tests::{Reader, Via, lasting, publish, until, v5};

use crate::{client, server};

#[test]
fn what_mqtt_publishes_every_other_way_reads() {
    let server = server(&[]);
    let mut readers: Vec<_> = Via::ALL
        .iter()
        .map(|&via| Reader::open(&server, via, &["house/kitchen"], "start"))
        .collect();
    let mut publisher = client(&server, v5("publisher"));
    let mut message = publish("house/kitchen", "{\"t\":21.5}", QoS::AtLeastOnce, 1);
    let properties = message.properties.get_or_insert_default();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    properties.user = vec![pair("unit", "C"), pair("Seen-By", "a"), pair("Seen-By", "b")];
    properties.content_type = Some("application/json".into());
    properties.response_topic = Some("house/answers".into());
    properties.correlation_data = Some(vec![0, 255, 1].into());
    publisher.publish(message);
    publisher.publish(publish("house/kitchen", [0xff, 0x00], QoS::ExactlyOnce, 2));
    for (via, reader) in Via::ALL.iter().zip(&mut readers) {
        let event = reader.read();
        if *via == Via::Multipart {
            continue;
        }
        assert_eq!(event["data"]["t"], 21.5, "{via:?}");
        assert_eq!(event["contentType"], "application/json");
        let headers = &event["headers"];
        assert_eq!(
            (&headers["unit"], &headers["Seen-By"]),
            (&"C".into(), &"a, b".into()),
            "{event}"
        );
        assert_eq!(event["responseTopic"], "house/answers");
        assert_eq!(event["correlationData"], "AP8B");
        let event = reader.read();
        assert_eq!((&event["data"], &event["encoding"]), (&"/wA=".into(), &"base64".into()));
    }
}

#[test]
fn what_is_published_otherwise_mqtt_reads() {
    let server = server(&[]);
    let mut new = client(&server, v5("new"));
    new.reads("house/#", QoS::ExactlyOnce);
    let mut old = client(&server, lasting(Version::V311, "old"));
    old.reads("house/+", QoS::AtLeastOnce);
    let headers = [
        ("Content-Type", "application/json"),
        ("Tidings-Header-Unit", "C"),
        ("Tidings-TTL", "100"),
    ];
    let posted = server.post("house/kitchen", &headers, "{\"t\":22}");
    assert_eq!(posted.status, 201, "{posted:?}");
    let message = new.message();
    new.complete(&message);
    assert_eq!((message.qos, message.retain), (QoS::ExactlyOnce, false));
    assert_eq!(
        (message.topic.as_str(), &message.payload[..]),
        ("house/kitchen", &b"{\"t\":22}"[..])
    );
    let properties = message.properties.unwrap_or_default();
    assert_eq!(properties.user, [("unit".to_owned(), "C".to_owned())]);
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert!(properties.message_expiry.is_some_and(|left| (90..=100).contains(&left)));
    assert_eq!(old.text(), "{\"t\":22}");
    // A plain one carries nothing.
    server.publish("house/hall", "22");
    let message = new.message();
    new.complete(&message);
    assert_eq!(
        message,
        Publish {
            packet_id: message.packet_id,
            ..publish("house/hall", "22", QoS::ExactlyOnce, 1)
        }
    );
    assert_eq!(old.text(), "22");
    // What a batch stores as one comes one by one.
    server.publish_numbers("house/hall", 0..50);
    for number in 0..50 {
        assert_eq!([new.text(), old.text()], [number.to_string(), number.to_string()]);
    }
    // An odd name is the same topic by its escaped one.
    new.reads("/odd//*", QoS::AtLeastOnce);
    server.publish("%2500/odd/%2500/%252A", "odd");
    assert_eq!(new.message().topic, "/odd//*");
}

#[test]
fn sessions_are_in_the_list_of_sessions() {
    let server = server(&[]);
    let mut reader = client(&server, lasting(Version::V5, "a/b"));
    reader.reads("t/+", QoS::AtLeastOnce);
    reader.expect_quiet();
    client(&server, v5("passing")).disconnect(ReasonCode::Success);
    let all = until("the one that is not kept is gone", || {
        let all = server.get("/s").json();
        (all["sessions"].as_array().map(Vec::len) == Some(1)).then_some(all)
    });
    let one = &all["sessions"][0];
    assert_eq!(one["session"], "mqtt:a%2Fb");
    assert_eq!((&one["connected"], &one["topics"]), (&true.into(), &serde_json::json!(["t/*"])));
}
