//! The decoder: socket bytes in, packets out.
//!
//! Must never hold heap memory between packets, keep more than the limit, or go on after an error.

use std::mem;

use bytes::Bytes;

use crate::ack::Ack;
use crate::auth::Auth;
use crate::connack::ConnAck;
use crate::connect::{Connect, read_protocol, version_of};
use crate::disconnect::Disconnect;
use crate::error::{DecodeError, Fault};
use crate::packet::{Packet, PacketType};
use crate::publish::Publish;
use crate::reader::{Reader, varint};
use crate::suback::SubAck;
use crate::subscribe::{Subscribe, Unsubscribe};
use crate::version::Version;

/// Largest packet that [`Limits::default`] accepts, in bytes: a message of a megabyte, and as much
/// around it as one string may have.
pub const PACKET_BYTES_MAX_DEFAULT: usize = 1024 * 1024 + 64 * 1024;

/// What a decoder accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet, in bytes, fixed header included. A larger one is refused by the length
    /// that announces it. What is decoded may take some ten times as much memory, if a packet is
    /// all user properties or topic filters of one character.
    pub packet_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { packet_bytes_max: PACKET_BYTES_MAX_DEFAULT }
    }
}

/// Takes packets out of what one peer sends. One for each connection; a few words of memory while
/// no packet is cut.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Who listens.
    side: Side,
    stage: Stage,
    version: Option<Version>,
    announced_level: Option<u8>,
    /// What a read cut off. `None` between packets.
    pending: Option<Box<Pending>>,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Neither CONNECT nor CONNACK came yet.
    New,
    Open,
    /// DISCONNECT came: its sender says nothing more (section 3.14.4).
    Ended,
    /// The peer broke the standard: nothing after that can be trusted (section 4.13).
    Failed(DecodeError),
}

/// What has to be kept until the next read: part of a fixed header, or all of it and part of what
/// follows.
#[derive(Debug, Default)]
struct Pending {
    start: [u8; FIXED_HEADER_BYTES_MAX],
    start_len: u8,
    header: Option<FixedHeader>,
    body: Vec<u8>,
}

/// Type, flags and a Remaining Length of at most four bytes (section 2.1.1).
const FIXED_HEADER_BYTES_MAX: usize = 5;

/// A fixed header that was accepted.
#[derive(Clone, Copy, Debug)]
struct FixedHeader {
    kind: PacketType,
    flags: u8,
    /// Bytes that follow it.
    remaining: usize,
    /// Whether the length was written as short as it can be.
    is_minimal: bool,
}

impl Decoder {
    /// A decoder for a server. It learns the version from CONNECT, which has to come first.
    pub fn server(limits: Limits) -> Decoder {
        Decoder::new(Side::Server, None, limits)
    }

    /// A decoder for a client that has sent CONNECT in `version`.
    pub fn client(version: Version, limits: Limits) -> Decoder {
        Decoder::new(Side::Client, Some(version), limits)
    }

    fn new(side: Side, version: Option<Version>, limits: Limits) -> Decoder {
        let stage = Stage::New;
        Decoder { limits, side, stage, version, announced_level: None, pending: None }
    }

    /// Takes the next packet from the front of `input`. Call it until it returns `None`: then all
    /// of `input` is used up, whatever it cut off is kept here, and the buffer behind it is free
    /// for another connection.
    ///
    /// After a DISCONNECT everything is discarded.
    ///
    /// Errors: the peer broke the standard. All packets before that were handed out already, what
    /// was kept is freed, and every later call returns the same error.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, DecodeError> {
        let outcome = match self.stage {
            Stage::New | Stage::Open => self.next_packet(input),
            Stage::Ended => Ok(None),
            Stage::Failed(error) => Err(error),
        };
        match &outcome {
            Ok(Some(Packet::Connect(_) | Packet::ConnAck(_))) => self.stage = Stage::Open,
            Ok(Some(Packet::Disconnect(_))) => self.stage = Stage::Ended,
            Ok(_) => {}
            Err(error) => self.stage = Stage::Failed(*error),
        }
        if matches!(self.stage, Stage::Ended | Stage::Failed(_)) {
            *input = &[];
            self.pending = None;
        }
        outcome
    }

    /// The version that is spoken. For a server it is known once CONNECT named one that there is,
    /// even if the rest of it was refused.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The protocol level that CONNECT announced behind a protocol name of MQTT, also when there
    /// is no such version: the answer to one below 5 has the form of 3.1.1 with return code 1
    /// [MQTT-3.1.2-2 of 3.1.1], to any other that of MQTT 5.0 with 0x84.
    pub fn announced_level(&self) -> Option<u8> {
        self.announced_level
    }

    /// Whether no packet is cut. A connection that ends in this state lost nothing.
    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Bytes of heap held for this connection; none when idle.
    pub fn held_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| size_of::<Pending>() + pending.body.capacity())
    }

    fn next_packet(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, DecodeError> {
        let Some(header) = self.current_header(input)? else { return Ok(None) };
        let kept = self.pending.as_ref().map_or(0, |pending| pending.body.len());
        let count = input.len().min(header.remaining - kept);
        let (bytes, rest) = input.split_at(count);
        *input = rest;
        if count == header.remaining {
            // The common case, with nothing to keep: all that follows the header is there.
            self.pending = None;
            return self.parse(header, &mut Reader::lent(bytes)).map(Some);
        }
        let pending = self.pending.get_or_insert_default();
        pending.push(bytes, header.remaining);
        if pending.body.len() < header.remaining {
            pending.header = Some(header);
            return Ok(None);
        }
        let body = Bytes::from(mem::take(&mut pending.body));
        self.pending = None;
        self.parse(header, &mut Reader::kept(&body)).map(Some)
    }

    /// The header whose packet comes next in the input.
    fn current_header(&mut self, input: &mut &[u8]) -> Result<Option<FixedHeader>, DecodeError> {
        match &self.pending {
            None => {
                let (start, len) = first_bytes(&[], input);
                self.read_header(start, len, 0, input)
            }
            Some(pending) => match pending.header {
                Some(header) => Ok(Some(header)),
                None => {
                    let kept = usize::from(pending.start_len);
                    let (start, len) = first_bytes(&pending.start[..kept], input);
                    self.read_header(start, len, kept, input)
                }
            },
        }
    }

    /// Reads a header from its first `len` bytes, of which all but `kept` are in `input`; or keeps
    /// them all when they are too few.
    fn read_header(
        &mut self,
        start: [u8; FIXED_HEADER_BYTES_MAX],
        len: usize,
        kept: usize,
        input: &mut &[u8],
    ) -> Result<Option<FixedHeader>, DecodeError> {
        let Some((&first, length)) = start[..len].split_first() else { return Ok(None) };
        let kind = self.admit_first(first)?;
        let fail = |fault| DecodeError::new(Some(kind), fault, self.version);
        let Some(length) = varint(length).map_err(fail)? else {
            *input = &[];
            let pending = self.pending.get_or_insert_default();
            pending.start = start;
            pending.start_len = len as u8; // at most five
            return Ok(None);
        };
        let header = FixedHeader {
            kind,
            flags: first & 0x0f,
            remaining: length.value as usize,
            is_minimal: length.is_minimal,
        };
        self.admit(&header, 1 + length.len).map_err(fail)?;
        // What was kept was too short for a header, so the header is longer.
        *input = &input[1 + length.len - kept..];
        Ok(Some(header))
    }

    /// Checks what the first byte alone tells: whether this packet may come from this side now.
    fn admit_first(&self, first: u8) -> Result<PacketType, DecodeError> {
        let kind = PacketType::from_u8(first >> 4);
        let fail = |fault| DecodeError::new(kind, fault, self.version);
        let Some(kind) = kind else { return Err(fail(Fault::ReservedType)) };
        let is_new = matches!(self.stage, Stage::New);
        match (self.side, kind) {
            (Side::Server, PacketType::Connect) if !is_new => {
                return Err(fail(Fault::ConnectedTwice));
            }
            (Side::Server, PacketType::Connect) => return Ok(kind), // flags: once it is known which
            (Side::Server, _) if is_new => return Err(fail(Fault::NotConnected)),
            (Side::Client, PacketType::ConnAck) if !is_new => {
                return Err(fail(Fault::ConnectedTwice));
            }
            (_, PacketType::Auth) if self.version != Some(Version::V5) => {
                return Err(fail(Fault::ReservedType));
            }
            _ => {}
        }
        if !may_hear(self.side, kind, self.version) {
            return Err(fail(Fault::WrongSide));
        }
        let may_be_first = matches!(kind, PacketType::ConnAck | PacketType::Auth);
        if self.side == Side::Client && is_new && !may_be_first {
            return Err(fail(Fault::NotAcknowledged));
        }
        if kind != PacketType::Publish && self.version > Some(Version::V31) {
            check_flags(kind, first & 0x0f).map_err(fail)?;
        }
        Ok(kind)
    }

    /// Checks the length that a header announces.
    fn admit(&self, header: &FixedHeader, header_len: usize) -> Result<(), Fault> {
        if header_len + header.remaining > self.limits.packet_bytes_max {
            return Err(Fault::PacketTooLarge);
        }
        if !header.is_minimal && self.version == Some(Version::V5) {
            return Err(Fault::IntegerNotMinimal);
        }
        // What has no more to say need not be waited for.
        let is_over = match header.kind {
            PacketType::PingReq | PacketType::PingResp => header.remaining > 0,
            PacketType::Disconnect => header.remaining > 0 && self.version < Some(Version::V5),
            _ => false,
        };
        if is_over { Err(Fault::TooLong) } else { Ok(()) }
    }

    fn parse(
        &mut self,
        header: FixedHeader,
        reader: &mut Reader<'_>,
    ) -> Result<Packet, DecodeError> {
        let parsed = match (header.kind, self.version) {
            (PacketType::Connect, _) => self.parse_connect(header, reader),
            (_, Some(version)) => parse(header, reader, version, self.side),
            (_, None) => Err(Fault::NotConnected), // none such was admitted
        };
        let parsed = parsed.and_then(|packet| reader.end().map(|()| packet));
        parsed.map_err(|fault| DecodeError::new(Some(header.kind), fault, self.version))
    }

    fn parse_connect(
        &mut self,
        header: FixedHeader,
        reader: &mut Reader<'_>,
    ) -> Result<Packet, Fault> {
        let (name, level) = read_protocol(reader)?;
        self.announced_level = Some(level);
        let version = version_of(name, level)?;
        self.version = Some(version);
        // MQTT 3.1 does not use the flags here (section 3.1 of MQTT 3.1).
        if version > Version::V31 {
            check_flags(header.kind, header.flags)?;
        }
        if version == Version::V5 && !header.is_minimal {
            return Err(Fault::IntegerNotMinimal);
        }
        Connect::parse(reader, version).map(|connect| Packet::Connect(Box::new(connect)))
    }
}

impl Pending {
    /// Takes more of a body that has `remaining` bytes in all. The buffer at most doubles, and
    /// ends with the body: what was announced need not come.
    fn push(&mut self, bytes: &[u8], remaining: usize) {
        let (len, capacity) = (self.body.len() + bytes.len(), self.body.capacity());
        if len > capacity {
            let capacity = len.max((2 * capacity).min(remaining));
            self.body.reserve_exact(capacity - self.body.len());
        }
        self.body.extend_from_slice(bytes);
    }
}

/// Parses any packet but CONNECT.
fn parse(
    header: FixedHeader,
    reader: &mut Reader<'_>,
    version: Version,
    side: Side,
) -> Result<Packet, Fault> {
    let kind = header.kind;
    Ok(match kind {
        PacketType::Connect => return Err(Fault::WrongSide), // none such was admitted
        PacketType::ConnAck => Packet::ConnAck(Box::new(ConnAck::parse(reader, version)?)),
        PacketType::Publish => {
            Packet::Publish(Publish::parse(reader, header.flags, version, side)?)
        }
        PacketType::PubAck => Packet::PubAck(Ack::parse(reader, kind, version)?),
        PacketType::PubRec => Packet::PubRec(Ack::parse(reader, kind, version)?),
        PacketType::PubRel => Packet::PubRel(Ack::parse(reader, kind, version)?),
        PacketType::PubComp => Packet::PubComp(Ack::parse(reader, kind, version)?),
        PacketType::Subscribe => Packet::Subscribe(Box::new(Subscribe::parse(reader, version)?)),
        PacketType::SubAck => Packet::SubAck(Box::new(SubAck::parse(reader, kind, version)?)),
        PacketType::Unsubscribe => {
            Packet::Unsubscribe(Box::new(Unsubscribe::parse(reader, version)?))
        }
        PacketType::UnsubAck => Packet::UnsubAck(Box::new(SubAck::parse(reader, kind, version)?)),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => {
            Packet::Disconnect(Box::new(Disconnect::parse(reader, version, side)?))
        }
        PacketType::Auth => Packet::Auth(Box::new(Auth::parse(reader, side)?)),
    })
}

/// The bytes that a header may have, from what was kept and from the input, and their number.
fn first_bytes(kept: &[u8], input: &[u8]) -> ([u8; FIXED_HEADER_BYTES_MAX], usize) {
    let mut start = [0; FIXED_HEADER_BYTES_MAX];
    let len = FIXED_HEADER_BYTES_MAX.min(kept.len() + input.len());
    start[..kept.len()].copy_from_slice(kept);
    start[kept.len()..len].copy_from_slice(&input[..len - kept.len()]);
    (start, len)
}

/// Whether such packets come from the other side (table 2-1).
fn may_hear(side: Side, kind: PacketType, version: Option<Version>) -> bool {
    match kind {
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq => side == Side::Server,
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            side == Side::Client
        }
        PacketType::Disconnect => side == Side::Server || version == Some(Version::V5),
        _ => true,
    }
}

/// The flags of any packet but PUBLISH are given (table 2-2). MQTT 3.1 does not use them, or says
/// with them that a packet comes again (section 2.1 of MQTT 3.1).
fn check_flags(kind: PacketType, flags: u8) -> Result<(), Fault> {
    if flags == kind.flags() { Ok(()) } else { Err(Fault::Flags) }
}
