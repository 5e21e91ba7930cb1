//! MQTT 3.1, 3.1.1 and 5.0 as a pure codec, for a server and for a client.
//!
//! Must never do I/O, read a clock, draw random numbers, hold heap memory for a connection that
//! has no cut packet, or reserve memory for what was only announced.
//!
//! Reading: [`Decoder`] takes whole [`Packet`]s out of what the socket gave and checks everything
//! that one packet alone can show to be wrong. What needs memory of other packets (packet
//! identifiers in use, topic aliases, quotas) is for whoever keeps that memory.
//!
//! ```
//! use tidings_mqtt_codec::{Decoder, Limits, Packet, Version};
//!
//! let mut decoder = Decoder::server(Limits::default());
//! let mut input = &b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a\xc0\0"[..];
//! let Some(Packet::Connect(connect)) = decoder.decode(&mut input)? else { panic!() };
//! assert_eq!((connect.version, connect.client_id.as_str()), (Version::V311, "a"));
//! assert_eq!(decoder.decode(&mut input)?, Some(Packet::PingReq));
//! assert_eq!(decoder.decode(&mut input)?, None);
//! assert!(decoder.is_idle());
//! # Ok::<(), tidings_mqtt_codec::DecodeError>(())
//! ```
//!
//! Writing: [`Packet::encode`] appends a packet to a buffer, or nothing when the other side would
//! have to refuse it. [`Publish::encode_head`] leaves the payload out, so that a server can send
//! one shared payload to many sockets, and says where the packet identifier stands, so that one
//! head serves many subscribers, too.
//!
//! What a version does not have is left out when a packet is written in it: properties and most
//! reason codes on 3.1 and 3.1.1. Sections named without a version are those of MQTT 5.0.

mod ack;
mod auth;
mod connack;
mod connect;
mod decoder;
mod disconnect;
mod error;
mod header;
mod packet;
mod property;
mod publish;
mod qos;
mod reader;
mod reason;
mod statement;
mod suback;
mod subscribe;
pub mod topic;
mod version;
mod will;
mod writer;

pub use ack::{Ack, AckProperties};
pub use auth::Auth;
pub use connack::{ConnAck, ConnAckProperties};
pub use connect::{Connect, ConnectProperties};
pub use decoder::{Decoder, Limits, PACKET_BYTES_MAX_DEFAULT};
pub use disconnect::Disconnect;
pub use error::{DecodeError, EncodeError, Fault};
pub use packet::{Packet, PacketType};
pub use publish::{Publish, PublishProperties};
pub use qos::QoS;
pub use reason::ReasonCode;
pub use suback::SubAck;
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter, Unsubscribe};
pub use version::Version;
pub use will::Will;

/// Names an exchange between one client and the server until it is done (section 2.2.1). Never 0.
pub type PacketId = std::num::NonZeroU16;

/// Largest string or binary field, in bytes: its length is two bytes (sections 1.5.4 and 1.5.6).
pub const FIELD_BYTES_MAX: usize = 65_535;

/// Largest Remaining Length and other variable byte integer (section 1.5.5).
pub const VARINT_MAX: u32 = 268_435_455;
