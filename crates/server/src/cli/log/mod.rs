//! `tidings log`: what can be done with a data directory without its server. Must never change one
//! but by `import`, and never touch one that a server uses but by `backup`, which only reads it.

mod backup;
mod bar;
mod check;
mod export;
mod human;
mod import;
mod line;
mod manner;
mod reading;
mod stats;

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tidings_log::{ClosedLog, Damage, Directory};
use tidings_model::{LogKind, TopicFilter};
use tidings_net::Clock;

use super::notes::{Notes, count};
use super::{ServeArgs, filter};
use crate::config::Config;
use crate::data::{self, log_folder};
use crate::rules::{namespaces, policy};
use reading::Told;

/// What to do with a log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Read every message and say what is damaged; exit code 1 if something is
    Check(DataArgs),
    /// Say how much is kept of which topic, and how much room it takes
    Stats(StatsArgs),
    /// Print every message as JSON, one a line: what `import` reads
    Export(ExportArgs),
    /// Store the messages of an export, with their times, types, headers and keys
    Import(ImportArgs),
    /// Copy the log, also while a server uses it, to a data directory of its own
    Backup(BackupArgs),
}

/// Which data directory.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArgs {
    /// The data directory [default: the one that `tidings serve` would use]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Configuration file of the server [env: TIDINGS_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Arguments of `tidings log stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Only the topics with the most bytes
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Print it as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgs,
}

/// Arguments of `tidings log export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only these topics: chat/room1, chat/* (one level), chat/** (all below); may be repeated
    #[arg(long = "topic", value_name = "FILTER", value_parser = filter)]
    topics: Vec<TopicFilter>,
    /// Also messages that are over the limits of their topic, or have expired, but are still there
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    data: DataArgs,
}

/// Arguments of `tidings log import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What `export` printed; left out: standard input
    file: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

/// Arguments of `tidings log backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Where the copy goes: a directory that is not there yet, or an empty one
    #[arg(value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    data: DataArgs,
}

/// Runs the command. The exit code is 2 when the configuration is wrong.
pub(crate) fn run(command: &LogCommand) -> anyhow::Result<ExitCode> {
    let args = match command {
        LogCommand::Check(data) => data,
        LogCommand::Stats(args) => &args.data,
        LogCommand::Export(args) => &args.data,
        LogCommand::Import(args) => &args.data,
        LogCommand::Backup(args) => &args.data,
    };
    let serve =
        ServeArgs { config: args.config.clone(), data: args.data.clone(), ..ServeArgs::default() };
    let config = match serve.load() {
        Ok(loaded) => loaded.config,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(ExitCode::from(2));
        }
    };
    let Some(directory) = config.data.clone() else {
        anyhow::bail!("data is \"none\": name the data directory with --data DIR");
    };
    let data = Data { config, directory, notes: Notes::stderr() };
    match command {
        LogCommand::Check(_) => check::run(data),
        LogCommand::Stats(args) => stats::run(data, args),
        LogCommand::Export(args) => export::run(data, args),
        LogCommand::Import(args) => import::run(data, args),
        LogCommand::Backup(args) => backup::run(data, args),
    }
}

/// The data directory that a command is about.
struct Data {
    config: Config,
    directory: PathBuf,
    notes: Notes,
}

impl Data {
    fn log(&self) -> PathBuf {
        log_folder(&self.directory)
    }

    /// The directory as messages name it.
    fn shown(&self) -> String {
        data::shown(&self.directory)
    }

    /// The log's files, which nobody else uses.
    fn look(&self) -> anyhow::Result<Directory> {
        Directory::look(&self.log()).map_err(|error| self.cannot("read", &error))
    }

    /// The log, read as a whole; each segment is told.
    fn open(&mut self, disk: &Directory) -> anyhow::Result<ClosedLog> {
        let told = Told::new(disk, &mut self.notes);
        let opened = ClosedLog::open(&told, LogKind::Durable);
        opened.map_err(|error| self.cannot("read", &error))
    }

    /// Passes over what a server that is started now would not keep; returns how many those are.
    fn keep(&self, log: &mut ClosedLog) -> anyhow::Result<u64> {
        Ok(log.keep(Clock::start().now(), &policy(&namespaces(&self.config)?)))
    }

    /// Says what is damaged, on standard error.
    fn tell(&mut self, damages: &[Damage]) {
        for Damage { file, at, from, to } in damages {
            let text =
                format!("damaged: {file} at byte {at}: offsets {from} to {to} cannot be read");
            self.notes.line(&text);
        }
    }

    /// Why the log cannot be used, and what to do.
    fn cannot(&self, verb: &str, error: &io::Error) -> anyhow::Error {
        let advice = match error.kind() {
            ErrorKind::ResourceBusy => {
                "; stop it, or copy the log while it runs with `tidings log backup COPY` and give \
                 --data COPY"
            }
            ErrorKind::NotFound => {
                return anyhow::anyhow!(
                    "there is no log in {}; name the data directory with --data DIR",
                    self.shown()
                );
            }
            _ => "",
        };
        anyhow::anyhow!("cannot {verb} the log in {}: {error}{advice}", self.shown())
    }
}

/// `1,234 messages`.
fn messages(number: u64) -> String {
    let words = count(number, "message");
    words.replacen(&number.to_string(), &human::thousands(number), 1)
}
