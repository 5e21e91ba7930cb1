//! What the streams of one connection and whoever serves it know of each other: how many there are,
//! and what of them the socket has taken.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::connection::Stats;

/// The requests of one connection that are under way.
#[derive(Default)]
pub(super) struct Streams {
    open: Cell<usize>,
    /// Whose business it is when one ends.
    waker: RefCell<Option<Waker>>,
    /// How often the socket has taken everything there was.
    flushes: Cell<u64>,
    /// Whether it never will again.
    is_over: Cell<bool>,
    /// Who waits for that, and is bounded by how many streams there are.
    waiting: RefCell<Vec<Waker>>,
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

impl Streams {
    /// The socket has taken all that the library was given before.
    pub(super) fn flushed(&self) {
        self.flushes.set(self.flushes.get() + 1);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// The socket will take nothing any more.
    pub(super) fn over(&self) {
        self.is_over.set(true);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
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

impl Open {
    /// How often the socket has taken everything there was; what the library is given now, it has
    /// taken when that is more.
    pub(crate) fn flushes(&self) -> u64 {
        self.streams.flushes.get()
    }

    /// Ready when the socket has taken everything once more than `flushes` times, or never will:
    /// says which.
    pub(crate) fn poll_flushed(&self, flushes: u64, cx: &mut Context<'_>) -> Poll<bool> {
        if self.flushes() > flushes {
            return Poll::Ready(true);
        }
        if self.streams.is_over.get() {
            return Poll::Ready(false);
        }
        let mut waiting = self.streams.waiting.borrow_mut();
        // Once each, however often it looks.
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
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
