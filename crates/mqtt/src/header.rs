//! The fixed header (section 2.1.1), and what it alone tells. Must never look at what follows it.

use crate::error::Fault;
use crate::packet::PacketType;
use crate::reader::varint;
use crate::version::Version;

/// Type, flags and a Remaining Length of at most four bytes.
const FIXED_HEADER_BYTES_MAX: usize = 5;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// A fixed header that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FixedHeader {
    pub(crate) kind: PacketType,
    pub(crate) flags: u8,
    /// Bytes that follow it.
    pub(crate) remaining: usize,
    /// Whether the length was written as short as it can be.
    pub(crate) is_minimal: bool,
    /// Bytes it has itself.
    pub(crate) len: usize,
}

/// The first bytes of a packet, as many as a fixed header may have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    bytes: [u8; FIXED_HEADER_BYTES_MAX],
    len: u8,
}

impl Start {
    /// What it becomes with more input.
    pub(crate) fn with(mut self, input: &[u8]) -> Start {
        let len = self.len();
        let count = input.len().min(FIXED_HEADER_BYTES_MAX - len);
        self.bytes[len..len + count].copy_from_slice(&input[..count]);
        self.len += count as u8; // at most five in all
        self
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }
}

impl FixedHeader {
    /// Reads it from the front of `bytes`, or returns `None` when it goes on behind them. Its
    /// first byte was looked at already.
    pub(crate) fn read(kind: PacketType, bytes: &[u8]) -> Result<Option<FixedHeader>, Fault> {
        let Some((first, length)) = bytes.split_first() else { return Ok(None) };
        Ok(varint(length)?.map(|length| FixedHeader {
            kind,
            flags: first & 0x0f,
            remaining: length.value as usize,
            is_minimal: length.is_minimal,
            len: 1 + length.len,
        }))
    }

    /// Checks the length that it announces.
    pub(crate) fn check_length(
        &self,
        version: Option<Version>,
        packet_bytes_max: usize,
    ) -> Result<(), Fault> {
        if self.len + self.remaining > packet_bytes_max {
            return Err(Fault::PacketTooLarge);
        }
        if !self.is_minimal && version == Some(Version::V5) {
            return Err(Fault::IntegerNotMinimal);
        }
        // What has no more to say need not be waited for.
        let is_over = match self.kind {
            PacketType::PingReq | PacketType::PingResp => self.remaining > 0,
            PacketType::Disconnect => self.remaining > 0 && version < Some(Version::V5),
            _ => false,
        };
        if is_over { Err(Fault::TooLong) } else { Ok(()) }
    }
}

/// Checks whether such packets come from the other side (table 2-1).
pub(crate) fn check_side(
    side: Side,
    kind: PacketType,
    version: Option<Version>,
) -> Result<(), Fault> {
    let may_hear = match kind {
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq => side == Side::Server,
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            side == Side::Client
        }
        PacketType::Disconnect => side == Side::Server || version == Some(Version::V5),
        PacketType::Publish
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubRel
        | PacketType::PubComp
        | PacketType::Auth => true,
    };
    if may_hear { Ok(()) } else { Err(Fault::WrongSide) }
}

/// The flags of any packet but PUBLISH are given (table 2-2). MQTT 3.1 does not use them, or says
/// with them that a packet comes again (section 2.1 of MQTT 3.1).
pub(crate) fn check_flags(
    kind: PacketType,
    flags: u8,
    version: Option<Version>,
) -> Result<(), Fault> {
    let is_used = kind != PacketType::Publish && version > Some(Version::V31);
    if is_used && flags != kind.flags() { Err(Fault::Flags) } else { Ok(()) }
}
