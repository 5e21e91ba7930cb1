//! Looking at a log that nobody uses: every record is read, and nothing is changed.

use std::io;

use super::export;
use super::files::Disk;
use super::identity::{self, Identity};
use super::recover::Damage;
use super::segment::Segment;

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
    let identity = identity::read(disk)?.ok_or_else(identity::missing)?;
    let Identity { epoch, .. } = identity;
    let (state, damages) = export::load(disk, identity)?;
    let segments = state.segments.iter().map(|segment| {
        let bytes = (0..segment.rows.len()).map(|row| u64::from(segment.place(row).bytes)).sum();
        (Segment::name(segment.header.base), segment.rows.len() as u64, bytes)
    });
    Ok(Checked {
        epoch,
        segments: segments.collect(),
        topics: state.topics.len(),
        end: state.end().offset,
        damages,
    })
}
