//! When which message is published, over which of a publishing's connections.
//!
//! Must never let a slow answer move the times that messages were meant to be sent at: latency is
//! measured from those.

use std::collections::VecDeque;

use super::latency::Latency;
use super::mark::{Mark, write_payload};

/// How fast to publish.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many messages a second, whatever the server does.
    Rate(f64),
    /// The next message as soon as its connection's last one was answered.
    Answered,
    /// As fast as messages are delivered: at most so many are not at all of their listeners, of
    /// whom each message has so many.
    Delivered {
        /// Messages that are not delivered to all.
        window: u64,
        /// Listeners of each message.
        listeners: u64,
    },
}

/// What to publish.
#[derive(Clone, Debug)]
pub(crate) struct PublishPlan {
    /// To these topics in turns.
    pub(crate) topics: Vec<String>,
    /// Over so many connections in turns.
    pub(crate) connections: usize,
    /// Bytes of a message.
    pub(crate) bytes: usize,
    /// Messages of one publish.
    pub(crate) batch: usize,
    /// How fast.
    pub(crate) pace: Pace,
}

/// A publishing while it goes on.
#[derive(Debug)]
pub(crate) struct Publishing {
    pub(super) plan: PublishPlan,
    /// The first of its streams: one for each topic and connection.
    pub(super) base: u32,
    pub(super) speakers: Vec<Speaker>,
    /// When it began, and how many publishes there were since.
    begun: Option<(u64, u64)>,
    /// Publishes that are still wanted.
    left: u64,
    /// Messages that were delivered when it began.
    delivered_before: u64,
    /// Publishes that the server took.
    pub(crate) accepted: u64,
    /// Publishes that it refused.
    pub(crate) refused: u64,
    /// From when a message was meant to be sent until it was answered.
    pub(crate) answers: Latency,
    /// The longest time by which one was sent too late.
    pub(crate) late_max: u64,
}

/// One connection of it.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) connection: usize,
    pub(super) ready: bool,
    in_flight_max: usize,
    /// When the messages that are not answered were meant to be sent.
    in_flight: VecDeque<u64>,
    /// Publishes that are due and wait for an answer: their number and time.
    waiting: VecDeque<(u64, u64)>,
}

/// What is to be published now, over the speaker of this number.
pub(super) struct Saying {
    pub(super) speaker: usize,
    pub(super) topic: usize,
    pub(super) payload: Vec<u8>,
}

impl Publishing {
    pub(super) fn new(plan: PublishPlan, base: u32) -> anyhow::Result<Publishing> {
        Ok(Publishing {
            plan,
            base,
            speakers: Vec::new(),
            begun: None,
            left: 0,
            delivered_before: 0,
            accepted: 0,
            refused: 0,
            answers: Latency::new()?,
            late_max: 0,
        })
    }

    pub(super) fn add(&mut self, connection: usize, in_flight_max: usize) {
        let (in_flight, waiting) = (VecDeque::new(), VecDeque::new());
        let ready = false;
        self.speakers.push(Speaker { connection, ready, in_flight_max, in_flight, waiting });
    }

    /// Lets it publish, at most so often.
    pub(super) fn begin(&mut self, now: u64, publishes: u64, delivered: u64) {
        (self.begun, self.left) = (Some((now, 0)), publishes);
        self.delivered_before = delivered;
    }

    /// No more is published than what is under way.
    pub(super) fn stop(&mut self) {
        self.left = 0;
        self.speakers.iter_mut().for_each(|speaker| speaker.waiting.clear());
    }

    /// Whether all that was wanted was published and answered.
    pub(crate) fn is_done(&self) -> bool {
        let idle = |speaker: &Speaker| speaker.in_flight.is_empty() && speaker.waiting.is_empty();
        self.left == 0 && self.speakers.iter().all(idle)
    }

    /// A connection broke. Returns whether nothing was under way on it, so that nothing is lost.
    pub(super) fn lose(&mut self, speaker: usize) -> bool {
        self.speakers[speaker].ready = false;
        self.speakers[speaker].in_flight.is_empty()
    }

    /// When the next message is due, where that is a matter of time.
    pub(super) fn due(&self) -> Option<u64> {
        match (self.plan.pace, self.begun) {
            (Pace::Rate(rate), Some((begin, count))) if self.left > 0 => {
                Some(time(begin, count, rate))
            }
            _ => None,
        }
    }

    /// Decides what is due, and for which connection.
    pub(super) fn decide(&mut self, now: u64, delivered: u64) {
        let Some((begin, mut count)) = self.begun else { return };
        let speakers = self.speakers.len() as u64;
        let topics = self.plan.topics.len() as u64;
        // A topic's messages go over one connection after another, each a stream of its own.
        let speaker_of = |count: u64| (count / topics % speakers) as usize;
        match self.plan.pace {
            Pace::Rate(rate) => {
                while self.left > 0 && time(begin, count, rate) <= now {
                    let due = (count, time(begin, count, rate));
                    self.speakers[speaker_of(count)].waiting.push_back(due);
                    (count, self.left) = (count + 1, self.left - 1);
                }
            }
            Pace::Answered => {
                for speaker in &mut self.speakers {
                    if self.left > 0 && speaker.in_flight.is_empty() && speaker.waiting.is_empty() {
                        speaker.waiting.push_back((count, now));
                        (count, self.left) = (count + 1, self.left - 1);
                    }
                }
            }
            Pace::Delivered { window, listeners } => {
                let whole = (delivered - self.delivered_before) / listeners.max(1);
                while self.left > 0 && count * (self.plan.batch as u64) < whole + window {
                    let speaker = &mut self.speakers[speaker_of(count)];
                    if !speaker.waiting.is_empty() {
                        break;
                    }
                    speaker.waiting.push_back((count, now));
                    (count, self.left) = (count + 1, self.left - 1);
                }
            }
        }
        self.begun = Some((begin, count));
    }

    /// The next publish that can be made, in the order of each stream.
    pub(super) fn next(&mut self, now: u64, published: &mut [u32]) -> Option<Saying> {
        let free = |speaker: &Speaker| {
            speaker.ready
                && !speaker.waiting.is_empty()
                && speaker.in_flight.len() < speaker.in_flight_max
        };
        let speaker = self.speakers.iter().position(free)?;
        let (count, due) = self.speakers[speaker].waiting.pop_front()?;
        self.speakers[speaker].in_flight.push_back(due);
        self.late_max = self.late_max.max(now - due);
        let topic = (count % self.plan.topics.len() as u64) as usize;
        let stream = self.base as usize + topic * self.speakers.len() + speaker;
        let mut payload = Vec::with_capacity(self.plan.batch * (self.plan.bytes + 1));
        for index in 0..self.plan.batch {
            if index > 0 {
                payload.push(b'\n');
            }
            let number = published[stream];
            published[stream] += 1;
            let mark = Mark { stream: stream as u32, number, time: due };
            write_payload(&mut payload, self.plan.bytes, mark);
        }
        Some(Saying { speaker, topic, payload })
    }

    /// The oldest messages of a connection were answered.
    pub(super) fn answered(&mut self, speaker: usize, accepted: u32, refused: u32, now: u64) {
        self.accepted += u64::from(accepted);
        self.refused += u64::from(refused);
        for _ in 0..accepted + refused {
            if let Some(due) = self.speakers[speaker].in_flight.pop_front() {
                self.answers.record(now.saturating_sub(due));
            }
        }
    }

    /// Begins a measurement: forgets counts and times.
    pub(crate) fn begin_measurement(&mut self) {
        (self.accepted, self.refused, self.late_max) = (0, 0, 0);
        self.answers.clear();
    }
}

/// When the message of this number is meant to be sent.
fn time(begin: u64, count: u64, rate: f64) -> u64 {
    begin + (count as f64 * 1e9 / rate) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn publishing(pace: Pace, topics: usize, connections: usize) -> (Publishing, Vec<u32>) {
        let topics: Vec<String> = (0..topics).map(|number| number.to_string()).collect();
        let published = vec![0; topics.len() * connections];
        let plan = PublishPlan { topics, connections, bytes: 0, batch: 1, pace };
        let mut publishing = Publishing::new(plan, 0).unwrap();
        for connection in 0..connections {
            publishing.add(connection, 1);
            publishing.speakers[connection].ready = true;
        }
        (publishing, published)
    }

    /// What is said now: over which connection, to which topic, which message.
    fn said(
        publishing: &mut Publishing,
        now: u64,
        published: &mut [u32],
    ) -> Vec<(usize, usize, Mark)> {
        publishing.decide(now, 0);
        let mut said = Vec::new();
        while let Some(saying) = publishing.next(now, published) {
            let mark = super::super::mark::parse(&saying.payload).unwrap();
            said.push((saying.speaker, saying.topic, mark));
        }
        said
    }

    #[test]
    fn a_slow_answer_does_not_move_when_messages_were_meant_to_be_sent() {
        let (mut publishing, mut published) = publishing(Pace::Rate(1000.0), 1, 1);
        publishing.begin(5 * MS, 100, 0);
        let times = |said: Vec<(usize, usize, Mark)>| -> Vec<u64> {
            said.into_iter().map(|(_, _, mark)| mark.time / MS).collect()
        };
        assert_eq!(times(said(&mut publishing, 5 * MS, &mut published)), [5]);
        // The answer takes ten times as long as until the next message.
        assert!(times(said(&mut publishing, 15 * MS, &mut published)).is_empty());
        publishing.answered(0, 1, 0, 15 * MS);
        assert_eq!(times(said(&mut publishing, 15 * MS, &mut published)), [6]);
        publishing.answered(0, 1, 0, 16 * MS);
        assert_eq!(publishing.late_max, 9 * MS);
        assert!((publishing.answers.quantile_ms(0.5) - 10.0).abs() < 0.1, "both took ten");
        publishing.stop();
        assert!(publishing.is_done());
    }

    #[test]
    fn each_topic_and_connection_is_a_stream_in_order() {
        let (mut publishing, mut published) = publishing(Pace::Rate(1e9), 2, 2);
        publishing.begin(0, 8, 0);
        let mut all = Vec::new();
        for _ in 0..4 {
            all.extend(said(&mut publishing, MS, &mut published));
            (0..2).for_each(|speaker| publishing.answered(speaker, 1, 0, MS));
        }
        assert_eq!(published, [2, 2, 2, 2]);
        for (speaker, topic, mark) in &all {
            assert_eq!(mark.stream as usize, topic * 2 + speaker);
        }
        for stream in 0..4 {
            let of = all.iter().filter(|(_, _, mark)| mark.stream == stream);
            assert_eq!(of.map(|(_, _, mark)| mark.number).collect::<Vec<_>>(), [0, 1]);
        }
    }

    #[test]
    fn the_window_is_of_messages_that_not_all_have() {
        let pace = Pace::Delivered { window: 2, listeners: 10 };
        let (mut publishing, mut published) = publishing(pace, 1, 1);
        publishing.begin(0, 100, 1000);
        let mut count = |delivered| {
            publishing.decide(0, delivered);
            let mut count = 0;
            while publishing.next(0, &mut published).is_some() {
                publishing.answered(0, 1, 0, 0);
                publishing.decide(0, delivered);
                count += 1;
            }
            count
        };
        assert_eq!([count(1000), count(1009), count(1010), count(1030)], [2, 0, 1, 2]);
    }
}
