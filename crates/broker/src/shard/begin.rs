//! Where a new subscription begins. Reads no message.

use tidings_log::Cursor;
use tidings_model::{Gap, GapReason, LogKind, Mark, PerLog, Refusal, Selection, Since, Time};

use super::Shard;
use crate::subscription::Place;

impl Shard {
    /// Where a subscription begins in each log it reads, and the gap it begins with.
    pub(super) fn begin(
        &self,
        selection: &Selection,
        reads: PerLog<bool>,
        since: Since,
        now: Time,
    ) -> Result<(PerLog<Option<Place>>, Option<Gap>), Refusal> {
        let mut places = PerLog::default();
        let mut gap = None;
        let newest = match since {
            Since::Last(count) => self.last(selection, reads, count as usize, now),
            _ => PerLog::default(),
        };
        for log in LogKind::ALL.into_iter().filter(|&log| reads[log]) {
            let Mark { epoch, offset: end } = self.broker.log(log).end();
            let gone = self.broker.log(log).trims();
            let place = |offset, told| Some(Place { epoch, cursor: Cursor { offset, told } });
            places[log] = match since {
                Since::Now => place(end, 0),
                // Whoever asks for what there is misses nothing that is gone already.
                Since::Start => place(0, gone),
                Since::Last(_) => place(newest[log].unwrap_or(end), gone),
                Since::After(position) => match position.get(log) {
                    None => place(end, 0),
                    Some(mark) if mark.epoch == epoch && mark.offset > end => {
                        return Err(Refusal::PositionAhead);
                    }
                    Some(mark) if mark.epoch == epoch => place(mark.offset, 0),
                    Some(_) => {
                        let begin = Mark { epoch, offset: 0 };
                        let to = gap.map_or(position, |gap: Gap| gap.to).with(log, begin);
                        let reason = GapReason::Epoch;
                        gap = Some(Gap { reason, from: position, to, position: to });
                        place(0, gone)
                    }
                },
            };
        }
        Ok((places, gap))
    }

    /// For each log, the offset before the first of the newest `count` messages of all logs.
    fn last(
        &self,
        selection: &Selection,
        reads: PerLog<bool>,
        count: usize,
        now: Time,
    ) -> PerLog<Option<u64>> {
        let mut newest: Vec<(Time, LogKind, u64)> = Vec::new();
        for log in LogKind::ALL.into_iter().filter(|&log| reads[log]) {
            let places = self.broker.log(log).last(selection, count, now);
            newest.extend(places.into_iter().map(|(mark, time)| (time, log, mark.offset)));
        }
        newest.sort_unstable();
        let mut before = PerLog::default();
        for &(_, log, offset) in newest.iter().rev().take(count) {
            before[log] = Some(offset - 1);
        }
        before
    }
}
