//! The segment that is written to.
//!
//! Must never be in doubt about its end: what is written goes there, or is cut off again.

use std::io;
use std::sync::Arc;

use tidings_model::Time;

use super::Shared;
use super::files::DiskFile;
use super::header::SegmentHeader;
use super::segment::Segment;

/// The segment that is written to.
pub(super) struct Active {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) header: SegmentHeader,
    /// Where the next group begins.
    pub(super) at: u64,
    /// Everything before this place is durable.
    pub(super) synced: u64,
}

impl Active {
    /// The last segment if it can be written on, or another.
    pub(super) fn new(shared: &Shared, is_open: bool, now: Time) -> io::Result<Active> {
        let mut state = shared.state();
        let can_go_on = |last: &&Segment| is_open && last.through == state.end;
        let last = state.segments.back().filter(can_go_on).map(|last| Active {
            file: Arc::clone(&last.file),
            header: last.header,
            at: last.rows.end_at().into(),
            synced: last.rows.end_at().into(),
        });
        if let Some(last) = last {
            return Ok(last);
        }
        let (active, segment) = Active::begin(shared, state.end + 1, now)?;
        state.begin_segment(segment);
        Ok(active)
    }

    /// Makes the file of a segment whose first offset this is.
    pub(super) fn begin(shared: &Shared, base: u64, time: Time) -> io::Result<(Active, Segment)> {
        let header = SegmentHeader { salt: (shared.salt)(), base, time, copy: None };
        let name = Segment::name(base);
        let file = shared.disk.create(&name, shared.segment_bytes)?;
        if let Err(error) = file.write_at(&header.encode(), 0).and_then(|()| file.sync()) {
            // An empty file of that name would be in the way of the next try.
            let _ = shared.disk.remove(&name);
            return Err(error);
        }
        let (at, segment) = (header.bytes(), Segment::new(header, Arc::clone(&file)));
        Ok((Active { file, header, at, synced: at }, segment))
    }
}
