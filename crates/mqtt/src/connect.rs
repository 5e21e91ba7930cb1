//! CONNECT (section 3.1). Must never decide who may connect.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use crate::error::{EncodeError, Fault};
use crate::property::{
    AUTHENTICATION_DATA, AUTHENTICATION_METHOD, MAXIMUM_PACKET_SIZE, OF_CONNECT, RECEIVE_MAXIMUM,
    REQUEST_PROBLEM_INFORMATION, REQUEST_RESPONSE_INFORMATION, SESSION_EXPIRY_INTERVAL,
    TOPIC_ALIAS_MAXIMUM,
};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::version::Version;
use crate::will::Will;
use crate::writer::{Body, Sink};

/// A client asks for a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// What the client speaks.
    pub version: Version,
    /// Whether an older session is thrown away (Clean Start; before MQTT 5.0 Clean Session, and
    /// then the new one ends with the connection, too).
    pub clean_start: bool,
    /// The client is there at least every so many seconds; 0 is no promise.
    pub keep_alive: u16,
    /// Who it is. Empty asks the server for a name, which 3.1 does not have and 3.1.1 only with
    /// `clean_start`.
    pub client_id: String,
    /// What to publish when it is lost.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<String>,
    /// Password. Before MQTT 5.0 only with a user name.
    pub password: Option<Bytes>,
    /// The rest. Since MQTT 5.0.
    pub properties: ConnectProperties,
}

/// What a client says besides (section 3.1.2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectProperties {
    /// For how many seconds the session is kept after the connection; `u32::MAX` is for ever,
    /// `None` is 0.
    pub session_expiry: Option<u32>,
    /// How many messages of QoS 1 and 2 may be unacknowledged; `None` is 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The largest packet it takes, in bytes; `None` is without limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The largest topic alias it takes; 0 is none.
    pub topic_alias_maximum: u16,
    /// Whether it wants Response Information in CONNACK.
    pub request_response_information: bool,
    /// Whether it wants reasons and user properties with failures; it does unless it says no.
    pub request_problem_information: bool,
    /// How it wants to authenticate itself (section 4.12).
    pub authentication_method: Option<String>,
    /// What the method has to say.
    pub authentication_data: Option<Bytes>,
    /// User properties: names and values, in order.
    pub user: Vec<(String, String)>,
}

impl Default for ConnectProperties {
    fn default() -> ConnectProperties {
        ConnectProperties {
            session_expiry: None,
            receive_maximum: None,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            authentication_method: None,
            authentication_data: None,
            user: Vec::new(),
        }
    }
}

const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

/// Reads the protocol name and the level that follows it.
///
/// Errors: another protocol's name.
pub(crate) fn read_protocol(reader: &mut Reader<'_>) -> Result<(&'static str, u8), Fault> {
    let name = match reader.field()? {
        b"MQTT" => "MQTT",
        b"MQIsdp" => "MQIsdp",
        _ => return Err(Fault::ProtocolName),
    };
    Ok((name, reader.u8()?))
}

/// The version that a protocol name and a level mean together.
///
/// Errors: none.
pub(crate) fn version_of(name: &str, level: u8) -> Result<Version, Fault> {
    [Version::V31, Version::V311, Version::V5]
        .into_iter()
        .find(|version| version.level() == level && version.protocol_name() == name)
        .ok_or(Fault::ProtocolLevel)
}

impl Connect {
    /// Reads what follows the protocol level.
    pub(crate) fn parse(reader: &mut Reader<'_>, version: Version) -> Result<Connect, Fault> {
        let flags = reader.u8()?;
        check_flags(flags, version)?;
        let clean_start = flags & CLEAN_START != 0;
        let keep_alive = reader.u16()?;
        let properties = match version {
            Version::V5 => ConnectProperties::parse(reader)?,
            _ => ConnectProperties::default(),
        };
        let client_id = reader.string()?;
        if client_id.is_empty() && needs_client_id(version, clean_start) {
            return Err(Fault::NoClientId);
        }
        let will = match flags & WILL {
            0 => None,
            _ => Some(Will::parse(reader, version, will_qos(flags)?, flags & WILL_RETAIN != 0)?),
        };
        // On MQTT 3.1 the length counts, not the flags (section 3.1 of MQTT 3.1).
        let is_there = |reader: &Reader<'_>, flag| {
            flags & flag != 0 && !(version == Version::V31 && reader.is_empty())
        };
        let username = is_there(reader, USERNAME).then(|| reader.string()).transpose()?;
        let password = is_there(reader, PASSWORD).then(|| reader.binary()).transpose()?;
        Ok(Connect {
            version,
            clean_start,
            keep_alive,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    pub(crate) fn check(&self, version: Version) -> Result<(), EncodeError> {
        if version != self.version {
            return Err(EncodeError::NotInVersion);
        }
        if version < Version::V5 && self.password.is_some() && self.username.is_none() {
            return Err(EncodeError::PasswordAlone);
        }
        if self.client_id.is_empty() && needs_client_id(version, self.clean_start) {
            return Err(EncodeError::NoClientId);
        }
        let ConnectProperties { authentication_method, authentication_data, .. } = &self.properties;
        if authentication_data.is_some() && authentication_method.is_none() {
            return Err(EncodeError::NoAuthenticationMethod);
        }
        self.will.as_ref().map_or(Ok(()), Will::check)
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | (will.qos as u8) << WILL_QOS_SHIFT;
            flags |= if will.retain { WILL_RETAIN } else { 0 };
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        if self.username.is_some() {
            flags |= USERNAME;
        }
        flags
    }
}

impl Body for Connect {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.string(version.protocol_name());
        sink.u8(version.level());
        sink.u8(self.flags());
        sink.u16(self.keep_alive);
        if version == Version::V5 {
            sink.properties(&self.properties);
        }
        sink.string(&self.client_id);
        if let Some(will) = &self.will {
            will.write(version, sink);
        }
        if let Some(username) = &self.username {
            sink.string(username);
        }
        if let Some(password) = &self.password {
            sink.field(password);
        }
    }
}

impl ConnectProperties {
    fn parse(reader: &mut Reader<'_>) -> Result<ConnectProperties, Fault> {
        let mut read = ConnectProperties::default();
        reader.properties(OF_CONNECT, |id, value| {
            match id {
                SESSION_EXPIRY_INTERVAL => read.session_expiry = Some(value.u32()?),
                RECEIVE_MAXIMUM => {
                    let maximum = NonZeroU16::new(value.u16()?).ok_or(Fault::PropertyValue)?;
                    read.receive_maximum = Some(maximum);
                }
                MAXIMUM_PACKET_SIZE => {
                    let maximum = NonZeroU32::new(value.u32()?).ok_or(Fault::PropertyValue)?;
                    read.maximum_packet_size = Some(maximum);
                }
                TOPIC_ALIAS_MAXIMUM => read.topic_alias_maximum = value.u16()?,
                REQUEST_RESPONSE_INFORMATION => read.request_response_information = value.flag()?,
                REQUEST_PROBLEM_INFORMATION => read.request_problem_information = value.flag()?,
                AUTHENTICATION_METHOD => read.authentication_method = Some(value.string()?),
                AUTHENTICATION_DATA => read.authentication_data = Some(value.binary()?),
                _ => read.user.push(value.pair()?),
            }
            Ok(())
        })?;
        if read.authentication_data.is_some() && read.authentication_method.is_none() {
            return Err(Fault::AuthenticationDataAlone);
        }
        Ok(read)
    }
}

impl Body for ConnectProperties {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        let alias = self.topic_alias_maximum;
        sink.u32_property(SESSION_EXPIRY_INTERVAL, self.session_expiry);
        sink.u16_property(RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        sink.u32_property(MAXIMUM_PACKET_SIZE, self.maximum_packet_size.map(NonZeroU32::get));
        sink.u16_property(TOPIC_ALIAS_MAXIMUM, (alias > 0).then_some(alias));
        let response = self.request_response_information;
        sink.flag_property(REQUEST_RESPONSE_INFORMATION, response.then_some(true));
        let problem = self.request_problem_information;
        sink.flag_property(REQUEST_PROBLEM_INFORMATION, (!problem).then_some(false));
        sink.string_property(AUTHENTICATION_METHOD, self.authentication_method.as_deref());
        sink.binary_property(AUTHENTICATION_DATA, self.authentication_data.as_deref());
        sink.user_properties(&self.user);
    }
}

/// Checks the connect flags against each other (section 3.1.2.3). MQTT 3.1 disregards what is not
/// used, and says only that there is no password without a user name.
fn check_flags(flags: u8, version: Version) -> Result<(), Fault> {
    if version > Version::V31 {
        if flags & 1 != 0 {
            return Err(Fault::ConnectFlag);
        }
        if flags & WILL == 0 && flags & 0b11 << WILL_QOS_SHIFT != 0 {
            return Err(Fault::WillQosAlone);
        }
        if flags & (WILL | WILL_RETAIN) == WILL_RETAIN {
            return Err(Fault::WillRetainAlone);
        }
    }
    if version < Version::V5 && flags & (USERNAME | PASSWORD) == PASSWORD {
        return Err(Fault::PasswordAlone);
    }
    Ok(())
}

fn will_qos(flags: u8) -> Result<QoS, Fault> {
    QoS::from_u8(flags >> WILL_QOS_SHIFT & 0b11).ok_or(Fault::Qos3)
}

fn needs_client_id(version: Version, clean_start: bool) -> bool {
    match version {
        Version::V31 => true,
        Version::V311 => !clean_start,
        Version::V5 => false,
    }
}
