//! What is in a file of the fake disk: what is certain, and what is only seen.

use std::ops::Range;

/// Bytes that are written together or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Default)]
pub(super) struct Content {
    /// What the disk has for certain,
    durable: Vec<u8>,
    /// and what a reader sees.
    current: Vec<u8>,
    /// Where they may differ.
    dirty: Range<usize>,
}

impl Content {
    /// Content that was synced.
    pub(super) fn durable(bytes: Vec<u8>) -> Content {
        Content { durable: bytes.clone(), current: bytes, dirty: 0..0 }
    }

    /// What a reader sees.
    pub(super) fn seen(&self) -> &[u8] {
        &self.current
    }

    /// Puts bytes at a place; the file grows as needed.
    pub(super) fn write(&mut self, bytes: &[u8], at: usize) {
        let end = at + bytes.len();
        if self.current.len() < end {
            self.resize(end);
        }
        self.current[at..end].copy_from_slice(bytes);
        self.touch(at..end);
    }

    /// Cuts the file, or makes it longer by zeros.
    pub(super) fn resize(&mut self, bytes: usize) {
        let before = self.current.len();
        self.current.resize(bytes, 0);
        self.touch(before.min(bytes)..before.max(bytes));
    }

    fn touch(&mut self, range: Range<usize>) {
        self.dirty = if self.dirty.is_empty() {
            range
        } else {
            self.dirty.start.min(range.start)..self.dirty.end.max(range.end)
        };
    }

    /// Makes the disk have what a reader sees.
    pub(super) fn sync(&mut self) {
        let length = self.current.len();
        self.durable.resize(length, 0);
        let range = self.dirty.start.min(length)..self.dirty.end.min(length);
        self.durable[range.clone()].copy_from_slice(&self.current[range]);
        self.dirty = 0..0;
    }

    /// The system no longer knows that there was something to write.
    pub(super) fn forget(&mut self) {
        self.dirty = 0..0;
    }

    /// What is left when the power has gone.
    pub(super) fn after_power_loss(&self, chance: &mut impl FnMut() -> bool) -> Content {
        let (old, new) = (&self.durable, &self.current);
        if old == new {
            return Content::durable(old.clone());
        }
        let mut result = vec![0; if chance() { new.len() } else { old.len() }];
        for (number, sector) in result.chunks_mut(SECTOR).enumerate() {
            let from = if chance() { new } else { old };
            let begin = (number * SECTOR).min(from.len());
            let end = (begin + sector.len()).min(from.len());
            sector[..end - begin].copy_from_slice(&from[begin..end]);
        }
        Content::durable(result)
    }
}
