//! What WebSocket messages of one thread are compressed to, made once for all who are sent them.
//!
//! A message's bytes are known again by where they are: whoever shares them shares the very same
//! bytes, and what is kept here keeps them from being anyone else's. Must never be asked for what
//! may not be kept for a while.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tidings_websocket_codec::Deflater;

/// Bodies of fewer bytes go as they are: what they would shrink by is less than what the packet
/// around them costs.
const BODY_BYTES_MIN: usize = 200;

/// Bodies of more bytes go as they are: compressing them would keep the thread's other connections
/// waiting for some milliseconds.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most bodies kept: more than one connection is handed before it is the next one's turn.
const KEPT_MAX: usize = 1024;

/// Most bytes kept, of bodies and of what they were compressed to.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where some bytes are.
type Place = (usize, usize);

/// Bytes, which are kept so that no others can take their place, and what they were compressed to,
/// if that saved anything.
struct Kept {
    body: Bytes,
    deflated: Option<Bytes>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.body.len() + self.deflated.as_ref().map_or(0, Bytes::len)
    }
}

/// The compressed bodies of a thread.
#[derive(Default)]
pub(crate) struct Deflated {
    /// Made when it is first needed.
    deflater: Option<Deflater>,
    kept: HashMap<Place, Kept>,
    /// The places of what is kept, the oldest first.
    order: VecDeque<Place>,
    bytes: usize,
}

impl Deflated {
    /// What a message's body is compressed to; `None` when it should go as it is.
    pub(crate) fn get(&mut self, body: &Bytes) -> Option<Bytes> {
        if !(BODY_BYTES_MIN..=BODY_BYTES_MAX).contains(&body.len()) {
            return None;
        }
        let place = (body.as_ptr() as usize, body.len());
        if let Some(kept) = self.kept.get(&place) {
            return kept.deflated.clone();
        }
        let deflater = self.deflater.get_or_insert_default();
        let deflated = deflater.deflate(body).map(Bytes::copy_from_slice);
        // What nobody else holds nobody else will ask for.
        if !body.is_unique() {
            self.keep(place, Kept { body: body.clone(), deflated: deflated.clone() });
        }
        deflated
    }

    fn keep(&mut self, place: Place, kept: Kept) {
        self.bytes += kept.bytes();
        self.order.push_back(place);
        self.kept.insert(place, kept);
        while self.order.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.kept.remove(&oldest).map_or(0, |kept| kept.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(length: usize) -> Bytes {
        b"abcdefgh".repeat(length / 8 + 1)[..length].to_vec().into()
    }

    #[test]
    fn what_is_shared_is_compressed_once() {
        let mut deflated = Deflated::default();
        let body = body(1000);
        let _other = body.clone();
        let first = deflated.get(&body).unwrap();
        assert!(first.len() < 100);
        let again = deflated.get(&body.clone()).unwrap();
        assert_eq!(first.as_ptr(), again.as_ptr(), "the very same bytes");
        // The same text elsewhere is another message.
        let copy = Bytes::copy_from_slice(&body);
        let _other = copy.clone();
        assert_ne!(deflated.get(&copy).unwrap().as_ptr(), first.as_ptr());
        assert_eq!(deflated.order.len(), 2);
    }

    #[test]
    fn what_is_not_shared_is_not_kept() {
        let mut deflated = Deflated::default();
        assert!(deflated.get(&body(1000)).is_some());
        assert_eq!((deflated.order.len(), deflated.bytes), (0, 0));
    }

    #[test]
    fn small_and_huge_ones_go_as_they_are() {
        let mut deflated = Deflated::default();
        for length in [0, BODY_BYTES_MIN - 1, BODY_BYTES_MAX + 1] {
            assert_eq!(deflated.get(&body(length)), None, "{length}");
        }
        for length in [BODY_BYTES_MIN, BODY_BYTES_MAX] {
            assert!(deflated.get(&body(length)).is_some(), "{length}");
        }
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut deflated = Deflated::default();
        let bodies: Vec<[Bytes; 2]> = (0..KEPT_MAX + 10)
            .map(|_| body(BODY_BYTES_MIN))
            .map(|body| [body.clone(), body])
            .collect();
        for [body, _] in &bodies {
            deflated.get(body);
        }
        assert_eq!((deflated.order.len(), deflated.kept.len()), (KEPT_MAX, KEPT_MAX));
        let large: Vec<[Bytes; 2]> =
            (0..10).map(|_| body(BODY_BYTES_MAX)).map(|body| [body.clone(), body]).collect();
        for [body, _] in &large {
            deflated.get(body);
            assert!(deflated.bytes <= KEPT_BYTES_MAX);
        }
        assert_eq!(deflated.order.len(), 3);
        let bytes: usize = deflated.kept.values().map(Kept::bytes).sum();
        assert_eq!(bytes, deflated.bytes);
    }
}
