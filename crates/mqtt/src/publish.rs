//! PUBLISH (section 3.3). Must never remember a topic alias or a packet identifier.

use std::num::NonZeroU16;

use bytes::Bytes;

use crate::error::{EncodeError, Fault};
use crate::header::Side;
use crate::packet::PacketType;
use crate::property::{
    CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY_INTERVAL, OF_PUBLISH, PAYLOAD_FORMAT_INDICATOR,
    RESPONSE_TOPIC, SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS,
};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::subscribe::{read_id, write_id};
use crate::topic::{TopicError, check_topic_name};
use crate::version::Version;
use crate::writer::{Body, Measure, Sink, varint_len};
use crate::{PacketId, VARINT_MAX};

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// Whether it may have been sent before. Never at QoS 0.
    pub dup: bool,
    /// How often it may arrive.
    pub qos: QoS,
    /// To the server: keep it for whoever subscribes later. From the server: it was kept.
    pub retain: bool,
    /// The topic name. Empty only with a topic alias, which stands for it.
    pub topic: String,
    /// Names the exchange; there at QoS 1 and 2, and only there.
    pub packet_id: Option<PacketId>,
    /// `None` when there are none. Since MQTT 5.0.
    pub properties: Option<Box<PublishProperties>>,
    /// The message itself.
    pub payload: Bytes,
}

/// What a message says of itself (sections 3.3.2.3 and 3.1.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishProperties {
    /// Whether the payload is text (Payload Format Indicator). Nobody has looked whether it is.
    pub payload_is_utf8: Option<bool>,
    /// For how many seconds it is worth delivering.
    pub message_expiry: Option<u32>,
    /// Stands for the topic name, on this connection.
    pub topic_alias: Option<NonZeroU16>,
    /// The topic name for an answer.
    pub response_topic: Option<String>,
    /// What an answer has to repeat.
    pub correlation_data: Option<Bytes>,
    /// User properties: names and values, in order.
    pub user: Vec<(String, String)>,
    /// Of the subscriptions it comes for, each 1 to 268,435,455. Only from the server.
    pub subscription_ids: Vec<u32>,
    /// What the payload is.
    pub content_type: Option<String>,
}

impl Publish {
    #[inline]
    pub(crate) fn parse(
        reader: &mut Reader<'_>,
        flags: u8,
        version: Version,
        side: Side,
    ) -> Result<Publish, Fault> {
        let dup = flags & 0b1000 != 0;
        let qos = QoS::from_u8(flags >> 1 & 0b11).ok_or(Fault::Qos3)?;
        if dup && qos == QoS::AtMostOnce {
            return Err(Fault::DupAtQos0);
        }
        let topic = reader.text_with_nulls()?;
        match check_topic_name(topic) {
            Ok(()) => {}
            Err(TopicError::Empty) if version == Version::V5 => {} // there may be an alias
            Err(TopicError::Empty) => return Err(Fault::NoTopic),
            Err(TopicError::NullCharacter) => return Err(Fault::NullCharacter),
            Err(_) => return Err(Fault::TopicWildcard),
        }
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            _ => Some(reader.packet_id()?),
        };
        let properties = match version {
            Version::V5 => read_properties(reader, side)?,
            _ => None,
        };
        let alias = properties.as_ref().and_then(|properties| properties.topic_alias);
        if topic.is_empty() && alias.is_none() {
            return Err(Fault::NoTopic);
        }
        Ok(Publish {
            dup,
            qos,
            retain: flags & 1 != 0,
            topic: topic.to_owned(),
            packet_id,
            properties,
            payload: reader.payload(),
        })
    }

    /// Appends the packet to `out`, and returns the offset in `out` of the packet identifier's
    /// two bytes, if it has one.
    ///
    /// Errors: as [`Packet::encode`](crate::Packet::encode).
    pub fn encode(
        &self,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, EncodeError> {
        let packet_id = self.encode_with(version, out, self.payload.len())?;
        out.extend_from_slice(&self.payload);
        Ok(packet_id)
    }

    /// [`encode`](Publish::encode) of everything but the payload, whose bytes belong behind it.
    ///
    /// Errors: as [`Packet::encode`](crate::Packet::encode).
    pub fn encode_head(
        &self,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, EncodeError> {
        self.encode_with(version, out, 0)
    }

    /// Bytes that the whole packet takes, payload included, if it can be written.
    pub fn encoded_len(&self, version: Version) -> usize {
        let remaining = Measure::of(self, version).len + self.payload.len();
        1 + varint_len(remaining) + remaining
    }

    /// Appends the head, with room for `reserve` more bytes.
    fn encode_with(
        &self,
        version: Version,
        out: &mut Vec<u8>,
        reserve: usize,
    ) -> Result<Option<usize>, EncodeError> {
        self.check(version)?;
        let measure = Measure::of(self, version);
        let remaining = measure.remaining_length(self.payload.len())?;
        out.reserve(1 + varint_len(remaining as usize) + measure.len + reserve);
        let flags = u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        out.u8((PacketType::Publish as u8) << 4 | flags);
        out.varint(remaining);
        let body_at = out.len();
        self.write(version, out);
        Ok(self.packet_id.map(|_| body_at + 2 + self.topic.len()))
    }

    fn check(&self, version: Version) -> Result<(), EncodeError> {
        if self.packet_id.is_some() != (self.qos > QoS::AtMostOnce) {
            return Err(EncodeError::PacketId);
        }
        if self.dup && self.qos == QoS::AtMostOnce {
            return Err(EncodeError::DupAtQos0);
        }
        let properties = self.properties.as_ref().filter(|_| version == Version::V5);
        let has_alias = properties.is_some_and(|properties| properties.topic_alias.is_some());
        if !(self.topic.is_empty() && has_alias) {
            check_topic_name(&self.topic)?;
        }
        match properties {
            Some(properties) => properties.check(),
            None => Ok(()),
        }
    }
}

impl Body for Publish {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.field(self.topic.as_bytes()); // checked
        if let Some(packet_id) = self.packet_id {
            sink.u16(packet_id.get());
        }
        if version < Version::V5 {
            return;
        }
        match &self.properties {
            Some(properties) => sink.properties(&**properties),
            None => sink.u8(0),
        }
    }
}

impl PublishProperties {
    /// Takes one property that any message may have.
    pub(crate) fn take(&mut self, id: u8, value: &mut Reader<'_>) -> Result<(), Fault> {
        match id {
            PAYLOAD_FORMAT_INDICATOR => self.payload_is_utf8 = Some(value.flag()?),
            MESSAGE_EXPIRY_INTERVAL => self.message_expiry = Some(value.u32()?),
            CONTENT_TYPE => self.content_type = Some(value.string()?),
            RESPONSE_TOPIC => {
                let topic = value.text()?;
                check_topic_name(topic).map_err(|_| Fault::ResponseTopic)?;
                self.response_topic = Some(topic.to_owned());
            }
            CORRELATION_DATA => self.correlation_data = Some(value.binary()?),
            TOPIC_ALIAS => {
                let alias = NonZeroU16::new(value.u16()?).ok_or(Fault::TopicAliasZero)?;
                self.topic_alias = Some(alias);
            }
            SUBSCRIPTION_IDENTIFIER => self.subscription_ids.push(read_id(value)?),
            _ => self.user.push(value.pair()?),
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        if let Some(topic) = &self.response_topic {
            check_topic_name(topic)?;
        }
        if self.subscription_ids.iter().any(|id| !(1..=VARINT_MAX).contains(id)) {
            return Err(EncodeError::SubscriptionId);
        }
        Ok(())
    }
}

impl Body for PublishProperties {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        sink.flag_property(PAYLOAD_FORMAT_INDICATOR, self.payload_is_utf8);
        sink.u32_property(MESSAGE_EXPIRY_INTERVAL, self.message_expiry);
        sink.u16_property(TOPIC_ALIAS, self.topic_alias.map(NonZeroU16::get));
        sink.string_property(RESPONSE_TOPIC, self.response_topic.as_deref());
        sink.binary_property(CORRELATION_DATA, self.correlation_data.as_deref());
        write_id(self.subscription_ids.iter().copied(), sink);
        sink.string_property(CONTENT_TYPE, self.content_type.as_deref());
        sink.user_properties(&self.user);
    }
}

fn read_properties(
    reader: &mut Reader<'_>,
    side: Side,
) -> Result<Option<Box<PublishProperties>>, Fault> {
    let mut read = None;
    reader.properties(OF_PUBLISH, |id, value| {
        if id == SUBSCRIPTION_IDENTIFIER && side == Side::Server {
            return Err(Fault::SubscriptionIdFromClient);
        }
        read.get_or_insert_with(Box::<PublishProperties>::default).take(id, value)
    })?;
    Ok(read)
}
