//! Reason codes (section 2.4). Must never know what led to one.

use std::fmt;

use crate::qos::QoS;

/// How an operation ended (section 2.4): below 0x80 well, from there on badly. As `u8` it is what
/// stands on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ReasonCode {
    /// It was done. Also Normal disconnection in DISCONNECT and Granted QoS 0 in SUBACK.
    #[default]
    Success = 0x00,
    /// The subscription was accepted, up to QoS 1.
    GrantedQos1 = 0x01,
    /// The subscription was accepted, up to QoS 2.
    GrantedQos2 = 0x02,
    /// The client goes and wants its will published all the same.
    DisconnectWithWillMessage = 0x04,
    /// The message was accepted, but nobody is subscribed.
    NoMatchingSubscribers = 0x10,
    /// There was nothing to unsubscribe from.
    NoSubscriptionExisted = 0x11,
    /// Another step of the authentication follows.
    ContinueAuthentication = 0x18,
    /// The client begins to authenticate itself again.
    ReAuthenticate = 0x19,
    /// A failure that nobody wants to explain; the only one SUBACK has on 3.1.1.
    UnspecifiedError = 0x80,
    /// A packet could not be parsed.
    MalformedPacket = 0x81,
    /// A packet came at the wrong moment or holds what it must not.
    ProtocolError = 0x82,
    /// A valid packet that this receiver does not accept.
    ImplementationSpecificError = 0x83,
    /// The server does not speak the version asked for.
    UnsupportedProtocolVersion = 0x84,
    /// The client identifier is not allowed.
    ClientIdentifierNotValid = 0x85,
    /// The server does not accept these credentials.
    BadUserNameOrPassword = 0x86,
    /// It is not allowed.
    NotAuthorized = 0x87,
    /// The server is not available.
    ServerUnavailable = 0x88,
    /// The server is busy; try again later.
    ServerBusy = 0x89,
    /// The client was banned by an administrator.
    Banned = 0x8a,
    /// The server is about to end.
    ServerShuttingDown = 0x8b,
    /// The authentication method is not supported, or not the one in use.
    BadAuthenticationMethod = 0x8c,
    /// Nothing came for one and a half times the keep alive.
    KeepAliveTimeout = 0x8d,
    /// Another connection uses the same client identifier.
    SessionTakenOver = 0x8e,
    /// The topic filter is not accepted.
    TopicFilterInvalid = 0x8f,
    /// The topic name is not accepted.
    TopicNameInvalid = 0x90,
    /// The packet identifier is in use.
    PacketIdentifierInUse = 0x91,
    /// The packet identifier is not known.
    PacketIdentifierNotFound = 0x92,
    /// More messages are unacknowledged than the receive maximum.
    ReceiveMaximumExceeded = 0x93,
    /// The topic alias is 0 or above the topic alias maximum.
    TopicAliasInvalid = 0x94,
    /// The packet is larger than the receiver accepts.
    PacketTooLarge = 0x95,
    /// Messages come too fast.
    MessageRateTooHigh = 0x96,
    /// A quota or limit was exceeded.
    QuotaExceeded = 0x97,
    /// An administrator ended the connection.
    AdministrativeAction = 0x98,
    /// The payload is not what its format indicator says.
    PayloadFormatInvalid = 0x99,
    /// The server keeps no retained messages.
    RetainNotSupported = 0x9a,
    /// The QoS is above the server's maximum.
    QosNotSupported = 0x9b,
    /// The client should go to another server for now.
    UseAnotherServer = 0x9c,
    /// The client should go to another server for good.
    ServerMoved = 0x9d,
    /// The server has no shared subscriptions.
    SharedSubscriptionsNotSupported = 0x9e,
    /// Connections are opened too fast.
    ConnectionRateExceeded = 0x9f,
    /// The connection lasted as long as it may.
    MaximumConnectTime = 0xa0,
    /// The server has no subscription identifiers.
    SubscriptionIdentifiersNotSupported = 0xa1,
    /// The server has no subscriptions with wildcards.
    WildcardSubscriptionsNotSupported = 0xa2,
}

/// Every code, in order.
const ALL: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::GrantedQos1,
    ReasonCode::GrantedQos2,
    ReasonCode::DisconnectWithWillMessage,
    ReasonCode::NoMatchingSubscribers,
    ReasonCode::NoSubscriptionExisted,
    ReasonCode::ContinueAuthentication,
    ReasonCode::ReAuthenticate,
    ReasonCode::UnspecifiedError,
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ImplementationSpecificError,
    ReasonCode::UnsupportedProtocolVersion,
    ReasonCode::ClientIdentifierNotValid,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::NotAuthorized,
    ReasonCode::ServerUnavailable,
    ReasonCode::ServerBusy,
    ReasonCode::Banned,
    ReasonCode::ServerShuttingDown,
    ReasonCode::BadAuthenticationMethod,
    ReasonCode::KeepAliveTimeout,
    ReasonCode::SessionTakenOver,
    ReasonCode::TopicFilterInvalid,
    ReasonCode::TopicNameInvalid,
    ReasonCode::PacketIdentifierInUse,
    ReasonCode::PacketIdentifierNotFound,
    ReasonCode::ReceiveMaximumExceeded,
    ReasonCode::TopicAliasInvalid,
    ReasonCode::PacketTooLarge,
    ReasonCode::MessageRateTooHigh,
    ReasonCode::QuotaExceeded,
    ReasonCode::AdministrativeAction,
    ReasonCode::PayloadFormatInvalid,
    ReasonCode::RetainNotSupported,
    ReasonCode::QosNotSupported,
    ReasonCode::UseAnotherServer,
    ReasonCode::ServerMoved,
    ReasonCode::SharedSubscriptionsNotSupported,
    ReasonCode::ConnectionRateExceeded,
    ReasonCode::MaximumConnectTime,
    ReasonCode::SubscriptionIdentifiersNotSupported,
    ReasonCode::WildcardSubscriptionsNotSupported,
];

impl ReasonCode {
    /// What [`Success`](ReasonCode::Success) is called in DISCONNECT.
    pub const NORMAL_DISCONNECTION: ReasonCode = ReasonCode::Success;

    /// What [`Success`](ReasonCode::Success) is called in SUBACK.
    pub const GRANTED_QOS_0: ReasonCode = ReasonCode::Success;

    /// From its number; `None` for one that the standard does not have.
    pub fn from_u8(number: u8) -> Option<ReasonCode> {
        ALL.binary_search_by_key(&number, |code| *code as u8).ok().map(|at| ALL[at])
    }

    /// The answer to a subscription that was accepted up to `qos`.
    pub fn granted(qos: QoS) -> ReasonCode {
        match qos {
            QoS::AtMostOnce => ReasonCode::GRANTED_QOS_0,
            QoS::AtLeastOnce => ReasonCode::GrantedQos1,
            QoS::ExactlyOnce => ReasonCode::GrantedQos2,
        }
    }

    /// Whether it says that something failed.
    pub fn is_error(self) -> bool {
        self as u8 >= 0x80
    }
}

impl From<ReasonCode> for u8 {
    fn from(code: ReasonCode) -> u8 {
        code as u8
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(words(*self))
    }
}

/// The name that the standard gives it.
fn words(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::Success => "Success",
        ReasonCode::GrantedQos1 => "Granted QoS 1",
        ReasonCode::GrantedQos2 => "Granted QoS 2",
        ReasonCode::DisconnectWithWillMessage => "Disconnect with Will Message",
        ReasonCode::NoMatchingSubscribers => "No matching subscribers",
        ReasonCode::NoSubscriptionExisted => "No subscription existed",
        ReasonCode::ContinueAuthentication => "Continue authentication",
        ReasonCode::ReAuthenticate => "Re-authenticate",
        ReasonCode::UnspecifiedError => "Unspecified error",
        ReasonCode::MalformedPacket => "Malformed Packet",
        ReasonCode::ProtocolError => "Protocol Error",
        ReasonCode::ImplementationSpecificError => "Implementation specific error",
        ReasonCode::UnsupportedProtocolVersion => "Unsupported Protocol Version",
        ReasonCode::ClientIdentifierNotValid => "Client Identifier not valid",
        ReasonCode::BadUserNameOrPassword => "Bad User Name or Password",
        ReasonCode::NotAuthorized => "Not authorized",
        ReasonCode::ServerUnavailable => "Server unavailable",
        ReasonCode::ServerBusy => "Server busy",
        ReasonCode::Banned => "Banned",
        ReasonCode::ServerShuttingDown => "Server shutting down",
        ReasonCode::BadAuthenticationMethod => "Bad authentication method",
        ReasonCode::KeepAliveTimeout => "Keep Alive timeout",
        ReasonCode::SessionTakenOver => "Session taken over",
        ReasonCode::TopicFilterInvalid => "Topic Filter invalid",
        ReasonCode::TopicNameInvalid => "Topic Name invalid",
        ReasonCode::PacketIdentifierInUse => "Packet Identifier in use",
        ReasonCode::PacketIdentifierNotFound => "Packet Identifier not found",
        ReasonCode::ReceiveMaximumExceeded => "Receive Maximum exceeded",
        ReasonCode::TopicAliasInvalid => "Topic Alias invalid",
        ReasonCode::PacketTooLarge => "Packet too large",
        ReasonCode::MessageRateTooHigh => "Message rate too high",
        ReasonCode::QuotaExceeded => "Quota exceeded",
        ReasonCode::AdministrativeAction => "Administrative action",
        ReasonCode::PayloadFormatInvalid => "Payload format invalid",
        ReasonCode::RetainNotSupported => "Retain not supported",
        ReasonCode::QosNotSupported => "QoS not supported",
        ReasonCode::UseAnotherServer => "Use another server",
        ReasonCode::ServerMoved => "Server moved",
        ReasonCode::SharedSubscriptionsNotSupported => "Shared Subscriptions not supported",
        ReasonCode::ConnectionRateExceeded => "Connection rate exceeded",
        ReasonCode::MaximumConnectTime => "Maximum connect time",
        ReasonCode::SubscriptionIdentifiersNotSupported => "Subscription Identifiers not supported",
        ReasonCode::WildcardSubscriptionsNotSupported => "Wildcard Subscriptions not supported",
    }
}
