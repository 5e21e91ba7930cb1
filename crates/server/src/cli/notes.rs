//! What the commands say to the person at the terminal, on standard error. Must never fail: a
//! closed standard error is nobody's fault.

use std::io::{self, IsTerminal, Write};

/// Where remarks go, one line each.
pub(crate) struct Notes {
    out: Box<dyn Write + Send>,
    terminal: bool,
    /// Whether an unfinished progress line stands there.
    progress: bool,
}

impl Notes {
    /// Standard error.
    pub(crate) fn stderr() -> Notes {
        Notes { out: Box::new(io::stderr()), terminal: io::stderr().is_terminal(), progress: false }
    }

    /// What is kept for a test to look at.
    #[cfg(test)]
    pub(crate) fn kept(noted: &Noted) -> Notes {
        Notes { out: Box::new(noted.clone()), terminal: false, progress: false }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: &str) {
        let over = if std::mem::take(&mut self.progress) { "\r\x1b[K" } else { "" };
        let _ = writeln!(self.out, "{over}{text}");
    }

    /// Takes an unfinished progress line away: what follows goes to standard output.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.progress) {
            let _ = write!(self.out, "\r\x1b[K");
            let _ = self.out.flush();
        }
    }

    /// Writes a line that the next one replaces; nothing where that is not possible.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.terminal {
            self.progress = true;
            let _ = write!(self.out, "\r\x1b[K{text}");
            let _ = self.out.flush();
        }
    }
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// What was noted, in tests.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Noted(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Noted {
    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        str::from_utf8(&bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
impl Write for Noted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
