//! DISCONNECT (section 3.14). Must never decide what becomes of a session or a will.

use crate::error::{EncodeError, Fault};
use crate::header::Side;
use crate::property::{OF_DISCONNECT, REASON_STRING, SERVER_REFERENCE, SESSION_EXPIRY_INTERVAL};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::{Body, Sink};

/// The last packet of a connection. On 3.1 and 3.1.1 it says nothing, and only a client sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnect {
    /// Why.
    pub reason: ReasonCode,
    /// For how many seconds the session is kept, instead of what CONNECT said; `u32::MAX` is for
    /// ever. Only from a client.
    pub session_expiry: Option<u32>,
    /// Why, for people.
    pub reason_string: Option<String>,
    /// Where else to go (section 4.11).
    pub server_reference: Option<String>,
    /// User properties: names and values, in order.
    pub user: Vec<(String, String)>,
}

impl Disconnect {
    pub(crate) fn parse(
        reader: &mut Reader<'_>,
        version: Version,
        side: Side,
    ) -> Result<Disconnect, Fault> {
        let mut disconnect = Disconnect::default();
        if version < Version::V5 || reader.is_empty() {
            return Ok(disconnect);
        }
        disconnect.reason = ReasonCode::from_u8(reader.u8()?)
            .filter(|reason| is_reason(*reason, Some(side)))
            .ok_or(Fault::Reason)?;
        if reader.is_empty() {
            return Ok(disconnect);
        }
        reader.properties(OF_DISCONNECT, |id, value| {
            match id {
                SESSION_EXPIRY_INTERVAL => disconnect.session_expiry = Some(value.u32()?),
                REASON_STRING => disconnect.reason_string = Some(value.string()?),
                SERVER_REFERENCE => disconnect.server_reference = Some(value.string()?),
                _ => disconnect.user.push(value.pair()?),
            }
            Ok(())
        })?;
        if disconnect.session_expiry.is_some() && side == Side::Client {
            return Err(Fault::SessionExpiryFromServer);
        }
        Ok(disconnect)
    }

    pub(crate) fn check(&self, version: Version) -> Result<(), EncodeError> {
        if version == Version::V5 && !is_reason(self.reason, None) {
            return Err(EncodeError::Reason);
        }
        Ok(())
    }
}

impl Body for Disconnect {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        // What says nothing is left out (section 3.14.2.1).
        if version < Version::V5 || *self == Disconnect::default() {
            return;
        }
        sink.u8(self.reason as u8);
        let Disconnect { reason: _, session_expiry, reason_string, server_reference, user } = self;
        let says_more = session_expiry.is_some()
            || reason_string.is_some()
            || server_reference.is_some()
            || !user.is_empty();
        if says_more {
            sink.properties(&Properties(self));
        }
    }
}

struct Properties<'a>(&'a Disconnect);

impl Body for Properties<'_> {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        let Properties(disconnect) = self;
        sink.u32_property(SESSION_EXPIRY_INTERVAL, disconnect.session_expiry);
        sink.string_property(REASON_STRING, disconnect.reason_string.as_deref());
        sink.string_property(SERVER_REFERENCE, disconnect.server_reference.as_deref());
        sink.user_properties(&disconnect.user);
    }
}

/// Whether the side that listens may be told so; `None` is either (table 3-10).
fn is_reason(reason: ReasonCode, side: Option<Side>) -> bool {
    match reason {
        ReasonCode::NORMAL_DISCONNECTION
        | ReasonCode::UnspecifiedError
        | ReasonCode::MalformedPacket
        | ReasonCode::ProtocolError
        | ReasonCode::ImplementationSpecificError
        | ReasonCode::TopicNameInvalid
        | ReasonCode::ReceiveMaximumExceeded
        | ReasonCode::TopicAliasInvalid
        | ReasonCode::PacketTooLarge
        | ReasonCode::MessageRateTooHigh
        | ReasonCode::QuotaExceeded
        | ReasonCode::AdministrativeAction
        | ReasonCode::PayloadFormatInvalid => true,
        ReasonCode::DisconnectWithWillMessage => side != Some(Side::Client),
        ReasonCode::NotAuthorized
        | ReasonCode::ServerBusy
        | ReasonCode::ServerShuttingDown
        | ReasonCode::BadAuthenticationMethod
        | ReasonCode::KeepAliveTimeout
        | ReasonCode::SessionTakenOver
        | ReasonCode::TopicFilterInvalid
        | ReasonCode::RetainNotSupported
        | ReasonCode::QosNotSupported
        | ReasonCode::UseAnotherServer
        | ReasonCode::ServerMoved
        | ReasonCode::SharedSubscriptionsNotSupported
        | ReasonCode::ConnectionRateExceeded
        | ReasonCode::MaximumConnectTime
        | ReasonCode::SubscriptionIdentifiersNotSupported
        | ReasonCode::WildcardSubscriptionsNotSupported => side != Some(Side::Server),
        _ => false,
    }
}
