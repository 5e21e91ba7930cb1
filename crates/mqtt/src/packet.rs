//! The fifteen kinds of packet. Must never know what is inside one.

use std::fmt;

use crate::ack::Ack;
use crate::auth::Auth;
use crate::connack::ConnAck;
use crate::connect::Connect;
use crate::disconnect::Disconnect;
use crate::error::EncodeError;
use crate::publish::Publish;
use crate::suback::SubAck;
use crate::subscribe::{Subscribe, Unsubscribe};
use crate::version::Version;
use crate::writer::write_packet;

/// A packet (chapter 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A client asks for a session (section 3.1).
    Connect(Box<Connect>),
    /// The server's answer to CONNECT (section 3.2).
    ConnAck(Box<ConnAck>),
    /// A message (section 3.3).
    Publish(Publish),
    /// The answer to a message of QoS 1 (section 3.4).
    PubAck(Ack),
    /// The first answer to a message of QoS 2 (section 3.5).
    PubRec(Ack),
    /// The answer to PUBREC (section 3.6).
    PubRel(Ack),
    /// The answer to PUBREL (section 3.7).
    PubComp(Ack),
    /// A client asks for subscriptions (section 3.8).
    Subscribe(Box<Subscribe>),
    /// The server's answer to SUBSCRIBE (section 3.9).
    SubAck(Box<SubAck>),
    /// A client gives subscriptions up (section 3.10).
    Unsubscribe(Box<Unsubscribe>),
    /// The server's answer to UNSUBSCRIBE (section 3.11).
    UnsubAck(Box<SubAck>),
    /// A client asks whether anybody is there (section 3.12).
    PingReq,
    /// The server's answer to PINGREQ (section 3.13).
    PingResp,
    /// The last packet of a connection (section 3.14). On 3.1 and 3.1.1 only a client sends it.
    Disconnect(Box<Disconnect>),
    /// A step of an authentication (section 3.15). Since MQTT 5.0.
    Auth(Box<Auth>),
}

/// The kind of a packet (section 2.1.2). As `u8` it is what stands in the first four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// CONNECT.
    Connect = 1,
    /// CONNACK.
    ConnAck = 2,
    /// PUBLISH.
    Publish = 3,
    /// PUBACK.
    PubAck = 4,
    /// PUBREC.
    PubRec = 5,
    /// PUBREL.
    PubRel = 6,
    /// PUBCOMP.
    PubComp = 7,
    /// SUBSCRIBE.
    Subscribe = 8,
    /// SUBACK.
    SubAck = 9,
    /// UNSUBSCRIBE.
    Unsubscribe = 10,
    /// UNSUBACK.
    UnsubAck = 11,
    /// PINGREQ.
    PingReq = 12,
    /// PINGRESP.
    PingResp = 13,
    /// DISCONNECT.
    Disconnect = 14,
    /// AUTH.
    Auth = 15,
}

impl Packet {
    /// Which of the fifteen it is.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Packet::Connect(_) => PacketType::Connect,
            Packet::ConnAck(_) => PacketType::ConnAck,
            Packet::Publish(_) => PacketType::Publish,
            Packet::PubAck(_) => PacketType::PubAck,
            Packet::PubRec(_) => PacketType::PubRec,
            Packet::PubRel(_) => PacketType::PubRel,
            Packet::PubComp(_) => PacketType::PubComp,
            Packet::Subscribe(_) => PacketType::Subscribe,
            Packet::SubAck(_) => PacketType::SubAck,
            Packet::Unsubscribe(_) => PacketType::Unsubscribe,
            Packet::UnsubAck(_) => PacketType::UnsubAck,
            Packet::PingReq => PacketType::PingReq,
            Packet::PingResp => PacketType::PingResp,
            Packet::Disconnect(_) => PacketType::Disconnect,
            Packet::Auth(_) => PacketType::Auth,
        }
    }

    /// Appends the packet to `out`, in `version`. Properties and reason codes that the version
    /// does not have are left out.
    ///
    /// Errors: the other side would have to refuse it, or the version cannot say it. Then `out`
    /// is as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let kind = self.packet_type();
        match self {
            Packet::Connect(packet) => {
                packet.check(version)?;
                write_packet(kind, &**packet, version, out)
            }
            Packet::ConnAck(packet) => {
                packet.check(version)?;
                write_packet(kind, &**packet, version, out)
            }
            Packet::Publish(packet) => packet.encode(version, out).map(|_| ()),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => {
                ack.check(kind, version)?;
                write_packet(kind, ack, version, out)
            }
            Packet::Subscribe(packet) => {
                packet.check(version)?;
                write_packet(kind, &**packet, version, out)
            }
            Packet::Unsubscribe(packet) => {
                packet.check(version)?;
                write_packet(kind, &**packet, version, out)
            }
            Packet::SubAck(packet) => packet.encode(kind, version, out),
            Packet::UnsubAck(packet) => packet.encode(kind, version, out),
            Packet::PingReq | Packet::PingResp => {
                out.extend_from_slice(&[kind.first_byte(), 0]);
                Ok(())
            }
            Packet::Disconnect(packet) => {
                packet.check(version)?;
                write_packet(kind, &**packet, version, out)
            }
            Packet::Auth(packet) => {
                packet.check(version)?;
                write_packet(kind, &**packet, version, out)
            }
        }
    }
}

impl PacketType {
    /// From its number; `None` for 0, which is reserved, and above 15.
    pub fn from_u8(number: u8) -> Option<PacketType> {
        Some(match number {
            1 => PacketType::Connect,
            2 => PacketType::ConnAck,
            3 => PacketType::Publish,
            4 => PacketType::PubAck,
            5 => PacketType::PubRec,
            6 => PacketType::PubRel,
            7 => PacketType::PubComp,
            8 => PacketType::Subscribe,
            9 => PacketType::SubAck,
            10 => PacketType::Unsubscribe,
            11 => PacketType::UnsubAck,
            12 => PacketType::PingReq,
            13 => PacketType::PingResp,
            14 => PacketType::Disconnect,
            15 => PacketType::Auth,
            _ => return None,
        })
    }

    /// What the flags in the first byte have to be, in any packet but PUBLISH (section 2.1.3).
    pub(crate) fn flags(self) -> u8 {
        match self {
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
            _ => 0,
        }
    }

    /// The first byte of any packet but PUBLISH.
    pub(crate) fn first_byte(self) -> u8 {
        (self as u8) << 4 | self.flags()
    }

    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            PacketType::Connect => "CONNECT",
            PacketType::ConnAck => "CONNACK",
            PacketType::Publish => "PUBLISH",
            PacketType::PubAck => "PUBACK",
            PacketType::PubRec => "PUBREC",
            PacketType::PubRel => "PUBREL",
            PacketType::PubComp => "PUBCOMP",
            PacketType::Subscribe => "SUBSCRIBE",
            PacketType::SubAck => "SUBACK",
            PacketType::Unsubscribe => "UNSUBSCRIBE",
            PacketType::UnsubAck => "UNSUBACK",
            PacketType::PingReq => "PINGREQ",
            PacketType::PingResp => "PINGRESP",
            PacketType::Disconnect => "DISCONNECT",
            PacketType::Auth => "AUTH",
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
