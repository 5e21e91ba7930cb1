//! Messages that a read has found in files. They are read here, when nothing is locked any more.
//!
//! Must never hand out anything but what was written at that place.

use std::io;
use std::sync::Arc;

use tidings_model::{LogKind, Mark, Record};

use super::files::{DiskFile, read_fully};
use super::format;

/// Records that lie this close together are read at once: what is read in vain costs less than
/// another call.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// Most bytes that are read at once, if they are not of a single record.
const READ_BYTES_MAX: u64 = 1 << 20;

/// Records to be read from files, in the order of their offsets.
pub(crate) struct Cold {
    kind: LogKind,
    epoch: u32,
    runs: Vec<Run>,
}

/// Records of one file.
struct Run {
    file: Arc<dyn DiskFile>,
    salt: u32,
    places: Vec<Place>,
}

/// Where one record lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) at: u32,
    pub(super) bytes: u32,
}

impl Place {
    fn begin(self) -> u64 {
        self.at.into()
    }

    fn end(self) -> u64 {
        self.begin() + u64::from(self.bytes)
    }
}

impl Cold {
    pub(super) fn new(kind: LogKind, epoch: u32) -> Cold {
        Cold { kind, epoch, runs: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.places.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds a record of the segment with this salt in this file.
    pub(super) fn push(&mut self, file: &Arc<dyn DiskFile>, salt: u32, place: Place) {
        match self.runs.last_mut() {
            Some(run) if run.salt == salt && Arc::ptr_eq(&run.file, file) => run.places.push(place),
            _ => self.runs.push(Run { file: Arc::clone(file), salt, places: vec![place] }),
        }
    }

    /// Reads all of them. Returns the highest offset of those that cannot be read.
    pub(crate) fn load(self, take: &mut dyn FnMut(Arc<Record>)) -> Option<u64> {
        let mut lost = None;
        for run in &self.runs {
            read_places(&*run.file, &run.places, &mut |place, bytes| match bytes
                .and_then(|bytes| self.record(run.salt, place, bytes))
            {
                Ok(record) => take(Arc::new(record)),
                Err(error) => {
                    let offset = place.offset;
                    tracing::error!(%error, offset, "a stored message cannot be read");
                    lost = lost.max(Some(offset));
                }
            });
        }
        lost
    }

    fn record(&self, salt: u32, place: Place, bytes: &[u8]) -> io::Result<Record> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the record is damaged");
        let (header, body) = format::record(bytes, salt, place.begin()).ok_or_else(damaged)?;
        let (previous, message) = format::read_body(body).ok_or_else(damaged)?;
        if header.offset != place.offset {
            return Err(damaged());
        }
        let mark = Mark { epoch: self.epoch, offset: place.offset };
        Ok(Record::new(self.kind, mark, previous, Arc::new(message)))
    }
}

/// Reads records of a file, which must be in order, and hands over the bytes of each.
pub(super) fn read_places(
    file: &dyn DiskFile,
    places: &[Place],
    each: &mut dyn FnMut(Place, io::Result<&[u8]>),
) {
    let mut buffer = Vec::new();
    let is_near =
        |one: &Place, next: &Place| next.begin().saturating_sub(one.end()) <= GAP_BYTES_MAX;
    for neighbours in places.chunk_by(is_near) {
        for places in portions(neighbours) {
            read_neighbours(file, places, &mut buffer, each);
        }
    }
}

/// Reads neighbours with one call.
fn read_neighbours(
    file: &dyn DiskFile,
    places: &[Place],
    buffer: &mut Vec<u8>,
    each: &mut dyn FnMut(Place, io::Result<&[u8]>),
) {
    let (&[first, ..], &[.., last]) = (places, places) else { return };
    buffer.resize((last.end() - first.begin()) as usize, 0);
    let read = read_fully(file, buffer, first.begin());
    if read.is_err() && places.len() > 1 {
        // A place that cannot be read must cost no more than what lies there.
        return places.chunks(1).for_each(|place| read_neighbours(file, place, buffer, each));
    }
    for &place in places {
        let from = (place.begin() - first.begin()) as usize;
        let to = from + place.bytes as usize;
        let bytes = match &read {
            Ok(count) => Ok(&buffer[from.min(*count)..to.min(*count)]),
            Err(error) => Err(io::Error::from(error.kind())),
        };
        each(place, bytes);
    }
}

/// Neighbours in portions that are not too large to read at once.
fn portions(mut places: &[Place]) -> impl Iterator<Item = &[Place]> {
    std::iter::from_fn(move || {
        let begin = places.first()?.begin();
        let fits = places.iter().take_while(|place| place.end() - begin <= READ_BYTES_MAX).count();
        let (chunk, rest) = places.split_at(fits.max(1));
        places = rest;
        Some(chunk)
    })
}
