//! What other threads leave for a shard's own. Whatever is left rings its thread.

use std::sync::Mutex;

use super::SubKey;
use super::catch_up::Arrival;
use crate::broker::lock;
use crate::sessions::Eviction;

/// What other threads leave for a shard.
pub(crate) struct Inbox {
    ring: Box<dyn Fn() + Send + Sync>,
    pub(super) evictions: Mutex<Vec<Eviction>>,
    pub(super) arrivals: Mutex<Vec<Arrival>>,
    pub(super) woken: Mutex<Vec<SubKey>>,
}

impl Inbox {
    pub(crate) fn new(ring: Box<dyn Fn() + Send + Sync>) -> Inbox {
        Inbox {
            ring,
            evictions: Mutex::default(),
            arrivals: Mutex::default(),
            woken: Mutex::default(),
        }
    }

    /// Lets the shard's thread dispatch.
    pub(crate) fn ring(&self) {
        (self.ring)();
    }

    pub(crate) fn evict(&self, eviction: Eviction) {
        lock(&self.evictions).push(eviction);
        self.ring();
    }

    pub(crate) fn wake(&self, key: SubKey) {
        lock(&self.woken).push(key);
        self.ring();
    }

    pub(super) fn arrive(&self, arrival: Arrival) {
        lock(&self.arrivals).push(arrival);
        self.ring();
    }
}
