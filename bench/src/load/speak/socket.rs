//! Text frames on a WebSocket. Nothing answers them.

use memchr::memmem;

use super::IN_FLIGHT_MAX;
use crate::load::frames::{Frames, handshake_fields, write_text};
use crate::load::http::{Head, write_request};
use crate::load::talk::{Talk, Turn};
use crate::target::{as_segment, fill};

/// The speaker.
pub(super) struct Socket {
    host: String,
    target: String,
    first: Vec<String>,
    ready: Option<String>,
    message: String,
    frames: Frames,
    /// What was read before it was ready; nothing once it is.
    read: Option<Vec<u8>>,
    /// Whether the handshake was answered.
    open: bool,
}

impl Socket {
    pub(super) fn new(
        host: &str,
        target: &str,
        first: &[String],
        ready: Option<String>,
        message: &str,
    ) -> Socket {
        Socket {
            host: host.to_owned(),
            target: target.to_owned(),
            first: first.to_vec(),
            ready,
            message: message.to_owned(),
            frames: Frames::default(),
            read: None,
            open: false,
        }
    }

    fn frames(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let Socket { frames, read, ready, .. } = self;
        let mut is_ready = false;
        frames.feed(bytes, turn.out, |part| {
            if let (Some(read), Some(ready)) = (read.as_mut(), ready.as_ref()) {
                read.extend_from_slice(part);
                is_ready |= memmem::find(read, ready.as_bytes()).is_some();
            }
        })?;
        if is_ready {
            (self.read, turn.ready) = (None, true);
        }
        Ok(())
    }
}

impl Talk for Socket {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        (self.frames, self.read, self.open) = (Frames::default(), Some(Vec::new()), false);
        write_request(turn.out, "GET", &self.target, &self.host, &handshake_fields(), None);
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        if self.open {
            return self.frames(bytes, turn);
        }
        let read = self.read.get_or_insert_default();
        read.extend_from_slice(bytes);
        let Some((head, length)) = Head::take(read)? else { return Ok(()) };
        head.expect(101)?;
        let rest = read.split_off(length);
        self.open = true;
        self.first.iter().for_each(|text| write_text(turn.out, text.as_bytes()));
        if self.ready.is_none() {
            (self.read, turn.ready) = (None, true);
        } else {
            self.read = Some(Vec::new());
        }
        self.frames(&rest, turn)
    }

    fn publish(&mut self, topic: &str, payload: &[u8], turn: &mut Turn<'_>) {
        let (length, payload) = (payload.len().to_string(), String::from_utf8_lossy(payload));
        let segment = as_segment(topic);
        let values = [
            ("topic", topic),
            ("topic_segment", &segment),
            ("length", &length),
            // The last, since it may hold what looks like a place.
            ("payload", &payload),
        ];
        write_text(turn.out, fill(&self.message, &values).as_bytes());
        turn.accepted += 1;
    }

    fn in_flight_max(&self) -> usize {
        IN_FLIGHT_MAX
    }
}
