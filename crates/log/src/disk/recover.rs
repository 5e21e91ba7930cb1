//! Opening a directory: what is there, what is whole, and what is not.
//!
//! Must never pass over an offset: each is in a segment, or was removed, or is lost, and told.

use std::io;
use std::sync::Arc;

use tidings_model::GapReason;

use super::files::{Disk, DiskFile, read_fully};
use super::format::{HEADER_BYTES_MAX, RECORD_BYTES_MIN, SegmentHeader};
use super::marks::Marks;
use super::rows::{self, Index};
use super::scan::{Scanned, is_blank, scan};
use super::segment::{Hole, Segment};
use super::state::State;

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

/// A segment's file.
struct Piece {
    base: u64,
    file: Arc<dyn DiskFile>,
    /// Nothing when it cannot be read.
    header: Option<SegmentHeader>,
    /// The offset at which something else begins, if anything does.
    bound: Option<u64>,
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
    let mut loaded = Loaded::default();
    let pieces = pieces(disk, purpose, marks)?;
    // Whether the last of them is one that another followed.
    let mut is_followed = false;
    for piece in &pieces {
        let Some(header) = piece.header else {
            (loaded.is_open, is_followed) = (false, false);
            unreadable(disk, purpose, piece, state, &mut loaded.damages)?;
            continue;
        };
        let index = disk.read(&Segment::index_name(piece.base)).ok();
        let index = index.and_then(|bytes| rows::decode(&bytes, header.salt, state.epoch));
        let is_indexed = index.is_some();
        is_followed = piece.bound.is_none() && (is_indexed || header.copy.is_some());
        let index = match index {
            Some(index) if purpose == Purpose::Open => index,
            index => {
                let bound = index.map(|index| index.through + 1).or(piece.bound);
                read(piece, &header, bound, purpose, state.epoch)?
            }
        };
        let damages = index.damaged.iter().map(|&Hole { at, from, to }| Damage {
            file: Segment::name(piece.base),
            at,
            from,
            to,
        });
        loaded.damages.extend(damages);
        loaded.is_open = piece.bound.is_none() && !is_followed && index.damaged.is_empty();
        add(piece, header, index, is_indexed, loaded.is_open, state);
    }
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

/// The segments' files in the order of their offsets, without those that are left over from removing
/// or copying.
fn pieces(disk: &dyn Disk, purpose: Purpose, marks: &Marks) -> io::Result<Vec<Piece>> {
    let mut names = disk.list()?;
    names.sort_unstable();
    if purpose == Purpose::Open {
        remove_remains(disk, &names)?;
    }
    let bases = names.iter().filter_map(|name| name.strip_suffix(".segment")?.parse().ok());
    let mut pieces: Vec<Piece> = Vec::new();
    for base in bases {
        let copied = pieces.last().and_then(|last| last.header?.copy);
        let is_left_over = copied.is_some_and(|copy| base <= copy.through)
            || marks.removed.iter().any(|&(from, to)| from <= base && base <= to);
        if is_left_over {
            if purpose == Purpose::Open {
                disk.remove(&Segment::name(base))?;
            }
            continue;
        }
        let file = disk.open(&Segment::name(base))?;
        let mut head = [0; HEADER_BYTES_MAX];
        let count = read_fully(&*file, &mut head, 0)?;
        let header = SegmentHeader::decode(&head[..count]).filter(|header| header.base == base);
        pieces.push(Piece { base, file, header, bound: None });
    }
    let elsewhere = marks.removed.iter().map(|removed| removed.0);
    let elsewhere: Vec<u64> = elsewhere.chain(marks.lost.iter().map(|lost| lost.from)).collect();
    let mut next = None;
    for piece in pieces.iter_mut().rev() {
        let behind = elsewhere.iter().copied().filter(|&from| from >= piece.base);
        piece.bound = behind.chain(next).min();
        next = Some(piece.base);
    }
    Ok(pieces)
}

/// Removes what a process that was stopped did not come to remove: indexes without their segments,
/// and files that were never put in their place.
fn remove_remains(disk: &dyn Disk, names: &[String]) -> io::Result<()> {
    let is_left_over = |name: &&String| {
        let segment = name.strip_suffix(".index").map(|base| format!("{base}.segment"));
        name.ends_with(".new")
            || segment.is_some_and(|segment| names.binary_search(&segment).is_err())
    };
    names.iter().filter(is_left_over).try_for_each(|name| disk.remove(name))
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
    index: Index,
    is_indexed: bool,
    is_open: bool,
    state: &mut State,
) {
    let Index { names, bytes, mut rows, through, damaged, tokens } = index;
    rows.number(names.iter().map(|name| state.topics.number(name)).collect());
    state.remembered.extend(tokens.iter().cloned());
    let file = Arc::clone(&piece.file);
    if is_open {
        state.begin_segment(Segment { tokens, ..Segment::new(header, file) });
        (0..rows.len()).for_each(|row| state.push(rows.get(row)));
        return;
    }
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
        None if is_blank(&*piece.file, HEADER_BYTES_MAX as u64 / 2)? => {
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
