//! Where the standard says what a fault breaks: the number of the normative statement in the
//! version that is spoken, or the section where there is none. Must never decide anything.

use crate::error::Fault;
use crate::packet::PacketType;
use crate::topic::TopicError;
use crate::version::Version;

/// The place that speaks of `fault`. MQTT 3.1 has no numbers, so its packets are named by section.
pub(crate) fn statement(
    fault: Fault,
    packet: Option<PacketType>,
    version: Option<Version>,
) -> &'static str {
    match version {
        Some(Version::V31) => in_v31(packet),
        Some(Version::V311) => in_v311(fault, packet),
        Some(Version::V5) | None => in_v5(fault, packet),
    }
}

fn in_v5(fault: Fault, packet: Option<PacketType>) -> &'static str {
    match fault {
        Fault::ReservedType | Fault::WrongSide => "section 2.1.2",
        Fault::NotConnected => "MQTT-3.1.0-1",
        Fault::NotAcknowledged => "MQTT-3.2.0-1",
        Fault::ConnectedTwice => match packet {
            Some(PacketType::ConnAck) => "MQTT-3.2.0-2",
            _ => "MQTT-3.1.0-2",
        },
        Fault::Flags => "MQTT-2.1.3-1",
        Fault::IntegerTooLong => "section 1.5.5",
        Fault::IntegerNotMinimal => "MQTT-1.5.5-1",
        Fault::PacketTooLarge => "section 3.1.2.11.4",
        Fault::TooShort | Fault::TooLong => "section 2.1.4",
        Fault::NotUtf8 => "MQTT-1.5.4-1",
        Fault::NullCharacter => "MQTT-1.5.4-2",
        Fault::PropertyMisplaced | Fault::PropertyTwice | Fault::PropertyValue => "section 2.2.2.2",
        Fault::TopicAliasZero => "MQTT-3.3.2-8",
        Fault::ProtocolName => "MQTT-3.1.2-1",
        Fault::ProtocolLevel => "MQTT-3.1.2-2",
        Fault::ConnectFlag => "MQTT-3.1.2-3",
        Fault::WillQosAlone => "MQTT-3.1.2-11",
        Fault::WillRetainAlone => "MQTT-3.1.2-13",
        Fault::WillTopic => "MQTT-4.7.0-1",
        // Allowed in this version.
        Fault::PasswordAlone => "section 3.1.2.9",
        Fault::NoClientId => "MQTT-3.1.3-8",
        Fault::AuthenticationDataAlone => "section 3.1.2.11.10",
        Fault::NoAuthenticationMethod => "section 3.15.2.2.2",
        Fault::AcknowledgeFlags => "MQTT-3.2.2-1",
        Fault::SessionPresent => "MQTT-3.2.2-6",
        Fault::Qos3 => match packet {
            Some(PacketType::Connect) => "MQTT-3.1.2-12",
            Some(PacketType::Subscribe) => "section 3.8.3.1",
            _ => "MQTT-3.3.1-4",
        },
        Fault::DupAtQos0 => "MQTT-3.3.1-2",
        Fault::PacketIdZero => "MQTT-2.2.1-3",
        Fault::TopicWildcard => "MQTT-3.3.2-2",
        Fault::NoTopic => "section 3.3.2.1",
        Fault::ResponseTopic => "MQTT-3.3.2-14",
        Fault::SubscriptionIdFromClient => "MQTT-3.3.4-6",
        Fault::NoFilter => match packet {
            Some(PacketType::Unsubscribe) => "MQTT-3.10.3-2",
            _ => "MQTT-3.8.3-2",
        },
        Fault::Filter(error) => of_filter(error),
        Fault::SubscriptionOptions => "MQTT-3.8.3-5",
        Fault::RetainHandling3 => "section 3.8.3.1",
        Fault::NoLocalShared => "MQTT-3.8.3-4",
        Fault::NoReason => match packet {
            Some(PacketType::UnsubAck) => "section 3.11.3",
            _ => "MQTT-3.8.4-6",
        },
        Fault::Reason => of_reason(packet),
        Fault::SessionExpiryFromServer => "MQTT-3.14.2-2",
    }
}

/// The numbers that differ in MQTT 3.1.1.
fn in_v311(fault: Fault, packet: Option<PacketType>) -> &'static str {
    match fault {
        Fault::ReservedType | Fault::WrongSide => "section 2.2.1",
        Fault::ConnectedTwice if packet == Some(PacketType::ConnAck) => "section 3.2",
        Fault::Flags => "MQTT-2.2.2-2",
        Fault::IntegerTooLong | Fault::TooShort | Fault::TooLong => "section 2.2.3",
        Fault::NotUtf8 => "MQTT-1.5.3-1",
        Fault::NullCharacter => "MQTT-1.5.3-2",
        Fault::WillQosAlone => "MQTT-3.1.2-13",
        Fault::WillRetainAlone => "MQTT-3.1.2-15",
        Fault::WillTopic => "MQTT-4.7.1-1",
        Fault::PasswordAlone => "MQTT-3.1.2-22",
        Fault::AcknowledgeFlags => "section 3.2.2.1",
        Fault::SessionPresent => "MQTT-3.2.2-4",
        Fault::Qos3 => match packet {
            Some(PacketType::Connect) => "MQTT-3.1.2-14",
            Some(PacketType::Subscribe) => "MQTT-3-8.3-4",
            _ => "MQTT-3.3.1-4",
        },
        Fault::PacketIdZero => "MQTT-2.3.1-1",
        Fault::NoTopic => "MQTT-4.7.3-1",
        Fault::NoFilter => match packet {
            Some(PacketType::Unsubscribe) => "MQTT-3.10.3-2",
            _ => "MQTT-3.8.3-3",
        },
        Fault::SubscriptionOptions => "MQTT-3-8.3-4",
        Fault::NoReason => "MQTT-3.8.4-5",
        Fault::Reason => match packet {
            Some(PacketType::SubAck) => "MQTT-3.9.3-2",
            _ => "section 3.2.2.3",
        },
        Fault::Filter(TopicError::MultiLevelWildcard) => "MQTT-4.7.1-2",
        Fault::Filter(TopicError::SingleLevelWildcard) => "MQTT-4.7.1-3",
        _ => in_v5(fault, packet),
    }
}

fn in_v31(packet: Option<PacketType>) -> &'static str {
    match packet {
        None | Some(PacketType::Auth) => "MQTT 3.1 section 2.1",
        Some(PacketType::Connect) => "MQTT 3.1 section 3.1",
        Some(PacketType::ConnAck) => "MQTT 3.1 section 3.2",
        Some(PacketType::Publish) => "MQTT 3.1 section 3.3",
        Some(PacketType::PubAck) => "MQTT 3.1 section 3.4",
        Some(PacketType::PubRec) => "MQTT 3.1 section 3.5",
        Some(PacketType::PubRel) => "MQTT 3.1 section 3.6",
        Some(PacketType::PubComp) => "MQTT 3.1 section 3.7",
        Some(PacketType::Subscribe) => "MQTT 3.1 section 3.8",
        Some(PacketType::SubAck) => "MQTT 3.1 section 3.9",
        Some(PacketType::Unsubscribe) => "MQTT 3.1 section 3.10",
        Some(PacketType::UnsubAck) => "MQTT 3.1 section 3.11",
        Some(PacketType::PingReq) => "MQTT 3.1 section 3.12",
        Some(PacketType::PingResp) => "MQTT 3.1 section 3.13",
        Some(PacketType::Disconnect) => "MQTT 3.1 section 3.14",
    }
}

fn of_filter(error: TopicError) -> &'static str {
    match error {
        TopicError::Empty => "MQTT-4.7.3-1",
        TopicError::TooLong => "MQTT-4.7.3-3",
        TopicError::NullCharacter => "MQTT-4.7.3-2",
        TopicError::Wildcard => "MQTT-4.7.0-1",
        TopicError::MultiLevelWildcard => "MQTT-4.7.1-1",
        TopicError::SingleLevelWildcard => "MQTT-4.7.1-2",
        TopicError::NoShareName => "MQTT-4.8.2-1",
        TopicError::ShareNameWildcard | TopicError::NoSharedFilter => "MQTT-4.8.2-2",
    }
}

fn of_reason(packet: Option<PacketType>) -> &'static str {
    match packet {
        Some(PacketType::ConnAck) => "MQTT-3.2.2-8",
        Some(PacketType::PubAck) => "MQTT-3.4.2-1",
        Some(PacketType::PubRec) => "MQTT-3.5.2-1",
        Some(PacketType::PubRel) => "MQTT-3.6.2-1",
        Some(PacketType::PubComp) => "MQTT-3.7.2-1",
        Some(PacketType::SubAck) => "MQTT-3.9.3-2",
        Some(PacketType::UnsubAck) => "MQTT-3.11.3-2",
        Some(PacketType::Disconnect) => "MQTT-3.14.2-1",
        Some(PacketType::Auth) => "MQTT-3.15.2-1",
        _ => "section 2.4",
    }
}
