//! The names of a segment's topics as its index has them: one text after the other.

use bytes::{Buf, BufMut};

/// A list of names.
#[derive(Clone, Default)]
pub(in crate::disk) struct NameList {
    count: usize,
    /// Of each its length in 2 bytes and its text.
    bytes: Vec<u8>,
}

impl NameList {
    /// Adds a name, which is not longer than a topic may be.
    pub(in crate::disk) fn push(&mut self, name: &str) {
        self.count += 1;
        self.bytes.put_u16_le(name.len() as u16);
        self.bytes.put_slice(name.as_bytes());
    }

    pub(in crate::disk) fn len(&self) -> usize {
        self.count
    }

    /// The names in order.
    pub(in crate::disk) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || take(&mut rest))
    }

    /// Appends the names to a file's content; see [`NameList::decode`].
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_slice(&self.bytes);
    }

    /// Takes so many names from a file's content.
    pub(super) fn decode(rest: &mut &[u8], count: usize) -> Option<NameList> {
        let all = *rest;
        for _ in 0..count {
            take(rest)?;
        }
        Some(NameList { count, bytes: all[..all.len() - rest.len()].to_vec() })
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(rest.try_get_u16_le().ok()?);
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}
