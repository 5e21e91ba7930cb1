//! Opening a directory: what is there, what is whole, and what is not.
//!
//! Must never take damage for a torn end, nor a torn end for damage. Each record says up to where
//! everything was durable when it was written. So a place that cannot be read, with a later record
//! that says it was durable, was once right: that is damage, and it is told. With none, the end was
//! being written when the power went: nobody was told it was durable.

use std::collections::HashMap;
use std::io;

use tidings_model::{GapReason, Time, Topic};

use super::files::{Disk, DiskFile, read_fully};
use super::format::{
    self, RECORD_BYTES_MIN, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use super::marks::Marks;
use super::segment::{HOLE, Segment, read_index};
use super::state::State;
use crate::{Remembered, Token};

/// Damage that was found: the last good offset before it, and the last offset it may concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Where in the file it begins.
    pub at: u64,
    /// The first offset that is lost.
    pub from: u64,
    /// The last offset that is lost.
    pub to: u64,
}

/// What was loaded.
#[derive(Default)]
pub(super) struct Loaded {
    /// What was damaged.
    pub(super) damages: Vec<Damage>,
    /// Whether the last segment can be written on; otherwise another must be begun.
    pub(super) is_open: bool,
}

/// What segments are loaded for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To go on with them: by their indexes, and with what was never acknowledged cut off.
    Open,
    /// To know how they are: every record is read, and nothing changed.
    Check,
}

/// Loads every segment into `state`.
pub(super) fn load(
    disk: &dyn Disk,
    purpose: Purpose,
    marks: &Marks,
    state: &mut State,
) -> io::Result<Loaded> {
    for (topic, offset) in &marks.trims {
        state.remember_trim(topic, *offset);
    }
    let mut bases: Vec<u64> = disk
        .list()?
        .iter()
        .filter_map(|name| name.strip_suffix(".segment")?.parse().ok())
        .collect();
    bases.sort_unstable();
    let mut loaded = Loaded::default();
    for (position, &base) in bases.iter().enumerate() {
        // A segment ends where another begins, or where offsets were skipped.
        let lost = marks.lost.iter().map(|lost| lost.from).filter(|&from| from >= base);
        let next = bases.get(position + 1).copied().into_iter().chain(lost).min();
        loaded.is_open = load_segment(disk, base, next, purpose, state, &mut loaded.damages)?;
    }
    for damage in &loaded.damages {
        state.lose(damage.to, GapReason::Damaged);
    }
    for lost in &marks.lost {
        state.lose(lost.to, lost.reason);
        state.skip_to(lost.to);
    }
    Ok(loaded)
}

/// Loads one segment; says whether it can be written on.
fn load_segment(
    disk: &dyn Disk,
    base: u64,
    next: Option<u64>,
    purpose: Purpose,
    state: &mut State,
    damages: &mut Vec<Damage>,
) -> io::Result<bool> {
    let name = Segment::name(base);
    let file = disk.open(&name)?;
    let mut head = [0; SEGMENT_HEADER_BYTES as usize];
    read_fully(&*file, &mut head, 0)?;
    let Some(header) = SegmentHeader::decode(&head).filter(|header| header.base == base) else {
        let rest = file.size()?.saturating_sub(SEGMENT_HEADER_BYTES);
        let to = match next {
            Some(next) => next - 1,
            // The last one may have been made and not begun; nothing was ever stored in it.
            None if is_blank(&*file, SEGMENT_HEADER_BYTES)? => {
                if purpose == Purpose::Open {
                    disk.remove(&name)?;
                }
                return Ok(false);
            }
            // Nobody knows how many there were, but not more than would fit.
            None => base + rest / RECORD_BYTES_MIN,
        };
        damages.push(Damage { file: name, at: 0, from: base, to });
        state.skip_to(to);
        return Ok(false);
    };
    state.begin_segment(Segment::new(header, file.clone()));
    let epoch = state.end().epoch;
    let index = match next {
        Some(_) if purpose == Purpose::Open => disk.read(&Segment::index_name(base)).ok(),
        _ => None,
    };
    if let Some(index) = index.and_then(|bytes| read_index(&bytes, &header, epoch)) {
        let numbers: Vec<u32> = index.topics.iter().map(|topic| state.number(topic)).collect();
        let expires: HashMap<u64, Time> = index.expires.into_iter().collect();
        state.remembered.extend(index.tokens);
        for (row, &at) in index.at.iter().enumerate() {
            let topic = numbers.get(index.topic[row] as usize).copied().unwrap_or(HOLE);
            let time = header.time + std::time::Duration::from_secs(index.age[row].into());
            let end = index.at.get(row + 1).copied().unwrap_or(index.end_at);
            let offset = base + row as u64;
            state.push(at, topic, time, expires.get(&offset).copied(), end - at);
        }
        return Ok(false);
    }
    let cut = scan(&name, &*file, &header, next, state, damages)?;
    if purpose == Purpose::Open {
        if let Some(cut) = cut {
            // It must not be met again.
            file.set_size(cut)?;
        }
        // What was read may be what the process before wrote and the system did not, yet.
        file.sync()?;
    }
    Ok(next.is_none())
}

/// Whether a file holds nothing but zeros from `at` on.
fn is_blank(file: &dyn DiskFile, mut at: u64) -> io::Result<bool> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = read_fully(file, &mut buffer, at)?;
        if buffer[..count].iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        if count < buffer.len() {
            return Ok(true);
        }
        at += count as u64;
    }
}

/// Reads a segment record by record. Returns where it has to be cut, if anything stands behind its
/// end: that was never acknowledged.
fn scan(
    name: &str,
    file: &dyn DiskFile,
    header: &SegmentHeader,
    next: Option<u64>,
    state: &mut State,
    damages: &mut Vec<Damage>,
) -> io::Result<Option<u64>> {
    let mut bytes = vec![0; file.size()? as usize];
    let count = read_fully(file, &mut bytes, 0)?;
    bytes.truncate(count);
    let mut at = SEGMENT_HEADER_BYTES as usize;
    let mut batch: Vec<Scanned> = Vec::new();
    let mut batch_at = at;
    loop {
        let expected = state.end().offset + 1 + batch.len() as u64;
        let read = format::record(&bytes[at.min(bytes.len())..], header.salt, at as u64);
        if let Some((found, body)) = read
            && found.offset == expected
            && let Some(scanned) = Scanned::new(at, &found, body)
        {
            batch.push(scanned);
            at += found.record_bytes() as usize;
            if found.batch_end {
                batch.drain(..).for_each(|scanned| scanned.push(state));
                batch_at = at;
            }
            continue;
        }
        let rest = &bytes[at.min(bytes.len())..];
        // Mostly there is nothing but reserved room, and no need to look for records in it.
        if rest.iter().all(|&byte| byte == 0) {
            break;
        }
        let later = find_later(&bytes, at, header.salt, expected, next.is_some());
        let Some((later_at, later_offset)) = later else { break };
        // What of its batch came before the damage is as good as the rest.
        batch.drain(..).for_each(|scanned| scanned.push(state));
        let (from, to) = (expected, later_offset - 1);
        damages.push(Damage { file: name.to_owned(), at: at as u64, from, to });
        (from..=to).for_each(|_| state.push(at as u32, HOLE, Time::default(), None, 0));
        (at, batch_at) = (later_at, later_at);
    }
    match next {
        // A sealed segment that ends too early has lost its end.
        Some(next) if state.end().offset + 1 < next => {
            let from = state.end().offset + 1;
            damages.push(Damage { file: name.to_owned(), at: at as u64, from, to: next - 1 });
            Ok(None)
        }
        None if bytes[batch_at.min(bytes.len())..].iter().any(|&byte| byte != 0) => {
            Ok(Some(batch_at as u64))
        }
        _ => Ok(None),
    }
}

/// A later record that proves the bytes at `at` were right once: one of the same segment, with a
/// later offset, written when `at` was durable; in a sealed segment, any later record.
fn find_later(
    bytes: &[u8],
    at: usize,
    salt: u32,
    expected: u64,
    sealed: bool,
) -> Option<(usize, u64)> {
    let mut first = None;
    let mut place = at + 1;
    while place + RECORD_HEADER_BYTES <= bytes.len() {
        let found = RecordHeader::parse(&bytes[place..])
            .and_then(|_| format::record(&bytes[place..], salt, place as u64))
            .filter(|(header, _)| header.offset > expected);
        let Some((header, _)) = found else {
            place += 1;
            continue;
        };
        let proof = *first.get_or_insert((place, header.offset));
        if sealed || header.durable as usize > at {
            return Some(proof);
        }
        place += header.record_bytes() as usize;
    }
    None
}

/// A whole record, until its batch is known to be whole.
struct Scanned {
    at: u32,
    bytes: u32,
    topic: Topic,
    time: Time,
    expires: Option<Time>,
    token: Option<(Token, u32)>,
}

impl Scanned {
    fn new(at: usize, header: &RecordHeader, body: &[u8]) -> Option<Scanned> {
        let brief = format::read_brief(body)?;
        Some(Scanned {
            at: at as u32,
            bytes: header.record_bytes() as u32,
            topic: Topic::new(brief.topic).ok()?,
            time: brief.time,
            expires: brief.expires,
            token: brief.token,
        })
    }

    fn push(self, state: &mut State) {
        let number = state.number(&self.topic);
        state.push(self.at, number, self.time, self.expires, self.bytes);
        if let Some((token, count)) = self.token {
            let Scanned { topic, time, .. } = self;
            let remembered = Remembered { topic, token, time, last: state.end(), count };
            state.remembered.push(remembered.clone());
            state.remember(remembered);
        }
    }
}
