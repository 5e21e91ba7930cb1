//! A client that others wrote in Rust: rumqttc, over MQTT 3.1.1 and 5.

use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS, v5};

use crate::server;

/// How long the client may be silent: it sends PINGREQ before that.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What it may have under way.
const REQUESTS: usize = 16;

#[test]
fn its_version_3_client_hears_what_it_says_in_every_quality() {
    let server = server(&[]);
    let mut options = MqttOptions::new("rumqttc", "127.0.0.1", server.mqtt().port());
    options.set_keep_alive(KEEP_ALIVE).set_clean_session(false);
    let (client, mut connection) = Client::new(options, REQUESTS);
    client.subscribe("said/#", QoS::ExactlyOnce).unwrap();
    let mut heard = Vec::new();
    for event in connection.iter() {
        match event.unwrap() {
            Event::Incoming(Packet::SubAck(_)) => {
                for (text, qos) in
                    [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)]
                {
                    client.publish("said/it", qos, false, text).unwrap();
                }
            }
            Event::Incoming(Packet::Publish(publish)) => {
                heard.push((publish.payload, publish.qos));
            }
            // The last message of QoS 2 from here is done.
            Event::Incoming(Packet::PubComp(_)) if heard.len() == 3 => break,
            Event::Incoming(Packet::PubRel(_)) if heard.len() == 3 => break,
            _ => {}
        }
    }
    heard.sort_by(|(one, _), (other, _)| one.cmp(other));
    let expected = [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)];
    assert_eq!(heard, expected.map(|(text, qos)| (text.into(), qos)));
}

#[test]
fn its_version_5_client_has_properties_as_they_were() {
    let server = server(&[]);
    let mut options = v5::MqttOptions::new("rumqttc5", "127.0.0.1", server.mqtt().port());
    options.set_keep_alive(KEEP_ALIVE);
    let (client, mut connection) = v5::Client::new(options, REQUESTS);
    client.subscribe("said", v5::mqttbytes::QoS::AtLeastOnce).unwrap();
    let properties = v5::mqttbytes::v5::PublishProperties {
        content_type: Some("text/x-own".to_owned()),
        response_topic: Some("answers".to_owned()),
        correlation_data: Some("7".into()),
        user_properties: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), String::new())],
        ..Default::default()
    };
    for event in connection.iter() {
        match event.unwrap() {
            v5::Event::Incoming(v5::mqttbytes::v5::Packet::SubAck(_)) => {
                let (qos, properties) = (v5::mqttbytes::QoS::AtLeastOnce, properties.clone());
                client.publish_with_properties("said", qos, false, "it", properties).unwrap();
            }
            v5::Event::Incoming(v5::mqttbytes::v5::Packet::Publish(publish)) => {
                assert_eq!(publish.payload, "it");
                assert_eq!(publish.properties, Some(properties));
                break;
            }
            _ => {}
        }
    }
}
