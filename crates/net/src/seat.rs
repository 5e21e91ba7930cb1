//! A client's place on its thread: how it is told that something happened.

use std::rc::Rc;
use std::task::Waker;

use tidings_broker::Owner;
use tidings_host::Outcome;
use tidings_model::Time;

use crate::drive::Drive;
use crate::local::Local;
use crate::reactor::Readiness;
use crate::timers::NEVER;

/// What a seat's holder has to look at.
#[derive(Default)]
pub(crate) struct News {
    /// What has ended that it waited for.
    pub(crate) outcomes: Vec<Outcome>,
    /// What may be done with its socket, if that is watched by the thread's reactor.
    pub(crate) readiness: Readiness,
}

/// Who has a seat.
#[derive(Default)]
pub(crate) enum Holder {
    /// Nobody who could be woken.
    #[default]
    Nobody,
    /// A task of the runtime.
    Task(Waker),
    /// A connection that its thread runs without a task.
    Connection(Box<dyn Drive>),
    /// A connection that has its turn right now.
    InTurn,
}

/// What the thread keeps of a seat.
pub(crate) struct Slot {
    /// Tells this holder from earlier ones of the same number.
    pub(crate) generation: u32,
    /// Whether its turn is coming already.
    pub(crate) is_queued: bool,
    pub(crate) readiness: Readiness,
    pub(crate) holder: Holder,
    /// Mostly nothing, and then no memory.
    #[expect(clippy::box_collection, reason = "one word instead of three where there is none")]
    outcomes: Option<Box<Vec<Outcome>>>,
    /// When it wants to be woken.
    pub(crate) deadline: Time,
}

impl Slot {
    pub(crate) fn new(generation: u32, holder: Holder) -> Slot {
        Slot {
            generation,
            is_queued: false,
            readiness: Readiness::default(),
            holder,
            outcomes: None,
            deadline: NEVER,
        }
    }

    pub(crate) fn tell(&mut self, outcome: Outcome) {
        self.outcomes.get_or_insert_default().push(outcome);
    }

    /// Takes what happened since the last time.
    pub(crate) fn news(&mut self) -> News {
        News {
            outcomes: self.outcomes.take().map_or_else(Vec::new, |outcomes| *outcomes),
            readiness: std::mem::take(&mut self.readiness),
        }
    }
}

/// The right to be woken. Gives itself back when dropped.
pub(crate) struct Seat {
    local: Rc<Local>,
    owner: Owner,
    is_kept: bool,
}

impl Seat {
    pub(crate) fn take(local: &Rc<Local>) -> Seat {
        Seat { local: Rc::clone(local), owner: local.sit_down(), is_kept: false }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Leaves the seat to a connection that its thread runs.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Takes what happened since the last time, and asks to be woken for what comes.
    pub(crate) fn news(&self, waker: &Waker) -> News {
        self.local.slot(self.owner, |slot| {
            match &mut slot.holder {
                Holder::Task(known) => known.clone_from(waker),
                other => *other = Holder::Task(waker.clone()),
            }
            slot.news()
        })
    }

    /// Asks to be woken at `deadline`, and not at the time asked for before.
    pub(crate) fn set_deadline(&self, deadline: Option<Time>) {
        self.local.set_deadline(self.owner, deadline);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.is_kept {
            self.local.stand_up(self.owner);
        }
    }
}
