//! What a serving thread does: it finds who is to be woken, gives connections their turns, and keeps
//! time. Must never wait for anything but the next thing to do.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mio::Token;
use tidings_broker::Owner;

use super::{Local, owner, owner_at, scratch};
use crate::drive::{Drive, Next};
use crate::reactor::Reactor;
use crate::seat::{Holder, Slot};
use crate::timers::NEVER;

/// How long turns are given before the thread's tasks have theirs: those are what parses requests,
/// and so what brings the next messages. A turn of whoever is far behind takes as long as a hundred
/// of those who are not.
const TURNS: Duration = Duration::from_micros(500);

impl Local {
    /// Runs for the life of the thread: hands out outcomes, finds who is to be woken, gives turns,
    /// keeps time.
    pub(crate) async fn run(self: Rc<Self>, mut reactor: Reactor) {
        let mut closing_told = false;
        loop {
            self.hand_out();
            let mut more = self.dispatch();
            self.expire();
            if self.shared.is_closing() && !closing_told {
                closing_told = true;
                self.wake_all();
            }
            more |= reactor.look(|Token(index), readiness| {
                if let Some(slot) = self.slots.borrow_mut().get_mut(index) {
                    slot.readiness = slot.readiness.and(readiness);
                    self.rouse(index, slot);
                }
            });
            more |= self.give_turns();
            if more {
                tokio::task::yield_now().await;
            } else {
                self.wait(&mut reactor).await;
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&self, reactor: &mut Reactor) {
        let next = self.timers.borrow().next();
        self.armed.set(next);
        let mut rung = pin!(self.inbox.bell.notified());
        let mut time = pin!(next.map(|time| tokio::time::sleep_until(self.clock.instant(time))));
        poll_fn(|cx| {
            let has_rung = rung.as_mut().poll(cx).is_ready();
            let is_time = time.as_mut().as_pin_mut().is_some_and(|time| time.poll(cx).is_ready());
            if has_rung | is_time | reactor.poll_ready(cx).is_ready() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Wakes those whose deadline has come; has the others looked at again when it will.
    fn expire(&self) {
        let now = self.clock.now();
        loop {
            let Some(seats) = self.timers.borrow_mut().take(now) else { return };
            for index in seats.into_iter().map(|index| index as usize) {
                let mut slots = self.slots.borrow_mut();
                let Some(slot) = slots.get_mut(index) else { continue };
                if slot.deadline <= now {
                    slot.deadline = NEVER;
                    self.rouse(index, slot);
                } else if slot.deadline != NEVER {
                    self.timers.borrow_mut().watch(index, slot.deadline);
                }
            }
        }
    }

    fn wake_all(&self) {
        for (index, slot) in self.slots.borrow_mut().iter_mut() {
            self.rouse(index, slot);
        }
    }

    /// Has a seat's holder look at what happened.
    pub(super) fn rouse(&self, index: usize, slot: &mut Slot) {
        match &slot.holder {
            Holder::Nobody => {}
            Holder::Task(waker) => waker.wake_by_ref(),
            Holder::Connection(_) | Holder::InTurn if slot.is_queued => {}
            Holder::Connection(_) | Holder::InTurn => {
                slot.is_queued = true;
                let mut queue = self.queue.borrow_mut();
                if queue.is_empty() {
                    self.inbox.bell.notify_one();
                }
                queue.push_back(index);
            }
        }
    }

    /// Gives connections their turns; says whether others still wait for one.
    fn give_turns(self: &Rc<Self>) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < TURNS {
            let Some(index) = self.queue.borrow_mut().pop_front() else { return false };
            self.give_turn(index);
        }
        !self.queue.borrow().is_empty()
    }

    fn give_turn(self: &Rc<Self>, index: usize) {
        let mut slots = self.slots.borrow_mut();
        // Its number may be another's by now, who is not in the queue.
        let Some(slot) = slots.get_mut(index).filter(|slot| slot.is_queued) else { return };
        slot.is_queued = false;
        let owner = owner(slot.generation, index);
        let holder = std::mem::replace(&mut slot.holder, Holder::InTurn);
        let Holder::Connection(mut drive) = holder else {
            slot.holder = holder;
            return;
        };
        let news = slot.news();
        drop(slots);
        // A fault in one connection is the end of that one, as it would be of a task.
        let turn = AssertUnwindSafe(|| drive.turn(self, owner, news));
        let next = catch_unwind(turn).unwrap_or_else(|_| {
            // It may have had this when it fell.
            self.scratch.replace(scratch());
            Next::Over
        });
        let owner = owner_at(&self.slots.borrow(), index);
        match next {
            Next::Wait(deadline) => {
                self.slot(owner, |slot| slot.holder = Holder::Connection(drive));
                self.set_deadline(owner, deadline);
            }
            Next::Again => self.hold(owner, drive),
            Next::Over => {
                drive.leave(self);
                self.stand_up(owner);
            }
            Next::Request => {
                drive.leave(self);
                self.stand_up(owner);
                drive.give_back(self);
            }
        }
    }

    /// Runs a connection on a seat from now on; its first turn comes soon.
    pub(crate) fn hold(&self, owner: Owner, drive: Box<dyn Drive>) {
        self.tell(owner, |slot| slot.holder = Holder::Connection(drive));
    }

    /// Ends all connections that have no task, as the thread ends.
    pub(crate) fn cut_all(&self) {
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            if let Holder::Connection(drive) = &mut slot.holder {
                drive.leave(self);
                slot.holder = Holder::Nobody;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use tidings_host::Registry;
    use tidings_model::Time;
    use tidings_protocol::Settings;
    use tidings_testkit::Rooms;

    use super::*;
    use crate::clock::Clock;
    use crate::connection::Stats;
    use crate::listen::Shared;
    use crate::local::Serving;
    use crate::options::Options;
    use crate::seat::News;

    /// Falls while it has what all connections share.
    struct Faulty;

    impl Drive for Faulty {
        fn turn(&mut self, local: &Rc<Local>, _: Owner, _: News) -> Next {
            local.scratch.take();
            panic!("a fault, as the test wants it");
        }

        fn leave(&mut self, _: &Local) {}

        fn give_back(self: Box<Self>, _: &Rc<Local>) {}
    }

    struct Counting(Rc<Cell<u32>>);

    impl Drive for Counting {
        fn turn(&mut self, _: &Rc<Local>, _: Owner, _: News) -> Next {
            self.0.set(self.0.get() + 1);
            Next::Wait(None)
        }

        fn leave(&mut self, _: &Local) {}

        fn give_back(self: Box<Self>, _: &Rc<Local>) {}
    }

    fn serving() -> Serving {
        let rooms = Rooms::new(Vec::new(), 1, Time::from_millis(1));
        let span = Duration::from_secs(1);
        Serving {
            broker: rooms.broker,
            registry: Registry::new(&[], Settings::default()),
            options: Arc::new(Options {
                listeners: Vec::new(),
                threads: 1,
                connections_max: 10,
                streams_max: 10,
                head_bytes_max: 1000,
                body_bytes_max: 1000,
                message_bytes_max: 1000,
                head_wait: span,
                body_wait: span,
                keep_alive: span,
                heartbeat: span,
                pong_wait: span,
                write_stall: span,
                drain: span,
                allowed_origins: Vec::new(),
            }),
            site: Arc::new(|_| None),
            clock: Clock::start(),
            shared: Arc::new(Shared::new(Arc::new(Stats::default()))),
        }
    }

    #[test]
    fn a_fault_in_one_connection_is_the_end_of_that_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        let (_reactor, sockets) = Reactor::new().unwrap();
        let local = Local::new(serving(), sockets);
        let turns = Rc::new(Cell::new(0));
        for number in 0..3 {
            let drive: Box<dyn Drive> = match number {
                1 => Box::new(Faulty),
                _ => Box::new(Counting(Rc::clone(&turns))),
            };
            local.hold(local.sit_down(), drive);
        }
        while local.give_turns() {}
        assert_eq!((turns.get(), local.slots.borrow().len()), (2, 2));
        assert_eq!(*local.scratch.borrow(), scratch(), "what it had is there again");
    }
}
