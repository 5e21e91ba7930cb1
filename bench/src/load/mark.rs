//! What a message of ours ends with, and finding it in whatever a server sends.
//!
//! The mark is plain text that every protocol carries as it is, so the same search finds it in
//! frames, events, chunks and packets. It is the end of the payload: who has it has all of it.
//! Must never take part of a mark for one.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How a mark begins.
const MAGIC: &[u8] = b"TdMk";
/// Digits of the stream, of the number in it, and of the time.
const DIGITS: [usize; 3] = [6, 8, 16];
/// The length of a mark, and so of the shortest payload.
pub(crate) const MARK_BYTES: usize = 4 + 6 + 8 + 16;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MAGIC));

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// One publisher's messages of one topic.
    pub(crate) stream: u32,
    /// Counted from 0 in the stream.
    pub(crate) number: u32,
    /// When it was meant to be sent, by our own clock.
    pub(crate) time: u64,
}

/// Writes a payload of this many bytes, and at least those of its mark.
pub(crate) fn write_payload(out: &mut Vec<u8>, bytes: usize, mark: Mark) {
    const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
    let mut left = bytes.saturating_sub(MARK_BYTES);
    while left > 0 {
        let part = left.min(LETTERS.len());
        out.extend_from_slice(&LETTERS[..part]);
        left -= part;
    }
    out.extend_from_slice(MAGIC);
    let values = [u64::from(mark.stream), u64::from(mark.number), mark.time];
    for (value, digits) in values.into_iter().zip(DIGITS) {
        for digit in (0..digits).rev() {
            let nibble = (value >> (4 * digit) & 0xf) as u8;
            out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
    }
}

/// Finds the marks in a stream of bytes, wherever it is cut.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// What may be the beginning of a mark.
    carry: Vec<u8>,
}

impl Scanner {
    /// Takes the next bytes and hands over each mark that is now complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(Mark)) {
        if !self.carry.is_empty() {
            let known = self.carry.len();
            let part = bytes.len().min(MARK_BYTES);
            self.carry.extend_from_slice(&bytes[..part]);
            let joined = std::mem::take(&mut self.carry);
            let end = self.search(&joined, known, &mut take);
            if !self.carry.is_empty() && part == bytes.len() {
                return;
            }
            // What began in the old bytes has ended; the rest is searched by itself.
            self.carry.clear();
            bytes = &bytes[end.saturating_sub(known)..];
        }
        self.search(bytes, bytes.len(), &mut take);
    }

    /// Whether nothing is begun.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.carry.is_empty()
    }

    /// Hands over the marks that begin before `begin_max`; keeps what may be the beginning of one.
    /// Returns where the last mark ended.
    fn search(&mut self, bytes: &[u8], begin_max: usize, take: &mut impl FnMut(Mark)) -> usize {
        let mut at = 0;
        while let Some(found) = FINDER.find(&bytes[at..]) {
            let begin = at + found;
            if begin >= begin_max {
                return at;
            }
            let Some(text) = bytes.get(begin..begin + MARK_BYTES) else {
                self.carry.extend_from_slice(&bytes[begin..]);
                return at;
            };
            match parse(text) {
                Some(mark) => {
                    take(mark);
                    at = begin + MARK_BYTES;
                }
                None => at = begin + 1,
            }
        }
        let begins = (1..MAGIC.len()).rev().find(|length| bytes[at..].ends_with(&MAGIC[..*length]));
        if let Some(length) = begins.filter(|length| bytes.len() - length < begin_max) {
            self.carry.extend_from_slice(&bytes[bytes.len() - length..]);
        }
        at
    }
}

/// Reads a whole mark.
pub(super) fn parse(text: &[u8]) -> Option<Mark> {
    let mut rest = text.strip_prefix(MAGIC)?;
    let mut values = [0_u64; 3];
    for (value, digits) in values.iter_mut().zip(DIGITS) {
        let (digits, behind) = rest.split_at_checked(digits)?;
        rest = behind;
        for digit in digits {
            *value = *value << 4 | u64::from(char::from(*digit).to_digit(16)?);
        }
    }
    let [stream, number, time] = values;
    Some(Mark { stream: u32::try_from(stream).ok()?, number: u32::try_from(number).ok()?, time })
}

/// The place of the last mark within some bytes.
pub(super) fn last_mark(bytes: &[u8]) -> Option<usize> {
    let mut last = None;
    for begin in FINDER.find_iter(bytes) {
        if bytes.get(begin..begin + MARK_BYTES).is_some_and(|text| parse(text).is_some()) {
            last = Some(begin);
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u32) -> Mark {
        Mark { stream: 0x00ab_cdef, number, time: 0x0123_4567_89ab_cdef }
    }

    #[test]
    fn a_payload_has_its_length_and_ends_with_its_mark() {
        for bytes in [0, 34, 35, 60, 200] {
            let mut out = Vec::new();
            write_payload(&mut out, bytes, mark(7));
            assert_eq!(out.len(), bytes.max(MARK_BYTES));
            assert_eq!(parse(&out[out.len() - MARK_BYTES..]), Some(mark(7)));
        }
    }

    #[test]
    fn marks_are_found_wherever_the_stream_is_cut() {
        let mut stream = b"TdTdMTdMkzTdMkTdMk".to_vec();
        for number in 0..4 {
            write_payload(&mut stream, 36, mark(number));
            stream.extend_from_slice(if number == 1 { b"" } else { b"\"}\r\nTdM" });
        }
        for size in 1..stream.len() {
            let mut found = Vec::new();
            let mut scanner = Scanner::default();
            for piece in stream.chunks(size) {
                scanner.feed(piece, |mark| found.push(mark));
                scanner.feed(b"", |mark| found.push(mark));
            }
            assert_eq!(found, [0, 1, 2, 3].map(mark), "in pieces of {size}");
            assert!(!scanner.is_idle());
            scanner.feed(b"x", |_| ());
            assert!(scanner.is_idle());
        }
    }
}
