//! The bytes of records, as `docs/log-format.md` defines them. Must never take anything for a record
//! that is not exactly what was written at exactly that place.

use bytes::{Buf, BufMut, Bytes};
use tidings_model::{EventType, Headers, IdempotencyKey, Manner, Message, Time, Topic};

use super::header::HEADER_BYTES_MAX;
use super::manner::{read_manner, write_manner};
use crate::Token;

/// What a record begins with, so that one can be looked for.
const RECORD_MAGIC: u16 = 0x5CED;

/// Bytes of a record before its body.
pub(super) const RECORD_HEADER_BYTES: usize = 24;

/// No record is smaller.
pub(super) const RECORD_BYTES_MIN: u64 = 62;

/// Largest body; above every message that could be accepted.
pub(super) const BODY_BYTES_MAX: u32 = 256 << 20;

/// The last record of a batch: only with it the batch was stored.
const FLAG_BATCH_END: u8 = 1;

/// In the number of headers: how the message is to be delivered stands before them.
const HAS_MANNER: u16 = 1 << 15;

/// Marks an absent text, which is not an empty one.
const NONE: u16 = u16::MAX;

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) batch_end: bool,
    pub(super) body_bytes: u32,
    pub(super) offset: u64,
    /// Everything before this place was durable when the record was written.
    pub(super) durable: u32,
    crc: u32,
}

impl RecordHeader {
    /// What looks like a header. Whether it is one, only the body can tell.
    pub(super) fn parse(bytes: &[u8]) -> Option<RecordHeader> {
        let mut rest = bytes.get(..RECORD_HEADER_BYTES)?;
        let magic = rest.get_u16_le();
        let (flags, zero) = (rest.get_u8(), rest.get_u8());
        let body_bytes = rest.get_u32_le();
        let offset = rest.get_u64_le();
        let durable = rest.get_u32_le();
        let crc = rest.get_u32_le();
        let plausible = magic == RECORD_MAGIC
            && flags & !FLAG_BATCH_END == 0
            && zero == 0
            && body_bytes <= BODY_BYTES_MAX;
        let batch_end = flags & FLAG_BATCH_END != 0;
        plausible.then_some(RecordHeader { batch_end, body_bytes, offset, durable, crc })
    }

    /// Bytes of the whole record.
    pub(super) fn record_bytes(&self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.body_bytes)
    }
}

/// A checksum that holds only in this segment and at this place.
fn checksum(salt: u32, at: u64, header: &[u8; 20], body: &[u8]) -> u32 {
    let mut beginning = [0; 32];
    beginning[..4].copy_from_slice(&salt.to_le_bytes());
    beginning[4..12].copy_from_slice(&at.to_le_bytes());
    beginning[12..].copy_from_slice(header);
    crc32c::crc32c_append(crc32c::crc32c(&beginning), body)
}

/// The record at the beginning of `bytes`, which lie at `at` in the segment: its header and body.
pub(super) fn record(bytes: &[u8], salt: u32, at: u64) -> Option<(RecordHeader, &[u8])> {
    let header = RecordHeader::parse(bytes)?;
    let body = bytes.get(RECORD_HEADER_BYTES..)?.get(..header.body_bytes as usize)?;
    let right = checksum(salt, at, bytes.first_chunk()?, body) == header.crc;
    right.then_some((header, body))
}

/// Appends a record of another segment to `out`, which holds all of a copy before it.
pub(super) fn copy_record(out: &mut Vec<u8>, salt: u32, record: &[u8]) {
    let at = out.len();
    out.extend_from_slice(record);
    // What is left of a batch stands for itself, and a copy is durable as a whole.
    out[at + 2] |= FLAG_BATCH_END;
    out[at + 16..at + 20].copy_from_slice(&(HEADER_BYTES_MAX as u32).to_le_bytes());
    sign(&mut out[at..], salt, at as u64);
}

/// What the last record of a batch says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchEnd<'a> {
    /// How many records it has.
    pub(super) count: u32,
    pub(super) token: Option<&'a Token>,
}

/// Appends one record to `out`, but for what [`Stamp::set`] says of it. Returns its length.
pub(super) fn write_record(
    out: &mut Vec<u8>,
    end: Option<BatchEnd<'_>>,
    message: &Message,
) -> usize {
    let from = out.len();
    out.put_u16_le(RECORD_MAGIC);
    out.put_u8(u8::from(end.is_some()) * FLAG_BATCH_END);
    out.put_bytes(0, RECORD_HEADER_BYTES - 3);
    // The offset of the message before it in its topic.
    out.put_u64_le(0);
    write_body(out, end.and_then(|end| end.token.map(|token| (token, end.count))), message);
    let bytes = out.len() - from;
    let body_bytes = (bytes - RECORD_HEADER_BYTES) as u32;
    out[from + 4..from + 8].copy_from_slice(&body_bytes.to_le_bytes());
    bytes
}

/// What depends on where a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// The segment's salt.
    pub(super) salt: u32,
    /// The record's place in it.
    pub(super) at: u64,
    /// Everything before this place is durable.
    pub(super) durable: u32,
    pub(super) offset: u64,
    /// The offset of the message before it in its topic.
    pub(super) previous: u64,
}

impl Stamp {
    /// Completes a record, which is all of `record`.
    pub(super) fn set(self, record: &mut [u8]) {
        let Some((header, body)) = record.split_at_mut_checked(RECORD_HEADER_BYTES) else { return };
        header[8..16].copy_from_slice(&self.offset.to_le_bytes());
        header[16..20].copy_from_slice(&self.durable.to_le_bytes());
        if let Some(previous) = body.first_chunk_mut() {
            *previous = self.previous.to_le_bytes();
        }
        sign(record, self.salt, self.at);
    }
}

/// Puts its checksum into a record, which is all of `record`.
fn sign(record: &mut [u8], salt: u32, at: u64) {
    if let Some((header, body)) = record.split_first_chunk_mut::<RECORD_HEADER_BYTES>()
        && let Some((head, crc)) = header.split_first_chunk_mut::<20>()
    {
        crc.copy_from_slice(&checksum(salt, at, head, body).to_le_bytes());
    }
}

fn write_body(out: &mut Vec<u8>, token: Option<(&Token, u32)>, message: &Message) {
    out.put_u64_le(message.time.as_millis());
    out.put_u64_le(message.expires.map_or(u64::MAX, Time::as_millis));
    write_text(out, token.map(|(token, _)| token.key.as_str()));
    if let Some((token, count)) = token {
        out.put_u64_le(token.fingerprint);
        out.put_u32_le(count);
    }
    write_text(out, Some(message.topic.as_str()));
    write_text(out, Some(&message.content_type));
    write_text(out, Some(message.event_type.as_str()));
    write_text(out, message.from.as_deref());
    write_text(out, message.key.as_deref());
    // Headers, like every text here, were bounded when the message was accepted.
    let headers = message.headers.iter().count() as u16;
    if message.manner == Manner::default() {
        out.put_u16_le(headers);
    } else {
        out.put_u16_le(headers | HAS_MANNER);
        write_manner(out, &message.manner);
    }
    for (name, value) in message.headers.iter() {
        write_text(out, Some(name));
        write_text(out, Some(value));
    }
    out.put_slice(&message.payload);
}

pub(super) fn write_text(out: &mut Vec<u8>, text: Option<&str>) {
    out.put_u16_le(text.map_or(NONE, |text| text.len() as u16));
    out.put_slice(text.unwrap_or_default().as_bytes());
}

/// What the index needs of a body.
pub(super) struct Brief<'a> {
    pub(super) topic: &'a str,
    pub(super) time: Time,
    pub(super) expires: Option<Time>,
    /// The batch's token and size, on its last record.
    pub(super) token: Option<(Token, u32)>,
    /// What comes after the topic.
    rest: &'a [u8],
}

/// Reads what the index needs.
pub(super) fn read_brief(body: &[u8]) -> Option<Brief<'_>> {
    let mut rest = body.get(8..)?;
    let time = Time::from_millis(rest.try_get_u64_le().ok()?);
    let expires = rest.try_get_u64_le().ok()?;
    let expires = (expires != u64::MAX).then(|| Time::from_millis(expires));
    let token = match read_text(&mut rest)? {
        None => None,
        Some(key) => {
            let key = IdempotencyKey::new(key).ok()?;
            let fingerprint = rest.try_get_u64_le().ok()?;
            Some((Token { key, fingerprint }, rest.try_get_u32_le().ok()?))
        }
    };
    let topic = read_text(&mut rest)??;
    Some(Brief { topic, time, expires, token, rest })
}

/// Reads the message, and the offset of the one before it in its topic.
pub(super) fn read_body(body: &[u8]) -> Option<(u64, Message)> {
    let Brief { topic, time, expires, mut rest, .. } = read_brief(body)?;
    let previous = u64::from_le_bytes(*body.first_chunk()?);
    let topic = Topic::new(topic).ok()?;
    let content_type = read_text(&mut rest)??.into();
    let event_type = EventType::new(read_text(&mut rest)??).ok()?;
    let from = read_text(&mut rest)?.map(Into::into);
    let key = read_text(&mut rest)?.map(Into::into);
    let count = rest.try_get_u16_le().ok()?;
    let manner = match count & HAS_MANNER {
        0 => Manner::default(),
        _ => read_manner(&mut rest)?,
    };
    let mut headers = Headers::default();
    for _ in 0..count & !HAS_MANNER {
        headers.add(read_text(&mut rest)??, read_text(&mut rest)??).ok()?;
    }
    let payload = Bytes::copy_from_slice(rest);
    let message = Message {
        topic,
        payload,
        content_type,
        event_type,
        headers,
        from,
        key,
        time,
        expires,
        manner,
    };
    Some((previous, message))
}

/// A text, which may be absent; nothing when the bytes are not right.
pub(super) fn read_text<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a str>> {
    let length = rest.try_get_u16_le().ok()?;
    if length == NONE {
        return Some(None);
    }
    let (text, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    Some(Some(std::str::from_utf8(text).ok()?))
}
