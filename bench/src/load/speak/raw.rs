//! Bytes of a protocol's own, whose answers are counted by what stands in each of them.

use memchr::memmem;

use super::IN_FLIGHT_MAX;
use crate::load::mqtt;
use crate::load::talk::{Talk, Turn};
use crate::target::fill;

/// How a message is written.
pub(super) enum Message {
    /// With the places `{topic}`, `{length}` and `{payload}`.
    Template(String),
    /// As a PUBLISH of this quality of service.
    Mqtt(u8),
}

/// The speaker.
pub(super) struct Raw {
    first: Vec<u8>,
    ready: Option<Vec<u8>>,
    message: Message,
    answer: Option<Vec<u8>>,
    refusal: Option<Vec<u8>>,
    /// What was read and may hold the beginning of an answer.
    read: Vec<u8>,
    is_ready: bool,
    /// Numbers the packets of MQTT.
    packet: u16,
}

impl Raw {
    pub(super) fn new(
        first: Vec<u8>,
        ready: Option<Vec<u8>>,
        message: Message,
        answer: Option<Vec<u8>>,
        refusal: Option<Vec<u8>>,
    ) -> Raw {
        let (read, is_ready) = (Vec::new(), false);
        Raw { first, ready, message, answer, refusal, read, is_ready, packet: 0 }
    }

    /// How often `text` stands in what was read; what is behind the last is kept.
    fn count(&mut self, answer: &[u8], refusal: &[u8], turn: &mut Turn<'_>) {
        let mut behind = 0;
        for at in memmem::find_iter(&self.read, answer) {
            turn.accepted += 1;
            behind = at + answer.len();
        }
        if !refusal.is_empty() {
            for at in memmem::find_iter(&self.read, refusal) {
                turn.refused += 1;
                behind = behind.max(at + refusal.len());
            }
        }
        let longest = answer.len().max(refusal.len());
        let keep = (self.read.len() - behind).min(longest.saturating_sub(1));
        self.read.drain(..self.read.len() - keep);
    }
}

impl Talk for Raw {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.read.clear();
        turn.out.extend_from_slice(&self.first);
        self.is_ready = self.ready.is_none();
        turn.ready = self.is_ready;
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        self.read.extend_from_slice(bytes);
        if let Some(ready) = self.ready.as_ref().filter(|_| !self.is_ready) {
            let Some(at) = memmem::find(&self.read, ready) else { return Ok(()) };
            self.read.drain(..at + ready.len());
            (self.is_ready, turn.ready) = (true, true);
        }
        match (self.answer.take(), self.refusal.take()) {
            (Some(answer), refusal) => {
                self.count(&answer, refusal.as_deref().unwrap_or_default(), turn);
                (self.answer, self.refusal) = (Some(answer), refusal);
            }
            _ => self.read.clear(),
        }
        Ok(())
    }

    fn publish(&mut self, topic: &str, payload: &[u8], turn: &mut Turn<'_>) {
        match &self.message {
            Message::Mqtt(qos) => {
                // 0 is no packet identifier (MQTT 3.1.1 section 2.3.1).
                self.packet = self.packet % mqtt::PACKET_MAX + 1;
                mqtt::publish(turn.out, topic, payload, *qos, self.packet);
            }
            Message::Template(form) => {
                let (length, text) = (payload.len().to_string(), String::from_utf8_lossy(payload));
                let topic_length = topic.len().to_string();
                let values = [
                    ("topic_length", topic_length.as_str()),
                    ("length", &length),
                    ("topic", topic),
                    ("payload", &text),
                ];
                turn.out.extend_from_slice(fill(form, &values).as_bytes());
            }
        }
        if self.answer.is_none() {
            turn.accepted += 1;
        }
    }

    fn in_flight_max(&self) -> usize {
        IN_FLIGHT_MAX
    }
}
