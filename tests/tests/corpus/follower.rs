//! A subscriber of the corpus: a `tidings sub` whose every line is compared with what must come
//! next, and its successors after it was killed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tidings_tests::Program;

/// Type of the events before the corpus, of which a subscriber may miss the first ones.
pub(crate) const PROBE: &str = "probe";

/// Type of the one event after it.
pub(crate) const END: &str = "end";

/// A subscriber that goes on over the death of its process.
pub(crate) struct Follower {
    topic: String,
    lines: Arc<Vec<String>>,
    seen: Arc<Mutex<Seen>>,
    program: Program,
    killed_at: Option<usize>,
}

/// What it has got.
#[derive(Clone, Debug, Default)]
struct Seen {
    probe: Option<u64>,
    lines: usize,
    ended: bool,
    /// The position of the last event.
    position: String,
    /// What should not have come, at which nothing more is taken.
    wrong: Option<String>,
}

impl Follower {
    /// Subscribes.
    pub(crate) fn start(
        url: &str,
        topic: &str,
        via: &str,
        since: &str,
        lines: &Arc<Vec<String>>,
    ) -> Follower {
        let seen = Arc::default();
        let program = subscribe(url, topic, via, since, lines, &seen);
        let (topic, lines) = (topic.to_owned(), Arc::clone(lines));
        Follower { topic, lines, seen, program, killed_at: None }
    }

    /// Kills the process in the middle of whatever it does, and has another go on behind the last
    /// event that came out of it.
    #[track_caller]
    pub(crate) fn kill_and_resume(&mut self, url: &str, via: &str) {
        self.program.kill();
        self.killed_at = Some(self.count());
        let since = self.seen().position.clone();
        self.program = subscribe(url, &self.topic, via, &since, &self.lines, &self.seen);
    }

    /// Whether anything has come.
    #[track_caller]
    pub(crate) fn listens(&self) -> bool {
        self.seen().probe.is_some()
    }

    /// How many lines have come; all of them right.
    #[track_caller]
    pub(crate) fn count(&self) -> usize {
        self.seen().lines
    }

    /// Whether the end has come.
    #[track_caller]
    pub(crate) fn has_ended(&self) -> bool {
        self.seen().ended
    }

    /// How many lines had come when it was killed, if it was.
    pub(crate) fn killed_at(&self) -> Option<usize> {
        self.killed_at
    }

    #[track_caller]
    fn seen(&self) -> MutexGuard<'_, Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wrong) = &seen.wrong {
            panic!("{wrong}; {seen:?} {:?}", self.program);
        }
        seen
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.seen, self.program)
    }
}

fn subscribe(
    url: &str,
    topic: &str,
    via: &str,
    since: &str,
    lines: &Arc<Vec<String>>,
    seen: &Arc<Mutex<Seen>>,
) -> Program {
    let (lines, seen) = (Arc::clone(lines), Arc::clone(seen));
    let arguments = ["sub", topic, "--json", "--via", via, "--since", since, "--url", url];
    Program::follow(&arguments, &[], move |line| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.wrong.is_none() {
            seen.wrong = seen.take(line, &lines).err();
        }
    })
}

impl Seen {
    /// Takes the next event, or says what is wrong with it.
    fn take(&mut self, json: &str, lines: &[String]) -> Result<(), String> {
        let event: Value =
            serde_json::from_str(json).map_err(|error| format!("{error}: {json}"))?;
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        match text("type") {
            PROBE if self.lines == 0 => {
                let number = text("data").parse().ok();
                if self.probe.is_some_and(|before| number != Some(before + 1)) {
                    return Err(format!("the probe behind {:?} is {json}", self.probe));
                }
                self.probe = number;
            }
            END if self.lines == lines.len() && !self.ended => self.ended = true,
            "message" if !self.ended => {
                let expected = lines.get(self.lines).map_or("nothing", String::as_str);
                if text("data") != expected {
                    return Err(format!("line {} is {expected:?}, not {json}", self.lines));
                }
                self.lines += 1;
            }
            _ => return Err(format!("behind {} lines came {json}", self.lines)),
        }
        text("position").clone_into(&mut self.position);
        Ok(())
    }
}
