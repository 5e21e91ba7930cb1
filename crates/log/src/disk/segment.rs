//! One segment: its file, and where in it each of its records lies.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use tidings_model::{IdempotencyKey, Mark, Time, Topic};

use super::cold::Place;
use super::files::DiskFile;
use super::format::{self, SegmentHeader};
use crate::{Remembered, Token};

/// What an index file begins with.
const INDEX_MAGIC: [u8; 8] = *b"TIDIDX\x00\x01";

/// A topic number that is none: the record is damaged.
pub(super) const HOLE: u32 = u32::MAX;

/// One segment.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn DiskFile>,
    /// Where the next record would begin.
    pub(super) end_at: u32,
    /// Of each record in order: where it begins,
    pub(super) at: Vec<u32>,
    /// its topic's number,
    pub(super) topic: Vec<u32>,
    /// how far it is to the next record of its topic; 0 when there is none,
    pub(super) next: Vec<u32>,
    /// and how many seconds it is younger than the segment.
    pub(super) age: Vec<u32>,
    /// Records that retention has not removed.
    pub(super) live: u64,
    /// The tokens of its batches, until it is sealed.
    pub(super) tokens: Vec<Remembered>,
}

/// What is known of one record.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) at: u32,
    pub(super) topic: u32,
    pub(super) time: Time,
}

impl Segment {
    pub(super) fn new(header: SegmentHeader, file: Arc<dyn DiskFile>) -> Segment {
        Segment {
            header,
            file,
            end_at: format::SEGMENT_HEADER_BYTES as u32,
            at: Vec::new(),
            topic: Vec::new(),
            next: Vec::new(),
            age: Vec::new(),
            live: 0,
            tokens: Vec::new(),
        }
    }

    /// The name of the segment whose first record has this offset.
    pub(super) fn name(base: u64) -> String {
        format!("{base:020}.segment")
    }

    /// The name of its index.
    pub(super) fn index_name(base: u64) -> String {
        format!("{base:020}.index")
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.at.push(entry.at);
        self.topic.push(entry.topic);
        self.next.push(0);
        let age = entry.time.since(self.header.time).as_secs();
        self.age.push(u32::try_from(age).unwrap_or(u32::MAX));
    }

    /// The offset after its last record.
    pub(super) fn end(&self) -> u64 {
        self.header.base + self.at.len() as u64
    }

    pub(super) fn index_of(&self, offset: u64) -> usize {
        (offset - self.header.base) as usize
    }

    /// When a record was stored, to the second.
    pub(super) fn time(&self, index: usize) -> Time {
        self.header.time + std::time::Duration::from_secs(self.age[index].into())
    }

    /// Bytes of a record in the file.
    pub(super) fn bytes(&self, index: usize) -> u32 {
        self.at.get(index + 1).unwrap_or(&self.end_at) - self.at[index]
    }

    pub(super) fn place(&self, offset: u64) -> Place {
        let index = self.index_of(offset);
        Place { offset, at: self.at[index], bytes: self.bytes(index) }
    }

    /// The index as a file: what [`read_index`] reads.
    pub(super) fn encode_index(
        &self,
        name_of: impl Fn(u32) -> Topic,
        expires: impl Fn(u64) -> Option<Time>,
    ) -> Vec<u8> {
        let mut numbers: Vec<u32> = self.topic.iter().copied().filter(|&t| t != HOLE).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut out = Vec::with_capacity(64 + self.at.len() * 12 + numbers.len() * 16);
        out.put_slice(&INDEX_MAGIC);
        out.put_u32_le(self.header.salt);
        out.put_u32_le(self.at.len() as u32);
        out.put_u32_le(self.end_at);
        out.put_u32_le(numbers.len() as u32);
        for &number in &numbers {
            let name = name_of(number);
            out.put_u16_le(name.as_str().len() as u16);
            out.put_slice(name.as_str().as_bytes());
        }
        let local = |topic: &u32| numbers.binary_search(topic).map_or(HOLE, |n| n as u32);
        self.at.iter().for_each(|&at| out.put_u32_le(at));
        self.topic.iter().for_each(|topic| out.put_u32_le(local(topic)));
        self.age.iter().for_each(|&age| out.put_u32_le(age));
        let expiring: Vec<(u64, Time)> = (self.header.base..self.end())
            .filter_map(|offset| Some((offset, expires(offset)?)))
            .collect();
        out.put_u32_le(expiring.len() as u32);
        for (offset, time) in expiring {
            out.put_u64_le(offset);
            out.put_u64_le(time.as_millis());
        }
        out.put_u32_le(self.tokens.len() as u32);
        for Remembered { topic, token, time, last, count } in &self.tokens {
            out.put_u64_le(last.offset);
            out.put_u32_le(*count);
            out.put_u64_le(time.as_millis());
            out.put_u64_le(token.fingerprint);
            for text in [topic.as_str(), token.key.as_str()] {
                out.put_u16_le(text.len() as u16);
                out.put_slice(text.as_bytes());
            }
        }
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(crc);
        out
    }
}

/// An index as it was read.
pub(super) struct Index {
    pub(super) end_at: u32,
    pub(super) topics: Vec<Topic>,
    pub(super) at: Vec<u32>,
    pub(super) topic: Vec<u32>,
    pub(super) age: Vec<u32>,
    pub(super) expires: Vec<(u64, Time)>,
    pub(super) tokens: Vec<Remembered>,
}

/// Reads an index file; nothing when it is damaged or of another segment.
pub(super) fn read_index(bytes: &[u8], header: &SegmentHeader, epoch: u32) -> Option<Index> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut rest = body.strip_prefix(&INDEX_MAGIC)?;
    if rest.try_get_u32_le().ok()? != header.salt {
        return None;
    }
    let count = rest.try_get_u32_le().ok()? as usize;
    let end_at = rest.try_get_u32_le().ok()?;
    let mut topics = Vec::new();
    for _ in 0..rest.try_get_u32_le().ok()? {
        topics.push(Topic::new(read_text(&mut rest)?).ok()?);
    }
    let mut column = || -> Option<Vec<u32>> {
        let (bytes, after) = rest.split_at_checked(count.checked_mul(4)?)?;
        rest = after;
        Some(bytes.as_chunks::<4>().0.iter().map(|&four| u32::from_le_bytes(four)).collect())
    };
    let (at, topic, age) = (column()?, column()?, column()?);
    if topic.iter().any(|&topic| topic != HOLE && topic as usize >= topics.len()) {
        return None;
    }
    let mut expires = Vec::new();
    for _ in 0..rest.try_get_u32_le().ok()? {
        let offset = rest.try_get_u64_le().ok()?;
        expires.push((offset, Time::from_millis(rest.try_get_u64_le().ok()?)));
    }
    let mut tokens = Vec::new();
    for _ in 0..rest.try_get_u32_le().ok()? {
        let last = Mark { epoch, offset: rest.try_get_u64_le().ok()? };
        let count = rest.try_get_u32_le().ok()?;
        let time = Time::from_millis(rest.try_get_u64_le().ok()?);
        let fingerprint = rest.try_get_u64_le().ok()?;
        let topic = Topic::new(read_text(&mut rest)?).ok()?;
        let key = IdempotencyKey::new(read_text(&mut rest)?).ok()?;
        tokens.push(Remembered { topic, token: Token { key, fingerprint }, time, last, count });
    }
    Some(Index { end_at, topics, at, topic, age, expires, tokens })
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(rest.try_get_u16_le().ok()?);
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}
