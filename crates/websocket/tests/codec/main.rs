//! The codec against the standard: its examples, its rules, and everything at every cut.
//!
//! Must never reach into the crate: what is tested here is what others may use.

mod cuts;
mod deflate;
mod examples;
mod memory;
mod rules;
mod text;
mod wire;
