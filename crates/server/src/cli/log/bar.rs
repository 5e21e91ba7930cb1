//! How far a long command is. Must never be seen but by a person at a terminal.

use std::time::{Duration, Instant};

use crate::cli::notes::Notes;

/// Least time between two pictures.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many characters the bar itself has.
const WIDTH: u64 = 24;

/// A line that grows in place.
pub(super) struct Bar<'n> {
    notes: &'n mut Notes,
    what: &'static str,
    shown: Instant,
}

impl<'n> Bar<'n> {
    /// A bar; `what` says what is being done.
    pub(super) fn new(notes: &'n mut Notes, what: &'static str) -> Bar<'n> {
        Bar { notes, what, shown: Instant::now() }
    }

    /// So much of so much is done, if that is known.
    pub(super) fn show(&mut self, done: u64, all: Option<u64>, text: impl FnOnce() -> String) {
        if self.shown.elapsed() >= INTERVAL {
            self.shown = Instant::now();
            self.notes.progress(&picture(self.what, done, all, &text()));
        }
    }

    /// Something else is being done that nobody can say the length of.
    pub(super) fn say(&mut self, text: &str) {
        self.notes.progress(text);
    }
}

fn picture(what: &str, done: u64, all: Option<u64>, text: &str) -> String {
    let Some(all) = all.filter(|all| *all > 0) else { return format!("{what}  {text}") };
    let part = |of: u64| (u128::from(done.min(all)) * u128::from(of) / u128::from(all)) as u64;
    let full = part(WIDTH) as usize;
    let (full, empty) = ("#".repeat(full), ".".repeat(WIDTH as usize - full));
    format!("{what} [{full}{empty}] {:>3} %  {text}", part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures() {
        for (done, all, expected) in [
            (0, Some(10), "copying [........................]   0 %  x"),
            (5, Some(10), "copying [############............]  50 %  x"),
            (20, Some(10), "copying [########################] 100 %  x"),
            (u64::MAX, Some(u64::MAX), "copying [########################] 100 %  x"),
            (5, None, "copying  x"),
            (0, Some(0), "copying  x"),
        ] {
            assert_eq!(picture("copying", done, all, "x"), expected);
        }
    }
}
