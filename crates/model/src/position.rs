//! Where a reader stands. The text form is opaque to clients and equal on every transport.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The logs there are. A topic lives in exactly one of them, chosen by its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKind {
    /// For topics whose messages must outlive the process.
    Durable,
    /// For topics whose messages may be forgotten with the process.
    Volatile,
}

impl LogKind {
    /// Every log, in the order positions list them and readers read them.
    pub const ALL: [LogKind; 2] = [LogKind::Durable, LogKind::Volatile];

    /// The name as configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            LogKind::Durable => "durable",
            LogKind::Volatile => "volatile",
        }
    }
}

/// One value for each log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerLog<T>([T; 2]);

impl<T> PerLog<T> {
    /// What `make` gives for each log.
    pub fn from_fn(mut make: impl FnMut(LogKind) -> T) -> PerLog<T> {
        PerLog(LogKind::ALL.map(&mut make))
    }
}

impl<T> PerLog<T> {
    /// The values, in the order of the logs.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter()
    }
}

impl<T> std::ops::Index<LogKind> for PerLog<T> {
    type Output = T;

    fn index(&self, log: LogKind) -> &T {
        &self.0[log as usize]
    }
}

impl<T> std::ops::IndexMut<LogKind> for PerLog<T> {
    fn index_mut(&mut self, log: LogKind) -> &mut T {
        &mut self.0[log as usize]
    }
}

/// A place in one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Which life of the log: offsets of different epochs cannot be compared.
    pub epoch: u32,
    /// The log's own sequence; its first message has offset 1. As a reader's place it means:
    /// everything up to and including this offset has been seen.
    pub offset: u64,
}

/// Where a reader stands: one [`Mark`] for each log it reads.
///
/// One position covers all topics of a subscription. Its text form (`Display`, `FromStr`) is
/// short and safe in URLs and header fields; clients keep it and give it back, nothing else.
///
/// Every reader, every event on its way and many a machine has one: so it is kept small, which a
/// `PerLog<Option<Mark>>` would not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Nothing but zeros where the position has no place.
    offsets: [u64; 2],
    epochs: [u32; 2],
    has: [bool; 2],
}

/// Why a text is not a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Damaged, cut, made up, or of a later version.
    #[error("this is not a position that a server gave out")]
    Malformed,
}

impl Position {
    /// The position at one place of one log.
    pub fn at(log: LogKind, mark: Mark) -> Position {
        Position::default().with(log, mark)
    }

    /// This position, moved to `mark` in `log`.
    #[must_use]
    pub fn with(mut self, log: LogKind, mark: Mark) -> Position {
        let index = log as usize;
        (self.has[index], self.epochs[index], self.offsets[index]) =
            (true, mark.epoch, mark.offset);
        self
    }

    /// This position, moved on by whatever `other` is ahead in. A mark of another epoch replaces
    /// ours: who compares epochs has done so before.
    #[must_use]
    pub fn advanced_by(mut self, other: Position) -> Position {
        for log in LogKind::ALL {
            match (self.get(log), other.get(log)) {
                (Some(mine), Some(theirs))
                    if mine.epoch == theirs.epoch && mine.offset >= theirs.offset => {}
                (_, Some(theirs)) => self = self.with(log, theirs),
                (_, None) => {}
            }
        }
        self
    }

    /// Whether everything up to `mark` in `log` has been seen here.
    pub fn covers(&self, log: LogKind, mark: Mark) -> bool {
        self.get(log).is_some_and(|at| at.epoch == mark.epoch && at.offset >= mark.offset)
    }

    /// The position's text with a number behind it that means nothing to whoever reads it. It makes
    /// the address of a reader's next request another one than that of its last, so that caches
    /// in between do not answer it with what they have.
    pub fn with_turn(&self, turn: u64) -> String {
        format!("{self}{TURN}{turn}")
    }

    /// The place in `log`, when this position has one.
    pub fn get(&self, log: LogKind) -> Option<Mark> {
        let index = log as usize;
        let (epoch, offset) = (self.epochs[index], self.offsets[index]);
        self.has[index].then_some(Mark { epoch, offset })
    }
}

/// What stands between a position's text and its turn.
const TURN: char = '~';

/// Longest turn, in digits: any number of 64 bits.
const TURN_MAX: usize = 20;

fn is_turn(text: &str) -> bool {
    (1..=TURN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Version of the text form, in the first byte's upper half.
const VERSION: u8 = 1;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(24);
        let present = LogKind::ALL
            .iter()
            .fold(0, |bits, &log| bits | u8::from(self.get(log).is_some()) << (log as u8));
        bytes.push(VERSION << 4 | present);
        for mark in LogKind::ALL.into_iter().filter_map(|log| self.get(log)) {
            bytes.extend_from_slice(&mark.epoch.to_be_bytes());
            let mut rest = mark.offset;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        bytes.extend_from_slice(&checksum(&bytes).to_be_bytes());
        let mut text = [0; 64];
        let length = URL_SAFE_NO_PAD.encode_slice(&bytes, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Position, PositionError> {
        let text = match text.split_once(TURN) {
            Some((text, turn)) if is_turn(turn) => text,
            _ => text,
        };
        let mut buffer = [0; 48];
        let length = URL_SAFE_NO_PAD
            .decode_slice(text, &mut buffer)
            .map_err(|_| PositionError::Malformed)?;
        parse(&buffer[..length]).ok_or(PositionError::Malformed)
    }
}

fn parse(bytes: &[u8]) -> Option<Position> {
    let (body, sum) = bytes.split_last_chunk::<2>()?;
    if checksum(body) != u16::from_be_bytes(*sum) {
        return None;
    }
    let (&first, mut rest) = body.split_first()?;
    if first >> 4 != VERSION || first & 0x0c != 0 {
        return None;
    }
    let mut position = Position::default();
    for log in LogKind::ALL.into_iter().filter(|&log| first & (1 << (log as u8)) != 0) {
        let (epoch, after) = rest.split_first_chunk::<4>()?;
        let (offset, after) = varint(after)?;
        position = position.with(log, Mark { epoch: u32::from_be_bytes(*epoch), offset });
        rest = after;
    }
    rest.is_empty().then_some(position)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// FNV-1a folded to 16 bits. It tells damage and guesses from real positions; it is no secret,
/// and need not be: a position opens nothing that its reader may not read anyway.
fn checksum(bytes: &[u8]) -> u16 {
    let hash = bytes
        .iter()
        .fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 16) as u16 ^ hash as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(epoch: u32, offset: u64) -> Mark {
        Mark { epoch, offset }
    }

    #[test]
    fn the_text_is_short_and_safe_in_urls() {
        let text = Position::at(LogKind::Durable, mark(0xdead_beef, 1_000_000)).to_string();
        assert!(text.len() <= 14, "{text}");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn made_up_texts_are_refused() {
        for text in ["", "0", "now", "AAAA", "not/base64", &"A".repeat(100)] {
            assert_eq!(text.parse::<Position>(), Err(PositionError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn a_turn_means_nothing() {
        let position = Position::at(LogKind::Durable, mark(7, 1000));
        for turn in [0, 7, u64::MAX] {
            assert_eq!(position.with_turn(turn).parse(), Ok(position));
        }
        for turn in ["~", "~x", "~1~2", "~-1", "~000000000000000000001"] {
            let text = format!("{position}{turn}");
            assert_eq!(text.parse::<Position>(), Err(PositionError::Malformed), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_position_survives_its_text(
            durable in proptest::option::of((0_u32.., 0_u64..1 << 62)),
            volatile in proptest::option::of((0_u32.., 0_u64..1 << 62)),
        ) {
            let mut position = Position::default();
            for (log, place) in LogKind::ALL.into_iter().zip([durable, volatile]) {
                if let Some((epoch, offset)) = place {
                    position = position.with(log, mark(epoch, offset));
                }
            }
            proptest::prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        /// One changed character never yields another valid position unnoticed more often than
        /// the checksum allows; here it is only required not to panic or to keep the same value.
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<Position>();
        }
    }
}
