//! What of each topic is kept, and what goes: always the oldest, and remembered as lost unless it
//! had expired.

use std::sync::Arc;

use tidings_model::{Time, Topic};

use super::rows::Rows;
use super::state::State;
use crate::{Policy, Retention};

/// Most topics whose age is checked in one tick; the next tick goes on where this one ended.
const AGED_MAX: usize = 4096;

/// Of so many topics at once it is told what is gone. Bounds how long the log's lock is held.
const GONE_MAX: usize = 16_384;

/// Most steps of a tick. Bounds how long the log's lock is held.
const STEPS_MAX: usize = 65_536;

impl State {
    /// Whether a topic has more messages or bytes than are to be kept.
    pub(super) fn is_over(&self, number: u32, retention: Retention) -> bool {
        let topic = self.topics.get(number);
        topic.count > retention.messages_max.max(1)
            || (topic.bytes > retention.bytes_max && topic.count > 1)
    }

    /// Trims one topic to what is to be kept of it, or by as much as `steps` allow: one for each
    /// segment that is looked at.
    pub(super) fn retain(
        &mut self,
        number: u32,
        retention: Retention,
        now: Time,
        steps: &mut usize,
    ) {
        let horizon = now.saturating_sub(retention.age_max);
        while *steps > 0 {
            let topic = self.topics.get(number);
            if topic.count == 0 {
                return;
            }
            let holder = self.segment_from(topic.first);
            let Some(segment) = self.segments.get(holder) else { return };
            let Some(row) = segment.rows.row_of(topic.first) else { return };
            let expired = segment.rows.expires(row).is_some_and(|expires| expires <= now);
            let is_protected = retention.keep_last && topic.count == 1;
            let is_over = expired
                || self.is_over(number, retention)
                || (segment.rows.time(row) < horizon && !is_protected);
            if !is_over {
                return;
            }
            self.trim_first(number, holder, row, expired, steps);
        }
    }

    /// Removes the first record of a topic, which is at this row of this segment.
    fn trim_first(
        &mut self,
        number: u32,
        holder: usize,
        row: usize,
        expired: bool,
        steps: &mut usize,
    ) {
        let next = self.next_kept(number, holder, row, steps);
        let (end, segment) = (self.end, &mut self.segments[holder]);
        let bytes = u64::from(segment.place(row).bytes);
        segment.live -= 1;
        segment.live_bytes -= bytes;
        segment.trimmed_at = end;
        self.is_due |= segment.is_due();
        let topic = self.topics.get_mut(number);
        let first = topic.first;
        topic.count -= 1;
        topic.bytes -= bytes;
        (topic.first, topic.hint) = next.unwrap_or_default();
        if !expired {
            self.note_trim(number, first);
        }
    }

    /// The offset of the record after this one in its topic, if there is one, and a hint where it
    /// is.
    fn next_kept(
        &self,
        number: u32,
        holder: usize,
        row: usize,
        steps: &mut usize,
    ) -> Option<(u64, u32)> {
        *steps = steps.saturating_sub(1);
        let topic = self.topics.get(number);
        if topic.count == 1 {
            return None;
        }
        let rows = &self.segments[holder].rows;
        if let Some((next, hint)) = rows.next(row, topic.hint) {
            return Some((rows.offset(next), hint));
        }
        self.segments.range(holder + 1..).find_map(|segment| {
            *steps = steps.saturating_sub(1);
            let next = segment.rows.of_topic(number, 0).next()?;
            Some((segment.rows.offset(next), 0))
        })
    }

    /// Retention of topics in turn, a bounded number at once.
    pub(super) fn tick(&mut self, now: Time, policy: &Policy) {
        self.now = self.now.max(now);
        let mut steps = STEPS_MAX;
        for _ in 0..AGED_MAX.min(self.topics.len()) {
            let number = (self.next_aged % self.topics.len()) as u32;
            let retention = self.topics.retention(number, policy);
            self.retain(number, retention, now, &mut steps);
            if steps == 0 {
                return;
            }
            self.next_aged = number as usize + 1;
        }
    }

    pub(super) fn retain_all(&mut self, now: Time, policy: &Policy) {
        for number in 0..self.topics.len() as u32 {
            let retention = self.topics.retention(number, policy);
            self.retain(number, retention, now, &mut { usize::MAX });
        }
    }

    /// Whether what is not kept of a segment can be dropped: not before what took its place is
    /// durable.
    pub(super) fn may_drop(&mut self, segment: usize) -> bool {
        let segment = &self.segments[segment];
        self.waits_for_sync |= segment.trimmed_at > self.synced;
        segment.is_sealed() && segment.trimmed_at <= self.synced
    }

    /// What of a segment is not kept is about to be removed from the disk: from now on the files no
    /// longer tell of it.
    pub(super) fn note_gone(&mut self, segment: usize) {
        let Rows::Sealed(rows) = &self.segments[segment].rows else { return };
        let rows = Arc::clone(rows);
        for (number, range) in rows.topics() {
            let topic = self.topics.get_mut(number);
            let kept_from = if topic.count > 0 { topic.first } else { u64::MAX };
            let lost = rows.lower_bound(range.clone(), kept_from.min(topic.trimmed + 1));
            if lost > range.start {
                topic.gone = topic.gone.max(rows.offset_of(lost - 1));
            }
        }
    }

    /// What has to be remembered of the next topics from number `from` on whose records no file holds
    /// any more, and where to go on, if there are more.
    pub(super) fn gone(&self, from: usize, gone: &mut Vec<(Topic, u64)>) -> Option<usize> {
        let topics = self.topics.iter().skip(from).take(GONE_MAX).filter(|topic| topic.gone > 0);
        gone.extend(topics.map(|topic| (topic.name.clone(), topic.gone)));
        Some(from + GONE_MAX).filter(|&next| next < self.topics.len())
    }
}
