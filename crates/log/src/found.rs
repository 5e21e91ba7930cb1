//! What a read has found, and what is left to be done to have it. Nothing in here holds a lock.

use std::sync::Arc;

use smallvec::SmallVec;
use tidings_model::{GapReason, Record, Time};

use crate::disk::Cold;
use crate::{Cursor, ReadEnd};

/// What [`Log::find`](crate::Log::find) has found. It can be taken to any thread.
pub struct Found {
    end: ReadEnd,
    /// Messages that have to be read from files, if any; all of them are older than those in
    /// memory.
    cold: Option<Cold>,
    hot: Hot,
}

/// Messages that are in memory. Mostly the one that was just published, for each of its readers: so
/// a few take no memory of their own.
pub(crate) type Hot = SmallVec<[Arc<Record>; 4]>;

impl Found {
    pub(crate) fn new(end: ReadEnd, cold: Option<Cold>, hot: Hot) -> Found {
        Found { end, cold, hot }
    }

    /// How many messages were found.
    pub(crate) fn len(&self) -> usize {
        self.cold.as_ref().map_or(0, Cold::len) + self.hot.len()
    }

    /// Whether all of it is in memory: then [`load`](Found::load) waits for nothing.
    pub fn is_hot(&self) -> bool {
        self.cold.is_none()
    }

    /// Whether a read from this place has come to nothing at all.
    pub fn is_nothing_after(&self, from: Cursor) -> bool {
        self.len() == 0 && self.end.through <= from.offset
    }

    /// Puts what was found and has not expired into `records`, in order, and says how the read
    /// ended. Reads files unless [`is_hot`](Found::is_hot). A message that the disk no longer
    /// gives back as it was written is a loss, and told.
    pub fn load(self, now: Time, records: &mut Vec<Arc<Record>>) -> ReadEnd {
        let Found { mut end, cold, hot } = self;
        let keep = |record: &Arc<Record>| !record.message.is_expired(now);
        let mut take = |record| records.extend(Some(record).filter(keep));
        if let Some(offset) = cold.and_then(|cold| cold.load(&mut take)) {
            let told = end.lost.map_or(0, |(told, _)| told);
            end.lost = Some((told.max(offset), GapReason::Damaged));
        }
        records.extend(hot.into_iter().filter(keep));
        end
    }
}
