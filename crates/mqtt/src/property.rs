//! Properties (section 2.2.2): their identifiers, and which packet may have which. Must never know
//! their values.

pub(crate) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
pub(crate) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
pub(crate) const CORRELATION_DATA: u8 = 0x09;
pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
pub(crate) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
pub(crate) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
pub(crate) const WILL_DELAY_INTERVAL: u8 = 0x18;
pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
pub(crate) const RESPONSE_INFORMATION: u8 = 0x1a;
pub(crate) const SERVER_REFERENCE: u8 = 0x1c;
pub(crate) const REASON_STRING: u8 = 0x1f;
pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(crate) const TOPIC_ALIAS: u8 = 0x23;
pub(crate) const MAXIMUM_QOS: u8 = 0x24;
pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
pub(crate) const USER_PROPERTY: u8 = 0x26;
pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
pub(crate) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
pub(crate) const SUBSCRIPTION_IDENTIFIERS_AVAILABLE: u8 = 0x29;
pub(crate) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2a;

/// Which properties may stand somewhere (table 2-4), a bit each, and which of them more than once.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    once: u64,
    often: u64,
}

/// Those of PUBLISH.
pub(crate) const OF_PUBLISH: Allowed = Allowed {
    once: MESSAGE | bit(TOPIC_ALIAS),
    often: bit(USER_PROPERTY) | bit(SUBSCRIPTION_IDENTIFIER),
};

/// Those of a will.
pub(crate) const OF_WILL: Allowed = allowed(MESSAGE | bit(WILL_DELAY_INTERVAL));

/// Those of CONNECT.
pub(crate) const OF_CONNECT: Allowed =
    allowed(BOTH_SIDES | bit(REQUEST_RESPONSE_INFORMATION) | bit(REQUEST_PROBLEM_INFORMATION));

/// Those of CONNACK.
pub(crate) const OF_CONNACK: Allowed = allowed(
    BOTH_SIDES
        | bit(ASSIGNED_CLIENT_IDENTIFIER)
        | bit(SERVER_KEEP_ALIVE)
        | bit(RESPONSE_INFORMATION)
        | bit(SERVER_REFERENCE)
        | bit(REASON_STRING)
        | bit(MAXIMUM_QOS)
        | bit(RETAIN_AVAILABLE)
        | bit(WILDCARD_SUBSCRIPTION_AVAILABLE)
        | bit(SUBSCRIPTION_IDENTIFIERS_AVAILABLE)
        | bit(SHARED_SUBSCRIPTION_AVAILABLE),
);

/// Those of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
pub(crate) const OF_ACK: Allowed = allowed(bit(REASON_STRING));

/// Those of SUBSCRIBE.
pub(crate) const OF_SUBSCRIBE: Allowed = allowed(bit(SUBSCRIPTION_IDENTIFIER));

/// Those of UNSUBSCRIBE.
pub(crate) const OF_UNSUBSCRIBE: Allowed = allowed(0);

/// Those of DISCONNECT.
pub(crate) const OF_DISCONNECT: Allowed =
    allowed(bit(SESSION_EXPIRY_INTERVAL) | bit(REASON_STRING) | bit(SERVER_REFERENCE));

/// Those of AUTH.
pub(crate) const OF_AUTH: Allowed =
    allowed(bit(AUTHENTICATION_METHOD) | bit(AUTHENTICATION_DATA) | bit(REASON_STRING));

/// What any message has, published or left as a will.
const MESSAGE: u64 = bit(PAYLOAD_FORMAT_INDICATOR)
    | bit(MESSAGE_EXPIRY_INTERVAL)
    | bit(CONTENT_TYPE)
    | bit(RESPONSE_TOPIC)
    | bit(CORRELATION_DATA);

/// What CONNECT and CONNACK have in common.
const BOTH_SIDES: u64 = bit(SESSION_EXPIRY_INTERVAL)
    | bit(RECEIVE_MAXIMUM)
    | bit(MAXIMUM_PACKET_SIZE)
    | bit(TOPIC_ALIAS_MAXIMUM)
    | bit(AUTHENTICATION_METHOD)
    | bit(AUTHENTICATION_DATA);

const fn bit(id: u8) -> u64 {
    1 << id
}

/// These once, and user properties.
const fn allowed(once: u64) -> Allowed {
    Allowed { once, often: bit(USER_PROPERTY) }
}

impl Allowed {
    /// The bit of a property that may stand here.
    pub(crate) fn bit_of(self, id: u32) -> Option<u64> {
        1u64.checked_shl(id).filter(|bit| bit & (self.once | self.often) != 0)
    }

    /// Whether a property may stand here more than once.
    pub(crate) fn is_repeatable(self, bit: u64) -> bool {
        self.often & bit != 0
    }
}
