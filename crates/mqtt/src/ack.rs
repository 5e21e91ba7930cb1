//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7). Must never know which message is
//! meant.

use crate::PacketId;
use crate::error::{EncodeError, Fault};
use crate::packet::PacketType;
use crate::property::{OF_ACK, REASON_STRING};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::{Body, Sink};

/// An acknowledgement of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Of which message.
    pub packet_id: PacketId,
    /// How it went; always [`ReasonCode::Success`] on 3.1 and 3.1.1, which have no word for more.
    pub reason: ReasonCode,
    /// `None` when there are none.
    pub properties: Option<Box<AckProperties>>,
}

/// What an acknowledgement says besides (sections 3.4.2.2 and 3.9.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckProperties {
    /// Why, for people.
    pub reason_string: Option<String>,
    /// User properties: names and values, in order.
    pub user: Vec<(String, String)>,
}

impl Ack {
    /// An acknowledgement that says nothing but that all is well.
    pub fn success(packet_id: PacketId) -> Ack {
        Ack { packet_id, reason: ReasonCode::Success, properties: None }
    }

    pub(crate) fn parse(
        reader: &mut Reader<'_>,
        kind: PacketType,
        version: Version,
    ) -> Result<Ack, Fault> {
        let mut ack = Ack::success(reader.packet_id()?);
        if version < Version::V5 || reader.is_empty() {
            return Ok(ack);
        }
        ack.reason = ReasonCode::from_u8(reader.u8()?)
            .filter(|reason| is_reason(*reason, kind))
            .ok_or(Fault::Reason)?;
        if !reader.is_empty() {
            let properties = AckProperties::parse(reader)?;
            ack.properties = (properties != AckProperties::default()).then(|| Box::new(properties));
        }
        Ok(ack)
    }

    pub(crate) fn check(&self, kind: PacketType, version: Version) -> Result<(), EncodeError> {
        if version == Version::V5 && !is_reason(self.reason, kind) {
            return Err(EncodeError::Reason);
        }
        Ok(())
    }
}

impl Body for Ack {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.u16(self.packet_id.get());
        if version < Version::V5 {
            return;
        }
        match &self.properties {
            Some(properties) if **properties != AckProperties::default() => {
                sink.u8(self.reason as u8);
                sink.properties(&**properties);
            }
            // What says nothing is left out (section 3.4.2.1).
            _ if self.reason != ReasonCode::Success => sink.u8(self.reason as u8),
            _ => {}
        }
    }
}

impl AckProperties {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<AckProperties, Fault> {
        let mut read = AckProperties::default();
        reader.properties(OF_ACK, |id, value| {
            match id {
                REASON_STRING => read.reason_string = Some(value.string()?),
                _ => read.user.push(value.pair()?),
            }
            Ok(())
        })?;
        Ok(read)
    }
}

impl Body for AckProperties {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        sink.string_property(REASON_STRING, self.reason_string.as_deref());
        sink.user_properties(&self.user);
    }
}

/// Whether a packet of this type may have the reason code (tables 3-4 to 3-7).
fn is_reason(reason: ReasonCode, kind: PacketType) -> bool {
    match kind {
        PacketType::PubAck | PacketType::PubRec => matches!(
            reason,
            ReasonCode::Success
                | ReasonCode::NoMatchingSubscribers
                | ReasonCode::UnspecifiedError
                | ReasonCode::ImplementationSpecificError
                | ReasonCode::NotAuthorized
                | ReasonCode::TopicNameInvalid
                | ReasonCode::PacketIdentifierInUse
                | ReasonCode::QuotaExceeded
                | ReasonCode::PayloadFormatInvalid
        ),
        _ => matches!(reason, ReasonCode::Success | ReasonCode::PacketIdentifierNotFound),
    }
}
