//! CONNACK (section 3.2). Must never decide who may connect.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use crate::error::{EncodeError, Fault};
use crate::property::{
    ASSIGNED_CLIENT_IDENTIFIER, AUTHENTICATION_DATA, AUTHENTICATION_METHOD, MAXIMUM_PACKET_SIZE,
    MAXIMUM_QOS, OF_CONNACK, REASON_STRING, RECEIVE_MAXIMUM, RESPONSE_INFORMATION,
    RETAIN_AVAILABLE, SERVER_KEEP_ALIVE, SERVER_REFERENCE, SESSION_EXPIRY_INTERVAL,
    SHARED_SUBSCRIPTION_AVAILABLE, SUBSCRIPTION_IDENTIFIERS_AVAILABLE, TOPIC_ALIAS_MAXIMUM,
    WILDCARD_SUBSCRIPTION_AVAILABLE,
};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::{Body, Sink};

/// The server's answer to CONNECT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server had a session of this client. Never with a refusal; 3.1 cannot say it.
    pub session_present: bool,
    /// `Success`, or why not. On 3.1 and 3.1.1 there are five refusals (section 3.2.2.3 of
    /// 3.1.1): other reasons are written as the one that says it best, or not at all.
    pub reason: ReasonCode,
    /// The rest. Since MQTT 5.0.
    pub properties: ConnAckProperties,
}

/// What a server says besides (section 3.2.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnAckProperties {
    /// For how many seconds the session is kept, if not as long as asked; `u32::MAX` is for ever.
    pub session_expiry: Option<u32>,
    /// How many messages of QoS 1 and 2 may be unacknowledged; `None` is 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The largest QoS it takes; `None` is the same as `ExactlyOnce`, and read instead of it.
    pub maximum_qos: Option<QoS>,
    /// Whether it keeps retained messages; it does unless it says no, as with all of these.
    pub retain_available: Option<bool>,
    /// The largest packet it takes, in bytes; `None` is without limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The name of a client that came without one.
    pub assigned_client_id: Option<String>,
    /// The largest topic alias it takes; 0 is none.
    pub topic_alias_maximum: u16,
    /// Why, for people.
    pub reason_string: Option<String>,
    /// User properties: names and values, in order.
    pub user: Vec<(String, String)>,
    /// Whether topic filters may have wildcards.
    pub wildcard_subscription_available: Option<bool>,
    /// Whether subscriptions may have identifiers.
    pub subscription_ids_available: Option<bool>,
    /// Whether subscriptions may be shared.
    pub shared_subscription_available: Option<bool>,
    /// The keep alive in seconds, if not the one asked for.
    pub server_keep_alive: Option<u16>,
    /// What response topics are made of.
    pub response_information: Option<String>,
    /// Where else to go (section 4.11).
    pub server_reference: Option<String>,
    /// The authentication method, as in CONNECT.
    pub authentication_method: Option<String>,
    /// What the method has to say.
    pub authentication_data: Option<Bytes>,
}

impl ConnAck {
    pub(crate) fn parse(reader: &mut Reader<'_>, version: Version) -> Result<ConnAck, Fault> {
        let flags = reader.u8()?;
        // Not used in MQTT 3.1 (section 3.2 of MQTT 3.1).
        if version > Version::V31 && flags > 1 {
            return Err(Fault::AcknowledgeFlags);
        }
        let session_present = version > Version::V31 && flags == 1;
        let code = reader.u8()?;
        let reason = match version {
            Version::V5 => ReasonCode::from_u8(code).filter(|reason| is_reason(*reason)),
            _ => of_return_code(code),
        };
        let reason = reason.ok_or(Fault::Reason)?;
        if session_present && reason.is_error() {
            return Err(Fault::SessionPresent);
        }
        let properties = match version {
            Version::V5 => ConnAckProperties::parse(reader)?,
            _ => ConnAckProperties::default(),
        };
        Ok(ConnAck { session_present, reason, properties })
    }

    pub(crate) fn check(&self, version: Version) -> Result<(), EncodeError> {
        if !is_reason(self.reason) {
            return Err(EncodeError::Reason);
        }
        if version < Version::V5 && return_code(self.reason).is_none() {
            return Err(EncodeError::NoReturnCode);
        }
        if self.session_present && self.reason.is_error() {
            return Err(EncodeError::SessionPresent);
        }
        let ConnAckProperties { authentication_method, authentication_data, .. } = &self.properties;
        if authentication_data.is_some() && authentication_method.is_none() {
            return Err(EncodeError::NoAuthenticationMethod);
        }
        Ok(())
    }
}

impl Body for ConnAck {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.u8(u8::from(self.session_present && version > Version::V31));
        match version {
            Version::V5 => {
                sink.u8(self.reason as u8);
                sink.properties(&self.properties);
            }
            _ => sink.u8(return_code(self.reason).unwrap_or_default()), // checked
        }
    }
}

impl ConnAckProperties {
    fn parse(reader: &mut Reader<'_>) -> Result<ConnAckProperties, Fault> {
        let mut read = ConnAckProperties::default();
        reader.properties(OF_CONNACK, |id, value| read.take(id, value))?;
        if read.authentication_data.is_some() && read.authentication_method.is_none() {
            return Err(Fault::AuthenticationDataAlone);
        }
        Ok(read)
    }

    fn take(&mut self, id: u8, value: &mut Reader<'_>) -> Result<(), Fault> {
        match id {
            SESSION_EXPIRY_INTERVAL => self.session_expiry = Some(value.u32()?),
            RECEIVE_MAXIMUM => {
                let maximum = NonZeroU16::new(value.u16()?).ok_or(Fault::PropertyValue)?;
                self.receive_maximum = Some(maximum);
            }
            MAXIMUM_QOS => {
                let at_least_once = value.flag()?;
                self.maximum_qos =
                    Some(if at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce });
            }
            RETAIN_AVAILABLE => self.retain_available = Some(value.flag()?),
            MAXIMUM_PACKET_SIZE => {
                let maximum = NonZeroU32::new(value.u32()?).ok_or(Fault::PropertyValue)?;
                self.maximum_packet_size = Some(maximum);
            }
            ASSIGNED_CLIENT_IDENTIFIER => self.assigned_client_id = Some(value.string()?),
            TOPIC_ALIAS_MAXIMUM => self.topic_alias_maximum = value.u16()?,
            REASON_STRING => self.reason_string = Some(value.string()?),
            WILDCARD_SUBSCRIPTION_AVAILABLE => {
                self.wildcard_subscription_available = Some(value.flag()?);
            }
            SUBSCRIPTION_IDENTIFIERS_AVAILABLE => {
                self.subscription_ids_available = Some(value.flag()?);
            }
            SHARED_SUBSCRIPTION_AVAILABLE => {
                self.shared_subscription_available = Some(value.flag()?);
            }
            SERVER_KEEP_ALIVE => self.server_keep_alive = Some(value.u16()?),
            RESPONSE_INFORMATION => self.response_information = Some(value.string()?),
            SERVER_REFERENCE => self.server_reference = Some(value.string()?),
            AUTHENTICATION_METHOD => self.authentication_method = Some(value.string()?),
            AUTHENTICATION_DATA => self.authentication_data = Some(value.binary()?),
            _ => self.user.push(value.pair()?),
        }
        Ok(())
    }
}

impl Body for ConnAckProperties {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        let alias = self.topic_alias_maximum;
        let maximum_qos = self.maximum_qos.filter(|qos| *qos < QoS::ExactlyOnce);
        sink.u32_property(SESSION_EXPIRY_INTERVAL, self.session_expiry);
        sink.u16_property(RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        sink.u8_property(MAXIMUM_QOS, maximum_qos.map(u8::from));
        sink.flag_property(RETAIN_AVAILABLE, self.retain_available);
        sink.u32_property(MAXIMUM_PACKET_SIZE, self.maximum_packet_size.map(NonZeroU32::get));
        sink.string_property(ASSIGNED_CLIENT_IDENTIFIER, self.assigned_client_id.as_deref());
        sink.u16_property(TOPIC_ALIAS_MAXIMUM, (alias > 0).then_some(alias));
        sink.string_property(REASON_STRING, self.reason_string.as_deref());
        sink.flag_property(WILDCARD_SUBSCRIPTION_AVAILABLE, self.wildcard_subscription_available);
        sink.flag_property(SUBSCRIPTION_IDENTIFIERS_AVAILABLE, self.subscription_ids_available);
        sink.flag_property(SHARED_SUBSCRIPTION_AVAILABLE, self.shared_subscription_available);
        sink.u16_property(SERVER_KEEP_ALIVE, self.server_keep_alive);
        sink.string_property(RESPONSE_INFORMATION, self.response_information.as_deref());
        sink.string_property(SERVER_REFERENCE, self.server_reference.as_deref());
        sink.string_property(AUTHENTICATION_METHOD, self.authentication_method.as_deref());
        sink.binary_property(AUTHENTICATION_DATA, self.authentication_data.as_deref());
        sink.user_properties(&self.user);
    }
}

/// Whether CONNACK may have the reason code (table 3-1).
fn is_reason(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::Success
            | ReasonCode::UnspecifiedError
            | ReasonCode::MalformedPacket
            | ReasonCode::ProtocolError
            | ReasonCode::ImplementationSpecificError
            | ReasonCode::UnsupportedProtocolVersion
            | ReasonCode::ClientIdentifierNotValid
            | ReasonCode::BadUserNameOrPassword
            | ReasonCode::NotAuthorized
            | ReasonCode::ServerUnavailable
            | ReasonCode::ServerBusy
            | ReasonCode::Banned
            | ReasonCode::BadAuthenticationMethod
            | ReasonCode::TopicNameInvalid
            | ReasonCode::PacketTooLarge
            | ReasonCode::QuotaExceeded
            | ReasonCode::PayloadFormatInvalid
            | ReasonCode::RetainNotSupported
            | ReasonCode::QosNotSupported
            | ReasonCode::UseAnotherServer
            | ReasonCode::ServerMoved
            | ReasonCode::ConnectionRateExceeded
    )
}

/// The return code of 3.1 and 3.1.1 for a reason (table 3.1 of 3.1.1), if one fits.
fn return_code(reason: ReasonCode) -> Option<u8> {
    match reason {
        ReasonCode::Success => Some(0),
        ReasonCode::UnsupportedProtocolVersion => Some(1),
        ReasonCode::ClientIdentifierNotValid => Some(2),
        ReasonCode::ServerUnavailable
        | ReasonCode::ServerBusy
        | ReasonCode::QuotaExceeded
        | ReasonCode::UseAnotherServer
        | ReasonCode::ServerMoved
        | ReasonCode::ConnectionRateExceeded => Some(3),
        ReasonCode::BadUserNameOrPassword => Some(4),
        ReasonCode::NotAuthorized | ReasonCode::Banned => Some(5),
        _ => None,
    }
}

fn of_return_code(code: u8) -> Option<ReasonCode> {
    Some(match code {
        0 => ReasonCode::Success,
        1 => ReasonCode::UnsupportedProtocolVersion,
        2 => ReasonCode::ClientIdentifierNotValid,
        3 => ReasonCode::ServerUnavailable,
        4 => ReasonCode::BadUserNameOrPassword,
        5 => ReasonCode::NotAuthorized,
        _ => return None,
    })
}
