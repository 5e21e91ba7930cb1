//! A connection's place on its thread: how it is told that something happened.

use std::rc::Rc;
use std::task::Waker;

use tidings_broker::Owner;
use tidings_host::Outcome;
use tidings_model::Time;

use crate::local::Local;

/// What a seat's holder has to look at.
#[derive(Default)]
pub(crate) struct News {
    /// What has ended that it waited for.
    pub(crate) outcomes: Vec<Outcome>,
}

/// What the thread keeps of a seat.
#[derive(Default)]
pub(crate) struct Slot {
    /// Tells this holder from earlier ones of the same number.
    pub(crate) generation: u32,
    pub(crate) waker: Option<Waker>,
    pub(crate) news: News,
    pub(crate) deadline: Option<Time>,
}

/// The right to be woken. Gives itself back when dropped.
pub(crate) struct Seat {
    local: Rc<Local>,
    owner: Owner,
}

impl Seat {
    pub(crate) fn take(local: &Rc<Local>) -> Seat {
        Seat { local: Rc::clone(local), owner: local.sit_down() }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Takes what happened since the last time, and asks to be woken for what comes.
    pub(crate) fn news(&self, waker: &Waker) -> News {
        self.local.slot(self.owner, |slot| {
            match &mut slot.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            std::mem::take(&mut slot.news)
        })
    }

    /// Asks to be woken at `deadline`, and not at the time asked for before.
    pub(crate) fn set_deadline(&self, deadline: Option<Time>) {
        self.local.set_deadline(self.owner, deadline);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.local.stand_up(self.owner);
    }
}
