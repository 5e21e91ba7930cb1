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
use crate::header::{FixedHeader, Side, Start, check_flags, check_side};
use crate::packet::{Packet, PacketType};
use crate::publish::Publish;
use crate::reader::Reader;
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
    start: Start,
    header: Option<FixedHeader>,
    body: Vec<u8>,
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
        let body;
        let mut reader = if count == header.remaining {
            // The common case, with nothing to keep: all that follows the header is there.
            Reader::lent(bytes)
        } else {
            let pending = self.pending.get_or_insert_default();
            pending.push(bytes, header.remaining);
            if pending.body.len() < header.remaining {
                pending.header = Some(header);
                return Ok(None);
            }
            body = Bytes::from(mem::take(&mut pending.body));
            Reader::kept(&body)
        };
        self.pending = None;
        match self.parse(header, &mut reader) {
            Ok(packet) => Ok(Some(packet)),
            Err(fault) => Err(DecodeError::new(Some(header.kind), fault, self.version)),
        }
    }

    /// The header whose packet comes next in the input. What there is of it is kept when it is
    /// not whole.
    fn current_header(&mut self, input: &mut &[u8]) -> Result<Option<FixedHeader>, DecodeError> {
        let kept = match &self.pending {
            None => Start::default(),
            Some(pending) => match pending.header {
                Some(header) => return Ok(Some(header)),
                None => pending.start,
            },
        };
        let joined;
        let bytes = if kept.len() == 0 {
            *input
        } else {
            joined = kept.with(input);
            joined.as_slice()
        };
        let Some(&first) = bytes.first() else { return Ok(None) };
        let kind = PacketType::from_u8(first >> 4);
        let fail = |fault| DecodeError::new(kind, fault, self.version);
        let kind = kind.ok_or(fail(Fault::ReservedType))?;
        self.admit(kind, first & 0x0f).map_err(fail)?;
        let Some(header) = FixedHeader::read(kind, bytes).map_err(fail)? else {
            self.pending.get_or_insert_default().start = kept.with(input);
            *input = &[];
            return Ok(None);
        };
        header.check_length(self.version, self.limits.packet_bytes_max).map_err(fail)?;
        // What was kept was too short for a header, so the header is longer.
        *input = &input[header.len - kept.len()..];
        Ok(Some(header))
    }

    /// Checks what the first byte alone tells: whether this packet may come from this side now.
    fn admit(&self, kind: PacketType, flags: u8) -> Result<(), Fault> {
        let is_new = matches!(self.stage, Stage::New);
        match (self.side, kind) {
            (Side::Server, PacketType::Connect) | (Side::Client, PacketType::ConnAck)
                if !is_new =>
            {
                return Err(Fault::ConnectedTwice);
            }
            // Its flags depend on the version, which is not known yet.
            (Side::Server, PacketType::Connect) => return Ok(()),
            (Side::Server, _) if is_new => return Err(Fault::NotConnected),
            (_, PacketType::Auth) if self.version != Some(Version::V5) => {
                return Err(Fault::ReservedType);
            }
            _ => {}
        }
        check_side(self.side, kind, self.version)?;
        let may_be_first = matches!(kind, PacketType::ConnAck | PacketType::Auth);
        if self.side == Side::Client && is_new && !may_be_first {
            return Err(Fault::NotAcknowledged);
        }
        check_flags(kind, flags, self.version)
    }

    #[inline]
    fn parse(&mut self, header: FixedHeader, reader: &mut Reader<'_>) -> Result<Packet, Fault> {
        let packet = match (header.kind, self.version) {
            (PacketType::Connect, _) => self.parse_connect(header, reader)?,
            (_, Some(version)) => parse(header, reader, version, self.side)?,
            (_, None) => return Err(Fault::NotConnected), // none such was admitted
        };
        reader.end()?;
        Ok(packet)
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
        check_flags(header.kind, header.flags, Some(version))?;
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

/// Parses any packet but CONNECT. Inlined, as what leads to it, so that a message is put together
/// where it is handed out: copying it from call to call took 10 to 15 ns of some 80.
#[inline]
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
