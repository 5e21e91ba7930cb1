//! Readiness of the sockets that no task has: those of held answers, streams and WebSockets.
//!
//! The runtime's own readiness costs some hundred bytes a socket and a task to wake. Here a socket
//! is a number in the system's queue, and whoever runs the thread looks at the queue. Must never
//! read or write a socket.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Registry, Token};

/// Most events taken at a time.
const EVENTS: usize = 1024;

/// What may be done with a socket now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Bytes may have come, or the end.
    pub(crate) readable: bool,
    /// The system may take bytes again.
    pub(crate) writable: bool,
    /// The peer sends no more, or the connection is gone; told only once.
    pub(crate) ended: bool,
}

impl Readiness {
    fn of(event: &Event) -> Readiness {
        let ended = event.is_read_closed() || event.is_error();
        Readiness {
            readable: event.is_readable() || ended,
            writable: event.is_writable() || event.is_error(),
            ended,
        }
    }

    /// Both.
    pub(crate) fn and(self, other: Readiness) -> Readiness {
        Readiness {
            readable: self.readable || other.readable,
            writable: self.writable || other.writable,
            ended: self.ended || other.ended,
        }
    }
}

/// The queue of what happened to the sockets of one thread.
pub(crate) struct Reactor {
    queue: queue::Queue,
}

impl Reactor {
    /// An empty queue, and where sockets are registered for it. Must be called within a runtime.
    ///
    /// # Errors
    /// The system gives no queue.
    pub(crate) fn new() -> io::Result<(Reactor, Registry)> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok((Reactor { queue: queue::Queue::new(poll)? }, registry))
    }

    /// Hands out what happened, without waiting. Says whether there may be more.
    pub(crate) fn look(&mut self, told: impl FnMut(Token, Readiness)) -> bool {
        self.queue.take(told)
    }

    /// Ready when something may have happened since the last look.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.queue.poll_ready(cx)
    }
}

/// A queue that is itself a file the runtime can watch.
#[cfg(unix)]
mod queue {
    use super::*;

    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    pub(super) struct Queue {
        poll: mio::Poll,
        /// The same queue as the runtime watches it.
        watched: AsyncFd<Registry>,
        events: Events,
    }

    impl Queue {
        #[expect(deprecated, reason = "what replaces it is unsafe, and forbidden here")]
        pub(super) fn new(poll: mio::Poll) -> io::Result<Queue> {
            let registry = poll.registry().try_clone()?;
            // Sound, since the registry's descriptor is its own and never another's.
            let watched = AsyncFd::with_interest(registry, Interest::READABLE)?;
            Ok(Queue { poll, watched, events: Events::with_capacity(EVENTS) })
        }

        pub(super) fn take(&mut self, mut told: impl FnMut(Token, Readiness)) -> bool {
            let Queue { poll, events, .. } = self;
            if let Err(error) = poll.poll(events, Some(Duration::ZERO))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "cannot learn what happened to sockets");
            }
            let mut count = 0;
            for event in events.iter() {
                told(event.token(), Readiness::of(event));
                count += 1;
            }
            count == EVENTS
        }

        pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            match self.watched.poll_read_ready(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(_)) => Poll::Ready(()),
                Poll::Ready(Ok(mut guard)) => {
                    // Cleared before the look: what happens after it is told anew.
                    guard.clear_ready();
                    Poll::Ready(())
                }
            }
        }
    }
}

/// A queue that a thread of its own waits for, where the runtime cannot watch it.
#[cfg(not(unix))]
mod queue {
    use super::*;

    use tokio::sync::mpsc;

    pub(super) struct Queue {
        happened: mpsc::Receiver<(Token, Readiness)>,
        first: Option<(Token, Readiness)>,
    }

    impl Queue {
        pub(super) fn new(mut poll: mio::Poll) -> io::Result<Queue> {
            // Bounded: the thread waits for whoever serves.
            let (sender, happened) = mpsc::channel(EVENTS);
            std::thread::Builder::new().name("sockets".into()).spawn(move || {
                let mut events = Events::with_capacity(EVENTS);
                while !sender.is_closed() {
                    // Looks up now and then, to end when the thread it serves has.
                    if let Err(error) = poll.poll(&mut events, Some(Duration::from_secs(1)))
                        && error.kind() != io::ErrorKind::Interrupted
                    {
                        tracing::error!(%error, "cannot learn what happened to sockets");
                    }
                    for event in events.iter() {
                        if sender.blocking_send((event.token(), Readiness::of(event))).is_err() {
                            return;
                        }
                    }
                }
            })?;
            Ok(Queue { happened, first: None })
        }

        pub(super) fn take(&mut self, mut told: impl FnMut(Token, Readiness)) -> bool {
            for _ in 0..EVENTS {
                let Some((token, readiness)) =
                    self.first.take().or_else(|| self.happened.try_recv().ok())
                else {
                    return false;
                };
                told(token, readiness);
            }
            true
        }

        pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            if self.first.is_none() {
                match self.happened.poll_recv(cx) {
                    Poll::Ready(Some(first)) => self.first = Some(first),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        }
    }
}
