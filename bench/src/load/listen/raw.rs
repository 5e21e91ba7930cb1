//! Bytes of a protocol's own: something is sent, something says that it listens, messages come.

use memchr::memmem;

use super::Receiver;
use crate::load::talk::{Talk, Turn};

/// The listener.
pub(super) struct Raw {
    first: Vec<u8>,
    ready: Vec<u8>,
    receiver: Receiver,
    /// What was read before it listened; nothing once it does.
    read: Option<Vec<u8>>,
}

impl Raw {
    pub(super) fn new(first: Vec<u8>, ready: Vec<u8>, receiver: Receiver) -> Raw {
        Raw { first, ready, receiver, read: None }
    }
}

impl Talk for Raw {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.read = Some(Vec::new());
        let _ = self.receiver.from();
        turn.out.extend_from_slice(&self.first);
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let Some(read) = &mut self.read else {
            self.receiver.take(bytes, turn);
            return Ok(());
        };
        read.extend_from_slice(bytes);
        if memmem::find(read, &self.ready).is_some() {
            let read = self.read.take().unwrap_or_default();
            self.receiver.ready(&read, turn);
            self.receiver.take(&read, turn);
        }
        Ok(())
    }

    fn missing(&self, published: &[u32]) -> u64 {
        self.receiver.tally.missing(published)
    }
}
