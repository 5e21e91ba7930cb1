//! Finding the newest messages of a selection. Changes nothing, and reads no file.

use std::collections::BinaryHeap;

use tidings_model::{Mark, Selection, Time};

use super::reading::LOOK_MAX;
use super::rows::Backwards;
use super::state::State;

/// Records of one topic, the newest first.
struct Newest<'a> {
    number: u32,
    /// The segment they are in,
    segment: usize,
    /// and the rows of the topic that are left there.
    rows: Backwards<'a>,
}

impl State {
    /// Where the newest `count` kept records of these topics are, oldest first.
    pub(super) fn last_of(&self, numbers: &[u32], count: usize, now: Time) -> Vec<(Mark, Time)> {
        let mut topics: Vec<Newest<'_>> = numbers
            .iter()
            .filter(|&&number| self.topics.get(number).count > 0)
            .filter_map(|&number| {
                let last = self.topics.get(number).last;
                let segment = self.segment_from(last).min(self.segments.len().checked_sub(1)?);
                let rows = self.segments[segment].rows.of_topic_backwards(number);
                Some(Newest { number, segment, rows })
            })
            .collect();
        let mut heads: BinaryHeap<(u64, Time, usize)> = BinaryHeap::new();
        let newest = topics.iter_mut().enumerate();
        heads.extend(newest.filter_map(|(index, topic)| self.head(topic, index, now)));
        let mut places = Vec::new();
        while places.len() < count
            && let Some((offset, time, index)) = heads.pop()
        {
            places.push((Mark { epoch: self.epoch, offset }, time));
            heads.extend(self.head(&mut topics[index], index, now));
        }
        places.reverse();
        places
    }

    /// The next older record of a topic that is kept and has not expired.
    fn head<'a>(
        &'a self,
        topic: &mut Newest<'a>,
        index: usize,
        now: Time,
    ) -> Option<(u64, Time, usize)> {
        let kept = self.topics.get(topic.number);
        loop {
            let rows = &self.segments[topic.segment].rows;
            for row in topic.rows.by_ref() {
                let offset = rows.offset(row);
                if !kept.keeps(offset) {
                    return None;
                }
                if rows.expires(row).is_none_or(|expires| expires > now) {
                    return Some((offset, rows.time(row), index));
                }
            }
            if self.segments[topic.segment].header.base <= kept.first {
                return None;
            }
            topic.segment = topic.segment.checked_sub(1)?;
            topic.rows = self.segments[topic.segment].rows.of_topic_backwards(topic.number);
        }
    }

    /// The same of what matches, if not too many records have to be looked at for that.
    pub(super) fn last_matching(
        &self,
        wanted: &Selection,
        count: usize,
        now: Time,
    ) -> Option<Vec<(Mark, Time)>> {
        let mut places = Vec::new();
        let mut looked_at = 0;
        for segment in self.segments.iter().rev() {
            for row in (0..segment.rows.len()).rev() {
                if places.len() == count {
                    break;
                }
                looked_at += 1;
                if looked_at > LOOK_MAX {
                    return None;
                }
                let (rows, offset) = (&segment.rows, segment.rows.offset(row));
                let topic = self.topics.get(rows.topic(row));
                if topic.keeps(offset)
                    && rows.expires(row).is_none_or(|expires| expires > now)
                    && wanted.matches(&topic.name)
                {
                    places.push((Mark { epoch: self.epoch, offset }, rows.time(row)));
                }
            }
        }
        places.reverse();
        Some(places)
    }

    /// Which of the next topics from number `from` on match, and where to go on, if there are more.
    pub(super) fn topics_matching(
        &self,
        wanted: &Selection,
        from: u32,
        numbers: &mut Vec<u32>,
    ) -> Option<u32> {
        let end = self.topics.len().min(from as usize + LOOK_MAX) as u32;
        numbers.extend((from..end).filter(|&n| wanted.matches(&self.topics.get(n).name)));
        Some(end).filter(|&end| (end as usize) < self.topics.len())
    }
}
