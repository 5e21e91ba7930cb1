//! The codec against the standard: its examples, its rules, and everything at every cut.
//!
//! Must never reach into the crate: what is tested here is what others may use.

mod any;
mod connect_rules;
mod encode_rules;
mod examples;
mod memory;
mod reasons;
mod round_trip;
mod rules;
mod sides;
mod topics;
mod wire;
