//! `cargo xtask`: the chores of the project, in Rust so that they need no other tools.
//!
//! It must never be needed to build or run the server.

mod bench;
mod ci;
mod crash;
mod fuzz;
mod say;
mod setup;
mod shell;
mod sim;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

/// Chores of the Tidings workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need: browser, word list, npm packages, cargo tools
    Setup,
    /// Run every check and every test, or one step of them
    Ci {
        /// Run only this step, after the steps it needs
        #[arg(value_parser = PossibleValuesParser::new(steps::names()))]
        step: Option<String>,
        /// Leave out setup, the release build and the end-to-end tests
        #[arg(long)]
        fast: bool,
    },
    /// Check the rules of the house that can be read off the tree
    Tidy,
    /// Measure: `list` names the scenarios, `report` is all of them; `kernels`, `instructions`
    Bench {
        /// What is handed to the load generator
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the simulator; without options, the seeds from 0 to 299
    Sim {
        /// The first seed; alone, the only one
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// How many seeds to run, counting up from the first
        #[arg(long, value_name = "COUNT")]
        seeds: Option<u64>,
    },
    /// Kill the released server under load, over and over
    Crash {
        /// How many times
        #[arg(long, value_name = "N", default_value_t = 100)]
        rounds: u32,
        /// What chance there is comes from this number [default: another one each time]
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
    },
    /// Run the fuzz targets, or one of them
    Fuzz {
        /// The target: a file's name in fuzz/targets [default: all]
        target: Option<String>,
        /// How long each
        #[arg(long, value_name = "N", default_value_t = fuzz::SECONDS)]
        seconds: u64,
        /// Run it on this one input instead
        #[arg(long, value_name = "FILE", requires = "target")]
        input: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let end = go_to_the_root().and_then(|()| match command {
        Command::Setup => setup::run(),
        Command::Ci { step, fast } => {
            ci::run(step.as_deref(), if fast { steps::Mode::Fast } else { steps::Mode::Full })
        }
        Command::Bench { arguments } => bench::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Fuzz { target, seconds, input } => {
            fuzz::run(&fuzz::Options { target, seconds, input })
        }
        Command::Crash { rounds, seed } => crash::run(rounds, seed),
        Command::Sim { seed, seeds } => sim::run(sim::seeds(seed, seeds)),
    });
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Every path in this crate is relative to the root of the workspace.
fn go_to_the_root() -> anyhow::Result<()> {
    // Read when run, not when built: the tree may have moved with its target folder.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("start this as `cargo xtask`")?;
    let root = Path::new(&own).parent().context("xtask has no parent folder")?;
    std::env::set_current_dir(root).with_context(|| format!("cannot enter {}", root.display()))
}
