//! Copying out of segments of which little is kept: what is kept goes to a new file with the same
//! offsets, which then takes the old one's place. Neighbours that are small become one.
//!
//! Must never drop what is kept, and never copy what is not what was written.

use std::io;
use std::sync::Arc;

use tidings_model::Time;

use super::cold::{Place, read_places};
use super::files::DiskFile;
use super::format;
use super::header::{CopyHeader, HEADER_BYTES_MAX, SegmentHeader};
use super::keeper::Keeper;
use super::rows::{Columns, Row, Rows, SealedRows};
use super::segment::Segment;
use super::state::State;
use crate::Remembered;

/// A segment that is copied from.
struct Source {
    header: SegmentHeader,
    through: u64,
    file: Arc<dyn DiskFile>,
    rows: Arc<SealedRows>,
    /// Of each of its topics, in the order of their own numbers, the first offset that is kept.
    first: Vec<u64>,
    tokens: Vec<Remembered>,
}

/// A file that is to take the place of others, and its rows.
struct Copy {
    header: SegmentHeader,
    bytes: Vec<u8>,
    rows: SealedRows,
}

impl Keeper {
    /// Copies out of one segment, or some that lie beside each other.
    pub(super) fn copy_out(&mut self) -> io::Result<bool> {
        let run = self.find_run();
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(false) };
        let (base, through, time) = (first.header.base, last.through, first.header.time);
        let salt = (self.shared.salt)();
        let copy = match copy(&run, salt, base, through, time) {
            Ok(copy) => copy,
            Err(Unreadable { base, offset }) => {
                tracing::error!(offset, "a stored message cannot be read; its segment is kept");
                if let Some(segment) = self.shared.state().segment_mut(base) {
                    segment.is_unreadable = true;
                }
                return Ok(true);
            }
        };
        // What is not copied is remembered before it goes.
        let mut marks = self.marks.clone();
        marks.trims = self.gone();
        let tokens: Vec<_> =
            run.iter().map(|s| (s.header.base, s.header.salt, s.tokens.clone())).collect();
        self.carry_over(&mut marks, &tokens);
        self.save(marks)?;
        let name = Segment::name(base);
        self.shared.disk.replace(&name, &copy.bytes)?;
        let file = self.shared.disk.open(&name)?;
        self.put(&run, copy, file);
        // The copy stands for all of them now.
        run[1..].iter().for_each(|source| self.remove_files(source.header.base));
        Ok(true)
    }

    /// Segments that are worth to be copied, and that lie beside each other.
    fn find_run(&self) -> Vec<Source> {
        let mut state = self.shared.state();
        let sealed = state.segments.len().saturating_sub(1);
        let mut is_worth =
            |index: &usize| state.segments[*index].is_sparse() && state.may_drop(*index);
        let Some(sparse) = (0..sealed).find(&mut is_worth) else { return Vec::new() };
        let segments = &state.segments;
        // A neighbour that is much larger than what it is joined with would be written again and
        // again.
        let joins = |inner: usize, outer: usize, bytes: u64| {
            let (one, next) = (inner.min(outer), inner.max(outer));
            let (one, next) = (&segments[one], &segments[next]);
            segments[outer].can_be_copied()
                && segments[outer].trimmed_at <= state.synced
                && segments[outer].live_bytes <= 2 * bytes
                && bytes + segments[outer].live_bytes <= self.shared.segment_bytes / 4
                && self.marks.all_removed(one.through, next.header.base)
        };
        let (mut begin, mut end) = (sparse, sparse);
        let mut bytes = segments[sparse].live_bytes;
        loop {
            if begin > 0 && joins(begin, begin - 1, bytes) {
                begin -= 1;
                bytes += segments[begin].live_bytes;
            } else if end + 1 < sealed && joins(end, end + 1, bytes) {
                end += 1;
                bytes += segments[end].live_bytes;
            } else {
                break;
            }
        }
        (begin..=end).filter_map(|index| Source::new(&mut state, index)).collect()
    }

    /// Puts a copy in the place of what was copied.
    fn put(&self, run: &[Source], copy: Copy, file: Arc<dyn DiskFile>) {
        let is_copied =
            |segment: &&Segment| run.iter().any(|s| s.header.base == segment.header.base);
        let mut state = self.shared.state();
        let mut segment = Segment::with_rows(
            copy.header,
            file,
            Rows::Sealed(Arc::new(copy.rows)),
            run.last().map_or(0, |last| last.through),
        );
        // Retention may have gone on meanwhile.
        for old in state.segments.iter().filter(is_copied) {
            segment.live += old.live;
            segment.live_bytes += old.live_bytes;
            segment.trimmed_at = segment.trimmed_at.max(old.trimmed_at);
        }
        let Some(place) = state.segments.iter().position(|segment| is_copied(&segment)) else {
            return;
        };
        state.segments.retain(|segment| !is_copied(&segment));
        state.segments.insert(place, segment);
    }
}

impl Source {
    /// What is to be copied of a segment. From now on its file no longer tells of the rest.
    fn new(state: &mut State, index: usize) -> Option<Source> {
        state.note_gone(index);
        let segment = &state.segments[index];
        let Rows::Sealed(rows) = &segment.rows else { return None };
        let first = |(number, _)| {
            let topic = state.topics.get(number);
            if topic.count > 0 { topic.first } else { u64::MAX }
        };
        Some(Source {
            header: segment.header,
            through: segment.through,
            file: Arc::clone(&segment.file),
            rows: Arc::clone(rows),
            first: rows.topics().map(first).collect(),
            tokens: segment.tokens.clone(),
        })
    }

    /// The rows that are kept, in order.
    fn kept(&self) -> Vec<usize> {
        let kept = self.rows.topics().zip(&self.first).flat_map(|((_, range), &first)| {
            let rows = range.map(|index| self.rows.row(index));
            rows.filter(move |&row| self.rows.offset(row) >= first)
        });
        let mut kept: Vec<usize> = kept.collect();
        kept.sort_unstable();
        kept
    }
}

/// A message that is not what was written.
struct Unreadable {
    base: u64,
    offset: u64,
}

/// Copies what is kept.
fn copy(
    run: &[Source],
    salt: u32,
    base: u64,
    through: u64,
    time: Time,
) -> Result<Copy, Unreadable> {
    let mut bytes = vec![0; HEADER_BYTES_MAX];
    let mut kept: Vec<(u64, Row)> = Vec::new();
    for source in run {
        let rows = source.kept();
        let place = |&row: &usize| {
            let place = source.rows.place(row);
            let offset = source.rows.offset(row);
            Place { offset, at: place.start, bytes: place.end - place.start }
        };
        let places: Vec<Place> = rows.iter().map(place).collect();
        let mut rows = rows.into_iter();
        let mut unreadable = None;
        read_places(&*source.file, &places, &mut |place, record| {
            let at = bytes.len() as u32;
            let whole = record.ok().and_then(|bytes| {
                let (head, _) = format::record(bytes, source.header.salt, place.at.into())?;
                (head.offset == place.offset).then(|| &bytes[..head.record_bytes() as usize])
            });
            match (whole, rows.next()) {
                (Some(record), Some(row)) => {
                    format::copy_record(&mut bytes, salt, record);
                    let row = Row { at, bytes: record.len() as u32, ..source.rows.get(row) };
                    kept.push((place.offset, row));
                }
                _ => unreadable = Some(place.offset),
            }
        });
        if let Some(offset) = unreadable {
            return Err(Unreadable { base: source.header.base, offset });
        }
    }
    let end_at = bytes.len() as u32;
    let header = SegmentHeader { salt, base, time, copy: Some(CopyHeader { through, end_at }) };
    bytes[..HEADER_BYTES_MAX].copy_from_slice(&header.encode());
    Ok(Copy { header, bytes, rows: pack(base, end_at, &kept) })
}

/// The rows of a copy.
fn pack(base: u64, end_at: u32, kept: &[(u64, Row)]) -> SealedRows {
    let mut topics: Vec<u32> = kept.iter().map(|(_, row)| row.topic).collect();
    topics.sort_unstable();
    topics.dedup();
    let own = |topic: u32| topics.binary_search(&topic).map_or(0, |own| own as u32);
    let offsets: Vec<u64> = kept.iter().map(|(offset, _)| *offset).collect();
    let at: Vec<u32> = kept.iter().map(|(_, row)| row.at).collect();
    let topic: Vec<u32> = kept.iter().map(|(_, row)| own(row.topic)).collect();
    let time: Vec<u64> = kept.iter().map(|(_, row)| row.time.as_millis()).collect();
    let expires = kept
        .iter()
        .zip(0..)
        .filter_map(|((_, row), index)| row.expires.map(|expires| (index, expires.as_millis())));
    let expires: Vec<(u32, u64)> = expires.collect();
    let mut rows = SealedRows::new(&Columns {
        base,
        offsets: Some(&offsets),
        at: &at,
        end_at,
        topic: &topic,
        topic_count: topics.len(),
        time: &time,
        expires: &expires,
    });
    rows.number(&topics);
    rows
}
