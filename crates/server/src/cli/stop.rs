//! The wish to stop: Ctrl-C or a termination signal. Must never be missed, also while something
//! else is awaited.

use std::io;
use std::pin::Pin;

/// Becomes true once, and stays so.
pub(crate) struct Stop {
    wish: Pin<Box<dyn Future<Output = ()>>>,
    wished: bool,
}

impl Stop {
    /// When `wish` is done.
    pub(crate) fn when(wish: impl Future<Output = ()> + 'static) -> Stop {
        Stop { wish: Box::pin(wish), wished: false }
    }

    /// At Ctrl-C, and on Unix at SIGTERM. From here on these signals do not end the process.
    pub(crate) fn on_signals() -> io::Result<Stop> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            Ok(Stop::when(async move {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }))
        }
        #[cfg(windows)]
        {
            let mut interrupt = tokio::signal::windows::ctrl_c()?;
            Ok(Stop::when(async move {
                interrupt.recv().await;
            }))
        }
    }

    /// Waits for the wish; at once when it was there already.
    pub(crate) async fn wished(&mut self) {
        if !self.wished {
            self.wish.as_mut().await;
            self.wished = true;
        }
    }

    /// Does `work`, or drops it when the wish comes first.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wished() => None,
            result = work => Some(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_stays() {
        let mut never = Stop::when(std::future::pending());
        assert_eq!(never.or(async { 7 }).await, Some(7));
        let mut now = Stop::when(async {});
        assert_eq!(now.or(std::future::pending::<()>()).await, None);
        assert_eq!(now.or(async { 7 }).await, None);
    }
}
