//! The index of a sealed segment as a file: its rows, so that the next start need not read it.
//! `docs/log-format.md` defines it.
//!
//! Must never be taken for that of another segment, nor hide what was found damaged.

use bytes::{Buf, BufMut};
use tidings_model::{IdempotencyKey, Mark, Time, Topic};

use super::names::NameList;
use super::packed::Packed;
use super::sealed::{Offsets, SealedRows};
use crate::disk::segment::Hole;
use crate::{Remembered, Token};

/// What an index file begins with. The first form is not read any more; the segment is.
const MAGIC: [u8; 8] = *b"TIDIDX\x00\x02";

/// What an index says.
pub(in crate::disk) struct Index {
    /// The topics, in the order of their own numbers.
    pub(in crate::disk) names: NameList,
    /// Bytes of each topic's records.
    pub(in crate::disk) bytes: Packed,
    /// The rows; their topics have no numbers of the log yet.
    pub(in crate::disk) rows: SealedRows,
    /// The last offset that the segment stands for.
    pub(in crate::disk) through: u64,
    /// What was found damaged.
    pub(in crate::disk) damaged: Vec<Hole>,
    pub(in crate::disk) tokens: Vec<Remembered>,
}

/// The index of a segment with this salt as a file. `names` are those of the rows' topics, in the
/// order of their own numbers; `through` is the last offset that the segment stands for.
pub(in crate::disk) fn encode(
    salt: u32,
    through: u64,
    rows: &SealedRows,
    names: &NameList,
    damaged: &[Hole],
    tokens: &[Remembered],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + rows.len() * 12 + names.len() * 24);
    out.put_slice(&MAGIC);
    out.put_u32_le(salt);
    out.put_u64_le(through);
    out.put_u32_le(rows.end_at);
    match &rows.offsets {
        Offsets::Dense(base, _) => {
            out.put_u8(0);
            out.put_u64_le(*base);
        }
        Offsets::Sparse(offsets) => {
            out.put_u8(1);
            offsets.encode(&mut out);
        }
    }
    let bytes = rows.topic_bytes();
    for column in [
        &rows.at,
        &rows.topic,
        &rows.time,
        &rows.expiring,
        &rows.expires,
        &rows.by_topic,
        &rows.starts,
        &bytes,
    ] {
        column.encode(&mut out);
    }
    names.encode(&mut out);
    out.put_u32_le(damaged.len() as u32);
    for Hole { at, from, to } in damaged {
        [at, from, to].into_iter().for_each(|number| out.put_u64_le(*number));
    }
    put_tokens(&mut out, tokens);
    let crc = crc32c::crc32c(&out);
    out.put_u32_le(crc);
    out
}

/// Reads an index file; nothing when it is damaged or of another segment.
pub(in crate::disk) fn decode(file: &[u8], salt: u32, epoch: u32) -> Option<Index> {
    let (body, crc) = file.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut rest = body.strip_prefix(&MAGIC)?;
    if rest.try_get_u32_le().ok()? != salt {
        return None;
    }
    let through = rest.try_get_u64_le().ok()?;
    let end_at = rest.try_get_u32_le().ok()?;
    let base = match rest.try_get_u8().ok()? {
        0 => Ok(rest.try_get_u64_le().ok()?),
        _ => Err(Packed::decode(&mut rest)?),
    };
    let mut column = || Packed::decode(&mut rest);
    let (at, topic, time) = (column()?, column()?, column()?);
    let (expiring, expires, by_topic) = (column()?, column()?, column()?);
    let (starts, bytes) = (column()?, column()?);
    let names = NameList::decode(&mut rest, bytes.len())?;
    let mut damaged = Vec::new();
    for _ in 0..rest.try_get_u32_le().ok()? {
        let mut number = || rest.try_get_u64_le().ok();
        damaged.push(Hole { at: number()?, from: number()?, to: number()? });
    }
    let tokens = get_tokens(&mut rest, epoch)?;
    let rows = SealedRows {
        offsets: base.map_or_else(Offsets::Sparse, |base| Offsets::Dense(base, at.len())),
        at,
        end_at,
        topic,
        time,
        expiring,
        expires,
        by_topic,
        starts,
        topics: Packed::new([].into_iter()),
        order: None,
    };
    Some(Index { names, bytes, rows, through, damaged, tokens })
}

/// Tokens of batches, as [`get_tokens`] reads them.
pub(in crate::disk) fn put_tokens(out: &mut Vec<u8>, tokens: &[Remembered]) {
    out.put_u32_le(tokens.len() as u32);
    for Remembered { topic, token, time, last, count } in tokens {
        out.put_u64_le(last.offset);
        out.put_u32_le(*count);
        out.put_u64_le(time.as_millis());
        out.put_u64_le(token.fingerprint);
        put_text(out, topic.as_str());
        put_text(out, token.key.as_str());
    }
}

/// Reads the tokens of batches.
pub(in crate::disk) fn get_tokens(rest: &mut &[u8], epoch: u32) -> Option<Vec<Remembered>> {
    let mut tokens = Vec::new();
    for _ in 0..rest.try_get_u32_le().ok()? {
        let last = Mark { epoch, offset: rest.try_get_u64_le().ok()? };
        let count = rest.try_get_u32_le().ok()?;
        let time = Time::from_millis(rest.try_get_u64_le().ok()?);
        let fingerprint = rest.try_get_u64_le().ok()?;
        let topic = Topic::new(get_text(rest)?).ok()?;
        let key = IdempotencyKey::new(get_text(rest)?).ok()?;
        tokens.push(Remembered { topic, token: Token { key, fingerprint }, time, last, count });
    }
    Some(tokens)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u16_le(text.len() as u16);
    out.put_slice(text.as_bytes());
}

fn get_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(rest.try_get_u16_le().ok()?);
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}
