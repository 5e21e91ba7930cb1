//! What can be wrong with a packet, read or to be written. Must never hold anything the peer sent
//! beyond a number: these texts end up in logs.

use crate::packet::PacketType;
use crate::reason::ReasonCode;
use crate::statement::statement;
use crate::topic::TopicError;
use crate::version::Version;

/// The peer broke the standard. The connection cannot go on: where the version has it, say
/// [`reason`](DecodeError::reason) in CONNACK or DISCONNECT, and close it (section 4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {fault} [{}]", self.subject(), statement(*fault, *packet, *version))]
pub struct DecodeError {
    packet: Option<PacketType>,
    fault: Fault,
    version: Option<Version>,
}

impl DecodeError {
    pub(crate) fn new(
        packet: Option<PacketType>,
        fault: Fault,
        version: Option<Version>,
    ) -> DecodeError {
        DecodeError { packet, fault, version }
    }

    /// What to tell the peer (section 2.4).
    pub fn reason(&self) -> ReasonCode {
        match (self.fault, self.packet) {
            // Section 3.8.3.1, unlike in PUBLISH and CONNECT.
            (Fault::Qos3, Some(PacketType::Subscribe)) => ReasonCode::ProtocolError,
            (fault, _) => fault.reason(),
        }
    }

    /// In which packet; `None` when it is of no known type.
    pub fn packet(&self) -> Option<PacketType> {
        self.packet
    }

    /// What is wrong.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    fn subject(&self) -> &'static str {
        self.packet.map_or("packet", PacketType::name)
    }
}

/// What is wrong with a packet that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Its type is 0, or 15 before MQTT 5.0.
    #[error("of a reserved type")]
    ReservedType,
    /// Only the other side sends such packets.
    #[error("from the wrong side")]
    WrongSide,
    /// A client sent it before CONNECT.
    #[error("before CONNECT")]
    NotConnected,
    /// The server sent it before CONNACK.
    #[error("before CONNACK")]
    NotAcknowledged,
    /// A second CONNECT or CONNACK.
    #[error("for the second time")]
    ConnectedTwice,
    /// The flags in the first byte are not what they have to be.
    #[error("with reserved flags")]
    Flags,
    /// A variable byte integer has more than four bytes.
    #[error("with an integer of more than four bytes")]
    IntegerTooLong,
    /// A variable byte integer has more bytes than it needs.
    #[error("with an integer longer than needed")]
    IntegerNotMinimal,
    /// It is larger than the limit.
    #[error("larger than the limit")]
    PacketTooLarge,
    /// It ends inside a field.
    #[error("that ends too early")]
    TooShort,
    /// Something follows its last field.
    #[error("with bytes after its end")]
    TooLong,
    /// A string is not UTF-8.
    #[error("with a string that is not UTF-8")]
    NotUtf8,
    /// A string has U+0000.
    #[error("with U+0000 in a string")]
    NullCharacter,
    /// A property is not known, or not one of this packet.
    #[error("with a property it cannot have")]
    PropertyMisplaced,
    /// A property is there twice.
    #[error("with the same property twice")]
    PropertyTwice,
    /// A property has a value it must not have.
    #[error("with a property out of range")]
    PropertyValue,
    /// A topic alias of 0.
    #[error("with a topic alias of 0")]
    TopicAliasZero,
    /// The protocol name is neither "MQTT" nor "MQIsdp".
    #[error("with another protocol's name")]
    ProtocolName,
    /// The protocol level is not 3, 4 or 5, or not one of the protocol name.
    #[error("with an unsupported protocol version")]
    ProtocolLevel,
    /// The reserved bit of the connect flags is set.
    #[error("with a reserved connect flag")]
    ConnectFlag,
    /// Will QoS without Will Flag.
    #[error("with a QoS for a will that is not there")]
    WillQosAlone,
    /// Will Retain without Will Flag.
    #[error("that retains a will that is not there")]
    WillRetainAlone,
    /// A will topic with wildcards, or empty.
    #[error("with an invalid will topic")]
    WillTopic,
    /// Password Flag without User Name Flag, before MQTT 5.0.
    #[error("with a password but no user name")]
    PasswordAlone,
    /// An empty client identifier where there has to be one.
    #[error("without a client identifier")]
    NoClientId,
    /// Authentication data without a method.
    #[error("with authentication data but no authentication method")]
    AuthenticationDataAlone,
    /// AUTH without an authentication method.
    #[error("without an authentication method")]
    NoAuthenticationMethod,
    /// Reserved bits in the Connect Acknowledge Flags.
    #[error("with reserved acknowledge flags")]
    AcknowledgeFlags,
    /// Session Present in a refusal.
    #[error("that refuses, and says that the session is present")]
    SessionPresent,
    /// QoS 3.
    #[error("of QoS 3")]
    Qos3,
    /// DUP at QoS 0.
    #[error("of QoS 0 that says it comes again")]
    DupAtQos0,
    /// Packet identifier 0.
    #[error("with packet identifier 0")]
    PacketIdZero,
    /// A wildcard in a topic name.
    #[error("with a wildcard in the topic name")]
    TopicWildcard,
    /// Neither a topic name nor, since MQTT 5.0, a topic alias.
    #[error("without a topic")]
    NoTopic,
    /// A response topic that is no topic name.
    #[error("with an invalid response topic")]
    ResponseTopic,
    /// A subscription identifier from a client.
    #[error("with a subscription identifier, from a client")]
    SubscriptionIdFromClient,
    /// No topic filter.
    #[error("without a topic filter")]
    NoFilter,
    /// A topic filter that is none.
    #[error("with an invalid topic filter: it {0}")]
    Filter(TopicError),
    /// Reserved subscription options.
    #[error("with reserved subscription options")]
    SubscriptionOptions,
    /// Retain Handling 3.
    #[error("with retain handling 3")]
    RetainHandling3,
    /// No Local on a shared subscription.
    #[error("with no local on a shared subscription")]
    NoLocalShared,
    /// An acknowledgement without reason codes.
    #[error("without a reason code")]
    NoReason,
    /// A reason code that is none, or none of this packet from this side.
    #[error("with a reason code it cannot have")]
    Reason,
    /// A session expiry from the server.
    #[error("with a session expiry, from the server")]
    SessionExpiryFromServer,
}

impl Fault {
    /// What to tell the peer. Which of Malformed Packet and Protocol Error it is follows the
    /// standard where it says so, and elsewhere its definition of the words (section 1.2):
    /// malformed is what cannot be parsed.
    fn reason(self) -> ReasonCode {
        match self {
            Fault::ReservedType
            | Fault::Flags
            | Fault::IntegerTooLong
            | Fault::IntegerNotMinimal
            | Fault::TooShort
            | Fault::TooLong
            | Fault::NotUtf8
            | Fault::NullCharacter
            | Fault::PropertyMisplaced
            | Fault::ConnectFlag
            | Fault::AcknowledgeFlags
            | Fault::WillQosAlone
            | Fault::WillRetainAlone
            | Fault::Qos3
            | Fault::SubscriptionOptions => ReasonCode::MalformedPacket,
            Fault::WrongSide
            | Fault::NotConnected
            | Fault::NotAcknowledged
            | Fault::ConnectedTwice
            | Fault::PropertyTwice
            | Fault::PropertyValue
            | Fault::PasswordAlone
            | Fault::AuthenticationDataAlone
            | Fault::NoAuthenticationMethod
            | Fault::SessionPresent
            | Fault::DupAtQos0
            | Fault::PacketIdZero
            | Fault::NoTopic
            | Fault::ResponseTopic
            | Fault::SubscriptionIdFromClient
            | Fault::NoFilter
            | Fault::RetainHandling3
            | Fault::NoLocalShared
            | Fault::NoReason
            | Fault::Reason
            | Fault::SessionExpiryFromServer => ReasonCode::ProtocolError,
            Fault::PacketTooLarge => ReasonCode::PacketTooLarge,
            Fault::TopicAliasZero => ReasonCode::TopicAliasInvalid,
            Fault::ProtocolName | Fault::ProtocolLevel => ReasonCode::UnsupportedProtocolVersion,
            Fault::NoClientId => ReasonCode::ClientIdentifierNotValid,
            Fault::TopicWildcard | Fault::WillTopic => ReasonCode::TopicNameInvalid,
            Fault::Filter(_) => ReasonCode::TopicFilterInvalid,
        }
    }
}

/// Why a packet cannot be written. What was written before is not touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A string or binary field has more than 65,535 bytes.
    #[error("a field is longer than 65,535 bytes [MQTT-4.7.3-3]")]
    FieldTooLong,
    /// The packet is longer than a Remaining Length can say.
    #[error("the packet is longer than 268,435,455 bytes")]
    PacketTooLong,
    /// A string has U+0000.
    #[error("a string contains U+0000 [MQTT-1.5.4-2]")]
    NullCharacter,
    /// The version has no such packet, or CONNECT is of another version.
    #[error("the packet does not exist in this version of MQTT")]
    NotInVersion,
    /// The version has no code for this reason. A server says nothing then and closes the
    /// connection [MQTT-3.2.2-6 of 3.1.1].
    #[error("this version of MQTT has no code for the reason")]
    NoReturnCode,
    /// The packet cannot have this reason code.
    #[error("the packet cannot have this reason code")]
    Reason,
    /// There are no reason codes.
    #[error("the acknowledgement has no reason code")]
    NoReason,
    /// A topic name or a topic filter is none.
    #[error("a topic {0}")]
    Topic(#[from] TopicError),
    /// There are no topic filters.
    #[error("the packet has no topic filter [MQTT-3.8.3-2]")]
    NoFilter,
    /// No Local on a shared subscription.
    #[error("a shared subscription is no local [MQTT-3.8.3-4]")]
    NoLocalShared,
    /// QoS 1 or 2 without a packet identifier, or QoS 0 with one.
    #[error("the packet identifier does not go with the QoS [MQTT-2.2.1-2]")]
    PacketId,
    /// DUP at QoS 0.
    #[error("a message of QoS 0 cannot come again [MQTT-3.3.1-2]")]
    DupAtQos0,
    /// A subscription identifier of 0, or above 268,435,455.
    #[error("a subscription identifier is out of range")]
    SubscriptionId,
    /// A property that a will cannot have: topic alias, subscription identifier.
    #[error("a will cannot have this property")]
    PropertyOfWill,
    /// A password without a user name, before MQTT 5.0.
    #[error("a password without a user name [MQTT-3.1.2-22]")]
    PasswordAlone,
    /// An empty client identifier where there has to be one.
    #[error("the client identifier is empty [MQTT-3.1.3-8]")]
    NoClientId,
    /// Authentication data without a method, or AUTH without one.
    #[error("the authentication method is missing")]
    NoAuthenticationMethod,
    /// Session Present in a refusal.
    #[error("a refusal says that the session is present [MQTT-3.2.2-6]")]
    SessionPresent,
}
