//! How a message is to be delivered, as the bytes of a record have it. Stands only in records of
//! messages that say anything of it.

use bytes::{Buf, BufMut, Bytes};
use tidings_model::{Manner, Quality, Reply};

use super::format::{read_text, write_text};

const QUALITY: u8 = 3;
const RETAIN: u8 = 1 << 2;
const IS_TEXT: u8 = 1 << 3;
const HAS_REPLY: u8 = 1 << 4;
const HAS_CORRELATION: u8 = 1 << 5;

pub(super) fn write_manner(out: &mut Vec<u8>, manner: &Manner) {
    let Manner { quality, retain, is_text, origin, reply } = manner;
    let correlation = reply.as_ref().and_then(|reply| reply.correlation.as_ref());
    out.put_u8(
        *quality as u8
            | if *retain { RETAIN } else { 0 }
            | if *is_text { IS_TEXT } else { 0 }
            | if reply.is_some() { HAS_REPLY } else { 0 }
            | if correlation.is_some() { HAS_CORRELATION } else { 0 },
    );
    out.put_u64_le(*origin);
    if let Some(reply) = reply {
        write_text(out, Some(&reply.topic));
    }
    if let Some(correlation) = correlation {
        out.put_u32_le(correlation.len() as u32);
        out.put_slice(correlation);
    }
}

/// Reads what [`write_manner`] wrote; nothing when the bytes are not that.
pub(super) fn read_manner(rest: &mut &[u8]) -> Option<Manner> {
    let flags = rest.try_get_u8().ok()?;
    let origin = rest.try_get_u64_le().ok()?;
    let has = |flag| flags & flag != 0;
    let reply = match has(HAS_REPLY) {
        false => None,
        true => {
            let topic = read_text(rest)??.into();
            let correlation = match has(HAS_CORRELATION) {
                false => None,
                true => {
                    let length = rest.try_get_u32_le().ok()? as usize;
                    let (bytes, after) = rest.split_at_checked(length)?;
                    *rest = after;
                    Some(Bytes::copy_from_slice(bytes))
                }
            };
            Some(Box::new(Reply { topic, correlation }))
        }
    };
    let quality = Quality::new(flags & QUALITY)?;
    Some(Manner { quality, retain: has(RETAIN), is_text: has(IS_TEXT), origin, reply })
}
