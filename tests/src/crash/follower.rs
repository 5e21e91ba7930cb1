//! A reader that goes on over the death of its server: a `tidings sub` that comes back by itself.
//! Must never pass over anything that was printed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::Program;
use crate::load::Ledger;

/// Such a reader, whatever process it is at the moment.
pub(super) struct Follower {
    address: SocketAddr,
    topics: &'static str,
    seen: Arc<Mutex<Seen>>,
    program: Program,
}

/// What it has got.
#[derive(Default)]
struct Seen {
    ledger: Ledger,
    /// The position of the last event.
    position: Option<String>,
    /// What should not have come, at which nothing more is taken.
    wrong: Option<String>,
}

impl Follower {
    /// The transports that `tidings sub` knows.
    pub(super) const VIAS: [&'static str; 5] = ["sse", "ws", "ndjson", "longpoll", "poll"];

    /// Begins with the first message there is.
    #[track_caller]
    pub(super) fn start(address: SocketAddr, via: &str, topics: &'static str) -> Follower {
        let seen = Arc::default();
        let program = subscribe(address, via, topics, &seen);
        Follower { address, topics, seen, program }
    }

    /// Kills the process, and has another go on behind the last event that came out of it.
    #[track_caller]
    pub(super) fn hand_over(&mut self, via: &str) {
        self.check();
        self.program.kill();
        self.program = subscribe(self.address, via, self.topics, &self.seen);
    }

    /// Panics when anything is wrong with what came.
    #[track_caller]
    pub(super) fn check(&self) {
        if let Some(wrong) = &lock(&self.seen).wrong {
            panic!("a reader got what is wrong: {wrong}; {:?}", self.program);
        }
        let complained = self.program.complained();
        let lost = complained.iter().find(|line| line.starts_with("warning"));
        assert!(lost.is_none(), "a reader lost something: {lost:?}");
        assert!(!self.program.has_ended(), "a reader gave up: {:?}", self.program);
    }

    /// The last number of a topic that has come.
    pub(super) fn last(&self, topic: &str) -> u32 {
        lock(&self.seen).ledger.last(topic)
    }
}

#[track_caller]
fn subscribe(address: SocketAddr, via: &str, topics: &str, seen: &Arc<Mutex<Seen>>) -> Program {
    let since = lock(seen).position.clone().unwrap_or_else(|| "start".to_owned());
    let url = format!("http://{address}");
    let arguments = ["sub", topics, "--json", "--via", via, "--since", &since, "--url", &url];
    let arguments = [&arguments[..], &["--interval", "1s"]].concat();
    let seen = Arc::clone(seen);
    Program::follow(&arguments, &[], move |line| lock(&seen).take(line))
}

impl Seen {
    fn take(&mut self, line: &str) {
        if self.wrong.is_some() {
            return;
        }
        let taken = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
        let taken = taken.and_then(|event: Value| {
            self.ledger.take(&event)?;
            self.position = event["position"].as_str().map(str::to_owned);
            Ok(())
        });
        self.wrong = taken.err();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
