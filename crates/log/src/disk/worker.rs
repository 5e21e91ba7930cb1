//! Who does the log's work: threads of its own, or whoever calls it, so that a simulation has
//! nothing but its own steps.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use super::keeper::Keeper;
use super::writer::{Order, Writer};

/// On which threads a log does its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// On its own: one writes, another keeps the folder in order.
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
    hands: Option<Box<(Writer, Keeper)>>,
}

impl Worker {
    pub(super) fn new(threads: Threads, writer: Writer, mut keeper: Keeper) -> io::Result<Worker> {
        if threads == Threads::Callers {
            keeper.work(true);
            let hands = Some(Box::new((writer, keeper)));
            return Ok(Worker::Callers(Mutex::new(Inline { waiting: VecDeque::new(), hands })));
        }
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (chores, coming) = channel();
        let keeper = thread("log-keeper").spawn(move || keep(keeper, &coming))?;
        let (orders, waiting) = channel();
        let writer = thread("log-writer").spawn(move || write(writer, &waiting, &chores))?;
        Ok(Worker::Own { orders: Some(orders), threads: vec![writer, keeper] })
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
                if let Some(mut hands) = inline.hands.take() {
                    hands.0.close();
                }
            }
        }
    }
}

/// The writer's thread, until nobody can give orders any more.
fn write(mut writer: Writer, orders: &Receiver<Order>, chores: &Sender<bool>) {
    // While one group is being synced the next one gathers; for that there is no timer.
    loop {
        let first = match writer.flush_in() {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(span) => orders.recv_timeout(span),
        };
        let mut ticked = false;
        match first {
            Ok(first) => {
                let mut first = Some(first);
                let mut next = || first.take().or_else(|| orders.try_recv().ok());
                ticked = writer.turn(&mut next);
            }
            Err(RecvTimeoutError::Timeout) => writer.flush(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if ticked || writer.take_due() {
            // It is there for as long as the writer.
            let _ = chores.send(ticked);
        }
    }
    writer.close();
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
    let (writer, keeper) = &mut *hands;
    loop {
        let mut next = || lock().waiting.pop_front();
        let ticked = writer.turn(&mut next);
        if ticked || writer.take_due() {
            keeper.work(ticked);
        }
        let mut inline = lock();
        if inline.waiting.is_empty() {
            inline.hands = Some(hands);
            return;
        }
    }
}
