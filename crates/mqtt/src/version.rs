//! The versions of MQTT. Must never know more of them than what they are called.

use std::fmt;

/// A version of the protocol, in order of age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1 (IBM and Eurotech, 2010): protocol name "MQIsdp", level 3.
    V31,
    /// MQTT 3.1.1 (OASIS, 2014): level 4.
    V311,
    /// MQTT 5.0 (OASIS, 2019): level 5.
    #[default]
    V5,
}

impl Version {
    /// The protocol level, called protocol version in MQTT 5.0 (section 3.1.2.2).
    pub fn level(self) -> u8 {
        match self {
            Version::V31 => 3,
            Version::V311 => 4,
            Version::V5 => 5,
        }
    }

    /// The protocol name in CONNECT (section 3.1.2.1).
    pub fn protocol_name(self) -> &'static str {
        match self {
            Version::V31 => "MQIsdp",
            Version::V311 | Version::V5 => "MQTT",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V31 => "MQTT 3.1",
            Version::V311 => "MQTT 3.1.1",
            Version::V5 => "MQTT 5.0",
        })
    }
}
