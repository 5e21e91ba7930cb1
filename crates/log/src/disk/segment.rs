//! One segment: its file, and what is known of its records.

use std::sync::Arc;

use super::cold::Place;
use super::files::DiskFile;
use super::header::SegmentHeader;
use super::rows::{OpenRows, Rows};
use crate::Remembered;

/// A sealed segment is copied out when less than one part in so many of its bytes is kept: then
/// copying writes a third of what it frees at most.
const KEPT_PART: u64 = 4;

/// One segment.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) rows: Rows,
    /// The last offset that it stands for.
    pub(super) through: u64,
    /// Rows that retention has not removed, and the bytes of their records.
    pub(super) live: u64,
    pub(super) live_bytes: u64,
    /// The log's end when retention last removed something of it.
    pub(super) trimmed_at: u64,
    /// What of it is damaged.
    pub(super) damaged: Vec<Hole>,
    /// The tokens of its batches, until its index is written.
    pub(super) tokens: Vec<Remembered>,
    /// Whether its index is written.
    pub(super) is_indexed: bool,
    /// Something of it cannot be read, so that it is not copied: what it holds stays as it is.
    pub(super) is_unreadable: bool,
}

/// Damage in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// Where it begins.
    pub(super) at: u64,
    /// The first and the last offset that are lost.
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Segment {
    /// A segment without a record, which is to be written to.
    pub(super) fn new(header: SegmentHeader, file: Arc<dyn DiskFile>) -> Segment {
        let rows = Rows::Open(OpenRows::new(header.base, header.bytes() as u32));
        Segment::with_rows(header, file, rows, header.base.saturating_sub(1))
    }

    /// A segment with these rows, of which nothing is known to be kept.
    pub(super) fn with_rows(
        header: SegmentHeader,
        file: Arc<dyn DiskFile>,
        rows: Rows,
        through: u64,
    ) -> Segment {
        Segment {
            header,
            file,
            rows,
            through,
            live: 0,
            live_bytes: 0,
            trimmed_at: 0,
            damaged: Vec::new(),
            tokens: Vec::new(),
            is_indexed: false,
            is_unreadable: false,
        }
    }

    /// The name of the segment whose first offset this is.
    pub(super) fn name(base: u64) -> String {
        format!("{base:020}.segment")
    }

    /// The name of its index.
    pub(super) fn index_name(base: u64) -> String {
        format!("{base:020}.index")
    }

    /// Where the record of a row lies.
    pub(super) fn place(&self, row: usize) -> Place {
        let place = self.rows.place(row);
        Place { offset: self.rows.offset(row), at: place.start, bytes: place.end - place.start }
    }

    /// Whether it is packed: then nothing is added to it any more.
    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.rows, Rows::Sealed(_))
    }

    /// Whether all that is kept of it can be read.
    pub(super) fn can_be_copied(&self) -> bool {
        self.is_sealed() && self.live > 0 && self.damaged.is_empty() && !self.is_unreadable
    }

    /// Whether so little of it is kept that it is worth to be copied.
    pub(super) fn is_sparse(&self) -> bool {
        let bytes = u64::from(self.rows.end_at()).saturating_sub(self.header.bytes());
        self.can_be_copied() && self.live_bytes * KEPT_PART < bytes
    }

    /// Whether the log can do without it, or with less.
    pub(super) fn is_due(&self) -> bool {
        self.is_sealed() && (self.live == 0 || self.is_sparse())
    }
}
