//! Which files of the folder are segments, and which are only left over.

use std::io;
use std::sync::Arc;

use super::files::{Disk, DiskFile, read_fully};
use super::header::{HEADER_BYTES_MAX, SegmentHeader};
use super::marks::Marks;
use super::recover::Purpose;
use super::segment::Segment;

/// A segment's file.
pub(super) struct Piece {
    pub(super) base: u64,
    pub(super) file: Arc<dyn DiskFile>,
    /// Nothing when it cannot be read.
    pub(super) header: Option<SegmentHeader>,
    /// The offset at which something else begins, if anything does.
    pub(super) bound: Option<u64>,
}

/// The segments' files in the order of their offsets, without those that are left over from removing
/// or copying.
pub(super) fn pieces(disk: &dyn Disk, purpose: Purpose, marks: &Marks) -> io::Result<Vec<Piece>> {
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
