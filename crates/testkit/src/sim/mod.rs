//! The whole house from one seed: broker, logs and every transport in one thread, under readers
//! that come, go, dawdle and change transport, publishers that repeat themselves, and time that
//! jumps.
//!
//! After every step it holds the house to its promises:
//!
//! - each topic's messages come in order, and none twice, however often a reader resumes;
//! - none is missing that is not expired or covered by a gap the reader was told;
//! - a gap is told only when something was really lost;
//! - a position of an earlier life of the logs is met by a gap before anything else;
//! - a retried publish is stored once;
//! - a durable session is sent whatever it has not acknowledged, and says what is sent again;
//! - whoever is no longer a session is told so, and nothing more;
//! - nothing grows beyond its bounds.
//!
//! A failure names its seed, and the same seed fails again the same way.

mod decode;
mod oracle;
mod reader;
mod sessions;
mod world;

use std::fmt;

use world::World;

/// Steps of one run; at the end every reader catches up and is checked once more.
const STEPS: u32 = 3000;

/// What a run saw, so that one can see that it saw anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Messages stored.
    pub published: u64,
    /// Events that readers heard.
    pub heard: u64,
    /// Connections that went on from a position.
    pub resumed: u64,
    /// Gaps told because of retention.
    pub trimmed: u64,
    /// Gaps told because the logs began anew.
    pub epochs: u64,
    /// Messages that expired before a reader came to them.
    pub expired: u64,
    /// Events that sessions heard again.
    pub again: u64,
    /// Sessions that another connection took.
    pub takeovers: u64,
}

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// The step at which it showed.
    pub step: u32,
    /// What went wrong.
    pub what: String,
}

/// Runs one seed.
pub fn run(seed: u64) -> Result<Report, Failure> {
    let mut world = World::new(seed);
    for step in 0..STEPS {
        world.step().map_err(|what| Failure { seed, step, what })?;
    }
    world.finish().map_err(|what| Failure { seed, step: STEPS, what })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} published, {} heard, {} resumed, {} trimmed, {} epochs, {} expired, {} again, {} takeovers",
            self.seed,
            self.published,
            self.heard,
            self.resumed,
            self.trimmed,
            self.epochs,
            self.expired,
            self.again,
            self.takeovers
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, step, what } = self;
        write!(
            f,
            "seed {seed} fails at step {step}: {what}\n  see it again: cargo xtask sim --seed {seed}"
        )
    }
}
