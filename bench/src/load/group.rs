//! What some listeners of one kind have heard together.

use super::latency::Latency;
use super::tally::Faults;

/// How many different complaints are kept.
const COMPLAINTS_MAX: usize = 5;

/// What a group has heard.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Messages, each counted for each listener.
    pub(crate) delivered: u64,
    /// Bytes, of whatever kind.
    pub(crate) bytes: u64,
    /// From when a message was meant to be sent until it was read.
    pub(crate) latency: Latency,
    /// What was wrong.
    pub(crate) faults: Faults,
    /// Listeners that listen now.
    pub(crate) ready: usize,
    /// Connections that ended although we did not end them.
    pub(crate) broken: u64,
    /// Why, each once.
    pub(crate) complaints: Vec<String>,
}

impl Heard {
    /// Nothing yet.
    ///
    /// # Errors
    /// Never; see [`Latency::new`].
    pub(super) fn new() -> anyhow::Result<Heard> {
        Ok(Heard {
            delivered: 0,
            bytes: 0,
            latency: Latency::new()?,
            faults: Faults::default(),
            ready: 0,
            broken: 0,
            complaints: Vec::new(),
        })
    }

    /// Begins a measurement: forgets times and counts, keeps faults.
    pub(crate) fn begin_measurement(&mut self) {
        (self.delivered, self.bytes) = (0, 0);
        self.latency.clear();
    }

    /// A connection broke.
    pub(super) fn complain(&mut self, why: &anyhow::Error) {
        self.broken += 1;
        let why = format!("{why:#}");
        if self.complaints.len() < COMPLAINTS_MAX && !self.complaints.contains(&why) {
            self.complaints.push(why);
        }
    }
}
