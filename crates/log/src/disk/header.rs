//! What a segment file begins with, as `docs/log-format.md` defines it.

use bytes::{Buf, BufMut};
use tidings_model::Time;

/// What a segment file begins with: one that is written to from its beginning to its end,
const MAGIC: [u8; 8] = *b"TIDSEG\x00\x01";

/// and one that what is kept of others was copied to.
const COPY_MAGIC: [u8; 8] = *b"TIDSEG\x00\x02";

/// Bytes of a segment's header: it stands twice, since without it no record can be told from noise.
const HEADER_BYTES: usize = 2 * HEADER_ONCE_BYTES;
const HEADER_ONCE_BYTES: usize = 32;

/// The same of a copy.
const COPY_HEADER_BYTES: usize = 2 * COPY_HEADER_ONCE_BYTES;
const COPY_HEADER_ONCE_BYTES: usize = 64;

/// No header is longer.
pub(super) const HEADER_BYTES_MAX: usize = COPY_HEADER_BYTES;

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Chance, so that records of another segment are none of this.
    pub(super) salt: u32,
    /// The first offset it stands for.
    pub(super) base: u64,
    /// The time of its creation.
    pub(super) time: Time,
    /// What is known of a copy from the beginning.
    pub(super) copy: Option<CopyHeader>,
}

/// What is known of a copy from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CopyHeader {
    /// The last offset it stands for.
    pub(super) through: u64,
    /// Where its last record ends.
    pub(super) end_at: u32,
}

impl SegmentHeader {
    /// How long it is: where the first record begins.
    pub(super) fn bytes(&self) -> u64 {
        if self.copy.is_some() { COPY_HEADER_BYTES as u64 } else { HEADER_BYTES as u64 }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES_MAX);
        out.put_slice(if self.copy.is_some() { &COPY_MAGIC } else { &MAGIC });
        out.put_u32_le(self.salt);
        out.put_u64_le(self.base);
        out.put_u64_le(self.time.as_millis());
        if let Some(CopyHeader { through, end_at }) = self.copy {
            out.put_u64_le(through);
            out.put_u32_le(end_at);
            out.resize(COPY_HEADER_ONCE_BYTES - 4, 0);
        }
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(crc);
        out.extend_from_within(..);
        out
    }

    /// The header that a file begins with, of whose beginning `bytes` are.
    pub(super) fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let copies = |length: usize| bytes.chunks_exact(length).take(2);
        let mut candidates = copies(HEADER_ONCE_BYTES).chain(copies(COPY_HEADER_ONCE_BYTES));
        candidates.find_map(SegmentHeader::decode_once)
    }

    fn decode_once(bytes: &[u8]) -> Option<SegmentHeader> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let is_copy = bytes.len() == COPY_HEADER_ONCE_BYTES;
        let mut rest = body.strip_prefix(if is_copy { &COPY_MAGIC } else { &MAGIC })?;
        let (salt, base) = (rest.try_get_u32_le().ok()?, rest.try_get_u64_le().ok()?);
        let time = Time::from_millis(rest.try_get_u64_le().ok()?);
        let copy = if is_copy {
            let (through, end_at) = (rest.try_get_u64_le().ok()?, rest.try_get_u32_le().ok()?);
            Some(CopyHeader { through, end_at })
        } else {
            None
        };
        Some(SegmentHeader { salt, base, time, copy })
    }
}
