//! Opening a directory: what is there, what is whole, and what is not.
//!
//! Must never pass over an offset: each is in a segment, or was removed, or is lost, and told.

use std::io;
use std::sync::Arc;

use tidings_model::GapReason;

use super::files::Disk;
use super::format::RECORD_BYTES_MIN;
use super::header::{HEADER_BYTES_MAX, SegmentHeader};
use super::marks::Marks;
use super::ordered::in_order;
use super::pieces::{Piece, pieces};
use super::rows::{self, Index, NameList};
use super::scan::{Scanned, scan};
use super::segment::{Hole, Segment};
use super::state::State;
use super::window::Window;

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

/// Most threads that load segments. Each holds an index twice while it reads it.
const LOADERS_MAX: usize = 4;

/// What segments are loaded for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To go on with them: by their indexes, and with what was never acknowledged cut off.
    Open,
    /// To know how they are: every record is read, and nothing changed.
    Check,
}

/// What a segment holds.
struct Contents {
    index: Index,
    /// Whether its index said so.
    is_indexed: bool,
    /// Whether it is known that another segment followed.
    is_followed: bool,
}

/// Loads every segment into `state`, with so many threads.
pub(super) fn load(
    disk: &dyn Disk,
    purpose: Purpose,
    marks: &Marks,
    threads: usize,
    state: &mut State,
) -> io::Result<Loaded> {
    for (topic, offset) in &marks.trims {
        state.remember_trim(topic, *offset);
    }
    let mut loaded = Loaded::default();
    let pieces = pieces(disk, purpose, marks)?;
    let epoch = state.epoch;
    // Whether the last of them is one that another followed.
    let mut is_followed = false;
    let mut before = (NameList::default(), Vec::new());
    let read = |piece: &Piece| contents(disk, purpose, piece, epoch);
    in_order(&pieces, threads.min(LOADERS_MAX), read, |piece, contents| -> io::Result<()> {
        let (Some(header), Some(mut contents)) = (piece.header, contents?) else {
            (loaded.is_open, is_followed) = (false, false);
            return unreadable(disk, purpose, piece, state, &mut loaded.damages);
        };
        let numbers = state.topics.number_all(&contents.index.names, (&before.0, &before.1));
        let numbers = numbers.ok_or_else(|| {
            let name = Segment::index_name(piece.base);
            io::Error::new(io::ErrorKind::InvalidData, format!("{name} has what is no topic"))
        })?;
        let names = std::mem::take(&mut contents.index.names);
        let damages = contents.index.damaged.iter().map(|&Hole { at, from, to }| Damage {
            file: Segment::name(piece.base),
            at,
            from,
            to,
        });
        loaded.damages.extend(damages);
        is_followed = contents.is_followed;
        loaded.is_open = piece.bound.is_none() && !is_followed && contents.index.damaged.is_empty();
        add(piece, header, contents, &numbers, loaded.is_open, state);
        before = (names, numbers);
        Ok(())
    })?;
    vanished(is_followed, marks, state, &mut loaded.damages);
    for damage in &loaded.damages {
        state.lose(damage.to, GapReason::Damaged);
        state.skip_to(damage.to);
    }
    for lost in &marks.lost {
        state.lose(lost.to, lost.reason);
        state.skip_to(lost.to);
    }
    Ok(loaded)
}

/// What a segment holds, unless its header cannot be read.
fn contents(
    disk: &dyn Disk,
    purpose: Purpose,
    piece: &Piece,
    epoch: u32,
) -> io::Result<Option<Contents>> {
    let Some(header) = piece.header else { return Ok(None) };
    let index = disk.read(&Segment::index_name(piece.base)).ok();
    let index = index.and_then(|bytes| rows::decode(&bytes, header.salt, epoch));
    let is_indexed = index.is_some();
    let is_followed = piece.bound.is_none() && (is_indexed || header.copy.is_some());
    let index = match index {
        Some(index) if purpose == Purpose::Open => index,
        index => {
            let bound = index.map(|index| index.through + 1).or(piece.bound);
            read(piece, &header, bound, purpose, epoch)?
        }
    };
    Ok(Some(Contents { index, is_indexed, is_followed }))
}

/// A log of format 1 says nothing of what was removed: that were always its oldest segments.
pub(super) fn from_format_1(disk: &dyn Disk, marks: &mut Marks) -> io::Result<()> {
    let bases = disk.list()?;
    let bases = bases.iter().filter_map(|name| name.strip_suffix(".segment")?.parse::<u64>().ok());
    if let Some(first) = bases.min() {
        marks.remove(1, first - 1);
    }
    Ok(())
}

/// Reads a segment record by record.
fn read(
    piece: &Piece,
    header: &SegmentHeader,
    bound: Option<u64>,
    purpose: Purpose,
    epoch: u32,
) -> io::Result<Index> {
    let Scanned { index, cut } = scan(&*piece.file, header, bound, epoch)?;
    if purpose == Purpose::Open {
        if let Some(cut) = cut {
            // It must not be met again.
            piece.file.set_size(cut)?;
        }
        // What was read may be what the process before wrote and the system did not, yet.
        piece.file.sync()?;
    }
    Ok(index)
}

/// Adds a segment to what is known.
fn add(
    piece: &Piece,
    header: SegmentHeader,
    contents: Contents,
    numbers: &[u32],
    is_open: bool,
    state: &mut State,
) {
    let Index { bytes, mut rows, through, damaged, tokens, .. } = contents.index;
    rows.number(numbers);
    state.remembered.extend(tokens.iter().cloned());
    let file = Arc::clone(&piece.file);
    if is_open {
        state.begin_segment(Segment { tokens, ..Segment::new(header, file) });
        (0..rows.len()).for_each(|row| state.push(rows.get(row)));
        return;
    }
    let is_indexed = contents.is_indexed;
    let tokens = if is_indexed { Vec::new() } else { tokens };
    let segment = Segment { through, damaged, tokens, is_indexed, ..Segment::new(header, file) };
    state.add_sealed(segment, rows, &bytes);
}

/// A file whose header cannot be read: nobody knows what records are in it.
fn unreadable(
    disk: &dyn Disk,
    purpose: Purpose,
    piece: &Piece,
    state: &mut State,
    damages: &mut Vec<Damage>,
) -> io::Result<()> {
    let name = Segment::name(piece.base);
    let to = match piece.bound {
        Some(bound) => bound - 1,
        // The last one may have been made and not begun; nothing was ever stored in it.
        None if Window::new(&*piece.file)?.is_blank(HEADER_BYTES_MAX as u64 / 2)? => {
            if purpose == Purpose::Open {
                disk.remove(&name)?;
            }
            return Ok(());
        }
        // Nobody knows how many there were, but not more than would fit.
        None => piece.base + piece.file.size()? / RECORD_BYTES_MIN,
    };
    damages.push(Damage { file: name, at: 0, from: piece.base, to });
    state.skip_to(to);
    Ok(())
}

/// Offsets that were given and that nothing stands for: somebody else has removed a file.
fn vanished(is_followed: bool, marks: &Marks, state: &State, damages: &mut Vec<Damage>) {
    let segments = state.segments.iter().map(|s| (s.header.base, s.through));
    let known = segments
        .chain(damages.iter().map(|damage| (damage.from, damage.to)))
        .chain(marks.removed.iter().copied())
        .chain(marks.lost.iter().map(|lost| (lost.from, lost.to)));
    let mut known: Vec<(u64, u64)> = known.collect();
    known.sort_unstable();
    let mut next = 1;
    for (from, to) in known {
        if from > next {
            let file = Segment::name(next);
            damages.push(Damage { file, at: 0, from: next, to: from - 1 });
        }
        next = next.max(to + 1);
    }
    // What is sealed was followed by something. Nobody knows how much, but not more than would fit.
    if is_followed {
        let file = Segment::name(next);
        let to = next - 1 + u64::from(u32::MAX) / RECORD_BYTES_MIN;
        damages.push(Damage { file, at: 0, from: next, to });
    }
}
