//! Threads that wait for disks and hash passwords, so that serving threads do not. Must never be given
//! work without bound: the broker's turns see to that, and the gate.

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tidings_broker::Loader;

/// How many: enough to keep a disk busy, few enough to leave the processor to live readers.
const THREADS: usize = 2;

type Work = Box<dyn FnOnce() + Send>;

/// Starts the threads. They end when the loader is dropped.
///
/// # Errors
/// When a thread cannot be started.
pub fn start_loaders() -> io::Result<Loader> {
    start_workers("load", THREADS)
}

/// Starts as many threads of this name, which do what they are given in its order. They end when
/// what is returned is dropped.
///
/// # Errors
/// When a thread cannot be started.
pub fn start_workers(name: &str, threads: usize) -> io::Result<Loader> {
    let (sender, receiver) = channel::<Work>();
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..threads {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
        thread.spawn(move || work_off(&receiver))?;
    }
    Ok(Box::new(move |work| {
        if let Err(undone) = sender.send(work) {
            // The threads are gone, which only a panic explains: better late than never.
            undone.0();
        }
    }))
}

fn work_off(receiver: &Mutex<Receiver<Work>>) {
    loop {
        // Only one waits for work at a time; the lock is not held while it is done.
        let work = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = work else { return };
        work();
    }
}
