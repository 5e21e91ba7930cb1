//! Publishes that were seen already: a retry gets the first one's answer.
//!
//! Follows draft-ietf-httpapi-idempotency-key-header. Must never store a message twice, also when
//! the retry comes while the first is still being stored.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tidings_model::{IdempotencyKey, Message, Published, Refusal, Time, Topic};

use crate::broker::Done;

type Key = (Topic, IdempotencyKey);

/// The keys of the last while.
pub(crate) struct Window {
    keys_max: usize,
    keep: Duration,
    known: HashMap<Key, Entry>,
    /// Keys in the order they came, for forgetting the oldest.
    order: VecDeque<(Time, Key)>,
}

struct Entry {
    fingerprint: u64,
    state: EntryState,
}

enum EntryState {
    /// Being stored; these wait for the same answer.
    Pending(Vec<Done>),
    Stored(Published),
}

/// What a key says of a publish.
pub(crate) enum Seen {
    /// It is the first: store it, then call [`Window::settle`].
    First(Done),
    /// It is taken care of: answered, or waiting for the first one.
    Handled,
    /// Answer it at once.
    Answer(Done, Result<Published, Refusal>),
}

impl Window {
    pub(crate) fn new(keys_max: usize, keep: Duration) -> Window {
        Window { keys_max, keep, known: HashMap::new(), order: VecDeque::new() }
    }

    /// Takes in a publish of an earlier life of the process.
    pub(crate) fn remember(
        &mut self,
        key: Key,
        fingerprint: u64,
        since: Time,
        published: Published,
    ) {
        let most = self.keys_max;
        self.forget(|count, _| count >= most);
        let state = EntryState::Stored(published);
        if self.known.insert(key.clone(), Entry { fingerprint, state }).is_none() {
            self.order.push_back((since, key));
        }
    }

    /// Looks a publish up and remembers it.
    pub(crate) fn enter(&mut self, key: Key, fingerprint: u64, now: Time, done: Done) -> Seen {
        let keep = self.keep;
        self.forget(|_, since| now.since(since) >= keep);
        match self.known.get_mut(&key) {
            None => {
                let most = self.keys_max;
                self.forget(|count, _| count >= most);
                let state = EntryState::Pending(Vec::new());
                self.known.insert(key.clone(), Entry { fingerprint, state });
                self.order.push_back((now, key));
                Seen::First(done)
            }
            Some(entry) if entry.fingerprint != fingerprint => {
                Seen::Answer(done, Err(Refusal::IdempotencyKeyReused))
            }
            Some(Entry { state: EntryState::Stored(published), .. }) => {
                Seen::Answer(done, Ok(*published))
            }
            Some(Entry { state: EntryState::Pending(waiting), .. }) => {
                waiting.push(done);
                Seen::Handled
            }
        }
    }

    /// The first publish of a key has ended. Returns who else waits for it. A failed one is
    /// forgotten, so that a retry is a new try.
    pub(crate) fn settle(&mut self, key: &Key, result: &Result<Published, Refusal>) -> Vec<Done> {
        let Some(entry) = self.known.get_mut(key) else { return Vec::new() };
        let state = match result {
            Ok(published) => EntryState::Stored(*published),
            Err(_) => EntryState::Pending(Vec::new()),
        };
        let before = std::mem::replace(&mut entry.state, state);
        if result.is_err() {
            self.known.remove(key);
            self.order.retain(|(_, known)| known != key);
        }
        match before {
            EntryState::Pending(waiting) => waiting,
            EntryState::Stored(_) => Vec::new(),
        }
    }

    /// Forgets the oldest for as long as `is_over` says so of their number and its time. One that
    /// is still being stored is never forgotten.
    fn forget(&mut self, is_over: impl Fn(usize, Time) -> bool) {
        while let Some((since, key)) = self.order.front() {
            let pending =
                matches!(self.known.get(key), Some(Entry { state: EntryState::Pending(_), .. }));
            if pending || !is_over(self.order.len(), *since) {
                return;
            }
            self.known.remove(key);
            self.order.pop_front();
        }
    }
}

/// What makes two publishes the same: everything the sender said, not when it came. Kept on disk,
/// so it must be the same in every version: FNV-1a over each part and its length.
pub(crate) fn fingerprint(messages: &[Message]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |part: &[u8]| {
        for &byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for message in messages {
        feed(&message.payload);
        feed(message.content_type.as_bytes());
        feed(message.event_type.as_str().as_bytes());
        feed(message.key.as_deref().unwrap_or_default().as_bytes());
        // Only where it is known, so that what was stored before stays what it is.
        if let Some(from) = &message.from {
            feed(from.as_bytes());
        }
        for (name, value) in message.headers.iter() {
            feed(name.as_bytes());
            feed(value.as_bytes());
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_model::{Durability, Position};

    fn key(text: &str) -> Key {
        (Topic::new("t").unwrap(), IdempotencyKey::new(text).unwrap())
    }

    fn enter(window: &mut Window, text: &str, fingerprint: u64, now: u64) -> &'static str {
        match window.enter(key(text), fingerprint, Time::from_millis(now), Box::new(|_| {})) {
            Seen::First(_) => "first",
            Seen::Handled => "waits",
            Seen::Answer(_, Ok(_)) => "again",
            Seen::Answer(_, Err(_)) => "refused",
        }
    }

    #[test]
    fn a_retry_is_not_a_second_message() {
        let mut window = Window::new(10, Duration::from_millis(100));
        let stored = Ok(Published {
            durability: Durability::Fsync,
            position: Position::default(),
            count: 1,
        });
        assert_eq!(enter(&mut window, "a", 1, 0), "first");
        assert_eq!(enter(&mut window, "a", 1, 1), "waits");
        assert_eq!(window.settle(&key("a"), &stored).len(), 1);
        assert_eq!(enter(&mut window, "a", 1, 2), "again");
        assert_eq!(enter(&mut window, "a", 2, 3), "refused");
        assert_eq!(enter(&mut window, "a", 1, 100), "first", "forgotten after its time");
    }

    #[test]
    fn a_failed_publish_may_be_tried_again() {
        let mut window = Window::new(10, Duration::from_secs(1));
        assert_eq!(enter(&mut window, "a", 1, 0), "first");
        window.settle(&key("a"), &Err(Refusal::PositionAhead));
        assert_eq!(enter(&mut window, "a", 1, 1), "first");
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let mut window = Window::new(3, Duration::from_secs(1));
        let stored = Ok(Published {
            durability: Durability::Fsync,
            position: Position::default(),
            count: 1,
        });
        for n in 0..10 {
            assert_eq!(enter(&mut window, &n.to_string(), 1, 0), "first");
            window.settle(&key(&n.to_string()), &stored);
        }
        assert_eq!(enter(&mut window, "7", 1, 0), "again", "looking does not forget");
        assert!(window.known.len() <= 3 && window.order.len() == window.known.len());
    }
}
