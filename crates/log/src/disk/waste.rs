//! Records that nobody needs any more. To let go of many takes about as long as to store them; so
//! whoever appends lets go of what its own messages have pushed out, and not the one thread that all
//! wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_model::Record;

/// Most bytes of messages that wait. Of more, whoever brings them lets go of them.
const WASTE_BYTES_MAX: u64 = 4 << 20;

/// Records that are no longer among the newest.
#[derive(Default)]
pub(super) struct Heap {
    records: Vec<Arc<Record>>,
    bytes: u64,
}

impl Heap {
    pub(super) fn push(&mut self, record: Arc<Record>, bytes: u32) {
        self.records.push(record);
        self.bytes += u64::from(bytes);
    }
}

/// Heaps to let go of.
#[derive(Default)]
pub(super) struct Waste(Mutex<Heaps>);

#[derive(Default)]
struct Heaps {
    heaps: Vec<Heap>,
    bytes: u64,
}

impl Waste {
    fn heaps(&self) -> MutexGuard<'_, Heaps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a heap to others, if there is not too much already.
    pub(super) fn give(&self, heap: Heap) {
        let mut waste = self.heaps();
        if !heap.records.is_empty() && waste.bytes + heap.bytes <= WASTE_BYTES_MAX {
            waste.bytes += heap.bytes;
            waste.heaps.push(heap);
        }
    }

    /// Lets go of a heap.
    pub(super) fn drop_some(&self) {
        let heap = {
            let mut waste = self.heaps();
            let heap = waste.heaps.pop();
            waste.bytes -= heap.as_ref().map_or(0, |heap| heap.bytes);
            heap
        };
        // Not with the lock held.
        drop(heap);
    }
}
