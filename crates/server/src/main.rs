//! `tidings`: one binary, server and client.

mod access;
mod cli;
mod client;
mod config;
mod data;
mod ports;
mod rules;
mod serve;
mod site;
mod system;
mod tls;
mod transports;

use std::process::ExitCode;

use clap::Parser;

#[cfg(all(unix, feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let result = match cli::Cli::parse().command() {
        cli::Command::Serve(args) => return serve::run(&args),
        cli::Command::Pub(args) => cli::publish::run(args),
        cli::Command::Sub(args) => cli::subscribe::run(args),
        cli::Command::Log(command) => cli::log::run(&command),
        cli::Command::User(command) => cli::user::run(&command),
        cli::Command::Config => {
            print!("{}", config::render());
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
