//! What one serving thread knows: its shard, its seats, its timers, and the task that wakes.
//!
//! The wake-up has two levels: a log rings each thread once, and the thread wakes its own. Waking
//! tasks of another thread one by one would cost several times as much.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use slab::Slab;
use tidings_broker::{Broker, Owner, Shard};
use tidings_host::{House, Outcome, Outcomes, Registry};
use tidings_model::{Delivery, Time};
use tidings_websocket_codec::Inflater;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::drive::deflated::Deflated;
use crate::drive::outgoing::Piece;
use crate::listen::Shared;
use crate::options::{Options, Site};
use crate::seat::Slot;

/// Bytes read from a socket at once, into a buffer that all connections of the thread share.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What one serving thread knows. Lives on its thread; nothing of it is shared.
pub(crate) struct Local {
    pub(crate) registry: Registry,
    pub(crate) options: Arc<Options>,
    pub(crate) site: Site,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    broker: Broker,
    shard: RefCell<Shard>,
    inbox: Arc<Inbox>,
    outcomes: Arc<dyn Outcomes>,
    slots: RefCell<Slab<Slot>>,
    generation: Cell<u32>,
    timers: RefCell<BTreeSet<(Time, Owner)>>,
    /// The time the waking task sleeps until.
    armed: Cell<Option<Time>>,
    deliveries: RefCell<Vec<Delivery>>,
    pub(crate) scratch: RefCell<Box<[u8]>>,
    /// A queue that whoever writes may borrow, so that idle connections hold none.
    pub(crate) queue: RefCell<VecDeque<Piece>>,
    /// What messages are compressed to, for all WebSockets of the thread.
    pub(crate) deflated: RefCell<Deflated>,
    /// Reads the compressed messages of all WebSockets of the thread.
    pub(crate) inflater: RefCell<Inflater>,
}

/// What other threads leave for this one.
#[derive(Default)]
struct Inbox {
    outcomes: Mutex<Vec<(Owner, Outcome)>>,
    bell: Notify,
}

impl Outcomes for Inbox {
    fn ended(&self, owner: Owner, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.push((owner, outcome));
        drop(outcomes);
        self.bell.notify_one();
    }
}

impl Local {
    pub(crate) fn new(
        broker: Broker,
        registry: Registry,
        options: Arc<Options>,
        site: Site,
        clock: Clock,
        shared: Arc<Shared>,
    ) -> Rc<Local> {
        let inbox = Arc::new(Inbox::default());
        let bell = Arc::clone(&inbox);
        let shard = broker.shard(Box::new(move || bell.bell.notify_one()));
        let bell = Arc::clone(&inbox);
        shared.on_closing(Box::new(move || bell.bell.notify_one()));
        Rc::new(Local {
            registry,
            options,
            site,
            clock,
            shared,
            broker,
            shard: RefCell::new(shard),
            outcomes: Arc::clone(&inbox) as Arc<dyn Outcomes>,
            inbox,
            slots: RefCell::new(Slab::new()),
            generation: Cell::new(0),
            timers: RefCell::new(BTreeSet::new()),
            armed: Cell::new(None),
            deliveries: RefCell::new(Vec::new()),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into()),
            queue: RefCell::new(VecDeque::new()),
            deflated: RefCell::default(),
            inflater: RefCell::default(),
        })
    }

    /// Runs a task of this thread, for one connection.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }

    /// Lends a client what it works with.
    pub(crate) fn house<T>(&self, work: impl FnOnce(&mut House<'_>) -> T) -> T {
        let result = work(&mut House {
            broker: &self.broker,
            shard: &mut self.shard.borrow_mut(),
            outcomes: &self.outcomes,
            now: self.clock.now(),
            deliveries: &mut self.deliveries.borrow_mut(),
        });
        // A publish to a log in memory has ended by now; whoever asked need not wait to be woken.
        self.hand_out();
        result
    }

    /// Ends the subscriptions of a client that goes.
    pub(crate) fn leave(&self, client: &mut tidings_host::Client) {
        client.leave(&mut self.shard.borrow_mut());
    }

    /// A client's connection has taken everything it was given.
    pub(crate) fn taken(&self, client: &mut tidings_host::Client) {
        client.taken(&mut self.shard.borrow_mut());
    }

    /// Runs for the life of the thread: hands out outcomes, finds who is to be woken, keeps time.
    pub(crate) async fn run(self: Rc<Self>) {
        let mut closing_told = false;
        loop {
            self.hand_out();
            let more = self.dispatch();
            self.expire();
            if self.shared.is_closing() && !closing_told {
                closing_told = true;
                self.wake_all();
            }
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let next = self.timers.borrow().first().map(|&(time, _)| time);
            self.armed.set(next);
            let rung = self.inbox.bell.notified();
            match next {
                None => rung.await,
                Some(time) => {
                    let _ = tokio::time::timeout_at(self.clock.instant(time), rung).await;
                }
            }
        }
    }

    /// Gives outcomes that other threads left to those who wait for them.
    fn hand_out(&self) {
        let mut outcomes = self.inbox.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let arrived = std::mem::take(&mut *outcomes);
        drop(outcomes);
        for (owner, ended) in arrived {
            self.tell(owner, |slot| slot.news.outcomes.push(ended));
        }
    }

    fn dispatch(&self) -> bool {
        self.shard.borrow_mut().dispatch(|owner| self.tell(owner, |_| {}))
    }

    fn expire(&self) {
        let now = self.clock.now();
        loop {
            let first = self.timers.borrow().first().copied();
            let Some((time, owner)) = first.filter(|&(time, _)| time <= now) else { return };
            self.timers.borrow_mut().remove(&(time, owner));
            self.tell(owner, |slot| slot.deadline = None);
        }
    }

    fn wake_all(&self) {
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            if let Some(waker) = &slot.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Changes a slot and wakes its holder, if it is still the same one.
    fn tell(&self, owner: Owner, change: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(index(owner))
            && slot.generation == generation(owner)
        {
            change(slot);
            if let Some(waker) = &slot.waker {
                waker.wake_by_ref();
            }
        }
    }

    pub(crate) fn sit_down(&self) -> Owner {
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        let index = self.slots.borrow_mut().insert(Slot { generation, ..Slot::default() });
        (u64::from(generation) << 32) | index as u64
    }

    pub(crate) fn stand_up(&self, owner: Owner) {
        let slot = self.slots.borrow_mut().remove(index(owner));
        if let Some(deadline) = slot.deadline {
            self.timers.borrow_mut().remove(&(deadline, owner));
        }
    }

    pub(crate) fn slot<T>(&self, owner: Owner, work: impl FnOnce(&mut Slot) -> T) -> T {
        work(&mut self.slots.borrow_mut()[index(owner)])
    }

    pub(crate) fn set_deadline(&self, owner: Owner, deadline: Option<Time>) {
        let before = self.slot(owner, |slot| std::mem::replace(&mut slot.deadline, deadline));
        if before == deadline {
            return;
        }
        let mut timers = self.timers.borrow_mut();
        if let Some(before) = before {
            timers.remove(&(before, owner));
        }
        if let Some(deadline) = deadline {
            timers.insert((deadline, owner));
            if self.armed.get().is_none_or(|armed| deadline < armed) {
                self.armed.set(Some(deadline));
                self.inbox.bell.notify_one();
            }
        }
    }
}

fn index(owner: Owner) -> usize {
    (owner & u64::from(u32::MAX)) as usize
}

fn generation(owner: Owner) -> u32 {
    (owner >> 32) as u32
}
