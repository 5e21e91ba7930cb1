//! What one side of a conversation says and understands, without a socket.
//!
//! Must never do I/O or read a clock.

use super::group::Heard;

/// One turn of a conversation: what the loop gives, and what it is told.
pub(super) struct Turn<'a> {
    /// Now, by our own clock.
    pub(super) now: u64,
    /// What is to be sent.
    pub(super) out: &'a mut Vec<u8>,
    /// What the group of this listener has heard; that of a speaker hears nothing.
    pub(super) heard: &'a mut Heard,
    /// How much of each stream was published.
    pub(super) published: &'a [u32],
    /// Set once the conversation has begun.
    pub(super) ready: bool,
    /// When to be woken.
    pub(super) wake_at: Option<u64>,
    /// Messages that were answered.
    pub(super) accepted: u32,
    /// Messages that were refused.
    pub(super) refused: u32,
}

/// One side of a conversation.
pub(super) trait Talk {
    /// Says the first word, on a connection that is new.
    fn begin(&mut self, turn: &mut Turn<'_>);

    /// Takes what came.
    ///
    /// # Errors
    /// When it cannot be understood, or is a refusal: the connection is given up.
    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()>;

    /// The time that was asked for has come.
    fn wake(&mut self, _turn: &mut Turn<'_>) {}

    /// Publishes; asked only of speakers, and only when fewer than `in_flight_max` are unanswered.
    fn publish(&mut self, _topic: &str, _payload: &[u8], _turn: &mut Turn<'_>) {}

    /// How many messages may be unanswered.
    fn in_flight_max(&self) -> usize {
        1
    }

    /// How many messages never came, given how much of each stream was published.
    fn missing(&self, _published: &[u32]) -> u64 {
        0
    }
}
