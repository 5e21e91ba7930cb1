//! stub
use crate::config::Flag;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
#[derive(Debug, Parser)]
#[command(name = "tidings", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}
#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(ServeArgs),
    Config,
}
impl Cli {
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    #[arg(long)]
    pub listen: Option<String>,
    #[arg(long)]
    pub config: Option<PathBuf>,
    #[arg(long)]
    pub data: Option<String>,
}
impl ServeArgs {
    pub fn flags(&self) -> Vec<Flag> {
        [("--listen", "listen", &self.listen), ("--data", "data", &self.data)]
            .into_iter()
            .filter_map(|(name, key, value)| Some(Flag { name, key, value: value.clone()? }))
            .collect()
    }
}
