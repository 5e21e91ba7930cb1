//! The will in CONNECT (section 3.1.3). Must never decide when it is published.

use bytes::Bytes;

use crate::error::{EncodeError, Fault};
use crate::property::{OF_WILL, WILL_DELAY_INTERVAL};
use crate::publish::PublishProperties;
use crate::qos::QoS;
use crate::reader::Reader;
use crate::topic::{TopicError, check_topic_name};
use crate::version::Version;
use crate::writer::{Body, Sink};

/// What the server publishes for a client that is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Will {
    /// The topic name.
    pub topic: String,
    /// The message itself.
    pub payload: Bytes,
    /// How often it may arrive.
    pub qos: QoS,
    /// Whether it is kept for whoever subscribes later.
    pub retain: bool,
    /// How many seconds the server waits for the client to come back. Since MQTT 5.0.
    pub delay: u32,
    /// `None` when there are none; never a topic alias or a subscription identifier. Since MQTT
    /// 5.0.
    pub properties: Option<Box<PublishProperties>>,
}

impl Will {
    /// Reads what the payload of CONNECT says of it.
    pub(crate) fn parse(
        reader: &mut Reader<'_>,
        version: Version,
        qos: QoS,
        retain: bool,
    ) -> Result<Will, Fault> {
        let (mut delay, mut properties) = (0, None);
        if version == Version::V5 {
            reader.properties(OF_WILL, |id, value| {
                if id == WILL_DELAY_INTERVAL {
                    delay = value.u32()?;
                    return Ok(());
                }
                properties.get_or_insert_with(Box::<PublishProperties>::default).take(id, value)
            })?;
        }
        let topic = reader.text_with_nulls()?;
        match check_topic_name(topic) {
            Ok(()) => {}
            Err(TopicError::NullCharacter) => return Err(Fault::NullCharacter),
            Err(_) => return Err(Fault::WillTopic),
        }
        let payload = reader.binary()?;
        Ok(Will { topic: topic.to_owned(), payload, qos, retain, delay, properties })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        check_topic_name(&self.topic)?;
        match &self.properties {
            Some(own) if own.topic_alias.is_some() || !own.subscription_ids.is_empty() => {
                Err(EncodeError::PropertyOfWill)
            }
            Some(own) => own.check(),
            None => Ok(()),
        }
    }
}

impl Body for Will {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        if version == Version::V5 {
            sink.properties(&Properties(self));
        }
        sink.string(&self.topic);
        sink.field(&self.payload);
    }
}

struct Properties<'a>(&'a Will);

impl Body for Properties<'_> {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.u32_property(WILL_DELAY_INTERVAL, (self.0.delay > 0).then_some(self.0.delay));
        if let Some(properties) = &self.0.properties {
            properties.write(version, sink);
        }
    }
}
