//! What is to be done when, and a clock that wakes the loop to the microsecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

const SECOND_NS: u64 = 1_000_000_000;

/// Our own clock: nanoseconds since the load began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(super) fn now(self) -> u64 {
        // Half a millennium fits.
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What a connection's time may have come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Its conversation asked for it, in the connection's life of this number.
    Wake(u32),
    /// It is to be opened.
    Open,
    /// It reads slowly, and may read again.
    Sip(u32),
}

/// The times of connections. Waiting for events takes milliseconds at best, so a timer of the
/// kernel is one of the events.
pub(super) struct Timers {
    times: BinaryHeap<Reverse<(u64, usize, Due)>>,
    timer: OwnedFd,
    armed: u64,
}

impl Timers {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Timers> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let source = timer.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&source), token, Interest::READABLE)?;
        Ok(Timers { times: BinaryHeap::new(), timer, armed: u64::MAX })
    }

    pub(super) fn add(&mut self, at: u64, connection: usize, due: Due) {
        self.times.push(Reverse((at, connection, due)));
    }

    /// The next that is due.
    pub(super) fn pop(&mut self, now: u64) -> Option<(usize, Due)> {
        let Reverse((at, connection, due)) = *self.times.peek()?;
        if at > now {
            return None;
        }
        self.times.pop();
        Some((connection, due))
    }

    /// Sets the timer to the first time there is, or to `other` if that is earlier.
    pub(super) fn arm(&mut self, now: u64, other: Option<u64>) -> io::Result<()> {
        let first = self.times.peek().map(|Reverse((at, _, _))| *at);
        let wanted = first.into_iter().chain(other).min().unwrap_or(u64::MAX);
        if wanted == self.armed {
            return Ok(());
        }
        self.armed = wanted;
        // All zeros would disarm it, so what is due already is due in a nanosecond.
        let left = if wanted == u64::MAX { 0 } else { wanted.saturating_sub(now).max(1) };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec {
            tv_sec: (left / SECOND_NS).cast_signed(),
            tv_nsec: (left % SECOND_NS).cast_signed(),
        };
        let spec = Itimerspec { it_interval: zero, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }

    /// The timer rang: it is to be set again.
    pub(super) fn rang(&mut self) {
        self.armed = u64::MAX;
        let mut count = [0; 8];
        // Nothing to read only if it was set again since; and then it rings again.
        let _ = rustix::io::read(&self.timer, &mut count);
    }
}
