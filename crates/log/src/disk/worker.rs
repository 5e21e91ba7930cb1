//! Who does the log's work: threads of its own, or whoever calls it, so that a simulation has
//! nothing but its own steps.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Shared;
use super::keeper::Keeper;
use super::publish::Step;
use super::writer::{Order, Writer};

/// Most steps that the publisher may be behind; the writer waits then.
const STEPS_MAX: usize = 4;

/// A step with no more messages than this is taken by the writer itself.
const WEIGHT_MAX: usize = 16;

/// On which threads a log does its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// On its own: one writes, one shows what is written, and one keeps the folder in order.
    #[default]
    Own,
    /// On the caller's: what an append or a tick brings about is done when it returns, unless it was
    /// called by what it has called. Time passes with messages and ticks only.
    Callers,
}

/// Carries out orders.
pub(super) enum Worker {
    Own { orders: Option<Sender<Order>>, threads: Vec<JoinHandle<()>> },
    Callers(Mutex<Inline>),
}

/// What works on the caller's thread.
pub(super) struct Inline {
    waiting: VecDeque<Order>,
    /// Not there while somebody works with it.
    hands: Option<Box<(Arc<Shared>, Writer, Keeper)>>,
}

impl Worker {
    pub(super) fn new(
        shared: &Arc<Shared>,
        threads: Threads,
        writer: Writer,
        mut keeper: Keeper,
    ) -> io::Result<Worker> {
        if threads == Threads::Callers {
            keeper.work(true);
            let hands = Some(Box::new((Arc::clone(shared), writer, keeper)));
            return Ok(Worker::Callers(Mutex::new(Inline { waiting: VecDeque::new(), hands })));
        }
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (chores, coming) = channel();
        let keeper = thread("log-keeper").spawn(move || keep(keeper, &coming))?;
        let (steps, made) = sync_channel(STEPS_MAX);
        let behind = Arc::new(AtomicUsize::new(0));
        let publisher = Publisher {
            shared: Arc::clone(shared),
            behind: Arc::clone(&behind),
            chores: chores.clone(),
        };
        let publisher = thread("log-publisher").spawn(move || publisher.run(&made))?;
        let (orders, waiting) = channel();
        let outlet = Outlet { shared: Arc::clone(shared), behind, steps, chores };
        let writer = thread("log-writer").spawn(move || write(writer, &waiting, &outlet))?;
        Ok(Worker::Own { orders: Some(orders), threads: vec![writer, publisher, keeper] })
    }

    /// Gives an order. It comes back if there is nobody any more to carry it out.
    pub(super) fn order(&self, order: Order) -> Result<(), Order> {
        match self {
            Worker::Own { orders: Some(orders), .. } => orders.send(order).map_err(|error| error.0),
            Worker::Own { orders: None, .. } => Err(order),
            Worker::Callers(inline) => {
                work(inline, order);
                Ok(())
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        match self {
            Worker::Own { orders, threads } => {
                *orders = None;
                // A panic of one of them has been reported by itself.
                threads.drain(..).for_each(|thread| drop(thread.join()));
            }
            Worker::Callers(inline) => {
                let inline = inline.get_mut().unwrap_or_else(PoisonError::into_inner);
                if let Some((shared, mut writer, _)) = inline.hands.take().map(|hands| *hands) {
                    // There is no keeper any more to be told.
                    writer.close(&mut |step| _ = step.take(&shared));
                }
            }
        }
    }
}

/// Where the writer's steps go.
struct Outlet {
    shared: Arc<Shared>,
    /// How many steps the publisher has not taken yet.
    behind: Arc<AtomicUsize>,
    steps: SyncSender<Step>,
    chores: Sender<bool>,
}

impl Outlet {
    fn show(&self, step: Step) {
        // What is done at once needs nobody to be woken for it. While there is much to do, the next
        // group can be written.
        if step.weight() <= WEIGHT_MAX && self.behind.load(Ordering::Acquire) == 0 {
            if step.take(&self.shared) {
                self.chore(false);
            }
            return;
        }
        self.behind.fetch_add(1, Ordering::Relaxed);
        // It is there for as long as this.
        let _ = self.steps.send(step);
    }

    fn chore(&self, again: bool) {
        // As is the keeper.
        let _ = self.chores.send(again);
    }
}

/// The writer's thread, until nobody can give orders any more.
fn write(mut writer: Writer, orders: &Receiver<Order>, outlet: &Outlet) {
    let mut show = |step| outlet.show(step);
    // While one group is being synced the next one gathers; for that there is no timer.
    loop {
        let first = match writer.flush_in() {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(span) => orders.recv_timeout(span),
        };
        match first {
            Ok(first) => {
                let mut first = Some(first);
                let mut next = || first.take().or_else(|| orders.try_recv().ok());
                if writer.turn(&mut next, &mut show) {
                    outlet.chore(true);
                }
            }
            Err(RecvTimeoutError::Timeout) => writer.flush(&mut show),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    writer.close(&mut show);
}

/// Takes the steps that are not taken at once.
struct Publisher {
    shared: Arc<Shared>,
    behind: Arc<AtomicUsize>,
    chores: Sender<bool>,
}

impl Publisher {
    /// The publisher's thread, until there is no writer any more.
    fn run(self, steps: &Receiver<Step>) {
        for step in steps {
            if step.take(&self.shared) {
                let _ = self.chores.send(false);
            }
            self.behind.fetch_sub(1, Ordering::Release);
        }
    }
}

/// The keeper's thread, until there is no writer any more.
fn keep(mut keeper: Keeper, chores: &Receiver<bool>) {
    keeper.work(true);
    while let Ok(again) = chores.recv() {
        keeper.work(again);
    }
}

/// Carries out an order, and whatever is ordered by what that calls.
fn work(inline: &Mutex<Inline>, order: Order) {
    let lock = || inline.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hands = {
        let mut inline = lock();
        inline.waiting.push_back(order);
        // Whoever has them carries this out, too.
        let Some(hands) = inline.hands.take() else { return };
        hands
    };
    loop {
        let (shared, writer, keeper) = &mut *hands;
        let mut is_due = false;
        let mut next = || lock().waiting.pop_front();
        let ticked = writer.turn(&mut next, &mut |step| is_due |= step.take(shared));
        if ticked || is_due {
            keeper.work(ticked);
        }
        let mut inline = lock();
        if inline.waiting.is_empty() {
            inline.hands = Some(hands);
            return;
        }
    }
}
