//! What one serving thread knows: its shard, its seats, its timers, and whose turn it is.
//! `turns` is what it does with it.
//!
//! The wake-up has two levels: a log rings each thread once, and the thread wakes its own. Waking
//! tasks of another thread one by one would cost several times as much; and connections that wait
//! are no tasks at all, but have their turns here.

mod turns;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Token;
use slab::Slab;
use tidings_broker::{Broker, Owner, Shard};
use tidings_host::{Client, House, Outcome, Outcomes, Registry};
use tidings_model::{Delivery, Time};
use tidings_protocol::Outputs;
use tidings_websocket_codec::Inflater;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::drive::deflated::Deflated;
use crate::drive::outgoing::Outgoing;
use crate::listen::Shared;
use crate::options::{Options, Site};
use crate::seat::{Holder, Slot};
use crate::timers::{NEVER, Timers};

/// Bytes read from a socket at once, into a buffer that all connections of the thread share.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What a serving thread is started with.
pub(crate) struct Serving {
    pub(crate) broker: Broker,
    pub(crate) registry: Registry,
    pub(crate) options: Arc<Options>,
    pub(crate) site: Site,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
}

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
    /// Connections whose turn is coming, by the number of their seats.
    queue: RefCell<VecDeque<usize>>,
    timers: RefCell<Timers>,
    /// The time the thread sleeps until.
    armed: Cell<Option<Time>>,
    deliveries: RefCell<Vec<Delivery>>,
    outputs: RefCell<Outputs>,
    /// Where sockets are registered that no task has.
    pub(crate) sockets: mio::Registry,
    pub(crate) scratch: RefCell<Box<[u8]>>,
    /// What whoever has its turn may borrow for what it writes, so that idle connections hold
    /// nothing.
    outgoing: RefCell<Option<Box<Outgoing>>>,
    /// What messages are compressed to, for all WebSockets of the thread.
    pub(crate) deflated: RefCell<Deflated>,
    /// Reads the compressed messages of all WebSockets of the thread.
    pub(crate) inflater: RefCell<Inflater>,
}

/// What other threads leave for this one.
#[derive(Default)]
struct Inbox {
    outcomes: Mutex<Vec<(Owner, Outcome)>>,
    /// Whether there are any: mostly not, and it is asked often.
    has_outcomes: AtomicBool,
    bell: Notify,
}

impl Outcomes for Inbox {
    fn ended(&self, owner: Owner, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.push((owner, outcome));
        self.has_outcomes.store(true, Ordering::Release);
        drop(outcomes);
        self.bell.notify_one();
    }
}

impl Local {
    pub(crate) fn new(serving: Serving, sockets: mio::Registry) -> Rc<Local> {
        let Serving { broker, registry, options, site, clock, shared } = serving;
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
            queue: RefCell::default(),
            timers: RefCell::default(),
            armed: Cell::new(None),
            deliveries: RefCell::default(),
            outputs: RefCell::default(),
            sockets,
            scratch: RefCell::new(scratch()),
            outgoing: RefCell::default(),
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
        self.house_at(self.clock.now(), work)
    }

    /// The same for one that has looked at the clock already.
    pub(crate) fn house_at<T>(&self, now: Time, work: impl FnOnce(&mut House<'_>) -> T) -> T {
        let result = work(&mut House {
            broker: &self.broker,
            shard: &mut self.shard.borrow_mut(),
            gate: self.registry.gate(),
            outcomes: &self.outcomes,
            now,
            deliveries: &mut self.deliveries.borrow_mut(),
            outputs: &mut self.outputs.borrow_mut(),
        });
        // A publish to a log in memory has ended by now; whoever asked need not wait to be woken.
        self.hand_out();
        result
    }

    /// Ends the subscriptions of a client that goes.
    pub(crate) fn leave(&self, client: &mut Client) {
        client.leave(self.clock.now(), &mut self.shard.borrow_mut());
    }

    /// A client's connection has taken everything it was given.
    pub(crate) fn taken(&self, client: &mut Client) {
        client.taken(self.clock.now(), &mut self.shard.borrow_mut());
    }

    /// Lends what is written with in one turn.
    pub(crate) fn lend(&self) -> Box<Outgoing> {
        self.outgoing.borrow_mut().take().unwrap_or_default()
    }

    /// Takes back what was lent, unless something waits in it, which is returned.
    pub(crate) fn take_back(&self, out: Box<Outgoing>) -> Option<Box<Outgoing>> {
        if out.bytes() > 0 {
            return Some(out);
        }
        *self.outgoing.borrow_mut() = Some(out);
        None
    }

    /// Gives outcomes that other threads left to those who wait for them.
    fn hand_out(&self) {
        if !self.inbox.has_outcomes.load(Ordering::Acquire) {
            return;
        }
        let mut outcomes = self.inbox.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        self.inbox.has_outcomes.store(false, Ordering::Release);
        let arrived = std::mem::take(&mut *outcomes);
        drop(outcomes);
        for (owner, ended) in arrived {
            self.tell(owner, |slot| slot.tell(ended));
        }
    }

    fn dispatch(&self) -> bool {
        self.shard.borrow_mut().dispatch(|owner| self.tell(owner, |_| {}))
    }

    /// Changes a slot and wakes its holder, if it is still the same one.
    fn tell(&self, owner: Owner, change: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(index(owner))
            && slot.generation == generation(owner)
        {
            change(slot);
            self.rouse(index(owner), slot);
        }
    }

    pub(crate) fn sit_down(&self) -> Owner {
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        let index = self.slots.borrow_mut().insert(Slot::new(generation, Holder::Nobody));
        owner(generation, index)
    }

    /// Makes a seat another's, who is told nothing of what its holder before waited for.
    pub(crate) fn renew(&self, owner: Owner) -> Owner {
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        self.slot(owner, |slot| *slot = Slot::new(generation, Holder::InTurn));
        self::owner(generation, index(owner))
    }

    pub(crate) fn stand_up(&self, owner: Owner) {
        self.slots.borrow_mut().remove(index(owner));
    }

    pub(crate) fn slot<T>(&self, owner: Owner, work: impl FnOnce(&mut Slot) -> T) -> T {
        work(&mut self.slots.borrow_mut()[index(owner)])
    }

    pub(crate) fn set_deadline(&self, owner: Owner, deadline: Option<Time>) {
        let deadline = deadline.unwrap_or(NEVER);
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[index(owner)];
        slot.deadline = deadline;
        // One that moved on is found out when its old time comes.
        let news = self.timers.borrow_mut().watch(index(owner), deadline);
        if let Some(tick) = news
            && self.armed.get().is_none_or(|armed| tick < armed)
        {
            self.armed.set(Some(tick));
            self.inbox.bell.notify_one();
        }
    }
}

/// What connections read into and write from.
fn scratch() -> Box<[u8]> {
    vec![0; SCRATCH_BYTES].into()
}

/// The token by which the reactor tells of a connection's socket.
pub(crate) fn token(owner: Owner) -> Token {
    Token(index(owner))
}

fn owner(generation: u32, index: usize) -> Owner {
    (u64::from(generation) << 32) | index as u64
}

fn owner_at(slots: &Slab<Slot>, index: usize) -> Owner {
    owner(slots[index].generation, index)
}

fn index(owner: Owner) -> usize {
    (owner & u64::from(u32::MAX)) as usize
}

fn generation(owner: Owner) -> u32 {
    (owner >> 32) as u32
}
