//! What has to be remembered of messages that no segment tells of any more: how far each topic was
//! trimmed, which offsets were removed with their segments, and which were lost.

use std::io;

use bytes::{Buf, BufMut};
use tidings_model::{GapReason, Time, Topic};

use super::files::Disk;
use super::rows;
use crate::Remembered;

/// The file, and what it begins with. Of the first form there were trims only.
pub(super) const NAME: &str = "marks";
const MAGIC: [u8; 8] = *b"TIDMRK\x00\x02";
const MAGIC_1: [u8; 8] = *b"TIDMRK\x00\x01";

/// Most losses that are told apart.
const LOST_MAX: usize = 1024;

/// Most tokens that are remembered here; the newest.
const TOKENS_MAX: usize = 100_000;

/// What is remembered.
#[derive(Clone, Default)]
pub(super) struct Marks {
    /// How far each topic was trimmed.
    pub(super) trims: Vec<(Topic, u64)>,
    /// Offsets that were removed with their segments: first and last of each range, in order.
    pub(super) removed: Vec<(u64, u64)>,
    /// Offsets that were lost.
    pub(super) lost: Vec<Lost>,
    /// The tokens of batches that no segment tells of any more, while they are of use.
    pub(super) tokens: Vec<Remembered>,
}

/// Offsets that were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) reason: GapReason,
}

/// The reasons that are remembered, by their numbers in the file.
const REASONS: [GapReason; 2] = [GapReason::Damaged, GapReason::Unflushed];

impl Marks {
    /// Remembers that these offsets were removed.
    pub(super) fn remove(&mut self, from: u64, to: u64) {
        if from > to {
            return;
        }
        self.removed.push((from, to));
        self.removed.sort_unstable();
        self.removed.dedup_by(|next, one| {
            let touches = next.0 <= one.1 + 1;
            if touches {
                one.1 = one.1.max(next.1);
            }
            touches
        });
    }

    /// Remembers that these offsets were lost. Of very many losses the oldest become one.
    pub(super) fn lose(&mut self, lost: Lost) {
        self.lost.push(lost);
        if self.lost.len() > LOST_MAX {
            let oldest = self.lost.remove(0);
            let next = &mut self.lost[0];
            (next.from, next.to) = (next.from.min(oldest.from), next.to.max(oldest.to));
        }
    }

    /// Remembers tokens, but none that were given before `since`.
    pub(super) fn remember(&mut self, tokens: impl IntoIterator<Item = Remembered>, since: Time) {
        self.tokens.extend(tokens);
        self.tokens.retain(|token| token.time >= since);
        self.tokens.sort_by_key(|token| token.last.offset);
        self.tokens.dedup_by_key(|token| token.last.offset);
        self.tokens.drain(..self.tokens.len().saturating_sub(TOKENS_MAX));
    }

    /// Whether all offsets between these two, both left out, were removed.
    pub(super) fn all_removed(&self, after: u64, before: u64) -> bool {
        after + 1 == before
            || self.removed.iter().any(|&(from, to)| from <= after + 1 && before <= to + 1)
    }

    /// Replaces what was remembered. Durable on return.
    pub(super) fn save(&self, disk: &dyn Disk) -> io::Result<()> {
        let mut out = Vec::with_capacity(64 + self.trims.len() * 24);
        out.put_slice(&MAGIC);
        out.put_u32_le(self.trims.len() as u32);
        for (topic, offset) in &self.trims {
            out.put_u16_le(topic.as_str().len() as u16);
            out.put_slice(topic.as_str().as_bytes());
            out.put_u64_le(*offset);
        }
        out.put_u32_le(self.removed.len() as u32);
        for (from, to) in &self.removed {
            out.put_u64_le(*from);
            out.put_u64_le(*to);
        }
        out.put_u32_le(self.lost.len() as u32);
        for Lost { from, to, reason } in &self.lost {
            out.put_u64_le(*from);
            out.put_u64_le(*to);
            out.put_u8(REASONS.iter().position(|known| known == reason).unwrap_or_default() as u8);
        }
        rows::put_tokens(&mut out, &self.tokens);
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(crc);
        disk.replace(NAME, &out)
    }

    /// What was remembered; empty when there is nothing.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub(super) fn load(disk: &dyn Disk, epoch: u32) -> io::Result<Marks> {
        match disk.read(NAME) {
            Ok(bytes) => parse(&bytes, epoch).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("the file {NAME} is damaged"))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Marks::default()),
            Err(error) => Err(error),
        }
    }
}

fn parse(bytes: &[u8], epoch: u32) -> Option<Marks> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut marks = Marks::default();
    let first_form = body.starts_with(&MAGIC_1);
    let mut rest = body.strip_prefix(if first_form { &MAGIC_1 } else { &MAGIC })?;
    for _ in 0..rest.try_get_u32_le().ok()? {
        let length = usize::from(rest.try_get_u16_le().ok()?);
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        let topic = Topic::new(std::str::from_utf8(name).ok()?).ok()?;
        marks.trims.push((topic, rest.try_get_u64_le().ok()?));
    }
    if first_form {
        return Some(marks);
    }
    for _ in 0..rest.try_get_u32_le().ok()? {
        marks.removed.push((rest.try_get_u64_le().ok()?, rest.try_get_u64_le().ok()?));
    }
    for _ in 0..rest.try_get_u32_le().ok()? {
        let (from, to) = (rest.try_get_u64_le().ok()?, rest.try_get_u64_le().ok()?);
        let reason = *REASONS.get(usize::from(rest.try_get_u8().ok()?))?;
        marks.lost.push(Lost { from, to, reason });
    }
    marks.tokens = rows::get_tokens(&mut rest, epoch)?;
    Some(marks)
}
