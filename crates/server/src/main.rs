//! `tidings`: one binary, server and client.

mod cli;
//mod client;
mod config;
mod serve;
mod site;
mod transports;

use std::process::ExitCode;

use clap::Parser;

#[cfg(all(unix, feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().command() {
        cli::Command::Serve(args) => serve::run(&args),
        _ => ExitCode::SUCCESS,
    }
}
