//! What tests are made of: a house without sockets or clock, a disk that fails, wire transcripts, and
//! a simulator.
//!
//! For tests only; nothing that ships may depend on it. Everything in here is determined by its
//! inputs: the same seed or transcript gives the same run on every machine.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

pub mod sim;
pub mod wire;

mod disk;
mod random;
mod rooms;
mod tape;

pub use disk::FakeDisk;
pub use random::Random;
pub use rooms::{Rooms, namespace};
pub use tape::{Said, Tape};
