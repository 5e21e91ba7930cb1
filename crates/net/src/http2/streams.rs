//! How many requests of one connection are under way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use crate::connection::Stats;

/// The requests of one connection that are under way.
#[derive(Default)]
pub(super) struct Streams {
    open: Cell<usize>,
    /// Whose business it is when one ends.
    waker: RefCell<Option<Waker>>,
}

impl Streams {
    /// How many there are.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Asks to be woken when one ends.
    pub(super) fn watch(&self, waker: &Waker) {
        match &mut *self.waker.borrow_mut() {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

/// One request under way, counted for as long as it lives.
pub(crate) struct Open {
    streams: Rc<Streams>,
    stats: Arc<Stats>,
}

impl Open {
    pub(super) fn new(streams: &Rc<Streams>, stats: &Arc<Stats>) -> Open {
        streams.open.set(streams.open.get() + 1);
        stats.stream_begins();
        Open { streams: Rc::clone(streams), stats: Arc::clone(stats) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.streams.open.set(self.streams.open.get() - 1);
        self.stats.stream_ends();
        if let Some(waker) = &*self.streams.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}
