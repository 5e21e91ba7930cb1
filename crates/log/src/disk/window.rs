//! A file that is read from its beginning to its end, a part at a time.

use std::io;

use super::files::{DiskFile, read_fully};

/// How much of a file is read at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// A file that is read from its beginning to its end.
pub(super) struct Window<'a> {
    file: &'a dyn DiskFile,
    size: u64,
    /// What was read last, and where it begins.
    begin: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a dyn DiskFile) -> io::Result<Window<'a>> {
        Ok(Window { file, size: file.size()?, begin: 0, bytes: Vec::new() })
    }

    /// The bytes at a place, as many as there are.
    pub(super) fn get(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        let end = at.saturating_add(length).min(self.size).max(at);
        if at < self.begin || end > self.begin + self.bytes.len() as u64 {
            let want = (end - at).max(WINDOW_BYTES.min(self.size.saturating_sub(at)));
            self.begin = at;
            self.bytes.resize(want as usize, 0);
            let count = read_fully(self.file, &mut self.bytes, at)?;
            self.bytes.truncate(count);
        }
        let from = (at - self.begin) as usize;
        let end = ((end - self.begin) as usize).min(self.bytes.len());
        Ok(self.bytes.get(from..end).unwrap_or_default())
    }

    /// Whether there is nothing but zeros from a place on.
    pub(super) fn is_blank(&mut self, mut at: u64) -> io::Result<bool> {
        while at < self.size {
            let bytes = self.get(at, WINDOW_BYTES)?;
            // All of a part at once, which is faster than to stop at the first.
            let is_blank = |part: &[u8]| part.iter().fold(0, |all, byte| all | byte) == 0;
            if !bytes.chunks(4096).all(is_blank) {
                return Ok(false);
            }
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }

    /// Everything from a place on.
    pub(super) fn rest(&self, at: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.size.saturating_sub(at) as usize];
        let count = read_fully(self.file, &mut bytes, at)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}
