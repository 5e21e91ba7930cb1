//! Messages compressed with DEFLATE, each by itself (RFC 7692 section 7.2).
//!
//! Must never let one message's bytes help to compress another's: what comes out of here is sent to
//! many. One [`Deflater`] and one [`Inflater`] serve all connections of a thread.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use crate::error::WsError;
use crate::frame::{Header, HeaderFields, Opcode};

/// What ends the compressed bytes of a message and is left out on the wire: the rest of a block
/// that is stored and empty (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Put behind a message to read it: what was left out, and a last block that is empty. A message
/// that was cut inside a block does not end there.
const TAIL_AND_END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

/// Longest beginning of a message that may go uncompressed before a compressed rest: what one
/// stored block holds (RFC 1951 section 3.2.4).
const HEAD_BYTES_MAX: usize = 0xffff;

/// Most bytes of room made at first for what a message inflates to, and most that are kept from one
/// message to be compressed to the next.
const ROOM_BYTES: usize = 16 * 1024;

/// Least room made for what inflates.
const ROOM_BYTES_MIN: usize = 256;

/// Compresses messages. It holds some hundred KiB: one for each thread.
pub struct Deflater {
    state: Box<CompressorOxide>,
    scratch: Vec<u8>,
}

impl Default for Deflater {
    fn default() -> Deflater {
        Deflater::new()
    }
}

impl Deflater {
    /// One that has compressed nothing yet.
    pub fn new() -> Deflater {
        // The fastest level: each further one costs several times as much for a few percent. No
        // header, and the default strategy.
        let flags = create_comp_flags_from_zip_params(1, -1, 0);
        Deflater { state: Box::new(CompressorOxide::new(flags)), scratch: Vec::new() }
    }

    /// Compresses the payload of a message, or all of it behind a head that goes as it is (see
    /// [`deflated_header`]). `None` when that saves nothing.
    pub fn deflate(&mut self, body: &[u8]) -> Option<&[u8]> {
        // What needs more room than it had before is not wanted.
        self.scratch.resize(body.len(), 0);
        self.scratch.shrink_to(ROOM_BYTES);
        self.state.reset();
        let (status, taken, made) =
            compress(&mut self.state, body, &mut self.scratch, TDEFLFlush::Sync);
        let is_whole = status == TDEFLStatus::Okay && taken == body.len();
        self.scratch[..made].strip_suffix(&TAIL).filter(|_| is_whole)
    }
}

/// What goes in front of a compressed message: the header of its frame and, where the message has
/// a head that goes as it is, the beginning of the stored block that the head makes.
#[derive(Clone, Copy, Debug)]
pub struct DeflatedHeader {
    bytes: [u8; DeflatedHeader::BYTES_MAX],
    len: u8,
}

impl DeflatedHeader {
    /// Most bytes of one: ten of a frame's header without a mask, five of a stored block's.
    pub const BYTES_MAX: usize = 15;

    /// The bytes as they go on the wire.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The beginning of a server's frame whose message is `head_len` bytes that go as they are, then
/// what [`Deflater::deflate`] has made `deflated_len` bytes of. So a rest that is shared is
/// compressed once, whatever is put before it. `None` when the head is too long for that.
pub fn deflated_header(
    opcode: Opcode,
    head_len: usize,
    deflated_len: usize,
) -> Option<DeflatedHeader> {
    let block_len = u16::try_from(head_len).ok()?;
    debug_assert!(head_len <= HEAD_BYTES_MAX);
    let block = if head_len == 0 { 0 } else { 5 };
    let payload_len = (block + head_len + deflated_len) as u64;
    let fields = HeaderFields { fin: true, rsv1: true, opcode, mask: None, payload_len };
    let header: Header = fields.encode();
    let mut bytes = [0; DeflatedHeader::BYTES_MAX];
    let header = header.as_slice();
    bytes[..header.len()].copy_from_slice(header);
    if block > 0 {
        // RFC 1951 section 3.2.4: three bits of zero, up to the byte's end, the length and its
        // complement.
        let [low, high] = block_len.to_le_bytes();
        bytes[header.len()..header.len() + block].copy_from_slice(&[0, low, high, !low, !high]);
    }
    Some(DeflatedHeader { bytes, len: (header.len() + block) as u8 })
}

/// Inflates messages. It holds some tens of KiB: one for each thread.
pub struct Inflater {
    state: Box<DecompressorOxide>,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater::new()
    }
}

impl Inflater {
    /// One that has inflated nothing yet.
    pub fn new() -> Inflater {
        Inflater { state: Box::default() }
    }

    /// Most compressed bytes that a message may come in: beyond this it would have been smaller as
    /// it is.
    pub(crate) fn deflated_bytes_max(message_bytes_max: usize) -> usize {
        message_bytes_max.saturating_add(message_bytes_max / 8).saturating_add(64)
    }

    /// Inflates the whole of a message.
    ///
    /// Errors: it is no DEFLATE data or not the whole of it, or it is larger than
    /// `message_bytes_max`, of which hardly more than that is ever held.
    pub(crate) fn inflate(
        &mut self,
        deflated: &[u8],
        message_bytes_max: usize,
    ) -> Result<Vec<u8>, WsError> {
        self.state.init();
        let mut out = Inflated { bytes: Vec::new(), len: 0, max: message_bytes_max };
        self.take(deflated, &mut out)?;
        let is_whole = self.take(&TAIL_AND_END, &mut out)?;
        out.bytes.truncate(out.len);
        if is_whole { Ok(out.bytes) } else { Err(WsError::NotDeflate) }
    }

    /// Inflates some bytes. Says whether the last of them ended a block that says it is the last;
    /// others may follow it all the same (section 7.2.1).
    fn take(&mut self, mut input: &[u8], out: &mut Inflated) -> Result<bool, WsError> {
        // All that came out so far lies before what comes next, so a reference that reaches back
        // before the message's first byte is found to be wrong.
        const FLAGS: u32 = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        loop {
            out.make_room(input.len());
            let (status, used, made) =
                decompress(&mut self.state, input, &mut out.bytes, out.len, FLAGS);
            input = &input[used..];
            out.len += made;
            if out.len > out.max {
                return Err(WsError::MessageTooBig { max: out.max });
            }
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if input.is_empty() => return Ok(false),
                TINFLStatus::Done => {
                    self.state.init();
                    if input.is_empty() {
                        return Ok(true);
                    }
                }
                _ => return Err(WsError::NotDeflate),
            }
        }
    }
}

/// A message that is being inflated: `len` bytes, and room behind them.
struct Inflated {
    bytes: Vec<u8>,
    len: usize,
    max: usize,
}

impl Inflated {
    /// Makes room for more, if there is none: as much again as there is, but no more than shows
    /// that the message is too large.
    fn make_room(&mut self, deflated_len: usize) {
        if self.len < self.bytes.len() {
            return;
        }
        let guess = match self.len {
            0 => deflated_len.saturating_mul(4).clamp(ROOM_BYTES_MIN, ROOM_BYTES),
            len => len,
        };
        let room = guess.min(self.max.saturating_add(1) - self.len);
        self.bytes.reserve_exact(room);
        self.bytes.resize(self.len + room, 0);
    }
}
