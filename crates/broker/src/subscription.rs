//! One subscription: what it wants and where it stands. Never a queue of messages.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tidings_log::{Budget, Cursor, Found, Log, ReadEnd};
use tidings_model::{
    Delivery, Event, Gap, LogKind, Mark, PerLog, Position, Record, Selection, Slow, Time,
};

use crate::sessions::Attached;
use crate::shard::{Loaded, Owner, Pace};
use crate::shares::Membership;

/// A reader that wants only the latest is read further ahead, so that more is skipped.
const LATEST_FACTOR: usize = 16;

pub(crate) struct Subscription {
    pub(crate) owner: Owner,
    pub(crate) selection: Arc<Selection>,
    /// Where it stands in each log it reads.
    pub(crate) places: PerLog<Option<Place>>,
    pub(crate) slow: Slow,
    /// A gap to be told before anything else.
    pub(crate) opening_gap: Option<Box<Gap>>,
    /// Whether there may be something to read.
    pub(crate) ready: bool,
    /// Whether it has to wait for a turn to read it.
    pub(crate) pace: Pace,
    /// Events sent ahead of an acknowledgement, when their number is limited.
    pub(crate) window: Option<Box<Window>>,
    /// Events that may still be read, when their number is limited.
    pub(crate) left: Option<u32>,
    /// The session that it is.
    pub(crate) attached: Option<Box<Attached>>,
    /// Its part in a share, from which it has what it is given.
    pub(crate) membership: Option<Box<Membership>>,
}

/// A reader's place in one log.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    pub(crate) cursor: Cursor,
}

/// What was sent and is not acknowledged.
pub(crate) struct Window {
    pub(crate) size: usize,
    pub(crate) sent: VecDeque<(LogKind, u64)>,
}

impl Window {
    pub(crate) fn new(size: usize) -> Window {
        Window { size, sent: VecDeque::new() }
    }
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Where the subscription stands now.
    pub position: Position,
    /// Whether there is nothing more to read now.
    pub caught_up: bool,
    /// Whether nothing can be read now: before something is acknowledged, before it is the
    /// subscription's turn, or ever.
    pub waits: bool,
}

/// What a read comes to.
pub(crate) enum Step {
    /// It is done.
    Read(Read),
    /// What was found in this log lies in files.
    Load(LogKind, Found),
}

impl Subscription {
    /// Where it stands. Before its first gap is told that is where the reader came from, so that
    /// one who is cut off in between is told again.
    pub(crate) fn position(&self) -> Position {
        if let Some(gap) = &self.opening_gap {
            return gap.from;
        }
        LogKind::ALL.into_iter().fold(Position::default(), |position, log| match self.places[log] {
            Some(Place { epoch, cursor }) => {
                position.with(log, Mark { epoch, offset: cursor.offset })
            }
            None => position,
        })
    }

    /// Reads what there is, at most `budget`, into `deliveries`.
    pub(crate) fn read<'a>(
        &mut self,
        log_of: impl Fn(LogKind) -> &'a dyn Log,
        now: Time,
        budget: Budget,
        records: &mut Vec<Arc<Record>>,
        deliveries: &mut Vec<Delivery>,
    ) -> Step {
        let Some(mut budget) = self.allowed(budget) else { return Step::Read(self.waits()) };
        let mut loaded = match &mut self.pace {
            Pace::Loaded(_) => match std::mem::replace(&mut self.pace, Pace::Granted) {
                Pace::Loaded(loaded) => Some(loaded),
                _ => None,
            },
            _ => None,
        };
        let mut caught_up = true;
        for log in LogKind::ALL {
            let Some(Place { epoch, cursor }) = self.places[log] else { continue };
            if budget.records == 0 {
                caught_up = false;
                break;
            }
            let arrived = loaded.take_if(|loaded| loaded.log == log).map(|loaded| *loaded);
            let end = match arrived {
                Some(Loaded { records: mut arrived, end, .. }) => {
                    records.append(&mut arrived);
                    end
                }
                None => {
                    let found = log_of(log).find(&self.selection, cursor, budget);
                    match found.is_hot() {
                        true => found.load(now, records),
                        // What other logs have goes first.
                        false if !deliveries.is_empty() => {
                            caught_up = false;
                            break;
                        }
                        false => return Step::Load(log, found),
                    }
                }
            };
            deliveries.extend(self.opening_gap.take().map(|gap| Delivery::Gap(*gap)));
            budget.records -= records.len().min(budget.records);
            caught_up &= end.caught_up;
            self.deliver(log, epoch, end, records, deliveries);
        }
        // A gap may be all there is, where no log is read.
        deliveries.extend(self.opening_gap.take().map(|gap| Delivery::Gap(*gap)));
        if self.slow == Slow::Latest {
            conflate(deliveries);
        }
        let events = deliveries.iter().filter(|d| matches!(d, Delivery::Event(_))).count();
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(u32::try_from(events).unwrap_or(u32::MAX));
        }
        self.ready = !caught_up;
        Step::Read(Read { position: self.position(), caught_up, waits: false })
    }

    /// Hands over what was read of one log, a loss first.
    fn deliver(
        &mut self,
        log: LogKind,
        epoch: u32,
        end: ReadEnd,
        records: &mut Vec<Arc<Record>>,
        deliveries: &mut Vec<Delivery>,
    ) {
        if let Some((lost, reason)) = end.lost {
            let from = self.position();
            let to = from.with(log, Mark { epoch, offset: lost });
            deliveries.push(Delivery::Gap(Gap { reason, from, to, position: from }));
        }
        let told = end.told;
        for record in records.drain(..) {
            let offset = record.mark.offset;
            self.places[log] = Some(Place { epoch, cursor: Cursor { offset, told } });
            if let Some(window) = &mut self.window {
                window.sent.push_back((log, offset));
            }
            let position = self.position();
            let earlier = self.attached.as_ref().map_or(0, |a| a.earlier.count(&record));
            let attempt = earlier.saturating_add(1);
            deliveries.push(Delivery::Event(Event { record, position, attempt }));
        }
        self.places[log] = Some(Place { epoch, cursor: Cursor { offset: end.through, told } });
    }

    /// A read that has to wait.
    pub(crate) fn waits(&self) -> Read {
        Read { position: self.position(), caught_up: false, waits: true }
    }

    /// How much may be read now; nothing when the window is full.
    fn allowed(&self, mut budget: Budget) -> Option<Budget> {
        if self.slow == Slow::Latest {
            budget.records *= LATEST_FACTOR;
        }
        if let Some(window) = &self.window {
            budget.records = budget.records.min(window.size - window.sent.len().min(window.size));
        }
        if let Some(left) = self.left {
            budget.records = budget.records.min(left as usize);
        }
        (budget.records > 0).then_some(budget)
    }

    /// Forgets what was sent up to `position`; then there may be something to read again.
    pub(crate) fn ack(&mut self, position: Position) {
        if let Some(window) = &mut self.window {
            let acked = |&(log, offset): &(LogKind, u64)| {
                position.get(log).is_some_and(|mark| mark.offset >= offset)
            };
            window.sent.retain(|sent| !acked(sent));
            self.ready = true;
        }
    }
}

/// Drops every event that a later one of the same topic and key replaces.
fn conflate(deliveries: &mut Vec<Delivery>) {
    if deliveries.len() < 2 {
        return;
    }
    let mut newer = HashSet::new();
    let mut keep: Vec<bool> = deliveries
        .iter()
        .rev()
        .map(|delivery| match delivery {
            Delivery::Event(Event { record, .. }) => match &record.message.key {
                Some(key) => newer.insert((record.message.topic.clone(), key.clone())),
                None => true,
            },
            Delivery::Gap(_) => true,
        })
        .collect();
    deliveries.retain(|_| keep.pop().unwrap_or(true));
}
