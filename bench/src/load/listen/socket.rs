//! A WebSocket.

use memchr::memmem;

use super::{Asking, Awaiting, Receiver};
use crate::load::frames::{Frames, write_text};
use crate::load::talk::{Talk, Turn};

/// The listener.
pub(super) struct Socket {
    asking: Asking,
    first: Vec<String>,
    ready: Option<String>,
    receiver: Receiver,
    frames: Frames,
    state: State,
}

enum State {
    /// The answer to the handshake is awaited.
    Handshake(Awaiting),
    /// What says that it listens is awaited; this was read so far.
    Greeting(Vec<u8>),
    Listening,
}

impl Socket {
    pub(super) fn new(
        asking: Asking,
        first: Vec<String>,
        ready: Option<String>,
        receiver: Receiver,
    ) -> Socket {
        let state = State::Listening;
        Socket { asking, first, ready, receiver, frames: Frames::default(), state }
    }

    fn frames(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let mut pongs = Vec::new();
        let Socket { frames, receiver, state, ready, .. } = self;
        frames.feed(bytes, &mut pongs, |part| {
            let State::Greeting(read) = state else {
                receiver.take(part, turn);
                return;
            };
            read.extend_from_slice(part);
            if ready.as_ref().is_none_or(|ready| memmem::find(read, ready.as_bytes()).is_some()) {
                let read = std::mem::take(read);
                *state = State::Listening;
                receiver.ready(&read, turn);
                receiver.take(&read, turn);
            }
        })?;
        turn.out.append(&mut pongs);
        Ok(())
    }
}

impl Talk for Socket {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.frames = Frames::default();
        self.state = State::Handshake(Awaiting::default());
        self.asking.write(&self.receiver.from(), turn.out);
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let State::Handshake(awaiting) = &mut self.state else {
            return self.frames(bytes, turn);
        };
        let Some(body) = awaiting.take(bytes, 101, None)? else { return Ok(()) };
        for text in &self.first {
            write_text(turn.out, text.as_bytes());
        }
        if self.ready.is_some() {
            self.state = State::Greeting(Vec::new());
        } else {
            self.state = State::Listening;
            self.receiver.ready(&[], turn);
        }
        self.frames(&body, turn)
    }

    fn missing(&self, published: &[u32]) -> u64 {
        self.receiver.tally.missing(published)
    }
}
