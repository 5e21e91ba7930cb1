//! A message of MQTT as one of the house, and back. What means the same in both stays the same;
//! `docs/guide/mqtt.md` has the table.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use serde::de::IgnoredAny;
use tidings_model::limits::CONTENT_TYPE_BYTES_MAX;
use tidings_model::{EventType, Headers, Manner, Message, Quality, Reply, Time, Topic};
use tidings_mqtt_codec::{Publish, PublishProperties, QoS, ReasonCode};
use tidings_protocol::content;

use crate::names;

/// Why a message is not taken: what the client is told, as code and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: ReasonCode,
    pub(crate) text: String,
}

impl Refused {
    pub(crate) fn new(reason: ReasonCode, text: impl ToString) -> Refused {
        Refused { reason, text: text.to_string() }
    }
}

/// What is published.
pub(crate) struct Content<'a> {
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: Option<&'a PublishProperties>,
}

/// The message that a client of this number publishes.
///
/// # Errors
/// Something of it cannot be carried to those who read it elsewhere.
pub(crate) fn message(
    topic: Topic,
    content: Content<'_>,
    origin: NonZeroU64,
    now: Time,
) -> Result<Message, Refused> {
    let Content { payload, qos, retain, properties } = content;
    let mut manner =
        Manner { quality: quality(qos), retain, origin: origin.get(), ..Manner::default() };
    let mut headers = Headers::default();
    let mut expires = None;
    let mut content_type = None;
    if let Some(properties) = properties {
        manner.is_text = properties.payload_is_utf8 == Some(true);
        manner.reply = reply(properties);
        expires = properties.message_expiry.map(|span| now + Duration::from_secs(span.into()));
        content_type = properties.content_type.as_deref();
        for (name, value) in &properties.user {
            headers.add(name, value).map_err(|error| {
                let text = format!("the user property {name:?}: {error}");
                Refused::new(ReasonCode::ImplementationSpecificError, text)
            })?;
        }
    }
    check(&payload, manner.is_text, content_type)?;
    // Nothing is no JSON, whatever it is called.
    let content_type = content_type.filter(|own| !(payload.is_empty() && content::is_json(own)));
    let content_type = content_type.unwrap_or_else(|| content::sniff(&payload)).into();
    Ok(Message {
        topic,
        payload,
        content_type,
        event_type: EventType::MESSAGE,
        headers,
        from: None,
        key: None,
        time: now,
        expires,
        manner,
    })
}

/// Whether a payload is what is said of it: others rely on that.
fn check(payload: &[u8], is_text: bool, content_type: Option<&str>) -> Result<(), Refused> {
    let invalid = |text: &str| Err(Refused::new(ReasonCode::PayloadFormatInvalid, text));
    if is_text && std::str::from_utf8(payload).is_err() {
        return invalid("the payload is not UTF-8, as its format indicator says");
    }
    let Some(content_type) = content_type else { return Ok(()) };
    if content_type.len() > CONTENT_TYPE_BYTES_MAX || content_type.chars().any(char::is_control) {
        let text = format!("a content type has at most {CONTENT_TYPE_BYTES_MAX} bytes of text");
        return Err(Refused::new(ReasonCode::ImplementationSpecificError, text));
    }
    // An empty payload may be the end of a retained message.
    if content::is_json(content_type)
        && !payload.is_empty()
        && serde_json::from_slice::<IgnoredAny>(payload).is_err()
    {
        return invalid("the payload is not JSON, as its content type says");
    }
    Ok(())
}

fn reply(properties: &PublishProperties) -> Option<Box<Reply>> {
    let (topic, correlation) = (&properties.response_topic, &properties.correlation_data);
    (topic.is_some() || correlation.is_some()).then(|| {
        let topic = topic.as_deref().unwrap_or_default().into();
        Box::new(Reply { topic, correlation: correlation.clone() })
    })
}

fn quality(qos: QoS) -> Quality {
    match qos {
        QoS::AtMostOnce => Quality::AtMostOnce,
        QoS::AtLeastOnce => Quality::AtLeastOnce,
        QoS::ExactlyOnce => Quality::ExactlyOnce,
    }
}

/// A message as MQTT has it, without what depends on who it is sent to.
pub(crate) fn publish(topic: &Topic, message: &Message, now: Time) -> Publish {
    let manner = &message.manner;
    let mut properties = PublishProperties {
        payload_is_utf8: manner.is_text.then_some(true),
        // What is left of its time (section 3.3.2.3.3).
        message_expiry: message.expires.map(|expires| {
            let left = expires.since(now).as_millis().div_ceil(1000);
            u32::try_from(left).unwrap_or(u32::MAX)
        }),
        content_type: carried(message).map(str::to_owned),
        ..PublishProperties::default()
    };
    if let Some(reply) = &manner.reply {
        properties.response_topic = (!reply.topic.is_empty())
            .then(|| reply.topic.as_ref().to_owned())
            // Somebody else than a client of MQTT may have named another.
            .filter(|topic| tidings_mqtt_codec::topic::check_topic_name(topic).is_ok());
        properties.correlation_data.clone_from(&reply.correlation);
    }
    let user = message.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    properties.user = user.collect();
    let has_any = properties != PublishProperties::default();
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: names::name(topic).into_owned(),
        packet_id: None,
        properties: has_any.then(|| Box::new(properties)),
        payload: message.payload.clone(),
    }
}

/// The content type, unless it is one that only says what everybody sees.
fn carried(message: &Message) -> Option<&str> {
    let own = Some(&*message.content_type);
    own.filter(|own| !matches!(*own, content::TEXT | content::BYTES))
}

/// Whether what MQTT makes of a message depends on nothing but the message.
pub(crate) fn is_constant(message: &Message) -> bool {
    message.expires.is_none()
}
