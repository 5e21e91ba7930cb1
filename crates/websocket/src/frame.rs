//! Frame headers (RFC 6455 section 5.2), read and written.
//!
//! Must never look at a payload, nor know what frames came before: those rules are the decoder's.

use crate::error::WsError;
use crate::mask;

/// Longest payload of a control frame, in bytes (section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Longest header, in bytes: two, a 64-bit length, a mask key.
pub const HEADER_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const MASK: u8 = 0x80;
const LENGTH: u8 = 0x7f;
/// In the place of a length: sixteen bits of length follow.
const LENGTH_16: u8 = 126;
/// In the place of a length: sixty-four bits of length follow.
const LENGTH_64: u8 = 127;

/// Which end of the connection this is. A server reads masked frames and writes unmasked ones, a
/// client the other way round (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that answered the handshake.
    Server,
    /// The end that began it.
    Client,
}

/// What a frame is (sections 5.2 and 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// "Are you there?"
    Ping = 0x9,
    /// The answer to a Ping, or a heartbeat.
    Pong = 0xa,
}

impl Opcode {
    /// Whether this is a control frame: Close, Ping or Pong (section 5.5).
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }

    fn from_bits(bits: u8) -> Result<Opcode, WsError> {
        Ok(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(WsError::ReservedOpcode(bits)),
        })
    }
}

/// What a frame header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFields {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The bit that permessage-deflate claims on the first frame of a message (RFC 7692 section 6).
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key that the payload is masked with (section 5.3).
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload; below 2^63. At most [`CONTROL_BYTES_MAX`] in a control frame.
    pub payload_len: u64,
}

impl HeaderFields {
    /// Reads the header that `bytes` begin with, as seen by `role`. Returns it with its length in
    /// bytes, or `None` if more bytes are needed.
    ///
    /// Errors: any rule of section 5.1, 5.2 or 5.5 that one header alone can break, as soon as the
    /// bytes show it.
    pub fn parse(bytes: &[u8], role: Role) -> Result<Option<(HeaderFields, usize)>, WsError> {
        let [first, after @ ..] = bytes else { return Ok(None) };
        let opcode = opcode_of(*first)?;
        let [second, after @ ..] = after else { return Ok(None) };
        let masked = is_masked(*second, role)?;
        if opcode.is_control() && usize::from(second & LENGTH) > CONTROL_BYTES_MAX {
            return Err(WsError::ControlTooLong);
        }
        let Some((payload_len, after)) = read_length(second & LENGTH, after)? else {
            return Ok(None);
        };
        let (mask, after) = if masked {
            let Some((key, after)) = after.split_first_chunk() else { return Ok(None) };
            (Some(*key), after)
        } else {
            (None, after)
        };
        let (fin, rsv1) = (first & FIN != 0, first & RSV1 != 0);
        let fields = HeaderFields { fin, rsv1, opcode, mask, payload_len };
        Ok(Some((fields, bytes.len() - after.len())))
    }

    /// The header as it goes on the wire, its length in the shortest form.
    pub fn encode(&self) -> Header {
        debug_assert!(!self.opcode.is_control() || self.payload_len <= CONTROL_BYTES_MAX as u64);
        let mut header = Header::default();
        let first =
            self.opcode as u8 | if self.fin { FIN } else { 0 } | if self.rsv1 { RSV1 } else { 0 };
        let masked = if self.mask.is_some() { MASK } else { 0 };
        // The casts lose nothing: each arm's pattern bounds the length.
        match self.payload_len {
            len @ 0..=125 => header.push(&[first, masked | len as u8]),
            len @ 126..=0xffff => {
                header.push(&[first, masked | LENGTH_16]);
                header.push(&(len as u16).to_be_bytes());
            }
            len => {
                header.push(&[first, masked | LENGTH_64]);
                header.push(&len.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            header.push(&key);
        }
        header
    }
}

/// Checks the first byte: reserved bits, the opcode, and that a control frame is whole. RSV1 is
/// let through, for the decoder to judge: whether it means anything was agreed in the handshake.
fn opcode_of(first: u8) -> Result<Opcode, WsError> {
    if first & RSV2_RSV3 != 0 {
        return Err(WsError::ReservedBits);
    }
    let opcode = Opcode::from_bits(first & OPCODE)?;
    if opcode.is_control() && first & FIN == 0 {
        return Err(WsError::ControlFragmented);
    }
    Ok(opcode)
}

/// Checks the mask bit of the second byte against who sent it (section 5.1).
fn is_masked(second: u8, role: Role) -> Result<bool, WsError> {
    match (second & MASK != 0, role) {
        (false, Role::Server) => Err(WsError::NotMasked),
        (true, Role::Client) => Err(WsError::Masked),
        (masked, _) => Ok(masked),
    }
}

/// Reads the payload length whose first seven bits are `short`, and returns it with the bytes
/// after it. `None` if more bytes are needed.
fn read_length(short: u8, after: &[u8]) -> Result<Option<(u64, &[u8])>, WsError> {
    let (len, shortest_from, after) = match short {
        LENGTH_16 => {
            let Some((len, after)) = after.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*len)), u64::from(LENGTH_16), after)
        }
        LENGTH_64 => {
            let Some((len, after)) = after.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*len), 1 << 16, after)
        }
        short => (u64::from(short), 0, after),
    };
    if len >> 63 != 0 {
        return Err(WsError::LengthTopBit);
    }
    if len < shortest_from {
        return Err(WsError::LengthNotMinimal);
    }
    Ok(Some((len, after)))
}

/// The bytes of a header, or of its beginning, without heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    len: u8,
}

impl Header {
    /// The bytes as they go on the wire.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Adds what fits of `more`.
    pub(crate) fn push(&mut self, more: &[u8]) {
        let free = &mut self.bytes[usize::from(self.len)..];
        let count = free.len().min(more.len());
        free[..count].copy_from_slice(&more[..count]);
        self.len += count as u8; // at most HEADER_BYTES_MAX
    }
}

/// The header of a frame that is a whole message, or a control frame, of `payload_len` bytes. A
/// server passes no mask and sends the header and the payload with one `writev`; a masked payload
/// is [`write_masked_frame`]'s work. The caller keeps a control frame within
/// [`CONTROL_BYTES_MAX`], as section 5.5 demands.
pub fn frame_header(opcode: Opcode, payload_len: usize, mask: Option<[u8; 4]>) -> Header {
    let payload_len = payload_len as u64;
    HeaderFields { fin: true, rsv1: false, opcode, mask, payload_len }.encode()
}

/// Adds a whole masked frame to `out`, as a client must send it. `key` must be fresh and not to be
/// guessed, for each frame (section 5.3); this function draws none.
pub fn write_masked_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    let header = frame_header(opcode, payload.len(), Some(key));
    out.reserve(header.as_slice().len() + payload.len());
    out.extend_from_slice(header.as_slice());
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[start..], key, 0);
}
