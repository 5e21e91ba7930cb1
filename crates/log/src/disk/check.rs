//! Looking at a log that nobody uses: every record is read, and nothing is changed.

use std::io;

use super::export;
use super::files::Disk;
use super::identity::{self, Identity};
use super::recover::Damage;
use super::segment::{HOLE, Segment};

/// How a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The log's epoch.
    pub epoch: u32,
    /// Its segments in order: name, messages that can be read, and their bytes.
    pub segments: Vec<(String, u64, u64)>,
    /// How many topics it knows.
    pub topics: usize,
    /// The last offset that was given.
    pub end: u64,
    /// What is damaged.
    pub damages: Vec<Damage>,
}

/// Reads all of a log.
///
/// # Errors
/// When there is no log, it is of a newer format, or a file cannot be read.
pub fn check(disk: &dyn Disk) -> io::Result<Checked> {
    let Identity { epoch, .. } = identity::read(disk)?.ok_or_else(identity::missing)?;
    let (state, damages) = export::load(disk, epoch)?;
    let segments = state.segments.iter().map(|segment| {
        let readable = |index: &usize| segment.topic[*index] != HOLE;
        let bytes = |index| u64::from(segment.bytes(index));
        let (mut count, mut total) = (0, 0);
        for index in (0..segment.at.len()).filter(readable) {
            (count, total) = (count + 1, total + bytes(index));
        }
        (Segment::name(segment.header.base), count, total)
    });
    Ok(Checked {
        epoch,
        segments: segments.collect(),
        topics: state.topic_count(),
        end: state.end().offset,
        damages,
    })
}
