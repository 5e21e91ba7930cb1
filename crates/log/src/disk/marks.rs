//! What has to be remembered of messages whose segments are gone: how far each topic was trimmed.

use std::io;

use bytes::{Buf, BufMut};
use tidings_model::Topic;

use super::files::Disk;

/// The file, and what it begins with.
pub(super) const NAME: &str = "marks";
const MAGIC: [u8; 8] = *b"TIDMRK\x00\x01";

/// Replaces what was remembered. Durable on return.
pub(super) fn save(disk: &dyn Disk, trims: &[(Topic, u64)]) -> io::Result<()> {
    let mut out = Vec::with_capacity(16 + trims.len() * 24);
    out.put_slice(&MAGIC);
    out.put_u32_le(trims.len() as u32);
    for (topic, offset) in trims {
        out.put_u16_le(topic.as_str().len() as u16);
        out.put_slice(topic.as_str().as_bytes());
        out.put_u64_le(*offset);
    }
    let crc = crc32c::crc32c(&out);
    out.put_u32_le(crc);
    disk.replace(NAME, &out)
}

/// What was remembered; empty when there is nothing.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub(super) fn load(disk: &dyn Disk) -> io::Result<Vec<(Topic, u64)>> {
    match disk.read(NAME) {
        Ok(bytes) => parse(&bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the file {NAME} is damaged"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<(Topic, u64)>> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut rest = body.strip_prefix(&MAGIC)?;
    let mut trims = Vec::new();
    for _ in 0..rest.try_get_u32_le().ok()? {
        let length = usize::from(rest.try_get_u16_le().ok()?);
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        let topic = Topic::new(std::str::from_utf8(name).ok()?).ok()?;
        trims.push((topic, rest.try_get_u64_le().ok()?));
    }
    Some(trims)
}
