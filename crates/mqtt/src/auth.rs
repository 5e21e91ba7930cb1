//! AUTH (section 3.15). Must never know what an authentication method does.

use bytes::Bytes;

use crate::error::{EncodeError, Fault};
use crate::header::Side;
use crate::property::{AUTHENTICATION_DATA, AUTHENTICATION_METHOD, OF_AUTH, REASON_STRING};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::version::Version;
use crate::writer::{Body, Sink};

/// A step of an authentication. Since MQTT 5.0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// `Success` (from the server), `ContinueAuthentication` or `ReAuthenticate` (from a client).
    pub reason: ReasonCode,
    /// The authentication method, which only a packet that says nothing at all may leave out
    /// (section 3.15.2.1).
    pub method: Option<String>,
    /// What the method has to say.
    pub data: Option<Bytes>,
    /// Why, for people.
    pub reason_string: Option<String>,
    /// User properties: names and values, in order.
    pub user: Vec<(String, String)>,
}

impl Auth {
    pub(crate) fn parse(reader: &mut Reader<'_>, side: Side) -> Result<Auth, Fault> {
        let mut auth = Auth::default();
        let is_empty = reader.is_empty();
        if !is_empty {
            auth.reason = ReasonCode::from_u8(reader.u8()?).ok_or(Fault::Reason)?;
        }
        if !is_reason(auth.reason, Some(side)) {
            return Err(Fault::Reason);
        }
        if is_empty {
            return Ok(auth);
        }
        reader.properties(OF_AUTH, |id, value| {
            match id {
                AUTHENTICATION_METHOD => auth.method = Some(value.string()?),
                AUTHENTICATION_DATA => auth.data = Some(value.binary()?),
                REASON_STRING => auth.reason_string = Some(value.string()?),
                _ => auth.user.push(value.pair()?),
            }
            Ok(())
        })?;
        if auth.method.is_none() {
            return Err(Fault::NoAuthenticationMethod);
        }
        Ok(auth)
    }

    pub(crate) fn check(&self, version: Version) -> Result<(), EncodeError> {
        if version < Version::V5 {
            return Err(EncodeError::NotInVersion);
        }
        if !is_reason(self.reason, None) {
            return Err(EncodeError::Reason);
        }
        if self.method.is_none() && *self != Auth::default() {
            return Err(EncodeError::NoAuthenticationMethod);
        }
        Ok(())
    }
}

impl Body for Auth {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        if *self != Auth::default() {
            sink.u8(self.reason as u8);
            sink.properties(&Properties(self));
        }
    }
}

struct Properties<'a>(&'a Auth);

impl Body for Properties<'_> {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        let Properties(auth) = self;
        sink.string_property(AUTHENTICATION_METHOD, auth.method.as_deref());
        sink.binary_property(AUTHENTICATION_DATA, auth.data.as_deref());
        sink.string_property(REASON_STRING, auth.reason_string.as_deref());
        sink.user_properties(&auth.user);
    }
}

/// Whether the side that listens may be told so; `None` is either (table 3-11).
fn is_reason(reason: ReasonCode, side: Option<Side>) -> bool {
    match reason {
        ReasonCode::Success => side != Some(Side::Server),
        ReasonCode::ContinueAuthentication => true,
        ReasonCode::ReAuthenticate => side != Some(Side::Client),
        _ => false,
    }
}
