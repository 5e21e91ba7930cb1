//! SUBACK and UNSUBACK (sections 3.9 and 3.11). Must never know what was asked.

use crate::PacketId;
use crate::ack::AckProperties;
use crate::error::{EncodeError, Fault};
use crate::packet::PacketType;
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::{Body, Sink, write_packet};

/// The server's answer to SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubAck {
    /// The packet identifier of what is answered.
    pub packet_id: PacketId,
    /// How it went, one for each topic filter and in their order. SUBACK has `UnspecifiedError`
    /// alone for all failures on 3.1.1, and nothing for them on 3.1. UNSUBACK has none on either.
    pub reasons: Vec<ReasonCode>,
    /// What it says besides. Since MQTT 5.0.
    pub properties: AckProperties,
}

impl SubAck {
    pub(crate) fn parse(
        reader: &mut Reader<'_>,
        kind: PacketType,
        version: Version,
    ) -> Result<SubAck, Fault> {
        let packet_id = reader.packet_id()?;
        let properties = match version {
            Version::V5 => AckProperties::parse(reader)?,
            _ => AckProperties::default(),
        };
        if !has_reasons(kind, version) {
            return Ok(SubAck { packet_id, reasons: Vec::new(), properties });
        }
        let codes = reader.take(reader.len())?;
        if codes.is_empty() {
            return Err(Fault::NoReason);
        }
        let code = |&code: &u8| {
            ReasonCode::from_u8(code)
                .filter(|reason| is_reason(*reason, kind, version))
                .ok_or(Fault::Reason)
        };
        let reasons = codes.iter().map(code).collect::<Result<_, _>>()?;
        Ok(SubAck { packet_id, reasons, properties })
    }

    pub(crate) fn encode(
        &self,
        kind: PacketType,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if has_reasons(kind, version) {
            if self.reasons.is_empty() {
                return Err(EncodeError::NoReason);
            }
            if !self.reasons.iter().all(|reason| is_reason(*reason, kind, Version::V5)) {
                return Err(EncodeError::Reason);
            }
            if version == Version::V31 && self.reasons.iter().any(|reason| reason.is_error()) {
                return Err(EncodeError::NoReturnCode);
            }
        }
        write_packet(kind, &Answer(self, kind), version, out)
    }
}

struct Answer<'a>(&'a SubAck, PacketType);

impl Body for Answer<'_> {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        let Answer(SubAck { packet_id, reasons, properties }, kind) = self;
        sink.u16(packet_id.get());
        if version == Version::V5 {
            sink.properties(properties);
        }
        if !has_reasons(*kind, version) {
            return;
        }
        for reason in reasons {
            // All failures are one before MQTT 5.0 (section 3.9.3 of 3.1.1).
            let is_known = version == Version::V5 || !reason.is_error();
            sink.u8(if is_known { *reason } else { ReasonCode::UnspecifiedError } as u8);
        }
    }
}

fn has_reasons(kind: PacketType, version: Version) -> bool {
    kind == PacketType::SubAck || version == Version::V5
}

/// Whether the packet may have the reason code (tables 3-8 and 3-9).
fn is_reason(reason: ReasonCode, kind: PacketType, version: Version) -> bool {
    let is_granted = matches!(
        reason,
        ReasonCode::GRANTED_QOS_0 | ReasonCode::GrantedQos1 | ReasonCode::GrantedQos2
    );
    let is_failure_of_both = matches!(
        reason,
        ReasonCode::UnspecifiedError
            | ReasonCode::ImplementationSpecificError
            | ReasonCode::NotAuthorized
            | ReasonCode::TopicFilterInvalid
            | ReasonCode::PacketIdentifierInUse
    );
    match (version, kind) {
        (Version::V31, _) => is_granted,
        (Version::V311, _) => is_granted || reason == ReasonCode::UnspecifiedError,
        (Version::V5, PacketType::UnsubAck) => {
            is_failure_of_both
                || matches!(reason, ReasonCode::Success | ReasonCode::NoSubscriptionExisted)
        }
        (Version::V5, _) => {
            is_granted
                || is_failure_of_both
                || matches!(
                    reason,
                    ReasonCode::QuotaExceeded
                        | ReasonCode::SharedSubscriptionsNotSupported
                        | ReasonCode::SubscriptionIdentifiersNotSupported
                        | ReasonCode::WildcardSubscriptionsNotSupported
                )
        }
    }
}
