//! What is known of one durable session. Never holds a message, nor a list that grows with how
//! many were sent: what was sent and not acknowledged is a few positions.

use std::time::Duration;

use tidings_model::{
    AckMode, LogKind, Mark, PerLog, Position, Record, Slow, Time, TopicFilter, Will,
};

/// Most steps that are told apart. Beyond it an attempt may be counted too low.
const STEPS_MAX: usize = 8;

/// The number that no connection has.
const NOBODY: u64 = 0;

/// How one session is.
pub(super) struct State {
    pub(super) filters: Box<[TopicFilter]>,
    pub(super) slow: Slow,
    pub(super) acks: AckMode,
    /// How long it is kept while nobody has it, in milliseconds.
    pub(super) expiry_ms: u64,
    /// Everything up to here has arrived for good.
    pub(super) acked: Position,
    /// How far the connection that has it was sent.
    pub(super) sent: Position,
    /// How far connections before it were sent.
    pub(super) earlier: Stairs,
    /// The connection that has it.
    pub(super) holder: Option<Holder>,
    /// Since when nobody has it; not known at once when one goes.
    pub(super) left: Option<Time>,
    /// The number of the connection that has it, so that one which has it no longer changes nothing.
    /// Nobody's when nobody has it.
    pub(super) generation: u64,
    /// No longer in the list of sessions, or not yet.
    pub(super) is_gone: bool,
    /// Whether anybody has ever been it.
    pub(super) has_begun: bool,
    /// What the machine wants to know when its client comes back.
    pub(super) notes: Box<[u8]>,
    /// What is published when the connection is lost.
    pub(super) will: Option<Box<Will>>,
}

/// A subscription that is a session: its shard's number, and its own in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) shard: u32,
    pub(super) key: u32,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl State {
    /// A session that nobody has been yet.
    pub(super) fn new(expiry: Duration) -> State {
        State {
            filters: Box::default(),
            slow: Slow::Gap,
            acks: AckMode::Automatic,
            expiry_ms: millis(expiry),
            acked: Position::default(),
            sent: Position::default(),
            earlier: Stairs::default(),
            holder: None,
            left: None,
            generation: NOBODY,
            is_gone: false,
            has_begun: false,
            notes: Box::default(),
            will: None,
        }
    }

    /// Whether it is gone when its connection is, and so is not worth storing.
    pub(super) fn is_passing(&self) -> bool {
        self.expiry_ms == 0
    }

    /// How long it is kept while nobody has it.
    pub(super) fn expiry(&self) -> Duration {
        Duration::from_millis(self.expiry_ms)
    }

    pub(super) fn set_expiry(&mut self, expiry: Duration) {
        self.expiry_ms = millis(expiry);
    }

    /// Forgets what the session was, but not who has it.
    pub(super) fn begin_anew(&mut self) {
        let State { holder, generation, .. } = *self;
        *self = State { holder, generation, ..State::new(self.expiry()) };
    }

    /// Everything up to `position` has arrived for good.
    pub(super) fn ack(&mut self, position: Position) {
        self.acked = self.acked.advanced_by(position);
        self.earlier.forget(self.acked);
    }

    /// Whoever had it has it no longer: what was sent and not acknowledged will be sent again.
    pub(super) fn let_go(&mut self) {
        self.holder = None;
        self.generation = NOBODY;
        self.earlier = self.sent_by_now();
        self.sent = self.acked;
    }

    /// Everything up to here was sent once more than is known.
    pub(super) fn was_sent(&mut self, log: LogKind, mark: Mark) {
        if !self.acked.covers(log, mark) && self.acked.get(log).is_some() {
            self.earlier.add(log, mark, 1);
        }
    }

    /// How far connections were sent, the one that has it included.
    pub(super) fn sent_by_now(&self) -> Stairs {
        let mut stairs = self.earlier.clone();
        for log in LogKind::ALL {
            match self.sent.get(log) {
                Some(sent) if !self.acked.covers(log, sent) => stairs.add(log, sent, 1),
                _ => {}
            }
        }
        stairs
    }
}

/// How often what lies beyond the acknowledged position was sent: in each log to each of these
/// places, so many times from the acknowledged position on. In order, the farthest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stairs(Option<Box<Steps>>);

/// The steps of each log.
type Steps = PerLog<Vec<(Mark, u32)>>;

impl Stairs {
    /// Whatever lies up to `mark` was sent `times` more often.
    pub(super) fn add(&mut self, log: LogKind, mark: Mark, times: u32) {
        let steps = &mut self.0.get_or_insert_default()[log];
        match steps.binary_search_by_key(&mark, |&(step, _)| step) {
            Ok(known) => steps[known].1 = steps[known].1.saturating_add(times),
            Err(place) => steps.insert(place, (mark, times)),
        }
        if steps.len() > STEPS_MAX {
            // The first step takes in the second: what lies below both is still counted right, what
            // lies between them too low. Taken in the other way it would be counted too high, and
            // given up by a client that counts, though it was hardly ever sent. The farthest stays,
            // so that nothing that was sent counts as if it never was.
            let (_, second) = steps.remove(1);
            steps[0].1 = steps[0].1.saturating_add(second);
        }
    }

    /// How often a record was sent before.
    pub(crate) fn count(&self, record: &Record) -> u32 {
        let Mark { epoch, offset } = record.mark;
        let Some(steps) = &self.0 else { return 0 };
        let steps = steps[record.log].iter();
        let covering = steps.filter(|(step, _)| step.epoch == epoch && step.offset >= offset);
        covering.fold(0, |count, (_, times)| count.saturating_add(*times))
    }

    /// Every step, each as a position in one log.
    pub(super) fn steps(&self) -> impl Iterator<Item = (Position, u32)> {
        LogKind::ALL.into_iter().flat_map(|log| {
            let steps = self.0.as_ref().map(|steps| steps[log].iter());
            let steps = steps.into_iter().flatten();
            steps.map(move |&(mark, times)| (Position::at(log, mark), times))
        })
    }

    fn forget(&mut self, acked: Position) {
        let Some(steps) = &mut self.0 else { return };
        for log in LogKind::ALL {
            steps[log].retain(|&(mark, _)| !acked.covers(log, mark));
        }
        if LogKind::ALL.into_iter().all(|log| steps[log].is_empty()) {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Mark {
        Mark { epoch: 1, offset }
    }

    fn record(offset: u64) -> Record {
        let message = tidings_model::Message {
            topic: tidings_model::Topic::new("t").unwrap(),
            payload: Default::default(),
            content_type: "text/plain".into(),
            event_type: tidings_model::EventType::MESSAGE,
            headers: Default::default(),
            from: None,
            key: None,
            time: Time::default(),
            expires: None,
            manner: Default::default(),
        };
        Record::new(LogKind::Durable, Mark { epoch: 1, offset }, 0, std::sync::Arc::new(message))
    }

    #[test]
    fn attempts_are_counted_by_places() {
        let mut stairs = Stairs::default();
        for sent in [10, 5, 10, 20] {
            stairs.add(LogKind::Durable, at(sent), 1);
        }
        let counts = |stairs: &Stairs| [1, 5, 6, 10, 11, 20, 21].map(|n| stairs.count(&record(n)));
        assert_eq!(counts(&stairs), [4, 4, 3, 3, 1, 1, 0]);
        stairs.forget(Position::at(LogKind::Durable, at(10)));
        assert_eq!(stairs.0.as_ref().unwrap()[LogKind::Durable], [(at(20), 1)]);
    }

    #[test]
    fn the_number_of_steps_is_bounded() {
        let mut stairs = Stairs::default();
        for sent in 1..1000 {
            stairs.add(LogKind::Durable, at(sent), 1);
        }
        assert_eq!(stairs.0.as_ref().unwrap()[LogKind::Durable].len(), STEPS_MAX);
        assert_eq!(stairs.count(&record(1)), 999);
        // The offset n was sent from the n-th time on.
        for offset in 1..=1000 {
            let sent = 1000 - offset as u32;
            let counted = stairs.count(&record(offset));
            assert!(counted <= sent, "{offset} was sent {sent} times, not {counted}");
            assert_eq!(counted > 0, sent > 0, "{offset}");
        }
    }
}
