//! An HTTP answer that does not end: Server-Sent Events, NDJSON and whatever else is plain text.

use super::{Asking, Awaiting, Receiver};
use crate::load::talk::{Talk, Turn};

/// The listener.
pub(super) struct Stream {
    asking: Asking,
    ready: Option<String>,
    receiver: Receiver,
    /// Nothing once it listens.
    awaiting: Option<Awaiting>,
}

impl Stream {
    pub(super) fn new(asking: Asking, ready: Option<String>, receiver: Receiver) -> Stream {
        Stream { asking, ready, receiver, awaiting: None }
    }
}

impl Talk for Stream {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.awaiting = Some(Awaiting::default());
        self.asking.write(&self.receiver.from(), turn.out);
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let Some(awaiting) = &mut self.awaiting else {
            self.receiver.take(bytes, turn);
            return Ok(());
        };
        if let Some(body) = awaiting.take(bytes, 200, self.ready.as_deref())? {
            self.awaiting = None;
            self.receiver.ready(&body, turn);
            self.receiver.take(&body, turn);
        }
        Ok(())
    }

    fn missing(&self, published: &[u32]) -> u64 {
        self.receiver.tally.missing(published)
    }
}
