//! `cargo xtask setup`: what the tests need beyond Rust and Node, installed where it is missing.
//!
//! It must never install what is there already, nor anything the server itself would need.

mod npm;
mod python;
mod system;
mod tools;

use crate::say;

/// Installs what is missing; quick when nothing is.
pub(crate) fn run() -> anyhow::Result<()> {
    say::heading("setup: system packages");
    system::install()?;
    say::heading("setup: cargo tools");
    tools::install()?;
    say::heading("setup: npm packages");
    npm::install()?;
    say::heading("setup: Python packages");
    python::install()
}
